# SPDX-License-Identifier: BSD-3-Clause
"""What a test may not leave behind.

Always compared: descriptors and children of this process, files with our prefix in the places where
DPDK keeps some. With CI set nothing else runs on the machine: then also free hugepages, interfaces
and named namespaces of the whole machine.
"""

import os
import socket

from lib import hugepages
from lib.wait import wait_for

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


class Leftovers:
    def __init__(self, prefix):
        self.prefix = prefix
        self.before = self._look()
        self.descriptors = len(os.listdir("/proc/self/fd"))

    def _look(self):
        seen = {
            "children": _children(),
            "files": {f"{place}/{name}" for place in PLACES for name in _names(place) if self.prefix in name},
        }
        if os.environ.get("CI"):
            seen["free hugepages"] = {str(hugepages.counts()[1])}
            seen["interfaces"] = {name for _, name in socket.if_nameindex()}
            seen["namespaces"] = _names("/run/netns")
        return seen

    def check(self):
        """The kernel takes a moment to free what a killed process held."""
        def same():
            return self._look() == self.before and len(os.listdir("/proc/self/fd")) <= self.descriptors

        def difference():
            now = self._look()
            held = len(os.listdir("/proc/self/fd"))
            return f"as before: descriptors: {self.descriptors} then, {held} now, " + ", ".join(
                f"{what}: {sorted(self.before[what])} then, {sorted(now[what])} now"
                for what in now if now[what] != self.before[what])
        wait_for(same, 10, difference)
