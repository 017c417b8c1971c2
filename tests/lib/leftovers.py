# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""What a test may not leave behind.

Always compared: file descriptors and children of this process, files with our prefix in the places where
DPDK keeps some. With CI set nothing else runs on the machine: then also hugepages in use, interfaces
and named namespaces of the whole machine.
"""

import os
import socket

from lib import hugepages
from lib.wait import DEADLINE, wait_for

PLACES = ("/dev/hugepages", "/dev/shm", "/run/dpdk", "/var/run/dpdk")


def _children():
    pids = set()
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as f:
                pids.update(f.read().split())
        except FileNotFoundError:
            pass
    return pids


def _names(place):
    try:
        return set(os.listdir(place))
    except OSError:
        return set()


def _held():
    """Counts that may fall, but not rise."""
    held = {"file descriptors": len(os.listdir("/proc/self/fd"))}
    if os.environ.get("CI"):
        total, free = hugepages.counts()
        held["hugepages"] = total - free
    return held


class Leftovers:
    def __init__(self, prefix):
        self.prefix = prefix
        self.before = self._look()
        self.held = _held()

    def _look(self):
        seen = {
            "children": _children(),
            "files": {f"{place}/{name}" for place in PLACES for name in _names(place) if self.prefix in name},
        }
        if os.environ.get("CI"):
            seen["interfaces"] = {name for _, name in socket.if_nameindex()}
            seen["namespaces"] = _names("/run/netns")
        return seen

    def _left(self):
        """Sentences about what is not as it was."""
        now, held = self._look(), _held()
        return ([f"{what}: {sorted(self.before[what])} then, {sorted(now[what])} now"
                 for what in now if now[what] != self.before[what]] +
                [f"{what}: {self.held[what]} then, {held[what]} now" for what in held if held[what] > self.held[what]])

    def check(self):
        """The kernel takes a moment to free what a killed process held."""
        wait_for(lambda: not self._left(), DEADLINE, lambda: f"all as before; {self._left()}")
