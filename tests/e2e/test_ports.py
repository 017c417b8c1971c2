# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Ports: each guest is known by its socket, and what it may do is seen frame by frame, also on the wire."""

import contextlib
import re
import socket

import pytest

from lib import frames
from lib.frames import BROADCAST, frame
from lib.guests import Guests
from lib.room import room
from lib.switch import Switch
from lib.telemetry import Telemetry
from lib.uplink import TAP, Uplink
from lib.wait import wait_for

STRANGER = "02:00:00:00:00:99"
MULTICAST = "01:00:5e:00:00:fb"


def tags_on_wire(box, link, switch, order):
    """Starts a guest at each socket, in this order; the tag that each has on the wire, by socket."""
    found = {}
    macs = [f"cc:bb:bb:bb:00:{ord(name):02x}" for name in order]  # each socket's guest has its own, in every round
    with Guests(box, [switch.socket(name) for name in order], macs=macs) as guests:
        for guest, name in zip(guests, order):
            data = frame(STRANGER, guest.mac)
            guest.port.send(data)
            seen = wait_for(lambda sender=data[6:12]: next(
                (got for got in link.port.pending() if got[6:12] == sender), None), what=f"{name} on the wire")
            assert frames.untagged(seen) == data
            found[name] = int.from_bytes(seen[14:16], "big")
            device, tag = switch.wait_registered(guest.mac)
            assert tag == found[name]
        guests.pmd.quit()
    return found


@pytest.mark.parametrize("options, tags", [
    (["--socket-file", "a", "--socket-file", "b", "--socket-file", "c"], {"a": 1000, "b": 1001, "c": 1002}),
    (["--port", "x,socket=a,vlan=7", "--socket-file", "b", "--port", "z,socket=c,vlan=4094"],
     {"a": 7, "b": 1001, "c": 4094}),
], ids=["by place", "by name"])
def test_tag_is_the_ports_whoever_connects_first(options, tags, box):
    link = Uplink(TAP)
    try:
        for order in ("abc", "cba", "bca"):
            with Switch(box, [*options, "-p", "0x1"], ns=link.ns, eal=link.eal()) as switch:
                link.open()
                assert tags_on_wire(box, link, switch, order) == tags
                # The same switch, and guests that come in another order.
                wait_for(lambda: not switch.next_table().devices(), what="all guests gone")
                assert tags_on_wire(box, link, switch, order[::-1]) == tags
                link.port.close()
    finally:
        link.close()


def test_guests_of_one_socket_are_numbered_behind_the_others(box):
    with Switch(box, ["--socket-file", "a", "--socket-file", "b"]) as switch, \
            Guests(box, [switch.socket("b")] * 3 + [switch.socket("a")]) as guests:
        for guest, device in zip(guests, (1, 2, 3, 0)):
            guest.port.send(frame(BROADCAST, guest.mac))
            assert switch.wait_registered(guest.mac) == (device, 1000 + device)
        assert re.search(r"^names: 0 a\.0, 1 b\.0, 2 b\.1, 3 b\.2$", switch.next_table().text, re.M)


def test_ports_that_share_a_tag_are_a_vlan_of_the_uplink(box):
    """Two with tag 10, one with 20, one untagged; one that is given its tag by its slot."""
    with room(box, uplink=TAP, ports=["p0,vlan=10", "p1,vlan=10", "p2,vlan=20", "p3,vlan=0", "p4"]) as r:
        one, two, other, bare, last = r.guests
        assert [r.tag(guest) for guest in r.guests] == [10, 10, 20, 0, 1004]
        # Between guests tags play no part.
        assert r.reached(one, frame(other.mac, one.mac)) == {other}
        assert r.reached(one, frame(BROADCAST, one.mac)) == {two, other, bare, last, r.uplink}
        for data in (frame(BROADCAST, STRANGER), frame(MULTICAST, STRANGER), frame("02:00:00:00:77:77", STRANGER)):
            assert r.reached(r.uplink, frames.tagged(data, 10), arrives=data) == {one, two}
        for guest in r.guests:
            data = frame(guest.mac, STRANGER)
            assert r.reached(r.uplink, r.to_guest(guest, data), arrives=data) == {guest}
            for tag in {r.tag(g) for g in r.guests} - {r.tag(guest)}:
                wrong = frames.tagged(data, tag) if tag else data
                assert r.reached(r.uplink, wrong, arrives=data) == set()
            if guest is not one and guest is not two:
                data = frame(BROADCAST, STRANGER)
                assert r.reached(r.uplink, r.to_guest(guest, data), arrives=data) == {guest}
        # This one has its tag by its number, not by its port.
        assert r.reached(r.uplink, frames.tagged(frame(one.mac, STRANGER), 1000)) == set()


def test_source_addresses(box):
    """One guest is held to two addresses; another, which is not, can't use those; the third is free."""
    with room(box, uplink=TAP, ports=["held,mac=cc:bb:bb:bb:bb:00+02:aa:00:00:00:01", "free", "other"]) as r:
        held, free, other = r.guests
        assert r.reached(held, frame(other.mac, "02:aa:00:00:00:01")) == {other}
        assert r.reached(held, frame(other.mac, held.mac)) == {other}
        wait_for(lambda: r.reached(other, frame("02:aa:00:00:00:01", other.mac)) == {held},
                 what="second address learned")
        r.introduce_uplink(STRANGER)
        spoofs = [(held, free.mac), (held, STRANGER), (held, "02:aa:00:00:00:02"),
                  (free, held.mac), (free, "02:aa:00:00:00:01")]
        for guest, mac in spoofs:
            for to in (BROADCAST, other.mac, STRANGER):
                assert r.reached(guest, frame(to, mac)) == set(), f"{guest.mac} as {mac}"
        # All is as it was.
        for guest in (held, free):
            assert r.reached(other, frame(guest.mac, other.mac)) == {guest}
        assert r.reached(other, frame(STRANGER, other.mac)) == {r.uplink}
        assert r.reached(other, frame("02:aa:00:00:00:01", other.mac)) == {held}
        assert r.reached(other, frame("02:aa:00:00:00:02", other.mac)) == {held, free, r.uplink}
        # A guest without such a setting may use addresses that no port names.
        assert r.reached(free, frame(other.mac, "02:aa:00:00:00:03")) == {other}
        table = r.switch.next_table()
        assert table[0].reasons == {"spoofed_mac": 9} and table[1].reasons == {"spoofed_mac": 6}
        assert " moved " not in r.switch.stderr


def test_isolated(box):
    """Two isolated guests, two that are not, and the uplink."""
    with room(box, uplink=TAP, ports=["a,isolated=yes", "b,isolated=yes", "server", "c,isolated=no"]) as r:
        a, b, server, c = r.guests
        r.introduce_uplink(STRANGER)
        assert r.reached(a, frame(b.mac, a.mac)) == set()
        assert r.reached(b, frame(a.mac, b.mac)) == set()
        for to in (BROADCAST, MULTICAST, "02:00:00:00:77:77"):
            assert r.reached(a, frame(to, a.mac)) == {server, c, r.uplink}
            assert r.reached(b, frame(to, b.mac)) == {server, c, r.uplink}
            assert r.reached(server, frame(to, server.mac)) == {a, b, c, r.uplink}
        for guest in (a, b, c):
            assert r.reached(guest, frame(server.mac, guest.mac)) == {server}
            assert r.reached(server, frame(guest.mac, server.mac)) == {guest}
            assert r.reached(guest, frame(STRANGER, guest.mac)) == {r.uplink}
            data = frame(guest.mac, STRANGER)
            assert r.reached(r.uplink, r.to_guest(guest, data), arrives=data) == {guest}
        table = r.switch.next_table()
        assert table[0].reasons == {"isolated": 1} and table[1].reasons == {"isolated": 1}


def test_isolated_guests_of_one_port(box):
    with Switch(box, ["--port", "all,socket=s,isolated=yes,guests=2"]) as switch, \
            Guests(box, [switch.socket("s")] * 2) as guests:
        one, two = guests
        for guest in guests:
            guest.port.send(frame(BROADCAST, guest.mac))
            switch.wait_registered(guest.mac)
        one.port.send(frame(two.mac, one.mac))
        table = switch.wait_table(lambda t: t[0].reasons.get("isolated") == 1)
        assert two.port.pending() == [] and table[1].sent == 0


def connect(path):
    """A connection that says nothing."""
    made = socket.socket(socket.AF_UNIX)
    made.connect(path)
    return made


def test_connections_take_no_places(box):
    """There are more connections than devices: neighbours keep their devices, and the socket's next guest gets one."""
    refused = [r"port a: guest refused: \d+ connections", r"VHOST_CONFIG: \(a\) failed to add vhost user connection"]
    with Switch(box, ["--socket-file", "a", "--socket-file", "b"], allow_log=refused) as switch, \
            contextlib.ExitStack() as bare:
        for _ in range(300):
            bare.enter_context(connect(switch.socket("a")))
        with Guests(box, [switch.socket("b")] * 2) as guests:
            for guest, device in zip(guests, (1, 2)):
                guest.port.send(frame(BROADCAST, guest.mac))
                assert switch.wait_registered(guest.mac) == (device, 1000 + device)
            data = frame(guests[1].mac, guests[0].mac)
            guests[0].port.send(data)
            wait_for(lambda: data in guests[1].port.pending(), what="frame from guest to guest")
            assert switch.next_table().devices() == [1, 2]
        bare.close()
        with Guests(box, [switch.socket("a")], first=5) as guests:
            guests[0].port.send(frame(BROADCAST, guests[0].mac))
            assert switch.wait_registered(guests[0].mac) == (0, 1000)


def test_connections_that_come_and_go_fill_no_log(box):
    with Switch(box) as switch:
        before = len(switch.stderr)
        for _ in range(2000):
            connect(switch.socket()).close()
        with Guests(box, [switch.socket()]) as guests:  # it is answered after all of those
            guests[0].port.send(frame(BROADCAST, guests[0].mac))
            switch.wait_registered(guests[0].mac)
            assert len(switch.stderr) - before < 2000


def test_names(box):
    with room(box, ports=["web,vlan=10", "db"]) as r, Telemetry(r.switch) as telemetry:
        assert re.search(r"^names: 0 web, 1 db$", r.switch.next_table().text, re.M)
        assert re.search(r"device 0 connected: web$", r.switch.stderr, re.M)
        assert telemetry.ask("/vhost_switch/ports") == ["0", "1"]
        answer = telemetry.ask("/vhost_switch/port,web")
        assert answer["name"] == "web" and answer["vlan"] == 10
        assert telemetry.ask("/vhost_switch/port,1")["name"] == "db"
        assert telemetry.ask("/vhost_switch/port,nobody") is None
