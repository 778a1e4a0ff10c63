"""hostile_client.py blocking|poll|epoll HOST PORT [TIMES]: a program that connects, writes whatever became of it, and reads until a line, an end or
an error; on each line of output the call and how it ended. TIMES: so often, waiting in all ways in turn. It fails where that took 64 MB."""
import errno
import itertools
import os
import resource
import select
import socket
import struct
import sys

PATIENCE = 4  # seconds, where a server says nothing to a program that has connected
LEAST_TIME = struct.pack("ll", PATIENCE, 0)


def name(error):
    return errno.errorcode.get(error, str(error))


class Blocking:
    def __init__(self, sock):
        self.sock = sock
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, LEAST_TIME)

    def connect(self, address):
        return self.sock.connect_ex(address)

    def ready_to_read(self):
        return True


class Polling:
    def __init__(self, sock):
        self.sock = sock
        sock.setblocking(False)
        self.poll = select.poll()

    def wait(self, events, seconds):
        self.poll.register(self.sock, events)
        return bool(self.poll.poll(seconds * 1000))

    def connect(self, address):
        result = self.sock.connect_ex(address)
        if result != errno.EINPROGRESS:
            return result
        if not self.wait(select.POLLOUT, 30):
            return errno.ETIME
        return self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    def ready_to_read(self):
        return self.wait(select.POLLIN, PATIENCE)


class Epolling(Polling):
    def __init__(self, sock):
        super().__init__(sock)
        self.epoll = select.epoll()
        self.epoll.register(sock, select.EPOLLOUT)

    def wait(self, events, seconds):
        self.epoll.modify(self.sock, select.EPOLLIN if events == select.POLLIN else select.EPOLLOUT)
        return bool(self.epoll.poll(seconds))


def write(sock):
    try:
        return "sent" if os.write(sock.fileno(), b"secret plaintext\n") == 17 else "short"
    except OSError as error:
        return name(error.errno)


def read(way):
    data = b""
    while not data.endswith(b"\n"):
        if not way.ready_to_read():
            return "silence"
        try:
            more = os.read(way.sock.fileno(), 65536)
        except BlockingIOError:
            if isinstance(way, Blocking):
                return "silence"
            continue
        except OSError as error:
            return name(error.errno)
        if not more:
            return "end"
        data += more
    return data.decode().strip()


WAYS = {"blocking": Blocking, "poll": Polling, "epoll": Epolling}


def visit(kind, address):
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    way = kind(sock)
    connected = way.connect(address)
    print("connect", name(connected) if connected else "done")
    print("write", write(sock))
    if not connected:
        print("read", read(way))
        print("write", write(sock))
    sock.close()


def main():
    address = socket.getaddrinfo(sys.argv[2], int(sys.argv[3]), socket.AF_INET, socket.SOCK_STREAM)[0][4]
    ways = itertools.cycle(WAYS.values()) if len(sys.argv) > 4 else itertools.repeat(WAYS[sys.argv[1]])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(int(sys.argv[4]) if len(sys.argv) > 4 else 1):
        visit(next(ways), address)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    if grown > 65536:
        sys.exit(f"it took {grown} KiB")


main()
