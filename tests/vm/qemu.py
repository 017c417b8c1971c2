# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A virtual machine in QEMU, emulated (no KVM): its console, its channel, its monitor.

The first serial line is the console: the kernel's messages, into a file. A channel is a stream
socket over which something in the machine takes commands. QMP has a socket of its own. All of
it lies in a folder of the machine's under the test's box. Leaving the block ends QEMU and asserts
that the machine's kernel complained of nothing. To be used from the test's main thread.
"""

import json
import os
import re
import socket
import time

from lib.proc import Process
from lib.wait import DEADLINE, wait_for

# A boot takes 3 s alone, three times that beside a polling switch and a second guest.
BOOT_DEADLINE = 5 * DEADLINE
KERNEL_WORDS = (
    "console=ttyS0 loglevel=5 panic=-1 mitigations=off nokaslr random.trust_cpu=on "
    # Emulated clocks look broken to a guest that stands still for a moment.
    "tsc=reliable no_timer_check "
    # What no test needs, and costs boot time or makes frames by itself.
    "cryptomgr.notests apparmor=0 audit=0 "
    # An emulated processor may stand still for long while the machine does other work.
    "nowatchdog rcupdate.rcu_cpu_stall_suppress=1")
# Not a transmit time-out: a switch that gets no processor for five seconds causes one, and one that
# forgets a frame or a signal is found by the streams.
COMPLAINT = re.compile(r"BUG:|WARNING:|Oops|Call Trace|general protection|Kernel panic|"
                       # The last two: a ring's owner was given back what it had not posted.
                       r"(virtio|eth0).*(unexpected|bad|error|broken|is not a head|out of range)")


class Lines:
    """A stream socket that QEMU serves, read up to patterns."""

    def __init__(self, path, alive):
        self.alive = alive
        self.data = b""
        self.socket = socket.socket(socket.AF_UNIX)
        wait_for(lambda: self._connect(path) or not alive(), DEADLINE, f"QEMU listens on {path}")

    def _connect(self, path):
        try:
            self.socket.connect(path)
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def send(self, text):
        self.socket.settimeout(DEADLINE)
        self.socket.sendall(text.encode())

    def until(self, pattern, deadline):
        """Waits for the pattern; returns the text before it and the match, and takes both away."""
        end = time.monotonic() + deadline
        while True:
            match = re.search(pattern, self.data)
            if match:
                before, self.data = self.data[:match.start()], self.data[match.end():]
                return before.decode(errors="replace"), match
            left = end - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"no {pattern} in {deadline:.0f} s, only {self.data[-2000:]}")
            self.socket.settimeout(left)
            try:
                received = self.socket.recv(65536)
            except TimeoutError:
                continue
            if not received:
                raise ConnectionError(f"QEMU is gone before {pattern}, it said {self.data[-2000:]}")
            self.data += received

    def close(self):
        self.socket.close()


class Qemu(Process):
    """`words`: the kernel's, after KERNEL_WORDS. `arguments` name what else is in the machine.

    The arguments serve the channel as the socket path("channel"), which QEMU waits for at its start.
    """

    program = ("qemu-system-x86_64",)

    def __init__(self, box, name, image, words, arguments):
        self.directory = box.path(name)
        os.makedirs(self.directory, exist_ok=True)
        self.channel = self.monitor = None
        super().__init__([
            *self.program, "-nodefaults", "-no-user-config", "-display", "none",
            "-accel", "tcg", "-cpu", "max",
            "-kernel", image.vmlinux, "-initrd", image.initramfs, "-append", f"{KERNEL_WORDS} {words}",
            "-serial", f"file:{self.path('console')}",
            "-chardev", f"socket,id=channel,path={self.path('channel')},server=on,wait=on",
            "-chardev", f"socket,id=qmp,path={self.path('qmp')},server=on,wait=off",
            "-mon", "chardev=qmp,mode=control", *arguments], name=name)
        try:
            self.channel = Lines(self.path("channel"), self.running)
        except BaseException:
            self.end()
            raise

    def path(self, name):
        return os.path.join(self.directory, name)

    def __exit__(self, kind, value, trace):
        self.end()
        if kind is not None:
            print(self.tail())
        else:
            assert not self.complaints(), f"{self.name}'s kernel says:\n{self.console()}"

    def end(self):
        super().end()
        for lines in (self.channel, self.monitor):
            if lines:
                lines.close()

    def console(self):
        with open(self.path("console"), encoding="ascii", errors="replace") as f:
            return f.read()

    def tail(self, lines=25):
        return super().tail(lines) + f"\n--- {self.name}: console\n{self.console()[-3000:]}"

    def complaints(self):
        """What its kernel has complained of, a line each."""
        return [line for line in self.console().splitlines() if COMPLAINT.search(line)]

    def stuck(self):
        """Why it may not answer: what its processors do, at three moments, and what QEMU's threads wait for."""
        try:
            looks = [self.qmp("human-monitor-command", **{"command-line": "info registers -a"}) for _ in range(3)]
        except (AssertionError, OSError) as problem:
            looks = [f"its monitor does not answer either: {problem}"]
        else:
            looks = [" ".join(re.findall(r"CPU#\d+|RIP=\w+|HLT=\d", look)) for look in looks]
        return "\n".join([*looks, *self.complaints(), self.state()])

    # QEMU's monitor.

    def qmp(self, command, **arguments):
        """Carries out a QMP command; returns its answer."""
        if not self.monitor:
            self.monitor = Lines(self.path("qmp"), self.running)
            self._reply("QMP")
            self.qmp("qmp_capabilities")
        self.monitor.send(json.dumps({"execute": command, "arguments": arguments}))
        return self._reply("return")

    def wait_event(self, name):
        """Waits for an event that comes after the last command's answer."""
        while self._message().get("event") != name:
            pass

    def _message(self):
        return json.loads(self.monitor.until(rb"(.*)\r?\n", DEADLINE)[1][1])

    def _reply(self, key):
        while True:
            message = self._message()
            assert "error" not in message, f"{self.name}: {message}"
            if key in message:
                return message[key]
