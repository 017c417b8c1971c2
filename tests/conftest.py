# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures that the end-to-end and the virtual machine tests share."""

import contextlib
import itertools
import os
import shutil
import signal
import tempfile

import pytest

from lib import hugepages
from lib.leftovers import Leftovers

# What the largest test has in use at once: guests, switch and a second testpmd.
HUGEPAGES_MIB = 1024


def pytest_configure():
    """A run that is ended by SIGTERM unwinds as one ended by Ctrl-C does (which a shell's background ignores)."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


class Box:
    """A directory of one test: sockets and run-time files lie there. Short, as socket paths end at 108 bytes."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="vs-")
        self.prefix = f"vs{os.getpid()}"
        self.foreign_sockets = set()  # names of sockets here that the switch does not own
        self._numbers = itertools.count()

    def path(self, name):
        return os.path.join(self.directory, name)

    def unique(self, name):
        return f"{self.prefix}{name}{next(self._numbers)}"

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


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
    """The same for what the tests of a module share; such a module uses no `box` beside it."""
    with a_box() as made:
        yield made
