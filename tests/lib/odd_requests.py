"""odd_requests.py send SEED COUNT: so many connections, of which each says one odd thing among good requests: what parsers take in different ways.
odd_requests.py judge SEEN LOG: did a server's handler run what the rules deny, or more than the log says was let through?

Each request has a number of its own in its path; also those that hide in the body of another."""
import collections
import json
import random
import re
import socket
import sys

HOST = b"www.googleapis.com"
TARGETS = rb"""/ok/../@ /ok/%2e%2e/no/@ /ok/..%2fno/@ /ok/%5c../no/@ /ok\..\no/@ /ok/..;/no/@ /ok/@;p=1 //ok/@ /ok//@ /ok/./@ /ok/@/.. /ok/%00@ /ok/%0a@ /ok/%0d%0aGET%20/no/@
 /ok/%252e%252e/no/@ /ok/%c0%ae%c0%ae/no/@ /ok/%e0%80%af@ /ok/%ef%bc%8f@ /ok/%u002e@ /ok/%ff@ /ok/secret/@ /ok/%73ecret/@ /ok/secret;/@ /ok/secret%3f@ /ok/secret?@ /ok/secret#@
 /ok/@?/../../no /ok/@?? /ok/@?a#b /ok/@#f /ok/@% /ok/@%zz /ok/@%%32%65 http://H/ok/@ HTTP://H:80/ok/@ http://H:/ok/@ http://H./ok/@ http://u%H/ok/@ http://H\/ok/@ http://evil.example/ok/@
 http://H?/no/@ http://H#/no/@ http://H http:///ok/@ http:/ok/@ https://H/ok/@ ftp://H/ok/@ http://H/../no/@ http://H//no/@ http://H/no/@ http://[::1]/ok/@ /ok/http://evil/@ * *@ /* ?/ok/@ ok/@
 H:80 /ok/"@ /ok/{@} /OK/@ /okx/@ /no/@ / /ok/.../@""".split()
METHODS = b"HEAD PUT DELETE OPTIONS PATCH TRACE PROPFIND M-SEARCH get pOST PRI CONNECT BREW G'T QUERY DESCRIBE".split()
VERSIONS = [b"HTTP/1.0", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/1.01", b"HTTP/2.0", b"http/1.1", b"HTTP/0.9", b"HTTP/1.1 ", b"HTTP/1.1\t"]
HOSTS = b"WWW.GoogleAPIs.COM H:80 H:080 H: H. H.:80 u@H H@evil H,evil H/no H?x [::1] 127.0.0.1 evil.example H:443 H:+80 .H H%00 H:80:80 http://H".split() + [b"", b"H H"]
OPTIONS = [b"close", b"keep-alive", b"keep-alive, close", b"Host", b"Content-Length", b"Transfer-Encoding", b"Host, Content-Length, Transfer-Encoding", b"TE, trailers", b"Upgrade",
           b"Expect", b"Connection", b",,close,,", b"close;x"]
FIELDS = [b"Expect: 100-continue", b"Expect: 100-continue, x", b"Expect: x", b"Upgrade: websocket", b"Upgrade: websocket\r\nConnection: upgrade", b"Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
          b"TE: trailers, chunked", b"Trailer: Content-Length", b"Content-Length: 0", b"Content-Length: 5", b"X-Content-Length: 5", b"Content-Length-: 5", b"Content_Length: 5", b"C-ontent-Length: 5",
          b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding:\tchunked\t", b"Transfer_Encoding: chunked", b"Transfer-Encoding!: chunked",
          b"Content-Encoding: chunked", b"Max-Forwards: 0", b"Host: evil.example", b"host: " + HOST, b"Host-: evil", b"X: \x80\xff", b"X:", b"X: " + b"a" * 9000, b"X!#$%&'*+-.^_`|~: a",
          b"X: a\r\n b", b"X : a", b"X: a\rb", b"X: a\nb", b": a", b"X", b"\r\nX: y"]
LENGTHS = [b"+%d", b"0%d", b"%018d", b"%d,%d", b"0x%x", b"%d.0", b"-%d", b"%de0", b"%d;x", b"%d "]
CODINGS = [b"Chunked", b"chunKed", b"chunked,", b", chunked", b"identity, chunked", b"chunked, identity", b'"chunked"', b"chunked;a=b", b"xchunked", b"chunked\x0b"]
SIZES = [b"0%x", b"%X", b"%015x", b"%016x", b"0x%x", b"+%x", b"%x_", b" %x", b"%x ", b"-%x"]
EXTENSIONS = [b";a=b", b";a", b";a=", b"; a=b", b" ;a=b", b';a="b"', b';a="\r\n"', b";", b";a=b;c=d", b"\t", b";a=\xff", b"\r", b"\0", b";" + b"a" * 5000]
TRAILERS = [b"X: y\r\n", b"X:\r\n", b"Content-Length: 5\r\n", b"Host: evil\r\n", b"Connection: close\r\n", b"X\r\n", b" X: y\r\n", b"X : y\r\n", b"X: a\r\n b\r\n", b"GET /no/1 HTTP/1.1\r\n"]


class Request:
    def __init__(self, names, odds, kind):
        self.odds, self.number = odds, next(names)
        self.method, self.target, self.version = b"GET", b"/ok/n%dn" % self.number, b"HTTP/1.1"
        self.fields = [[b"Host", HOST], [b"Accept", b"*/*"]]
        self.kind, self.coding, self.length, self.size, self.extension, self.last, self.trailer = kind, b"chunked", b"%d", b"%x", b"", b"0", b""
        self.body = b""
        if kind != "none":
            self.method, self.body = b"POST", odds.choice([
                b"GET /no/n%dn HTTP/1.1\r\nHost: H\r\n\r\n", b"GET /ok/n%dn HTTP/1.1\r\nHost: H\r\n\r\n", b"0\r\n\r\nGET /no/n%dn HTTP/1.1\r\nHost: H\r\n\r\n",
                b"\r\nGET /ok/secret/n%dn HTTP/1.0\r\n\r\n"]).replace(b"H\r", HOST + b"\r") % next(names)

    def named(self, text):
        return text.replace(b"@", b"n%dn" % self.number).replace(b"u%H", b"u@H").replace(b"H:", HOST + b":").replace(b"//H", b"//" + HOST)

    def make_odd(self):
        choose = self.odds.choice
        what = choose(["target"] * 5 + ["method", "version", "host", "option", "field", "field", "body", "body"] +
                      ["length"] * (self.kind == "length") + ["coding", "size", "extension", "last", "trailer", "both"] * (self.kind == "chunked"))
        if what == "target":
            self.target = self.named(choose(TARGETS))
        elif what == "method":
            self.method = choose(METHODS)
        elif what == "version":
            self.version = choose(VERSIONS)
            self.fields = self.fields[choose([0, 1]):] + [[b"Connection", b"keep-alive"]]
        elif what == "host":
            self.fields[0][1] = choose(HOSTS).replace(b"H", HOST, 1)
        elif what == "option":
            self.fields.insert(choose([0, 2]), [b"Connection", choose(OPTIONS)])
        elif what == "field":
            name, _, value = choose(FIELDS).partition(b":")
            self.fields.insert(choose([0, 2]), [name, value.strip(b" ")])
        elif what == "body":
            self.method = choose([b"GET", b"HEAD", b"DELETE", b"OPTIONS", b"TRACE"])
        elif what == "both":
            self.fields.append([b"Content-Length", choose([b"0", b"5", b"100"])])
        else:
            lists = {"length": LENGTHS, "coding": CODINGS, "size": SIZES, "extension": EXTENSIONS, "trailer": TRAILERS, "last": [b"00", b"-0", b"0x0", b"", b"0 ", b"0;a=b"]}
            setattr(self, what, choose(lists[what]))
        return self

    def bytes(self):
        fields, body = list(self.fields), self.body
        if self.kind == "length":
            fields.append([b"Content-Length", self.length.replace(b"%x", b"%d" if b"x%x" not in self.length else b"%x") % ((len(body),) * self.length.count(b"%"))])
        elif self.kind == "chunked":
            fields.append([b"Transfer-Encoding", self.coding])
            body = self.size % len(body) + self.extension + b"\r\n" + body + b"\r\n" + self.last + b"\r\n" + self.trailer + b"\r\n"
        return b"%b %b %b\r\n" % (self.method, self.target, self.version) + b"".join(b"%b: %b\r\n" % (name, value) for name, value in fields) + b"\r\n" + body


def connection(names, odds):
    kinds = ["none", "length", "chunked"]
    all_of_it = [Request(names, odds, odds.choice(kinds)) for _ in range(odds.choice([1, 2, 3, 4]))]
    odds.choice(all_of_it).make_odd()
    if odds.random() < .5:
        denied = odds.choice(all_of_it)
        denied.target = b"/no/n%dn" % denied.number
    last = Request(names, odds, "none")
    last.fields.append([b"Connection", b"close"])
    return b"".join(request.bytes() for request in all_of_it + [last])


def speak(data, step):
    with socket.create_connection(("www.googleapis.com", 80), 10) as s:
        s.settimeout(1)
        try:
            for at in range(0, len(data), step):
                s.sendall(data[at:at + step])
            s.shutdown(socket.SHUT_WR)
            while s.recv(65536):
                pass
        except OSError:
            pass


def send(seed, count):
    odds, names = random.Random(seed), iter(range(1000000, 9000000))
    for _ in range(count):
        data = connection(names, odds)
        speak(data, odds.choice([len(data), len(data), len(data), odds.randrange(1, len(data)), 64, 1 if len(data) < 2000 else 64]))


def judge(seen, log):
    let, ran = collections.Counter(), collections.Counter()
    for event in map(json.loads, open(log, errors="replace")):
        if event["event"] == "http" and event["verdict"] == "allow":
            let.update((event["method"], number) for number in re.findall(r"n(\d{7})n", event["path"]))
    for method, target, host in map(json.loads, open(seen)):
        path = re.sub(r"^https?://[^/?#]*", "", target, flags=re.I)
        assert target == "*" or not path.startswith("/no") and not re.match(r"/ok/secret([/?]|$)", path), f"denied, and yet it ran: {method} {target}"
        assert not host or re.fullmatch(r"(?i)www\.googleapis\.com\.?(:\d*)?", host), f"for another host: {method} {target} {host}"
        ran.update((method, number) for number in re.findall(r"n(\d{7})n", target))
    more = [(key, count, let[key]) for key, count in ran.items() if count > let[key]]
    assert not more, f"more ran than the log lets through: {more[:5]}"
    assert len(ran) > 100, f"only {len(ran)} requests came through: nothing is shown"


if sys.argv[1] == "send":
    send(int(sys.argv[2]), int(sys.argv[3]))
else:
    judge(*sys.argv[2:])
