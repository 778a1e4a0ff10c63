"""unanswering.py FILE [WHEN [CERT KEY]]: a port on 127.0.0.1, written to FILE, whose queue is full: what connects there hears nothing.

With WHEN it does until that file is there; then the port takes all who come, speaks TLS with CERT and KEY where they are given,
and sends back what it is sent.
"""
import os
import signal
import socket
import ssl
import sys
import threading
import time


def echo(client, tls):
    with tls.wrap_socket(client, server_side=True) if tls else client as channel:
        while data := channel.recv(65536):
            channel.sendall(data)


server = socket.socket()
server.bind(("127.0.0.1", 0))
server.listen(0)
kept = []
for _ in range(4):
    s = socket.socket()
    s.setblocking(False)
    s.connect_ex(server.getsockname())
    kept.append(s)
with open(sys.argv[1] + ".new", "w") as file:
    file.write(str(server.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
if len(sys.argv) == 2:
    signal.pause()
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) if len(sys.argv) > 3 else None
if tls:
    tls.load_cert_chain(*sys.argv[3:])
while not os.path.exists(sys.argv[2]):
    time.sleep(0.02)
for s in kept:
    s.close()
while True:
    threading.Thread(target=echo, args=(server.accept()[0], tls), daemon=True).start()
