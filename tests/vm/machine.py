# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A Linux machine in QEMU with this machine's files inside: what is built and installed here runs there.

    with Machine(box, "cuse", modules=["cuse", "tun"], hugepages=256) as machine:
        machine.run("build/vhost-switch --version")
        machine.call(some_module.some_function, 1, key=2)

It has Debian's kernel (image.py), and as its root file system ours, read-only by 9p with a tmpfs on
top: it can write everywhere, but nothing of it stays, apart from what it writes into
`machine.directory`, which is the same folder here and there. The project lies where it lies here and is
not cached, so that a file that is made here during the machine's life is found there; of everything
else the machine may remember how it was at first. Run-time folders (/run, /dev, /proc, /sys) are its own.

Commands go over one virtio-serial line to agent.py, which runs there from boot to end. So one boot can
serve a test module: make the machine in a fixture with that scope. A failing test shows the console
of each machine that runs (conftest.py), and what agent.py can tell.
"""

import base64
import functools
import itertools
import pickle
import shlex

from lib.switch import ROOT
from lib.wait import DEADLINE
from vm import agent, image
from vm.qemu import BOOT_DEADLINE, Qemu

# What mounting the root file system and the line to the agent take.
MODULES = ("virtio_pci", "virtio_console", "9pnet_virtio", "9p", "overlay")
# The switch polls on one processor, all else shares the other; more than two make nothing faster
# where the machine that emulates them has two.
CPUS = 2
MEMORY_MIB = 1024
# What may take DEADLINE here may take this long there (lib/wait.py), and its answer a bit longer.
DEADLINE_THERE = 4 * DEADLINE
ANSWER = DEADLINE_THERE + DEADLINE


class Failed(AssertionError):
    """A call that raised in the machine; says how, and what the processes there said."""


class Machine(Qemu):
    """`modules`: loaded at boot, with all that they need. `hugepages`: of 2 MiB, at /dev/hugepages.

    `series` of Linux: see image.py. `words` go to the kernel, `arguments` to QEMU, `chipset` are options of q35.
    """

    def __init__(self, box, name, *, modules=(), hugepages=0, words="", arguments=(), chipset="",
                 memory=MEMORY_MIB, cpus=CPUS, series=image.SERIES):
        self.ids = itertools.count()
        self.answers = True
        folder = box.path(name)
        boot = image.make(box.path(f"{name}.initramfs"), MODULES, init="machine-init", series=series,
                          settings=_settings(ROOT=ROOT, FOLDER=folder, KERNEL_MODULES=image.module_tree(series),
                                             LOAD=" ".join(modules), TEST_DEADLINE=DEADLINE_THERE))
        super().__init__(box, name, boot, f"hugepages={hugepages} {words}", [
            "-machine", f"q35{chipset and ','}{chipset}", "-smp", cpus, "-m", f"{memory}M",
            *_shared("root", "/", readonly=True), *_shared("project", ROOT, readonly=True),
            *_shared("folder", folder),
            "-device", "virtio-serial-pci", "-device", "virtserialport,chardev=channel,name=agent", *arguments])
        try:
            self.channel.until(rb"<<up>>\n", BOOT_DEADLINE)
        except BaseException:
            print(self.tail())
            self.end()
            raise

    def call(self, function, *arguments, deadline=ANSWER, **keywords):
        """Calls a function of a module under tests/ in the machine, and returns what it returns.

        Arguments and result are pickled. One call at a time; state stays in the module, there.
        """
        assert self.answers, f"{self.name} does not answer since an earlier call"
        number = next(self.ids)
        request = pickle.dumps((number, function, arguments, keywords))
        self.channel.send(base64.b64encode(request).decode() + "\n")
        while True:
            try:
                _, match = self.channel.until(rb"([^\n]*)\n", deadline)
            except TimeoutError:
                self.answers = False  # it will not in later tests either, so they need not wait
                raise
            answered, succeeded, result = pickle.loads(base64.b64decode(match[1]))
            if answered == number:  # an earlier call may have been given up
                break
        if not succeeded:
            raise Failed(f"in {self.name}: {result}")
        return result

    def run(self, command, *, check=True, deadline=DEADLINE_THERE):
        """Runs a shell command in the machine, in the project's folder; returns its output, or (status, output).

        It is ended, with all that it started and left in its process group, when the deadline is over.
        """
        status, output = self.call(agent.run, command, deadline, deadline=deadline + DEADLINE)
        if not check:
            return status, output
        assert status == 0, f"{self.name}: {command}: status {status}\n{output}"
        return output

    def tell(self):
        """Tells, after a failed test, all that is known about it."""
        try:
            return self.tail() + "\n" + (self.call(agent.tell, deadline=DEADLINE) if self.answers else self.stuck())
        except (AssertionError, OSError) as problem:
            return f"{self.tail()}\n--- {self.name} answers no more: {problem!r}"


class There:
    """An object that lives in the machine: made there, its methods called (and its attributes read) from here.

        with There(machine, Switch, box, ["-p", "0x1"]) as switch:
            switch.wait_registered(mac)

    It may be an argument of a call, and is the object itself there. Leaving the block leaves the object's.
    """

    def __init__(self, machine, function, *arguments, **keywords):
        self._machine = machine
        self._number = machine.call(agent.hold, function, *arguments, **keywords)

    def __getattr__(self, method):
        if method.startswith("__"):
            raise AttributeError(method)
        return functools.partial(self._machine.call, agent.ask, self._number, method)

    def __reduce__(self):
        return agent.held, (self._number,)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        self._machine.call(agent.release, self._number, kind is not None)


def _settings(**values):
    """Variables for machine-init."""
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())


def _shared(tag, path, readonly=False):
    """A folder of ours that the machine can mount by its tag."""
    return ["-fsdev", f"local,id={tag},path={path},security_model=none,multidevs=remap" +
            (",readonly=on" if readonly else ""), "-device", f"virtio-9p-pci,fsdev={tag},mount_tag={tag}"]
