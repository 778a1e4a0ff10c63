"""dns_records.py PORTFILE LOG ADDRESS: a server of names on port 53, UDP and TCP, that knows records of every kind.

good.example is 198.51.100.3 and 2001:db8::9, for 2 seconds; alias.good.example leads there over two more names; _ldap._tcp.good.example has a
service; good.example has an HTTPS record with ALPN, ECH and addresses; many.good.example has so many addresses that UDP holds a part of them.
Every question is one line "udp|tcp TYPE NAME" in LOG, with " edns" where it came with EDNS.
"""
import socket
import struct
import sys

from dns_serving import serve, wire

port_file, log, address = sys.argv[1:4]
A, CNAME, AAAA, SRV, HTTPS = 1, 5, 28, 33, 65
TTL = 2


def parameter(key, value):
    return struct.pack("!HH", key, len(value)) + value


SERVICE = struct.pack("!H", 1) + wire("good.example") + parameter(1, b"\x02h2") + parameter(4, socket.inet_aton("198.51.100.3")) + \
    parameter(5, b"encrypted client hello") + parameter(6, socket.inet_pton(socket.AF_INET6, "2001:db8::9"))
ZONE = {
    ("good.example", A): [socket.inet_aton("198.51.100.3")],
    ("good.example", AAAA): [socket.inet_pton(socket.AF_INET6, "2001:db8::9")],
    ("good.example", HTTPS): [SERVICE],
    ("_ldap._tcp.good.example", SRV): [struct.pack("!3H", 10, 20, 8080) + wire("good.example")],
    ("many.good.example", A): [socket.inet_aton("198.51.100.%d" % (n % 9 + 1)) for n in range(60)],
}
ALIAS = {"alias.good.example": "second.good.example", "second.good.example": "third.good.example", "third.good.example": "good.example"}


def question(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += query[at] + 1
    return ".".join(labels).lower(), struct.unpack("!H", query[at + 1:at + 3])[0], query[12:at + 5]


def reply(query, how):
    name, kind, raw = question(query)
    edns = query[11] == 1
    with open(log, "a") as f:
        f.write("%s %d %s%s\n" % (how, kind, name, " edns" if edns else ""))
    records, known = [], (name, kind) in ZONE or any(name == n for n, _ in ZONE) or name in ALIAS
    while name in ALIAS:
        records.append((wire(name), CNAME, wire(ALIAS[name])))
        name = ALIAS[name]
    records += [(wire(name), kind, data) for data in ZONE.get((name, kind), [])]
    body, flags, count = raw, 0x8180 if known else 0x8183, 0
    for owner, type_, data in records:
        record = owner + struct.pack("!HHIH", type_, 1, TTL, len(data)) + data
        if how == "udp" and 12 + len(body) + len(record) > (1232 if edns else 512):
            flags |= 0x200
            break
        body += record
        count += 1
    return query[:2] + struct.pack("!5H", flags, 1, count, 0, 0) + body


serve(address, 53, port_file, reply)
