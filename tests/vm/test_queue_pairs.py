# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Linux guests with several queue pairs, that add and remove some under traffic, and reboot."""

import contextlib
import errno
import itertools
import re
import select
import socket

import pytest

from lib.wait import wait_for
from vm.host import Pinger
from vm.lan import Lan
from vm.parties import ENDLESS, PATIENCE, GuestParty, HostParty, goes_on, has, make_image

PAIRS = 4
CPUS = 2  # of a guest; Linux begins with a pair for each
MQ = 22
# No frame may be lost because emulated processors stood still for a moment, or because there are too many.
LARGE_RINGS = "rx_queue_size=1024,tx_queue_size=1024"
NICS = {"a": LARGE_RINGS, "b": f"packed=on,{LARGE_RINGS}"}
RATE = "4M"
CHANGES = (4, 1, 3, 2, 4, 1, 4)
SHRINKS = sum(after < before for before, after in itertools.pairwise(CHANGES))
FLOWS = 32
CLOSED_PORT = 9


@pytest.fixture(scope="module")
def parties(module_box, tmp_path_factory):
    image = make_image(tmp_path_factory.mktemp("image"))
    with Lan(module_box, image, "ab", nics=NICS, pairs={"a": PAIRS, "b": PAIRS}) as lan, \
            contextlib.ExitStack() as stack:
        lan.boot()
        a, b = (GuestParty(guest) for guest in lan.guests.values())
        yield lan, a, b, HostParty(lan, stack)


def set_pairs(party, count):
    party.run(f"ethtool -L eth0 combined {count}")


def packets(party):
    """{("rx" or "tx", queue): packets so far}, of the queues that there are."""
    lines = re.findall(r"^\s*([rt]x)_queue_(\d+)_packets: (\d+)", party.run("ethtool -S eth0"), re.M)
    return {(way, int(queue)): int(count) for way, queue, count in lines}


def knock(host, party):
    """Sends flows to the party's kernel, which answers each at once, as nobody listens there."""
    with contextlib.ExitStack() as stack:
        flows = [stack.enter_context(s) for s in host.ns.inside(lambda: [socket.socket() for _ in range(FLOWS)])]
        for flow in flows:
            flow.setblocking(False)
            assert flow.connect_ex((party.addresses[4], CLOSED_PORT)) == errno.EINPROGRESS
        for flow in flows:
            assert select.select([], [flow], [], PATIENCE)[1], f"{party.name} answers no flow"
            assert flow.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == errno.ECONNREFUSED


def check_used(host, party, count):
    """Asserts that it has that many pairs, and that all of them are in use."""
    before = packets(party)
    assert before.keys() == set(itertools.product(("rx", "tx"), range(count)))

    def all_used():
        knock(host, party)
        return all(total > before[queue] for queue, total in packets(party).items())
    wait_for(all_used, PATIENCE, lambda: f"{party.name} uses {count} pairs: {before}, {packets(party)}")


def use_pairs(host, party, count):
    """Gives the party that many pairs. When it returns each of its queues interrupts the processor that it is to.

    Linux moves an interrupt to another processor when it next occurs. Replies of a flow then leave by another
    transmit queue, and may overtake those that are still in the one before.
    """
    set_pairs(party, count)
    check_used(host, party, count)


def test_pairs_of_a_fresh_guest(parties):
    _, a, b, host = parties
    for party in (a, b):
        assert has(party.guest, MQ)
        check_used(host, party, CPUS)


def test_pairs_come_and_go_under_traffic(parties):
    lan, a, b, host = parties
    use_pairs(host, b, PAIRS)
    with a.running(a.iperf_command(b, f"{ENDLESS} --bidir --parallel {PAIRS} --bitrate {RATE}")):
        with contextlib.ExitStack() as stack:
            # A flow that moves to another queue may overtake itself there; and what Linux puts into a queue that
            # it has just disabled is lost, but no more than was under way then.
            stack.callback(Pinger(lan.host, a.addresses[4]).finish, ordered=False, may_lose=SHRINKS * Pinger.WINDOW)
            stack.callback(Pinger(lan.host, b.addresses[4]).finish)
            for count in CHANGES:
                set_pairs(a, count)
                goes_on(a, b)
                check_used(host, a, count)
    check_used(host, b, PAIRS)


def test_a_guest_with_many_pairs_reboots(parties):
    lan, a, b, host = parties
    for party in (a, b):
        use_pairs(host, party, PAIRS)
    a.guest.stream(b.addresses[4])
    b.guest.stream(a.addresses[4])
    steady = Pinger(lan.host, b.addresses[4])
    try:
        for orderly in (False, True):
            b.guest.wait_replies()
            a.guest.reboot(orderly=orderly)
            lan.join(a.guest)
            a.join()
            check_used(host, a, CPUS)
            use_pairs(host, a, PAIRS)
    finally:
        steady.finish()
    # librte_vhost, of a ring that begins with an index of its former life
    assert "mismatches" not in lan.switch.stderr
