"""mysql_client.py WAY: what a client of mysql does on good.example:3306 until it is authenticated, and one command, against an echo within TLS.

The server sees the packets of the authentication numbered one higher, and what it says (here: the same) comes back one lower.
"""
import errno
import os
import select
import socket
import sys

way = sys.argv[1]
address = socket.getaddrinfo("good.example", 3306, type=socket.SOCK_STREAM)[0][4]
blocks = way in ("blocking", "bytes", "halves", "relay")
step = 1 if way == "bytes" else 1 << 20
s = socket.socket()
epoll = select.epoll()


def wait(mask):
    if way == "poll":
        p = select.poll()
        p.register(s, mask)
        assert p.poll(20000)[0][1] & mask
    elif way == "select":
        r, w, _ = select.select([s] if mask & 1 else [], [s] if mask & 4 else [], [], 20)
        assert r or w
    elif way == "epoll":
        epoll.modify(s, mask)
        assert epoll.poll(20)[0][1] & mask
    elif way == "edge":
        while not epoll.poll(20)[0][1] & mask:
            pass


def read(count):
    got = b""
    while len(got) < count:
        try:
            if way == "bytes":
                assert s.recv(1, socket.MSG_PEEK) is not None
            data = s.recv(min(step, count - len(got)))
            assert data, got
            got += data
        except BlockingIOError:
            wait(1)
    return got


def write(data):
    cuts = [data[:7], data[7:]] if way == "halves" else [data[i:i + step] for i in range(0, len(data), step)]
    for cut in cuts:
        while cut:
            try:
                cut = cut[s.send(cut):]
            except BlockingIOError:
                wait(4)


if blocks:
    s.connect(address)
else:
    s.setblocking(False)
    assert s.connect_ex(address) == errno.EINPROGRESS
    if way == "epoll":
        epoll.register(s, 4)
    if way == "edge":
        epoll.register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    wait(4)
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
if way == "relay":  # it lands on a standard stream: another process carries it from now on
    os.dup2(s.fileno(), 0)
    s = socket.socket(fileno=0)
greeting = read(80)
assert greeting[28] & 8 == 0
if way != "relay":
    s.setblocking(False)
    try:
        s.recv(1)
        raise SystemExit("the server said more than its greeting")
    except BlockingIOError:
        s.setblocking(blocks)
response = bytearray(b"\x2a\0\0\x01\x05\xa6\x0f\0\0\0\0\x01\x2d" + bytes(23) + b"secret\0\0\0\0")
write(bytes(response))
response[5] |= 8  # CLIENT_SSL
assert read(len(response)) == response
more = b"\x05\0\0\x03\x01more"
write(more)
assert read(len(more)) == more
write(b"\x03\0\0\xfe\0ok")  # 0: what the server says with this is the last packet of the phase
assert read(7) == b"\x03\0\0\xfe\0ok"
for number in (0, 1, 255):
    command = bytes((6, 0, 0, number)) + b"\x03query"
    write(command)
    assert read(10) == command
s.close()
