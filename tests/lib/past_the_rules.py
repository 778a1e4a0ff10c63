"""past_the_rules.py: a program that wants /no, which the rules deny, in each way that a socket's bytes can leave a process.

Each way sends, over a connection of its own, an allowed request, and then the denied one; prints "WAY: " and what came of the allowed one
("200", or the error that refuses the way). What the server was asked tells whether the denied one got there."""
import array
import ctypes
import errno
import os
import re
import socket
import sys
import tempfile
import threading

HOST = b"Host: www.googleapis.com\r\n"
libc = ctypes.CDLL(None, use_errno=True)


def get(path, more=b""):
    return b"GET /" + path + b" HTTP/1.1\r\n" + HOST + more + b"\r\n"


def split(data):
    return data[:5], data[5:]  # behind "GET /": the first part could become either


def by_sendmsg(s, data):
    parts = [b""] + [part for byte in data for part in (bytes([byte]), b"")]
    for at in range(0, len(parts), 1000):
        s.sendmsg(parts[at:at + 1000])


def by_writev(s, data):
    first, second = split(data)
    os.writev(s.fileno(), [b"", first, b"", b"", second, b""])


class Message(ctypes.Structure):
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.c_void_p), ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p),
                ("controllen", ctypes.c_size_t), ("flags", ctypes.c_int), ("sent", ctypes.c_uint64)]


def by_sendmmsg(s, data):
    buffers = [ctypes.create_string_buffer(part, len(part)) for part in split(data)]
    pieces = [(ctypes.c_size_t * 2)(ctypes.addressof(b), len(b)) for b in buffers]
    messages = (Message * 2)(*(Message(iov=ctypes.addressof(p), iovlen=1) for p in pieces))
    if libc.sendmmsg(s.fileno(), messages, 2, 0) != 2:
        raise OSError(ctypes.get_errno(), "sendmmsg")


def by_sendfile(s, data):
    with tempfile.TemporaryFile() as file:
        file.write(b"xx" + data)
        file.flush()
        for offset, count in ((2, 5), (7, len(data) - 5)):
            while count:
                done = os.sendfile(s.fileno(), file.fileno(), offset, count)
                offset, count = offset + done, count - done


def by_splice(s, data):
    source, sink = os.pipe()
    os.write(sink, data)
    try:
        if libc.splice(source, None, s.fileno(), None, len(data), 0) != len(data):
            raise OSError(ctypes.get_errno(), "splice")
    finally:
        os.close(source)
        os.close(sink)


def by_msg_more(s, data):
    first, second = split(data)
    s.send(first, socket.MSG_MORE)
    s.send(second)


def by_cork(s, data):
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
    for byte in data:
        s.send(bytes([byte]))
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)


def by_dup(s, data):
    with s.dup() as copy:
        first, second = split(data)
        s.sendall(first)
        copy.sendall(second)


def by_dprintf(s, data):
    for part in split(data):
        if libc.dprintf(s.fileno(), b"%s", part) < 0:
            raise OSError(ctypes.get_errno(), "dprintf")


def by_dup2(s, data):
    """Onto a standard stream's number in the middle of the head, and on through it."""
    first, second = split(data)
    kept = os.dup(0)
    s.sendall(first)
    try:
        os.dup2(s.fileno(), 0)
        os.write(0, second)
    finally:
        os.dup2(kept, 0)
        os.close(kept)


def by_scm_rights(s, data):
    """Sent to somebody (here: ourselves) in the middle of the head, who goes on."""
    first, second = split(data)
    ours, theirs = socket.socketpair()
    s.sendall(first)
    with ours, theirs:
        ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])
        _, control, _, _ = theirs.recvmsg(1, socket.CMSG_SPACE(4))
        fd = array.array("i", control[0][2][:4])[0]
        try:
            os.write(fd, second)
        finally:
            os.close(fd)


def by_child(s, data):
    """A fork in the middle of the head: the child goes on, then the parent says it too."""
    first, second = split(data)
    s.sendall(first)
    child = os.fork()
    if child == 0:
        try:
            os.write(s.fileno(), second)
        except OSError as error:
            os._exit(error.errno)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code:
        s.sendall(second)


def by_exec(s, data):
    """Inherited in the middle of the head by a program that goes on."""
    first, second = split(data)
    s.sendall(first)
    os.set_inheritable(s.fileno(), True)
    program = f"import os; os.write({s.fileno()}, {second!r})"
    code = os.spawnvp(os.P_WAIT, sys.executable, [sys.executable, "-c", program])
    if code:
        raise OSError(errno.EBADF, "the program could not write")


def by_threads(s, data):
    """Two threads write the halves of two heads as they like, a third one whole heads: whatever comes together is judged."""
    def write(parts):
        for _ in range(5):
            for part in parts:
                try:
                    s.send(part)
                except OSError:
                    return
    threads = [threading.Thread(target=write, args=[parts]) for parts in (split(data), split(get(b"ok/t"))[::-1], [get(b"ok/t"), data])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def behind(text):
    return lambda s, data: s.sendall(text + data)


POST = b"POST /ok/p HTTP/1.1\r\n" + HOST
WAYS = {name[3:]: way for name, way in globals().items() if name.startswith("by_")}
WAYS["length"] = behind(POST + b"Content-Length: 5\r\n\r\nhello")
WAYS["chunks"] = behind(POST + b"Transfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: u\r\n\r\n")
WAYS["expect"] = behind(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\nhello")
WAYS["upgrade"] = behind(get(b"ok/u", b"Connection: Upgrade\r\nUpgrade: other\r\n"))
WAYS["old"] = behind(b"GET /ok/o HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")


def answers(s):
    s.settimeout(20)
    data = b""
    try:
        s.shutdown(socket.SHUT_WR)
        while part := s.recv(65536):
            data += part
    except OSError as error:
        data += errno.errorcode[error.errno or errno.ETIMEDOUT].encode()
    return data


def attempt(way, data):
    with socket.create_connection(("www.googleapis.com", 80), 20) as s:
        s.settimeout(None)
        try:
            way(s, data)
        except OSError as error:
            return errno.errorcode[error.errno]
        found = re.findall(rb"HTTP/1.. (\d\d\d)", answers(s))
        return found[-1].decode() if found else "nothing"


for name in sys.argv[1:] or WAYS:
    print(f"{name}: {attempt(WAYS[name], get(b'ok/' + name.encode()))}", flush=True)
    attempt(WAYS[name], get(b"no/" + name.encode()))
    attempt(WAYS[name], get(b"ok/../no/" + name.encode()))
    attempt(WAYS[name], get(b"ok/a") + get(b"no/" + name.encode()))
