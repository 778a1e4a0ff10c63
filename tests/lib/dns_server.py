"""dns_server.py PORTFILE LOG ADDRESS PORT NAME=ADDRESS[,ADDRESS] | ALIAS>NAME ...: a server of names, UDP and TCP.

Every question is one line "udp NAME" or "tcp NAME" in LOG. With --liar=NAME=ADDRESS each UDP answer is preceded by one of that name and id,
and one of the right name and another id. --silent=NAME is asked for in vain, --late=NAME for half a second.
"""
import socket
import struct
import sys

from dns_serving import serve, wire

port_file, log, address, port = sys.argv[1:5]
zone, alias, liar, delays = {}, {}, None, {}
for word in sys.argv[5:]:
    if word.startswith("--liar="):
        liar = word[7:].split("=")
    elif word.startswith("--silent="):
        delays[word[9:]] = None
    elif word.startswith("--late="):
        delays[word[7:]] = 0.5
    elif ">" in word:
        alias.__setitem__(*word.split(">"))
    else:
        zone[word.split("=")[0]] = word.split("=")[1].split(",")


def question(query):
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1:at + 1 + query[at]].decode("latin-1"))
        at += query[at] + 1
    return ".".join(labels), struct.unpack("!H", query[at + 1:at + 3])[0], query[12:at + 5]


def answer(ident, question_bytes, name, kind):
    records, owner, name = [], b"\xc0\x0c", name.lower()
    while name in alias:
        name = alias[name]
        records.append(owner + struct.pack("!HHIH", 5, 1, 60, len(wire(name))) + wire(name))
        owner = wire(name)
    for text in zone.get(name, []):
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        if kind == (28 if ":" in text else 1):
            data = socket.inet_pton(family, text)
            records.append(owner + struct.pack("!HHIH", kind, 1, 60, len(data)) + data)
    code = 0x8180 if name in zone else 0x8183
    return struct.pack("!6H", ident, code, 1, len(records), 0, 0) + question_bytes + b"".join(records)


def reply(query, how):
    name, kind, raw = question(query)
    with open(log, "a") as f:
        f.write("%s %s\n" % (how, name))
    return answer(struct.unpack("!H", query[:2])[0], raw, name, kind)


def lies(query):
    name, kind, raw = question(query)
    ident = struct.unpack("!H", query[:2])[0]
    false = struct.pack("!HHHIH", 0xc00c, 1, 1, 60, 4) + socket.inet_aton(liar[1])
    yield struct.pack("!6H", ident, 0x8180, 1, 1, 0, 0) + wire(liar[0]) + struct.pack("!HH", kind, 1) + false
    yield struct.pack("!6H", ident ^ 1, 0x8180, 1, 1, 0, 0) + raw + false


serve(address, int(port), port_file, reply, lies if liar else lambda query: (), lambda query: delays.get(question(query)[0], 0))
