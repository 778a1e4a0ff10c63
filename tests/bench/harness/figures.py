"""What is measured: one function a group, each yields figures that are filled round by round."""
import os
import re
import shutil
import subprocess
from types import SimpleNamespace

from . import ways
from .measure import BARE, Figure, client, run
from .ways import way
from .world import ROOT

GIB = 1 << 30
TURNS = 3


def rounds_of(world, options, kinds, server, resume, job, take, cpus=None, server_cpus=None):
    """Every contender once a round, in turn."""
    for _ in range(options.rounds):
        for kind in kinds:
            it = way(world, kind, server, resume)
            if cpus:
                server.service.pin(server_cpus or cpus)
                if it.helper:
                    it.helper.pin(cpus if server_cpus is None else {0, 1})
            take(kind.name, client(world, it, job, cpus))
    if cpus:
        server.service.pin({0, 1})


def bulk(world, options):
    mib = options.scale(1024, 128)
    for direction, word, factor, cpu in (("send", "sent", 1.25, .8), ("recv", "received", 1.0, .9)):
        for suite, chunk, lanes, kinds in (("aes128", 65536, 1, ways.ALL), ("aes128", 4096, 1, ways.ALL),
                                           ("chacha", 65536, 1, ways.ALL[:2]), ("aes128", 65536, 64, ways.ALL)):
            where = f"{chunk // 1024} KiB calls, {suite}" + (f", {lanes} connections" if lanes > 1 else "")
            speed = Figure(f"{direction}_{chunk}_{suite}_{lanes}", f"bulk {word}, {where}", "MB/s", False, f">= {factor} x native")
            cost = Figure(f"{direction}_{chunk}_{suite}_{lanes}_cpu", f"CPU per GiB {word}, {where}", "s/GiB", True, f"<= {cpu} x native")

            def take(name, result, speed=speed, cost=cost):
                speed.add(name, result["bytes"] / result["seconds"] / 1e6)
                cost.add(name, result["cpu_all"] / result["bytes"] * GIB)
            rounds_of(world, options, kinds, world.server("right", suite), True, [direction, chunk, mib, lanes], take)
            yield speed
            yield cost


def in_short_turns(options):
    """What takes microseconds is measured in more and shorter turns: the machine has less time to change between two that are compared."""
    if options.quick:
        return options
    return SimpleNamespace(rounds=options.rounds * TURNS, scale=lambda full, quick: options.scale(full, quick) // TURNS)


def round_trip(world, options):
    options = in_short_turns(options)
    count = options.scale(20000, 3000)
    for title, cpus, server_cpus in (("one CPU", {0}, None), ("two CPUs", {0}, {1})):
        for lanes in (1, 64):
            what = "1 connection" if lanes == 1 else f"{lanes} connections, per message"
            figure = Figure(f"echo_{lanes}_{len(server_cpus or cpus | cpus)}_{title[:3]}", f"64-byte round trip, {title}, {what}", "us", True,
                            "<= 1.03 x native")

            def take(name, result, figure=figure, lanes=lanes):
                figure.add(name, result["p50_us"] if lanes == 1 else result["seconds"] / result["count"] * 1e6)
            rounds_of(world, options, ways.ALL, world.server(), True, ["echo", count, lanes], take, cpus, server_cpus)
            yield figure


def connections(world, options):
    options = in_short_turns(options)
    count = options.scale(400, 60)
    for cert, title in (("right", "P-256"), ("right-rsa", "RSA-2048")):
        for resume in (False, True):
            kind = "resumed" if resume else "full handshake"
            figure = Figure(f"connect_{cert}_{kind[:4]}", f"connect, {kind}, exchange, close, {title}", "us", True, "<= 1.02 x native")
            rounds_of(world, options, ways.ALL, world.server(cert), resume, ["connect", count],
                      lambda name, result, figure=figure: figure.add(name, result["p50_us"]))
            yield figure


def fresh(world, options):
    """A process that is started, asks once and ends: exec to first answer."""
    count, server = options.scale(40, 10), world.server()
    bundle = world.write("bundle.pem", open("/etc/ssl/certs/ca-certificates.crt").read() + open(f"{world.certs}/ca.pem").read())
    figure = Figure("fresh", "fresh process, exec to first answer", "us", True, "<= 2500 us")
    egret, plain = way(world, ways.Egret, server), way(world, ways.Plain, server)
    native = [world.program("client-native")]
    once = ["connect", "1"]
    cases = [("native OpenSSL", native + ["--ca-path", f"{world.certs}/hash", str(server.tls)] + once, {}),
             ("native OpenSSL, bundle", native + ["--ca-file", bundle, str(server.tls)] + once, {}),
             ("egret", [world.program("client"), str(egret.port())] + once,
              {**egret.environment(), "SPAWN_PRELOAD": world.library, "LD_PRELOAD": ""})]
    for kind in ways.PEERS + [ways.Plain]:
        it = way(world, kind, server)
        cases.append((kind.name, [world.program("client"), str(it.port())] + once, {}))
    shared = [world.command, "run", "--sandbox=off", "-c", egret.policy, "--", world.program("spawn"), str(count), world.program("client"), str(egret.port())]
    for _ in range(options.rounds):
        for name, argv, environment in cases:
            figure.add(name, run([world.program("spawn"), str(count)] + argv, environment)["p50_us"])
        figure.add("egret run (tickets shared)", run(shared + once)["p50_us"])
    yield figure


def launch(world, options):
    """What exec costs a program that opens no connection."""
    count = options.scale(300, 60)
    figure = Figure("exec", "exec of true, which opens no connection", "us", True, "<= 40 us over bare")
    policy = way(world, ways.Egret, world.server()).policy
    cases = [("bare", ["true"], {}), ("trivial library", ["true"], {"SPAWN_PRELOAD": world.program("trivial.so")}),
             ("egret", ["true"], {"SPAWN_PRELOAD": world.library, "EGRET_CONFIG": policy})]
    proxychains = "/usr/lib/x86_64-linux-gnu/libproxychains.so.4"
    if os.path.exists(proxychains):
        conf = world.write("proxychains.conf", "strict_chain\nquiet_mode\n[ProxyList]\nsocks5 127.0.0.1 9\n")
        cases.append(("proxychains4", ["true"], {"SPAWN_PRELOAD": proxychains, "PROXYCHAINS_CONF_FILE": conf}))
    torsocks = "/usr/lib/x86_64-linux-gnu/torsocks/libtorsocks.so"
    if os.path.exists(torsocks):
        cases.append(("torsocks", ["true"], {"SPAWN_PRELOAD": torsocks}))
    command = Figure("run", "egret run true", "us", True, "<= 5000 us, 10000 with the sandbox")
    for _ in range(options.rounds):
        for name, argv, environment in cases:
            figure.add(name, run([world.program("spawn"), str(count)] + argv, environment)["p50_us"])
        for name, sandbox in (("without the sandbox", "off"), ("with the sandbox", "require")):
            argv = [world.program("spawn"), str(options.scale(50, 10)), world.command, "run", "-c", policy, f"--sandbox={sandbox}", "--", "true"]
            command.add(name, run(argv, cpus=None)["p50_us"])
    yield figure
    yield command


def hooks(world, options):
    """Calls on descriptors that are not wrapped, nanoseconds over bare."""
    egret = way(world, ways.Egret, world.server())
    figure = Figure("hooks", "a hook on a descriptor that is not wrapped, over bare", "ns", True, "<= 2 ns for read and write")
    for _ in range(options.rounds):
        bare = run([world.program("calls")])
        covered = run([world.program("calls")], egret.environment())
        beside = run([world.program("calls"), str(egret.port())], egret.environment())
        for call, value in bare.items():
            figure.add(call, covered[call] - value)
            figure.add(call + ", a wrapped socket open", beside[call] - value)
    yield figure


def counted(world, options):
    """The same in instructions, which no other program on the machine changes: the difference of two runs, per call."""
    policy = way(world, ways.Egret, world.server()).policy
    figure = Figure("hooks_ir", "a hook on a descriptor that is not wrapped, over bare", "instructions", True)

    def instructions(environment, call, number):
        argv = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", world.program("calls"), "count", call, str(number)]
        done = subprocess.run(argv, env={**BARE, **environment}, capture_output=True, text=True, timeout=180, check=True)
        return int(re.search(r"Collected *: *([0-9]+)", done.stderr).group(1))
    for call in ("read", "write", "poll", "epoll_wait"):
        each = []
        for environment in ({}, {"LD_PRELOAD": world.library, "EGRET_CONFIG": policy}):
            each.append((instructions(environment, call, 3000) - instructions(environment, call, 1000)) / 2000)
        figure.add(call, each[1] - each[0])
    yield figure


def decisions(world, options):
    """The policy's own cost by its size."""
    load, faults, again, size = (Figure(f"policy_{k}", t, u, True, g) for k, t, u, g in (
        ("load", "policy load, per entry", "ns", "<= 1000 ns"), ("faults", "policy load, pages touched for the first time, per entry", "pages", None),
        ("again", "policy load, per entry, in memory that was touched before", "ns", "<= 1000 ns"),
        ("bytes", "policy in memory, per entry", "bytes", "<= 200 bytes")))
    decide = Figure("decide", "decision", "ns", True, "<= 1000 ns, flat")
    for _ in range(1 if options.quick else 3):
        out = subprocess.run([world.program("policy_cost")], capture_output=True, text=True, check=True).stdout
        for line in out.splitlines()[1:]:
            entries, *loaded, exact, suffix, none = line.split()
            for figure, value in zip((load, faults, again, size), loaded):
                figure.add(f"{entries} entries", float(value))
            for name, value in (("exact", exact), ("suffix", suffix), ("no entry", none)):
                decide.add(f"{name}, {entries} entries", float(value))
    yield from (load, faults, again, size, decide)


def relay(world, options):
    """What the library cannot cover passes a relay of egret's own: beside proxies, and the library for comparison."""
    kinds = [ways.Native, ways.Egret, ways.Relay, ways.Stunnel, ways.Haproxy]
    mib, count = options.scale(512, 96), options.scale(10000, 2000)
    for direction, word in (("send", "sent"), ("recv", "received")):
        speed = Figure(f"relay_{direction}", f"a static program in the sandbox: bulk {word}, 64 KiB calls", "MB/s", False)
        rounds_of(world, options, kinds, world.server("right", "aes128"), True, [direction, 65536, mib, 1],
                  lambda name, result, figure=speed: figure.add(name, result["bytes"] / result["seconds"] / 1e6))
        yield speed
    echo = Figure("relay_echo", "a static program in the sandbox: 64-byte round trip", "us", True)
    rounds_of(world, options, kinds, world.server(), True, ["echo", count, 1], lambda name, result: echo.add(name, result["p50_us"]))
    yield echo


def sandbox(world, options):
    """What the supervisor adds to a system call: bare and sandboxed in turn, the quickest tenth of each."""
    policy = world.write("sandbox.ini", "[egret]\n")
    calls = [world.program("sandbox_calls"), str(options.scale(1000, 300))]
    figure = Figure("sandbox", "what the sandbox adds to a system call", "us", True,
                    "<= 15 us connect_nonblocking, 25 connect_blocking, 0.05 getppid")
    for _ in range(options.rounds):
        bare = lines(calls)
        covered = lines([world.command, "run", "--sandbox=require", "-c", policy, "--"] + calls)
        for call, value in bare.items():
            figure.add(call, (covered[call] - value) / 1000)
    yield figure


def lines(argv):
    """The quickest tenth of each call, ns, as sandbox_calls prints it."""
    done = subprocess.run(argv, env=BARE, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=180, check=True)
    return {line.split()[0]: float(line.split()[1]) for line in done.stdout.splitlines()}


def memory(world, options):
    figure = Figure("idle", "memory of an idle connection", "bytes", True, "<= native")
    count = options.scale(10000, 500)
    for _ in range(1 if options.quick else 3):
        for kind in ways.ALL[:2]:
            it = way(world, kind, world.server())
            argv = ["prlimit", "--nofile=19000"] + it.argv(world) + [str(it.port()), "idle", str(count)]
            figure.add(kind.name, run(argv, it.environment())["bytes_each"])
    yield figure


def http(world, options):
    """What the observer costs beside the same TLS unobserved (tests/bench/http)."""
    columns = [Figure("http_rate", "requests over TLS, one thread, 4 connections (wrk)", "requests/s", False),
               Figure("http_cpu", "CPU of the client for a request over TLS (ab, keep-alive)", "us", True),
               Figure("http_body", "CPU of the client for a body of 256 MiB over TLS (curl)", "ms", True)]
    script = [os.path.join(ROOT, "tests", "bench", "http"), "--rounds-only", str(options.scale(options.rounds, 1)), str(options.scale(20000, 4000))]
    done = subprocess.run(script, env={**BARE, "EGRET_BUILD": world.build}, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise SystemExit(f"bench: http: {done.stderr[-2000:]}")
    for line in done.stdout.splitlines():
        name, *values = line.split("\t")
        for figure, value in zip(columns, values):
            figure.add(name, float(value))
    yield from columns


GROUPS = {"bulk": bulk, "round_trip": round_trip, "connections": connections, "fresh": fresh, "launch": launch, "hooks": hooks, "counted": counted,
          "decisions": decisions, "memory": memory, "relay": relay, "sandbox": sandbox, "http": http}


def peers_missing():
    return [p for p in ("stunnel4", "haproxy", "nginx", "wrk", "ab", "curl") if not shutil.which(p) and not os.path.exists("/usr/sbin/" + p)]
