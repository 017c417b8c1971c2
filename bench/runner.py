# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Measurements: runs of the load generator, their results, and warnings about them."""

import collections
import contextlib
import glob
import json
import os
import re
import statistics
import sys

from cpuwatch import CpuWatch
from switches import ROOT
from lib.proc import run

LOSS = 0.001  # of the frames: a warning is printed if more are lost. Rings that are kept full lose some in any pause


def add_options(p):
    """Adds the options of every measurement to an argparse.ArgumentParser, which has --rounds and --seconds."""
    p.add_argument("--worker-cpu", type=int, default=1, help="where switches forward")
    p.add_argument("--other-cpu", type=int, default=0, help="where the load generator runs")
    p.add_argument("--binary", type=os.path.abspath, default=os.path.join(ROOT, "build", "vhost-switch"))
    p.add_argument("--loadgen", type=os.path.abspath, default=os.path.join(ROOT, "build", "loadgen"))
    p.add_argument("--tries", type=int, default=5, help="of a measurement that was disturbed, or failed")


def parsed(p):
    options = p.parse_args()
    if not {options.worker_cpu, options.other_cpu} <= os.sched_getaffinity(0):
        p.error(f"needs CPUs {options.worker_cpu} and {options.other_cpu}")
    if options.rounds < 1 or options.tries < 1 or options.seconds <= 0:
        p.error("--rounds, --tries and --seconds: positive numbers")
    return options


@contextlib.contextmanager
def preferred():
    """Gives what is started in the block precedence over other load; workers and a measuring generator get most.

    Linux divides CPUs among sessions first (autogroup), and looks at priorities only within a session.
    """
    os.setpriority(os.PRIO_PROCESS, 0, -19)
    group = "/proc/self/autogroup"
    if not os.path.exists(group):
        yield
        return
    before = _line(group).split()[-1]
    with open(group, "w", encoding="ascii") as f:
        f.write("-20")
    try:
        yield
    finally:
        with open(group, "w", encoding="ascii") as f:
            f.write(before)


def machine():
    """Returns a line that says on which machine the figures were taken."""
    with open("/proc/cpuinfo", encoding="ascii", errors="replace") as f:
        info = dict(re.findall(r"^(model name|cpu family|model)\s*:\s*(.*)$", f.read(), re.M))
    caches = []
    for index in sorted(glob.glob("/sys/devices/system/cpu/cpu0/cache/index*")):
        level, kind, size = (_line(os.path.join(index, name)) for name in ("level", "type", "size"))
        if kind != "Instruction":
            caches.append(f"L{level} {size}")
    name = info.get("model name", os.uname().machine)
    number = f" (family {info['cpu family']}, model {info['model']})" if "cpu family" in info else ""
    return f"Machine: {name}{number}, {os.cpu_count()} CPUs, {', '.join(caches) or 'caches unknown'}"


def _line(path):
    with open(path, encoding="ascii") as f:
        return f.read().strip()


class Failed(RuntimeError):
    """The generator could not measure; `result` is what it printed nevertheless."""

    def __init__(self, text, result):
        super().__init__(text)
        self.result = result


class Bench:
    def __init__(self, options, place):
        self.options = options
        self.place = place
        self.sent = 0  # frames, since somebody set it to 0
        self.samples = collections.defaultdict(list)  # (row, what ...) -> a figure a round
        self.warnings = collections.Counter()

    def warn(self, text):
        self.warnings[text] += 1
        print(f"    {text}", file=sys.stderr)

    def loadgen(self, *words):
        argv = [self.options.loadgen, "--cpu", self.place.other_cpu, *words]
        if "--ring" not in words:
            argv += ["--ring", self.options.ring]
        status, out, err = run(argv, check=False)
        result = dict(word.split("=", 1) for word in out.split())
        if status != 0:
            raise Failed(f"{' '.join(map(str, argv))}: status {status}\n{out}{err}".rstrip(), result)
        if err.strip():
            self.warnings[err.strip().splitlines()[-1]] += 1
        return result

    def _once(self, switch, words):
        """(result or None, what disturbed it)"""
        sockets = [word for path in switch.sockets for word in ("--socket", path)]
        if switch.client:
            sockets.append("--listen")
        watch = None
        if "bursts" not in words:  # medians over hundreds of bursts: disturbing a few does no harm
            watch = CpuWatch(switch.process.pid, self.place.worker_cpu)
        try:
            result = self.loadgen(*sockets, "--seconds", self.options.seconds, *words)
        except Failed as failure:
            if not switch.process.running():
                raise RuntimeError(f"{switch.name} ended\n{switch.process.tail()}") from failure
            return None, ["delivered nothing" if float(failure.result.get("mpps", 1)) == 0
                          else str(failure).splitlines()[-1]]
        self.sent += int(result["sent"])
        return result, watch.problems() if watch else []

    def measure(self, switch, *words, tries=None):
        """Runs the generator against a switch, again if it failed or if the switch did not have its CPU to itself."""
        kept = None
        tries = tries or self.options.tries
        for _ in range(tries):
            result, problems = self._once(switch, words)
            kept = result or kept
            if not problems:
                break
            if result is None:
                self.warn(f"{switch.name}: a run failed, and was tried again: {problems[0]}")
            else:
                print(f"    disturbed: {'; '.join(problems)}", file=sys.stderr)
        else:
            if kept is None:
                raise Failed(f"{switch.name}: {tries} runs failed, the last one: {problems[0]}", {})
            self.warnings[f"{switch.name}: kept a measurement that was disturbed"] += 1
        self._look_at(switch, kept)
        return kept

    def _look_at(self, switch, result):
        if int(result.get("lost", 0)) > LOSS * int(result["sent"]):
            self.warnings[f"{switch.name}: lost more than {LOSS:.1%} of the frames"] += 1
        if int(result.get("bad_used", 0)) > 0:
            self.warnings[f"{switch.name}: buffers came back out of order, or with a wrong length"] += 1

    def ceiling(self, *words):
        """Runs the generator with a thread that only gives buffers back, on the switch's CPU. No switch may run."""
        return self.loadgen("--mode", "ceiling", "--peer-cpu", self.place.worker_cpu, "--seconds", "0.5", *words)

    def add(self, *key, value):
        self.samples[key].append(float(value))

    def median(self, *key):
        return statistics.median(self.samples[key]) if self.samples[key] else None

    def ratio(self, above, below):
        """Returns the median of the rounds' ratios: what changes from round to round affects both sides of a ratio."""
        return statistics.median(a / b for a, b in zip(self.samples[above], self.samples[below]))

    def save(self, path):
        with open(path, "w", encoding="ascii") as f:
            json.dump({" ".join(map(str, key)): values for key, values in self.samples.items()}, f, indent=1)
