# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""What test_cuse.py does inside its machine: the switch with the cuse back end, and its guests.

Each function is one test, called by Machine.call(). A switch is ended with all the checks of
lib.switch; besides, its node must be gone.
"""

import contextlib
import fcntl
import os
import re
import tempfile

import pytest

from lib import frames
from lib.box import Box
from lib.frames import Port, transfer
from lib.guests import Guests
from lib.leftovers import Leftovers
from lib.proc import Process, run
from lib.switch import ROOT, Switch
from lib.uplink import TAP, Uplink
from lib.wait import DEADLINE, wait_for
from vm.boot_rom import BootRom, Server

PROGRAM = os.path.join(ROOT, "build-cuse", "vhost-switch")
SANITIZED = os.path.join(ROOT, "build-cuse-san", "vhost-switch")
CLIENT = os.path.join(ROOT, "build", "tests", "cuse", "client")
HOSTILE = os.path.join(ROOT, "build", "tests", "cuse", "hostile_opener")
NO_PIDFD_GETFD = os.path.join(ROOT, "build", "tests", "cuse", "no_pidfd_getfd")
NODE = "/dev/usvhost"
VHOST_SET_OWNER = 0xAF01
MAC = "cc:bb:bb:bb:bb:01"
HOST = "cc:bb:bb:bb:bb:ff"
LONG = 2 * DEADLINE  # for slow things, as QEMU within an emulated machine
USER, GROUP, STRANGER = 1000, 2000, 1001
FRAMES = 200
# A device that is set up again takes nothing for a moment, longer on a busy machine: frames wait for it.
PATIENT = ["--rx-retry-num", "1000", "--rx-retry-delay", "10000"]


@contextlib.contextmanager
def a_box():
    box = Box()
    left = Leftovers(box.prefix)
    nodes = set(os.listdir("/dev"))
    try:
        yield box
    finally:
        box.remove()
    left.check()
    assert set(os.listdir("/dev")) == nodes


@contextlib.contextmanager
def a_switch(*options, box=None, **arguments):
    """The switch in the uplink's namespace; yields it and the uplink."""
    with contextlib.ExitStack() as stack:
        box = box or stack.enter_context(a_box())
        uplink = Uplink(TAP)
        stack.callback(uplink.close)
        arguments.setdefault("program", PROGRAM)
        switch = stack.enter_context(Switch(box, ["-p", "0x1", *PATIENT, *options], ns=uplink.ns,
                                            eal=uplink.eal(), **arguments))
        uplink.open()
        yield switch, uplink


def tap(program, *before):
    """Runs a program that prints TAP on the node; every case must be right."""
    with Process([*before, program, NODE]) as process:
        status = process.wait(LONG)
        print(process.stdout)
        planned = int(re.search(r"^1\.\.(\d+)$", process.stdout, re.M)[1])
        assert status == 0 and len(re.findall("^ok ", process.stdout, re.M)) == planned, process.tail(80)


# EAL's heap: a file for each hugepage. It grows when more clients than ever are connected at a time, as
# what a guest needs is kept for later ones (guest/connect.c).
HEAP = re.compile(r"/memfd:seg_|/\w*map_\d+")


def held(switch):
    """What clients cost the switch."""
    with open(f"/proc/{switch.pid}/maps", encoding="ascii", errors="replace") as f:
        # Each thread that signals has a ring of the kernel's for it, from its first signal on (guest/signal.c).
        shared = sum(" rw-s " in line and "[aio]" not in line and not HEAP.search(line) for line in f)
    files = [link for link in switch.links() if not HEAP.search(link)]
    return len(files), switch.threads(), shared


def wait_as_before(switch, before):
    wait_for(lambda: held(switch) == before, what=lambda: f"{before} again, now {held(switch)}")


@contextlib.contextmanager
def echoing(mac, *before):
    """A client that sends back what it receives."""
    with Process([*before, CLIENT, NODE, "echo", mac], name="echo", stdin=True) as client:
        yield client
        client.child.stdin.close()
        assert client.wait(LONG) == 0, client.tail()


def echoes(switch, uplink, mac=MAC):
    """Frames of all sizes go from the uplink to the client and back; others may be on the wire as well."""
    _, tag = switch.wait_registered(mac, LONG)
    sizes = (frames.sizes() * FRAMES)[:FRAMES]
    there = [frames.tagged(frames.frame(mac, HOST, i, size), tag) for i, size in enumerate(sizes)]
    back = [frames.tagged(frames.frame(HOST, mac, i, size), tag) for i, size in enumerate(sizes)]
    with Port(uplink.ns, uplink.far) as port:
        transfer(port, [port], there, back, deadline=LONG, window=16, strangers=True)


# Clients that do what QEMU does.

def clients_exchange_frames():
    with a_switch() as (switch, _):
        before = held(switch)
        tap(CLIENT)
        wait_as_before(switch, before)


def client_reaches_the_uplink():
    with a_switch() as (switch, uplink), echoing(MAC):
        echoes(switch, uplink)


def without_pidfd_getfd(module):
    """The file descriptors come by way of the kernel module, where it is; else a line says what to do."""
    hint = r"process \d+: this kernel has no pidfd_getfd\(2\): load the module eventfd_link"
    with a_switch(before=[NO_PIDFD_GETFD], allow_log=[hint]) as (switch, uplink):
        status, _, problem = run([CLIENT, NODE, "echo", MAC], check=False)
        assert status != 0
        assert switch.wait_output(hint), problem
        run(["insmod", module])
        try:
            with echoing(MAC):
                echoes(switch, uplink)
        finally:
            run(["rmmod", "eventfd_link"])


# DPDK's virtio-user.

def testpmd_is_a_client():
    with a_switch() as (switch, uplink):
        before = held(switch)
        with Guests(switch.box, [NODE, NODE]) as guests:
            one, two = guests
            for guest in guests:
                guest.port.send(frames.frame(HOST, guest.mac))
                switch.wait_registered(guest.mac)
            for source, sink in ((one, two), (two, one)):  # after what was flooded
                last = frames.frame(sink.mac, source.mac)
                source.port.send(last)
                sink.port.until(last)
            some = [frames.frame(two.mac, one.mac, i, size) for i, size in enumerate(frames.sizes())]
            transfer(one.port, [two.port], some, deadline=LONG, window=16)
            _, tag = switch.wait_registered(one.mac)
            some = [frames.frame(one.mac, HOST, i, size) for i, size in enumerate(frames.sizes())]
            transfer(uplink.port, [one.port], [frames.tagged(f, tag) for f in some], some, deadline=LONG, window=16)
        wait_as_before(switch, before)


# QEMU.

def qemu_is_a_client():
    """Two guests boot from the network beyond the uplink; one is killed while it loads, the other goes on."""
    with a_switch() as (switch, uplink), contextlib.ExitStack() as stack:
        before = held(switch)
        server = stack.enter_context(Server(uplink, 2))
        memory = stack.enter_context(tempfile.TemporaryDirectory(prefix="guest memory ", dir="/dev/shm"))
        a = stack.enter_context(BootRom(switch, 0, NODE))
        b = stack.enter_context(BootRom(switch, 1, NODE, share=memory))
        server.wait_blocks([a, b], LONG)
        both = held(switch)
        a.kill()
        wait_for(lambda: held(switch) < both, what="the switch let go of the killed guest")
        server.wait_blocks([b], LONG)
        with echoing(MAC):
            echoes(switch, uplink)
        server.wait_blocks([b], LONG)
        b.kill()
        wait_as_before(switch, before)


# The node.

def rights_of_the_service():
    """The words that start a program with the capabilities that the unit and its drop-in leave, and no others."""
    names = []
    for unit in ("vhost-switch.service", "cuse.conf"):
        with open(os.path.join(ROOT, "contrib", unit), encoding="ascii") as f:
            names += re.findall(r"^CapabilityBoundingSet=(.+)$", f.read(), re.M)
    some = ["+" + name.removeprefix("CAP_").lower() for name in " ".join(names).split()]
    return ["setpriv", "--bounding-set", ",".join(["-all", *some]), "--inh-caps", "-all", "--"]


def node_has_owner_and_mode():
    """Clients of another user: the switch has the rights of the service, which have to do."""
    os.chmod("/dev/net/tun", 0o666)  # the client's own; here it is root's
    with a_switch("--dev-owner", f"{USER}:{GROUP}", "--dev-mode", "0660",
                  before=rights_of_the_service()) as (switch, uplink):
        status = os.stat(NODE)
        assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (USER, GROUP, 0o660)
        group = ["setpriv", "--reuid", str(STRANGER), "--regid", str(GROUP), "--clear-groups", "--inh-caps=-all"]
        with echoing(MAC, *group):
            echoes(switch, uplink)
        stranger = ["setpriv", "--reuid", str(STRANGER), "--regid", str(STRANGER), "--clear-groups", "--inh-caps=-all"]
        status, out, _ = run([*stranger, CLIENT, NODE, "echo", MAC], check=False)
        assert status != 0 and "EACCES" in out
    with a_switch():
        status = os.stat(NODE)
        assert (status.st_uid, status.st_gid, status.st_mode & 0o7777) == (0, 0, 0o600)


def fails(box, said, *options):
    """The switch must not start, and its last line says why."""
    switch = Switch(box, options, program=PROGRAM, ready=False, stats_every=0)
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(switch.end)
        status = switch.wait(LONG)
        last = switch.stderr.splitlines()[-1]
        assert status == 1 and re.search(said, last), switch.tail()
        switch.status = status


def name_is_taken():
    with a_switch() as (switch, uplink), echoing(MAC):
        with a_box() as box:
            fails(box, f"{NODE}: the name is taken")
        echoes(switch, uplink)
    with a_box() as box:
        with open(NODE, "x", encoding="ascii"):
            pass
        try:
            fails(box, f"{NODE}: the name is taken")
            assert os.path.isfile(NODE)
        finally:
            os.remove(NODE)


def no_dev_cuse():
    os.rename("/dev/cuse", "/dev/away")
    try:
        with a_box() as box:
            fails(box, "/dev/cuse: No such file or directory; load the kernel's module: modprobe cuse")
            fails(box, "/dev/cuse: No such file", "--dev-basename", "another")
    finally:
        os.rename("/dev/away", "/dev/cuse")


def switch_is_killed():
    """The name is free again, and clients see that the node is gone."""
    with a_box() as box:
        for _ in range(2):
            with a_switch(box=box) as (switch, uplink), \
                    Process([CLIENT, NODE, "echo", MAC], name="echo", stdin=True) as client:
                echoes(switch, uplink)
                node = os.open(NODE, os.O_RDWR)
                switch.kill()
                switch.status = switch.child.returncode
                wait_for(lambda: not os.path.exists(NODE), what=f"{NODE} gone")
                with pytest.raises(OSError, match="not connected"):
                    fcntl.ioctl(node, VHOST_SET_OWNER)
                os.close(node)
                assert client.running()
        with a_switch(box=box) as (switch, uplink), echoing(MAC):
            echoes(switch, uplink)


# Hostile clients.

def hostile_clients():
    refusals = [r"cuse: process \d+: ", "VHOST_CONFIG: ", "guest refused: ", "more lines in this second"]
    with a_switch(program=SANITIZED, allow_log=refusals) as (switch, uplink):
        with Process([CLIENT, NODE, "stream"], name="neighbours", stdin=True) as neighbours:
            neighbours.wait_output("^streaming", stream="out", deadline=LONG)
            before = held(switch)
            tap(HOSTILE)
            assert neighbours.running(), neighbours.tail()
            wait_as_before(switch, before)
            neighbours.child.stdin.close()
            assert neighbours.wait(LONG) == 0, neighbours.tail()
            assert int(re.search(r"(\d+) frames", neighbours.stdout)[1]) > FRAMES
        with echoing(MAC):
            echoes(switch, uplink)
