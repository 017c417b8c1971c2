# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Linux's own virtio-net driver, in all its shapes, against the switch."""

import os
import signal

import pytest

from lib.uplink import AF_PACKET, TAP
from lib.wait import wait_for
from vm.host import Mirror, Pinger
from vm.lan import HEADERS, Lan
from vm.parties import has

LEGACY = "disable-modern=on,disable-legacy=off"
MODERN = "disable-legacy=on"
LARGE_RINGS = "rx_queue_size=1024,tx_queue_size=1024"
PACKED = "packed=on"
IPV6, SOLICITATION = b"\x86\xdd", 135  # type of Ethernet, of ICMPv6
VERSION_1, MRG_RXBUF, RING_PACKED = 32, 15, 34  # feature bits


@pytest.mark.parametrize("vlan_base, nics", [
    (1000, {"a": LEGACY, "b": f"{MODERN},{LARGE_RINGS}"}),
    (0, {"a": f"{MODERN},{PACKED}", "b": f"{LEGACY},{LARGE_RINGS}"}),
], ids=["tagged", "untagged"])
def test_ping(box, image, vlan_base, nics):
    with Lan(box, image, "ab", nics=nics, vlan_base=vlan_base, polls=True) as lan:
        a, b = lan.boot()
        for guest, nic in ((a, nics["a"]), (b, nics["b"])):
            assert has(guest, VERSION_1) == (MODERN in nic)
            assert has(guest, RING_PACKED) == (PACKED in nic)
            assert "PCI-MSI" in guest.run("grep virtio0-input /proc/interrupts")
            assert not has(guest, MRG_RXBUF)
        assert [lan.tag(guest) for guest in (a, b)] == ([1000, 1001] if vlan_base else [0, 0])
        for size in (0, 56, 1000, 1472):
            lan.all_ping(size)
        if not vlan_base:
            addresses_are_found_free(lan, a)


def addresses_are_found_free(lan, guest):
    """The guest looks for duplicates of its address on a wire where a neighbour sends all back.

    If it heard itself it would give the address up. Linux would know its own search by a number in it
    (RFC 7527), which other systems do not send.
    """
    guest.run("cd /proc/sys/net/ipv6/conf && echo 0 | tee all/enhanced_dad > eth0/enhanced_dad")
    with Mirror(lan.host) as mirror:
        guest.run("cd /proc/sys/net/ipv6/conf/eth0 && echo 2 > accept_dad && echo 0 > disable_ipv6")
        guest.wait_for("ip -6 address show eth0 | grep -q inet6")
        guest.wait_for("! ip -6 address show eth0 | grep -q tentative")
        shown = guest.run("ip -6 address show eth0")
        assert "inet6 fe80::" in shown and "dadfailed" not in shown, shown
        wait_for(lambda: any(data[12:14] == IPV6 and data[54] == SOLICITATION for data in mirror.returned),
                 what="its search on the wire")


@pytest.mark.parametrize("uplink, largest", [(TAP, 1500), (AF_PACKET, 9000)])
def test_ping_jumbo(box, image, uplink, largest):
    with Lan(box, image, "ab", nics={"a": LEGACY, "b": f"{MODERN},{PACKED}"}, uplink=uplink, mtu=9000,
             polls=True) as lan:
        for guest in lan.boot():
            assert has(guest, MRG_RXBUF)
        for size in (56, 1472, 4000, 8972):
            lan.all_ping(min(size, largest - HEADERS), size)
        stands_still(lan, lan.guests["a"], largest - HEADERS)


def stands_still(lan, guest, size):
    """Nothing is lost while the guest gets no CPU, as on a busy machine: it can answer a whole window at once."""
    os.kill(guest.pid, signal.SIGSTOP)
    pinger = Pinger(lan.host, guest.address, size)
    try:
        wait_for(pinger.full, what="a window of echoes is on its way")
    finally:
        os.kill(guest.pid, signal.SIGCONT)
        pinger.finish()
