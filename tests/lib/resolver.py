"""resolver.py WAY SERVER NAME [PORT]: a program with a resolver of its own. Asks SERVER's port 53 for NAME's IPv4 addresses by WAY, prints the first
one or the errno of the refusal; with PORT connects there and prints "connected" or the errno.

WAYS: unconnected, connected, message, read, stream, pieces (a stream written and read byte by byte).
"""
import errno
import os
import socket
import struct
import sys

way, server, name = sys.argv[1:4]
query = struct.pack("!6H", 0x2468, 0x100, 1, 0, 0, 0)
query += b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0" + struct.pack("!HH", 1, 1)


def is_ours(data):
    return data[:2] == query[:2] and data[12:len(query)].lower() == query[12:].lower()


def exactly(s, n):
    data = b""
    while len(data) < n:
        data += s.recv(1)
    return data


def ask():
    kind = socket.SOCK_STREAM if way in ("stream", "pieces") else socket.SOCK_DGRAM
    s = socket.socket(socket.AF_INET, kind)
    s.settimeout(5)
    if way == "unconnected":
        s.sendto(query, (server, 53))
        return lambda: s.recvfrom(4096)[0]
    if way == "message":
        s.sendmsg([query[:5], query[5:]], [], 0, (server, 53))
        return lambda: s.recvmsg(4096)[0]
    s.connect((server, 53))
    if way == "connected":
        s.send(query)
        return lambda: s.recv(4096)
    if way == "read":
        s.settimeout(None)
        os.write(s.fileno(), query)
        return lambda: os.read(s.fileno(), 4096) + (b"" if s else b"")
    data = struct.pack("!H", len(query)) + query
    for piece in ([data] if way == "stream" else [data[i:i + 1] for i in range(len(data))]):
        s.sendall(piece)
    return lambda: exactly(s, struct.unpack("!H", exactly(s, 2))[0])


def addresses(data):
    at, count = len(query), struct.unpack("!H", data[6:8])[0]
    for _ in range(count):
        while data[at] and data[at] < 192:
            at += data[at] + 1
        at += 2 if data[at] >= 192 else 1
        kind, _, _, size = struct.unpack("!HHIH", data[at:at + 10])
        if kind == 1:
            yield socket.inet_ntoa(data[at + 10:at + 14])
        at += 10 + size


def told(act):
    try:
        return act()
    except OSError as e:
        return errno.errorcode.get(e.errno, str(e))


def first_address():
    receive = ask()
    while not is_ours(data := receive()):
        pass
    return next(addresses(data), "nothing")


address = told(first_address)
print(address)
if len(sys.argv) > 4:
    print(told(lambda: socket.create_connection((address, int(sys.argv[4])), 5) and "connected"))
