# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The switch ends, or dies and comes back, while Linux guests are attached and send."""

import itertools

import pytest

from lib.wait import wait_for
from vm.host import ADDRESS
from vm.lan import Lan
from vm.test_guest_life import traffic


DIMM = 128 << 20
LACKS = "lacks feature mask"  # what QEMU says each time


@pytest.mark.parametrize("client", [True, False], ids=["client", "server"])
def test_switch_is_killed_and_started_again(client, box, image):
    """QEMU serves the sockets, or connects to the switch's; the guests do nothing about it either way."""
    with Lan(box, image, "ab", client=client) as lan:
        guests = lan.boot()
        for guest in guests:
            for other in lan.others(guest):
                guest.stream(other.address)
        for _ in range(2):
            lan.kill_switch()
            lan.start_switch()
            for guest in guests:
                guest.wait_replies()
        for guest in guests:
            guest.end_streams()
        for guest in guests:
            lan.join(guest)
        lan.all_ping(1472)


def test_switch_ends_in_order_under_traffic(box, image):
    with Lan(box, image, "ab") as lan:
        a, b = lan.boot()
        with traffic(lan, a, b):
            pass
        # a and b go on sending
        lan.switch.stop()


def test_switch_comes_back_with_fewer_offloads(box, image):
    """QEMU leaves at once, every second: the log says why, once, and nothing more until the guest can stay again."""
    with Lan(box, image, "ab", options=["--tso", "1"]) as lan:
        a, b = lan.boot()
        without, lan.options = lan.options, [o for o in lan.options if o not in ("--tso", "1")]
        lan.kill_switch()
        lan.start_switch()
        log = lan.switch
        for name in "ab":
            log.wait_output(rf"socket {lan.box.path(name)}.sock: process \d+ \(qemu-.*\) left when it saw what is "
                            r"offered; .*--mergeable 1, --tx-csum 1, --tso 1")
        for guest in (a, b):  # it has tried again since
            before = guest.stderr.count(LACKS)
            wait_for(lambda g=guest, n=before: g.stderr.count(LACKS) >= n + 3, what=f"{guest.name} tries again")
        assert log.stderr.count(" left when it saw what is offered") == 2
        assert "connected" not in log.stderr
        lan.options = without
        lan.kill_switch()
        lan.start_switch()
        for guest in (a, b):
            lan.join(guest)
        assert " left when it saw what is offered" not in lan.switch.stderr


def test_more_memory_than_fits(box, image):
    """DIMMs under traffic, as many as there are regions for. QEMU refuses one more, also while there is no switch."""
    with Lan(box, image, "a") as lan:
        a, = lan.boot()

        def mapped():
            with open(f"/proc/{lan.switch.pid}/maps", encoding="ascii") as f:
                return sum("memfd:memory-backend" in line for line in f)
        first = mapped()
        a.stream(ADDRESS)
        dimms = list(itertools.takewhile(lambda n: a.plug_memory(n, DIMM), itertools.count()))
        wait_for(lambda: mapped() == first + len(dimms), what="all memory is mapped")
        assert len(dimms) >= 6, dimms
        a.wait_replies()
        lan.kill_switch()
        assert not a.plug_memory("late", DIMM)
        lan.start_switch()
        lan.join(a)
        wait_for(lambda: mapped() == first + len(dimms), what="all memory is mapped again")
        a.wait_replies()
        for dimm in dimms:
            a.unplug_memory(dimm)
            a.wait_replies(1)
        wait_for(lambda: mapped() == first, what="as much memory as at first")
        a.end_streams()
        lan.all_ping(1472)


def test_link_status_and_mtu(box, image):
    """The guest's link is down while its switch is away, and when QEMU is told so; its MTU is QEMU's host_mtu."""
    with Lan(box, image, "ab", nics=dict.fromkeys("ab", "host_mtu=1400"), client=True, mtu=1400) as lan:
        guests = lan.boot()
        for guest in guests:
            guest.run("! ip link set eth0 mtu 1401")
            assert guest.run("cat /sys/class/net/eth0/carrier").strip() == "1"
        lan.kill_switch()
        for guest in guests:
            guest.wait_for("grep -q 0 /sys/class/net/eth0/carrier")
        lan.start_switch()
        for guest in guests:
            guest.wait_for("grep -q 1 /sys/class/net/eth0/carrier")
        for guest in guests:
            lan.join(guest)
        for guest in guests:
            guest.qmp("set_link", name="nic0", up=False)
            guest.wait_for("grep -q 0 /sys/class/net/eth0/carrier")
            guest.qmp("set_link", name="nic0", up=True)
            guest.wait_for("grep -q 1 /sys/class/net/eth0/carrier")
            lan.join(guest)
