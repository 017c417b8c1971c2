# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Guests that a test speaks for: each is a virtio-user port, joined to interfaces in a namespace.

    with Guests(box, [switch.socket()] * 3) as guests:
        guests[0].port.send(...)

One dpdk-testpmd forwards for all of them, so that several guests cost one lcore. Normally each
guest is joined to one tap. net_tap sends nothing over 1522 bytes, so with `jumbo` a guest sends
through a tap (a frame becomes a chain of buffers) and receives through net_pcap and a veth pair.
"""

import signal

from lib.frames import Port
from lib.netns import Namespace
from lib.testpmd import HUGE, ONE_LCORE, Testpmd, tap, virtio_user

MTU = 1504  # one tag more than usual
JUMBO_MTU = 9004


def address(index):
    return f"cc:bb:bb:bb:bb:{index:02x}"


class Guest:
    def __init__(self, index, mac):
        self.index = index
        self.mac = mac
        self.tap = f"g{index}"
        self.port = None


class Guests:
    """`buffers`: size of the guest's buffers, headroom included. `queues`: pairs, of the taps too. Other
    arguments go to virtio-user.
    """

    def __init__(self, box, sockets, *, jumbo=False, buffers=2176, first=0, macs=None, eal=(), queues=1,
                 lcores=ONE_LCORE, pages=HUGE, **virtio):
        self.pmd = None
        self.jumbo = jumbo
        self.queues = queues
        macs = macs or [address(first + i) for i in range(len(sockets))]
        self.guests = [Guest(first + i, mac) for i, mac in enumerate(macs)]
        virtio.setdefault("mrg_rxbuf", 1 if jumbo else 0)
        users = [virtio_user(i, path, guest.mac, queues=queues, **virtio)
                 for i, (guest, path) in enumerate(zip(self.guests, sockets))]
        self.ns = Namespace()
        try:
            vdevs, app = self._chained(users) if jumbo else self._paired(users)
            app += [f"--mbuf-size={buffers}", f"--rxq={queues}", f"--txq={queues}"]
            self.pmd = Testpmd(box, vdevs, app, ns=self.ns, eal=eal, lcores=lcores, pages=pages, memory=256,
                               mbufs=2048 * len(sockets) * queues + 4096)
            if jumbo:
                self._start_chained()
            for guest in self.guests:
                self.ns.up(guest.tap, JUMBO_MTU if jumbo else MTU)
                guest.port = Port(self.ns, f"w{guest.index}", guest.tap) if jumbo else Port(self.ns, guest.tap)
            self.pmd.forward("io", tx_first=False)
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def _paired(self, users):
        vdevs = []
        for i, (user, guest) in enumerate(zip(users, self.guests)):
            vdevs += [user, tap(i, guest.tap)]
        return vdevs, ["--port-topology=paired"]

    def _chained(self, users):
        """What a port receives the next one sends: virtio 0 > veth 0, tap 1 > virtio 1 > veth 1, ..., tap 0 > virtio 0.
        """
        vdevs = []
        for i, (user, guest) in enumerate(zip(users, self.guests)):
            inner, outer = f"v{guest.index}", f"w{guest.index}"
            self.ns.veth(inner, outer, JUMBO_MTU)
            after = self.guests[(i + 1) % len(self.guests)]
            vdevs += [user, f"net_pcap{i}" + f",tx_iface={inner}" * self.queues, tap(i, after.tap)]
        return vdevs, ["--port-topology=chained", "--disable-device-start"]

    def _start_chained(self):
        for i in range(len(self.guests)):  # a tap reads a long frame into a chain only if asked to
            self.pmd.command(f"port config {3 * i + 2} rx_offload scatter on")
        self.pmd.start_ports()

    def queue_stats(self, guest):
        """(received, sent) frames of a guest, a list of each with a number for each queue."""
        return self.pmd.queue_stats(self.guests.index(guest) * (3 if self.jumbo else 2))

    def _tell(self):
        """Tells, after a failed test, how many frames passed each port, here and in the kernel."""
        try:
            self.pmd.signal(signal.SIGCONT)
            print("guests' ports (received, sent):", self.pmd.port_stats())
            print("their taps (received, sent):", {g.tap: self.ns.counters(g.tap) for g in self.guests})
        except (AssertionError, OSError) as problem:
            print("guests' ports say nothing:", problem)

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
            if kind is not None and self.pmd.running():
                self._tell()
            self.pmd.__exit__(kind, value, trace)
        self.ns.close()
