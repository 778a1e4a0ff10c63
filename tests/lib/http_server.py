"""An HTTP/1.1 server for tests, over TLS with --cert and --key, else in the clear. Requests are one line each in RECORD: "METHOD target bytes".

What it answers is the last segment of the path: chunked (with a trailer), eof (a body without a length), cut (half of what was promised, then FIN
without close_notify), cut-eof (the same without a length), gone (FIN instead of an answer), none (204), flood (1000 times 100 before the
answer), old (HTTP/1.0, a body without a length), unmodified (304 that names a length), lf (fields that end in LF alone), icy (SHOUTcast, which is no HTTP), extra (bytes behind the answer), unasked (an answer to nobody before the answer), slow (the answer in pieces), big-N (N bytes);
else "hello METHOD". CONNECT, and an Upgrade of "switch", are answered: what follows comes back in capitals. Bodies are read first, chunked ones too, unless a request expects 100: then it is told so.
"""
import argparse
import os
import socket
import ssl
import threading
import time


class Ended(Exception):
    pass


def read_head(stream):
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = stream.read(1)
        if not byte:
            raise Ended
        head += byte
    lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)}
    return lines[0].split(" "), fields


def read_body(stream, fields):
    if fields.get("transfer-encoding", "").lower() != "chunked":
        left, total = int(fields.get("content-length", 0)), 0
        while left > total:
            data = stream.read(min(left - total, 1 << 16))
            if not data:
                raise Ended
            total += len(data)
        return total
    total = 0
    def line():
        text = stream.readline()
        if not text.endswith(b"\n"):
            raise Ended
        return text

    while size := int(line().split(b";")[0], 16):
        total += len(stream.read(size))
        line()
    while line().strip():
        pass
    return total


def answer(send, method, kind):
    hello = b"hello " + method.encode()
    if kind == "chunked":
        send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n5;ext=1\r\nhello\r\n1\r\n!\r\n0\r\nX-Sum: 6\r\n\r\n")
    elif kind == "eof":
        send(b"HTTP/1.1 200 OK\r\n\r\n" + hello)
        raise Ended
    elif kind in ("cut", "cut-eof"):
        send(b"HTTP/1.1 200 OK\r\n" + (b"Content-Length: 100\r\n\r\n" if kind == "cut" else b"\r\n") + hello)
        raise ConnectionError
    elif kind == "gone":
        raise ConnectionError
    elif kind == "lf":
        send(b"HTTP/1.1 200 OK\nContent-Type: text/plain\nEmpty:\nContent-Length: %d\n\n" % len(hello) + hello)
    elif kind == "icy":
        send(b"ICY 200 OK\r\n\r\n" + hello)
        raise Ended
    elif kind == "none":
        send(b"HTTP/1.1 204 No Content\r\n\r\n")
    elif kind == "old":
        send(b"HTTP/1.0 200 OK\r\n\r\n" + hello)
        raise Ended
    elif kind == "unmodified":
        send(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
    elif kind == "slow":
        for byte in b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(hello) + hello:
            send(bytes([byte]))
            time.sleep(0.002)
    elif kind.startswith("big-"):
        left = int(kind[4:])
        send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % left)
        while left:
            send(b"b" * min(left, 1 << 16))
            left -= min(left, 1 << 16)
    else:
        before = b"HTTP/1.1 100 Continue\r\n\r\n" * (1000 if kind == "flood" else 0) + (
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno" if kind == "unasked" else b"")
        send(before + b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(hello) + (b"" if method == "HEAD" else hello) + (
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nextra" if kind == "extra" else b""))


def echo(connection, stream, status):
    connection.sendall(b"HTTP/1.1 " + status + b"\r\n")
    while data := stream.read1(65536):
        connection.sendall(data.upper())
    raise Ended


def serve(connection, record):
    stream = connection.makefile("rb")
    while True:
        (method, target, version), fields = read_head(stream)
        if fields.get("expect"):
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        size = read_body(stream, fields)
        with open(record, "a") as f:
            f.write(f"{method} {target} {size}\n")
        if method == "CONNECT" or target.endswith("/switch"):
            return echo(connection, stream, b"200 OK\r\n" if method == "CONNECT" else b"101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: capitals\r\n")
        answer(connection.sendall, method, target.partition("?")[0].rpartition("/")[2])
        option = fields.get("connection", "").lower()
        if option == "close" or (version == "HTTP/1.0" and option != "keep-alive"):
            raise Ended


def run(client, context, record):
    connection = client
    try:
        if context:
            connection = context.wrap_socket(client, server_side=True)
        serve(connection, record)
    except Ended:
        try:
            if context:
                connection.unwrap()
        except OSError:
            pass
    except (OSError, ValueError) as error:
        print(error, flush=True)
    finally:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        connection.close()


def main():
    parser = argparse.ArgumentParser()
    for name in ("--port-file", "--record", "--cert", "--key"):
        parser.add_argument(name)
    args = parser.parse_args()
    context = None
    if args.cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(args.cert, args.key)
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    with open(args.port_file + ".new", "w") as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(args.port_file + ".new", args.port_file)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=run, args=(client, context, args.record), daemon=True).start()


main()
