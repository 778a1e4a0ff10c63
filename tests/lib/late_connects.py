"""late_connects.py READY: connects to www.googleapis.com that do not wait, one for each way to wait for them, to a server that does not answer
TCP's first segments. Nothing is told of them until it does; READY is made when that was seen. Prints the ways that were served."""
import errno
import select
import socket
import sys


def polls(s, seconds):
    waiter = select.poll()
    waiter.register(s, select.POLLIN | select.POLLOUT)
    return waiter.poll(None if seconds is None else seconds * 1000)


def selects(s, seconds):
    ready = select.select([s], [s], [s], seconds)
    return ready[0] + ready[1] + ready[2]


def epolls(s, seconds):
    if s not in sets:
        sets[s] = select.epoll()
        sets[s].register(s, select.EPOLLIN | select.EPOLLOUT)
    return sets[s].poll(seconds)


def edges(s, seconds):
    if s not in sets:
        sets[s] = select.epoll()
        sets[s].register(s, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
    return sets[s].poll(seconds)


sets, ways = {}, {}
address = socket.getaddrinfo("www.googleapis.com", 80, socket.AF_INET)[0][4]
for way in (polls, selects, epolls, edges):
    s = ways[way] = socket.socket()
    s.setblocking(False)
    error = s.connect_ex(address)
    if error != errno.EINPROGRESS:
        sys.exit(f"connect gives {errno.errorcode.get(error, error)}, expected EINPROGRESS")
for way, s in ways.items():
    told = way(s, 0)
    if told:
        sys.exit(f"{way.__name__} tells {told} of a connection that TCP has not made")
open(sys.argv[1], "w").close()
for way, s in ways.items():
    way(s, None)
    error = s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    if error:
        sys.exit(f"{way.__name__}: the connect gives {errno.errorcode[error]}")
    s.setblocking(True)
    s.sendall(way.__name__.encode())
    print(s.recv(100).decode(), flush=True)
