"""One measurement, and rounds of them: the contenders take turns, so that a machine that drifts drifts for all."""
import json
import os
import statistics
import subprocess

BARE = {k: v for k, v in os.environ.items() if k != "LD_PRELOAD" and not k.startswith("EGRET_")}


class Figure:
    """A row of results: for each contender the values of the rounds. UNIT tells what they are; LOWER: less is better."""

    def __init__(self, key, title, unit, lower, target=None):
        self.key, self.title, self.unit, self.lower, self.target = key, title, unit, lower, target
        self.rounds = {}

    def add(self, name, value):
        self.rounds.setdefault(name, []).append(value)

    def median(self, name):
        return statistics.median(self.rounds[name])

    def spread(self, name):
        return min(self.rounds[name]), max(self.rounds[name])

    def ratio(self, name, base):
        """The median of the rounds' own ratios."""
        if name not in self.rounds or base not in self.rounds:
            return None
        pairs = [a / b for a, b in zip(self.rounds[name], self.rounds[base]) if b]
        return statistics.median(pairs) if pairs else None


def run(argv, environment=None, cpus=None, timeout=180):
    """Runs ARGV and returns the JSON of its last line."""
    pin = (lambda: os.sched_setaffinity(0, cpus)) if cpus else None
    done = subprocess.run(argv, env={**BARE, **(environment or {})}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=timeout, preexec_fn=pin)
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(argv)} ended with {done.returncode}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def client(world, way, job, cpus=None):
    """The client's JSON for JOB over WAY, with the CPU seconds of all processes between program and server in "cpu_all"."""
    before = way.helper.cpu() if way.helper else 0
    result = run(way.argv(world) + [str(way.port())] + [str(word) for word in job], way.environment(), cpus)
    result["cpu_all"] = result.get("cpu", 0) + (way.helper.cpu() - before if way.helper else 0)
    return result
