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
import sys
import time

from pair import QUIET_SECONDS, QUIET_SECONDS_SHRINKING, Pair

CONNECTIONS = 3
SHRINK_SECONDS = 60
CONFIRMATIONS = 2  # how often a difference must be seen again: one that is the library's own does not depend on time


def pick(r, *choices):
    return r.choice(choices)


def size(r, most=4000):
    return pick(r, 1, 2, r.randint(1, 40), r.randint(1, 600), r.randint(1, most), most)


def recv_flags(r):
    flags = [f for f in ("PEEK", "DONTWAIT", "WAITALL", "TRUNC", "NOSIGNAL", "CLOEXEC") if r.random() < 0.2]
    return "|".join(flags) or "0"


def send_flags(r):
    flags = [f for f in ("DONTWAIT", "NOSIGNAL", "MORE", "EOR", "CONFIRM") if r.random() < 0.2] + (["FASTOPEN"] if r.random() < 0.02 else [])
    return "|".join(flags) or "0"


def events(r):
    return " ".join(e for e in ("in", "out", "rdhup", "pri", "norm", "wrnorm", "band", "msg") if r.random() < 0.4) or pick(r, "in", "none")


def file_flags(r):
    return "|".join(f for f in ("NOWAIT", "HIPRI", "DSYNC", "APPEND", "ODD") if r.random() < 0.2) or "0"


def epoll_events(r):
    return " ".join(e for e in ("in", "out", "rdhup", "edge", "once") if r.random() < 0.5) or "in"


def where(r):
    return pick(r, "null", "low", "kernel", "page", "page", "second", "second")


ASKED = ("place", "kind", "listener", "owner", "mark", "options", "identity", "state", "movers", "files", "refused")
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
    (1, lambda r: f"preadv2 {pick(r, 0, size(r))} {r.randint(0, 40)} {file_flags(r)}"),
    (1, lambda r: f"pwritev2 {pick(r, 0, size(r))} {r.randint(0, 40)} {file_flags(r)}"),
    (1, lambda r: f"several {r.randint(1, 900)} {pick(r, '-1 0', '0 0', '0 0', '100 0', '0 1000000000')}"),
    (1, lambda r: f"broken_off {pick(r, '0', 'PEEK', 'TRUNC')}{pick(r, '', ' restart')}"),
    (1, lambda r: f"partly {r.randint(1, 900)} {pick(r, '0', 'PEEK', 'TRUNC')}"),
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
    (1, lambda r: f"masked {pick(r, 'poll', 'select')} {events(r)}"),
    (1, lambda r: f"signalled {pick(r, 'poll', 'select')}{pick(r, '', ' restart')}"),
    (4, lambda r: f"epoll_ctl {pick(r, 'add', 'add', 'mod', 'mod', 'del')} {epoll_events(r)}"),
    (8, lambda r: "epoll_wait"),
    (1, lambda r: f"wait {pick(r, 'poll', 'select', 'epoll')} {r.randint(1, 3000)}{pick(r, '', ' tickets')}{pick(r, '', ' edge')}"),
    (1, lambda r: f"late {r.randint(1, 3000)} {pick(r, '0', 'WAITALL', 'PEEK', 'PEEK|WAITALL')}"),
    (1, lambda r: f"least {r.randint(3, 6000)} {pick(r, '0', 'PEEK')}"),
    (1, lambda r: "flood"),
    (1, lambda r: "timed"),
    (1, lambda r: f"interrupted {pick(r, 'restart', 'plain')}"),
    (4, lambda r: f"nonblock {r.randint(0, 1)}{pick(r, '', ' ioctl')}"),
    (2, lambda r: f"cloexec {r.randint(0, 1)}"),
    (3, lambda r: f"copy {pick(r, 'dup', 'dup2', 'dup3', 'dupfd', 'cloexec')}{pick(r, '', ' keep')}"),
    (1, lambda r: f"fork {pick(r, 'close', 'keep', 'exit', 'quick_exit')}"),
    (1, lambda r: f"fork parent {size(r, 3000)}"),
    (1, lambda r: f"daemon {pick(r, 'early', 'late')}"),
    (2, lambda r: f"switch {r.randint(0, 5)}"),
    (1, lambda r: f"drop {r.randint(0, 5)}"),
    (3, lambda r: f"fdopen {pick(r, 'r', 'w', 'r+', 'w+', 'a', 'rb+')} {pick(r, 'default', 'none', 'line', 'large')}{pick(r, '', '', ' own')}"),
    (4, lambda r: f"fread {size(r, 9000)}"),
    (4, lambda r: f"fgets {size(r, 900)}"),
    (4, lambda r: f"fwrite {size(r, 5000)}"),
    (3, lambda r: f"fprintf {size(r, 500)}"),
    (1, lambda r: f"dprintf {size(r, 500)}"),
    (3, lambda r: "fflush"),
    (1, lambda r: f"fseek {pick(r, 'set', 'tell')}"),
    (1, lambda r: "clearerr"),
    (1, lambda r: "fclose"),
    (1, lambda r: f"fault {pick(r, 'read', 'recv', 'recvfrom', 'readv', 'recvmsg', 'recvmmsg')} {where(r)}{pick(r, '', ' peek')}"),
    (1, lambda r: f"fault {pick(r, 'write', 'send', 'sendto', 'writev', 'sendmsg', 'sendmmsg')} {where(r)}"),
    (1, lambda r: f"fault {pick(r, 'messages', 'names', 'options', 'waits', 'huge')} {where(r)}"),
    (1, lambda r: f"fast {pick(r, 'sendto', 'sendmsg', 'send')}"),
    (1, lambda r: f"sndtimed {size(r, 60000)}"),
    (4, lambda r: "amount"),
    (2, lambda r: f"set lowat {pick(r, 1, r.randint(2, 3000))}"),
    (2, lambda r: f"set nodelay {r.randint(0, 1)}"),
    (1, lambda r: f"set cork {r.randint(0, 1)}"),
    (1, lambda r: f"set {pick(r, 'sndbuf', 'rcvbuf')} {pick(r, 1, 5000, 30000, 300000)}"),
    (1, lambda r: f"set unsent {pick(r, 2000, 100000)}"),
    (2, lambda r: f"get {pick(r, 'error', 'nodelay', 'lowat', 'type', 'sndlowat')}"),
    (1, lambda r: f"set inq {r.randint(0, 1)}"),
    (1, lambda r: f"name {pick(r, 'peer', 'own')}"),
    (2, lambda r: f"ask {pick(r, *ASKED)}"),
    (1, lambda r: "reconnect"),
    (1, lambda r: "dissolve"),
    (1, lambda r: "connect wait 0 0"),
    (1, lambda r: f"shutdown {pick(r, 'wr', 'wr', 'rd', 'rdwr')}"),
    (1, lambda r: f"peer {pick(r, 'shut', 'shut', 'notify', 'reset')}"),
]
# Of several connections.
TOGETHER = [
    (8, lambda r: f"use {r.randint(0, CONNECTIONS - 1)}"),
    (3, lambda r: f"poll_all {events(r)}"),
    (2, lambda r: f"select_all {events(r)}"),
    (4, lambda r: f"epoll_ctl add {epoll_events(r)}{pick(r, '', ' same')}"),
]
# Of a connection that went through a relay. What TCP alone has (tcp_info, MSG_TRUNC, the sizes of buffers) is left out: it is a socket pair.
MOVED = [
    (12, lambda r: f"peer send {size(r, 20000)} {pick(r, 0, 1 + r.randint(0, 50), r.randint(50, 20000))}"),
    (6, lambda r: "peer read"),
    (2, lambda r: f"peer tickets {r.randint(1, 3)}"),
    (2, lambda r: f"peer keyupdate {r.randint(0, 1)}"),
    (8, lambda r: f"recv {size(r, 20000)} {pick(r, '0', 'PEEK', 'DONTWAIT', 'WAITALL', 'NOSIGNAL')}"),
    (4, lambda r: f"read {pick(r, 0, size(r, 20000))}"),
    (3, lambda r: f"readv {size(r)} {r.randint(1, 40)}"),
    (5, lambda r: f"write {pick(r, 0, size(r))}"),
    (4, lambda r: f"send {size(r)} {pick(r, '0', 'DONTWAIT', 'NOSIGNAL', 'MORE')}"),
    (3, lambda r: f"writev {size(r)} {r.randint(1, 40)}"),
    (3, lambda r: f"sendmsg {size(r)} {r.randint(1, 40)} 0"),
    (1, lambda r: f"pour {r.randint(1, 600000)} {r.randint(500, 300000)}"),
    (1, lambda r: f"bulk {r.randint(1, 600000)} {r.randint(500, 300000)} 0"),
    (4, lambda r: f"poll {pick(r, 'in', 'in rdhup')}"),
    (2, lambda r: "select in"),
    (2, lambda r: f"epoll_ctl {pick(r, 'add', 'mod', 'del')} in{pick(r, '', ' edge', ' once')}"),
    (4, lambda r: "epoll_wait"),
    (2, lambda r: f"nonblock {r.randint(0, 1)}"),
    (2, lambda r: f"copy {pick(r, 'dup', 'dup2', 'dupfd', 'cloexec')}{pick(r, '', ' keep')}"),
    (2, lambda r: f"fork {pick(r, 'close', 'keep', 'exit')}"),
    (2, lambda r: "amount"),
    (1, lambda r: f"name {pick(r, 'peer', 'own')}"),
    (1, lambda r: f"get {pick(r, 'error', 'type')}"),
    (1, lambda r: "shutdown wr"),
    (1, lambda r: f"peer {pick(r, 'shut', 'reset')}"),
]
ENDING = ["nonblock 0", "set lowat 1", "fclose", "peer read", "read 60000", "poll in out rdhup", "shutdown wr", "write 10", "peer drain", "peer shut",
          "read 60000", "poll in out rdhup", "recv 10 DONTWAIT", "get error", "close"]
# Closed in any order, with the peer reading on: it gets every byte and a clean end.
CLOSING = ["nonblock 0", "set lowat 1", "fclose", "peer read", "recv 60000 DONTWAIT", "drop 1", "close", "drop 2"] + ["close"] * 6 + ["peer drain"]
AFTER_CUT = ["read 100", "recv 10 0", "recv 10 PEEK", "recv 0 0", "recvfrom 10 DONTWAIT", "readv 10 3", "recvmsg 10 3 0", "recvmmsg 10 0", "poll in rdhup",
             "select in", "epoll_wait", "amount", "get error", "fread 100", "fgets 100"]


def draw(r, table, count):
    weights = [weight for weight, _ in table]
    return [make(r) for _, make in r.choices(table, weights, k=count)]


def opening(r, fast):
    calls = ["socket" + pick(r, *[""] * 7, " six")]
    calls += [f"set {pick(r, 'sndbuf', 'rcvbuf')} {pick(r, 1, 3000, 10000, 100000, 1000000)}"] if r.random() < 0.3 else []
    calls += ["set nodelay 1"] if r.random() < 0.3 else []
    calls += [f"epoll_ctl add {epoll_events(r)}"] if r.random() < 0.2 else []
    if r.random() < 0.1 and not any(call.startswith("epoll_ctl") for call in calls):
        calls += [f"dead {pick(r, 'wait', 'poll', 'error')}{pick(r, '', ' read')}{pick(r, '', ' send')}"] * pick(r, 1, 2)
    how = pick(r, "wait", "wait", "poll", "select", "epoll", "edge", "spin")
    return calls + [f"connect {how} {pick(r, 0, 0, 0, 3000)} {pick(r, 0, 0, 10)}{fast}"]


def ending(r):
    how = r.random()
    if how < 0.5:
        return ENDING
    if how < 0.65:
        return CLOSING
    if how < 0.7:
        return ["nonblock 0", "set lowat 1", "fclose", "peer read", "abort", "drop 0", "close"]
    if how < 0.8:
        return ["set lowat 1", f"fork child {size(r, 3000)} {pick(r, '_Exit', 'exit', 'quick_exit')}"] + ENDING
    if how < 0.9:
        reads = [pick(r, *AFTER_CUT) for _ in range(r.randint(1, 8))]
        return ["nonblock 0", "set lowat 1", "peer read", "read 60000", "peer cut"] + reads + ["read 10", "send 10 DONTWAIT", "shutdown wr", "close"]
    return ["fclose", f"pass{pick(r, '', ' cloexec')}"] + draw(r, MOVED, r.randint(1, 25)) + ENDING


def sequence(seed):
    r = random.Random(seed)
    count = pick(r, 1, 1, 1, 2, CONNECTIONS)
    calls = []
    for number in range(count):
        calls += ([f"use {number}"] if number else []) + opening(r, pick(r, *[""] * 9, " fast"))
    calls += draw(r, CALLS + (TOGETHER if count > 1 else []), r.randint(5, 60))
    for number in range(count):
        calls += ([f"use {number}"] if count > 1 else []) + ending(r)
    return calls


# The differences that are promised: (what must have come before: calls with their results over TCP; the call; its result over TCP; wrapped,
# which may refer to groups of the former). Nothing else may differ.
TELLS = (r"(write|send|sendto|writev|sendmsg|sendmmsg|sendfile|pwritev2|get error|recvmmsg|several|fwrite|fprintf|fflush|dprintf|daemon late|fault (?:names|messages|recvmmsg|huge))( .*)?", r".*ECONNRESET.*| = 0 104 4")
CUT, PASS, RESET = (r"peer cut", r".*"), (r"pass.*", r" = 1 = 0 = 1 .*"), (r"peer reset", r"")
ALONE = r"send 0  recv -?\d+ (EAGAIN)?"
READS = r"(read|recv|recvfrom|readv|recvmsg|preadv2) .*"
SPENT = r"(?: left| over)?"  # a time-out of recvmmsg
STREAM_ENDS = (r" = (\d+|none 0|line \d+) right ahead 0 held 0 eof 1 error [01] \w*", r" = (\d+|none 0|line \d+) right ahead 0 held 0 eof [01] error 1 \w+")
PROMISED = [
    # The end without close_notify is no end: reads fail, and so does what is written then.
    ([CUT], r"(read|recv|recvfrom|readv|recvmsg|preadv2) .*", r" = 0.*", r" = -1 ECONNRESET"),
    ([CUT], r"(recvmmsg|several) .*", r" = [1-3]( 0 right)+" + SPENT, r" = -1 ECONNRESET" + SPENT),
    ([CUT], r"(fread|fgets) .*", *STREAM_ENDS),
    ([CUT], r"send 10 DONTWAIT", r" = 10", r" = -1 EPIPE SIGPIPE"),
    # What no wrapped socket can keep is refused.
    ([], r"ask refused", r" SO_PEEK_OFF 0  SO_ZEROCOPY 0 .*", r" SO_PEEK_OFF -1 EOPNOTSUPP SO_ZEROCOPY -1 EOPNOTSUPP( splice -1 EINVAL sendfile -1 EINVAL)?"),
    # TLS is one process's: the first that uses it after a fork keeps it.
    ([], r"fork parent .*", r" = \d+ child: " + ALONE + ", 7", r" = \d+ child: send -1 EIO recv -1 EIO, 7"),
    ([], r"fork child \d+ (?:_Exit|exit|quick_exit)", r" child 7 parent: " + ALONE + " = 0 peer end all", r" child 7 parent: send -1 EIO recv -1 EIO = 0 peer end all"),
    # Of the end of a socket pair a reset is no end of everything: its error stays until a read takes it.
    ([PASS], r"name peer", r" = -1 ENOTCONN 0 128", r" = 0 (2 16|10 28)"),
    ([PASS], r"shutdown wr", r" = -1 ENOTCONN", r" = 0"),
    ([PASS, RESET], r"poll .*", r" = 1 ([0-9a-f]+)(?:(1)|(4)|5)", r" = 1 \1(?(2)9|(?(3)c|d))"),
    ([PASS, RESET], r"get error", r" = 0 0 4", r" = 0 104 4"),
    # Behind a relay the first write after a reset is told what a socket pair tells.
    ([PASS, RESET], r"(write|send|writev|sendmsg) .*", r" = -1 ECONNRESET", r" = -1 EPIPE( SIGPIPE)?"),
    # Of a socket pair a read that was given less than all that it waited for has dropped the error.
    ([PASS, RESET, (r"recv \d+ WAITALL", r" = [1-9].*")], READS, r" = -1 ECONNRESET", r" = 0.*"),
    # A reset that a write was told of, or a call that had no room for it: TCP then reads the end, a wrapped socket never takes it for one.
    ([TELLS], READS, r" = 0.*", r" = -1 ECONNRESET"),
    ([TELLS], r"(fread|fgets) .*", *STREAM_ENDS),
    ([TELLS], r"(recvmmsg|several) .*", r" = \d+( 0 right)+" + SPENT, r" = -1 ECONNRESET" + SPENT),
    ([TELLS], r"(?:recvmmsg|several) .*", r" = \d+((?: [1-9]\d* right)+)(?: 0 right)+" + SPENT, r" = \d+\1" + SPENT),
    ([RESET, (r"fault options .*", r" getsockopt .*")], READS, r" = 0.*", r" = -1 ECONNRESET"),
    ([RESET, (r"fault options .*", r" getsockopt .*")], r"(fread|fgets) .*", *STREAM_ENDS),
    ([RESET, (r"fault options .*", r" getsockopt .*")], r"(recvmmsg|several) .*", r" = \d+( 0 right)+" + SPENT, r" = -1 ECONNRESET" + SPENT),
    ([RESET, (r"fault options .*", r" getsockopt .*")], r"(?:recvmmsg|several) .*", r" = \d+((?: [1-9]\d* right)+)(?: 0 right)+" + SPENT, r" = \d+\1" + SPENT),
]


class Registrations:
    """What a sequence has registered in its set, and which events a relay may add there.

    It puts a socket pair in the socket's place: each registration is told anew of what is ready. The pair reports room for what is
    written each time that the relay has taken some, so that edges of "writable" come behind writes. Nothing else does more than once.
    """

    def __init__(self):
        self.connection, self.relayed, self.reset, self.made, self.due = 0, set(), set(), [], {}

    def see(self, call, result):
        words = call.split()
        if words[0] == "use":
            self.connection = int(words[1]) % CONNECTIONS
        elif words[:2] in (["epoll_ctl", "add"], ["epoll_ctl", "mod"]) and result == " = 0":
            self.register(77 if "same" in words else 70 + self.connection, words)
        elif words[0] == "pass" and re.fullmatch(PASS[1], result):
            self.relayed.add(self.connection)
            self.expect(lambda edge, out: True)
        elif words[:2] == ["peer", "reset"]:
            self.reset.add(self.connection)
        elif words[0] in ("write", "send", "writev", "sendmsg", "pour") and self.connection in self.relayed:
            self.expect(lambda edge, out: edge and out)

    def register(self, data, words):
        changed = [made for made in self.made if made[:2] == (self.connection, data)] if words[1] == "mod" else []
        for made in changed:
            self.made.remove(made)
        for made in changed or [(self.connection, data, False, False)]:
            self.made.append((*made[:2], made[2] or "edge" in words, made[3] or "out" in words))

    def expect(self, which):
        for connection, data, edge, out in self.made:
            if connection == self.connection and which(edge, out):
                self.due[data] = self.due.get(data, 0) + 1

    def events(self, result):
        """{data: [events, ...]} of an epoll_wait's result; None: it is none."""
        if not re.fullmatch(r" = \d+( [0-9a-f]+ 7\d)*", result):
            return None
        words, found = result.split()[2:], {}
        for events, data in zip(words[::2], words[1::2]):
            found.setdefault(int(data), []).append(int(events, 16))
        return found

    def promise(self, left, right):
        """Is RIGHT what a relay may make of LEFT? What it adds is used up."""
        over_tcp, wrapped = self.events(left), self.events(right)
        if over_tcp is None or wrapped is None:
            return False
        for data in {*over_tcp, *wrapped}:
            more = list(wrapped.get(data, []))
            error = 8 if self.reset and any(made[1] == data and made[0] in self.relayed & self.reset for made in self.made) else 0
            for events in over_tcp.get(data, []):
                fitting = [e for e in more if e == events or e == events | error]
                if not fitting:
                    return False
                more.remove(fitting[0])
            self.due[data] = self.due.get(data, 0) - len(more)
            if self.due[data] < 0:
                return False
        return True


def is_promised(calls, tcp, left, right):
    """Is LEFT over TCP and RIGHT wrapped, of the call behind those with the results TCP, a difference that is promised?"""
    call = calls[len(tcp)]
    for conditions, what, over_tcp, wrapped in PROMISED:
        if re.fullmatch(what, call) and re.fullmatch(f"(?:{over_tcp})\\|(?:{wrapped})", f"{left}|{right}"):
            if all(any(re.fullmatch(earlier, c) and re.fullmatch(result, b) for c, b in zip(calls, tcp)) for earlier, result in conditions):
                return True
    return False


# What no run may give, on either side; and what is damage, however seldom it is seen: bytes that were lost or wrong, a program that stands still.
BAD = ("WRONG", "FAILED", "died", "hangs", "did not", "overran", "unknown", "nothing came")
DAMAGE = tuple(word for word in BAD if word != "unknown")


def compared(calls, tcp, wrapped):
    """None, or (index of the first call whose result differs, its result over TCP, wrapped)."""
    registrations = Registrations()
    for i in range(max(len(tcp), len(wrapped))):
        left, right = (results[i] if i < len(results) else "-" for results in (tcp, wrapped))
        same = left == right or (i < len(calls) and (is_promised(calls, tcp[:i], left, right) or (calls[i] == "epoll_wait" and registrations.promise(left, right))))
        if not same:
            return i, left, right
        if i < len(calls):
            registrations.see(calls[i], left)
    bad = [i for i, result in enumerate(tcp) if any(word in result for word in BAD)]
    return (bad[0], tcp[bad[0]], "the same") if bad else None


def difference(pairs, calls):
    tcp, wrapped = (pair.run(calls) for pair in pairs)
    return compared(calls, tcp, wrapped)


def shrink(pairs, calls, found):
    """Fewer calls that still differ, as FOUND says: everything behind the first difference goes, then piece by piece."""
    calls = calls[: found[0] + 1]
    for pair in pairs:
        pair.quiet_seconds = QUIET_SECONDS_SHRINKING
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
    for pair in pairs:
        pair.quiet_seconds = QUIET_SECONDS
    return calls, found


def show(title, calls, found):
    print(f"{title}: TCP and the wrapped socket differ. The shortest sequence that shows it, for conduct.py --replay:")
    for call in calls:
        print("    " + call)
    print(f"  the last call over TCP: {found[1]}\n  wrapped:                {found[2]}", flush=True)


def hung(pairs):
    """What the processes of those did whose last run hung; None: none has."""
    found = [f"  {pair.mode}, at the time:\n{pair.hang}" for pair in pairs if pair.hang]
    return "\n".join(found) or None


def differs(title, pairs, calls, tcp, shrinks):
    """Shows what differs each time. What is not seen again was a matter of time: it is told, and does not count, unless it did damage."""
    found = compared(calls, tcp, pairs[1].run(calls))
    if not found:
        return False
    damage, doing = any(word in result for result in found[1:] for word in DAMAGE), hung(pairs)
    again = all(difference(pairs, calls) for _ in range(CONFIRMATIONS))
    if not again and not damage:
        print(f"{title}: {calls[min(found[0], len(calls) - 1)]}: seen, and not again | {found[1]} | {found[2]}", flush=True)
        return False
    show(title, *(shrink(pairs, calls, found) if again and shrinks else (calls[: found[0] + 1], found)))
    if doing:
        print(doing, flush=True)
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
    parser.add_argument("--jobs", type=int, default=1, help="so many at once, each with callers and peers of its own: they wait more than they work")
    parser.add_argument("--failures", type=int, default=5, help="stop after so many")
    parser.add_argument("--replay", nargs="*")
    args = parser.parse_args()
    args.library = args.library or os.path.join(args.build, "lib/egret/libegret.so")
    return args


def spread(args):
    """Each job takes every args.jobs'th of the sequences, in a process of its own."""
    children = []
    for number in range(args.jobs):
        child = os.fork()
        if child == 0:
            os._exit(conduct(args, number))
        children.append(child)
    return max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children)


def conduct(args, number):
    if args.replay is not None:
        jobs = [(path, [line.strip() for line in open(path) if line.strip() and not line.startswith("#")]) for path in args.replay]
    else:
        jobs = [(f"seed {seed}", sequence(seed)) for seed in range(args.first + number, args.first + args.count, args.jobs)]
    tcp, failures = Pair(args, "tcp"), 0
    wrapped = {mode: Pair(args, mode) for mode in args.modes.split(",")}
    started, done = time.monotonic(), 0
    for title, calls in jobs:
        if time.monotonic() - started > args.seconds:
            break
        done += 1
        over_tcp = tcp.run(calls)
        for mode, pair in wrapped.items():
            failures += differs(f"{title}, TLS {mode}", (tcp, pair), calls, over_tcp, args.replay is None)
            if failures >= args.failures:
                break
        if failures >= args.failures:
            break
    for pair in [tcp, *wrapped.values()]:
        pair.stop()
    print(f"{done} sequences over TLS {args.modes}: {failures} differ", flush=True)
    return 1 if failures else 0


def main():
    args = options()
    return spread(args) if args.jobs > 1 else conduct(args, 0)


sys.exit(main())
