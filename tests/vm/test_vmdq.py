# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""An 82576 NIC as the uplink: it sorts (VMDq), or the switch does.

One machine serves all. 82576 has 8 pools; the first is kept for what is sorted in software.
"""

import pytest

from lib import frames
from lib.guests import address
from lib.switch import binary
from lib.vlan_matrix import LEAVING, MATRIX, REFLECTED, Asked
from lib.wait import wait_for
from vm.igb import NIC, STRANGER, Igb, Party
from vm.machine import DEADLINE_THERE

POOLS = 7  # for devices
FILTERS = 24  # for addresses
LLDP = "01:80:c2:00:00:0e"
ELSEWHERE = "02:00:00:00:77:77"


@pytest.fixture(scope="module")
def igb(module_box):
    with Igb(module_box) as machine:
        yield machine


class TestThreeGuests:
    """The NIC sorts, or the switch: it makes no difference."""

    # Only a promiscuous NIC lets in what is for a silent guest, where the switch sorts.
    @pytest.fixture(scope="class", params=["--vmdq 0 -P", "--vmdq 1"])
    def three(self, request, igb):
        """Guests A and B, known, and S, silent."""
        with Party(igb, request.param.split()) as party:
            party.asked = Asked()
            party.has_pools = "--vmdq 1" in request.param
            a, b, party.room.silent = party.join(address(0), address(1), address(2))
            party.room.introduce(a, b)
            party.room.introduce_uplink(STRANGER)
            yield party

    @pytest.mark.parametrize("case", MATRIX, ids=lambda case: case.name)
    def test_from_uplink(self, three, case):
        room = three.room
        tags = case.tags([room.tag(guest) for guest in room.guests])
        data = frames.frame(case.destination([guest.mac for guest in room.guests]), STRANGER, tags=tags)
        three.asked.add(case)
        assert room.reached(room.uplink, data, arrives=room.arrives(data)) == case.due(room.guests)

    @pytest.mark.parametrize("case", REFLECTED, ids=lambda case: case.name)
    def test_reflected(self, three, case):
        room = three.room
        a = room.guests[0]
        tags = case.tags([room.tag(guest) for guest in room.guests])
        data = frames.frame(case.destination([guest.mac for guest in room.guests]), a.mac, tags=tags)
        assert room.reached(a, frames.frame(frames.BROADCAST, a.mac)) == {room.uplink, *room.others(a)}
        got, looks = room.while_held(
            a, STRANGER, lambda: room.reached(room.uplink, data, arrives=room.arrives(data)), DEADLINE_THERE)
        three.asked.add(case, looks)
        assert got == case.due(room.guests)

    def test_what_reached_nobody_was_counted(self, three):
        """A NIC with pools drops some of it by itself."""
        three.asked.check(three.switch.next_table()["uplink"].reasons, nic_drops=three.has_pools)

    @pytest.mark.parametrize("tags", [(), (7,)], ids=["untagged", "tagged by the guest"])
    @pytest.mark.parametrize("to", [ELSEWHERE, frames.BROADCAST, frames.MULTICAST])
    def test_to_uplink(self, three, to, tags):
        """A frame without a tag leaves with that of its device."""
        room = three.room
        for guest in room.guests[:2]:
            data = frames.frame(to, guest.mac, size=1000, tags=tags)
            assert room.reached(guest, data) == {room.uplink, *room.others(guest)}

    def test_what_stays_on_its_link(self, three):
        room = three.room
        for guest in room.guests[:2]:
            assert room.reached(guest, frames.frame(LLDP, guest.mac)) == set()

    @pytest.mark.parametrize("case", LEAVING, ids=lambda case: case.name)
    def test_tags_to_uplink(self, three, case):
        room = three.room
        for guest in room.guests[:2]:
            plain = frames.frame(frames.BROADCAST, guest.mac, size=1000)
            got = room.got(guest, case.frame(plain))
            assert got[room.uplink] == [case.on_wire(plain, room.tag(guest))]
            assert all(got[other] == [case.frame(plain)] for other in room.others(guest))

    def test_link_goes_down_and_up(self, three):
        room = three.room
        a, b, _ = room.guests
        for _ in range(2):
            set_link(three, False)
            data = frames.frame(frames.BROADCAST, a.mac)
            a.send(data)
            assert b.until(data) == [] and room.silent.until(data) == []
            set_link(three, True)
            assert room.sorted_to(a.mac, room.tag(a)) == {a}
            assert room.reached(a, data) == {room.uplink, *room.others(a)}


def set_link(party, up):
    """Waits until the switch has seen it, which looks ten times a second."""
    words = f"its link is {'up' if up else 'down'}"
    before = party.switch.stderr().count(words)
    party.machine.set_link(up)
    wait_for(lambda: party.switch.stderr().count(words) > before, what=words)


def check_said_once(party, words):
    def lines():
        return [line for line in party.switch.stderr().splitlines() if words in line]
    wait_for(lines, what=words)
    assert len(lines()) == 1


def test_tags_of_guests_that_may_have_none(igb):
    with Party(igb, ["--vmdq", "1", "--port", "vm,socket=./usvhost,guests=2,own-tags=drop"]) as party:
        room = party.room
        guest, room.silent = party.join(address(0), address(1))
        room.introduce(guest)
        for case in LEAVING:
            plain = frames.frame(frames.BROADCAST, guest.mac, size=1000)
            due = {room.uplink: [case.on_wire(plain, room.tag(guest))], room.silent: [case.frame(plain)], guest: []}
            if case.dropped:
                due = {receiver: [] for receiver in due}
            assert room.got(guest, case.frame(plain)) == due, case.name
        assert party.switch.next_table()[guest.index].reasons == {"own_tag": sum(case.dropped for case in LEAVING)}


class TestMoreGuestsThanPools:
    @pytest.fixture(scope="class")
    def nine(self, igb):
        """Devices 0 to 6 have pools, 7 has none, 8 is silent (and has none)."""
        with Party(igb) as party:
            *known, party.room.silent = party.join(*(address(i) for i in range(9)))
            party.room.introduce(*known)
            yield party

    @pytest.mark.parametrize("device", [0, POOLS - 1, POOLS])
    def test_guests_without_a_pool_are_served_too(self, nine, device):
        room = nine.room
        guest, other = room.guests[device], room.guests[(device + 1) % (POOLS + 1)]
        for mac, due in ((guest.mac, {guest}), (other.mac, set()), (frames.BROADCAST, {guest}),
                         (frames.MULTICAST, {guest})):
            assert room.sorted_to(mac, room.tag(guest)) == due, mac
        check_said_once(nine, f"pools for {POOLS} devices")

    def test_an_address_moves_out_of_the_pools_and_back(self, nine):
        room = nine.room
        pooled, other = room.guests[POOLS - 1], room.guests[POOLS]
        mac = "02:00:00:00:00:55"
        for now, before in ((pooled, other), (other, pooled), (pooled, other)):
            assert room.reached(now, frames.frame(frames.BROADCAST, mac)) == {room.uplink, *room.others(now)}
            wait_for(lambda: room.sorted_to(mac, room.tag(now)) == {now}, what=f"{mac} at device {now.index}")
            assert room.sorted_to(mac, room.tag(before)) == set()

    def test_more_addresses_than_filters(self, nine):
        """The last ones are sorted in software."""
        room = nine.room
        guest = room.guests[0]
        macs = [f"02:00:00:00:01:{i:02x}" for i in range(FILTERS)]
        for mac in macs:
            data = frames.frame(room.guests[1].mac, mac)
            guest.send(data)
            assert room.guests[1].until(data) == []
        for mac in (macs[0], macs[-1]):
            wait_for(lambda: room.sorted_to(mac, room.tag(guest)) == {guest}, what=f"{mac} learned")
            assert room.sorted_to(mac, room.tag(room.guests[1])) == set()
        check_said_once(nine, "no room for the addresses of guests")


def test_others_take_the_places_of_those_that_left(igb):
    """The next guests have the same tags and pools, but their own addresses, and get nothing of what was for others.

    Here guests see the tags of the wire, which 82576's driver always lets pools strip.
    """
    with Party(igb, ["--vmdq", "1", "-P", "--vlan-strip", "0"]) as party:
        room = party.room
        room.keeps_tags = True
        old, room.silent = party.join(address(0), address(1))
        room.introduce(old)
        party.leave([old, room.silent])
        for mac in (address(0), address(1), frames.BROADCAST):
            for tag in (room.vlan_base, room.vlan_base + 1):
                room.uplink.port.send(frames.frame(mac, STRANGER, tags=(tag,)))
        # What was device 1's address is device 0's now.
        new, room.silent = party.join(address(1), address(8))
        assert new.pending() == room.silent.pending() == []
        room.introduce(new)
        for mac, device, due in ((new.mac, new, {new}), (frames.BROADCAST, new, {new}), (old.mac, new, set()),
                                 (new.mac, room.silent, set()), (old.mac, room.silent, {room.silent})):
            assert room.sorted_to(mac, room.tag(device)) == due, (mac, device.index)


def test_jumbo(igb):
    """The 82576's driver can't put jumbo frames into pools, so the switch sorts by itself."""
    with Party(igb, ["-P"], jumbo=True) as party:
        room = party.room
        guest, room.silent = party.join(address(0), address(1))
        room.introduce(guest)
        for size in (1514, 1518, 4096, frames.JUMBO + frames.HEADER):
            assert room.sorted_to(guest.mac, room.tag(guest), size) == {guest}
            assert room.sorted_to(guest.mac, room.tag(room.silent), size) == set()
            assert room.reached(guest, frames.frame(ELSEWHERE, guest.mac, size=size)) == {room.silent, room.uplink}
        check_said_once(party, "can't sort jumbo frames by VMDq")


def test_switching_by_the_nic_is_refused(igb):
    """The NIC could, but its driver has no way to say so."""
    status, output = igb.run(f"{binary()} --lcores 0@0,1@1 --in-memory -a {NIC} -- -p 0x1 --vm2vm 2", check=False)
    assert status == 1
    assert output.splitlines()[-1] == (
        "vhost-switch: --vm2vm 2: port 0 (net_e1000_igb) can't switch between guests: use --vm2vm 1")
