# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Each case of the tables in lib/vlan_matrix.py, on an uplink that is sorted in software."""

import functools

import pytest

from lib import frames
from lib.guests import Guests
from lib.room import room
from lib.switch import Switch
from lib.uplink import AF_PACKET, TAP
from lib.vlan_matrix import LEAVING, MATRIX, REFLECTED, Asked

STRANGER = "02:00:00:00:00:99"


@pytest.fixture(scope="module", params=[TAP, AF_PACKET])
def three(request, module_box):
    """Guests A and B, known, and S, silent; at the end the switch has counted every case under its reason."""
    with room(module_box, 3, uplink=request.param, introduce=2) as r:
        r.introduce_uplink(STRANGER)
        r.asked = Asked()
        yield r
        r.asked.check(r.switch.next_table()["uplink"].reasons)


def reached(three, case, source):
    guests = list(three.guests)
    tags = case.tags([three.tag(guest) for guest in guests])
    data = frames.frame(case.destination([guest.mac for guest in guests]), source, tags=tags)
    return three.reached(three.uplink, data, arrives=frames.untagged(data) if tags else data)


@pytest.mark.parametrize("case", MATRIX, ids=lambda case: case.name)
def test_from_uplink(three, case):
    three.asked.add(case)
    assert reached(three, case, STRANGER) == case.due(three.guests)


@pytest.mark.parametrize("case", REFLECTED, ids=lambda case: case.name)
def test_reflected(three, case):
    a, *others = three.guests
    assert three.reached(a, frames.frame(frames.BROADCAST, a.mac)) == {three.uplink, *others}
    got, looks = three.while_held(a, STRANGER, lambda: reached(three, case, a.mac))
    three.asked.add(case, looks)
    assert got == case.due(three.guests)


@pytest.mark.parametrize("own_tags", ["keep", "drop"])
@pytest.mark.parametrize("vlan_base", [1000, 0], ids=["tagged", "untagged"])
@pytest.mark.parametrize("uplink", [TAP, AF_PACKET])
def test_to_uplink(box, uplink, vlan_base, own_tags):
    with room(box, 2, ["--port", f"vm,socket=./usvhost,guests=2,own-tags={own_tags}"], uplink=uplink,
              vlan_base=vlan_base) as r:
        for guest in r.guests:
            other, = r.others(guest)
            for case in LEAVING:
                plain = frames.frame(frames.BROADCAST, guest.mac)
                data = case.frame(plain)
                due = {r.uplink: [case.on_wire(plain, r.tag(guest) if vlan_base else None)], other: [data], guest: []}
                if own_tags == "drop" and case.dropped:
                    due = {receiver: [] for receiver in due}
                assert r.got(guest, data) == due, case.name
        dropped = sum(case.dropped for case in LEAVING) if own_tags == "drop" else 0
        table = r.switch.next_table()
        for guest in r.guests:
            assert table[guest.index].reasons == ({"own_tag": dropped} if dropped else {})


@pytest.mark.parametrize("strip", [0, 1])
def test_priority_tags_from_an_untagged_uplink(box, strip):
    """VLAN 0 is no VLAN: the tag is stripped or kept as on any uplink; VLANs are the guests' own."""
    with room(box, 2, ["--vlan-strip", strip], uplink=AF_PACKET, vlan_base=0) as r:
        guest = r.guests[0]
        for tags, left in (((5 << 13,), ()), ((0,), ()), ((5 << 13, 7), (7,)), ((7,), (7,)),
                           ((7, 5 << 13), (7, 5 << 13))):
            plain = frames.frame(guest.mac, STRANGER)
            data = functools.reduce(frames.tagged, reversed(tags), plain)
            stripped = functools.reduce(frames.tagged, reversed(left), plain)
            assert r.reached(r.uplink, data, arrives=stripped if strip else data) == {guest}, tags


def test_virtio_as_the_uplink(box):
    """Of another switch. Its driver offers to add tags, and adds none by itself."""
    box.foreign_sockets.add("below")
    with Switch(box, ["--socket-file", "below"]) as below, Guests(box, [below.socket("below")]) as stations, \
            Switch(box, ["--socket-file", "above", "-p", "0x1"], memory=("--in-memory", "--single-file-segments"),
                   eal=["--iova-mode=va", "--vdev", f"net_virtio_user0,path={below.socket('below')}"]) as above:
        with Guests(box, [above.socket("above")], first=1) as guests:
            (station,), (guest,) = stations.guests, guests.guests
            sent = frames.frame(frames.BROADCAST, guest.mac)
            guest.port.send(sent)
            station.port.until(frames.tagged(sent, 1000))
            back = frames.frame(guest.mac, station.mac)
            station.port.send(frames.tagged(back, 1000))
            guest.port.until(back)
        assert above.next_table()["uplink"].reasons == {}
    box.foreign_sockets.discard("below")
