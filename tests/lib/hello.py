"""A ClientHello of OpenSSL's own, as bytes. client_hello(name) asks for NAME; None: for no name."""
import ssl


def client_hello(name):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return outgoing.read()


def with_ech(hello):
    """The same in one record with an encrypted_client_hello extension (RFC 9849) of no meaning."""
    extra = b"\xfe\x0d" + (4).to_bytes(2, "big") + b"\0\0\0\0"
    at = 9 + 34
    at += 1 + hello[at]
    at += 2 + int.from_bytes(hello[at:at + 2], "big")
    at += 1 + hello[at]
    extensions = hello[at + 2:] + extra
    body = hello[9:at] + len(extensions).to_bytes(2, "big") + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return hello[:3] + len(message).to_bytes(2, "big") + message
