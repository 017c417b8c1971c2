#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""How fast is vhost-switch, beside dpdk-testpmd and Open vSwitch with DPDK?

Each round starts each switch in turn (A B C A B C ...), has the load generator play the guests,
and ends it again, so that other load on the machine affects all of them alike. It prints medians
over the rounds (for a ratio, the median of the rounds' ratios), and every required figure with
`pass`, `below` or `above` beside it.

Needs two CPUs with nothing else to do, hugepages, and root. A measurement during which something
else ran on the forwarding CPU, or that failed, is repeated.
"""

import argparse
import shutil
import signal
import sys
import tempfile

from switches import SWITCHES, Place
from rows import Guests, Latency, Packed, Throughput
from rows_control import ControlRow
from rows_drivers import Drivers
from rows_offload import Offload
from rows_pairs import Pairs
from rows_required import Required
from rows_uplink import UplinkRow
from rows_vm import Vm
from runner import Bench, add_options, machine, parsed, preferred

KINDS = (Throughput, Latency, Guests, Packed, UplinkRow, Pairs, Offload, ControlRow, Drivers, Required, Vm)
ROWS = {row.name: row for row in KINDS}

READ = {"no": (False,), "yes": (True,), "both": (False, True)}


def run_round(bench, rows, number):
    shared = [row for row in rows if row.shared]
    for name in bench.options.only:
        if shared:
            print(f"round {number} of {bench.options.rounds}: {name}", file=sys.stderr)
            with SWITCHES[name](bench.place) as switch:
                if number == 1:
                    # Checks that what is measured is delivered at all: contents, order, nothing lost at an easy rate.
                    bench.measure(switch, "--mode", "verify", "--rate", 50_000, "--flows", "both")
                for row in shared:
                    row.on(switch)
        for row in rows:
            if not row.shared:
                row.own(SWITCHES[name])
    for row in rows:
        row.limits()
        row.turns(number)


def print_required(rows):
    """Prints each required figure. Returns True if all are reached."""
    met = True
    lines = [line for row in rows for line in row.required()]
    if lines:
        print("\nRequired\n")
    for what, value, limit, more in lines:
        good = value >= limit if more else value <= limit
        met = met and good
        print(f"{what:56}{value:12.2f}   at {'least' if more else 'most '} {limit:5.2f}   "
              f"{'pass' if good else 'below' if more else 'above'}")
    return met


def report(bench, rows):
    print(f"\n{machine()}")
    for row in rows:
        row.show()
    met = print_required(rows)
    for text, count in bench.warnings.items():
        print(f"\nwarning ({count} times): {text}")
    if bench.options.json:
        bench.save(bench.options.json)
    return met


def choice(allowed):
    def parse(text):
        words = text.split(",")
        for word in words:
            if word not in allowed:
                raise argparse.ArgumentTypeError(f"'{word}': not one of {', '.join(allowed)}")
        return words
    return parse


def parse_options():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=float, default=1.0, help="of each measurement")
    p.add_argument("--only", type=choice(SWITCHES), default=list(SWITCHES), help="switches, with commas between")
    p.add_argument("--what", type=choice(ROWS), default=[name for name in ROWS if not ROWS[name].asked],
                   help="measurements, with commas between; default: all except vm")
    p.add_argument("--read", choices=READ, default="both",
                   help="measure with receivers that read every byte of each frame, or that read none; default: both")
    p.add_argument("--ring", type=int, default=1024, help="ring size of all guests")
    p.add_argument("--case", default="", help="of the required figures only those whose name has this in it")
    add_options(p)
    p.add_argument("--json", metavar="FILE", help="write all samples there")
    p.add_argument("--strict", action="store_true", help="exit with 2 when a required figure is not reached")
    return parsed(p)


def end(*_):
    """Does as an interrupt does: everything that was started is ended on the way out."""
    raise SystemExit(1)


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, end)
    # Short, since a socket's path has at most 107 bytes.
    directory = tempfile.mkdtemp(prefix="vsb-", dir="/tmp")
    try:
        bench = Bench(options, Place(directory, options.binary, options.worker_cpu, options.other_cpu))
        rows = [ROWS[name](bench, read) for read in READ[options.read] for name in options.what
                if ROWS[name].reads or not read]
        with preferred():
            for number in range(1, options.rounds + 1):
                run_round(bench, rows, number)
        return 0 if report(bench, rows) or not options.strict else 2
    except (RuntimeError, AssertionError, TimeoutError) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(directory)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(1)
