# SPDX-License-Identifier: BSD-3-Clause
"""Frames that a guest leaves unfinished: without a checksum, or 44 segments in one frame.

They go to a receiver that takes them so (nothing is left to do but the copy), and to one that does not: the switch
finishes them. What arrives is looked at: headers, lengths, and every checksum.
"""

from rows import Row, line, title
from runner import Failed
from switches import OURS, OVS

UDP = ("--frames", "udp")
CSUM = ("--frames", "csum")
# Few in flight: a receiver's ring of 1024 has room for all segments. Few buffers, which slots share: in the cache.
TSO = ("--frames", "tso", "--size", 1518, "--ring", 1024, "--buffers", 64, "--window", 16)

CASES = {  # name: (what is printed, words for the generator)
    "plain 64": ("64 B, finished by the sender", (*UDP, "--size", 64)),
    "carried 64": ("64 B, checksum left to the receiver", (*CSUM, "--size", 64, "--take")),
    "csum 64": ("64 B, checksum completed", (*CSUM, "--size", 64)),
    "plain 1518": ("1518 B, finished by the sender", (*UDP, "--size", 1518)),
    "carried 1518": ("1518 B, checksum left to the receiver", (*CSUM, "--size", 1518, "--take")),
    "csum 1518": ("1518 B, checksum completed", (*CSUM, "--size", 1518)),
    "carried tso": ("64 KiB, carried whole", (*TSO, "--take")),
    "tso": ("64 KiB, cut into 44 segments of 1518 B", TSO),
}


class Offload(Row):
    name = "offload"
    shared = False

    def __init__(self, bench):
        super().__init__(bench)
        self.unable = {}  # (switch, case): why

    def own(self, kind, first):
        if kind.offloads is None:
            return
        with kind(self.bench.place, options=kind.offloads) as switch:
            for case, (_, words) in CASES.items():
                if (kind.name, case) not in self.unable:
                    self._case(switch, case, words)

    def _case(self, switch, case, words):
        try:
            # Of Open vSwitch it is not known beforehand what it can do.
            result = self.bench.measure(switch, *words, tries=2 if switch.name != OURS else None)
            seen, bad = int(result["frames_seen"]), int(result["bad_frames"])
            if bad > 0 or seen == 0:
                raise Failed(f"{bad} of {seen} frames looked at arrived with a wrong length, header or checksum", {})
        except Failed as failure:
            if switch.name == OURS:
                raise
            self.unable[switch.name, case] = str(failure).splitlines()[-1]
            return
        rate = float(result["mpps"]) * 1e6
        for figure, value in (("mpps", result["mpps"]), ("gbps", rate * int(result["len"]) * 8 / 1e9),
                              ("cycles", float(result["hz"]) / rate)):
            self.add(switch.name, case, figure, value=value)

    def show(self):
        title("Frames that are left unfinished, guest to guest, one core: frames that arrive (TSC cycles each)",
              "millions/s", "Gbit/s", "cycles")
        for name in self.bench.options.only:
            for case, (label, _) in CASES.items():
                if self.bench.samples.get((self.name, name, case, "mpps")):
                    line(f"{name}, {label}", *(f"{self.median(name, case, figure):.{digits}f}"
                                               for figure, digits in (("mpps", 2), ("gbps", 1), ("cycles", 0))))
                elif (name, case) in self.unable:
                    print(f"{f'{name}, {label}':62}cannot: {self.unable[name, case]}")
        if self.ran(OURS, OVS):
            for case, (label, _) in CASES.items():
                if self.bench.samples.get((self.name, OVS, case, "mpps")):
                    line(f"{OURS} / {OVS}, {label}", f"{self.ratio((OURS, case, 'mpps'), (OVS, case, 'mpps')):.2f}x")
