"""dialogue.py PORTFILE WIREFILE CERT KEY [LINE...]: a server that plays the lines, one by one.

"> TEXT" is sent, "< " waits for a line, "<8" for that many bytes, "wait" lets a moment pass, "tls" begins TLS, "echo" sends back what
comes. \\r\\n, \\0 and the like are understood. What clients send is kept in WIREFILE as it came (ciphertext after tls); WIREFILE.plain has what it meant within TLS.
"""
import os
import socket
import ssl
import sys
import threading
import time

port_file, wire, cert, key = sys.argv[1:5]
lines = [line for line in sys.argv[5:]]
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(cert, key)


def keep(path, data):
    with open(path, "ab", buffering=0) as f:
        f.write(data)


def wait(client, path, enough):
    said = b""
    while not enough(said):
        data = client.recv(1)
        if not data:
            raise OSError("closed")
        keep(path, data)
        said += data


def play(client):
    path = wire
    for line in lines:
        if line.startswith("> "):
            client.sendall(line[2:].encode().decode("unicode_escape").encode("latin-1"))
        elif line == "tls":
            client = context.wrap_socket(client, server_side=True)
            path = wire + ".plain"
        elif line == "echo":
            while data := client.recv(4096):
                keep(path, data)
                client.sendall(data)
        elif line == "wait":
            time.sleep(0.3)
        elif line == "< ":
            wait(client, path, lambda said: said.endswith(b"\n"))
        else:
            wait(client, path, lambda said: len(said) == int(line[1:]))
    while data := client.recv(4096):
        keep(path, data)


def serve(client):
    try:
        play(client)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr, flush=True)
    client.close()


for name in (wire, wire + ".plain"):
    open(name, "wb").close()
listener = socket.create_server(("127.0.0.1", 0), backlog=16)
with open(port_file + ".new", "w") as f:
    f.write(str(listener.getsockname()[1]))
os.rename(port_file + ".new", port_file)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
