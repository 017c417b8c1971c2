# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""dpdk-testpmd as one or several guests (virtio-user), or as a vhost back end.

Its main lcore sleeps at the prompt, one more lcore forwards, by default on CPU 0, since the
switch's worker has CPU 1 for itself.
"""

import contextlib
import re
import signal
import subprocess

from lib.proc import Process
from lib.wait import DEADLINE, wait_for

PROMPT = b"testpmd> "
ONE_LCORE = "0@0,1@0"
HUGE = ("--in-memory", "--single-file-segments")
ORDINARY = ("--no-huge",)  # where there are no hugepages: one memfd
# Offers of a frame to a full ring, and the time between: on a busy machine a second can pass.
RETRIES = 100000
BURSTS = 4  # bursts of 32 frames that each port sends first: they go to and fro, once each time the guests get a CPU
RETRY_US = 10
EOF_SECONDS = 5  # seconds after which it is killed: it was not at the prompt, or the switch has no CPU


def virtio_user(index, path, mac=None, **arguments):
    """A virtio-user port. Further arguments: queues, queue_size, mrg_rxbuf, in_order, vectorized, server, ..."""
    queues = arguments.pop("queues", 1)
    text = f"net_virtio_user{index},path={path},queues={queues}"
    if queues > 1:
        text += ",cq=1"  # by the control queue the driver says how many it uses
    if mac:
        text += f",mac={mac}"
    return text + "".join(f",{key}={value}" for key, value in arguments.items())


def tap(index, interface, **arguments):
    return f"net_tap{index},iface={interface}" + "".join(f",{k}={v}" for k, v in arguments.items())


class Testpmd(Process):
    __test__ = False  # pytest: not a test class

    def __init__(self, box, vdevs, app=(), *, eal=(), memory=128, mbufs=8192, lcores=ONE_LCORE, ns=None,
                 pages=HUGE, prompt=True):
        self.box = box
        argv = ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", lcores, *pages, "--no-pci", "--iova-mode=va",
                "-m", memory, "--file-prefix", box.unique("pmd"), *eal]
        for vdev in vdevs:
            argv += ["--vdev", vdev]
        # Not locked in memory, which takes longer than all the rest of its start.
        argv += ["--", "-i", "--no-mlockall", f"--total-num-mbufs={mbufs}", *app]
        super().__init__(argv, name="testpmd", cwd=box.directory, ns=ns, stdin=True,
                         env={"RUNTIME_DIRECTORY": box.directory})
        self.at = 0
        if prompt:
            try:
                self.wait_prompt()
                self._check_started()
            except BaseException:
                self.end()
                raise

    def start_ports(self):
        self.command("port start all")
        self._check_started()

    def _check_started(self):
        for problem in ("Not all ports were started", "probe failed", "No probed ethernet devices"):
            assert problem not in self.stderr, self.tail()

    def __exit__(self, kind, value, trace):
        if kind is not None:
            print(self.tail())
        self.end()

    def end(self):
        """At its prompt by the end of its input, and killed if that takes too long. SIGTERM's handler closes the ports
        by itself. Where it interrupts just that it waits for ever, or clears rings that are still in use: then the
        switch stops the device.
        """
        if self.at and self.running():
            self.signal(signal.SIGCONT)
            self.child.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.child.wait(EOF_SECONDS)
            self.signal(signal.SIGKILL)
        super().end()

    def wait_prompt(self, deadline=DEADLINE):
        match = self.wait_output(re.escape(PROMPT), stream="out", since=self.at, deadline=deadline)
        text = bytes(self.out[self.at:match.start()]).decode(errors="replace")
        self.at = match.end()
        return text

    def command(self, text, deadline=DEADLINE):
        """Gives a command, and returns what it printed up to the next prompt."""
        self.send(text + "\n")
        return self.wait_prompt(deadline)

    def start(self, tx_first=False):
        return self.command(f"start tx_first {BURSTS}" if tx_first else "start")

    def forward(self, mode, tx_first=True):
        """Starts `mode` so that it loses no frame: what a full ring does not take is offered again."""
        self.command(f"set fwd {mode} retry")
        self.command(f"set burst tx delay {RETRY_US} retry {RETRIES}")
        self.start(tx_first)

    def stop_forwarding(self):
        return self.command("stop")

    def quit(self):
        """An orderly end: ports stopped and closed, status 0."""
        self.send("quit\n")
        status = self.wait()
        assert status == 0, f"testpmd: status {status}\n{self.tail()}"
        self.end()

    def port_stats(self):
        """{port: (received, sent)} frames."""
        text = self.command("show port stats all")
        found = re.findall(r"NIC statistics for port (\d+).*?RX-packets:\s*(\d+).*?TX-packets:\s*(\d+)", text, re.S)
        assert found, text
        return {int(port): (int(received), int(sent)) for port, received, sent in found}

    def queue_stats(self, port):
        """(received, sent) frames of a virtio port, a list of each with a number for each queue."""
        text = self.command(f"show port xstats {port}")
        return tuple([int(n) for n in re.findall(rf"{way}_q\d+_good_packets: (\d+)", text)] for way in ("rx", "tx"))

    def wait_received(self, port, frames, deadline=DEADLINE):
        return wait_for(lambda: self.port_stats()[port][0] >= frames, deadline,
                        lambda: f"port {port} received {frames} frames\n{self.tail()}")

    def link_up(self, port):
        return "Link status: up" in self.command(f"show port info {port}")
