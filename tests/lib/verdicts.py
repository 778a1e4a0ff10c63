"""Connects over and over, in several threads, and tells what changes. Used by the reload tests.

verdicts.py STATE PORT [TLS]: 127.0.0.1:PORT must always be allowed, 127.0.0.2:PORT always denied (EACCES); the verdict of 127.0.0.3:PORT is written
to STATE whenever it changes ("allow", "deny"), and to STATE.used what the process holds then: descriptors that are not sockets, KiB of memory.
With TLS, 127.0.0.4:80 must answer HTTP. Ends when STATE.stop exists; exit status 1 after a wrong verdict.
"""
import errno
import os
import socket
import sys
import threading
import time

state, port = sys.argv[1], int(sys.argv[2])
wrong = []


def verdict(address):
    sock = socket.socket()
    try:
        sock.connect((address, port))
        return "allow"
    except OSError as error:
        # Nobody listens there: what got as far as the kernel was refused by it.
        return {errno.EACCES: "deny", errno.ECONNREFUSED: "allow"}.get(error.errno, f"errno {error.errno}")
    finally:
        sock.close()


def insist():
    while not os.path.exists(state + ".stop"):
        if verdict("127.0.0.1") != "allow" or verdict("127.0.0.2") != "deny":
            wrong.append(1)
        time.sleep(0.001)


def is_file(number):
    try:
        return not os.readlink(f"/proc/self/fd/{number}").startswith("socket:")
    except OSError:
        return False


def used():
    with open("/proc/self/statm") as f:
        pages = int(f.read().split()[1])
    return f"{sum(map(is_file, os.listdir('/proc/self/fd')))} {pages * os.sysconf('SC_PAGE_SIZE') // 1024}\n"


def fetch():
    while not os.path.exists(state + ".stop"):
        try:
            with socket.create_connection(("127.0.0.4", 80), 30) as sock:
                sock.sendall(b"GET / HTTP/1.0\r\n\r\n")
                answer = sock.recv(1000)
        except OSError as error:
            answer = str(error).encode()
        if not answer.startswith(b"HTTP/1."):
            wrong.append(answer)
        time.sleep(0.01)


threads = [threading.Thread(target=insist) for _ in range(3)]
if len(sys.argv) > 3:
    threads.append(threading.Thread(target=fetch))
for thread in threads:
    thread.start()
before = ""
while not os.path.exists(state + ".stop"):
    now = verdict("127.0.0.3")
    if now != before:
        with open(state + ".used", "w") as f:
            f.write(used())
        with open(state + ".new", "w") as f:
            f.write(now)
        os.rename(state + ".new", state)
        before = now
    time.sleep(0.001)
for thread in threads:
    thread.join()
print(len(os.listdir("/proc/self/fd")))
if wrong:
    print(wrong[:3], file=sys.stderr)
sys.exit(1 if wrong else 0)
