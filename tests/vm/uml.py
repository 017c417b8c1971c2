# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A guest that is User Mode Linux: Debian's kernel as a process, with a vhost-user port.

Its second serial line, over which init takes commands, is its standard input and output; kernel messages
are on standard error. Up in three seconds, without QEMU. Leaving the block ends it and asserts that its driver
complained of nothing.
"""

import glob
import itertools
import re
from pathlib import Path

from lib.proc import Process
from vm import image as images
from vm.guest import Shell

KERNEL = "/usr/bin/linux.uml"
MODULES = "/usr/lib/uml/modules/*"
# A kernel allows a thread for each 128 KiB that it has free at its boot, and starts many for a moment then: with
# 64 MiB the first fork of init failed in 15 of 120 boots ("can't fork"), with 96 in none.
MEMORY = "128M"
# Not of crypto/, which warns of its own tests at some boots.
COMPLAINT = re.compile(r"virtio(_uml|_net|\d).*(error|failed|refused|unexpected|is not a head|out of range)|"
                       r"at arch/um|at drivers/(net|virtio)|Kernel panic")


def make_image(path):
    modules, = glob.glob(MODULES)
    return images.write(path, Path(KERNEL), Path(modules), ["virtio_net"])


class _Output:
    """Lines of a process's standard output, as Shell wants them (see qemu.Lines)."""

    def __init__(self, process):
        self.process = process
        self.taken = 0

    def send(self, text):
        self.process.send(text)

    def until(self, pattern, deadline):
        match = self.process.wait_output(pattern, stream="out", since=self.taken, deadline=deadline)
        before = bytes(self.process.out[self.taken:match.start()])
        self.taken = match.end()
        return before.decode(errors="replace"), match


class Uml(Shell, Process):
    def __init__(self, box, name, image, socket, address):
        self.address = address
        self.ids = itertools.count()
        super().__init__([
            image.vmlinux, f"mem={MEMORY}", f"umid={box.unique(name)}", f"uml_dir={box.directory}",
            f"initrd={image.initramfs}", "con=null", "con0=null,fd:2", "ssl=null", "ssl1=fd:0,fd:1",
            f"virtio_uml.device={socket}:1", f"guest_ip={address}/24"], name=name, stdin=True)
        self.channel = _Output(self)

    def __exit__(self, kind, value, trace):
        try:
            if self.running():
                self.channel.send(f"{next(self.ids)} poweroff -f\n")
                self.wait()
        finally:
            self.end()
        if kind is not None:
            print(self.tail())
        else:
            complaints = [line for line in self.stderr.splitlines() if COMPLAINT.search(line)]
            assert not complaints, f"{self.name}'s kernel says:\n{self.stderr}"
