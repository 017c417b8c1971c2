# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Live migration of a Linux guest between QEMU processes on one switch, under traffic."""

import contextlib
import time

import pytest

from lib.control import Control
from lib.frames import BROADCAST, frame
from lib.room import HOLD
from lib.switch import Switch
from lib.uplink import TAP, Uplink
from lib.wait import wait_for
from vm.guest import Guest, Nic
from vm.migration import ARP, BEYOND, GUEST_MAC, HOST, HOST_MAC, RARP, Migrant, Wire

LARGE = "rx_queue_size=1024"
# Seconds after it runs at the new place; hundredths of one on an idle machine.
AT_ONCE = 10.0


@contextlib.contextmanager
def wire_of(uplink):
    wire = Wire(uplink.port)
    try:
        yield wire
    finally:
        wire.enough.set()
        if wire.is_alive():
            wire.join()


def dropped(switch):
    """Frames of the host that were dropped, by reason."""
    return switch.next_table()["uplink"].reasons


def check_hop(wire, first, ran):
    """What a hop cost: the datagrams of one interval, and no others. Returns how many those were."""
    wire.wait_return()
    lost = wire.lost(first, wire.returned[-1])
    assert not lost or lost[-1] - lost[0] + 1 == len(lost), f"lost in more than one interval: {lost}"
    assert not lost or wire.sent[lost[-1]] < ran + AT_ONCE, "not reachable at its new place"
    return len(lost)


@pytest.mark.parametrize("options, noisy, silent, kind, sleep", [
    (LARGE, 7, 3, ARP, ()),
    (f"{LARGE},packed=on", 7, 3, ARP, ()),
    (f"{LARGE},guest_announce=off", 0, 2, RARP, ()),
    # From one datagram to the next it is asleep.
    (LARGE, 2, 1, ARP, ("--idle-sleep", 100)),
], ids=["split", "packed", "announced-by-rarp", "idle-sleep"])
def test_migrates_to_and_fro(options, noisy, silent, kind, sleep, box, image):
    """In the noisy hops the guest sends by itself; in the silent ones only its announcement tells where it is."""
    sockets = [box.path("here.sock"), box.path("there.sock")]
    arguments = ["-p", "0x1", "--vlan-base", "0", *sleep]
    for path in sockets:
        arguments += ["--socket-file", path]
    with contextlib.ExitStack() as stack:
        uplink = Uplink(TAP)
        stack.callback(uplink.close)
        switch = stack.enter_context(Switch(box, arguments, ns=uplink.ns, eal=uplink.eal()))
        uplink.open()
        migrant = Migrant(box, image, stack, sockets, options)
        migrant.guest.wait_up()
        migrant.become_router()
        wire = stack.enter_context(wire_of(uplink))
        wire.meet()
        before, reasons = migrant.forwarded(), dropped(switch)
        wire.start()
        wire.wait_return()
        if noisy:
            migrant.guest.stream(HOST, interval=0.005, size=200)
        lost = 0
        for hop in range(noisy + silent):
            if noisy and hop == noisy:
                migrant.guest.end_streams()
            first, announced = wire.returned[-1] + 1, len(wire.announced)
            lost += check_hop(wire, first, migrant.hop())
            print(f"hop {hop}: {lost} lost so far of {len(wire.sent)}")
            if hop >= noisy:
                wait_for(lambda: kind in [k for _, k in wire.announced[announced:]], what="announcement")
            migrant.leave()
        wire.finish()
        assert len(wire.sent) - len(wire.returned) == lost
        assert migrant.forwarded() - before == len(wire.returned)
        assert not noisy or len(wire.requests) > 100
        # Each one that was lost was counted, and why: nobody had the guest's rings at that moment, or its address.
        gone = {reason: count - reasons.get(reason, 0) for reason, count in dropped(switch).items()}
        assert gone.pop("destination_gone", 0) + gone.pop("no_port", 0) == lost and not any(gone.values()), (gone, lost)


def test_guest_that_has_left_the_host_is_followed_at_once(box, image):
    """Its QEMU has stopped the rings, and stays connected for a while; the other host announces it."""
    with contextlib.ExitStack() as stack:
        uplink = Uplink(TAP)
        stack.callback(uplink.close)
        switch = stack.enter_context(Switch(box, ["-p", "0x1", "--vlan-base", "0"], ns=uplink.ns, eal=uplink.eal()))
        uplink.open()
        control = stack.enter_context(Control(switch))
        guest = stack.enter_context(Guest(box, "a", image, Nic(GUEST_MAC, switch.socket()), address=HOST))
        guest.wait_up()
        guest.run(f"arp -s {BEYOND} {HOST_MAC}")
        guest.stream(BEYOND)  # it has just used its address, whenever it stops

        def owner():
            entries = control.ask("fdb.list")["entries"]
            return next((e.get("device", "uplink") for e in entries if e["mac"].lower() == GUEST_MAC), None)

        def followed():
            wait_for(lambda: owner() == 0, what="the address of the guest")
            guest.qmp("stop")
            begin = time.monotonic()

            def announced():
                uplink.port.send(frame(BROADCAST, GUEST_MAC))
                return owner() == "uplink"
            wait_for(announced, what="the address beyond the uplink")
            took = time.monotonic() - begin
            guest.qmp("cont")
            return took < HOLD  # a guest that only rests keeps it for so long
        wait_for(followed, what="a guest that is followed within a second")
