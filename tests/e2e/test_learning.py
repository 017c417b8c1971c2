# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The forwarding table as guests see it: learn, move, age, forget, refuse."""

import itertools
import re
import signal
import time

from lib.frames import BROADCAST, frame
from lib.guests import Guests
from lib.hang import HANGS, hung
from lib.room import HOLD, room
from lib.uplink import TAP
from lib.wait import wait_for

ROAMER = "02:aa:00:00:00:01"
MOVES = 400
# Lines a second about addresses that a person can still read, and that fill no disk.
LINES_A_SECOND = 20


def teach(r, guest, mac, sender=None):
    """The guest uses an address; when this returns, frames for it go to that guest alone."""
    sender = sender or r.others(guest)[0]
    r.reached(guest, frame(BROADCAST, mac))
    wait_for(lambda: r.reached(sender, frame(mac, sender.mac)) == {guest}, what=f"{mac} at {guest.mac}")


def move_lines(switch):
    return [line for line in switch.stderr.splitlines() if re.search(r"\bmove[ds]?\b", line)]


def test_address_moves_to_the_last_that_used_it(box):
    with room(box, 3) as r:
        one, two, three = r.guests
        for owner in (one, two, three, one):
            teach(r, owner, ROAMER)
            for other in r.others(owner):
                assert r.reached(other, frame(ROAMER, other.mac)) == {owner}
        wait_for(lambda: len(move_lines(r.switch)) >= 3, what="lines about moves")
        lines = move_lines(r.switch)
        assert len(lines) == 3 and all(ROAMER in line for line in lines), lines


def roam(one, two, three):
    """Two guests send with one address by turns. Returns how many seconds it took."""
    begin = time.monotonic()
    for seq in range(MOVES):
        for guest in (one, two):
            data = frame(three.mac, ROAMER, seq)
            guest.port.send(data)
            assert three.port.receive() == data
    return time.monotonic() - begin


def test_moves_are_logged_at_a_bounded_rate(box):
    with room(box, 3) as r:
        one, two, three = r.guests
        seconds = roam(one, two, three)
        lines = wait_for(lambda: move_lines(r.switch), what="a line about a move")
        assert len(lines) <= LINES_A_SECOND * (1 + seconds), f"{len(lines)} lines in {seconds:.1f} s"


def test_registrations_are_logged_at_a_bounded_rate(box):
    """Two guests whose only address is the same one: with each move a device has its first address again."""
    with room(box, 3, introduce=False) as r:
        one, two, three = r.guests
        r.introduce(three)
        seconds = roam(one, two, three)
        lines = len(r.switch.registered()) + len(move_lines(r.switch))
        assert lines <= 2 * LINES_A_SECOND * (1 + seconds), f"{lines} lines in {seconds:.1f} s"


def test_several_addresses_of_one_device(box):
    with room(box, 3) as r:
        one, two, three = r.guests
        addresses = [f"02:aa:00:00:01:{i:02x}" for i in range(8)]
        for mac in addresses:
            teach(r, one, mac)
        for mac in [one.mac, *addresses]:
            assert r.reached(two, frame(mac, two.mac)) == {one}
            assert r.reached(three, frame(mac, three.mac)) == {one}
        assert [device for device, _, _ in r.switch.registered()] == [0, 1, 2], \
            "one line a device, for its first address"


def test_idle_address_is_forgotten(box):
    with room(box, 3, ["--aging", "1"]) as r:
        idle, busy, third = r.guests

        def known():
            """Whom a frame for the idle one reaches while it is known: after a pause it may be forgotten already."""
            teach(r, idle, idle.mac, sender=third)
            return r.reached(busy, frame(idle.mac, busy.mac)) == {idle}
        wait_for(known, what="the idle one's address known")
        r.introduced.remove(idle)  # from here on it stays silent
        wait_for(lambda: r.reached(busy, frame(idle.mac, busy.mac)) == {idle, third},
                 what="the idle one's address forgotten")

        def stays():
            """Whom a frame for the busy one reaches, in a tuple; None if this machine was too busy to tell."""
            begin = time.monotonic()
            teach(r, busy, busy.mac, sender=third)
            r.reached(busy, frame(third.mac, busy.mac))
            reached = r.reached(third, frame(busy.mac, third.mac))
            return (reached,) if time.monotonic() - begin < HOLD else None
        assert wait_for(stays, what="two frames within a second") == ({busy},), "an address in use must stay"
        teach(r, idle, idle.mac)


def test_nobody_ages_while_the_switch_is_stopped(box):
    """A debugger, or a machine that is saved and goes on later: all the time has passed at once then."""
    aging = 3
    with room(box, 3, ["--aging", str(aging)]) as r:
        one, two, _ = r.guests
        r.switch.signal(signal.SIGSTOP)
        wait_for(r.switch.stopped, what="the switch stopped")
        time.sleep(aging + 1.5)
        r.switch.signal(signal.SIGCONT)
        for _ in range(20):  # the first may be earlier than the main lcore
            assert r.reached(one, frame(two.mac, one.mac)) == {two}, "a frame for a known address went to others"


def test_nobody_ages_while_a_worker_hangs(box):
    """The main lcore goes on, but the worker can't see who uses an address."""
    aging = 3
    with room(box, 3, ["--aging", str(aging)], allow_log=[HANGS]) as r:
        one, two, _ = r.guests
        with hung(r.switch.pid, 1):
            for _ in range(aging + 2):  # one a second
                r.switch.next_table()
        for _ in range(20):
            assert r.reached(one, frame(two.mac, one.mac)) == {two}, "a frame for a known address went to others"


def test_group_source_is_refused(box):
    with room(box, 3) as r:
        one, two, three = r.guests
        for source in ("01:00:5e:00:00:05", BROADCAST, "33:33:00:00:00:01"):
            assert r.reached(one, frame(two.mac, source)) == set()
            assert r.reached(two, frame(source, two.mac)) == {one, three}, "a group address was learned"
        table = r.switch.next_table()
        assert table[0].reasons == {"bad_source": 3}


def test_one_guest_cannot_fill_the_table(box):
    """Thousands of addresses from one guest: the others keep theirs, and new ones are still learned."""
    with room(box, 3, introduce=2) as r:
        greedy, other, late = r.guests
        for i in range(3000):
            data = frame(other.mac, f"02:bb:00:00:{i >> 8:02x}:{i & 255:02x}", i)
            greedy.port.send(data)
            assert other.port.receive() == data
        assert r.reached(greedy, frame(other.mac, greedy.mac)) == {other}
        r.introduce(late)
        assert r.reached(greedy, frame(late.mac, greedy.mac)) == {late}


def from_wire(r, guest, mac):
    """A frame of that address comes from the wire, with the guest's tag."""
    data = frame(guest.mac, mac)
    return r.reached(r.uplink, r.to_guest(guest, data), arrives=data)


def test_uplink_does_not_take_an_address_in_use(box):
    """Frames of guests that come back from the wire, milliseconds later."""
    with room(box, 3, uplink=TAP) as r:
        one, two, three = r.guests

        roamers = (f"02:00:00:00:77:{i:02x}" for i in itertools.count())

        def comes_back():
            roamer, begin = next(roamers), time.monotonic()
            teach(r, one, roamer)
            from_wire(r, two, roamer)
            return roamer if time.monotonic() - begin < HOLD else None  # this machine was too busy to tell
        roamer = wait_for(comes_back, what="frame of a guest and its reflection within a second")
        for other in (two, three):
            assert r.reached(other, frame(roamer, other.mac)) == {one}
        assert not [line for line in move_lines(r.switch) if roamer in line.lower()]


def test_address_is_followed_to_the_wire_and_back(box):
    """A guest that was migrated to another host; and a guest that spoke once with the gateway's address."""
    with room(box, 3, uplink=TAP) as r:
        one, two, three = r.guests
        r.introduce_uplink(ROAMER)
        for moves in (1, 2):
            begin = time.monotonic()
            teach(r, one, ROAMER)

            def followed():
                from_wire(r, two, ROAMER)
                return r.reached(three, frame(ROAMER, three.mac)) == {r.uplink}
            wait_for(followed, what=f"{ROAMER} beyond the uplink")
            assert time.monotonic() - begin > HOLD, "taken from a guest that had just used it"
            assert r.reached(two, frame(ROAMER, two.mac)) == {r.uplink}
            assert r.reached(one, frame(ROAMER, one.mac)) == {r.uplink}
            wait_for(lambda n=2 * moves: len(move_lines(r.switch)) >= n, what="lines about moves")
        lines = move_lines(r.switch)
        assert [re.sub(r".* moved ", "", line) for line in lines] == [
            "from the uplink to device 0", "from device 0 to the uplink"] * 2, lines


def test_addresses_of_a_guest_that_left_are_forgotten(box):
    with room(box, 2) as r:
        one, two = r.guests
        with Guests(box, [r.switch.socket()], first=2) as visitors:
            visitor = visitors[0]
            visitor.port.send(frame(BROADCAST, visitor.mac))
            r.switch.wait_registered(visitor.mac)
            for guest in (one, two):
                assert guest.port.receive() is not None
            assert r.reached(one, frame(visitor.mac, one.mac)) == set()
            visitors.pmd.quit()
        r.switch.wait_table(lambda t: t.devices() == [0, 1])  # the visitor has gone
        assert r.reached(one, frame(visitor.mac, one.mac)) == {two}
