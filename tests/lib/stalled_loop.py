"""stalled_loop.py poll|select|epoll: a loop that connects to good.example, which stalls, and makes 100 round trips with other.example."""
import errno
import os
import select
import socket
import sys

IN, OUT = 1, 4
way = sys.argv[1]
waiter = select.epoll() if way == "epoll" else select.poll()


def ready(interest):
    """Descriptors with what they are ready for, of INTEREST; waits."""
    if way == "select":
        reads, writes, _ = select.select([fd for fd, e in interest.items() if e & IN], [fd for fd, e in interest.items() if e & OUT], [])
        return {fd: (IN if fd in reads else 0) | (OUT if fd in writes else 0) for fd in {*reads, *writes}}
    for fd, events in interest.items():
        waiter.modify(fd, events)
    return dict(waiter.poll())


def connecting(host):
    s = socket.socket()
    s.setblocking(False)
    if way != "select":
        waiter.register(s, OUT)
    error = s.connect_ex((host, 80))
    if error != errno.EINPROGRESS:
        sys.exit(f"{host}: connect gives {errno.errorcode.get(error, error)}, expected EINPROGRESS")
    return s


stalled, other = connecting("good.example"), connecting("other.example")
interest = {stalled.fileno(): OUT | IN, other.fileno(): OUT}
trips = 0
while trips < 100:
    for fd, events in ready(interest).items():
        if fd == stalled.fileno():
            sys.exit(f"the stalled connection is told ready ({events}) after {trips} round trips: {os.strerror(stalled.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))}")
        if events & OUT:
            error = other.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error or other.send(b"x" * 64) != 64:
                sys.exit(f"other.example: {os.strerror(error)}")
            interest[fd] = IN
        elif len(other.recv(64)) == 64:
            trips += 1
            interest[fd] = OUT
print("100 round trips beside it")
