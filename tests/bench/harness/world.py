"""The servers, the peers and the ways to reach a server: started once, used by every figure, ended with the run."""
import atexit
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
CPUCLOCK_SCHED = 2  # the kernel's word for "time on a processor" in the number of a process's clock
SUITES = {"aes128": "TLS_AES_128_GCM_SHA256", "aes256": "TLS_AES_256_GCM_SHA384", "chacha": "TLS_CHACHA20_POLY1305_SHA256"}


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Service:
    """A process in its own group; its CPU time is that of all threads of the group."""

    def __init__(self, world, name, argv):
        self.log = open(os.path.join(world.dir, name + ".log"), "w")
        self.process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, start_new_session=True)
        self.name = name
        world.services.append(self)

    def pids(self):
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    if os.getsid(int(entry)) == self.process.pid:
                        found.append(int(entry))
                except OSError:
                    continue
        return found

    def cpu(self):
        """Seconds on a processor so far: each process's own clock, which counts the threads that have ended, too (clock_getcpuclockid(3))."""
        total = 0
        for pid in self.pids():
            try:
                total += time.clock_gettime(~pid << 3 | CPUCLOCK_SCHED)
            except OSError:
                continue  # it has just ended
        return total

    def pin(self, cpus):
        for pid in self.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                try:
                    os.sched_setaffinity(int(task), cpus)
                except ProcessLookupError:
                    continue  # a connection's thread that has just ended

    def await_port(self, port):
        for _ in range(200):
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        with open(self.log.name) as log:
            raise SystemExit(f"bench: {self.name} did not start: {log.read()[-2000:]}")

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except OSError:
            pass
        self.process.wait()


class Server:
    """The bench's own server, plain and TLS."""

    def __init__(self, world, name, cert, suite):
        ports = os.path.join(world.dir, name + ".ports")
        argv = [world.program("server"), ports, f"{world.certs}/{cert}.pem", f"{world.certs}/{cert}.key"]
        self.service = Service(world, name, argv + ([SUITES[suite]] if suite else []))
        for _ in range(200):
            if os.path.exists(ports) and open(ports).read().strip():
                break
            time.sleep(0.05)
        self.name = name
        self.plain, self.tls = (int(p) for p in open(ports).read().split())


class World:
    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.dir = tempfile.mkdtemp(prefix="egret-bench.")
        os.chmod(self.dir, 0o755)
        self.services, self.servers, self.ways = [], {}, {}
        self.certs = os.path.join(self.build, "tests", "certs")
        self.library = os.path.join(self.build, "lib", "egret", "libegret.so")
        self.command = os.path.join(self.build, "bin", "egret")
        atexit.register(self.end)
        # Python ends by these at once, and what was started would stay.
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda caught, _: sys.exit(128 + caught))
        subprocess.run(["bash", os.path.join(ROOT, "tests/certs/make.sh"), self.certs], check=True)

    def program(self, name):
        return os.path.join(self.build, "bench", name)

    def server(self, cert="right", suite="aes256"):
        key = f"{cert}-{suite}"
        if key not in self.servers:
            self.servers[key] = Server(self, key, cert, suite)
        return self.servers[key]

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def end(self):
        for service in self.services:
            service.stop()
        shutil.rmtree(self.dir, ignore_errors=True)
