#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Is this vhost-switch as fast as another build of it, say, of the commit before?

    make bench-against BEFORE=/path/to/the/other/vhost-switch [BENCH_ARGS='--rounds 9']

Both builds run on the same CPU, and one of them is always stopped (SIGSTOP). So a case is measured
on one and a moment later on the other; which one is first alternates. A case's figure is the ratio
of this build's rate to the other's, as the median over the rounds: 1.00 is equal, more is faster.
The last two columns are the figures themselves, in millions of frames/s or in microseconds.
`--limit` is what each ratio has to reach.
"""

import argparse
import dataclasses
import itertools
import os
import shutil
import signal
import statistics
import sys
import tempfile

from rows import BURSTS, READ_BURSTS
from runner import Bench, Failed, add_options, machine, parsed, preferred
from switches import Place, VhostSwitch
from turns import running, stopped

SIZES = (64, 256, 1518)
# What drivers do: a descriptor is written again for each buffer (pump.h). FIXED is written once.
FIXED, SPLIT = "fixed", "split"
LABELS = {FIXED: "split", SPLIT: "split, written again", "packed": "packed"}
KINDS = {"udp": "plain", "csum": "checksum completed"}
# Rings as QEMU makes them: with 64 guests and rings of 1024 the generator's buffers leave the cache.
MANY = ("--guests", 64, "--ring", 256)
GUESTS_MAX = 256


def cases():
    """name -> (the generator's words, the figure that it prints, whether more is better)

    The figure is the rate that a tenth of the bursts, or of the slices of time, exceed: other load only makes them
    slower.
    """
    for rings, size in itertools.product(LABELS, SIZES):
        words = ("--rings", rings, "--size", size)
        if rings != SPLIT:
            yield f"{LABELS[rings]} {size} B, bursts", (words + BURSTS, "mpps_high", True)
        yield f"{LABELS[rings]} {size} B, guests poll", (words, "mpps_high", True)
        yield f"{LABELS[rings]} {size} B, guests poll, read", (words + ("--read",), "mpps_high", True)
    for size, (kind, label) in itertools.product((64, 1518), KINDS.items()):
        words = ("--frames", kind, "--size", size)
        yield f"{label} {size} B, bursts", (words + BURSTS, "mpps_high", True)
        yield f"{label} {size} B, bursts, read", (words + READ_BURSTS + ("--read",), "mpps_high", True)
        yield f"{label} {size} B, guests poll, read", (words + ("--read",), "mpps_high", True)
    for rings, size in itertools.product((FIXED, "packed"), SIZES):
        words = MANY + ("--rings", rings, "--size", size)
        yield f"64 guests, {LABELS[rings]}, all send, {size} B", (words + ("--flows", "ring"), "mpps_high", True)
        yield f"64 guests, {LABELS[rings]}, 2 talk, {size} B", (words, "mpps_high", True)
    for label, more in (("", ()), (", read", ("--read",))):
        words = ("--guests", GUESTS_MAX, "--ring", 256, "--size", 64, "--flows", "ring")
        yield f"{GUESTS_MAX} guests, all send, 64 B{label}", (words + more, "mpps_high", True)
    yield "median one-way time at 100,000/s", (("--mode", "latency", "--rate", 100_000), "median_us", False)


def parse_options():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("before", type=os.path.abspath, help="the other build")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--seconds", type=float, default=0.3, help="of each measurement")
    p.add_argument("--case", default="", help="only cases whose name has this in it")
    p.add_argument("--limit", type=float, default=0.0, help="exit with 2 when a case is below it")
    p.add_argument("--ring", type=int, default=1024, help="ring size of guests, where a case does not say")
    add_options(p)
    return parsed(p)


def measure(bench, places, chosen):
    # Guests use these options only where a case has them do so.
    this, before = (VhostSwitch(places[which], guests=GUESTS_MAX, options=VhostSwitch.offloads)
                    for which in ("this", "before"))
    with stopped(this), stopped(before):
        switches = [("this", this), ("before", before)]
        for number in range(bench.options.rounds):
            print(f"round {number + 1} of {bench.options.rounds}", file=sys.stderr)
            for name, (words, figure, _) in chosen.items():
                for which, switch in switches:
                    with running(switch):
                        bench.add(which, name, value=bench.measure(switch, *words)[figure])
                switches.reverse()


def report(bench, chosen):
    print(f"\n{machine()}")
    print(f"\n{'this build / the other':44}{'median':>9}{'worst':>9}{'best':>9}{'this':>12}{'other':>9}")
    good = True
    for name, (_, _, more) in chosen.items():
        pairs = zip(bench.samples["this", name], bench.samples["before", name])
        ratios = [a / b if more else b / a for a, b in pairs]
        middle = statistics.median(ratios)
        good = good and middle >= bench.options.limit
        print(f"{name:44}{middle:9.3f}{min(ratios):9.3f}{max(ratios):9.3f}"
              f"{bench.median('this', name):12.3f}{bench.median('before', name):9.3f}")
    for text, count in bench.warnings.items():
        print(f"warning ({count} times): {text}")
    return good


def end(*_):
    raise SystemExit(1)


def main():
    options = parse_options()
    chosen = {name: case for name, case in cases() if options.case in name}
    if not chosen:
        sys.exit(f"bench-against: --case '{options.case}': no case has this in its name")
    signal.signal(signal.SIGTERM, end)
    directory = tempfile.mkdtemp(prefix="vsb-", dir="/tmp")
    try:
        place = Place(directory, options.binary, options.worker_cpu, options.other_cpu)
        bench = Bench(options, place)
        places = {"this": place, "before": dataclasses.replace(place, binary=options.before,
                                                               directory=os.path.join(directory, "before"))}
        with preferred():
            measure(bench, places, chosen)
        sys.exit(0 if report(bench, chosen) else 2)
    except (Failed, RuntimeError, TimeoutError) as problem:
        sys.exit(f"bench-against: {problem}")
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    main()
