# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The control socket and the forwarding table: addresses that are put, forgotten and kept, and a frame's way."""

from lib.control import Control
from lib.frames import BROADCAST, frame
from lib.guests import Guests
from lib.room import room
from lib.switch import Switch
from lib.uplink import TAP
from lib.wait import wait_for

STRANGER = "02:00:00:00:00:99"


def test_addresses_can_be_put_and_forgotten(box):
    with room(box, 2) as r, Control(r.switch) as control:
        one, two = r.guests
        static = "02:00:00:00:00:42"
        name = control.ask("port.list")["ports"][0]["guests"][1]["name"]
        control.ask("fdb.add", mac=static, port=name)
        assert [entry["static"] for entry in control.ask("fdb.list", port=name)["entries"]
                if entry["mac"].lower() == static] == [True]
        data = frame(static, one.mac)
        one.port.send(data)
        two.port.until(data)
        # Another guest that uses the address does not get it.
        one.port.send(frame(BROADCAST, static))
        one.port.send(frame(static, one.mac, 3))
        two.port.until(frame(static, one.mac, 3))
        assert control.ask("fdb.del", mac=static) == {"flushed": 1}
        assert "is not in the table" in control.refused("fdb.del", mac=static).message
        assert control.ask("fdb.flush", port=name)["flushed"] == 1
        assert control.ask("fdb.flush")["flushed"] >= 1
        assert control.ask("fdb.list")["entries"] == []
        assert "no guest of that name" in control.refused("fdb.flush", port="nobody").message


def test_static_addresses_wait_for_their_guest(box):
    """They come back with it, whoever used them meanwhile, unless they or their port were deleted."""
    kept, deleted = "02:00:00:00:00:42", "02:00:00:00:00:43"

    def static(control):
        return {entry["mac"].lower(): (entry["port"], entry.get("waits", False))
                for entry in control.ask("fdb.list")["entries"] if entry["static"]}

    def guest(index):
        return Guests(box, [switch.socket("ab"[index])], first=index)

    with Switch(box, ["--port", "a,socket=a", "--port", "b,socket=b"]) as switch, Control(switch) as control, \
            guest(1) as others:
        other, = others.guests
        with guest(0) as owner:
            wait_for(lambda: control.port("a")["state"] == "up", what="a's guest")
            for mac in (kept, deleted):
                control.ask("fdb.add", mac=mac, port="a")
            assert static(control) == {kept: ("a", False), deleted: ("a", False)}
            control.ask("port.set", name="a", vlan=7)  # its learned addresses are forgotten
            assert static(control) == {kept: ("a", False), deleted: ("a", False)}
            control.ask("port.set", name="b", vlan=7)
            other.port.send(frame(BROADCAST, kept))
            other.port.send(frame(kept, other.mac))
            owner.guests[0].port.until(frame(kept, other.mac))
        wait_for(lambda: static(control) == {kept: ("a", True), deleted: ("a", True)}, what="they wait")
        assert control.ask("fdb.list", limit=1)["next"] is not None
        other.port.send(frame(BROADCAST, kept))
        wait_for(lambda: kept in [entry["mac"].lower() for entry in control.ask("fdb.list", port="b")["entries"]],
                 what="another guest has the address meanwhile")
        assert control.ask("fdb.del", mac=deleted) == {"flushed": 1}
        with guest(0) as back:
            wait_for(lambda: static(control) == {kept: ("a", False)}, what="one is back, the other deleted")
            other.port.send(frame(kept, other.mac))
            back.guests[0].port.until(frame(kept, other.mac))
        wait_for(lambda: static(control) == {kept: ("a", True)}, what="it waits again")
        control.ask("port.del", name="a")
        control.ask("port.add", name="a", socket="a")
        assert not static(control)


def test_a_frame_is_explained_as_it_goes(box):
    """A frame that is sent then goes where the answer says, and the question leaves no trace."""
    with room(box, 3, uplink=TAP) as r, Control(r.switch) as control:
        one, two, three = r.guests
        names = {guest["device"]: guest["name"] for guest in control.ask("port.list")["ports"][0]["guests"]}
        r.introduce(one, two)
        name = names[one.index]
        told = control.ask("explain", **{"from": name}, to=two.mac)
        assert (told["verdict"], told["ports"], told["reason"]) == ("delivered", [names[two.index]], "")
        assert f"in the table at {names[two.index]}" in told["steps"][1]
        dropped = control.port("usvhost")["guests"][one.index]["dropped"]
        for to, verdict, reason in ((two.mac, "delivered", ""), (STRANGER, "flooded", ""), (BROADCAST, "flooded", ""),
                                    (one.mac, "dropped", "to_sender"),
                                    ("01:80:c2:00:00:0e", "dropped", "link_local")):
            told = control.ask("explain", **{"from": name}, to=to, source=one.mac)
            assert (told["verdict"], told["reason"]) == (verdict, reason), told
            assert control.port("usvhost")["guests"][one.index]["dropped"] == dropped
            reached = r.reached(one, frame(to, one.mac))
            assert set(told["ports"]) == {
                "uplink" if port is r.uplink else names[port.index] for port in reached}, told
            dropped += verdict == "dropped"
        # The address of a question is not learned.
        control.ask("explain", **{"from": name}, to=two.mac, source=STRANGER)
        r.reached(one, frame(two.mac, one.mac))
        assert STRANGER not in [entry["mac"] for entry in control.ask("fdb.list")["entries"]]
        tag = r.tag(three)
        told = control.ask("explain", **{"from": "uplink"}, to=three.mac, vlan=tag)
        assert told["ports"] == [names[three.index]]
        assert control.ask("explain", **{"from": "uplink"}, to=three.mac, vlan=99)["reason"] == "wrong_vlan"
        for params, error in (({"from": "nobody", "to": two.mac}, "no guest of that name"),
                              ({"from": name, "to": "nowhere"}, "must be an address"),
                              ({"from": name, "to": two.mac, "vlan": 4095}, "vlan 4095: must be"),
                              ({"from": name, "to": two.mac, "vlan": (1 << 32) + 5}, "vlan 4294967301: must be"),
                              ({"from": name, "to": two.mac, "source": "me"}, "source me: must be")):
            assert error in control.refused("explain", **params).message
