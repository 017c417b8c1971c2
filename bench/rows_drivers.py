# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Two guests with a real driver: DPDK's virtio-user, in the formats that it has.

One dpdk-testpmd plays both guests in one thread on the other CPU. It sends what arrives at one port from the other
one, so that each frame goes round through the switch without end, in both directions (--forward-mode=io, paired
ports). A txonly and a rxonly guest would be two threads. On one CPU these take turns of milliseconds, and a ring is
full or empty within microseconds. So one thread does the work of both drivers, and usually limits the rate. These
rows show that real drivers work with a switch, and how fast they and the switch are together; they do not show how
busy the switch's worker is.
"""

import contextlib
import itertools
import re
import time
import types

from rows import Row
from switches import OURS, OVS, TESTPMD
from lib.testpmd import Testpmd as Guests, virtio_user
from lib.wait import wait_for

SIZES = (64, 1518)
FCS = 4
MACS = ("02:00:5e:20:00:00", "02:00:5e:20:00:01")
RING = 1024
FIRST = 16  # bursts of 32 frames that each guest sends: half a ring
PLAIN = {"queue_size": RING, "mrg_rxbuf": 0, "in_order": 0}
FORMATS = {  # name: (the ports' arguments, the receive path that the driver then says it uses)
    "split": (PLAIN, "standard"),
    "split, vectorised": ({**PLAIN, "vectorized": 1}, "vectorized"),
    "split, in order": ({**PLAIN, "in_order": 1}, "inorder"),
    "packed": ({**PLAIN, "packed_vq": 1}, "packed ring standard"),
    "packed, vectorised": ({**PLAIN, "packed_vq": 1, "in_order": 1, "vectorized": 1}, "packed ring vectorized"),
}


class Drivers(Row):
    name = "drivers"
    shared = False
    reads = False  # it is for the driver to say

    def __init__(self, bench, read=False):
        super().__init__(bench, read)
        self.paths = {}  # (switch, format): receive path that the driver chose, where it is another one

    def own(self, kind):
        with kind(self.bench.place) as switch:
            for name, size in itertools.product(FORMATS, SIZES):
                self.add(kind.name, name, size, value=self._run(switch, name, size))

    def _run(self, switch, name, size):
        """Millions of frames that arrive in a second, both guests together."""
        arguments, path = FORMATS[name]
        cpu = self.bench.place.other_cpu
        box = types.SimpleNamespace(directory=switch.directory, unique=lambda kind: f"vsb-{kind}")
        sockets = list(itertools.islice(itertools.cycle(switch.sockets), 2))
        vdevs = [virtio_user(i, path, mac, **arguments) for i, (path, mac) in enumerate(zip(sockets, MACS))]
        app = ["--forward-mode=io", f"--txpkts={size - FCS}", f"--rxd={RING}", f"--txd={RING}",
               *(f"--eth-peer={i},{mac}" for i, mac in enumerate(reversed(MACS)))]
        eal = ["--force-max-simd-bitwidth=512", "--log-level=pmd.net.virtio.init:debug"]
        with Guests(box, vdevs, app, eal=eal, memory=256, lcores=f"0@{cpu},1@{cpu}") as guests:
            taken = set(re.findall(r"using (.*) Rx path", guests.stderr + guests.stdout))
            if taken != {path}:  # without AVX-512, for one, or a feature of the switch
                self.paths[switch.name, name] = " and ".join(sorted(taken)) or "unknown"
            wait_for(lambda: all(map(guests.link_up, range(2))), 20.0, lambda: f"links\n{guests.tail()}")
            self._start(guests)
            guests.command("show port stats all")  # rates count from one look to the next
            time.sleep(self.bench.options.seconds)
            shown = guests.command("show port stats all")
            return sum(map(int, re.findall(r"Rx-pps:\s*(\d+)", shown))) / 1e6

    def _start(self, guests):
        """Sends until frames go round both ways: the first ones may be lost, as the switch has to learn the guests."""
        guests.forward("io", tx_first=False)
        wait_for(lambda: self._send(guests, 1), 30.0, lambda: f"frames at both guests\n{guests.tail()}")
        self._send(guests, FIRST)

    @staticmethod
    def _send(guests, bursts):
        """Has both guests send that many. Returns True if both received something within a second."""
        guests.stop_forwarding()
        had = guests.port_stats()
        guests.command(f"start tx_first {bursts}")
        with contextlib.suppress(TimeoutError):
            return wait_for(lambda: all(n > had[port][0] for port, (n, _) in guests.port_stats().items()), 1.0)
        return False

    def show(self):
        self.size_title("Millions of frames/s, two guests with a real driver that send to each other", sizes=SIZES)
        for name in self.bench.options.only:
            for form in FORMATS:
                other = self.paths.get((name, form))
                self.sizes(f"{name}, {form}" + (f" (driver: {other})" if other else ""), name, form, sizes=SIZES)
        for other in (TESTPMD, OVS):
            if self.ran(OURS, other):
                for form in FORMATS:
                    self.ratios(f"{OURS} / {other}, {form}", (OURS, form), (other, form), sizes=SIZES)
