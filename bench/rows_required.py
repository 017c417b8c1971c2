# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The required figures, each as it is required: two rates measured in turn, the figure made of them, and its limit.

The switches of a round are started when they are first needed, and are stopped (SIGSTOP) except while they are
measured (turns.py), so the two sides of a figure are a second apart. A rate is the one that a tenth of the slices of
time, or of the bursts, exceed: other load on the machine only makes them slower. Lost frames are subtracted.
"""

import contextlib
import dataclasses
import os
import sys

import rows_pairs
from rows import BURSTS, READ_BURSTS, Row, line
from switches import OURS, Testpmd, Uplink, VhostSwitch
from turns import running, stopped

CEILING = "memcpy"  # one a frame, by the generator itself, while no switch runs
LOAD = 0.8  # of the highest rate, for the one-way time

TWO_CPUS = "two"  # a second worker, on the generator's CPU: in bursts, see rows_pairs.py
SETUPS = {  # how a switch is started: kind, and words for it
    "ours": (VhostSwitch, {}),
    "ours, 256 guests": (VhostSwitch, {"guests": 256}),
    "testpmd": (Testpmd, {}),
    "ours, uplink": (VhostSwitch, {"uplink": Uplink("net_null0,no-rx=1")}),
    "testpmd, uplink": (Testpmd, {"uplink": Uplink("net_null0,no-rx=1")}),
    "ours, offloads": (VhostSwitch, {"options": VhostSwitch.offloads}),
    "ours, 2 workers": (VhostSwitch, {"worker_cpus": TWO_CPUS}),
}

SMALL = ("--ring", 256)  # what QEMU gives a guest unless told otherwise
OUT = ("--guests", 1, "--flows", "out")
INTO = ("--guests", 3, "--flows", "into")

WORKER_BURSTS, PAIR_BURSTS = 1, 2
BURST_WORDS = {  # of Figure.bursts, and whether frames are read
    (0, False): (), (0, True): (),
    (WORKER_BURSTS, False): BURSTS, (WORKER_BURSTS, True): READ_BURSTS,
    (PAIR_BURSTS, False): rows_pairs.BURSTS, (PAIR_BURSTS, True): READ_BURSTS,
}


def words(size, *more):
    return ("--size", size, *more)


def guests(n, *more):
    return words(64, "--guests", n, *SMALL, *more)


@dataclasses.dataclass(frozen=True)
class Figure:
    """`way` of the two rates: above / below, below / above, cycles that the first costs on top of the second, or the
    one-way time at LOAD of the first rate."""

    name: str
    limit: float
    above: tuple  # (one of SETUPS, or CEILING; words for the generator)
    below: tuple
    way: str = "ratio"
    bursts: int = 0  # while the generator sleeps: what the switch alone does

    @property
    def more(self):
        return self.way == "ratio"


FIGURES = (
    Figure("64 B, split / dpdk-testpmd", 3.0, ("ours", words(64)), ("testpmd", words(64))),
    Figure("64 B, packed / dpdk-testpmd, packed", 2.4, ("ours", words(64, "--rings", "packed")),
           ("testpmd", words(64, "--rings", "packed"))),
    Figure("256 B, split / dpdk-testpmd", 2.7, ("ours", words(256)), ("testpmd", words(256))),
    Figure("1518 B / one memcpy a frame", 1.05, ("ours", words(1518)), (CEILING, words(1518))),
    Figure("1518 B, rings of 256 / one memcpy a frame", 0.85, ("ours", words(1518, *SMALL)),
           (CEILING, words(1518, *SMALL))),
    Figure("64 B, guest to uplink / dpdk-testpmd", 1.2, ("ours, uplink", words(64, *OUT)),
           ("testpmd, uplink", words(64, *OUT))),
    Figure("64 guests all send: a frame's time / with 2", 1.3, ("ours, 256 guests", guests(64, "--flows", "ring")),
           ("ours, 256 guests", guests(2)), "cost"),
    Figure("256 guests, 2 talk: a frame's time / with 2", 1.1, ("ours, 256 guests", guests(256)),
           ("ours, 256 guests", guests(2)), "cost"),
    Figure("256 guests all send: a frame's time / with 2", 1.4, ("ours, 256 guests", guests(256, "--flows", "ring")),
           ("ours, 256 guests", guests(2)), "cost"),
    Figure("64 B, checksum completed: cycles on top", 80, ("ours, offloads", words(64, "--frames", "csum")),
           ("ours, offloads", words(64)), "cycles", WORKER_BURSTS),
    Figure("1518 B, checksum completed / plain", 0.7, ("ours, offloads", words(1518, "--frames", "csum")),
           ("ours, offloads", words(1518)), bursts=WORKER_BURSTS),
    Figure("two workers into one ring / one worker", 1.3, ("ours, 2 workers", words(64, *INTO)),
           ("ours", words(64, *INTO)), bursts=PAIR_BURSTS),
    Figure("us, 99th percentile at 80 % of the highest rate", 20, ("ours", words(64)),
           ("ours", words(64, "--mode", "paced")), "time"),
)


class Turns:
    """The switches of one round, each started when it is first needed."""

    def __init__(self, bench, stack):
        self.bench = bench
        self.stack = stack
        self.switches = {}

    def _switch(self, setup):
        if setup not in self.switches:
            kind, given = SETUPS[setup]
            given = dict(given)
            place = self.bench.place
            if given.get("worker_cpus") == TWO_CPUS:
                given["worker_cpus"] = [place.worker_cpu, place.other_cpu]
            directory = os.path.join(place.directory, f"r{list(SETUPS).index(setup)}")
            switch = kind(dataclasses.replace(place, directory=directory), **given)
            self.switches[setup] = self.stack.enter_context(stopped(switch))
        return self.switches[setup]

    def measure(self, setup, *argv):
        if setup == CEILING:
            return self.bench.ceiling("--copy", "--seconds", self.bench.options.seconds, *argv)
        switch = self._switch(setup)
        with running(switch):
            return self.bench.measure(switch, *argv)

    def rate(self, setup, argv):
        """Returns frames/s as they arrive, and the ticks of a second. In bursts the reader's time is added."""
        result = self.measure(setup, *argv)
        lost = max(0, int(result.get("lost", 0))) / int(result["sent"])
        rate, hz = float(result["mpps_high"]) * 1e6 * (1 - lost), float(result["hz"])
        return 1 / (1 / rate + float(result.get("read_cycles", 0)) / hz), hz


class Required(Row):
    name = "required"
    shared = False

    def __init__(self, bench, read=False):
        super().__init__(bench, read)
        kinds = {name: SETUPS[name][0].name for name in SETUPS} | {CEILING: OURS}
        self.figures = [f for f in FIGURES if bench.options.case in f.name
                        and self.ran(kinds[f.above[0]], kinds[f.below[0]])
                        and not (read and "out" in f.above[1])]

    def turns(self, number):
        print(f"round {number} of {self.bench.options.rounds}: {self.key}", file=sys.stderr)
        with contextlib.ExitStack() as stack:
            turns = Turns(self.bench, stack)
            for figure in self.figures:
                if figure.way == "time":
                    self._time(turns, figure)
                else:
                    self._two_rates(turns, figure, number % 2 == 0)

    def _words(self, figure, argv):
        return (*argv, *BURST_WORDS[figure.bursts, self.read], *self.reading())

    def _two_rates(self, turns, figure, swap):
        sides = [("above", figure.above), ("below", figure.below)]
        rate = {}
        for side, (setup, argv) in reversed(sides) if swap else sides:
            rate[side], hz = turns.rate(setup, self._words(figure, argv))
            self.add(figure.name, side, value=rate[side] / 1e6)
        if figure.way == "ratio":
            value = rate["above"] / rate["below"]
        elif figure.way == "cost":
            value = rate["below"] / rate["above"]
        else:
            value = hz / rate["above"] - hz / rate["below"]
        self.add(figure.name, value=value)

    def _time(self, turns, figure):
        setup, argv = figure.above
        rate = float(turns.measure(setup, *self._words(figure, argv))["rate"])
        setup, argv = figure.below
        result = turns.measure(setup, *self._words(figure, argv), "--rate", int(LOAD * rate))
        # The rate is lower than what was asked for if the switch or the generator was too slow.
        asked = int(result["samples"]) + int(result["skipped"]) + int(result["blind"])
        self.add(figure.name, "above", value=rate / 1e6)
        self.add(figure.name, "below", value=LOAD * rate / 1e6 * int(result["samples"]) / asked)
        self.add(figure.name, value=result["p99_us"])

    def show(self):
        if not self.figures:
            return
        self.title("Required figures: two rates in millions of frames/s, and what comes of them",
                   "first", "second", "value", "worst", "best", width=10)
        for figure in self.figures:
            values = sorted(self.bench.samples[self.key, figure.name])
            ends = values if figure.more else values[::-1]
            line(figure.name, *(f"{self.median(figure.name, side):.2f}" for side in ("above", "below")),
                 *(f"{value:.2f}" for value in (self.median(figure.name), ends[0], ends[-1])), width=10)

    def required(self):
        for figure in self.figures:
            name = f"{figure.name}, read" if self.read else figure.name
            yield name, self.median(figure.name), figure.limit, figure.more
