"""A server of names, UDP and TCP on one port: what dns_server.py and dns_records.py have in common."""
import os
import socket
import struct
import threading


def wire(name):
    return b"".join(bytes([len(p)]) + p.encode() for p in name.split(".")) + b"\0"


def serve_stream(client, reply):
    data = client.makefile("rb")
    while len(head := data.read(2)) == 2:
        out = reply(data.read(struct.unpack("!H", head)[0]), "tcp")
        client.sendall(struct.pack("!H", len(out)) + out)


def accept(listener, reply):
    while True:
        threading.Thread(target=serve_stream, args=(listener.accept()[0], reply), daemon=True).start()


def serve(address, port, port_file, reply, lies=lambda query: (), delay=lambda query: 0):
    """For ever. reply(query, "udp" | "tcp") is the answer; each of lies(query) goes out before it, over UDP. The port goes into port_file.

    Over UDP it waits for delay(query) seconds; None: for ever.
    """
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind((address, port))
    tcp = socket.create_server((address, udp.getsockname()[1]))
    threading.Thread(target=accept, args=(tcp, reply), daemon=True).start()
    with open(port_file + ".new", "w") as f:
        f.write(str(udp.getsockname()[1]))
    os.rename(port_file + ".new", port_file)
    while True:
        query, client = udp.recvfrom(65536)
        for lie in lies(query):
            udp.sendto(lie, client)
        answer, seconds = reply(query, "udp"), delay(query)
        if seconds:
            threading.Timer(seconds, udp.sendto, (answer, client)).start()
        elif seconds == 0:
            udp.sendto(answer, client)
