# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Each case of the table in lib/vlan_matrix.py, on an uplink that is sorted in software."""

import collections

import pytest

from lib import frames
from lib.room import room
from lib.uplink import AF_PACKET, TAP
from lib.vlan_matrix import MATRIX, NOBODY

STRANGER = "02:00:00:00:00:99"


@pytest.fixture(scope="module", params=[TAP, AF_PACKET])
def three(request, module_box):
    """Guests A and B, known, and S, silent; at the end the switch has counted every case under its reason."""
    asked = collections.Counter()
    with room(module_box, 3, uplink=request.param, introduce=2) as r:
        r.asked = asked
        yield r
        table = r.switch.next_table()
        assert table["uplink"].reasons == dict(asked)


@pytest.mark.parametrize("case", MATRIX, ids=lambda case: case.name)
def test_from_uplink(three, case):
    guests = list(three.guests)
    tags = case.tags([three.tag(guest) for guest in guests])
    data = frames.frame(case.destination([guest.mac for guest in guests]), STRANGER, tags=tags)
    due = set() if case.reaches is NOBODY else {guests[case.reaches]}
    if case.reason:
        three.asked[case.reason] += 1
    assert three.reached(three.uplink, data, arrives=frames.untagged(data) if tags else data) == due
