# SPDX-License-Identifier: BSD-3-Clause
"""Guests that a test speaks for: each is a virtio-user port joined to a tap in a namespace.

    with Guests(box, [switch.socket()] * 3) as guests:
        guests[0].port.send(...)

One dpdk-testpmd forwards between all the pairs, so that several guests cost one lcore.
"""

from lib.frames import Port
from lib.netns import Namespace
from lib.testpmd import Testpmd, tap, virtio_user

JUMBO_MTU = 9000


def address(index):
    return f"cc:bb:bb:bb:bb:{index:02x}"


class Guest:
    def __init__(self, index, mac, interface):
        self.index = index
        self.mac = mac
        self.interface = interface
        self.port = None


class Guests:
    """`jumbo`: frames to 9000 bytes of payload, in chains of buffers of 2 KiB or in one large one (`buffers`)."""

    def __init__(self, box, sockets, *, jumbo=False, buffers=2176, first=0, macs=None, eal=(), **virtio):
        self.ns = Namespace()
        self.pmd = None
        self.guests = []
        virtio.setdefault("mrg_rxbuf", 1 if jumbo else 0)
        vdevs, macs = [], macs or [address(first + i) for i in range(len(sockets))]
        for i, (path, mac) in enumerate(zip(sockets, macs)):
            guest = Guest(i, mac, f"g{first + i}")
            self.guests.append(guest)
            vdevs += [virtio_user(i, path, mac, **virtio), tap(i, guest.interface)]
        app = ["--forward-mode=io", "--port-topology=paired", f"--mbuf-size={buffers}"]
        if jumbo:
            app += [f"--max-pkt-len={JUMBO_MTU + 18}", "--enable-scatter"]
        try:
            self.pmd = Testpmd(box, vdevs, app, ns=self.ns, eal=eal, memory=256,
                               mbufs=2048 * len(sockets) + 4096)
            for guest in self.guests:
                self.ns.up(guest.interface, JUMBO_MTU + 4 if jumbo else 1504)
                guest.port = Port(self.ns, guest.interface)
            self.pmd.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def __enter__(self):
        return self

    def __getitem__(self, index):
        return self.guests[index]

    def __len__(self):
        return len(self.guests)

    def __iter__(self):
        return iter(self.guests)

    def __exit__(self, kind, value, trace):
        for guest in self.guests:
            if guest.port:
                guest.port.close()
        if self.pmd:
            self.pmd.__exit__(kind, value, trace)
        self.ns.close()
