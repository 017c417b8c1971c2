# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Frames with sequence numbers and patterns: all arrive in order and unchanged, where they should and nowhere else."""

import os
import signal

import pytest

from lib import frames
from lib.control import Control
from lib.frames import BROADCAST, MULTICAST, frame, sizes, tagged, transfer, untagged
from lib.proc import Process
from lib.room import room
from lib.switch import ONE_WORKER, ROOT, TWO_WORKERS, Switch
from lib.uplink import AF_PACKET, TAP
from lib.wait import DEADLINE, stays, wait_for

LOADGEN = os.path.join(ROOT, "build", "loadgen")
ROUNDS = 20  # times every size
STRANGER = "02:00:00:00:00:99"  # beyond the uplink
UNKNOWN = "02:00:00:00:77:77"
UPLINKS = pytest.mark.parametrize("uplink", [TAP, AF_PACKET])


def numbered(dst, src, largest=1514, rounds=ROUNDS, tags=()):
    every = sizes(largest) * rounds
    return [frame(dst, src, seq, size, tags) for seq, size in enumerate(every)]


# Between guests.


@pytest.mark.parametrize("lcores", [ONE_WORKER, TWO_WORKERS], ids=["one worker", "two workers"])
@pytest.mark.parametrize("queue_size", [64, 256])
def test_guest_to_guest(box, lcores, queue_size):
    with room(box, 2, lcores=lcores, guest_options={"queue_size": queue_size}) as r:
        one, two = r.guests
        window = min(frames.WINDOW, queue_size // 2)
        for a, b in ((one, two), (two, one)):
            transfer(a.port, [b.port], numbered(b.mac, a.mac), window=window)


def test_a_late_frame_is_not_lost(box):
    """For the generator that other tests use: a switch that gets no CPU for a while loses nothing."""
    seconds = 3
    with Switch(box) as switch, Control(switch) as control, \
            Process([LOADGEN, "--mode", "verify", "--flows", "both", "--rate", "2000", "--seconds", str(seconds),
                     "--cpu", "0", "--socket", switch.socket()]) as numbered:
        # Not by a table, of which there is one a second: the generator must still be sending.
        wait_for(lambda: any(guest["received"] > 100 for guest in control.port("usvhost")["guests"]), what="frames")
        switch.signal(signal.SIGSTOP)
        wait_for(switch.stopped, what="the switch stopped")
        stays(numbered.running, seconds + 2, "it gave up")
        switch.signal(signal.SIGCONT)
        assert numbered.wait(2 * DEADLINE) == 0 and " ok=1" in numbered.out.decode(), numbered.out.decode()


@pytest.mark.parametrize("buffers", [2176, 10240], ids=["buffers of 2 KiB", "buffers of 10 KiB"])
def test_jumbo_between_guests(box, buffers):
    with room(box, 2, jumbo=True, guest_options={"buffers": buffers}) as r:
        one, two = r.guests
        for a, b in ((one, two), (two, one)):
            transfer(a.port, [b.port], numbered(b.mac, a.mac, frames.JUMBO + frames.HEADER, rounds=10))


def test_frame_longer_than_any_is_dropped(box):
    """Without --mergeable 1 the largest payload is 1500 bytes, and two tags may come on top."""
    with room(box, 2, guest_options={"jumbo": True, "buffers": 10240}) as r:
        one, two = r.guests
        assert r.reached(one, frame(two.mac, one.mac, 1, 1522)) == {two}
        for size in (1523, 2048, 9014):
            assert r.reached(one, frame(two.mac, one.mac, 1, size)) == set()
        assert r.switch.next_table()[0].reasons == {"long_frame": 3}


def test_jumbo_for_a_guest_without_room_is_dropped(box):
    """--mergeable 1, but this driver did not take it and its buffers hold 2 KiB."""
    with room(box, 2, ["--mergeable", "1"], guest_options={"jumbo": True, "mrg_rxbuf": 0}) as r:
        one, two = r.guests
        assert r.reached(one, frame(two.mac, one.mac, 1, 1514)) == {two}
        assert r.reached(one, frame(two.mac, one.mac, 2, 9014)) == set()
        assert r.reached(one, frame(two.mac, one.mac, 3, 1514)) == {two}
        assert r.switch.next_table()[0].reasons == {"buffer_too_small": 1}


def test_guests_own_tags_travel_untouched(box):
    with room(box, 2) as r:
        one, two = r.guests
        for tags in ((5,), (1001,), (5 | 7 << 13,), (100, 200)):
            transfer(one.port, [two.port], numbered(two.mac, one.mac, 1500, 2, tags))


def test_flood_reaches_all_but_the_sender(box):
    with room(box, 4) as r:
        for sender in r.guests:
            for dst in (BROADCAST, MULTICAST, UNKNOWN):
                assert r.reached(sender, frame(dst, sender.mac)) == set(r.others(sender)), dst
        table = r.switch.next_table()
    assert table["total"].flooded >= 2 * 12  # each of those frames has one more copy, for two of three guests


def test_flood_of_all_sizes(box):
    with room(box, 3) as r:
        sender, *others = r.guests
        transfer(sender.port, [other.port for other in others], numbered(BROADCAST, sender.mac))


def test_jumbo_flood(box):
    with room(box, 3, jumbo=True) as r:
        sender, *others = r.guests
        transfer(sender.port, [other.port for other in others], numbered(BROADCAST, sender.mac, 9014, 4))


def test_known_address_reaches_one(box):
    with room(box, 3) as r:
        for sender in r.guests:
            for receiver in r.others(sender):
                assert r.reached(sender, frame(receiver.mac, sender.mac)) == {receiver}


def test_silent_guest_is_reached_by_flooding(box):
    """A guest that never sent anything still gets what is for it: its address is unknown, so it is flooded."""
    with room(box, 3, introduce=2) as r:
        one, two, silent = r.guests
        assert r.reached(one, frame(silent.mac, one.mac)) == {two, silent}


def test_frame_to_its_own_sender_is_dropped(box):
    with room(box, 2) as r:
        one, _ = r.guests
        assert r.reached(one, frame(one.mac, one.mac)) == set()
        table = r.switch.next_table()
        assert table[0].reasons == {"to_sender": 1}


def test_lone_guest_has_nobody_to_send_to(box):
    with room(box, 1, introduce=False) as r:
        one = r.guests[0]
        for seq in range(5):
            one.port.send(frame(BROADCAST, one.mac, seq))
        table = r.switch.wait_table(lambda t: t[0].received == 5)
        assert table[0].dropped == 5 and set(table[0].reasons) == {"no_port"}


# To and from the uplink.


@UPLINKS
@pytest.mark.parametrize("lcores", [ONE_WORKER, TWO_WORKERS], ids=["one worker", "two workers"])
def test_guest_to_uplink_and_back(box, uplink, lcores):
    with room(box, 2, uplink=uplink, lcores=lcores) as r:
        r.introduce_uplink(STRANGER)
        for guest in r.guests:
            out = numbered(STRANGER, guest.mac)
            transfer(guest.port, [r.uplink.port], out, [tagged(data, r.tag(guest)) for data in out])
            back = numbered(guest.mac, STRANGER)
            transfer(r.uplink.port, [guest.port], [tagged(data, r.tag(guest)) for data in back], back)


def test_jumbo_to_uplink_and_back(box):
    with room(box, 2, uplink=AF_PACKET, jumbo=True) as r:
        r.introduce_uplink(STRANGER)
        guest = r.guests[0]
        out = numbered(STRANGER, guest.mac, 9014, 5)
        transfer(guest.port, [r.uplink.port], out, [tagged(data, r.tag(guest)) for data in out])
        back = numbered(guest.mac, STRANGER, 9014, 5)
        transfer(r.uplink.port, [guest.port], [tagged(data, r.tag(guest)) for data in back], back)


def test_jumbo_to_a_tap_holds_up_nobody(box):
    """net_tap of DPDK 22.11 sends 1522 bytes at most, and the switch says so at start: a longer frame is
    dropped and counted, what comes after it arrives. Later releases send jumbo frames: nothing is lost."""
    with room(box, 2, ["--mergeable", "1"], uplink=TAP, guest_options={"jumbo": True, "buffers": 10240}) as r:
        r.introduce_uplink(STRANGER)
        one = r.guests[0]
        limited = "bytes of payload at most: longer ones stay between guests" in r.switch.stderr
        small = numbered(STRANGER, one.mac, rounds=3)
        long = [frame(STRANGER, one.mac, seq, 9014) for seq in range(10)]
        for data in long if limited else ():
            one.port.send(data)
        fit = small if limited else long + small
        transfer(one.port, [r.uplink.port], fit, [tagged(data, r.tag(one)) for data in fit])
        assert r.switch.next_table()[0].reasons == ({"long_frame": len(long)} if limited else {})


@UPLINKS
def test_untagged_uplink(box, uplink):
    """--vlan-base 0: frames pass as they are, sorted by address alone."""
    with room(box, 3, uplink=uplink, vlan_base=0, introduce=2) as r:
        one, two, silent = r.guests
        for guest in (one, two):
            out = numbered(BROADCAST, guest.mac, rounds=2)
            transfer(guest.port, [r.uplink.port, *(o.port for o in r.others(guest))], out)
            back = numbered(guest.mac, STRANGER, rounds=5)
            transfer(r.uplink.port, [guest.port], back)
        assert r.reached(r.uplink, frame(one.mac, STRANGER)) == {one}
        assert r.reached(r.uplink, frame(two.mac, STRANGER)) == {two}
        assert r.reached(r.uplink, frame(silent.mac, STRANGER)) == {one, two, silent}
        for dst in (BROADCAST, MULTICAST):
            assert r.reached(r.uplink, frame(dst, STRANGER)) == {one, two, silent}


@UPLINKS
def test_tag_is_left_on_without_stripping(box, uplink):
    with room(box, 2, ["--vlan-strip", "0"], uplink=uplink, introduce=False) as r:
        for guest in r.guests:
            data = [tagged(f, r.tag(guest)) for f in numbered(guest.mac, STRANGER, rounds=3)]
            transfer(r.uplink.port, [guest.port], data)


@UPLINKS
def test_guests_own_tag_is_kept_on_the_wire(box, uplink):
    """A frame that the guest tagged leaves with that tag alone."""
    with room(box, 2, uplink=uplink) as r:
        guest, other = r.guests
        for tag in (7, 1000, 7 | 3 << 13):
            data = numbered(BROADCAST, guest.mac, rounds=2, tags=(tag,))
            transfer(guest.port, [r.uplink.port, other.port], data)


@UPLINKS
def test_inner_tag_survives_the_way_in(box, uplink):
    """The tag of the device goes, the one inside it stays."""
    with room(box, 2, uplink=uplink) as r:
        guest, _ = r.guests
        inner = numbered(guest.mac, STRANGER, 1500, 3, tags=(77,))
        transfer(r.uplink.port, [guest.port], [tagged(data, r.tag(guest)) for data in inner], inner)


@UPLINKS
def test_guest_floods_to_guests_and_uplink(box, uplink):
    with room(box, 3, uplink=uplink) as r:
        for sender in r.guests:
            for dst in (BROADCAST, MULTICAST, UNKNOWN):
                assert r.reached(sender, frame(dst, sender.mac)) == {*r.others(sender), r.uplink}
            for receiver in r.others(sender):
                assert r.reached(sender, frame(receiver.mac, sender.mac)) == {receiver}


@UPLINKS
def test_nothing_goes_directly_without_vm2vm(box, uplink):
    """--vm2vm 0: a frame for another guest, for all, or for nobody known goes to the uplink and nowhere else."""
    with room(box, 3, uplink=uplink, vm2vm=0) as r:
        for sender in r.guests:
            for dst in (BROADCAST, MULTICAST, UNKNOWN, *(other.mac for other in r.others(sender))):
                assert r.reached(sender, frame(dst, sender.mac)) == {r.uplink}, dst
        one, two, _ = r.guests
        # A frame that a switch beyond the uplink sends back, with its receiver's tag, arrives.
        data = numbered(two.mac, one.mac, rounds=3)
        transfer(r.uplink.port, [two.port], [tagged(f, r.tag(two)) for f in data], data)


def test_vlan_base_is_the_first_tag(box):
    with room(box, 2, uplink=TAP, vlan_base=42) as r:
        for guest in r.guests:
            out = frame(BROADCAST, guest.mac)
            assert r.tag(guest) == 42 + guest.index
            assert r.reached(guest, out) == {r.uplink, *r.others(guest)}


def test_what_the_uplink_brings_never_goes_back_to_it(box):
    with room(box, 2, uplink=TAP) as r:
        for dst in (BROADCAST, STRANGER, r.guests[0].mac):
            for tags in ((), (r.tag(r.guests[0]),), (4000,)):
                assert r.uplink not in r.reached(
                    r.uplink, frame(dst, STRANGER, tags=tags),
                    arrives=untagged(frame(dst, STRANGER, tags=tags)) if tags else None)
