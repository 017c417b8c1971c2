# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The measurements between guests of a switch that needs no options. Each is a Row.

Figures go into bench.samples under (row's name, ...), one a round, and are printed from there.
"""

from switches import OURS, OVS, TESTPMD

SIZES = (64, 256, 1518)
RATES = (100_000, 1_000_000)
MANY = 64  # guests
# What QEMU and virtio-user give a guest unless told otherwise. The requirement for MANY guests is
# measured with it: their rings and buffers then stay in the last cache. With rings of 1024 they do
# not, and one bare memcpy a frame already costs more than the whole frame may (the table shows it).
COMMON_RING = 256

# At least so many times as fast, by frame size. More is required in rows_required.py.
FASTER = {TESTPMD: {1518: 1.4}, OVS: {64: 3.5, 1518: 1.5}}
# In bursts (bursts.c). At 100 million frames/s a ring of 4,096 is used up in most of them, before the generator wakes
# up. Slots share buffers, so that the ring's size alone does not change what is in the cache. Where frames are read,
# each has a buffer of its own: one that was overwritten cannot be read.
BURSTS = ("--mode", "bursts", "--ring", 16384, "--buffers", 1024)
READ_BURSTS = ("--mode", "bursts", "--ring", 4096)
MEDIAN_US = 2.0  # at most, at each of RATES
COST = {"idle": 1.25}  # of a frame with MANY guests, at most, in that with 2


class Row:
    """A group of measurements, and its tables. With `read` receivers read every byte of each frame."""

    name = ""  # for --what
    shared = True  # measures a switch that was started for all such rows
    reads = True  # is measured with `read` as well
    asked = False  # only measured when --what names it

    def __init__(self, bench, read=False):
        self.bench = bench
        self.read = read
        self.key = f"{self.name} read" if read else self.name  # of its samples

    def on(self, switch):
        """Measures one round on a switch with two guests. Called if `shared`."""

    def own(self, kind):
        """Measures one round, and starts switches of this kind in its own way. Called if not `shared`."""

    def limits(self):
        """Measures what the machine could do, while no switch runs."""

    def turns(self, number):
        """Measures one round over several switches in turn, which it starts and ends itself."""

    def show(self):
        """Prints its tables."""

    def required(self):
        """Returns (what, measured, limit, True if more is better) of each required figure that was measured."""
        return ()

    # For the above.

    def measure(self, switch, *words, **options):
        return self.bench.measure(switch, *words, *self.reading(), **options)

    def ceiling(self, *words):
        return self.bench.ceiling(*words, *self.reading())

    def reading(self):
        return ("--read",) if self.read else ()

    def title(self, text, *columns, width=12):
        print(f"\n{text}{'; receivers read every byte' if self.read else ''}\n")
        line("", *columns, width=width)

    def size_title(self, text, sizes=SIZES):
        self.title(text, *(f"{size} B" for size in sizes))

    def add(self, *key, value):
        self.bench.add(self.key, *key, value=value)

    def median(self, *key):
        return self.bench.median(self.key, *key)

    def ratio(self, above, below):
        return self.bench.ratio((self.key, *above), (self.key, *below))

    def ran(self, *names):
        return all(name in self.bench.options.only for name in names)

    def sizes(self, label, *key, sizes=SIZES):
        line(label, *(f"{self.median(*key, size):.2f}" for size in sizes))

    def ratios(self, label, above, below, sizes=SIZES):
        line(label, *(f"{self.ratio((*above, size), (*below, size)):.2f}x" for size in sizes))

    def ratios_of_switches(self, *way):
        for other in (TESTPMD, OVS):
            if self.ran(OURS, other):
                self.ratios(f"{OURS} / {other}", (OURS, *way), (other, *way))


def line(label, *cells, width=12):
    print(f"{label:56}" + "".join(f"{cell:>{width}}" for cell in cells))


class Throughput(Row):
    name = "throughput"

    def on(self, switch):
        for size in SIZES:
            self.add(switch.name, size, value=self.measure(switch, "--size", size)["mpps"])

    def limits(self):
        for size in SIZES:
            for key, words in (("used", ()), ("copy", ("--copy",))):
                self.add(key, size, value=self.ceiling("--size", size, *words)["mpps"])

    def show(self):
        self.size_title("Millions of frames/s, guest to guest, one direction, one core")
        for name in self.bench.options.only:
            self.sizes(name, name)
        self.sizes("(nothing but one memcpy a frame)", "copy")
        self.sizes("(the generator's own limit)", "used")
        self.ratios_of_switches()

    def required(self):
        for other, wanted in FASTER.items():
            if self.ran(OURS, other) and not self.read:
                for size, factor in wanted.items():
                    yield f"{size} B, times as fast as {other}", self.ratio((OURS, size), (other, size)), factor, True


class Packed(Row):
    """Packed rings beside split ones, with guests that do the same work for both: see pump.h.

    Each is measured twice: with guests that poll all the time, and in bursts while they sleep, which is the
    switch's work alone.
    """

    name = "packed"
    kinds = {"packed": "packed", "split": "split", "fixed": "split, written once"}
    ways = {"polls": (), "sleeps": BURSTS}

    def on(self, switch):
        for size in SIZES:
            for way, words in self.ways.items():
                for kind in self.kinds:
                    words = READ_BURSTS if self.read and words else words
                    result = self.measure(switch, "--rings", kind, "--size", size, *words)
                    self.add(switch.name, way, kind, size, value=result["mpps"])
                    if "read_cycles" in result:
                        self.add(switch.name, "reader", kind, size, value=result["read_cycles"])

    def limits(self):
        for size in SIZES:
            for kind in self.kinds:
                result = self.ceiling("--rings", kind, "--size", size)
                self.add("used", "polls", kind, size, value=result["mpps"])

    def show(self):
        for way, text in (("polls", "while the guests poll"), ("sleeps", "in bursts, while the guests sleep")):
            self.size_title(f"Millions of frames/s by the format of all rings, one direction, one core, {text}")
            for name in self.bench.options.only:
                for kind, label in self.kinds.items():
                    self.sizes(f"{name}, {label}", name, way, kind)
            if way == "polls":
                for kind, label in self.kinds.items():
                    self.sizes(f"(the generator's own limit, {label})", "used", way, kind)
            for name in self.bench.options.only:
                self.ratios(f"{name}, packed / split", (name, way, "packed"), (name, way, "split"))
            for other in (TESTPMD, OVS):
                if self.ran(OURS, other):
                    self.ratios(f"{OURS} / {other}, both packed", (OURS, way, "packed"), (other, way, "packed"))
        if self.read:
            self.size_title("TSC cycles a frame that the reader of these bursts takes on its own CPU")
            for name in self.bench.options.only:
                for kind, label in self.kinds.items():
                    self.sizes(f"{name}, {label}", name, "reader", kind)

    def required(self):
        if self.ran(OURS) and not self.read:
            for way in self.ways:
                for size in SIZES:
                    value = self.ratio((OURS, way, "packed", size), (OURS, way, "split", size))
                    yield f"{size} B, guest {way}: packed, times as fast as split", value, 1.0, True


class Latency(Row):
    name = "latency"

    def on(self, switch):
        for rate in RATES:
            result = self.measure(switch, "--mode", "latency", "--rate", rate)
            for figure in ("median_us", "p99_us"):
                self.add(switch.name, figure, rate, value=result[figure])

    def show(self):
        self.title("Microseconds from posting to arrival, 64 B: median (99th percentile)",
                   *(f"{rate:,}/s" for rate in RATES), width=20)
        for name in self.bench.options.only:
            line(name, *(f"{self.median(name, 'median_us', rate):.2f} ({self.median(name, 'p99_us', rate):.2f})"
                         for rate in RATES), width=20)

    def required(self):
        if self.ran(OURS) and not self.read:
            for rate in RATES:
                yield f"us, median at {rate:,} frames/s", self.median(OURS, "median_us", rate), MEDIAN_US, False


class Guests(Row):
    """What a frame costs with 2 guests, with MANY of which 2 talk, and with all of them sending."""

    name = "guests"
    cases = {"two": (), "idle": ("--guests", MANY), "sending": ("--guests", MANY, "--flows", "ring")}
    labels = {"two": "2 guests", "idle": f"{MANY} guests, of which 2 talk", "sending": f"{MANY} guests, all send"}

    def rings(self):
        return sorted({COMMON_RING, self.bench.options.ring})

    def on(self, switch):
        if switch.many_guests:
            for ring in self.rings():
                for case, words in self.cases.items():
                    result = self.measure(switch, "--ring", ring, *words)
                    self.add(switch.name, ring, case, value=result["ns_per_frame"])

    def limits(self):
        if self.ran(OURS):
            for ring in self.rings():
                for case, words in self.cases.items():
                    result = self.ceiling("--copy", "--ring", ring, *words)
                    self.add("copy", ring, case, value=result["ns_per_frame"])

    def show(self):
        if not self.ran(OURS):
            return
        self.title("Nanoseconds a frame, 64 B, by ring size", *self.rings())
        for key, before, after in ((OURS, f"{OURS}, ", ""), ("copy", "(one memcpy a frame, ", ")")):
            for case, label in self.labels.items():
                line(before + label + after, *(f"{self.median(key, ring, case):.1f}" for ring in self.rings()))

    def required(self):
        if self.ran(OURS) and not self.read:
            for case, limit in COST.items():
                cost = self.ratio((OURS, COMMON_RING, case), (OURS, COMMON_RING, "two"))
                yield f"times the cost of 2 guests, with {MANY} {case}", cost, limit, False
