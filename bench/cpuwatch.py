# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Was anything else running on a CPU while something was measured there? /proc tells, before and after.

    watch = CpuWatch(process.pid, worker_cpu=1)
    ...
    watch.problems()    [] or sentences
"""

import os
import time

TICK = os.sysconf("SC_CLK_TCK")
OTHERS_SHARE = 0.03  # of the worker's CPU, that anything else may take: a kernel thread's work
OWN_SHARE = 0.25  # the switch's other threads: connecting 64 guests takes some time, spinning all of it
WORKER_SHARE = 0.95  # that a polling worker has at least; ticks make it a bit uncertain


def _threads():
    """{(pid, tid): (name, seconds of CPU time, CPU it was last on)}"""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            for tid in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{tid}/stat", encoding="ascii", errors="replace") as f:
                    head, tail = f.read().rsplit(")", 1)
                fields = tail.split()
                seconds = (int(fields[11]) + int(fields[12])) / TICK
                found[int(pid), int(tid)] = (head.split("(", 1)[1], seconds, int(fields[36]))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def _steal(cpu):
    with open("/proc/stat", encoding="ascii") as f:
        for line in f:
            if line.startswith(f"cpu{cpu} "):
                return int(line.split()[8]) / TICK
    return 0.0


class CpuWatch:
    def __init__(self, pid, worker_cpu):
        self.pid = pid
        self.cpu = worker_cpu
        self.steal = _steal(worker_cpu)
        self.before = _threads()
        self.begin = time.monotonic()

    def problems(self):
        elapsed = time.monotonic() - self.begin
        shares = []
        for key, (name, seconds, cpu) in _threads().items():
            share = (seconds - self.before.get(key, (name, 0.0, cpu))[1]) / elapsed
            if cpu == self.cpu and share > 0:
                shares.append((share, key[0], name))
        shares.sort(reverse=True)
        own = [s for s in shares if s[1] == self.pid]
        result = []
        if not own or own[0][0] < WORKER_SHARE:
            result.append(f"the worker had {own[0][0] if own else 0:.0%} of CPU {self.cpu}")
        result += [f"'{name}' of the switch itself took {share:.0%} of CPU {self.cpu}"
                   for share, _, name in own[1:] if share > OWN_SHARE]
        result += [f"'{name}' (pid {pid}) took {share:.0%} of CPU {self.cpu}"
                   for share, pid, name in shares if pid != self.pid and share > OTHERS_SHARE]
        stolen = (_steal(self.cpu) - self.steal) / elapsed
        if stolen > OTHERS_SHARE:
            result.append(f"the hypervisor took {stolen:.0%} of CPU {self.cpu}")
        return result
