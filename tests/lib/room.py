# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A switch, guests that the test sends for, and perhaps an uplink. It tells who got which frame.

    with room(box, guests=3, uplink=TAP) as r:
        assert r.reached(r.guests[0], frame) == {r.guests[1], r.uplink}
"""

import contextlib
import itertools
import time

from lib import frames
from lib.guests import Guests
from lib.switch import Switch
from lib.uplink import Uplink
from lib.wait import DEADLINE, wait_for

VLAN_BASE = 1000
HOLD = 1.0  # seconds that a guest's address is its own after the last use: then the wire may take it
FENCE = 0xF0000000  # sequence numbers from here on are fences
FENCE_ADDRESS = "02:fe:ce:00:00:01"  # what a fence from the uplink has as its source


class Room:
    def __init__(self, switch, guests, uplink, vlan_base, vm2vm, ports=()):
        self.switch = switch
        self.tags = {i: int(port.split("vlan=")[1].split(",")[0]) for i, port in enumerate(ports) if "vlan=" in port}
        self.isolated = {i for i, port in enumerate(ports) if "isolated=yes" in port}
        self.guests = guests
        self.uplink = uplink
        self.vlan_base = vlan_base
        self.vm2vm = vm2vm
        self._fences = itertools.count(FENCE)
        self.introduced = []

    def tag(self, guest):
        """Its tag on the uplink; 0: none."""
        return self.tags.get(guest.index, self.vlan_base and self.vlan_base + guest.index)

    def on_wire(self, guest, data):
        """A guest's frame as the uplink sees it."""
        if not self.tag(guest) or data[12:14] == b"\x81\x00":
            return data
        return frames.tagged(data, self.tag(guest))

    def to_guest(self, guest, data):
        """What the uplink has to send for the guest to get `data`."""
        return frames.tagged(data, self.tag(guest)) if self.tag(guest) else data

    def introduce(self, *guests):
        """Each guest sends a frame, from which the switch learns its address. Receivers ignore it."""
        for guest in guests:
            assert self.reached(guest, frames.frame(frames.BROADCAST, guest.mac))
            device, tag = self.switch.wait_registered(guest.mac)
            self.introduced.append(guest)
            assert device == guest.index, f"{guest.mac} is device {device}, not {guest.index}"
            assert tag == self.tag(guest), f"device {device} has tag {tag}"

    def introduce_uplink(self, mac):
        """A station beyond the uplink says something; afterwards what is for it goes nowhere else."""
        guest = self.guests[0]
        self.reached(self.uplink, self.to_guest(guest, frames.frame(guest.mac, mac)),
                     arrives=frames.frame(guest.mac, mac))
        wait_for(lambda: self.reached(guest, frames.frame(mac, guest.mac)) == {self.uplink}, what=f"{mac} learned")

    def while_held(self, guest, station, look, deadline=DEADLINE):
        """Returns what look() returns if it ended while the guest's address could not move to the wire, and how many
        looks that took. `station`: an address beyond the uplink, to which the guest says something before each look."""
        other = self.others(guest)[0]
        late = 0

        def is_known():
            self.reached(guest, frames.frame(station, guest.mac))
            return self.reached(other, frames.frame(guest.mac, other.mac)) == {guest}

        def quick_look():
            nonlocal late
            if late:
                wait_for(is_known, what=f"{guest.mac} back from the wire")
            word = frames.frame(station, guest.mac, next(self._fences))
            begin = time.monotonic()
            guest.port.send(word)
            self.uplink.port.until(self.on_wire(guest, word))
            result = look()
            if time.monotonic() - begin < HOLD:
                return result, late + 1
            late += 1
            return None
        return wait_for(quick_look, deadline, "a look that takes less than a second")

    def others(self, sender):
        return [guest for guest in self.guests if guest is not sender]

    def got(self, sender, data):
        """Sends `data` and returns {receiver: [frames]}: what came at each before a fence that was sent after it."""
        if sender is self.uplink:
            return self._got_from_uplink(data)
        mark = next(self._fences)
        fence = frames.frame(frames.BROADCAST, sender.mac, mark)
        sender.port.send(data)
        sender.port.send(fence)
        result = {}
        if self.uplink:
            result[self.uplink] = self.uplink.port.until(self.on_wire(sender, fence))
        hearing = [guest for guest in self.others(sender)
                   if self.vm2vm and not {guest.index, sender.index} <= self.isolated]
        for guest in hearing:
            result[guest] = guest.port.until(fence)
        deaf = [guest for guest in self.others(sender) if guest not in hearing]
        if deaf:
            result.update(self._fenced_by_uplink(deaf))
        result[sender] = self._back_at(sender)
        return result

    def _back_at(self, sender):
        """What came back to the sender, before a fence from elsewhere."""
        if self.uplink:
            return self._fenced_by_uplink([sender])[sender]
        other = next((guest for guest in self.introduced if guest is not sender), None)
        if other is None:  # everybody else must stay silent
            return sender.port.pending()
        fence = frames.frame(frames.BROADCAST, other.mac, next(self._fences))
        other.port.send(fence)
        late = {guest: guest.port.until(fence) for guest in self.others(other)}
        back = late.pop(sender)
        assert not any(late.values()), f"came after the fence: {late}"
        return back

    def _fenced_by_uplink(self, guests):
        fence = frames.frame(frames.BROADCAST, FENCE_ADDRESS, next(self._fences))
        tags = {self.tag(guest) for guest in guests}
        for tag in tags:
            self.uplink.port.send(frames.tagged(fence, tag) if tag else fence)
        everybody = {guest: guest.port.until(fence) for guest in self.guests if self.tag(guest) in tags}
        return {guest: everybody[guest] for guest in guests}

    def _got_from_uplink(self, data):
        self.uplink.port.send(data)
        result = self._fenced_by_uplink(list(self.guests))
        result[self.uplink] = self.uplink.port.pending()
        return result

    def reached(self, sender, data, arrives=None):
        """Who got the frame. It must be unchanged (on the uplink with its tag), once, and nothing else come.

        `arrives`: what a guest gets instead, where that is not the frame itself.
        """
        reached = set()
        for receiver, got in self.got(sender, data).items():
            if not got:
                continue
            due = self.on_wire(sender, data) if receiver is self.uplink else data if arrives is None else arrives
            assert got == [due], (f"due {frames.describe(due)}, got {[frames.describe(g) for g in got]}")
            reached.add(receiver)
        return reached


@contextlib.contextmanager
def room(box, guests=2, options=(), *, uplink=None, jumbo=False, introduce=True, vlan_base=VLAN_BASE, vm2vm=1,
         guest_options=None, ports=(), **switch_arguments):
    """`introduce`: True, or how many of the guests. `switch_arguments`: as Switch takes.

    `ports`: of each guest the port that it connects to, as --port takes it, without the socket.
    """
    options = list(options)
    for port in ports:
        name, _, keys = port.partition(",")
        options += ["--port", f"{name},socket={box.path(name)}" + (keys and "," + keys)]
    guests = len(ports) or guests
    with contextlib.ExitStack() as stack:
        link = None
        if uplink:
            link = Uplink(uplink, jumbo)
            stack.callback(link.close)
            options += ["-p", "0x1"]
            switch_arguments.update(ns=link.ns, eal=[*switch_arguments.get("eal", ()), *link.eal()])
        if jumbo:
            options += ["--mergeable", "1"]
        if vlan_base != VLAN_BASE:
            options += ["--vlan-base", vlan_base]
        if vm2vm != 1:
            options += ["--vm2vm", vm2vm]
        switch = stack.enter_context(Switch(box, options, **switch_arguments))
        if link:
            link.open()
        people = stack.enter_context(
            Guests(box, [switch.socket(port.split(",")[0]) for port in ports] or [switch.socket()] * guests,
                   **{"jumbo": jumbo, **(guest_options or {})}))
        made = Room(switch, people, link, vlan_base, vm2vm, ports)
        count = guests if introduce is True else int(introduce)
        made.introduce(*people[0:count])
        yield made
