"""Random sequences of socket calls, over TCP and over a wrapped socket: what differs is shrunk to a replay and shown.

    conduct.py --build DIR [--modes 1.3,1.2] [--first SEED] [--count N]    N sequences from SEED on
    conduct.py --build DIR --replay FILE...                                the calls that stand in each FILE

Each mode has a caller and a peer for TCP, bare, and a pair for TLS, the caller under libegret.so with EGRET_CONFIG as it is. A sequence is
a list of lines; tests/conformance/caller*.c says what each does. Ends with 1 when something differed.
"""
import argparse
import os
import random
import re
import select
import socket
import subprocess
import sys
import time

LINE_SECONDS = 20
SHRINK_SECONDS = 60
CONFIRMATIONS = 2  # how often a difference must be seen again: one that is the library's own does not depend on time


class Pair:
    """A caller with its peer, restarted when one of them is lost."""

    def __init__(self, args, mode):
        self.args, self.mode, self.caller = args, mode, None

    def start(self):
        ours, theirs = socket.socketpair()
        programs = os.path.join(self.args.build, "tests/conformance")
        certs = os.path.join(self.args.build, "tests/certs")
        env = dict(os.environ)
        if self.mode != "tcp":
            env["LD_PRELOAD"] = self.args.library
        self.peer = self.spawn([programs + "/peer", self.mode, certs + "/right.pem", certs + "/right.key"], theirs, os.environ, None)
        self.errors = open(os.path.join(self.args.work, "errors." + self.mode), "ab")
        command = self.args.wrapper.split() if self.mode != "tcp" else []
        self.caller = self.spawn(command + [programs + "/caller"], ours, env, self.errors)
        self.buffer = b""
        ours.close()
        theirs.close()

    def spawn(self, command, control, env, errors):
        number = control.fileno()
        return subprocess.Popen(["/bin/sh", "-c", f'exec 3<&{number} {number}<&-; exec "$@"' if number != 3 else 'exec "$@"', "sh"] + command,
                                pass_fds=(number,), env=env, stdin=subprocess.PIPE if errors else subprocess.DEVNULL,
                                stdout=subprocess.PIPE if errors else None, stderr=errors)

    def stop(self):
        if self.caller:
            for process in (self.caller, self.peer):
                process.kill()
                process.wait()
            self.caller.stdin.close()
            self.caller.stdout.close()
        self.caller = None

    def line(self):
        while b"\n" not in self.buffer:
            ready, _, _ = select.select([self.caller.stdout], [], [], LINE_SECONDS)
            more = os.read(self.caller.stdout.fileno(), 65536) if ready else None
            if not more:
                status = self.caller.poll() if ready else None
                if ready and status is None:
                    status = self.caller.wait()
                return "hangs" if not ready else f"died: {status}"
            self.buffer += more
        text, self.buffer = self.buffer.split(b"\n", 1)
        return text.decode()

    def run(self, calls):
        """The result of each call; the last one may be what ended the caller."""
        if not self.caller:
            self.start()
        results = []
        for call in calls + ["."]:
            try:
                self.caller.stdin.write((call + "\n").encode())
                self.caller.stdin.flush()
                results.append(self.line())
            except BrokenPipeError:
                results.append("died")
            if results[-1].startswith(("hangs", "died")):
                self.stop()
                return results
        return results[:-1]


def pick(r, *choices):
    return r.choice(choices)


def size(r, most=4000):
    return pick(r, 1, 2, r.randint(1, 40), r.randint(1, 600), r.randint(1, most), most)


def recv_flags(r):
    flags = [f for f in ("PEEK", "DONTWAIT", "WAITALL", "TRUNC", "NOSIGNAL", "CLOEXEC") if r.random() < 0.2]
    return "|".join(flags) or "0"


def send_flags(r):
    flags = [f for f in ("DONTWAIT", "NOSIGNAL", "MORE", "EOR", "CONFIRM") if r.random() < 0.2]
    return "|".join(flags) or "0"


def events(r):
    return " ".join(e for e in ("in", "out", "rdhup", "pri", "norm") if r.random() < 0.5) or "in"


def epoll_events(r):
    return " ".join(e for e in ("in", "out", "rdhup", "edge", "once") if r.random() < 0.5) or "in"


# How often, and what: a line made with the sequence's random numbers.
CALLS = [
    (12, lambda r: f"peer send {size(r, 20000)} {pick(r, 0, 1 + r.randint(0, 50), r.randint(50, 20000))}"),
    (3, lambda r: f"peer half {size(r, 3000)} {r.randint(0, 99)}"),
    (5, lambda r: "peer read"),
    (2, lambda r: f"peer keyupdate {r.randint(0, 1)}"),
    (2, lambda r: f"peer tickets {r.randint(1, 3)}"),
    (8, lambda r: f"recv {pick(r, 0, size(r, 20000))} {recv_flags(r)}"),
    (4, lambda r: f"read {pick(r, 0, size(r, 20000))}"),
    (3, lambda r: f"recvfrom {size(r)} {recv_flags(r)}"),
    (3, lambda r: f"readv {pick(r, 0, size(r))} {r.randint(0, 40)}"),
    (3, lambda r: f"recvmsg {size(r)} {r.randint(0, 40)} {recv_flags(r)}"),
    (2, lambda r: f"recvmmsg {r.randint(1, 900)} {pick(r, '0', 'WAITFORONE', 'DONTWAIT', 'WAITFORONE')}"),
    (1, lambda r: f"recv {size(r)} {pick(r, 'OOB', 'ERRQUEUE')}"),
    (5, lambda r: f"write {pick(r, 0, size(r), size(r, 60000))}"),
    (4, lambda r: f"send {pick(r, 0, size(r), size(r, 200000))} {send_flags(r)}"),
    (2, lambda r: f"sendto {size(r)} {send_flags(r)}"),
    (3, lambda r: f"writev {pick(r, 0, size(r, 30000))} {r.randint(0, 40)}"),
    (3, lambda r: f"sendmsg {size(r)} {r.randint(0, 40)} {send_flags(r)}"),
    (2, lambda r: f"sendmmsg {size(r)} {send_flags(r)}"),
    (2, lambda r: f"sendfile {size(r, 100000)}{pick(r, '', ' ' + str(r.randint(0, 5000)))}"),
    (1, lambda r: f"fill {r.randint(1, 70000)}"),
    (1, lambda r: f"pour {r.randint(1, 600000)} {pick(r, r.randint(500, 9000), r.randint(9000, 300000))}"),
    (1, lambda r: f"bulk {r.randint(1, 600000)} {pick(r, r.randint(500, 9000), r.randint(9000, 300000))} {pick(r, 0, r.randint(100, 20000))}"),
    (5, lambda r: f"poll {events(r)}"),
    (2, lambda r: f"ppoll {events(r)}"),
    (3, lambda r: f"select {events(r)}"),
    (2, lambda r: f"pselect {events(r)}"),
    (4, lambda r: f"epoll_ctl {pick(r, 'add', 'add', 'mod', 'mod', 'del')} {epoll_events(r)}"),
    (8, lambda r: "epoll_wait"),
    (1, lambda r: f"wait {pick(r, 'poll', 'select', 'epoll')} {r.randint(1, 3000)}{pick(r, '', ' tickets')}{pick(r, '', ' edge')}"),
    (1, lambda r: f"late {r.randint(1, 3000)} {pick(r, '0', 'WAITALL', 'PEEK', 'PEEK|WAITALL')}"),
    (1, lambda r: "timed"),
    (1, lambda r: f"interrupted {pick(r, 'restart', 'plain')}"),
    (4, lambda r: f"nonblock {r.randint(0, 1)}{pick(r, '', ' ioctl')}"),
    (2, lambda r: f"cloexec {r.randint(0, 1)}"),
    (3, lambda r: f"copy {pick(r, 'dup', 'dup2', 'dup3', 'dupfd', 'cloexec')}{pick(r, '', ' keep')}"),
    (1, lambda r: "fork"),
    (4, lambda r: "amount"),
    (2, lambda r: f"set lowat {pick(r, 1, r.randint(2, 3000))}"),
    (2, lambda r: f"set nodelay {r.randint(0, 1)}"),
    (1, lambda r: f"set cork {r.randint(0, 1)}"),
    (1, lambda r: f"set {pick(r, 'sndbuf', 'rcvbuf')} {pick(r, 1, 5000, 30000, 300000)}"),
    (1, lambda r: f"set unsent {pick(r, 1, 2000, 100000)}"),
    (2, lambda r: f"get {pick(r, 'error', 'nodelay', 'lowat', 'type', 'sndlowat')}"),
    (1, lambda r: f"name {pick(r, 'peer', 'own')}"),
    (1, lambda r: "reconnect"),
    (1, lambda r: f"shutdown {pick(r, 'wr', 'wr', 'rd', 'rdwr')}"),
    (1, lambda r: f"peer {pick(r, 'shut', 'shut', 'notify', 'reset')}"),
]
ENDING = ["nonblock 0", "set lowat 1", "peer read", "read 60000", "poll in out rdhup", "shutdown wr", "write 10", "peer drain", "peer shut",
          "read 60000", "poll in out rdhup", "recv 10 DONTWAIT", "get error", "close"]


def sequence(seed):
    r = random.Random(seed)
    calls = ["socket"]
    calls += [f"set {pick(r, 'sndbuf', 'rcvbuf')} {pick(r, 1, 3000, 10000, 100000, 1000000)}"] if r.random() < 0.3 else []
    calls += ["set nodelay 1"] if r.random() < 0.3 else []
    calls += [f"epoll_ctl add {epoll_events(r)}"] if r.random() < 0.2 else []
    how = pick(r, "wait", "wait", "poll", "select", "epoll", "edge", "spin")
    calls += [f"connect {how} {pick(r, 0, 0, 0, 3000)} {pick(r, 0, 0, 10)}"]
    weights = [weight for weight, _ in CALLS]
    for _, make in r.choices(CALLS, weights, k=r.randint(5, 60)):
        calls.append(make(r))
    return calls + ENDING


def is_promised(before, left, right):
    """A reset that a write was told of: TCP then reads the end, a wrapped socket never takes it for one."""
    if not any("ECONNRESET" in result for result in before):
        return False
    if right == " = -1 ECONNRESET" and left.startswith(" = 0"):
        return True
    messages = re.compile(r" = \d+((?: \d+ right)+)$")  # of recvmmsg: the end is a message of no bytes
    over_tcp, wrapped = messages.match(left), messages.match(right)
    if not over_tcp or not over_tcp[1].endswith(" 0 right") or not (wrapped or right == " = -1 ECONNRESET"):
        return False
    return re.sub(r"( 0 right)+$", "", over_tcp[1]) == (wrapped[1] if wrapped else "")


def difference(pairs, calls):
    """None, or (index of the first call whose result differs, its result over TCP, wrapped)."""
    tcp, wrapped = (pair.run(calls) for pair in pairs)
    for i in range(max(len(tcp), len(wrapped))):
        left, right = (results[i] if i < len(results) else "-" for results in (tcp, wrapped))
        if left != right and not is_promised(tcp[:i], left, right):
            return i, left, right
    bad = [i for i, result in enumerate(tcp) if any(word in result for word in ("WRONG", "FAILED", "stuck", "died", "hangs", "did not"))]
    return (bad[0], tcp[bad[0]], "the same") if bad else None


def shrink(pairs, calls, found):
    """Fewer calls that still differ, as FOUND says: everything behind the first difference goes, then piece by piece."""
    calls = calls[: found[0] + 1]
    step = max(1, len(calls) // 2)
    started = time.monotonic()
    while step:
        at = 0
        while at < len(calls) - 1 and time.monotonic() - started < SHRINK_SECONDS:
            fewer = calls[:at] + calls[min(at + step, len(calls) - 1):]
            again = difference(pairs, fewer) if len(fewer) < len(calls) else None
            if again:
                calls, found = fewer[: again[0] + 1], again
            else:
                at += step
        step //= 2
    return calls, found


def show(title, calls, found):
    print(f"{title}: TCP and the wrapped socket differ. The shortest sequence that shows it, for conduct.py --replay:")
    for call in calls:
        print("    " + call)
    print(f"  the last call over TCP: {found[1]}\n  wrapped:                {found[2]}", flush=True)


def differs(title, pairs, calls, shrinks):
    """Shows what differs each time. What is not seen again was a matter of time: it is told, and does not count, unless bytes were wrong."""
    found = difference(pairs, calls)
    if not found:
        return False
    damage = any(word in result for result in found[1:] for word in ("WRONG", "died"))
    for _ in range(0 if damage else CONFIRMATIONS):
        if not difference(pairs, calls):
            print(f"{title}: {calls[min(found[0], len(calls) - 1)]}: seen, and not again | {found[1]} | {found[2]}", flush=True)
            return False
    show(title, *(shrink(pairs, calls, found) if shrinks else (calls, found)))
    return True


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--build", required=True)
    parser.add_argument("--library")
    parser.add_argument("--work", default=".")
    parser.add_argument("--wrapper", default="", help="a command in front of the wrapped caller")
    parser.add_argument("--modes", default="1.3,1.2")
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no sequence after so many")
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    parser.add_argument("--replay", nargs="*")
    args = parser.parse_args()
    args.library = args.library or os.path.join(args.build, "lib/egret/libegret.so")
    return args


def main():
    args = options()
    if args.replay is not None:
        jobs = [(path, [line.strip() for line in open(path) if line.strip() and not line.startswith("#")]) for path in args.replay]
    else:
        jobs = [(f"seed {seed}", sequence(seed)) for seed in range(args.first, args.first + args.count)]
    tcp, failures = Pair(args, "tcp"), 0
    wrapped = {mode: Pair(args, mode) for mode in args.modes.split(",")}
    started, done = time.monotonic(), 0
    for title, calls in jobs:
        if time.monotonic() - started > args.seconds:
            break
        done += 1
        for mode, pair in wrapped.items():
            failures += differs(f"{title}, TLS {mode}", (tcp, pair), calls, args.replay is None)
            if failures >= args.failures:
                break
        if failures >= args.failures:
            break
    for pair in [tcp, *wrapped.values()]:
        pair.stop()
    print(f"{done} sequences over TLS {args.modes}: {failures} differ")
    return 1 if failures else 0


sys.exit(main())
