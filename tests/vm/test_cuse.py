# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The cuse back end, in a machine that has /dev/cuse: one boot for all tests. They are in cuse_side.py."""

import pytest

from vm import cuse_side, headers, image
from vm.machine import DEADLINE_THERE, Machine
from vm.test_eventfd_link import check_module

MEMORY_MIB = 3072
HUGEPAGES = 500  # a switch, two testpmd guests
LIMIT = 4 * DEADLINE_THERE  # for a test, which waits for several things there


@pytest.fixture(scope="module")
def machine(module_box):
    with Machine(module_box, "cuse", modules=["cuse", "tun"], memory=MEMORY_MIB, hugepages=HUGEPAGES) as machine:
        yield machine


@pytest.fixture(scope="module")
def module(machine):
    """eventfd_link.ko, where the machine finds it."""
    return headers.build(image.module_tree().name, machine.path("eventfd_link"))


@pytest.mark.parametrize("test", [
    cuse_side.clients_exchange_frames,
    cuse_side.client_reaches_the_uplink,
    cuse_side.testpmd_is_a_client,
    cuse_side.qemu_is_a_client,
    cuse_side.node_has_owner_and_mode,
    cuse_side.name_is_taken,
    cuse_side.no_dev_cuse,
    cuse_side.switch_is_killed,
    cuse_side.hostile_clients,
], ids=lambda test: test.__name__)
def test_cuse(test, machine):
    machine.call(test, deadline=LIMIT)


def test_descriptors_without_pidfd_getfd(machine, module):
    machine.call(cuse_side.without_pidfd_getfd, str(module), deadline=LIMIT)


def test_eventfd_link(machine, module):
    check_module(machine, module)
