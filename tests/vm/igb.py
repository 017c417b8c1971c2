# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A machine with an 82576 NIC (QEMU's igb) behind an emulated IOMMU; the NIC's wire ends here.

    with Igb(box) as machine:
        with Party(machine, ["--vmdq", "1"]) as party:
            a, b = party.join(address(0), address(1))
            party.room.reached(party.room.uplink, frame)

In the machine the switch has the NIC as its uplink, by vfio-pci. The guests are virtio-user ports of a
dpdk-testpmd there, each joined to a tap through which the test speaks (lib/guests.py). Room
(lib/room.py) is the one that tests of a tap uplink use: only the ends of the guests and of the
wire differ.
"""

import contextlib
import os
import socket

from lib import frames
from lib.box import Box
from lib.frames import Port
from lib.guests import Guests
from lib.room import FENCE_ADDRESS, VLAN_BASE, Room
from lib.switch import Switch
from vm.machine import DEADLINE_THERE, Machine, There

STRANGER = "02:00:00:00:00:99"
MAC = "52:54:00:12:34:56"
NIC = "0000:00:05.0"
BIND = f"""
    device=/sys/bus/pci/devices/{NIC}
    echo vfio-pci > $device/driver_override &&
    echo {NIC} > /sys/bus/pci/drivers_probe &&
    test $(basename $(readlink $device/driver)) = vfio-pci"""


class Wire(Port):
    """The far end of a NIC's wire: a datagram socket of QEMU's, a datagram is a frame."""

    def __init__(self, near, far):
        self.name = "wire"
        self.near = near
        self.socket = self.sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(far)

    def connect(self):
        """Connects, once QEMU is there. After that a send waits, with a deadline, while the NIC takes nothing."""
        self.socket.connect(self.near)

    def until(self, last, deadline=DEADLINE_THERE):
        return super().until(last, deadline)


class Igb(Machine):
    def __init__(self, box, name="igb"):
        os.makedirs(box.path(name))
        near, far = box.path(f"{name}/nic"), box.path(f"{name}/wire")
        self.port = Wire(near, far)
        super().__init__(box, name, modules=["vfio-pci", "tun", "veth"], hugepages=512, memory=1792,
                         chipset="kernel-irqchip=split", words="intel_iommu=on iommu=pt", arguments=[
                             "-device", "intel-iommu,intremap=on",
                             "-netdev", f"dgram,id=n0,local.type=unix,local.path={near},"
                                        f"remote.type=unix,remote.path={far}",
                             "-device", f"igb,id=nic0,netdev=n0,mac={MAC},addr=05.0"])
        try:
            self.port.connect()
            self.run(BIND)
            self.box = There(self, Box)
        except BaseException:
            self.end()
            raise

    def end(self):
        super().end()
        self.port.close()

    def set_link(self, up):
        """Plugs the cable in, or pulls it out."""
        self.qmp("set_link", name="nic0", up=up)


class Voices(Guests):
    """In the machine: guests for which the test outside sends, by their place in the list."""

    def each(self):
        return [(guest.index, guest.mac) for guest in self.guests]

    def send(self, place, data):
        self.guests[place].port.send(data)

    def until(self, place, last, deadline):
        return self.guests[place].port.until(last, deadline)

    def pending(self, place):
        return self.guests[place].port.pending()

    def die(self, switch):
        """All of them are killed; their devices are free afterwards."""
        self.pmd.kill()
        indexes = {guest.index for guest in self.guests}
        switch.wait_table(lambda table: not indexes & set(table.devices()))


class Voice:
    """One of them, here: its own port, as far as Room wants one."""

    def __init__(self, voices, place, index, mac):
        self.voices, self.place, self.index, self.mac = voices, place, index, mac
        self.port = self

    def __repr__(self):
        return f"device {self.index}"

    def send(self, data):
        self.voices.send(self.place, data)

    def until(self, last, deadline=DEADLINE_THERE):
        return self.voices.until(self.place, last, deadline)

    def pending(self):
        return self.voices.pending(self.place)


class IgbRoom(Room):
    """Somebody has to be silent (`silent`).

    What the NIC has no pool for comes by a pool of its own, and pools do not wait for each other. So
    there are two fences: one by that pool, to the silent guest, and then one by the pool of each guest.
    """

    UNKNOWN = "02:fe:ce:00:00:02"
    silent = None
    keeps_tags = False  # --vlan-strip 0

    def _fence(self, guest, mac):
        """What a guest got before a fence to that address, with the guest's tag."""
        fence = self.to_guest(guest, frames.frame(mac, FENCE_ADDRESS, next(self._fences)))
        self.uplink.port.send(fence)
        return guest.port.until(self.arrives(fence))

    def _fenced_by_uplink(self, guests):
        early = self._fence(self.silent, self.UNKNOWN)
        result = {guest: self._fence(guest, frames.BROADCAST) for guest in guests}
        if self.silent in result:
            result[self.silent] = early + result[self.silent]
        else:
            assert not early, f"the silent guest got {early}"
        return result

    def arrives(self, data):
        """A frame of the wire as guests see it."""
        return data if self.keeps_tags or data[12:14] != b"\x81\x00" else frames.untagged(data)

    def sorted_to(self, mac, tag, size=frames.MINIMUM):
        """Who gets a frame from the wire with this address and tag."""
        data = frames.frame(mac, STRANGER, size=size, tags=(tag,))
        return self.reached(self.uplink, data, arrives=self.arrives(data))


class Party(contextlib.ExitStack):
    """A switch in the machine with the NIC as its uplink, guests in groups that come and go, and their room."""

    def __init__(self, machine, options=(), *, jumbo=False, **arguments):
        super().__init__()
        self.machine = machine
        self.jumbo = jumbo
        options = ["-p", "0x1", *options, *(["--mergeable", "1"] if jumbo else [])]
        self.switch = self.enter_context(There(machine, Switch, machine.box, options, pci=("-a", NIC), **arguments))
        self.room = IgbRoom(self.switch, [], machine, VLAN_BASE, 1)
        self.groups = []

    def join(self, *macs, first=0):
        """A group of guests joins, as devices from `first` on."""
        there = self.enter_context(There(self.machine, Voices, self.machine.box, [self.switch.socket()] * len(macs),
                                         first=first, macs=list(macs), jumbo=self.jumbo))
        group = [Voice(there, place, *each) for place, each in enumerate(there.each())]
        self.room.guests = sorted(self.room.guests + group, key=lambda guest: guest.index)
        return group

    def leave(self, group):
        """All guests of the group are killed, and their devices free for others."""
        group[0].voices.die(self.switch)
        self.room.guests = [guest for guest in self.room.guests if guest not in group]
