# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""One guest and an uplink that costs little, and as much in each switch.

net_null takes all frames. Without no-rx it would also bring frames of zeroes, which every switch would have to drop.
net_pcap brings real frames, with the guest's tag, from memory. A port that returns what it was given would not do:
vhost-switch sends no frame to the guest that has its source address.
"""

import os

from rows import SIZES, Row
from runner import LOSS
from switches import Uplink
from wire import write_pcap

FCS = 4  # bytes of a frame's size that are not in memory
TAG = 4  # bytes of a VLAN tag

WAYS = {  # of the frames: what is printed
    "out": "guest to uplink (net_null swallows them)",
    "in": "uplink to guest (net_pcap plays frames without end)",
}


class UplinkRow(Row):
    name = "uplink"
    shared = False

    def own(self, kind):
        for way, results in (("out", self._out(kind)), ("in", self._in(kind))):
            if way not in self._ways():
                continue
            for size, result in results:
                self.add(kind.name, way, size, value=result["mpps"])

    def _ways(self):
        return [way for way in WAYS if way != "out" or not self.read]  # there no guest receives

    def _out(self, kind):
        bench = self.bench
        with kind(bench.place, Uplink("net_null0,no-rx=1")) as switch:
            bench.sent = 0
            for size in SIZES:
                yield size, bench.measure(switch, "--guests", 1, "--flows", "out", "--size", size)
            # What was measured is what the switch took from the guest. Check that it reached the uplink.
            if switch.uplink_frames() < (1 - LOSS) * bench.sent:
                bench.warn(f"{kind.name}: not all that it took reached the uplink")

    def _in(self, kind):
        for size in SIZES:
            path = os.path.join(self.bench.place.directory, f"{size}.pcap")
            write_pcap(path, size - FCS)
            with kind(self.bench.place, Uplink(f"net_pcap0,rx_pcap={path},infinite_rx=1")) as switch:
                seen = size if kind.strips else size + TAG
                yield size, self.measure(switch, "--guests", 1, "--flows", "in", "--size", seen)

    def show(self):
        for way in self._ways():
            self.size_title(f"Millions of frames/s, {WAYS[way]}, one core")
            for name in self.bench.options.only:
                self.sizes(name, name, way)
            self.ratios_of_switches(way)
