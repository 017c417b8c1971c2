# SPDX-License-Identifier: BSD-3-Clause
"""The switch ends, or dies and comes back, while Linux guests are attached and send."""

import pytest

from vm.lan import Lan
from vm.test_guest_life import traffic


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
            lan.join(guest)
        lan.all_ping(1472)


def test_switch_ends_in_order_under_traffic(box, image):
    with Lan(box, image, "ab") as lan:
        a, b = lan.boot()
        with traffic(lan, a, b):
            pass
        # a and b go on sending
        lan.switch.stop()
