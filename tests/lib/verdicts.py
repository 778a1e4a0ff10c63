"""Connects over and over, in several threads, and tells what changes. Used by the reload tests.

verdicts.py STATE PORT: 127.0.0.1:PORT must always be allowed, 127.0.0.2:PORT always denied (EACCES); the verdict of 127.0.0.3:PORT is written
to STATE whenever it changes ("allow", "deny"). Ends when STATE.stop exists; exit status 1 after a wrong verdict.
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


threads = [threading.Thread(target=insist) for _ in range(3)]
for thread in threads:
    thread.start()
before = ""
while not os.path.exists(state + ".stop"):
    now = verdict("127.0.0.3")
    if now != before:
        with open(state + ".new", "w") as f:
            f.write(now)
        os.rename(state + ".new", state)
        before = now
    time.sleep(0.001)
for thread in threads:
    thread.join()
print(len(os.listdir("/proc/self/fd")))
sys.exit(1 if wrong else 0)
