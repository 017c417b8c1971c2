# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A worker that hangs: the test traces its thread and keeps it stopped, as a debugger would. Other threads run on."""

import contextlib
import ctypes
import os
import re

HANGS = r"the worker on lcore (\d+) hangs: none of its bursts ended for \d+ s"
WALL = 0x40000000  # __WALL: threads, too
_PTRACE_DETACH, _PTRACE_SEIZE, _PTRACE_INTERRUPT = 17, 0x4206, 0x4207  # linux/ptrace.h


def _worker_thread(pid, lcore):
    """EAL names its threads: lcore-worker-1, or dpdk-worker1."""
    for thread in os.listdir(f"/proc/{pid}/task"):
        # One that ends meanwhile is none of these.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(f"/proc/{pid}/task/{thread}/comm", encoding="ascii") as f:
            if re.search(rf"worker-?{lcore}$", f.read().strip()):
                return int(thread)
    raise AssertionError(f"no thread for lcore {lcore}")


@contextlib.contextmanager
def hung(pid, lcore):
    """Stops the thread of this lcore for as long as the block lasts."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long] * 4
    libc.ptrace.restype = ctypes.c_long

    def ptrace(request, thread):
        if libc.ptrace(request, thread, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace({request:#x}, {thread})")
    thread = _worker_thread(pid, lcore)
    ptrace(_PTRACE_SEIZE, thread)
    try:
        ptrace(_PTRACE_INTERRUPT, thread)
        os.waitpid(thread, WALL)
        yield thread
    finally:
        with contextlib.suppress(ProcessLookupError):  # it has ended
            ptrace(_PTRACE_DETACH, thread)
