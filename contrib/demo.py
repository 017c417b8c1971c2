#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Shows vhost-switch at its main job: two containers (dpdk-testpmd) exchange frames through it at
full rate, while a Linux network stack plugged into it as a guest pings a host behind its uplink. Ends with a table of who sent, who received, and how fast.

Run it with `make demo`, which installs and reserves what it needs. Everything is in network
namespaces of its own, and gone afterwards.
"""

import contextlib
import os
import re
import shutil
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "tests"))

from lib.guests import Guests  # noqa: E402
from lib.netns import Namespace  # noqa: E402
from lib.switch import Switch  # noqa: E402
from lib.testpmd import Testpmd, virtio_user  # noqa: E402

SECONDS = 5  # of traffic: long enough for a steady rate
PINGS = 20
BURSTS = 16  # of 32 frames, that each container sends first, and that then go to and fro
CONTAINERS = (("container A", "02:00:00:00:0a:01"), ("container B", "02:00:00:00:0b:01"))
GUEST_IP, HOST_IP = "192.0.2.1", "192.0.2.2"  # RFC 5737: for examples
UPLINK = "up0"


class Box:
    """Where sockets and run-time files lie."""

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


def linux_guest(stack, box, switch):
    """A network namespace whose tap is a guest of the switch, by way of a virtio-user port."""
    guests = stack.enter_context(Guests(box, [switch.socket()]))
    guests.ns.up(guests[0].tap, address=f"{GUEST_IP}/24")
    return guests.ns


def containers(stack, box, switch):
    """Two testpmd guests, each sending back to the other what it receives."""
    (_, mac_a), (_, mac_b) = CONTAINERS
    vdevs = [virtio_user(i, switch.socket(), mac) for i, (_, mac) in enumerate(CONTAINERS)]
    pmd = stack.enter_context(Testpmd(box, vdevs, [
        "--port-topology=loop", f"--eth-peer=0,{mac_b}", f"--eth-peer=1,{mac_a}"], memory=256, mbufs=16384))
    pmd.command("set fwd mac retry")
    pmd.command(f"start tx_first {BURSTS}")
    for _, mac in CONTAINERS:
        switch.wait_registered(mac)


def ping(ns):
    """Pings the host behind the uplink; returns (answered, sent, average in ms or None)."""
    _, text, _ = ns.run("ping", "-i", "0.1", "-c", PINGS, "-q", HOST_IP, check=False)
    sent, answered = re.search(r"(\d+) packets transmitted, (\d+) received", text).groups()
    average = re.search(r"= [\d.]+/([\d.]+)/", text)
    return int(answered), int(sent), float(average[1]) if average else None


def show(before, after, seconds, pinged):
    names = {0: "device 0: Linux, in a namespace", 1: "device 1: container A (testpmd)",
             2: "device 2: container B (testpmd)", "uplink": "uplink: tap, host behind it"}
    say(f"\n{'':<34} {'sent':>14} {'received':>14} {'sent/s':>12} {'received/s':>12}")
    for row, name in names.items():
        # What the switch received is what the guest sent.
        sent, got = after[row].received - before[row].received, after[row].sent - before[row].sent
        say(f"{name:<34} {sent:>14,} {got:>14,} {sent / seconds:>12,.0f} {got / seconds:>12,.0f}")
    answered, asked, average = pinged
    say(f"\nping from device 0 to the host behind the uplink: {answered} of {asked} answered, "
        f"{average} ms on average")
    say(f"dropped by the switch: {after['total'].dropped - before['total'].dropped} frames")


def main():
    with contextlib.ExitStack() as stack:
        box = Box()
        stack.callback(box.remove)
        host = stack.enter_context(Namespace())
        say("vhost-switch: one worker on CPU 1, uplink a tap in the host's namespace")
        # An untagged uplink: not every kernel has VLAN interfaces for the host's side.
        switch = stack.enter_context(
            Switch(box, ["-p", "0x1", "--vlan-base", "0"], ns=host,
                   eal=["--vdev", f"net_tap0,iface={UPLINK}"]))
        host.up(UPLINK, address=f"{HOST_IP}/24")
        say("device 0: a Linux network stack in a namespace")
        guest = linux_guest(stack, box, switch)
        say("devices 1 and 2: containers, dpdk-testpmd with virtio-user, mac retry, tx_first")
        containers(stack, box, switch)
        for device, mac, tag in switch.registered():
            say(f"  registered: device {device}, address {mac}, tag {tag}")
        say(f"{SECONDS} s of traffic ...")
        before, begin = switch.next_table(), time.monotonic()
        pinged = ping(guest)
        after = switch.wait_table(lambda _: time.monotonic() - begin >= SECONDS)
        show(before, after, time.monotonic() - begin, pinged)
        if pinged[0] == 0 or after[1].received == before[1].received:
            say("vhost-switch: no traffic passed; the log:\n" + switch.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
