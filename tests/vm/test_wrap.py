# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""qemu-wrap.py starts real QEMU: guests with tap netdevs on the line ping through the switch."""

import itertools
import os
import shlex

import pytest

from lib import proc
from lib.proc import Process
from lib.switch import ROOT, Switch
from lib.wait import wait_for
from vm.guest import Guest
from vm.qemu import Qemu

WRAP = os.path.join(ROOT, "qemu-wrap.py")
HUGETLBFS = "/dev/hugepages"
MEMORY_MIB = 256
CSUM, GUEST_TSO4, GUEST_TSO6, GUEST_ECN, VERSION_1 = 0, 7, 8, 9, 32  # feature bits


class WrappedGuest(Guest):
    """Its line has a tap, and says nothing of shared memory. `options`: netdev and device in some order."""

    def __init__(self, box, name, image, number, folder, options):
        self.mac = f"52:54:00:00:00:{number:02x}"
        self.address = f"10.1.0.{number}"
        self.ids = itertools.count()
        self.program = ("env", f"QEMU_WRAP_VHOST_USER_PATH={box.path('usvhost')}", f"QEMU_WRAP_HUGETLBFS={folder}",
                        WRAP)
        Qemu.__init__(self, box, f"guest-{name}", image, f"guest_ip={self.address}/24", [
            "-machine", "q35", "-smp", "1", "-m", f"{MEMORY_MIB}", "-serial", "chardev:channel",
            *shlex.split(options.format(mac=self.mac))])

    def memory(self):
        """Lines of /proc/PID/maps that are the guest's memory, `MODE FILE`."""
        with open(f"/proc/{self.pid}/maps", encoding="utf-8") as f:
            fields = [line.split(maxsplit=5) for line in f]
        return {(mode, rest[0].split()[0]) for place, mode, _, _, _, *rest in fields
                if rest and int(place.split("-")[1], 16) - int(place.split("-")[0], 16) == MEMORY_MIB << 20}

    def features(self):
        return self.run("cat /sys/bus/virtio/devices/virtio0/features").strip()


def test_guests_ping(box, image):
    tap = "-netdev tap,id=n0,vhost=on,script=no"
    card = "-device virtio-net-pci,netdev=n0,mac={mac},romfile="
    with Switch(box) as switch, \
            WrappedGuest(box, "a", image, 1, "none", f"{tap} {card}") as a, \
            WrappedGuest(box, "b", image, 2, HUGETLBFS, f"{card},guest_csum=on {tap}") as b:
        for guest in (a, b):
            assert os.path.basename(os.readlink(f"/proc/{guest.pid}/exe")) == "qemu-system-x86_64"
            guest.wait_up()
        for guest, other in ((a, b), (b, a)):
            guest.wait_for(f"ping -c 1 -W 1 {other.address}")
            switch.wait_registered(guest.mac)
            guest.run(f"ping -q -c 5 -i 0.02 -W 20 -s 1472 {other.address}")
            assert all(guest.features()[bit] == "0" for bit in (CSUM, GUEST_TSO4, GUEST_TSO6, GUEST_ECN))
            assert guest.features()[VERSION_1] == "1"
        (mode, file), = a.memory()
        assert mode == "rw-s" and file.startswith("/memfd:memory-backend-memfd")
        (mode, file), = b.memory()
        assert mode == "rw-s" and file.startswith(HUGETLBFS)
        assert b.qmp("query-status")["status"] == "running"
        b.qmp("quit")
        assert b.wait() == 0


@pytest.mark.parametrize("folder", [HUGETLBFS, "none"])
def test_memory_for_cuse_is_shared(folder):
    """The memory options for cuse netdevs, without such a netdev: QEMU takes them, and maps the memory shared."""
    line = "-m 64 -netdev tap,id=n0,vhost=on"
    _, out, _ = proc.run([WRAP, "--print", *line.split()],
                         env={"QEMU_WRAP_BACK_END": "cuse", "QEMU_WRAP_HUGETLBFS": folder})
    emulator, *words = shlex.split(out)
    place = words.index("-netdev")
    assert words[place + 1] == "tap,id=n0,vhost=on,vhostfd=3"
    del words[place:place + 2]
    with Process([emulator, "-nodefaults", "-display", "none", "-accel", "tcg", "-S", *words]) as qemu:
        def mappings():
            with open(f"/proc/{qemu.pid}/maps", encoding="utf-8") as f:
                return [line for line in f if HUGETLBFS in line or "memory-backend-memfd" in line]
        found = wait_for(lambda: mappings() or not qemu.running(), what="guest memory")
        assert qemu.running(), qemu.tail()
        assert len(found) == 1 and found[0].split()[1] == "rw-s", found
