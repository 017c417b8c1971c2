# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The control socket: what it shows, and ports that come, change and go while others talk."""

import contextlib
import os
import re
import signal
import socket
import stat

import pytest

from lib import start
from lib.control import Control, Refused
from lib.frames import BROADCAST, frame, tagged
from lib.guests import Guests
from lib.proc import Process
from lib.room import room
from lib.stats import COLUMNS
from lib.switch import ROOT, Switch
from lib.uplink import TAP, Uplink
from lib.wait import DEADLINE, wait_for

LOADGEN = os.path.join(ROOT, "build", "loadgen")
STRANGER = "02:00:00:00:00:99"
ROUNDS = int(os.environ.get("CONTROL_ROUNDS", 100))  # 1,000 have been run by hand


def accepted(control, **change):
    try:
        control.ask("port.set", **change)
    except Refused:
        return False
    return True


def settings(control, name):
    return control.port(name)["settings"]


def test_what_is_shown_is_what_the_table_says(box):
    with room(box, 3, uplink=TAP) as r, Control(r.switch) as control:
        one, two, _ = r.guests
        for data in (frame(BROADCAST, one.mac), frame(two.mac, one.mac), frame(one.mac, one.mac)):
            r.reached(one, data)
        table = r.switch.next_table()
        shown = {port.get("device", "uplink"): port for port in control.ask("stats")["ports"]}
        assert set(shown) == {0, 1, 2, "uplink"}
        for port, told in shown.items():
            for column in COLUMNS:
                assert told[column] == getattr(table[port], column), (port, column)
            assert {reason: n for reason, n in told["drops"].items() if n} == table[port].reasons
        entries = {entry["mac"].lower(): entry for entry in control.ask("fdb.list")["entries"]}
        assert entries[one.mac]["device"] == 0
        workers = control.ask("worker.list")["workers"]
        assert [ring.get("device", ring.get("port")) for ring in workers[0]["rings"]] == [0, 1, 2, "uplink"]
        assert 0 <= workers[0]["busy"] <= 1 and workers[0]["asleep"] == 0
        ports = {port["name"]: port for port in control.ask("port.list")["ports"]}
        assert ports["uplink"]["link"] == "up" and ports["usvhost"]["state"] == "up"
        assert [guest["device"] for guest in ports["usvhost"]["guests"]] == [0, 1, 2]


def with_groups(path, *words):
    """What a command begins with that sees another /etc/group."""
    return ["unshare", "--mount", "sh", "-ec", f'mount --bind {path} /etc/group\nexec "$@"', "sh", *words]


@pytest.mark.parametrize("group, gid, mode", [("vhost-switch", 0, 0o600), ("vhost-switch-admin", 4711, 0o660)])
def test_the_socket_is_for_its_group_and_goes_with_the_switch(box, group, gid, mode):
    """A group of its own, if there is one: QEMU's user, who may connect guests, is in the group vhost-switch."""
    path, groups = box.path("ctl"), box.path("group")
    with open(groups, "w", encoding="ascii") as f:
        f.write(f"root:x:0:\n{group}:x:4711:\n")
    with Switch(box, ["--control", path], before=with_groups(groups)):
        status = os.stat(path)
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (mode, 0, gid)
    assert not os.path.exists(path)
    with Switch(box, ["--control", "none"]) as switch:
        assert not os.path.exists(f"{switch.directory}/dpdk/{switch.prefix}/control")


def test_group_that_may_not_be_given_is_a_warning(box):
    """A container without CAP_CHOWN, and with the group of the package. The log goes on."""
    groups = box.path("group")
    with open(groups, "w", encoding="ascii") as f:
        f.write("root:x:0:\nvhost-switch-admin:x:4711:\n")
    before = with_groups(groups, "setpriv", "--inh-caps=-chown", "--bounding-set=-chown", "--")
    warning = "the group vhost-switch-admin can't use the control socket"
    with Switch(box, ["--control", box.path("ctl")], before=before, allow_log=[warning]) as switch:
        assert warning in switch.stderr  # it is ready, too


def test_socket_that_could_not_be_made_is_tried_again(box):
    """By the same command, though there is nothing to change."""
    folder, away = box.path("folder"), box.path("away")
    os.mkdir(folder)
    with Switch(box, ["--port", f"a,socket={folder}/a"], allow_log=[f"{folder}/a"]) as switch, \
            Control(switch) as control:
        os.rename(folder, away)
        control.ask("port.set", name="a", mtu=1400)
        assert control.port("a")["why"] != "waits for a guest"
        os.rename(away, folder)

        def made():  # librte_vhost's thread lets the former socket go within a second
            control.ask("port.set", name="a", mtu=1400)
            return control.port("a")["why"] == "waits for a guest"
        wait_for(made, what="the socket")
        assert stat.S_ISSOCK(os.stat(f"{folder}/a").st_mode)


def test_a_port_that_is_added_takes_a_guest_which_goes_with_it(box):
    with Switch(box, ["--port", "a,socket=a"]) as switch, Control(switch) as control:
        assert control.ask("port.add", name="b", socket=switch.socket("b"), vlan=7) == {
            "diff": [f"+ port b socket={switch.socket('b')} vlan=7"], "reconnects": []}
        assert control.port("b")["why"] == "waits for a guest"
        with Guests(box, [switch.socket("a"), switch.socket("b")]) as guests:
            one, two = guests
            for guest in guests:
                guest.port.send(frame(BROADCAST, guest.mac))
            assert switch.wait_registered(two.mac) == (1, 7)
            assert control.port("b")["state"] == "up"
            two.port.pending()
            data = frame(two.mac, one.mac)
            one.port.send(data)
            two.port.until(data)
            assert control.ask("port.del", name="b")["diff"] == ["- port b"]
            assert not os.path.exists(switch.socket("b"))
            assert control.names() == ["a"]
            assert [entry["mac"].lower() for entry in control.ask("fdb.list")["entries"]] == [one.mac]
            wait_for(lambda: switch.next_table().devices() == [0], what="the guest's row is gone")


REFUSED = [
    ({"name": "a", "socket": "x"}, "there is a port of that name"),
    ({"name": "b"}, "socket=PATH is missing"),
    ({"name": "b", "socket": "a"}, "is another port's"),
    ({"name": "b", "socket": "/nowhere/b"}, "is its folder there"),
    ({"name": "b", "socket": "b", "vlan": 4095}, "vlan=4095: must be a number from 0 to 4094"),
    ({"name": "b", "socket": "b", "vlan": 1000}, "is the tag that port a has by its slot"),
    ({"name": "b", "socket": "b", "colour": "red"}, "no such key"),
    ({"name": "b", "socket": "b", "mac": {}}, "must be a string, a number"),
    ({"name": "b", "socket": "b", "tso": True, "csum": False}, "segments need checksums"),
    ({"name": "1", "socket": "b"}, "must not be a number"),
    ({"name": "", "socket": "b"}, "must begin with a name"),
    ({"socket": "b"}, "name: must be a string"),
]


def test_what_is_refused_leaves_all_as_it_was(box):
    with Switch(box, ["--port", "a,socket=a"], allow_log=["/nowhere/b. failed to bind"]) as switch, \
            Control(switch) as control:
        before = control.ask("port.list")
        for keys, error in REFUSED:
            assert error in control.refused("port.add", **keys).message
            assert control.ask("port.list") == before
            assert not os.path.exists(switch.socket("b"))


def test_settings_change_under_the_guest(box):
    """Tag, addresses and isolation act on the next frame, and the guest stays connected."""
    link = Uplink(TAP)
    with contextlib.closing(link), \
            Switch(box, ["--port", "a,socket=a", "--port", "b,socket=b,isolated=yes", "-p", "0x1"],
                   ns=link.ns, eal=link.eal()) as switch, Control(switch) as control:
        link.open()
        with Guests(box, [switch.socket("a"), switch.socket("b")]) as guests:
            one, two = guests
            data = frame(STRANGER, one.mac)

            def tag():
                one.port.send(data)
                seen = wait_for(lambda: next((got for got in link.port.pending() if got[6:12] == data[6:12]), None),
                                what="the frame on the wire")
                return int.from_bytes(seen[14:16], "big")

            assert tag() == 1000
            assert control.ask("port.set", name="a", vlan=20) == {
                "diff": ["~ port a vlan default -> 20"], "reconnects": []}
            assert tag() == 20
            control.ask("port.set", name="a", vlan=None)
            assert tag() == 1000
            # Its own address is allowed, then it is not, then another port may not have it either.
            control.ask("port.set", name="a", mac=[one.mac, "02:00:00:00:00:77"])
            assert tag() == 1000
            control.ask("port.set", name="a", mac="02:00:00:00:00:77")
            assert all(entry["mac"].lower() != one.mac for entry in control.ask("fdb.list")["entries"])
            spoofed = control.port("a")["guests"][0]["drops"]["spoofed_mac"]
            one.port.send(data)
            wait_for(lambda: control.port("a")["guests"][0]["drops"]["spoofed_mac"] == spoofed + 1,
                     what="the frame is dropped")
            control.ask("port.set", name="a", mac=None)
            assert tag() == 1000
            # Two isolated ports do not reach each other.
            hello = frame(BROADCAST, two.mac, 1)
            two.port.send(hello)
            one.port.until(hello)
            link.port.pending()
            control.ask("port.set", name="a", isolated=True)
            hidden = frame(BROADCAST, two.mac, 2)
            two.port.send(hidden)
            wait_for(lambda: tagged(hidden, 1001) in link.port.pending(), what="it is on the wire")
            control.ask("port.set", name="b", isolated=None)
            two.port.send(hello)
            assert hidden not in one.port.until(hello)
            assert "disconnected" not in switch.stderr


def test_a_port_is_made_again_where_guests_have_to_agree(box):
    with Switch(box, ["--port", "a,socket=a", "--port", "b,socket=b"]) as switch, Control(switch) as control:
        assert control.ask("port.set", name="a", queues=2)["reconnects"] == ["a"]
        with Guests(box, [switch.socket("a")], queues=2):
            wait_for(lambda: [guest["receive_rings"] for guest in control.port("a")["guests"]] == [2], what="its guest")
            # The path of one port may become another's in one change: by way of a third.
            assert control.ask("port.set", name="b", socket=switch.socket("c"))["reconnects"] == ["b"]
            assert control.ask("port.set", name="a", socket=switch.socket("b"))["reconnects"] == ["a"]
            assert control.port("a")["guests"] == []
            assert sorted(name for name in os.listdir(switch.directory) if name in "abc") == ["b", "c"]


def test_jumbo_frames_that_came_too_late_for_the_uplink_stay_between_guests(box):
    said = "takes frames with 1500 bytes of payload at most: longer ones stay between guests until"
    with room(box, uplink=TAP, vlan_base=0, ports=["a"]) as r, Control(r.switch) as control:
        control.ask("port.set", name="a", isolated=True)
        assert said not in r.switch.stderr
        control.ask("port.set", name="a", mergeable=True)
        control.ask("port.add", name="b", socket=r.switch.socket("b"), mergeable=True)
        wait_for(lambda: said in r.switch.stderr, what="it is logged")
        assert r.switch.stderr.count(said) == 1


def test_owner_and_mode_of_a_socket_change_at_once(box):
    with Switch(box, ["--port", "a,socket=a"]) as switch, Control(switch) as control:
        before = os.stat(switch.socket("a")).st_ino
        assert control.ask("port.set", name="a", mode="0604", owner="1:2")["reconnects"] == []
        status = os.stat(switch.socket("a"))
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, status.st_ino) == (0o604, 1, 2, before)
        # Without them the socket is as a new one.
        control.ask("port.add", name="new", socket="new")
        new = os.stat(switch.socket("new"))
        assert control.ask("port.set", name="a", mode=None, owner=None)["reconnects"] == []
        status = os.stat(switch.socket("a"))
        assert (status.st_mode, status.st_uid, status.st_gid) == (new.st_mode, new.st_uid, new.st_gid)
        control.ask("port.set", name="a", mode="0604")
        # A file that somebody put in its place is left alone.
        os.rename(switch.socket("a"), switch.socket("b"))
        os.symlink(switch.socket("b"), switch.socket("a"))
        before = control.ask("config.save")
        for _ in range(2):
            refused = control.refused("port.set", name="a", mode="0666", vlan=7)
            assert "can't be given the mode 0666" in refused.message
            assert control.ask("config.save") == before
        assert stat.S_IMODE(os.stat(switch.socket("b")).st_mode) == 0o604
        os.unlink(switch.socket("a"))
        os.rename(switch.socket("b"), switch.socket("a"))


def test_a_socket_that_was_given_away_changes(box):
    """Root of a service may give it away, and not change its mode then, unless it takes it back."""
    before = ["setpriv", "--inh-caps=-fowner", "--bounding-set=-fowner", "--"]
    with Switch(box, ["--port", "a,socket=a,mode=0660,owner=1:2"], before=before) as switch, Control(switch) as control:
        for changed, mode, owner in (({"isolated": True}, 0o660, (1, 2)), ({"mode": "0606"}, 0o606, (1, 2)),
                                     ({"mode": "0600", "owner": None}, 0o600, (os.geteuid(), os.getegid()))):
            assert "warning" not in control.ask("port.set", name="a", **changed)
            status = os.stat(switch.socket("a"))
            assert (stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)) == (mode, owner)


def test_a_guests_tag_is_not_given_away(box):
    """A further guest of a port has the tag of its slot, which no port gets while the guest is there."""
    with room(box, uplink=TAP, ports=["lab,guests=2", "a"], introduce=False) as r, Control(r.switch) as control:
        with Guests(box, [r.switch.socket("lab")], first=2) as more:
            guest, = more.guests
            guest.port.send(frame(BROADCAST, guest.mac))
            assert r.switch.wait_registered(guest.mac) == (2, 1002)
            error = control.refused("port.set", name="a", vlan=1002).message
            assert "vlan=1002: is the tag of device 2, a guest of port lab" in error
            # Nor may a port have fewer guests than it has: its tag would be that of the first alone.
            error = control.refused("port.set", name="lab", guests=1).message
            assert "port lab: guests=1: device 2 has the slot of a further guest" in error
            r.uplink.port.send(tagged(frame(guest.mac, STRANGER), 1002))
            guest.port.until(frame(guest.mac, STRANGER))
        wait_for(lambda: len(control.port("lab")["guests"]) == 1, what="it has left")
        wait_for(lambda: accepted(control, name="a", vlan=1002), what="its slot is free")
        control.ask("port.set", name="lab", guests=1)


def test_the_last_served_port_can_go_where_sockets_have_an_owner(box):
    with Switch(box, ["--dev-mode", "0660", "--port", "a,socket=a"]) as switch, Control(switch) as control:
        assert control.ask("port.del", name="a")["diff"] == ["- port a"]
        control.ask("port.add", name="b", socket="b")
        assert stat.S_IMODE(os.stat(switch.socket("b")).st_mode) == 0o660


def test_a_switch_without_ports_is_saved_as_one(box):
    """The next start does not make the usual socket for many guests."""
    path = box.path("saved")
    with Switch(box, ["--dev-mode", "0660", "--port", "a,socket=a"]) as switch, Control(switch) as control:
        control.ask("port.del", name="a")
        with open(path, "w", encoding="utf-8") as file:
            file.write(control.ask("config.save")["text"])
    with Switch(box, ["--config", path]) as switch, Control(switch) as control:
        assert control.names() == []
        assert not os.path.exists(switch.socket("usvhost"))
        control.ask("port.add", name="b", socket="b")
        assert stat.S_IMODE(os.stat(switch.socket("b")).st_mode) == 0o660


def test_events_tell_what_happens(box):
    with Switch(box, ["--port", "a,socket=a"]) as switch, Control(switch) as control, Control(switch) as watcher:
        assert watcher.ask("events.subscribe") == {}

        def event():
            told = watcher.read()
            assert told["method"] == "event" and re.match(r"\d{4}-\d\d-\d\dT[\d:.]+Z$", told["params"].pop("time"))
            return told["params"]

        control.ask("port.add", name="b", socket=switch.socket("b"))
        assert event() == {"event": "port.added", "port": "b"}
        with Guests(box, [switch.socket("b")]) as guests:
            assert event() == {"event": "guest.connected", "port": "b", "device": 1}
            guests[0].port.send(frame(BROADCAST, guests[0].mac))
            told = event()
            assert (told["event"], told["port"], told["mac"].lower()) == ("address.added", "b", guests[0].mac)
        assert event() == {"event": "guest.disconnected", "port": "b", "device": 1}
        control.ask("port.set", name="b", vlan=9)
        assert event() == {"event": "port.changed", "port": "b"}
        control.ask("port.del", name="b")
        assert event() == {"event": "port.removed", "port": "b"}


def while_numbered_frames_pass(switch, control, guests, change):
    """Calls change(i) ROUNDS times, and more often where that is quick, while frames pass of which none is lost."""
    done = 0
    while done < ROUNDS:
        with Process([LOADGEN, "--mode", "verify", "--guests", str(guests), "--flows", "ring" if guests > 2 else "both",
                      "--rate", "2000", "--seconds", "3", "--cpu", "0", "--socket", switch.socket("a")]) as numbered:
            wait_for(lambda: len(control.port("a")["guests"]) == guests, what="its guests")
            while numbered.running():
                change(done)
                done += 1
            assert numbered.wait(2 * DEADLINE) == 0  # it has one to learn who is where, and waits for late frames
            assert " ok=1" in numbered.out.decode(), numbered.out.decode()
        wait_for(lambda: not control.port("a")["guests"], what="its guests are gone")


def test_nobody_notices_ports_that_come_and_go(box):
    """Eight guests exchange numbered frames while ports are added, changed and removed, some with guests."""
    # A guest that connects to a port that is about to go is refused, and librte_vhost logs that.
    with Switch(box, ["--port", "a,socket=a,guests=8"], allow_log=["failed to add vhost user connection"]) as switch, \
            Control(switch) as control:
        path = switch.socket("b")

        def change(i):
            control.ask("port.add", name="b", socket=path, vlan=3000 + i % 1000)
            with contextlib.closing(socket.socket(socket.AF_UNIX)) as stranger:
                if i % 2:
                    stranger.connect(path)
                control.ask("port.set", name="b", vlan=None)
                control.ask("port.set", name="b", mergeable=bool(i % 3))
                control.ask("port.del", name="b")

        def change_with_guests(_):
            # They have the addresses of others, which they may not use.
            control.ask("port.add", name="c", socket=switch.socket("c"), guests=2, mac=STRANGER)
            with Process([LOADGEN, "--mode", "verify", "--guests", "2", "--flows", "both", "--rate", "500",
                          "--seconds", "60", "--cpu", "0", "--socket", switch.socket("c")]):
                wait_for(lambda: len(control.port("c")["guests"]) == 2, what="two more guests")
                control.ask("port.set", name="c", isolated=True)
                control.ask("port.set", name="c", queues=1)
                control.ask("port.del", name="c")

        control.ask("hello")  # the main lcore waits for events from now on
        before = switch.held()
        while_numbered_frames_pass(switch, control, 8, lambda i: change(i) if i % 20 else change_with_guests(i))
        assert control.names() == ["a"]
        wait_for(lambda: switch.held() <= before, what=lambda: "no file descriptor or thread is left behind: "
                 f"{before}, {switch.held()}, {switch.links()}")


def test_a_file_is_applied_again_and_again(box):
    """By SIGHUP and by the tool, while numbered frames pass: none is lost."""
    path = box.path("switch.conf")

    def write(*ports):
        with open(path, "w", encoding="ascii") as file:
            file.write("[switch]\nstats = 1\n[port a]\nsocket = a\nguests = 2\n"
                       + "".join(f"[port {name}]\nsocket = {name}\n{keys}\n" for name, keys in ports))

    write(("b", "vlan = 7"))
    with Switch(box, ["--config", path], stats_every=0) as switch, Control(switch) as control:
        assert control.names() == ["a", "b"]

        def change(i):
            write(*[(name, f"vlan = {100 + i % 800}") for name in "bcde"[i % 3:]])
            dry = control.ask("config.check")
            assert len(dry["diff"]) >= 1 and control.ask("config.apply") == dry
            assert control.ask("config.apply") == {"diff": [], "reconnects": []}

        while_numbered_frames_pass(switch, control, 2, change)
        assert control.ask("config.apply", text=control.ask("config.save")["text"])["diff"] == []
        write(("x", "vlan = 5000"))
        assert "switch.conf:8: port x: vlan=5000" in control.refused("config.apply").message
        switch.signal(signal.SIGHUP)
        switch.wait_output("reload: nothing is changed: .*switch.conf:8: port x: vlan=5000")
        write(("x", "vlan = 500"))
        switch.signal(signal.SIGHUP)
        switch.wait_output(r"^vhost-switch: \+ port x socket=x vlan=500$")
        switch.wait_output("reload: done")
        assert control.names() == ["a", "x"]


def test_a_file_that_is_wrong_ends_the_start(box):
    for text, error in (("[switch]\nvm2vm = 7\n", "vs.conf:2: --vm2vm 7: must be a number from 0 to 2"),
                        ("[port a]\n", "vs.conf:1: --port a: where do its guests connect?"),
                        (None, "--config vs.conf: No such file or directory"),
                        ("FIFO", "--config vs.conf: must be a regular file")):
        with open(box.path("vs.conf"), "w", encoding="ascii") as file:
            file.write(text or "")
        if text in (None, "FIFO"):
            os.unlink(box.path("vs.conf"))
        if text == "FIFO":
            os.mkfifo(box.path("vs.conf"))
        result = start.start(box, ["--config", "vs.conf"])
        start.before_eal(result)
        start.refused(result, re.escape(error))
        if text == "FIFO":
            os.unlink(box.path("vs.conf"))
