# SPDX-License-Identifier: BSD-3-Clause
"""A Linux guest in QEMU: boots from image.py's kernel and initramfs, emulated (no KVM).

    with Guest(box, "a", image, Nic(mac, path)) as guest:
        guest.wait_up()
        guest.run("ping -c 3 10.1.0.2")

Leaving the block ends QEMU and asserts that the guest's kernel complained of nothing.
Two serial lines: the first takes the kernel's messages into a file, over the second the
guest's init takes commands (see `init`). QMP has a socket of its own. All of it lies in a
folder of the guest's under the test's box. To be used from the test's main thread.
"""

import itertools
import json
import os
import re
import socket
import time
from dataclasses import dataclass

from lib.proc import Process
from lib.wait import DEADLINE, wait_for

# A boot takes 3 s alone, three times that beside a polling switch and a second guest.
BOOT_DEADLINE = 120.0
MEMORY_MIB = 256
KERNEL_WORDS = (
    "console=ttyS0 loglevel=5 panic=-1 mitigations=off nokaslr random.trust_cpu=on "
    # Emulated clocks look broken to a guest that stands still for a moment.
    "tsc=reliable no_timer_check "
    # What no test needs, and costs boot time or makes frames by itself.
    "cryptomgr.notests apparmor=0 audit=0 ipv6.disable=1 "
    # An emulated processor may stand still for long while the machine does other work.
    "nowatchdog rcupdate.rcu_cpu_stall_suppress=1")
# Not a transmit time-out: a switch that gets no processor for five seconds causes one, and one that
# forgets a frame or a signal is found by the streams.
COMPLAINT = re.compile(r"BUG:|WARNING:|Oops|Call Trace|general protection|Kernel panic|"
                       r"(virtio|eth0).*(unexpected|bad|error|broken)")


@dataclass
class Nic:
    """A vhost-user port. `server`: QEMU's side listens. `options` go to virtio-net-pci."""
    mac: str
    path: str
    server: bool = False
    options: str = ""

    def chardev(self):
        mode = "server=on,wait=off" if self.server else "reconnect=1"
        return f"socket,id=c0,path={self.path},{mode}"

    def device(self):
        """In a root port, so that it can be pulled; without a boot ROM.

        No MSI-X: without KVM, QEMU 7.2 crashes when a vhost-user device with MSI-X starts
        (kvm_virtio_pci_irqfd_release). The switch signals the same eventfd either way.
        """
        device = f"virtio-net-pci,id=nic0,bus=port0,netdev=n0,mac={self.mac},romfile=,vectors=0"
        return device + ("," + self.options if self.options else "")


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


class Guest(Process):
    def __init__(self, box, name, image, nic, *, address, mtu=1500, arguments=()):
        self.nic = nic
        self.mac = nic.mac
        self.address = address
        self.directory = box.path(name)
        os.makedirs(self.directory, exist_ok=True)
        self.ids = itertools.count()
        self.shell = self.monitor = None
        words = f"{KERNEL_WORDS} guest_ip={address}/24 guest_mtu={mtu}"
        super().__init__([
            "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
            "-machine", "q35,memory-backend=mem", "-accel", "tcg", "-cpu", "max", "-smp", "1",
            "-m", f"{MEMORY_MIB}M,slots=2,maxmem=1G",
            "-object", f"memory-backend-memfd,id=mem,size={MEMORY_MIB}M,share=on",
            "-kernel", image.vmlinux, "-initrd", image.initramfs, "-append", words,
            "-serial", f"file:{self._path('console')}",
            "-chardev", f"socket,id=shell,path={self._path('shell')},server=on,wait=on",
            "-serial", "chardev:shell",
            "-chardev", f"socket,id=qmp,path={self._path('qmp')},server=on,wait=off",
            "-mon", "chardev=qmp,mode=control",
            "-device", "pcie-root-port,id=port0",
            "-chardev", nic.chardev(), "-netdev", "vhost-user,id=n0,chardev=c0",
            "-device", nic.device(), *arguments], name=f"guest {name}")
        try:
            self.shell = Lines(self._path("shell"), self.running)
        except BaseException:
            self.end()
            raise

    def _path(self, name):
        return os.path.join(self.directory, name)

    def __exit__(self, kind, value, trace):
        self.end()
        if kind is not None:
            print(self.tail())
        else:
            complaints = [line for line in self.console().splitlines() if COMPLAINT.search(line)]
            assert not complaints, f"{self.name}'s kernel says:\n{self.console()}"

    def end(self):
        super().end()
        for lines in (self.shell, self.monitor):
            if lines:
                lines.close()

    def console(self):
        with open(self._path("console"), encoding="ascii", errors="replace") as f:
            return f.read()

    def tail(self, lines=25):
        return super().tail(lines) + f"\n--- {self.name}: console\n{self.console()[-3000:]}"

    # The guest's shell.

    def wait_up(self, deadline=BOOT_DEADLINE):
        """Waits until a boot has come to the end of init; once for each boot."""
        self.shell.until(rb"<<up>>\r?\n", deadline)

    def run(self, command, *, check=True, deadline=DEADLINE):
        """Runs a shell command (one line) in the guest; returns what it printed, or (status, output)."""
        assert "\n" not in command
        number = next(self.ids)
        self.shell.send(f"{number} {command}\n")
        output, match = self.shell.until(rb"<<%d (\d+)>>\n" % number, deadline)
        status = int(match[1])
        if not check:
            return status, output
        assert status == 0, f"{self.name}: {command}: status {status}\n{output}"
        return output

    def wait_for(self, command, deadline=DEADLINE):
        """Waits until the command succeeds in the guest."""
        wait_for(lambda: self.run(command, check=False, deadline=deadline)[0] == 0, deadline,
                 f"{self.name}: {command}")

    def stream(self, address):
        """Sends echo requests from now on, hundreds a second.

        ping gives up when the kernel's queue is full for a moment: then it begins again.
        """
        self.run(f"(while :; do ping -q -i 0.002 -s 1000 {address}; done) > /dev/null 2>&1 &")

    def echo_replies(self):
        """How many echo replies the guest's kernel has taken in."""
        names, values = re.findall(r"^Icmp: (.*)$", self.run("cat /proc/net/snmp"), re.M)
        return int(dict(zip(names.split(), values.split()))["InEchoReps"])

    def wait_replies(self, count=20):
        """Waits until its stream gets that many more replies."""
        due = self.echo_replies() + count
        wait_for(lambda: self.echo_replies() >= due, what=f"{self.name} gets replies")

    def reboot(self, *, orderly):
        """The guest restarts itself; QEMU goes on.

        Orderly: the network is put down first, as any distribution does. (Linux 6.1.192 hangs if it
        shuts a virtio-net device down that sends: it marks the rings broken, and then the driver
        waits in virtqueue_enable_cb_delayed() for ever.) Otherwise at once, in the midst of all.
        """
        how = "ip link set eth0 down; reboot -f" if orderly else "echo b > /proc/sysrq-trigger"
        self.shell.send(f"{next(self.ids)} {how}\n")
        self.wait_up()

    # QEMU's monitor.

    def qmp(self, command, **arguments):
        """Carries out a QMP command; returns its answer."""
        if not self.monitor:
            self.monitor = Lines(self._path("qmp"), self.running)
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

    def unplug(self):
        """Takes the network card out, and ends its connection."""
        self.qmp("device_del", id="nic0")
        self.wait_event("DEVICE_DELETED")
        self.qmp("netdev_del", id="n0")  # and its chardev with it

    def plug(self):
        """Puts it in again (a card that connects, not one that is connected to)."""
        self.qmp("chardev-add", id="c0", backend={"type": "socket", "data": {
            "addr": {"type": "unix", "data": {"path": self.nic.path}}, "server": False, "reconnect": 1}})
        self.qmp("netdev_add", type="vhost-user", id="n0", chardev="c0")
        driver, *options = self.nic.device().split(",")
        self.qmp("device_add", driver=driver, **dict(option.split("=") for option in options))
