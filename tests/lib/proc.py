# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A child process: its output as it comes, its end by its own pid.

The child is killed by the kernel if this process dies (setpriv --pdeathsig), so that not even
a killed test run leaves one behind. Output is collected by one thread a pipe, and by whoever looks
at it; everything else is called from the test's main thread. `changed` guards `out` and `err`.
"""

import contextlib
import glob
import os
import re
import select
import signal
import subprocess
import threading
import time
import weakref

from lib.wait import DEADLINE, wait_for

STOP_SECONDS = 10.0  # from SIGTERM to SIGKILL


def kept_waiting(*threads):
    """Seconds that these threads (directories in /proc) were ready to run while other work had the CPU."""
    total = 0
    for thread in threads:
        try:
            with open(f"{thread}/schedstat", encoding="ascii") as f:
                total += int(f.read().split()[1])
        except (OSError, IndexError):  # the thread has ended
            continue
    return total / 1e9


class Process:
    everyone = weakref.WeakSet()  # a process may be waiting for another one: all are shown when a test fails

    def __init__(self, argv, *, name=None, cwd=None, env=None, ns=None, stdin=False):
        self.argv = [str(a) for a in argv]
        self.name = name or os.path.basename(self.argv[0])
        self.out = bytearray()
        self.err = bytearray()
        self.changed = threading.Condition()
        environment = dict(os.environ)
        environment.update(env or {})
        # A shell that runs the tests in the background has its children ignore SIGINT.
        command = ["setpriv", "--pdeathsig", "KILL", "--", "env", "--default-signal=INT", "--", *self.argv]

        def start():
            # A group of its own, so that Ctrl-C is for the test alone; but no session: Linux shares out CPUs
            # between sessions (autogroup), and 6.18 keeps a switch that spins on one CPU from its other for 10 s.
            return subprocess.Popen(
                command, cwd=cwd, env=environment, bufsize=0, process_group=0,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)

        self.child = ns.inside(start) if ns else start()
        self.pid = self.child.pid
        self.everyone.add(self)
        self.readers = [threading.Thread(target=self._collect, args=pair, daemon=True)
                        for pair in ((self.child.stdout, self.out), (self.child.stderr, self.err))]
        for reader in self.readers:
            reader.start()

    def _collect(self, pipe, into):
        while select.select([pipe], [], []) and self._take(pipe, into):
            pass

    def _take(self, pipe, into):
        """Takes what was written until now. Returns True if there may be more later."""
        with self.changed:
            while not pipe.closed and select.select([pipe], [], [], 0)[0]:
                data = os.read(pipe.fileno(), 65536)
                into += data
                self.changed.notify_all()
                if not data:
                    return False
            return not pipe.closed

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.end()

    @property
    def stdout(self):
        return self._text(self.child.stdout, self.out)

    @property
    def stderr(self):
        return self._text(self.child.stderr, self.err)

    def _text(self, pipe, taken):
        """All that the child has written before this call, which the thread may not have come to yet."""
        self._take(pipe, taken)
        with self.changed:
            return taken.decode(errors="replace")

    def tail(self, lines=25):
        """The last lines of both streams, for messages of failed tests."""
        return "\n".join(f"--- {self.name}: {label}\n" + "\n".join(text.splitlines()[-lines:])
                         for label, text in (("stdout", self.stdout), ("stderr", self.stderr)))

    def running(self):
        return self.child.poll() is None

    def send(self, text):
        self.child.stdin.write(text.encode())

    def wait_output(self, pattern, *, stream="err", since=0, deadline=DEADLINE):
        """Waits until the pattern is in the output (from byte `since` on); returns the match."""
        pattern = re.compile(pattern.encode() if isinstance(pattern, str) else pattern, re.M)
        end = time.monotonic() + deadline
        with self.changed:
            while True:
                match = pattern.search(getattr(self, stream), since)
                if match:
                    return match
                if not self.running() and not any(r.is_alive() for r in self.readers):
                    problem = f"ended with status {self.child.returncode}"
                    break
                if time.monotonic() > end:
                    problem = f"said nothing like it in {deadline:.0f} s"
                    break
                self.changed.wait(0.1)
        raise AssertionError(f"{self.name} {problem}: {pattern.pattern!r}\n{self.states()}\n{self.tail()}")

    def wait(self, deadline=DEADLINE):
        """Waits for the end and for the last of the output; returns the exit status."""
        try:
            status = self.child.wait(deadline)
        except subprocess.TimeoutExpired:
            raise AssertionError(
                f"{self.name} still runs after {deadline:.0f} s\n{self.states()}\n{self.tail()}") from None
        for reader in self.readers:
            reader.join(DEADLINE)
        return status

    def signal(self, number):
        if self.running():
            os.kill(self.pid, number)

    def kill(self):
        """Ends it by SIGKILL, like a crash."""
        self.signal(signal.SIGKILL)
        self.wait()
        self._close()

    def end(self):
        """Ends it, whatever state it is in."""
        if self.running():
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            try:
                self.child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.signal(signal.SIGKILL)
                self.child.wait()
        for reader in self.readers:
            reader.join(DEADLINE)
        self._close()

    def _close(self):
        for pipe in (self.child.stdin, self.child.stdout, self.child.stderr):
            if pipe and not pipe.closed:
                pipe.close()

    # What the kernel says about it.

    def fds(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def links(self):
        """Where each file descriptor leads."""
        links = []
        for fd in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
                links.append(os.readlink(f"/proc/{self.pid}/fd/{fd}"))
        return links

    def threads(self):
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def states(self):
        """What each thread of each process is doing, for messages of failed tests."""
        states = [process.state() for process in self.everyone if process.running()]
        return "\n".join(states) + f"\nload: {os.getloadavg()}"

    def state(self):
        lines = []
        for task in sorted(glob.glob(f"/proc/{self.pid}/task/*")):
            try:
                with open(f"{task}/stat", encoding="ascii", errors="replace") as stat, \
                        open(f"{task}/wchan", encoding="ascii", errors="replace") as wchan, \
                        open(f"{task}/schedstat", encoding="ascii") as schedstat:
                    fields = stat.read().rsplit(")", 1)[1].split()
                    ran, waited, _ = (int(n) / 1e9 for n in schedstat.read().split())
                    with open(f"{task}/comm", encoding="utf-8", errors="replace") as comm:
                        lines.append(f"{comm.read().strip()}: {fields[0]} {wchan.read()}, on CPU {fields[36]}, "
                                     f"ran {ran:.2f} s, waited {waited:.2f} s for it")
            except OSError:
                continue
        return f"--- {self.name}: threads\n" + "\n".join(lines)

    def stopped(self):
        """Returns true if SIGSTOP has stopped all its threads, which may run on for a moment."""
        for path in glob.glob(f"/proc/{self.pid}/task/*/stat"):
            with open(path, encoding="ascii", errors="replace") as stat:
                if stat.read().rsplit(")", 1)[1].split()[0] != "T":
                    return False
        return True

    def resident_kib(self):
        with open(f"/proc/{self.pid}/status", encoding="ascii", errors="replace") as f:
            return int(re.search(r"^VmRSS:\s+(\d+)", f.read(), re.M).group(1))

    def kept_waiting(self):
        """As above, of its threads."""
        return kept_waiting(*glob.glob(f"/proc/{self.pid}/task/*"))

    def cpu_seconds(self):
        """CPU time so far, by thread id."""
        tick = os.sysconf("SC_CLK_TCK")
        times = {}
        for task in os.listdir(f"/proc/{self.pid}/task"):
            with open(f"/proc/{self.pid}/task/{task}/stat", encoding="ascii", errors="replace") as f:
                fields = f.read().rsplit(")", 1)[1].split()
            times[int(task)] = (int(fields[11]) + int(fields[12])) / tick
        return times


def verdict(program, folder, **kwargs):
    """(status, all that it says) of one of scripts/check-*, for a folder."""
    status, out, err = run([program, folder], check=False, **kwargs)
    return status, out + err


def run(argv, *, ns=None, check=True, deadline=DEADLINE, **kwargs):
    """Runs a command to its end; returns (status, stdout, stderr)."""
    with Process(argv, ns=ns, **kwargs) as p:
        status = p.wait(deadline)
        if check and status != 0:
            raise AssertionError(f"{' '.join(p.argv)}: status {status}\n{p.tail()}")
        return status, p.stdout, p.stderr


def wait_gone(path, deadline=DEADLINE):
    wait_for(lambda: not os.path.lexists(path), deadline, f"{path} removed")
