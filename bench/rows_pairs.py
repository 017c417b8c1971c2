# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""One pair of guests with one and two queue pairs, and one and two workers.

Two workers and the generator need three CPUs. Where there are only two, the generator sleeps while the workers run:
it fills the senders' rings, and looks some hundred microseconds later how far each worker came (bursts.c). Both
workers then run at the same time, each on a CPU of its own, so rate and cycles a frame are real. However, it is a
rate in bursts, with rings that are large enough for them.
"""

import os

from rows import READ_BURSTS, Row, line
from switches import OURS

FASTER = 1.7  # two workers, at least, as one
# Slots share buffers, so that the rings' size alone does not change what is in the cache.
BURSTS = ("--mode", "bursts", "--ring", 32768, "--buffers", 1024)
CASES = {(1, 1): "1 queue pair, 1 worker", (2, 1): "2 queue pairs, 1 worker", (2, 2): "2 queue pairs, 2 workers"}


def core_of(cpu):
    """Identifies a CPU's core: all hyperthreads of a core give the same."""
    directory = f"/sys/devices/system/cpu/cpu{cpu}/topology"
    try:
        with open(f"{directory}/core_cpus_list", encoding="ascii") as f:
            return f.read().strip()
    except FileNotFoundError:
        return str(cpu)


def third_cpu(taken):
    """Returns a CPU on a core of its own, besides those taken, or None if there is none."""
    cores = {core_of(cpu) for cpu in taken}
    return next((cpu for cpu in sorted(os.sched_getaffinity(0)) if core_of(cpu) not in cores), None)


class Pairs(Row):
    name = "pairs"
    shared = False

    def __init__(self, bench, read=False):
        super().__init__(bench, read)
        place = bench.place
        self.cpu = third_cpu((place.worker_cpu, place.other_cpu))
        self.bursts = self.cpu is None

    def own(self, kind):
        if kind.name != OURS:
            return
        for (pairs, workers), _ in CASES.items():
            cpus = [self.bench.place.worker_cpu]
            if workers == 2:
                cpus.append(self.bench.place.other_cpu if self.bursts else self.cpu)
            with kind(self.bench.place, worker_cpus=cpus) as switch:
                words = (READ_BURSTS if self.read else BURSTS) if self.bursts else ()
                self._keep((pairs, workers), self.measure(switch, "--pairs", pairs, *words))

    def _keep(self, case, result):
        self.add(*case, "mpps", value=result["mpps"])
        # Cycles of each sending ring's worker. A worker that has both rings has half the time for each.
        pairs, workers = case
        for i in range(workers):
            rate = float(result["mpps"]) if workers == 1 else float(result[f"mpps{i}"])
            self.add(*case, f"cycles{i}", value=float(result["hz"]) / (rate * 1e6) if rate > 0 else float("inf"))

        if self._reader():
            self.add(*case, "reader", value=result["read_cycles"])

    def _reader(self):
        return self.read and self.bursts

    def show(self):
        if not self.ran(OURS):
            return
        self.title("One pair of guests, 64 B: millions of frames/s, and TSC cycles a frame of each worker",
                   "millions/s", "worker 1", "worker 2", *(["reader"] if self._reader() else []))
        if self.bursts:
            print("This machine has no two cores besides the generator's. Measured in bursts, while the generator\n"
                  "sleeps and each worker has a CPU of its own; see doc/figures.rst.\n")
        for case, label in CASES.items():
            cycles = [f"{self.median(*case, f'cycles{i}'):.1f}" for i in range(case[1])]
            if self._reader():
                cycles += [""] * (2 - len(cycles)) + [f"{self.median(*case, 'reader'):.1f}"]
            line(f"{OURS}, {label}", f"{self.median(*case, 'mpps'):.2f}", *cycles)
        line("2 queue pairs / 1, 1 worker", f"{self.ratio((2, 1, 'mpps'), (1, 1, 'mpps')):.2f}x")
        line("2 workers / 1, 2 queue pairs", f"{self.ratio((2, 2, 'mpps'), (2, 1, 'mpps')):.2f}x")

    def required(self):
        if self.ran(OURS) and not self.read:
            where = ", in bursts" if self.bursts else ""
            yield f"2 workers, times as fast as 1{where}", self.ratio((2, 2, "mpps"), (2, 1, "mpps")), FASTER, True
