# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Waiting for a condition, never for a time."""

import os
import select
import time

# How long anything may take on a slow machine that other work shares. Only a failing test waits this long.
# In emulated machines all takes longer (tests/vm/machine-init).
DEADLINE = float(os.environ.get("TEST_DEADLINE", "60"))
BUILD_DEADLINE = 4 * DEADLINE  # of a whole guide, or of many pictures
POLL = 0.01


def pause():
    """Lets other processes run between two looks at a condition."""
    select.select([], [], [], POLL)


def wait_for(condition, deadline=DEADLINE, what=""):
    """Calls condition() until it returns something true, and returns that."""
    end = time.monotonic() + deadline
    while True:
        late = time.monotonic() > end  # before the look, as the look itself may take longer than all the time there is
        result = condition()
        if result:
            return result
        if late:
            text = what() if callable(what) else what
            raise TimeoutError(f"after {deadline:.0f} s still not so: {text or condition}")
        pause()


def stays(condition, seconds, what=""):
    """Asserts that condition() holds all through some time: for what must not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        assert condition(), what or f"no longer so: {condition}"
        pause()
