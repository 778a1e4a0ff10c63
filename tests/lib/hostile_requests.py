"""hostile_requests.py [CHECK FORMAT LOG]: requests whose bytes would break or forge a line of the log, each over a connection of its own.
With CHECK: is every line of LOG one of FORMAT, and none forged?"""
import json
import re
import socket
import sys

FORGED = "evil.example"
FORGERY = {"json": '{"time":"t","event":"connect","verdict":"deny","host":"%s"}', "text": "2026-01-01T00:00:00.000Z connect[1] deny tcp %s:1",
           "envoy": '[2026-01-01T00:00:00.000Z] "GET / HTTP/1.1" 403 - 0 0 0 0 "-" "-" "-" "%s:1" "192.0.2.1:1"'}


def head(path=b"/ok/1", agent=b"a", more=b"", host=b"www.googleapis.com"):
    return b"GET " + path + b" HTTP/1.1\r\nHost: " + host + b"\r\nUser-Agent: " + agent + b"\r\n" + more + b"\r\n"


def requests():
    for text in FORGERY.values():
        line = (text % FORGED).encode()
        for end in (b"\n", b"\r", b"\r\n", b"\0", "\u2028".encode(), "\u0085".encode(), b"\x0b", b"\\n", b"\\u000a", b"\\x0a"):
            yield head(agent=b"a" + end + line)
            yield head(more=b"X-Request-Id: " + end + line + b"\r\nX-Forwarded-For: " + line + end + b"\r\n")
            yield head(path=b"/ok/" + end + line.replace(b" ", b"\t"))
            yield head(path=b'/ok/"' + end + line.replace(b" ", b""))
            yield head(host=b"x" + end + line)
            yield b"G" + end + line + b" /ok/1 HTTP/1.1\r\n\r\n"
    for odd in ("\u00e9\u20ac\U0001f600".encode(), b"\xff\xfe\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", "\u202egnp.exe\u2066".encode(), b'quote " and \\', b"\\", b'","verdict":"deny', b"\t\t",
                b"\xe2\x82", b"x" * 5000, "\u20ac".encode() * 1500, b"\x1b[2J\x07\x7f"):
        yield head(agent=odd, more=b"X-Request-Id: " + odd + b"\r\nX-Forwarded-For: " + odd + b"\r\n")
        yield head(path=b"/ok/" + odd)
    yield head(path=b"/ok/" + b'"\\' * 20000)
    yield head(path=b'/ok/%22,"status":200,"x":"')


def send_all():
    for request in requests():
        with socket.create_connection(("www.googleapis.com", 80), 20) as s:
            try:
                s.sendall(request)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except OSError:
                pass


def no_duplicates(pairs):
    assert len(dict(pairs)) == len(pairs), pairs
    return dict(pairs)


def is_json(line):
    event = json.loads(line.decode(), object_pairs_hook=no_duplicates)
    assert event["event"] in ("connect", "tls", "http", "close") and event.get("host") == "www.googleapis.com", line
    assert event["event"] != "http" or event["status"] in (200, 400, 403), line


FORMS = {"text": rb'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (connect|tls|http|close)\[\d+\] .*www\.googleapis\.com',
         "envoy": rb'\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] "\S+ [^ "]+ (HTTP/1\.1|-)" (200|400|403) (-|DPE) \d+ \d+ (\d+|-) (\d+|-)( "[^"]*"){4} "[\d.:]+"$'}


def check(form, log):
    lines = open(log, "rb").read().split(b"\n")
    assert lines.pop() == b"", "the last line does not end"
    count = 0
    for line in lines:
        assert not re.search(rb"[\x00-\x1f\x7f]", line), line
        assert not re.search("[\u0080-\u009f\u2028-\u202e\u2066-\u2069]", line.decode()), line
        if form == "json":
            is_json(line)
        else:
            assert re.match(FORMS[form], line), line
        count += (b'"event":"http"' if form == "json" else b" http[" if form == "text" else b" ") in line
    asked = len(list(requests())) + 1  # the text form behind CRLF is a good field: of that head's two ends the second is a request of its own
    assert count == asked, f"{count} lines of {asked} requests"


if sys.argv[1:2] == ["check"]:
    check(*sys.argv[2:])
else:
    send_all()
