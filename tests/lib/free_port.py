"""Prints a port of 127.0.0.1 that nobody is bound to, below the kernel's ephemeral ports."""
import random
import socket

with open("/proc/sys/net/ipv4/ip_local_port_range") as f:
    first_ephemeral = int(f.read().split()[0])

for port in random.sample(range(first_ephemeral // 2, first_ephemeral), 100):
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            continue
    print(port)
    break
