"""world.py SEENFILE READYFILE SOCKET: the outside of the escape tests, on 203.0.113.9, 203.0.113.53 and 2001:db8::9; and what is allowed,
on 198.51.100.1.

Whatever arrives, by TCP port 8080, UDP port 9000 and port 53 of both, is appended to SEENFILE as one line. SOCKET is listened on, and
as an abstract name. READYFILE then holds shell lines: this process's id, a connected socket's number, and an address in it.
"""
import ctypes
import os
import socket
import sys
import threading

seen_file, ready_file, path = sys.argv[1:4]
seen = os.open(seen_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def record(data):
    os.write(seen, repr(data).encode() + b"\n")


def stream(family, address, port):
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((address, port))
    listener.listen(512)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=take, args=(client,), daemon=True).start()


def take(client):
    client.settimeout(2)
    try:
        while data := client.recv(4096):
            record(data)
    except OSError:
        pass
    client.close()


def silent(address, port):
    listener = socket.create_server((address, port), backlog=512)
    while True:
        listener.accept()[0].close()


def datagram(family, address, port):
    s = socket.socket(family, socket.SOCK_DGRAM)
    s.bind((address, port))
    while True:
        data, peer = s.recvfrom(4096)
        record(data)
        if port == 53:
            s.sendto(data[:2] + b"\x81\x83" + data[4:], peer)


def local(name):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(name)
    if name[0] == "/":
        os.chmod(name, 0o777)
    listener.listen(64)
    while True:
        client, _ = listener.accept()
        if name == path:
            send_connected(client)
        client.close()  # the libc of the tests' own programs asks nscd, and would wait for an answer


def send_connected(client):
    """What a server outside of the tree may do: connect, and hand the socket over."""
    with socket.create_connection(("203.0.113.9", 8080)) as outside:
        try:
            socket.send_fds(client, [b"x"], [outside.fileno()])
        except OSError:
            pass


def local_datagram(name):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    s.bind(name)
    os.chmod(name, 0o777)
    while True:
        s.recv(4096)


inet, inet6 = socket.AF_INET, socket.AF_INET6
jobs = [(stream, inet, "203.0.113.9", 8080), (stream, inet, "203.0.113.9", 53), (stream, inet, "198.51.100.1", 8080), (stream, inet6, "2001:db8::9", 8080),
        (silent, "127.0.0.1", 8080), (datagram, inet, "203.0.113.9", 9000), (datagram, inet6, "2001:db8::9", 9000),
        (datagram, inet, "203.0.113.9", 53), (datagram, inet, "203.0.113.53", 53), (local, path), (local, "\0" + path),
        (local_datagram, "/run/systemd/notify")]
services = ("docker.sock", "containerd/containerd.sock", "podman/podman.sock", "dbus/system_bus_socket", "systemd/private",
            "systemd/resolve/io.systemd.Resolve", "nscd/socket")
jobs += [(local, "/run/" + name) for name in services]
for job in jobs:
    threading.Thread(target=job[0], args=job[1:], daemon=True).start()
threading.Event().wait(0.3)
ours = socket.create_connection(("203.0.113.9", 8080))
memory = ctypes.create_string_buffer(16)
libc = ctypes.CDLL(None)
libc.prctl(0x59616d61, -1, 0, 0, 0)  # where Yama is, let the attempts try
with open(ready_file + ".new", "w") as f:
    f.write(f"export OUTSIDE_PID={os.getpid()} OUTSIDE_FD={ours.fileno()} OUTSIDE_AT={ctypes.addressof(memory)} OUTSIDE_SOCKET={path}\n")
os.rename(ready_file + ".new", ready_file)
threading.Event().wait()
