# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Fixtures that the end-to-end and the virtual machine tests share."""

import contextlib
import os
import signal

import pytest

from lib import hugepages
from lib.box import Box
from lib.leftovers import Leftovers

# What the largest test has in use at once: guests, switch and a second testpmd.
HUGEPAGES_MIB = 1024


def pytest_configure():
    """A run that is ended by SIGTERM unwinds as one ended by Ctrl-C does (which a shell's background ignores)."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def machine():
    """What any of these tests needs: root and hugepages for the guests."""
    if os.geteuid() != 0:
        pytest.exit("these tests make namespaces and taps: run them as root", returncode=3)
    hugepages.require(HUGEPAGES_MIB)


@contextlib.contextmanager
def a_box():
    made = Box()
    left = Leftovers(made.prefix)
    yield made
    made.remove()
    left.check()


@pytest.fixture
def box():
    """The test's directory; afterwards nothing of the test may be left on the machine."""
    with a_box() as made:
        yield made


@pytest.fixture(scope="module")
def module_box():
    """The same for a whole module; its tests do not use `box` as well."""
    with a_box() as made:
        yield made
