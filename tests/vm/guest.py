# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A Linux guest in QEMU: boots from image.py's kernel and initramfs, emulated (no KVM).

    with Guest(box, "a", image, Nic(mac, path)) as guest:
        guest.wait_up()
        guest.run("ping -c 3 10.1.0.2")

Over the second serial line the guest's init takes commands (see `init`). All else is as qemu.py says.
"""

import itertools
import os
import re
from dataclasses import dataclass

from lib.qemu_words import reconnect
from lib.wait import DEADLINE, wait_for
from vm.qemu import BOOT_DEADLINE, Qemu

MEMORY_MIB = 256
# What a command may take. A machine that emulates this one was seen to give a process no CPU for two minutes.
ANSWER = 3 * DEADLINE
STREAMS = "/tmp/streams"  # files in the guest that exist while streams are to go on; they hold process identifiers


@dataclass
class Nic:
    """A vhost-user port. `server`: QEMU's side listens. `options` go to virtio-net-pci. `pairs` of queues."""
    mac: str
    path: str
    server: bool = False
    options: str = ""
    pairs: int = 1

    def chardev(self):
        mode = "server=on,wait=off" if self.server else reconnect()
        return f"socket,id=c0,path={self.path},{mode}"

    def netdev(self):
        return "vhost-user,id=n0,chardev=c0" + (f",queues={self.pairs}" if self.pairs > 1 else "")

    def device(self):
        """The card is in a root port, so that it can be pulled, and has no boot ROM."""
        device = f"virtio-net-pci,id=nic0,bus=port0,netdev=n0,mac={self.mac},romfile="
        if self.pairs > 1:
            # An interrupt for each queue, one for the control queue, one for changes of the configuration.
            device += f",mq=on,vectors={2 * self.pairs + 2}"
        return device + ("," + self.options if self.options else "")


class Shell:
    """Commands to the guest's init: over `channel` (Lines), numbered by `ids`; `name` for messages."""

    looks = 1  # at a line that says nothing, before it is given up

    def stuck(self):
        """What is known of a guest that does not answer."""
        return ""

    def wait_up(self, deadline=BOOT_DEADLINE):
        """Waits until a boot has come to the end of init; once for each boot."""
        self._answer(rb"<<up>>\r?\n", deadline)

    def _answer(self, pattern, deadline):
        for left in reversed(range(self.looks)):
            try:
                return self.channel.until(pattern, deadline / self.looks)
            except TimeoutError as late:
                if left == 0:
                    raise TimeoutError(f"{self.name}, {deadline:.0f} s: {late}\n{self.stuck()}") from None
                # If an emulated line's interrupt was lost, this makes the guest's kernel send what it holds.
                self.channel.send("\n")

    def run(self, command, *, check=True, deadline=ANSWER):
        """Runs a shell command (one line) in the guest; returns what it printed, or (status, output)."""
        assert "\n" not in command
        number = next(self.ids)
        self.channel.send(f"{number} {command}\n")
        output, match = self._answer(rb"<<%d (\d+)>>\n" % number, deadline)
        status = int(match[1])
        if not check:
            return status, output
        assert status == 0, f"{self.name}: {command}: status {status}\n{output}"
        return output

    def wait_for(self, command, deadline=ANSWER):
        """Waits until the command succeeds in the guest."""
        wait_for(lambda: self.run(command, check=False, deadline=deadline)[0] == 0, deadline,
                 f"{self.name}: {command}")

    def stream(self, address, *, interval=0.002, size=1000):
        """Sends echo requests until end_streams(), hundreds a second.

        ping gives up when the kernel's queue is full for a moment: then it begins again.
        """
        self.run(f"touch {STREAMS}")
        self.run(f"(while [ -e {STREAMS} ]; do ping -q -i {interval} -s {size} {address}; done) > /dev/null 2>&1 & "
                 f"echo $! >> {STREAMS}")

    def end_streams(self):
        """Before an echo of the guest's counts: each ping is given the replies to all of them, and busybox's has
        a receive buffer for a few frames only; it loses its own reply among a burst of others (/proc/net/raw).
        """
        self.run(f"mv {STREAMS} {STREAMS}.end")
        self.wait_for(f"killall -q ping; while read i; do ! kill -0 $i || exit 1; done < {STREAMS}.end")

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
        self.channel.send(f"{next(self.ids)} {how}\n")
        self.wait_up()


class Guest(Shell, Qemu):
    looks = 3
    stuck = Qemu.stuck

    def __init__(self, box, name, image, nic, *, address, mtu=1500, cpus=1, arguments=()):
        self.nic = nic
        self.mac = nic.mac
        self.address = address
        self.ids = itertools.count()
        if nic.server:
            box.foreign_sockets.add(os.path.relpath(nic.path, box.directory))
        super().__init__(box, f"guest-{name}", image, f"guest_ip={address}/24 guest_mtu={mtu}", [
            "-machine", "q35,memory-backend=mem", "-smp", cpus, "-m", f"{MEMORY_MIB}M,slots=10,maxmem=2G",
            "-object", f"memory-backend-memfd,id=mem,size={MEMORY_MIB}M,share=on",
            "-serial", "chardev:channel",
            "-device", "pcie-root-port,id=port0",
            "-chardev", nic.chardev(), "-netdev", nic.netdev(),
            "-device", nic.device(), *arguments])

    def migrate(self, there, socket):
        """Moves what runs here to `there`, which was started with "-incoming defer", over a socket of that path.

        When it returns, it runs there.
        """
        uri = f"unix:{socket}"
        for side in (self, there):
            # As fast as it goes: the pages are copied within this machine.
            side.qmp("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        there.qmp("migrate-incoming", uri=uri)
        self.qmp("migrate", uri=uri)
        wait_for(self._migrated, DEADLINE, f"migration of {self.name}")
        wait_for(lambda: there.qmp("query-status")["running"], DEADLINE, f"{there.name} runs")

    def _migrated(self):
        state = self.qmp("query-migrate")
        assert state.get("status") != "failed", f"{self.name}: {state}\n{self.tail()}"
        return state.get("status") == "completed"

    # Its memory.

    def plug_memory(self, name, size):
        """Puts a DIMM of so many bytes in, as shared memory. Returns True if QEMU took it."""
        self.qmp("object-add", **{"qom-type": "memory-backend-memfd", "id": f"m{name}", "size": size, "share": True})
        try:
            self.qmp("device_add", driver="pc-dimm", id=f"d{name}", memdev=f"m{name}")
        except AssertionError as refusal:
            assert "not enough free memory slots" in str(refusal)
            self.qmp("object-del", id=f"m{name}")
            return False
        return True

    def unplug_memory(self, name):
        """Takes it out, which the guest's kernel allows if it uses no page of it."""
        self.qmp("device_del", id=f"d{name}")
        self.wait_event("DEVICE_DELETED")
        self.qmp("object-del", id=f"m{name}")

    # Its network card.

    def unplug(self):
        """Takes the network card out, and ends its connection."""
        self.qmp("device_del", id="nic0")
        self.wait_event("DEVICE_DELETED")
        self.qmp("netdev_del", id="n0")  # with its chardev

    def plug(self):
        """Puts it in again (a card that connects, not one that is connected to)."""
        self.qmp("chardev-add", id="c0", backend={"type": "socket", "data": {
            "addr": {"type": "unix", "data": {"path": self.nic.path}}, "server": False, "reconnect": 1}})
        self.qmp("netdev_add", type="vhost-user", id="n0", chardev="c0")
        driver, *options = self.nic.device().split(",")
        self.qmp("device_add", driver=driver, **dict(option.split("=") for option in options))
