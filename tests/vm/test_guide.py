# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The guide's commands that need a machine of their own: they load modules, reserve hugepages, serve /dev/usvhost.

doc/hacking.rst ("The guide") says how a block is marked. All others are run by tests/e2e/test_doc.py.
"""

import grp
import os
import pwd
import re
import signal
import stat

from lib import guide
from lib.proc import Process
from lib.switch import READY, ROOT
from vm.machine import Machine
from vm.qemu import BOOT_DEADLINE

HUGEPAGES = 128  # fewer than the guide reserves
BUILD = os.path.join(ROOT, "build-cuse")


def serve(command):
    """In the machine: runs a switch until it is ready; returns (status, (user, group, mode) of its device, log)."""
    with Process(["bash", "-euc", f"exec {command}"], cwd=ROOT,
                 env={"PATH": os.pathsep.join((BUILD, os.environ["PATH"]))}) as switch:
        switch.wait_output(READY, deadline=BOOT_DEADLINE)
        device = os.stat("/dev/usvhost")
        assert stat.S_ISCHR(device.st_mode)
        switch.signal(signal.SIGTERM)
        status = switch.wait(BOOT_DEADLINE)
        assert not os.path.lexists("/dev/usvhost")
        return status, (pwd.getpwuid(device.st_uid).pw_name, grp.getgrgid(device.st_gid).gr_name,
                        stat.S_IMODE(device.st_mode)), switch.stderr


def due(command):
    """What the command says about the device."""
    owner = re.search(r"--dev-owner (\w+):(\w+)", command)
    mode = re.search(r"--dev-mode (\d+)", command)
    return (*(owner.groups() if owner else ("root", "root")), int(mode[1], 8) if mode else 0o600)


def test_commands_that_need_a_machine(box):
    blocks = [block for block in guide.blocks() if block.kind in ("vm", "vm switch")]
    assert {block.kind for block in blocks} == {"vm", "vm switch"}
    with Machine(box, "guide", modules=["cuse"], hugepages=HUGEPAGES) as machine:
        machine.run("getent group kvm || groupadd kvm")  # where QEMU's package has not made it
        for block in blocks:
            if block.kind == "vm":
                machine.run(block.text, deadline=BOOT_DEADLINE)
                continue
            (command,) = block.commands()
            status, device, log = machine.call(serve, guide.fit(command), deadline=3 * BOOT_DEADLINE)
            assert (status, device) == (0, due(command)), f"{block}\n{log}"
