"""relay_server.py PORTFILE MODE [HOST]: a plain TCP server on 127.0.0.1 for what passes the sandbox's relay.

echo: sends back what comes. greet: speaks first, then tells the length of what came until its end. slow: reads nothing until the file
PORTFILE.go exists, then counts to the end and answers with the number. flood: sends 24 MiB; PORTFILE.sent grows with what went out. parting:
says "no more" and ends its side, then writes the length of what came to PORTFILE.got.
"""
import os
import socket
import sys
import threading
import time

port_file, mode = sys.argv[1:3]


def echo(client):
    while data := client.recv(65536):
        client.sendall(data)


def greet(client):
    client.sendall(b"220 welcome\r\n")
    count(client)


def slow(client):
    while not os.path.exists(port_file + ".go"):
        time.sleep(0.05)
    count(client)


def flood(client):
    for _ in range(24 << 4):
        client.sendall(b"f" * 65536)
        with open(port_file + ".sent", "ab") as f:
            f.write(b".")


def parting(client):
    client.sendall(b"no more")
    client.shutdown(socket.SHUT_WR)
    total = 0
    while data := client.recv(1 << 20):
        total += len(data)
    with open(port_file + ".got", "w") as f:
        f.write("%d\n" % total)


def count(client):
    total = 0
    while data := client.recv(1 << 20):
        total += len(data)
    client.sendall(b"%d" % total)


def serve(client):
    try:
        {"echo": echo, "greet": greet, "slow": slow, "flood": flood, "parting": parting}[mode](client)
        client.shutdown(socket.SHUT_WR)
    except OSError:
        pass
    client.close()


if mode == "flood":
    open(port_file + ".sent", "wb").close()
listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
with open(port_file + ".new", "w") as f:
    f.write(str(listener.getsockname()[1]))
os.rename(port_file + ".new", port_file)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
