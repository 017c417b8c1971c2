# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""iperf3 between two Linux guests in QEMU: a sanity check, which is only made when it is asked for (--what vm).

The processors of both guests are emulated (TCG), and share the CPU that is not the switch's. So this measures the
emulated processors. It shows a switch only if it is slower than they are, or does something that Linux does not
expect. It uses no offloads, as not every switch here has them.
"""

import contextlib
import itertools
import json
import os
import tempfile
import types

from rows import Row, line
from switches import OURS, OVS, TESTPMD
from vm import image
from vm.guest import Guest, Nic

TOOL = "/usr/bin/iperf3"
SECONDS = 5
DEADLINE = 120.0  # emulated, and two on one CPU
PLAIN = "csum=off,gso=off,guest_csum=off"
KINDS = {"TCP": "", "TCP, the other way": "--reverse", "UDP, 1400 B": "--udp --bitrate 0 --length 1400"}


class Vm(Row):
    name = "vm"
    shared = False
    reads = False
    asked = True

    def own(self, kind):
        with kind(self.bench.place) as switch, contextlib.ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(dir=self.bench.place.directory))
            picture = image.make(os.path.join(folder, "initramfs"), ["virtio_pci", "virtio_net"], programs=(TOOL,))
            box = types.SimpleNamespace(path=lambda name: os.path.join(folder, name))
            guests = [stack.enter_context(self._guest(box, number, path, picture)) for number, path
                      in zip((1, 2), itertools.cycle(switch.sockets))]
            for guest in guests:
                guest.wait_up()
            self._transfers(switch, *guests)

    def _guest(self, box, number, path, picture):
        guest = type("PinnedGuest", (Guest,), {
            "program": ("taskset", "-c", str(self.bench.place.other_cpu), *Guest.program)})
        nic = Nic(f"02:00:5e:30:00:{number:02x}", path, options=PLAIN)
        return guest(box, f"g{number}", picture, nic, address=f"10.1.0.{number}")

    def _transfers(self, switch, client, server):
        server.run("iperf3 --server --daemon --interval 0")
        client.wait_for(f"ping -c 1 -W 1 {server.address}", DEADLINE)
        for name, words in KINDS.items():
            text = client.run(f"iperf3 --client {server.address} --json --interval 0 --time {SECONDS} {words}",
                              deadline=DEADLINE)
            end = json.loads(text)["end"]
            total = end.get("sum_received") or end["sum"]
            lost = total.get("lost_percent", 0) / 100  # UDP: of what was sent
            self.add(switch.name, name, value=total["bits_per_second"] * (1 - lost) / 1e6)

    def show(self):
        self.title(f"Mbit/s of iperf3 between two Linux guests with emulated processors, {SECONDS} s each", *KINDS,
                   width=20)
        for name in self.bench.options.only:
            line(name, *(f"{self.median(name, kind):.0f}" for kind in KINDS), width=20)
        for other in (TESTPMD, OVS):
            if self.ran(OURS, other):
                line(f"{OURS} / {other}", *(f"{self.ratio((OURS, kind), (other, kind)):.2f}x" for kind in KINDS),
                     width=20)
