# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Switches that run at the same time on the same CPU. All except one are stopped (SIGSTOP).

So two of them are measured within a second of each other, and other load on the machine affects both.

    with stopped(VhostSwitch(place)) as switch:
        with running(switch):
            ...
"""

import contextlib
import os
import signal


@contextlib.contextmanager
def stopped(switch):
    """Starts a switch. It is stopped (SIGSTOP), except within running()."""
    with switch:
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
