# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""What an Ethernet bridge does by the book (IEEE 802.1Q): what stays on its link, what never comes back."""

import contextlib
import select
import threading

import pytest

from lib import frames
from lib.frames import BROADCAST, MULTICAST, frame
from lib.room import room
from lib.uplink import AF_PACKET, TAP
from lib.wait import wait_for

STRANGER = "02:00:00:00:00:99"
UNKNOWN = "02:00:00:00:77:77"
SPANNING_TREE, PAUSE, LACP, PAE, LLDP, LAST = (f"01:80:c2:00:00:{i:02x}" for i in (0, 1, 2, 3, 0xe, 0xf))
LINK_LOCAL = (SPANNING_TREE, PAUSE, LACP, PAE, LLDP, LAST)
GVRP = "01:80:c2:00:00:21"  # for a bridge without GVRP this is a group like any other


@pytest.mark.parametrize("vm2vm", [0, 1])
@pytest.mark.parametrize("vlan_base", [1000, 0])
def test_link_local_addresses_stay_on_their_link(box, vlan_base, vm2vm):
    with room(box, 2, uplink=TAP, vlan_base=vlan_base, vm2vm=vm2vm) as r:
        one, two = r.guests
        for dst in LINK_LOCAL:
            assert r.reached(one, frame(dst, one.mac)) == set(), dst
            assert r.reached(r.uplink, frame(dst, STRANGER)) == set(), dst
            tagged = r.to_guest(one, frame(dst, STRANGER))
            assert r.reached(r.uplink, tagged) == set(), dst
        assert r.reached(one, frame(GVRP, one.mac)) == ({two, r.uplink} if vm2vm else {r.uplink})
        table = r.switch.next_table()
        assert table[0].reasons == {"link_local": len(LINK_LOCAL)}
        assert table["uplink"].reasons == {"link_local": 2 * len(LINK_LOCAL)}


def test_link_local_addresses_are_forwarded_if_asked_for(box):
    with room(box, 2, ["--forward-bpdu", "1"], uplink=TAP, vlan_base=0) as r:
        one, two = r.guests
        for dst in LINK_LOCAL:
            assert r.reached(one, frame(dst, one.mac)) == {two, r.uplink}, dst
            assert r.reached(r.uplink, frame(dst, STRANGER)) == {one, two}, dst


@pytest.mark.parametrize("uplink", [TAP, AF_PACKET])
@pytest.mark.parametrize("vlan_base", [1000, 0])
def test_nothing_returns_to_the_owner_of_its_source(box, uplink, vlan_base):
    """The wire sends back what one guest sent, with its own tag and with those of others."""
    with room(box, 3, uplink=uplink, vlan_base=vlan_base) as r:
        one, two, three = r.guests
        r.introduce_uplink(STRANGER)

        def reached(dst, *tagged):
            """Whom the wire's frame reaches with each guest's tag."""
            data = frame(dst, one.mac)
            return r.while_held(one, STRANGER, lambda: [
                r.reached(r.uplink, r.to_guest(guest, data), arrives=data) for guest in tagged])[0]
        for dst in (BROADCAST, MULTICAST, UNKNOWN, two.mac, one.mac):
            assert r.reached(one, frame(BROADCAST, one.mac)) == {two, three, r.uplink}
            if vlan_base:
                due = {two} if dst in (BROADCAST, MULTICAST, two.mac) else set()
                assert reached(dst, one, two) == [set(), due], dst
            else:
                due = {two} if dst == two.mac else set() if dst == one.mac else {two, three}
                assert reached(dst, one) == [due], dst
        # No address has moved.
        assert r.reached(r.uplink, r.to_guest(one, frame(one.mac, STRANGER)),
                         arrives=frame(one.mac, STRANGER)) == {one}


@contextlib.contextmanager
def reflecting(port):
    """Sends everything that comes out of the switch back to it; yields what that was."""
    seen, end = [], threading.Event()

    def run():
        while not end.is_set():
            if select.select([port], [], [], 0.05)[0] and (data := port.receive(0)) is not None:
                port.send(data)
                seen.append(data)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()


@pytest.mark.parametrize("vlan_base", [1000, 0])
def test_duplicate_address_detection_where_the_wire_reflects(box, vlan_base):
    """A Linux guest, whose kernel has no nonce in its solicitations (RFC 7527), gives itself an IPv6 address."""
    with room(box, 2, uplink=TAP, vlan_base=vlan_base) as r:
        one, _ = r.guests
        ns = r.guests.ns

        def setting(interface, name, value):
            def write():
                with open(f"/proc/sys/net/ipv6/conf/{interface}/{name}", "w", encoding="ascii") as f:
                    f.write(str(value))
            ns.inside(write)

        ns.ip("link", "set", one.tap, "address", one.mac)
        with reflecting(r.uplink.port) as seen:
            for interface in ("all", one.tap):
                setting(interface, "enhanced_dad", 0)
            setting(one.tap, "accept_dad", 1)
            setting(one.tap, "disable_ipv6", 0)
            ns.ip("address", "add", "fd00::1/64", "dev", one.tap)

            def state():
                line = next(li for li in ns.ip("-o", "-6", "address", "show", "dev", one.tap).splitlines()
                            if "fd00::1/64" in li)
                return line if "tentative" not in line or "dadfailed" in line else None
            line = wait_for(state, what="the end of duplicate address detection")
            assert "dadfailed" not in line, line
            wait_for(lambda: any(data[:6] == b"\x33\x33\xff\x00\x00\x01" for data in seen),
                     what=lambda: f"a solicitation in {[frames.describe(data) for data in seen]}")
        if vlan_base:
            r.switch.wait_table(lambda table: table["uplink"].reasons.get("to_sender", 0) >= 1)
