# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Every kind of ring that dpdk-testpmd's driver speaks: all frames arrive, in order, unchanged."""

import itertools

import pytest

from lib import frames
from lib.frames import BACK, flow_frame, frame, sizes, transfer, transfer_flows
from lib.room import room
from lib.switch import TWO_WORKERS

# Driver's arguments of virtio-user; it falls back by itself where a combination makes no sense.
KINDS = {"packed_vq": ("split", "packed"), "in_order": ("any order", "in order"),
         "vectorized": ("scalar", "vectorised")}
MATRIX = [dict(zip(KINDS, bits)) for bits in itertools.product((0, 1), repeat=len(KINDS))]


def name(kind):
    return ", ".join(KINDS[key][bit] for key, bit in kind.items())


def exchange(one, two, largest, rounds):
    for a, b in ((one, two), (two, one)):
        every = sizes(largest) * rounds
        transfer(a.port, [b.port], [frame(b.mac, a.mac, seq, size) for seq, size in enumerate(every)])


@pytest.mark.parametrize("kind", MATRIX, ids=name)
def test_ring(box, kind):
    with room(box, 2, guest_options=kind) as r:
        exchange(*r.guests, 1514, 10)


@pytest.mark.parametrize("kind", MATRIX, ids=name)
def test_ring_mergeable(box, kind):
    with room(box, 2, jumbo=True, guest_options=kind) as r:
        exchange(*r.guests, frames.JUMBO + frames.HEADER, 4)


PAIRS = 4
FLOWS = 100  # so many that no queue of a tap, which the kernel chooses by a hash, is without any


def exchange_flows(r, largest, rounds):
    """To and fro, by all four rings of each: what one sends by a ring the other receives by the same."""
    every = sizes(largest) * rounds
    r.guests.pmd.command("clear port xstats all")
    for a, b, first in ((*r.guests, 0), (*reversed(list(r.guests)), BACK)):
        transfer_flows(a.port, b.port, [flow_frame(b.mac, a.mac, first + seq * 7 % FLOWS, seq, size)
                                        for seq, size in enumerate(every)])
    one, two = (r.guests.queue_stats(guest) for guest in r.guests)
    for received, sent in ((two[0], one[1]), (one[0], two[1])):
        assert len(received) == PAIRS and all(received) and received == sent, f"{sent} sent, {received} received"


@pytest.mark.parametrize("kind", MATRIX, ids=name)
def test_pairs(box, kind):
    with room(box, 2, guest_options={"queues": PAIRS, **kind}) as r:
        exchange_flows(r, 1514, 30)


@pytest.mark.parametrize("kind", MATRIX, ids=name)
def test_pairs_mergeable(box, kind):
    with room(box, 2, jumbo=True, guest_options={"queues": PAIRS, **kind}, lcores=TWO_WORKERS) as r:
        exchange_flows(r, frames.JUMBO + frames.HEADER, 12)


@pytest.mark.parametrize("queue_size", [48, 112, 1024])
def test_packed_ring_of_any_size(box, queue_size):
    """Packed rings need not have a power of two descriptors. (This driver wants a multiple of 16.)"""
    with room(box, 2, guest_options={"packed_vq": 1, "queue_size": queue_size}) as r:
        one, two = r.guests
        data = [frame(two.mac, one.mac, seq, 60 + seq % 1400) for seq in range(3000)]
        transfer(one.port, [two.port], data, window=queue_size // 2)
