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


@contextlib.contextmanager
def stopped(switch):
    """Starts a switch. It stands still, except where running() says."""
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
