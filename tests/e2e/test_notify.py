# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""What the service manager is told (sd_notify's protocol), and a worker that hangs.

The test is the service manager: it has the socket of NOTIFY_SOCKET.
"""

import contextlib
import os
import re
import select
import signal
import socket
import time

import pytest

from lib.control import Control
from lib.guests import Guests
from lib.hang import HANGS, WALL, hung
from lib.switch import TWO_WORKERS, Switch
from lib.telemetry import Telemetry
from lib.uplink import AF_PACKET, Uplink
from lib.wait import DEADLINE, wait_for

WATCHDOG = {"WATCHDOG_USEC": "30000000"}
LOOKS = 5  # looks, one a second, after which a worker is reported as hanging
GOES_ON = r"the worker on lcore (\d+) goes on"


class Manager:
    """The socket, and all that came, in order."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.said = []

    def lines(self):
        while select.select([self.socket], [], [], 0)[0]:
            self.said += self.socket.recv(4096).decode().splitlines()
        return self.said

    def wait(self, line, count=1):
        wait_for(lambda: self.lines().count(line) >= count, DEADLINE, lambda: f"{count} times {line}: {self.said}")


@pytest.fixture(params=("path", "abstract"))
def any_manager(box, request):
    """(manager, value of NOTIFY_SOCKET)"""
    path = box.path("notify")
    named = Manager(path if request.param == "path" else "\0" + path)
    with named.socket:
        yield named, path if request.param == "path" else "@" + path


@pytest.fixture
def manager(box):
    named = Manager(box.path("notify"))
    with named.socket:
        yield named


def environment(box, **more):
    return {"NOTIFY_SOCKET": box.path("notify"), **more}


def test_manager_hears_of_start_guests_and_end(box, any_manager):
    manager, name = any_manager
    box.foreign_sockets.add("notify")
    with Switch(box, env={"NOTIFY_SOCKET": name}) as switch:
        manager.wait("READY=1")
        assert os.path.exists(switch.socket()), "ready means that guests can connect"
        manager.wait("STATUS=guests: 0, workers: 1, uplink: none")
        with Guests(box, [switch.socket()]):
            manager.wait("STATUS=guests: 1, workers: 1, uplink: none")
        manager.wait("STATUS=guests: 0, workers: 1, uplink: none", 2)
        assert "STOPPING=1" not in manager.lines()
    assert manager.lines()[-1] == "STOPPING=1"
    assert "WATCHDOG=1" not in manager.said, "nobody has asked for it"


def test_manager_hears_of_the_link(box, manager):
    box.foreign_sockets.add("notify")
    with contextlib.closing(Uplink(AF_PACKET)) as uplink, \
            Switch(box, ["-p", "0x1"], env=environment(box), ns=uplink.ns, eal=uplink.eal(), allow_log=["AFPACKET"]):
        for state, times in (("up", 1), ("down", 1), ("up", 2)):
            uplink.ns.ip("link", "set", uplink.far, state)
            manager.wait(f"STATUS=guests: 0, workers: 1, uplink: {state}", times)
        uplink.ns.ip("link", "set", uplink.far, "down")
        manager.wait("STATUS=guests: 0, workers: 1, uplink: down", 2)
        uplink.ns.ip("link", "delete", uplink.far)
        manager.wait("STATUS=guests: 0, workers: 1, uplink: down (interface removed)")


@pytest.mark.parametrize("whose, feeds", (({}, True), ({"WATCHDOG_PID": "1"}, False)))
def test_watchdog_is_fed_if_it_is_ours(box, manager, whose, feeds):
    box.foreign_sockets.add("notify")
    with Switch(box, env=environment(box, **WATCHDOG, **whose)) as switch:
        if feeds:
            manager.wait("WATCHDOG=1", 3)
        else:
            for _ in range(3):
                switch.next_table()  # each is a second in which it might have been fed
            assert "WATCHDOG=1" not in manager.lines()


def test_watchdog_is_fed_while_the_worker_sleeps(box, manager):
    """It sleeps for longer than a burst may take, but does not count as hanging."""
    box.foreign_sockets.add("notify")
    with Switch(box, ["--idle-sleep", "50"], env=environment(box, **WATCHDOG), stats_every=0) as switch, \
            Guests(box, [switch.socket()]), Telemetry(switch) as telemetry:
        wait_for(lambda: telemetry.ask("/vhost_switch/workers")["0"]["asleep_ppm"] > 990_000, what="an idle worker")
        manager.wait("WATCHDOG=1", manager.lines().count("WATCHDOG=1") + LOOKS + 1)
        assert not re.search(HANGS, switch.stderr)


def test_hung_worker_is_named_and_starves_the_watchdog(box, manager):
    box.foreign_sockets.add("notify")
    with Switch(box, env=environment(box, **WATCHDOG), lcores=TWO_WORKERS, allow_log=[HANGS]) as switch:
        manager.wait("WATCHDOG=1", 2)
        with hung(switch.pid, 2):
            assert switch.wait_output(HANGS)[1] == b"2"
            fed = manager.lines().count("WATCHDOG=1")
            for _ in range(3):
                switch.next_table()  # the main lcore does its work, and would feed
            assert manager.lines().count("WATCHDOG=1") == fed
            assert len(re.findall(HANGS, switch.stderr)) == 1, "it is said once"
        assert switch.wait_output(GOES_ON)[1] == b"2"
        manager.wait("WATCHDOG=1", fed + 2)


def test_guest_that_leaves_a_hung_worker_does_not_stop_the_main_lcore(box, manager):
    """The thread of connections waits for the worker, and the main lcore for neither of them: it names it."""
    box.foreign_sockets.add("notify")
    with Switch(box, env=environment(box, **WATCHDOG), allow_log=[HANGS]) as switch:
        guests = Guests(box, [switch.socket()])
        with guests:
            manager.wait("WATCHDOG=1", 2)
            with hung(switch.pid, 1):
                guests.pmd.end()
                assert switch.wait_output(HANGS)[1] == b"1"
                switch.next_table()
        switch.wait_output(GOES_ON)
        switch.wait_output("device 0 disconnected")


def test_sigterm_ends_a_switch_with_a_hung_worker(box):
    """Also with a guest that left it: librte_vhost's thread waits for the worker then, for ever."""
    with Switch(box, lcores=TWO_WORKERS) as switch:
        with Guests(box, [switch.socket()] * 2) as guests, hung(switch.pid, 2) as thread:
            guests.pmd.kill()
            begin = time.monotonic()
            switch.signal(signal.SIGTERM)
            switch.wait_output("the worker on lcore 2 hangs: ended without it")
            named = time.monotonic() - begin
            os.waitpid(thread, WALL)  # a thread that is traced stays until it was waited for
            assert switch.wait(DEADLINE) == 1
        assert named > 1, "no time was left to a worker"
        assert not switch.sockets(), "sockets left behind"
        assert switch.tail(1).rstrip().endswith("guests are cut off"), "its last word"
        switch.status = 1


def test_questions_about_a_guest_that_left_a_hung_worker_are_answered(box):
    """librte_vhost's thread holds a lock, for which no answer and no change waits. SIGTERM ends the switch as ever."""
    ports = ["--port", "a,socket=usvhost,guests=2", "--port", "b,socket=other"]
    with Switch(box, ports, lcores=TWO_WORKERS, allow_log=[HANGS]) as switch, Control(switch) as control:
        with Guests(box, [switch.socket()] * 2) as guests, hung(switch.pid, 2) as thread:
            guests.pmd.kill()
            wait_for(lambda: "held up" in control.port("b")["why"], what="what is known of a port without guests")
            assert "a guest is held up" in control.refused("port.set", name="b", isolated=True).message
            switch.signal(signal.SIGTERM)
            switch.wait_output("the worker on lcore 2 hangs: ended without it")
            os.waitpid(thread, WALL)
            assert switch.wait(DEADLINE) == 1
        switch.status = 1


def test_a_reload_during_a_change_is_made_after_it(box):
    """`systemctl reload` tells nobody that it came at a bad time. The change waits here for a worker that hangs."""
    path = box.path("switch.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write("[port a]\nsocket = usvhost\n[port b]\nsocket = b\n")
    with Switch(box, ["--config", path], lcores=TWO_WORKERS, allow_log=[HANGS]) as switch, Control(switch) as asks, \
            Control(switch) as control, Guests(box, [switch.socket()]):
        wait_for(lambda: [guest["transmit_rings"] for guest in control.port("a")["guests"]] == [1], what="a guest")
        with hung(switch.pid, 1):
            asks.send("port.del", name="a")
            wait_for(lambda: "another change" in control.refused("port.set", name="b", isolated=True).message,
                     what="the change is being made")
            with open(path, "w", encoding="ascii") as file:
                file.write("[port b]\nsocket = b\nisolated = yes\n")
            switch.signal(signal.SIGHUP)
            switch.wait_output("reload: not yet: another change is being made")
        assert asks.read()["result"]["diff"] == ["- port a"]
        switch.wait_output(r"^vhost-switch: reload: done$")
        assert control.port("b")["settings"]["isolated"] == "yes"


def test_a_reload_waits_for_a_guest_that_is_held_up(box):
    path = box.path("switch.conf")
    lines = "[port a]\nsocket = usvhost\nguests = 2\n[port b]\nsocket = b\n"
    with open(path, "w", encoding="ascii") as file:
        file.write(lines)
    with Switch(box, ["--config", path], lcores=TWO_WORKERS, allow_log=[HANGS]) as switch, Control(switch) as control:
        with Guests(box, [switch.socket()] * 2) as guests, hung(switch.pid, 2):
            guests.pmd.kill()
            wait_for(lambda: "held up" in control.port("b")["why"], what="what is known of a port without guests")
            with open(path, "w", encoding="ascii") as file:
                file.write(f"{lines}isolated = yes\n")
            switch.signal(signal.SIGHUP)
            switch.wait_output("reload: not yet: no memory, or a guest is held up")
        switch.wait_output(r"^vhost-switch: reload: done$")
        assert control.port("b")["settings"]["isolated"] == "yes"


def test_manager_that_does_not_read_is_not_waited_for(box, manager):
    """What it does not take is said once, and the main lcore goes on."""
    box.foreign_sockets.add("notify")
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as other, \
            Switch(box, env=environment(box, **WATCHDOG), allow_log=["it does not read"]) as switch:
        other.setblocking(False)
        other.connect(box.path("notify"))
        with contextlib.suppress(BlockingIOError):
            while True:
                other.send(b"full")
        switch.wait_output("can't tell the service manager: it does not read")
        for _ in range(3):
            switch.next_table()  # each is a second in which it is told again
        assert switch.stderr.count("can't tell the service manager") == 1
        manager.lines()
        manager.wait("WATCHDOG=1")


def test_socket_that_is_not_there_is_named(box):
    with Switch(box, env=environment(box), allow_log=["NOTIFY_SOCKET"]) as switch:
        switch.wait_output(rf"can't tell the service manager: NOTIFY_SOCKET={box.path('notify')}: No such file")


def test_watchdog_that_is_too_fast_is_named(box, manager):
    del manager
    box.foreign_sockets.add("notify")
    with Switch(box, env=environment(box, WATCHDOG_USEC="1000000"), allow_log=["watchdog"]) as switch:
        switch.wait_output("a watchdog of 1000000 us will end the switch; set WatchdogSec to 2 or more")
