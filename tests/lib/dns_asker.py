"""dns_asker.py WAY: asks for good.example as c-ares and musl do, and drops an answer that comes from elsewhere."""
import select
import socket
import struct
import sys

FOUR, SIX = ("203.0.113.53", 53), ("2001:db8::53", 53)
TYPES = {"A": 1, "NULL": 10, "PTR": 12, "TXT": 16, "ANY": 255}


def query(name, kind="A"):
    labels = b"".join(bytes([min(len(label), 255)]) + label.encode() for label in name.split("."))
    return struct.pack(">6H", 0x4321, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", TYPES[kind], 1)


def take(s, server):
    s.settimeout(5)
    answer, peer = s.recvfrom(4096)
    assert peer[:2] == server, f"the answer came from {peer}"
    return answer


def show(answer):
    print(socket.inet_ntoa(answer[-4:]))


def sendto(s, server=FOUR):
    s.bind(("", 0))
    for _ in range(3):
        s.sendto(query("good.example"), server)
        show(take(s, server))


def connect(s, server=FOUR):
    s.connect(server)
    s.send(query("good.example"))
    assert s.getpeername()[:2] == server
    show(take(s, server))


def epoll(s):
    s.setblocking(False)
    watch = select.epoll()
    watch.register(s, select.EPOLLIN)
    s.sendto(query("good.example"), FOUR)
    assert watch.poll(5), "the answer was not seen"
    show(s.recv(4096))


def elsewhere(s):
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("127.0.0.1", 0))
    sendto(s)
    s.sendto(b"hello", other.getsockname())
    other.settimeout(5)
    data, peer = other.recvfrom(100)
    assert data == b"hello"
    sendto_again = query("good.example")
    s.sendto(sendto_again, FOUR)
    show(take(s, FOUR))


def outcome(answer):
    return f"{answer[3] & 15} {struct.unpack('>H', answer[6:8])[0]}"


def types(s):
    asked = [("A", "good.example"), ("TXT", "good.example"), ("NULL", "good.example"), ("ANY", "good.example"),
             ("A", "evil.example"), ("PTR", "3.100.51.198.in-addr.arpa"), ("PTR", "9.9.9.9.in-addr.arpa")]
    for kind, name in asked:
        s.sendto(query(name, kind), FOUR)
        print(kind, name, outcome(take(s, FOUR)))
    s.sendto(query("a" * 64 + ".wild.example"), FOUR)
    print("long label", outcome(take(s, FOUR)))
    stream = socket.create_connection(FOUR, 5)
    assert stream.getpeername() == FOUR
    message = query("good.example")
    stream.sendall(struct.pack(">H", len(message)) + message)
    print("TCP A good.example", outcome(stream.recv(4096)[2:]))


way = sys.argv[1]
if way == "ipv6":
    six = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    six.sendto(query("good.example"), SIX)
    show(take(six, SIX))
    connect(socket.socket(socket.AF_INET6, socket.SOCK_DGRAM), SIX)
else:
    {"sendto": sendto, "connect": connect, "epoll": epoll, "elsewhere": elsewhere, "types": types}[way](
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
