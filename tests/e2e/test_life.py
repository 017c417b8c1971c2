# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Start, rest and end of the process: signals, statistics, the sleeping main lcore, the uplink's flags."""

import re
import signal
import time

import pytest

from lib import proc, stats
from lib.frames import BROADCAST, frame
from lib.guests import Guests
from lib.netns import Namespace
from lib.room import room
from lib.switch import ONE_WORKER, TWO_WORKERS, Switch
from lib.testpmd import Testpmd, virtio_user
from lib.uplink import AF_PACKET, TAP
from lib.wait import wait_for

# The promise: SIGINT and SIGTERM end it in order within a second. (A sanitizer's leak check takes longer.)
END_SECONDS = 1.0


def ends_in_time(end):
    """Once in three times: a host that takes the CPU away for a second tells nobody."""
    took = []
    while len(took) < 3 and (not took or took[-1] >= END_SECONDS):
        took.append(end())
    assert took[-1] < END_SECONDS, took


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
@pytest.mark.parametrize("lcores", [ONE_WORKER, TWO_WORKERS], ids=["one worker", "two workers"])
def test_signal_ends_in_order(box, number, lcores):
    def end():
        with Switch(box, lcores=lcores, stats_every=0) as switch:
            table = switch.stop(number)
            assert switch.stdout.count("vhost-switch statistics") == 1
            assert table["total"].received == 0
        return switch.stop_took

    ends_in_time(end)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda n: n.name)
def test_signal_under_traffic(box, number):
    """The guests send as fast as they can while the switch ends."""
    def end():
        with Switch(box) as switch:
            path = switch.socket()
            with Testpmd(box, [virtio_user(0, path, "cc:bb:bb:bb:bb:00"), virtio_user(1, path, "cc:bb:bb:bb:bb:01")],
                         ["--eth-peer=0,cc:bb:bb:bb:bb:01", "--eth-peer=1,cc:bb:bb:bb:bb:00"]) as pmd:
                pmd.forward("mac")
                switch.wait_table(lambda t: t["total"].sent > 10000)
                table = switch.stop(number)
            assert table["total"].sent > 10000
        return switch.stop_took

    ends_in_time(end)


def test_hang_up_changes_nothing(box):
    """SIGHUP, as from a terminal that is closed: the switch logs it, and guests keep their network."""
    with room(box, 2) as r:
        one, two = r.guests
        for times in (1, 2):
            r.switch.signal(signal.SIGHUP)
            wait_for(lambda n=times: r.switch.stderr.count("vhost-switch: SIGHUP: ") == n, what="said")
            assert r.reached(one, frame(BROADCAST, one.mac)) == {two}
        assert "SIGTERM ends" in r.switch.stderr


def test_counters_of_a_guest_that_leaves_are_logged(box):
    """Those of the table: what it sent, and why some of it was dropped."""
    with Switch(box) as switch:
        with Guests(box, [switch.socket()] * 2) as guests:
            one, two = guests.guests
            for seq in range(7):
                one.port.send(frame(BROADCAST, one.mac, seq))
            one.port.send(frame(BROADCAST, "01:00:00:00:00:01"))
            switch.wait_table(lambda t: t[0].dropped == 1 and t[0].received == 8)
        switch.wait_output(r"^vhost-switch: device 0 departed: received 8, delivered 7, dropped 1 \(bad_source 1\), "
                           r"sent 0, missed 0$")
        switch.wait_output(r"^vhost-switch: device 1 departed: received 0, delivered 0, dropped 0, sent 7, missed 0$")


# What the line "ready" says.


def ready_line(switch):
    return re.search(r"^vhost-switch: ready: (.*)$", switch.stderr, re.M)[1]


@pytest.mark.parametrize("options,lcores,served", [
    ([], ONE_WORKER, "1 worker, serves ./usvhost, no uplink"),
    (["--socket-file", "a", "--socket-file", "b"], TWO_WORKERS, "2 workers, serves a b, no uplink"),
    ([word for n in range(10) for word in ("--socket-file", f"s{n}")], ONE_WORKER,
     "1 worker, serves s0 s1 s2 s3 s4 s5 s6 s7 and 2 more, no uplink"),
    (["--client", "--socket-file", "a", "--port", "b,socket=b,role=server"], ONE_WORKER,
     "1 worker, serves b, connects to a, no uplink"),
], ids=lambda v: " ".join(v)[:20] if isinstance(v, list) else "")
def test_ready_says_what_is_served(box, options, lcores, served):
    with Switch(box, options, lcores=lcores, allow_log=["failed to connect: No such file"]) as switch:
        version = proc.run([switch.program, "--version"])[1].split()[1]
        assert ready_line(switch) == f"version {version}, {served}"
        assert "no uplink was chosen" not in switch.stderr


def test_ready_says_which_port_is_the_uplink(box):
    with Namespace() as ns:
        with Switch(box, ["-p", "0x2"], ns=ns,
                    eal=["--vdev", "net_tap0,iface=up0", "--vdev", "net_tap1,iface=up1"]) as s:
            assert ready_line(s).endswith(", serves ./usvhost, uplink port 1 (net_tap1)")
            assert "no uplink was chosen" not in s.stderr


def test_forgotten_uplink_is_noticed(box):
    with Namespace() as ns:
        with Switch(box, ns=ns, eal=["--vdev", "net_tap0,iface=up0"]) as switch:
            assert re.search(r"^vhost-switch: DPDK has port 0 \(net_tap0\), and no uplink was chosen: -p 0x1 makes it ",
                             switch.stderr, re.M)
            assert ready_line(switch).endswith(", no uplink")


def test_second_signal_while_ending_is_harmless(box):
    with Switch(box) as switch:
        switch.signal(signal.SIGTERM)
        switch.signal(signal.SIGINT)
        switch.stop(signal.SIGTERM)


def test_uplink_is_released_at_the_end(box):
    with Namespace() as ns:
        with Switch(box, ["-p", "0x1"], ns=ns, eal=["--vdev", "net_tap0,iface=up0"]) as switch:
            assert ns.links() == {"up0"}
            switch.stop()
        assert ns.links() == set()


@pytest.mark.parametrize("promiscuous", [False, True])
def test_promiscuous_uplink(box, promiscuous):
    with Namespace() as ns:
        ns.veth("up0", "wire0")
        with Switch(box, ["-p", "0x1"] + (["-P"] if promiscuous else []), ns=ns,
                    eal=["--vdev", "net_af_packet0,iface=up0"]):
            assert ("PROMISC" in ns.ip("link", "show", "dev", "up0")) == promiscuous
        assert "PROMISC" not in ns.ip("link", "show", "dev", "up0")


def test_interface_is_promiscuous_no_longer(box):
    """It became so for a guest's address, of which net_af_packet has no filter, and the switch ends."""
    with room(box, guests=1, uplink=AF_PACKET) as r:
        def flags():
            return r.uplink.ns.ip("link", "show", "dev", "up0")
        wait_for(lambda: "PROMISC" in flags(), what="a promiscuous interface")
        r.switch.stop()
        assert "PROMISC" not in flags()


def test_port_that_is_not_in_the_mask_is_left_alone(box):
    """Two ports, the second is the uplink."""
    with Namespace() as ns:
        with Switch(box, ["-p", "0x2"], ns=ns, eal=["--vdev", "net_tap0,iface=up0", "--vdev", "net_tap1,iface=up1"]):
            wait_for(lambda: "LOWER_UP" in ns.ip("link", "show", "dev", "up1"), what="second port up")


def test_statistics_come_in_time(box):
    with Switch(box, ["--stats", "1"]) as switch:
        def three():
            """How many seconds three more take."""
            begin, had = time.monotonic(), len(stats.tables(switch.stdout))
            wait_for(lambda: len(stats.tables(switch.stdout)) >= had + 3, what="three tables")
            return time.monotonic() - begin
        assert any(three() < 6 for _ in range(3)), "once in three times"
        for table in stats.tables(switch.stdout)[:-1]:
            table.check()


@pytest.mark.parametrize("uplink", [None, TAP, AF_PACKET])
def test_main_lcore_sleeps(box, uplink):
    """While the worker burns a second, with guests there and statistics on, the main lcore takes next to nothing."""
    with room(box, guests=2, uplink=uplink) as r:
        before = r.switch.cpu_seconds()

        def burnt(thread):
            return r.switch.cpu_seconds()[thread] - before.get(thread, 0)

        wait_for(lambda: max(burnt(thread) for thread in before) >= 1.0, what="a worker that works")
        assert burnt(r.switch.pid) <= 0.1, "the main lcore spins"


def test_guests_come_and_go_without_a_trace(box):
    """File descriptors, threads and memory are as before; the index and the tag of a guest that left are used again."""
    with Switch(box) as switch:
        def visit():
            with Guests(box, [switch.socket()] * 2) as guests:
                switch.wait_table(lambda t: len(t.devices()) == 2)  # two devices
                guests.pmd.quit()
            switch.wait_table(lambda t: not t.devices())  # no device

        visit()  # what is allocated once and kept
        before = switch.held_at_rest()
        resident = switch.resident_kib()
        for _ in range(3):
            visit()
        switch.wait_held(before)
        assert switch.resident_kib() - resident < 4096
