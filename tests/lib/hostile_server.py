"""hostile_server.py --port-file F --cert C --key K --wire W BEHAVIOUR...: a server that breaks TLS in one way (BEHAVIOURS, below) towards every
client, of several in the next one each time. What clients send stands in W as it came; what it meant, where a handshake ended, in W.plain.
"""
import argparse
import hashlib
import hmac
import itertools
import os
import socket
import ssl
import struct
import tempfile
import threading
import time
import traceback

HELLO = b"hello over tls\n"
CHAIN = 10000  # certificates
FATAL = b"\2\x28"  # handshake_failure
ALERT = b"\x15\3\3\0\2" + FATAL
# The records in which OpenSSL's server says its part of a handshake, one message in each but for change_cipher_spec.
RECORDS = {ssl.TLSVersion.TLSv1_2: 7, ssl.TLSVersion.TLSv1_3: 6}


class Secret:
    """The server's application traffic secret (RFC 8446 7.1): records that no TLS library would send."""

    def __init__(self, secret):
        self.hash = hashlib.sha384 if len(secret) == 48 else hashlib.sha256
        self.begin(secret)

    def expand(self, label, size):
        label = b"tls13 " + label
        info = struct.pack("!HB", size, len(label)) + label + b"\0\1"
        return hmac.new(self.secret, info, self.hash).digest()[:size]

    def begin(self, secret):
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
        self.secret, self.count = secret, 0
        self.aead, self.iv = AESGCM(self.expand(b"key", 32 if len(secret) == 48 else 16)), self.expand(b"iv", 12)

    def record(self, kind, content):
        inner = content + bytes([kind])
        head = struct.pack("!BHH", 23, 0x303, len(inner) + 16)
        nonce = bytes(a ^ b for a, b in zip(self.iv, self.count.to_bytes(12, "big")))
        self.count += 1
        return head + self.aead.encrypt(nonce, inner, head)

    def key_update(self):
        record = self.record(22, b"\x18\0\0\1\1")
        self.begin(self.expand(b"traffic upd", len(self.secret)))
        return record


class Client:
    def __init__(self, sock, args):
        self.sock, self.args = sock, args
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()

    def hear(self):
        data = self.sock.recv(65536)
        with open(self.args.wire, "ab", buffering=0) as f:
            f.write(data)
        return data

    def hear_out(self):
        while self.hear():
            pass

    def tls(self, tickets=0, version=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.args.cert, self.args.key)
        context.num_tickets = tickets
        if version:
            context.maximum_version = version
        self.keys = tempfile.mkstemp(prefix="keys.", dir=os.path.dirname(self.args.wire))[1]  # this connection's alone
        context.keylog_filename = self.keys
        return context.wrap_bio(self.incoming, self.outgoing, server_side=True)

    def flights(self, **how):
        """Yields what TLS would send, flight by flight, until the handshake has ended."""
        self.session = self.tls(**how)
        while True:
            try:
                self.session.do_handshake()
                ended = True
            except ssl.SSLWantReadError:
                ended = False
            if flight := self.outgoing.read():
                yield flight
            if ended:
                return
            self.hear_more()

    def hear_more(self):
        data = self.hear()
        if not data:
            raise OSError("the client went away")
        self.incoming.write(data)

    def hear_words(self):
        """Until the client has said something within TLS: then its connect is over."""
        while True:
            try:
                return self.session.read(65536)
            except ssl.SSLWantReadError:
                self.hear_more()

    def handshake(self, **how):
        for flight in self.flights(**how):
            self.sock.sendall(flight)

    def say(self, data):
        self.session.write(data)
        return self.outgoing.read()

    def secret(self, name="SERVER_TRAFFIC_SECRET_0"):
        for line in open(self.keys):
            words = line.split()
            if words[0] == name:
                return Secret(bytes.fromhex(words[2]))

    def end(self, how):
        if how == "rst":
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if how == "alert":
            self.sock.sendall(ALERT)
        if how in ("stall", "alert"):
            self.hear_out()
        self.sock.close()


def at_once(how):
    return lambda client: client.end(how)


def after_hello(how):
    def act(client):
        client.hear()
        client.end(how)
    return act


def within_flight(how, number, version=None):
    """Half of the flight, then the end; number 0: the ServerHello's."""
    def act(client):
        for at, flight in enumerate(client.flights(version=version)):
            if at == number:
                client.sock.sendall(flight[:len(flight) // 2])
                time.sleep(0.05)
                client.end(how)
                return
            client.sock.sendall(flight)
    return act


def between_flights(how):
    def act(client):
        for flight in client.flights(version=ssl.TLSVersion.TLSv1_2):
            client.sock.sendall(flight)
            client.hear()
            client.end(how)
            return
    return act


def records(data):
    while data:
        size = 5 + struct.unpack("!H", data[3:5])[0]
        yield data[:size]
        data = data[size:]


def behind_record(how, number, version):
    """Whole records of the server's handshake, the NUMBER of them, then the end."""
    def act(client):
        left = number
        for flight in client.flights(version=version):
            for record in records(flight):
                if left == 0:
                    return client.end(how)
                client.sock.sendall(record)
                left -= 1
            if left == 0:
                client.hear()
                return client.end(how)
        raise ValueError(f"the handshake has no record {number}")
    return act


def encrypted_alert(client):
    """Of TLS 1.3, in the middle of its handshake: behind ServerHello and change_cipher_spec."""
    for flight in client.flights():
        for record in list(records(flight))[:2]:
            client.sock.sendall(record)
        client.sock.sendall(client.secret("SERVER_HANDSHAKE_TRAFFIC_SECRET").record(21, FATAL))
        return client.hear_out()


def after_handshake(how, cut=False):
    def act(client):
        client.handshake()
        client.hear_words()
        if cut:
            client.sock.sendall(client.say(HELLO)[:12])
            time.sleep(0.05)
        client.end(how)
    return act


def sends(data, after):
    def act(client):
        after(client)
        client.sock.sendall(data)
        client.hear_out()
    return act


def instead_of_hello(data):
    return sends(data, Client.hear)


def instead_of_data(data):
    return sends(data, Client.handshake)


def hello_retry(hello, group):
    """A HelloRetryRequest (RFC 8446 4.1.4) that asks for a key share of GROUP."""
    session = hello[43:44 + hello[43]]
    extensions = b"\0\x2b\0\2\3\4" + b"\0\x33\0\2" + struct.pack("!H", group)
    body = b"\3\3" + hashlib.sha256(b"HelloRetryRequest").digest() + session + b"\x13\1\0" + struct.pack("!H", len(extensions)) + extensions
    message = b"\2" + struct.pack("!I", len(body))[1:] + body
    return struct.pack("!BHH", 22, 0x303, len(message)) + message


def hello_again(*groups):
    """Each client hello is answered by the request for another."""
    def act(client):
        hello = client.hear()
        for group in groups:
            client.sock.sendall(hello_retry(hello, group))
            client.hear()
        client.hear_out()
    return act


def byte_by_byte(client):
    for flight in client.flights(tickets=2):
        for byte in flight:
            client.sock.sendall(bytes([byte]))
            time.sleep(0.0002)
    for byte in client.say(HELLO):
        client.sock.sendall(bytes([byte]))
    client.hear_out()


def says(kind, content):
    """A record of TLS 1.3 that no library would send, when the client has spoken."""
    def act(client):
        client.handshake()
        client.hear_words()
        client.sock.sendall(client.secret().record(kind, content))
        client.hear_out()
    return act


def huge_chain(tls13):
    """CHAIN copies of the server's certificate in one message, which no library would put together in the time of a test."""
    def act(client):
        with open(client.args.cert) as f:
            first = f.read().partition("-----END CERTIFICATE-----")  # behind it stands the CA's
            der = ssl.PEM_cert_to_DER_cert("".join(first[:2]))
        entry = struct.pack("!I", len(der))[1:] + der + (b"\0\0" if tls13 else b"")
        certificates = entry * CHAIN
        body = (b"\0" if tls13 else b"") + struct.pack("!I", len(certificates))[1:] + certificates
        message = b"\x0b" + struct.pack("!I", len(body))[1:] + body
        parts = [message[at:at + 16384] for at in range(0, len(message), 16384)]
        for flight in client.flights(version=None if tls13 else ssl.TLSVersion.TLSv1_2):
            before = list(records(flight))[:2 if tls13 else 1]  # ServerHello, of TLS 1.3 change_cipher_spec
            client.sock.sendall(b"".join(before))
            if tls13:
                secret = client.secret("SERVER_HANDSHAKE_TRAFFIC_SECRET")
                client.sock.sendall(secret.record(22, b"\x08\0\0\2\0\0"))
            for part in parts:
                client.sock.sendall(secret.record(22, part) if tls13 else struct.pack("!BHH", 22, 0x303, len(part)) + part)
            return client.hear_out()
    return act


def flood(make, times):
    def act(client):
        client.handshake()
        secret = client.secret()
        for _ in range(times):
            client.sock.sendall(make(secret))
        client.sock.sendall(secret.record(23, HELLO))
        client.hear_out()
    return act


def tickets(count):
    def act(client):
        client.handshake(tickets=count)
        client.sock.sendall(client.say(HELLO))
        client.hear_out()
    return act


def tickets_alone(client):
    client.handshake(tickets=8)
    client.hear_out()


BEHAVIOURS = {
    "garbage": instead_of_hello(bytes(range(128, 256)) * 64),
    "garbage_in_a_record": instead_of_hello(b"\x16\3\3\1\0" + b"\xee" * 256),
    "oversized_hello": instead_of_hello(b"\x16\3\3\xff\xff" + b"\2" * 65535),
    "endless_hello": instead_of_hello(b"\x16\3\3\x40\0\2\xff\xff\xff" + b"\0" * 16380),
    "alert": instead_of_hello(b"\x15\3\3\0\2\2\x28"),
    "alerts": instead_of_hello(b"\x15\3\3\0\2\1\x5a" * 10000),
    "data_for_hello": instead_of_hello(b"\x17\3\3\0\x10" + b"\0" * 16),
    "byte_by_byte": byte_by_byte,
    "huge_chain_of_tls12": huge_chain(False),
    "huge_chain_of_tls13": huge_chain(True),
    "encrypted_alert": encrypted_alert,
    "encrypted_alert_later": says(21, FATAL),
    "oversized_plaintext": says(23, b"x" * 16385),
    "hello_request_of_tls13": says(22, b"\0\0\0\0"),
    "late_certificate_request": says(22, b"\x0d\0\0\x0f\0\0\x0c\0\x0d\0\x08\0\6\4\3\x08\4\x08\5"),
    "second_server_hello": says(22, b"\2\0\0\x28\3\3" + b"\7" * 32 + b"\0\x13\1\0\0\0"),
    "odd_key_update": says(22, b"\x18\0\0\1\7"),
    "hello_again": hello_again(0x17, 0x18),
    "hello_again_with_the_same_group": hello_again(0x17, 0x17),
    "plaintext_later": instead_of_data(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"),
    "plaintext_record_later": instead_of_data(b"\x17\3\3\0\x20" + b"hello " * 5 + b"!!"),
    "oversized_later": instead_of_data(b"\x17\3\3\xff\xff" + b"\2" * 65535),
    "alert_later": instead_of_data(b"\x15\3\3\0\2\2\x28"),
    "many_tickets": tickets(500),
    "tickets_alone": tickets_alone,
    "empty_records": flood(lambda secret: secret.record(23, b""), 20000),
    "key_updates": flood(Secret.key_update, 20000),
}
for how in ("close", "rst", "stall"):
    BEHAVIOURS.update({
        f"{how}_at_once": at_once(how),
        f"{how}_after_client_hello": after_hello(how),
        f"{how}_within_server_hello": within_flight(how, 0),
        f"{how}_within_flight_of_tls12": within_flight(how, 0, ssl.TLSVersion.TLSv1_2),
        f"{how}_before_finished_of_tls12": between_flights(how),
        f"{how}_within_finished_of_tls12": within_flight(how, 1, ssl.TLSVersion.TLSv1_2),
        f"{how}_after_handshake": after_handshake(how),
        f"{how}_within_a_record": after_handshake(how, cut=True),
    })


for how in ("close", "rst", "stall", "alert"):
    for version, name in ((ssl.TLSVersion.TLSv1_2, "tls12"), (ssl.TLSVersion.TLSv1_3, "tls13")):
        BEHAVIOURS.update({f"{how}_behind_record_{at}_of_{name}": behind_record(how, at, version) for at in range(1, RECORDS[version])})


def serve(sock, behaviour, args):
    try:
        BEHAVIOURS[behaviour](Client(sock, args))
    except OSError as error:
        print(error, flush=True)
    except Exception:  # not what the client is to meet: the test looks for it in what this server says
        traceback.print_exc()
    sock.close()


def main():
    parser = argparse.ArgumentParser()
    for name in ("--port-file", "--cert", "--key", "--wire"):
        parser.add_argument(name, required=True)
    parser.add_argument("behaviour", nargs="+", choices=sorted(BEHAVIOURS))
    args = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0), backlog=64)
    with open(args.port_file + ".new", "w") as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(args.port_file + ".new", args.port_file)
    for behaviour in itertools.cycle(args.behaviour):
        threading.Thread(target=serve, args=(listener.accept()[0], behaviour, args), daemon=True).start()


main()
