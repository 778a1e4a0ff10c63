"""connecting.py WAY [given-up]: a connect to www.googleapis.com that does not wait, and how the program learns that it came to nothing.

poll, epoll: by an event and SO_ERROR. recv, send: by a transfer. again: by a second connect. close: it closes after the event. exit: it just
ends. dup2: another descriptor takes its place. given-up: it waits for no event. SYN segments are sent twice, then the kernel gives up.
"""
import errno
import os
import select
import socket
import sys

way, given_up = sys.argv[1], sys.argv[2:] == ["given-up"]
s = socket.socket()
s.setsockopt(socket.IPPROTO_TCP, socket.TCP_SYNCNT, 1)
s.setblocking(False)
address = socket.getaddrinfo("www.googleapis.com", 80, socket.AF_INET)[0][4]
error = s.connect_ex(address)
if error != errno.EINPROGRESS:
    sys.exit(f"connect gives {errno.errorcode.get(error, error)}, expected EINPROGRESS")
if not given_up:
    waiter = select.epoll() if way == "epoll" else select.poll()
    waiter.register(s, select.POLLIN | select.POLLOUT)
    while not waiter.poll(100):
        pass
try:
    if way in ("poll", "epoll"):
        error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    elif way == "recv":
        s.recv(1)
    elif way == "send":
        s.send(b"GET /ok/1 HTTP/1.1\r\nHost: www.googleapis.com\r\n\r\n")
    elif way == "again":
        error = s.connect_ex(address)
    elif way == "dup2":
        os.dup2(os.open("/dev/null", os.O_RDONLY), s.fileno())
    elif way == "close":
        s.close()
except OSError as failure:
    error = failure.errno
print(errno.errorcode[error])
sys.stdout.flush()
if way != "exit":
    s.close()
else:
    s.detach()
