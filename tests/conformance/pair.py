"""A caller with its peer, and what both are doing when nothing comes of them any more.

Whether a call hangs is no matter of time on a busy machine: it does when every process of the pair sleeps and none has been given the
processor since some seconds, or when they use it without end.
"""
import glob
import os
import re
import select
import socket
import subprocess
import time

QUIET_SECONDS = 10            # so long nobody may sleep; nothing that a sequence does takes a tenth of it
QUIET_SECONDS_SHRINKING = 4
PROCESSOR_SECONDS = 120       # more than this for the lines of one sequence is a loop
LOOK_SECONDS = 1
STACK_SECONDS = 60
MARK = "EGRET_CONFORMANCE_PAIR"


def contents(path):
    try:
        with open(path, "rb") as file:
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def stat_of(pid):
    """Of /proc/PID/stat, proc(5), the words from the state on; [] when it has ended."""
    return contents(f"/proc/{pid}/stat").rpartition(") ")[2].split()


class Pair:
    """A caller with its peer, restarted when one of them is lost. `hang`: what both did when the last run hung, else None."""

    def __init__(self, args, mode):
        self.args, self.mode, self.caller, self.quiet_seconds, self.hang = args, mode, None, QUIET_SECONDS, None

    def start(self):
        ours, theirs = socket.socketpair()
        programs = os.path.join(self.args.build, "tests/conformance")
        certs = os.path.join(self.args.build, "tests/certs")
        self.mark = f"{MARK}={os.getpid()}.{self.mode}.{time.monotonic_ns()}"
        env = dict(os.environ, **dict([self.mark.split("=")]))
        peer_env = dict(env)
        if self.mode != "tcp":
            env["LD_PRELOAD"] = self.args.library
        self.peer = self.spawn([programs + "/peer", self.mode, certs + "/right.pem", certs + "/right.key"], theirs, peer_env, None)
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

    def lines(self, count):
        """COUNT lines of the caller's, or as many as came; the last one then says how it ended."""
        found, watch = [], Watch(self)
        while True:
            *whole, self.buffer = self.buffer.split(b"\n")
            found += [line.decode() for line in whole]
            if len(found) >= count:
                return found
            ready, _, _ = select.select([self.caller.stdout], [], [], LOOK_SECONDS)
            if not ready and not watch.hangs():
                continue
            more = os.read(self.caller.stdout.fileno(), 65536) if ready else None
            if not ready:
                self.hang = watch.describe()
            if not more:
                return found + ["hangs" if not ready else f"died: {self.caller.wait()}"]
            self.buffer += more

    def run(self, calls):
        """The result of each call; the last one may be what ended the caller."""
        if not self.caller:
            self.start()
        self.hang = None
        try:
            self.caller.stdin.write(("\n".join(calls) + "\n.\n").encode())
            self.caller.stdin.flush()
            results = self.lines(len(calls) + 1)
        except BrokenPipeError:
            results = ["died"]
        if results[-1] != ".":
            self.stop()
            return results
        return results[:-1]


class Watch:
    """All processes of a pair, with those that were forked and relays, for as long as one sequence takes."""

    def __init__(self, pair):
        self.pair, self.before, self.quiet_since, self.used_before = pair, None, time.monotonic(), None

    def pids(self):
        mark = self.pair.mark.encode()
        found = []
        for path in glob.glob("/proc/[0-9]*/environ"):
            try:
                with open(path, "rb") as file:
                    if mark in file.read().split(b"\0"):
                        found.append(int(path.split("/")[2]))
            except OSError:
                continue
        return sorted(found)

    def hangs(self):
        now, seen, runnable, used = time.monotonic(), [], False, 0
        for pid in self.pids():
            stat = stat_of(pid)
            switches = re.findall(r"ctxt_switches:\s*(\d+)", contents(f"/proc/{pid}/status"))
            runnable = runnable or stat[:1] == ["R"]
            used += sum(int(ticks) for ticks in stat[11:13]) / os.sysconf("SC_CLK_TCK")
            seen.append((pid, stat[:1], stat[11:13], switches))
        if runnable or seen != self.before:
            self.quiet_since = now
        self.before = seen
        self.used_before = used if self.used_before is None else self.used_before
        return now - self.quiet_since >= self.pair.quiet_seconds or used - self.used_before >= PROCESSOR_SECONDS

    def describe(self):
        return "\n".join(self.describe_process(pid) for pid in self.pids())

    def describe_process(self, pid):
        command = contents(f"/proc/{pid}/cmdline").split("\0")
        text = [f"process {pid} ({' '.join(os.path.basename(word) for word in command[:2])}), child of {stat_of(pid)[1:2]}"]
        for task in sorted(glob.glob(f"/proc/{pid}/task/*")):
            kernel = [line.split()[-1].split("+")[0] for line in contents(task + "/stack").splitlines()]
            text.append(f"  thread {os.path.basename(task)} state {stat_of(task[6:])[:1]} system call {contents(task + '/syscall').strip()}"
                        f" in the kernel {' < '.join(kernel)}")
        return "\n".join(text + self.sockets(pid) + self.stack(pid))

    @staticmethod
    def sockets(pid):
        """Of each TCP socket its line of /proc/net/tcp: addresses, state, bytes in the queues for sending and receiving."""
        table = {}
        for line in contents("/proc/net/tcp").splitlines()[1:]:
            words = line.split()
            table[words[9]] = f"{words[1]} to {words[2]} state {words[3]} queues {words[4]}"
        text = []
        for path in sorted(glob.glob(f"/proc/{pid}/fd/*")):
            try:
                inode = re.fullmatch(r"socket:\[(\d+)\]", os.readlink(path))
            except OSError:
                continue
            if inode and inode[1] in table:
                text.append(f"  descriptor {os.path.basename(path)}: TCP {table[inode[1]]}")
        return text

    @staticmethod
    def stack(pid):
        try:
            told = subprocess.run(["gdb", "-nx", "-q", "-batch", "-p", str(pid), "-ex", "thread apply all bt"], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=STACK_SECONDS, check=False).stdout
        except (OSError, subprocess.TimeoutExpired):
            return []
        return ["  " + line for line in told.decode(errors="replace").splitlines() if line.startswith(("#", "Thread"))]
