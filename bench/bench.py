#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""How fast is vhost-switch, beside dpdk-testpmd and Open vSwitch with DPDK?

Each round starts each switch in turn (A B C A B C ...), has the load generator play the guests,
and ends it again, so that whatever the machine does meanwhile meets all of them alike. What is
printed are medians over the rounds, and every required figure with `pass` or `below` beside it.

Needs two CPUs with nothing else to do, hugepages, and root. A measurement during which something
else ran on the forwarding CPU is repeated.
"""

import argparse
import collections
import json
import os
import shutil
import signal
import statistics
import sys
import tempfile

from cpuwatch import CpuWatch
from switches import ROOT, SWITCHES, Place, Uplink, run
from wire import write_pcap

OURS, TESTPMD, OVS = SWITCHES
SIZES = (64, 256, 1518)
RATES = (100_000, 1_000_000)
MANY = 64  # guests
# What QEMU and virtio-user give a guest unless told otherwise. The requirement for MANY guests is
# measured with it: their rings and buffers then stay in the last cache. With rings of 1024 they do
# not, and one bare memcpy a frame already costs more than the whole frame may (the table shows it).
COMMON_RING = 256
WHAT = ("throughput", "latency", "guests", "uplink")
FCS = 4  # bytes of a frame's size that are not in memory
TAG = 4  # bytes of a VLAN tag
REPEATS = 5  # of a measurement that was disturbed
LOSS = 0.001  # of the frames: more is worth a word. Rings that are kept full lose some to any pause

# At least so many times as fast, by frame size.
FASTER = {TESTPMD: {64: 2.2, 1518: 1.4}, OVS: {64: 3.5, 1518: 1.5}}
MEDIAN_US = 2.0  # at most, at each of RATES
GUESTS = {"two": (), "idle": ("--guests", MANY), "sending": ("--guests", MANY, "--flows", "ring")}
UPLINKS = {  # way of the frames: what is printed
    "out": "guest to uplink (net_null swallows them)",
    "in": "uplink to guest (net_pcap plays frames without end)",
    "loop": "guest to uplink and back (net_ring brings back what it is given)",
}
COST = {"idle": 1.25, "sending": 1.5}  # of a frame with MANY guests, at most, in that with 2


class Bench:
    def __init__(self, options, place):
        self.options = options
        self.place = place
        self.sent = 0  # frames, since somebody set it to 0
        self.samples = collections.defaultdict(list)  # (switch, what ...) -> figures
        self.warnings = collections.Counter()

    def loadgen(self, *words):
        argv = [self.options.loadgen, "--cpu", self.place.other_cpu, "--ring", self.options.ring, *words]
        status, out, err = run(argv, check=False)
        if err.strip():
            self.warnings[err.strip().splitlines()[-1]] += 1
        if status != 0:
            raise RuntimeError(f"{' '.join(map(str, argv))}: status {status}\n{out}{err}")
        return dict(word.split("=", 1) for word in out.split())

    def measure(self, switch, *words):
        """One run of the generator against a switch; again if the CPU was not the switch's alone."""
        sockets = [word for path in switch.sockets for word in ("--socket", path)]
        for _ in range(REPEATS):
            watch = CpuWatch(switch.process.pid, self.place.worker_cpu)
            result = self.loadgen(*sockets, "--seconds", self.options.seconds, *words)
            self.sent += int(result["sent"])
            problems = watch.problems()
            if not problems:
                break
            print(f"    disturbed: {'; '.join(problems)}", file=sys.stderr)
        else:
            self.warnings[f"{switch.name}: kept a measurement that was disturbed"] += 1
        if int(result.get("lost", 0)) > LOSS * int(result["sent"]):
            self.warnings[f"{switch.name}: lost more than {LOSS:.1%} of the frames"] += 1
        if int(result.get("bad_used", 0)) > 0:
            self.warnings[f"{switch.name}: buffers came back out of order, or with a wrong length"] += 1
        return result

    def verify(self, switch):
        """That what is measured is delivered at all: contents, order, nothing lost at an easy rate."""
        self.measure(switch, "--mode", "verify", "--rate", 50_000, "--flows", "both")

    def throughput(self, switch):
        for size in SIZES:
            result = self.measure(switch, "--size", size)
            self.samples[switch.name, size].append(float(result["mpps"]))

    def latency(self, switch):
        for rate in RATES:
            result = self.measure(switch, "--mode", "latency", "--rate", rate)
            for figure in ("median_us", "p99_us"):
                self.samples[switch.name, figure, rate].append(float(result[figure]))

    def rings(self):
        return sorted({COMMON_RING, self.options.ring})

    def guests(self, switch):
        """What a frame costs with 2 guests, with MANY of which 2 talk, and with all of them sending."""
        if not switch.many_guests:
            return
        for ring in self.rings():
            for name, words in GUESTS.items():
                result = self.measure(switch, "--ring", ring, *words)
                self.samples[switch.name, "cost", ring, name].append(float(result["ns_per_frame"]))

    def uplink_out(self, kind):
        with kind(self.place, Uplink("net_null0,no-rx=1")) as switch:
            self.sent = 0
            for size in SIZES:
                yield size, self.measure(switch, "--guests", 1, "--flows", "out", "--size", size)
            # What was taken from the guest is what was measured; it must have gone there.
            if switch.uplink_frames() < (1 - LOSS) * self.sent:
                self.warnings[f"{kind.name}: not all that it took reached the uplink"] += 1

    def uplink_in(self, kind):
        for size in SIZES:
            path = os.path.join(self.place.directory, f"{size}.pcap")
            write_pcap(path, size - FCS)
            with kind(self.place, Uplink(f"net_pcap0,rx_pcap={path},infinite_rx=1")) as switch:
                seen = size if kind.strips else size + TAG
                yield size, self.measure(switch, "--guests", 1, "--flows", "in", "--size", seen)

    def uplink_loop(self, kind, check):
        with kind(self.place, Uplink("net_ring0", loops=True)) as switch:
            if check:
                self.measure(switch, "--mode", "verify", "--rate", 50_000, "--guests", 1, "--flows", "loop")
            for size in SIZES:
                yield size, self.measure(switch, "--guests", 1, "--flows", "loop", "--size", size)

    def uplink(self, kind, check):
        """One guest, and an uplink that costs little, and the same in each switch.

        net_null takes all there is; without no-rx it would bring as many frames of zeroes, which every switch
        would have to get rid of. net_pcap brings real frames, with the guest's tag, out of memory. net_ring
        brings back what it was given: both ways in one, and the one in which contents and order can be checked.
        """
        for way, results in (("out", self.uplink_out(kind)), ("in", self.uplink_in(kind)),
                             ("loop", self.uplink_loop(kind, check))):
            for size, result in results:
                self.samples[kind.name, way, size].append(float(result["mpps"]))

    def between_guests(self, kind, check):
        with kind(self.place) as switch:
            if check:
                self.verify(switch)
            for what in self.options.what:
                if what != "uplink":
                    getattr(self, what)(switch)

    def round(self, number):
        for name in self.options.only:
            print(f"round {number} of {self.options.rounds}: {name}", file=sys.stderr)
            if self.options.what != ["uplink"]:
                self.between_guests(SWITCHES[name], number == 1)
            if "uplink" in self.options.what:
                self.uplink(SWITCHES[name], number == 1)

    def ceiling(self, *words):
        return self.loadgen("--mode", "ceiling", "--peer-cpu", self.place.worker_cpu, "--seconds", "0.5", *words)

    def limits(self):
        """What the machine could do: the generator with a thread that only gives buffers back, or copies too.

        With no switch running: the thread needs its CPU.
        """
        if "throughput" in self.options.what:
            for size in SIZES:
                for key, words in (("used", ()), ("copy", ("--copy",))):
                    result = self.ceiling("--size", size, *words)
                    self.samples[key, size].append(float(result["mpps"]))
        if "guests" in self.options.what and OURS in self.options.only:
            for ring in self.rings():
                for name, words in GUESTS.items():
                    result = self.ceiling("--copy", "--ring", ring, *words)
                    self.samples["copy", "cost", ring, name].append(float(result["ns_per_frame"]))

    def median(self, *key):
        return statistics.median(self.samples[key]) if self.samples[key] else None

    # What is printed.

    def print_throughput(self):
        print("\nMillions of frames/s, guest to guest, one direction, one core\n")
        print(f"{'':44}" + "".join(f"{f'{size} B':>12}" for size in SIZES))
        rows = [(name, name) for name in self.options.only]
        rows += [("copy", "(nothing but one memcpy a frame)"), ("used", "(the generator's own limit)")]
        for key, label in rows:
            print(f"{label:44}" + "".join(f"{self.median(key, size):12.2f}" for size in SIZES))
        self.print_ratios()

    def print_ratios(self, *way):
        for other in (TESTPMD, OVS):
            if OURS in self.options.only and other in self.options.only:
                ratios = (self.median(OURS, *way, size) / self.median(other, *way, size) for size in SIZES)
                print(f"{f'{OURS} / {other}':44}" + "".join(f"{ratio:11.2f}x" for ratio in ratios))

    def print_uplink(self):
        for way, text in UPLINKS.items():
            print(f"\nMillions of frames/s, {text}, one core\n")
            print(f"{'':44}" + "".join(f"{f'{size} B':>12}" for size in SIZES))
            for name in self.options.only:
                print(f"{name:44}" + "".join(f"{self.median(name, way, size):12.2f}" for size in SIZES))
            self.print_ratios(way)

    def print_latency(self):
        print("\nMicroseconds from posting to arrival, 64 B: median (99th percentile)\n")
        print(f"{'':44}" + "".join(f"{f'{rate:,}/s':>20}" for rate in RATES))
        for name in self.options.only:
            cells = (f"{self.median(name, 'median_us', rate):.2f} ({self.median(name, 'p99_us', rate):.2f})"
                     for rate in RATES)
            print(f"{name:44}" + "".join(f"{cell:>20}" for cell in cells))

    def print_guests(self):
        print("\nNanoseconds a frame, 64 B, by ring size\n")
        print(f"{'':44}" + "".join(f"{ring:12}" for ring in self.rings()))
        labels = {"two": "2 guests", "idle": f"{MANY} guests, of which 2 talk", "sending": f"{MANY} guests, all send"}
        for key, before, after in ((OURS, f"{OURS}, ", ""), ("copy", "(one memcpy a frame, ", ")")):
            for name, label in labels.items():
                print(f"{before + label + after:44}"
                      + "".join(f"{self.median(key, 'cost', ring, name):12.1f}" for ring in self.rings()))

    def required(self):
        """(what, measured, limit, whether more is better) of each required figure that was measured."""
        if OURS not in self.options.only:
            return
        if "throughput" in self.options.what:
            for other, wanted in FASTER.items():
                for size, factor in wanted.items():
                    if other in self.options.only:
                        ratio = self.median(OURS, size) / self.median(other, size)
                        yield f"{size} B, times as fast as {other}", ratio, factor, True
        if "latency" in self.options.what:
            for rate in RATES:
                yield f"us, median at {rate:,} frames/s", self.median(OURS, "median_us", rate), MEDIAN_US, False
        if "guests" in self.options.what:
            for name, limit in COST.items():
                cost = self.median(OURS, "cost", COMMON_RING, name) / self.median(OURS, "cost", COMMON_RING, "two")
                yield f"times the cost of 2 guests, with {MANY} {name}", cost, limit, False

    def print_required(self):
        """Prints each required figure; whether all are met."""
        met = True
        lines = list(self.required())
        if lines:
            print("\nRequired\n")
        for what, value, limit, more in lines:
            good = value >= limit if more else value <= limit
            met = met and good
            print(f"{what:44}{value:12.2f}   at {'least' if more else 'most '} {limit:5.2f}   "
                  f"{'pass' if good else 'below' if more else 'above'}")
        return met

    def report(self):
        for what, show in (("throughput", self.print_throughput), ("latency", self.print_latency),
                           ("uplink", self.print_uplink)):
            if what in self.options.what:
                show()
        if "guests" in self.options.what and OURS in self.options.only:
            self.print_guests()
        met = self.print_required()
        for text, count in self.warnings.items():
            print(f"\nwarning ({count} times): {text}")
        if self.options.json:
            with open(self.options.json, "w", encoding="ascii") as f:
                json.dump({" ".join(map(str, key)): values for key, values in self.samples.items()}, f, indent=1)
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
    p.add_argument("--what", type=choice(WHAT), default=list(WHAT), help="measurements, with commas between")
    p.add_argument("--ring", type=int, default=1024, help="ring size of all guests")
    p.add_argument("--worker-cpu", type=int, default=1, help="where switches forward")
    p.add_argument("--other-cpu", type=int, default=0, help="where the load generator runs")
    p.add_argument("--binary", type=os.path.abspath, default=os.path.join(ROOT, "build", "vhost-switch"))
    p.add_argument("--loadgen", type=os.path.abspath, default=os.path.join(ROOT, "build", "loadgen"))
    p.add_argument("--json", metavar="FILE", help="write all samples there")
    p.add_argument("--strict", action="store_true", help="exit with 2 when a required figure is not reached")
    options = p.parse_args()
    if not {options.worker_cpu, options.other_cpu} <= os.sched_getaffinity(0):
        p.error(f"needs CPUs {options.worker_cpu} and {options.other_cpu}")
    if options.rounds < 1 or options.seconds <= 0:
        p.error("--rounds and --seconds: positive numbers")
    return options


def end(*_):
    """As for an interrupt: everything that was started is ended on the way out."""
    raise SystemExit(1)


def main():
    options = parse_options()
    signal.signal(signal.SIGTERM, end)
    # Short, since a socket's path has at most 107 bytes.
    directory = tempfile.mkdtemp(prefix="vsb-", dir="/tmp")
    try:
        bench = Bench(options, Place(directory, options.binary, options.worker_cpu, options.other_cpu))
        for number in range(1, options.rounds + 1):
            bench.round(number)
            bench.limits()
        return 0 if bench.report() or not options.strict else 2
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
