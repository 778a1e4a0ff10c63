"""A TLS server for tests. What clients said is appended to --record as plaintext.

--http (the default) answers each request with "hello over tls" and closes; --echo sends back what came. --truncate ends the
connection without close_notify; --stall FILE begins no handshake before that file is there; --tickets N sends so many;
--slow reads only after a second, --late-tickets even the client's Finished, so that its tickets come late. Each handshake is one line in RECORD.handshakes: the version, then the server name asked for.
"""
import argparse
import os
import select
import socket
import ssl
import threading
import time

BODY = b"hello over tls\n"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(BODY)


def options():
    parser = argparse.ArgumentParser()
    for name in ("--port-file", "--cert", "--key", "--record"):
        parser.add_argument(name, required=True)
    parser.add_argument("--http", action="store_true")
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--truncate", action="store_true")
    parser.add_argument("--tickets", type=int, default=2)
    parser.add_argument("--stall", metavar="FILE")
    parser.add_argument("--slow", action="store_true")
    parser.add_argument("--late-tickets", action="store_true")
    parser.add_argument("--client-ca")
    parser.add_argument("--alpn")
    parser.add_argument("--listen", default="127.0.0.1:0", metavar="ADDRESS:PORT")
    parser.add_argument("--max-version", choices=["1.2", "1.3"])
    return parser.parse_args()


def context_of(args, names):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(args.cert, args.key)
    if args.client_ca:
        context.load_verify_locations(args.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    context.num_tickets = args.tickets
    if args.max_version == "1.2":
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    if args.alpn:
        context.set_alpn_protocols(args.alpn.split(","))
    context.sni_callback = lambda sock, name, ctx: names.__setitem__(sock, name)
    return context


def append(path, data):
    with open(path, "ab", buffering=0) as f:
        f.write(data)


def talk(tls, args):
    said = b""
    if args.slow:
        time.sleep(1)
    while data := tls.recv(65536):
        append(args.record, data)
        if args.echo:
            tls.sendall(data)
            continue
        said = said[-3:] + data
        if b"\r\n\r\n" in said:
            tls.sendall(HEAD + BODY)
            return


def shake_hands_late(tls):
    tls.setblocking(False)
    select.select([tls], [], [])
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        time.sleep(1)
    tls.setblocking(True)


def serve(client, context, args, names):
    try:
        tls = context.wrap_socket(client, server_side=True, do_handshake_on_connect=False)
        while args.stall and not os.path.exists(args.stall):
            time.sleep(0.02)
        if args.late_tickets:
            shake_hands_late(tls)
        tls.do_handshake()
        append(args.record + ".handshakes", f"{tls.version()} {names.pop(tls, None)}\n".encode())
        talk(tls, args)
        if args.truncate:
            tls.shutdown(socket.SHUT_WR)
        else:
            tls.unwrap()
        tls.close()
    except (OSError, ValueError) as error:
        print(error, flush=True)
        client.close()


def main():
    args = options()
    names = {}
    context = context_of(args, names)
    host, _, port = args.listen.rpartition(":")
    listener = socket.create_server((host, int(port)), backlog=64)
    with open(args.port_file + ".new", "w") as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(args.port_file + ".new", args.port_file)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, context, args, names), daemon=True).start()


main()
