"""recorder.py PORTFILE WIREFILE [ANSWER | --forward PORT]: keeps every byte that clients send in WIREFILE.

ANSWER is sent once after the first bytes of a connection; the connection is then closed. --forward hands both ways on to
127.0.0.1:PORT. Each accepted connection is also counted as one line in WIREFILE.connections. It listens on $LISTEN_ON, which is
127.0.0.1 where nobody says otherwise.
"""
import os
import socket
import sys
import threading


def announce(path, port):
    with open(path + ".new", "w") as f:
        f.write(str(port))
    os.rename(path + ".new", path)


def pump(source, sink, record):
    """One direction. A sink that takes no more ends it alone: what that side still has to say comes by the other direction."""
    try:
        while data := source.recv(65536):
            if record:
                with open(record, "ab", buffering=0) as f:
                    f.write(data)
            if not handed_on(sink.sendall, data):
                return
        handed_on(sink.shutdown, socket.SHUT_WR)
    except OSError:
        handed_on(sink.shutdown, socket.SHUT_RDWR)


def handed_on(call, argument):
    try:
        call(argument)
    except OSError:
        return False
    return True


def forward(client, port, record):
    server = socket.create_connection(("127.0.0.1", port))
    back = threading.Thread(target=pump, args=(server, client, None), daemon=True)
    back.start()
    pump(client, server, record)
    back.join()
    client.close()
    server.close()


def answer(client, text, record):
    client.settimeout(20)
    try:
        while data := client.recv(65536):
            with open(record, "ab", buffering=0) as f:
                f.write(data)
            if text:
                client.sendall(text)
                client.shutdown(socket.SHUT_WR)
                text = b""
    except OSError:
        pass
    client.close()


def main():
    port_file, wire = sys.argv[1:3]
    rest = sys.argv[3:]
    listener = socket.create_server((os.environ.get("LISTEN_ON", "127.0.0.1"), 0), backlog=64)
    announce(port_file, listener.getsockname()[1])
    while True:
        client, _ = listener.accept()
        with open(wire + ".connections", "a") as f:
            f.write("connection\n")
        if rest[:1] == ["--forward"]:
            job, args = forward, (client, int(rest[1]), wire)
        else:
            job, args = answer, (client, (rest[0] if rest else "").encode(), wire)
        threading.Thread(target=job, args=args, daemon=True).start()


main()
