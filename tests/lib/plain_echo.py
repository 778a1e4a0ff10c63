"""plain_echo.py PORT_FILE [ADDRESS PORT]: sends back what comes, over TCP as it is; ends its side when the client has ended its own."""
import os
import socket
import sys
import threading


def serve(client):
    with client:
        while data := client.recv(65536):
            client.sendall(data)


listener = socket.create_server((sys.argv[2], int(sys.argv[3])) if len(sys.argv) > 2 else ("127.0.0.1", 0), backlog=64)
with open(sys.argv[1] + ".new", "w") as f:
    f.write(str(listener.getsockname()[1]))
os.rename(sys.argv[1] + ".new", sys.argv[1])
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
