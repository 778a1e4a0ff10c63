"""unanswering.py FILE: a port on 127.0.0.1, written to FILE, whose queue is full: what connects there hears nothing."""
import os
import signal
import socket
import sys

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
signal.pause()
