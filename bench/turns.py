# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Switches that run at the same time on the same CPU, of which all but one are stopped (SIGSTOP).

So two of them are measured within a second of each other, and what the machine does meanwhile meets both.

    with stopped(VhostSwitch(place)) as switch:
        with running(switch):
            ...
"""

import contextlib
import os
import signal


def prefer_workers(pid):
    """Other load does not take the workers' CPU away: then fewer rounds say more."""
    for thread in map(int, os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{thread}/comm", encoding="ascii") as f:
            if "worker" in f.read():
                os.setpriority(os.PRIO_PROCESS, thread, -20)


@contextlib.contextmanager
def stopped(switch):
    """Starts a switch. It stands still, except where running() says."""
    with switch:
        prefer_workers(switch.process.pid)
        os.kill(switch.process.pid, signal.SIGSTOP)
        try:
            yield switch
        finally:
            os.kill(switch.process.pid, signal.SIGCONT)


@contextlib.contextmanager
def running(switch):
    os.kill(switch.process.pid, signal.SIGCONT)
    try:
        yield
    finally:
        os.kill(switch.process.pid, signal.SIGSTOP)
