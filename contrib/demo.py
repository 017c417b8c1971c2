#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Shows vhost-switch at its main job, in two acts. First a Linux network stack, plugged in as a guest,
pings a host beyond the uplink. Then two containers (dpdk-testpmd) exchange frames through the switch at
full rate, while the pings go on. At the end it prints who sent and received how much, what was dropped
and why, and the two main figures: frames/s and the time of a ping.

Run it with `sh scripts/demo`, which installs and reserves what it needs. All of it is in network
namespaces of its own, and removed afterwards.
"""

import collections
import contextlib
import os
import re
import shutil
import statistics
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests"))

from lib import hugepages  # noqa: E402
from lib.guests import Guests  # noqa: E402
from lib.netns import Namespace  # noqa: E402
from lib.switch import Switch  # noqa: E402
from lib.testpmd import HUGE, ORDINARY, Testpmd, virtio_user  # noqa: E402

SECONDS = 5  # of traffic: long enough for a steady rate
PINGS = 20
PATIENCE = 45  # seconds for their answers, which are late where others have the CPU
ALONE = 0.9  # of a CPU: a worker that has less shares it with other work
REACH = 30  # pings, one a second, until the first answer, on a busy machine
BURSTS = 16  # of 32 frames: each container sends them first, and the two then return them to each other
CONTAINERS = (("container A", "02:00:00:00:0a:01"), ("container B", "02:00:00:00:0b:01"))
GUEST_IP, HOST_IP = "192.0.2.1", "192.0.2.2"  # RFC 5737: for examples
UPLINK = "up0"
HUGEPAGES_MIB = 768  # with fewer all use ordinary memory
SWITCH_MIB = 256  # of that, as much as EAL would take of hugepages
ROOT = os.path.dirname(HERE)


class Box:
    """The folder of sockets and run-time files."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="vs-demo-")
        self.count = 0
        self.foreign_sockets = set()

    def unique(self, name):
        self.count += 1
        return f"demo{os.getpid()}{name}{self.count}"

    def path(self, name):
        return os.path.join(self.directory, name)

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


def say(text):
    print(text, flush=True)


class Cpus:
    """Chooses CPUs: the worker has one for itself if there are two, and so has each guest if there are four."""

    def __init__(self):
        self.usable = sorted(os.sched_getaffinity(0))
        self.worker = self._pick(1)
        self.containers = self._pick(2)
        self.linux = self._pick(3)

    def _pick(self, index):
        return self.usable[index] if index < len(self.usable) else self.usable[0]

    def lcores(self, cpu):
        """For EAL: a main lcore that sleeps, and one that spins on the CPU."""
        return f"0@{self.usable[0]},1@{cpu}"


def linux_guest(stack, box, switch, cpus, pages):
    """A network namespace whose tap is a guest of the switch, by way of a virtio-user port."""
    guests = stack.enter_context(Guests(box, [switch.socket()], lcores=cpus.lcores(cpus.linux), pages=pages))
    guests.ns.up(guests[0].tap, address=f"{GUEST_IP}/24")
    return guests.ns


def containers(stack, box, switch, cpus, pages):
    """Two testpmd guests, each sending back to the other what it receives."""
    (_, mac_a), (_, mac_b) = CONTAINERS
    vdevs = [virtio_user(i, switch.socket(), mac) for i, (_, mac) in enumerate(CONTAINERS)]
    pmd = stack.enter_context(Testpmd(box, vdevs, [
        "--port-topology=loop", f"--eth-peer=0,{mac_b}", f"--eth-peer=1,{mac_a}"],
        lcores=cpus.lcores(cpus.containers), pages=pages, memory=256, mbufs=16384))
    pmd.command("set fwd mac retry")
    pmd.command(f"start tx_first {BURSTS}")
    for _, mac in CONTAINERS:
        switch.wait_registered(mac)


def reach(ns):
    """Waits until the host beyond the uplink answers for the first time: links come up, and ARP asks once a second."""
    for _ in range(REACH):
        if ns.run("ping", "-c", "1", "-W", "1", HOST_IP, check=False)[0] == 0:
            return


def ping(ns):
    """Pings the host beyond the uplink; returns (answered, sent until the last answer, median in ms or None)."""
    # With -w it goes on until so many are answered, and not until so many are sent.
    _, text, _ = ns.run("ping", "-i", "0.1", "-c", PINGS, "-w", PATIENCE, HOST_IP, check=False)
    found = [(int(number), float(ms)) for number, ms in re.findall(r"icmp_seq=(\d+) .*time=([\d.]+) ms", text)]
    if not found:
        return 0, PINGS, None
    # The first waits for ARP, and any may meet a busy machine: neither is what the switch takes.
    return len(found), max(PINGS, max(found)[0]), statistics.median(ms for _, ms in found)


def show(before, after, seconds):
    names = {0: "device 0: Linux, in a namespace", 1: "device 1: container A (testpmd)",
             2: "device 2: container B (testpmd)", "uplink": "uplink: tap, host beyond it"}
    say(f"\n{'':<34} {'sent':>14} {'received':>14} {'sent/s':>12} {'received/s':>12}")
    for row, name in names.items():
        # What the switch received is what the guest sent.
        sent, got = after[row].received - before[row].received, after[row].sent - before[row].sent
        say(f"{name:<34} {sent:>14,} {got:>14,} {sent / seconds:>12,.0f} {got / seconds:>12,.0f}")
    say("")


def sentences():
    """{reason: what it means}, as frame/drops.h has them."""
    with open(os.path.join(ROOT, "frame", "drops.h"), encoding="utf-8") as f:
        text = re.sub(r'"\s*\\\n\s*"', "", f.read())  # a sentence may be cut into strings
    return dict(re.findall(r'X\(\w+, "(\w+)",[\s\\]*"(.*?)"\)', text))


def show_dropped(table):
    """Every frame that was dropped since the switch started, by reason. Returns how many."""
    total = collections.Counter()
    for name, row in table.rows.items():
        if name != "total":
            total.update(row.reasons)
    meanings = sentences()
    for reason, count in total.items():
        say(f"dropped: {count} {reason}: {meanings[reason]}")
    return total.total()


def show_share(before, after, seconds):
    """Says so if other work had the CPU of the worker, which spins. Both are {thread: CPU time}."""
    share = max(after[thread] - before.get(thread, 0) for thread in after) / seconds
    if share < ALONE:
        say(f"Other work ran on the worker's CPU, which it had for {share:.0%} of the time: on an idle machine it is "
            "faster.")


def main():
    with contextlib.ExitStack() as stack:
        box = Box()
        stack.callback(box.remove)
        host = stack.enter_context(Namespace())
        cpus = Cpus()
        pages = HUGE if hugepages.counts()[1] * hugepages.SIZE_MIB >= HUGEPAGES_MIB else ORDINARY
        say(f"vhost-switch: one worker on CPU {cpus.worker}, uplink a tap in the host's namespace" +
            (", no hugepages" if pages is ORDINARY else ""))
        # An untagged uplink: not every kernel has VLAN interfaces for the host's side.
        switch = stack.enter_context(
            Switch(box, ["-p", "0x1", "--vlan-base", "0"], ns=host, lcores=cpus.lcores(cpus.worker),
                   eal=["--vdev", f"net_tap0,iface={UPLINK}"],
                   memory=("--in-memory",) if pages is HUGE else (*ORDINARY, "-m", SWITCH_MIB)))
        host.up(UPLINK, address=f"{HOST_IP}/24")
        say("device 0: a Linux network stack in a namespace; it pings the host beyond the uplink ...")
        guest = linux_guest(stack, box, switch, cpus, pages)
        reach(guest)
        quiet = ping(guest)
        say("devices 1 and 2: containers, dpdk-testpmd with virtio-user, mac retry, tx_first")
        containers(stack, box, switch, cpus, pages)
        for device, mac, tag in switch.registered():
            say(f"  registered: device {device}, address {mac}, tag {tag}")
        say(f"{SECONDS} s of traffic, pings meanwhile ...")
        before, begin, used = switch.next_table(), time.monotonic(), switch.cpu_seconds()
        meanwhile = ping(guest)
        after = switch.wait_table(lambda _: time.monotonic() - begin >= SECONDS)
        seconds = time.monotonic() - begin
        show(before, after, seconds)
        show_share(used, switch.cpu_seconds(), time.monotonic() - begin)
        dropped = show_dropped(after)
        if quiet[0] == 0 or after[1].received == before[1].received:
            say("vhost-switch: no traffic passed; the log:\n" + switch.stderr)
            return 1
        moved = sum(after[device].received - before[device].received for device in (1, 2))
        say(f"Between the containers: {moved / seconds:,.0f} frames/s. Dropped since the start: {dropped} frames.\n"
            f"From the Linux guest to the host beyond the uplink and back: {quiet[2]:.3f} ms (half of the pings took "
            f"less).\nPings answered: {quiet[0]} of {quiet[1]}; beside the containers' traffic "
            f"{meanwhile[0]} of {meanwhile[1]}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
