# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Frames with offloads: a partial checksum, or 44 segments in one frame.

They go to a receiver that takes them as they are, so that the switch only copies them, and to one that does not, so
that the switch completes the checksum or cuts the frame. What arrives is checked: headers, lengths, and every checksum.

It is measured in bursts (bursts.c): what the switch alone spends on a frame.
"""

from rows import BURSTS, READ_BURSTS, Row, line
from runner import Failed
from switches import OURS, OVS

UDP = (*BURSTS, "--frames", "udp")
CSUM = (*BURSTS, "--frames", "csum")
# A receiver's ring has room for all segments of a burst. Slots share few buffers, which stay in the cache.
TSO = ("--mode", "bursts", "--buffers", 64, "--window", 128, "--frames", "tso", "--size", 1518)

CASES = {  # name: (what is printed, words for the generator)
    "plain 64": ("64 B, plain frame", (*UDP, "--size", 64)),
    "carried 64": ("64 B, partial checksum carried", (*CSUM, "--size", 64, "--take")),
    "csum 64": ("64 B, partial checksum completed", (*CSUM, "--size", 64)),
    "plain 1518": ("1518 B, plain frame", (*UDP, "--size", 1518)),
    "carried 1518": ("1518 B, partial checksum carried", (*CSUM, "--size", 1518, "--take")),
    "csum 1518": ("1518 B, partial checksum completed", (*CSUM, "--size", 1518)),
    "carried tso": ("64 KiB, carried whole", (*TSO, "--ring", 1024, "--take")),
    "tso": ("64 KiB, cut into 44 segments of 1518 B", (*TSO, "--ring", 8192)),
}


class Offload(Row):
    name = "offload"
    shared = False

    def __init__(self, bench, read=False):
        super().__init__(bench, read)
        # If each frame of 64 KiB had a buffer of its own, no cache would hold the rings.
        self.cases = {case: (label, self._words(words)) for case, (label, words) in CASES.items()
                      if not (read and "tso" in case)}
        self.unable = {}  # (switch, case): why

    def _words(self, words):
        return (*READ_BURSTS, *words[len(BURSTS):]) if self.read else words

    def own(self, kind):
        if kind.offloads is None:
            return
        with kind(self.bench.place, options=kind.offloads) as switch:
            for case, (_, words) in self.cases.items():
                if (kind.name, case) not in self.unable:
                    self._case(switch, case, words)

    def _case(self, switch, case, words):
        try:
            # What Open vSwitch can do is not known beforehand.
            result = self.measure(switch, *words, tries=2 if switch.name != OURS else None)
            seen, bad = int(result["frames_seen"]), int(result["bad_frames"])
            if bad > 0:
                raise Failed(f"{bad} of {seen} frames looked at arrived with a wrong length, header or checksum", {})
            if seen == 0:
                raise Failed(f"sent {result['sent']} frames, and too few arrived to look at", {})
        except Failed as failure:
            if switch.name == OURS:
                raise
            self.unable[switch.name, case] = str(failure).splitlines()[-1]
            return
        rate = float(result["mpps"]) * 1e6
        for figure, value in (("mpps", result["mpps"]), ("gbps", rate * int(result["len"]) * 8 / 1e9),
                              ("cycles", float(result["hz"]) / rate)):
            self.add(switch.name, case, figure, value=value)
        if self.read:
            self.add(switch.name, case, "reader", value=result["read_cycles"])

    def show(self):
        figures = [("mpps", 2), ("gbps", 1), ("cycles", 0)] + [("reader", 0)] * self.read
        self.title("Frames with offloads, in bursts, one core: as they arrive, and TSC cycles for each",
                   "millions/s", "Gbit/s", "cycles", *(["reader's"] * self.read))
        for name in self.bench.options.only:
            for case, (label, _) in self.cases.items():
                if self.bench.samples.get((self.key, name, case, "mpps")):
                    line(f"{name}, {label}", *(f"{self.median(name, case, figure):.{digits}f}"
                                               for figure, digits in figures))
                elif (name, case) in self.unable:
                    print(f"{f'{name}, {label}':62}cannot: {self.unable[name, case]}")
        if self.ran(OURS, OVS):
            for case, (label, _) in self.cases.items():
                if self.bench.samples.get((self.key, OVS, case, "mpps")):
                    line(f"ratio to {OVS}, {label}", f"{self.ratio((OURS, case, 'mpps'), (OVS, case, 'mpps')):.2f}x")
