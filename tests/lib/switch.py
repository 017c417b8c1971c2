# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""vhost-switch under test.

    with Switch(box, ["--socket-file", box.path("a")]) as switch:
        ...
        switch.wait_registered("cc:bb:bb:bb:bb:bb")

Leaving the block stops it with SIGTERM and asserts that it ends with status 0 within STOP_SECONDS,
that its sockets are gone, that the log holds no error and no sanitizer report, and that the sums
of the last statistics table agree. A test that failed already only ends it.
"""

import os
import re
import signal
import stat
import time

from lib import logs, stats
from lib.proc import Process, kept_waiting
from lib.wait import DEADLINE, pause, wait_for

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
READY = r"^vhost-switch: ready"
ONE_WORKER = "0@0,1@1"
TWO_WORKERS = "0@0,1@0,2@1"
STOP_SECONDS = 60.0  # on a busy machine, with the leak check of a sanitizer; test_life.py has the promise


def binary():
    return os.environ.get("VHOST_SWITCH", os.path.join(ROOT, "build", "vhost-switch"))


def sanitized_binary():
    return os.path.join(ROOT, "build-san", "vhost-switch")


class Switch(Process):
    """`box` is the test's directory: working directory and run-time files; see conftest.py."""

    def __init__(self, box, options=(), *, eal=(), lcores=ONE_WORKER, ns=None, program=None, before=(),
                 env=None, allow_log=(), stats_every=1, cwd=None, ready=True, memory=("--in-memory",),
                 pci=("--no-pci",)):
        self.box = box
        self.allow_log = list(allow_log)
        self.program = program or binary()
        self.directory = cwd or box.directory
        self.status = None
        self.stop_took = None  # seconds, without those in which other work had the CPU
        self.prefix = box.unique("sw")
        options = [str(o) for o in options]
        if stats_every and "--stats" not in options:
            options += ["--stats", str(stats_every)]
        argv = [*before, self.program, "--lcores", lcores, *memory, *pci,
                "--file-prefix", self.prefix, *eal, "--", *options]
        environment = {"RUNTIME_DIRECTORY": self.directory,
                       "ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0", "UBSAN_OPTIONS": "print_stacktrace=1"}
        environment.update(env or {})
        super().__init__(argv, name="vhost-switch", cwd=self.directory, env=environment, ns=ns)
        if ready:
            try:
                self.wait_output(READY)
            except BaseException:
                self.end()
                raise

    def __exit__(self, kind, value, trace):
        good = False
        try:
            if kind is None and self.status is None:
                self.stop()
            good = kind is None
        finally:
            self.end()
            if not good:
                print(self.tail(60))

    def socket(self, name="usvhost"):
        return os.path.join(self.directory, name)

    def sockets(self):
        """Socket files in its working directory (not the run-time files of EAL)."""
        return sorted(name for name in os.listdir(self.directory)
                      if stat.S_ISSOCK(os.lstat(os.path.join(self.directory, name)).st_mode))

    # Statistics.

    def table(self):
        """The latest complete table, None before the first."""
        every = stats.tables(self.stdout)
        return every[-1] if every else None

    def wait_table(self, condition=lambda table: True, deadline=DEADLINE):
        """Waits for a table begun after this call for which condition(table) holds (needs --stats); returns it."""
        before = stats.begun(self.stdout)

        def look():
            new = stats.tables(self.stdout)[before:]
            return new[-1] if new and condition(new[-1]) else None
        return wait_for(look, deadline, lambda: f"condition on the statistics table\n{self.tail(40)}")

    def next_table(self):
        """A table begun after this call."""
        return self.wait_table()

    # What it holds.

    def held(self):
        """(file descriptors except those of EAL's memory, which may grow; threads)"""
        return len([link for link in self.links() if "/memfd:seg" not in link]), self.threads()

    def held_at_rest(self):
        """The same, once two tables in a row find it so: whoever has left is gone, and the main lcore is at work."""
        seen = []

        def settled():
            self.next_table()
            seen.append(self.held())
            return seen[-2:-1] == seen[-1:]
        wait_for(settled, what=lambda: f"file descriptors and threads that stay: {seen}")
        return seen[-1]

    def wait_held(self, before):
        wait_for(lambda: self.held() == before,
                 what=lambda: f"file descriptors and threads as before: {before}, {self.held()}\n{self.links()}")

    # Log.

    def registered(self):
        """(device, address, tag) of each `registered` line, in order."""
        found = re.findall(r"VHOST_DATA: \((\d+)\) MAC_ADDRESS ([0-9a-f:]{17}) and VLAN_TAG (\d+) registered",
                           self.stderr)
        return [(int(device), mac, int(tag)) for device, mac, tag in found]

    def wait_registered(self, mac, deadline=DEADLINE):
        """(device, tag) of the device that was registered with this address."""
        def look():
            return next(((d, t) for d, m, t in self.registered() if m == mac.lower()), None)
        return wait_for(look, deadline, lambda: f"{mac} registered\n{self.tail()}")

    # End.

    def stop(self, number=signal.SIGTERM):
        """Ends it by a signal, checks everything, returns the last table. stop_took: how long that took."""
        me = "/proc/thread-self"  # it may have to wait for a CPU before it sees the end
        begin, kept, mine = time.monotonic(), self.kept_waiting(), kept_waiting(me)
        waited = kept
        self.signal(number)
        while self.running() and time.monotonic() < begin + STOP_SECONDS:
            waited, mine = max(waited, self.kept_waiting()), kept_waiting(me)
            pause()
        self.stop_took = time.monotonic() - begin - (waited - kept) - (kept_waiting(me) - mine)
        self.status = self.wait(1)
        self.check()
        return self.table()

    def check(self):
        logs.check(self.stderr, self.allow_log)
        assert self.status == 0, f"status {self.status}\n{self.tail()}"
        table = self.table()
        assert table, "no statistics table at exit"
        table.check()
        left = [name for name in self.sockets() if name not in self.box.foreign_sockets]
        assert not left, f"sockets left behind: {left}"
