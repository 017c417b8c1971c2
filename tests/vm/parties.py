# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Who takes part in a transfer: a guest, or the host beyond the uplink; what runs there, and what its kernel counted.

Both have iperf3, ethtool and the programs of tools/, an IPv4 and an IPv6 address, and servers that run from
meet() on. To be used from the test's main thread.
"""

import contextlib
import itertools
import json
import os
import re
import signal

from lib.proc import Process
from lib.switch import ROOT
from lib.uplink import AF_PACKET
from lib.wait import DEADLINE, wait_for
from vm import image
from vm.host import ADDRESS

BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
TOOLS = os.path.join(BUILD, "tests", "vm")
PROGRAMS = ("/usr/bin/iperf3", "/usr/sbin/ethtool", os.path.join(TOOLS, "inspect"), os.path.join(TOOLS, "bursts"))
BURSTS_PORT = 5300
# A transfer takes seconds; beside other work, on emulated processors, many times that.
PATIENCE = 4 * DEADLINE
# What an interface needs for IPv6 without a frame that no test asked for.
IPV6 = {"accept_dad": 0, "dad_transmits": 0, "router_solicitations": 0, "disable_ipv6": 0}
# Each family's own counters, and those of both.
COUNTED = {"snmp": r"^(\w+): (.*)\n\1: (.*)$", "netstat": r"^(IpExt): (.*)\n\1: (.*)$"}
# What a client of iperf3 hears whose server has not done with the one before, or has not yet begun to listen again.
NOT_LISTENING = re.compile(r"refused|reset by peer|server is busy")
ENDLESS = "--bytes 1000G"  # of iperf3
MORE = 1 << 18  # bytes, that show that traffic goes on
# The frames of 64 KiB are 65,226 bytes with Linux's usual segments; the headers are the least of that.
LARGE = 60000


def has(guest, bit):
    """Returns true if the guest's driver negotiated a feature."""
    return guest.run("cat /sys/bus/virtio/devices/virtio0/features").strip()[bit] == "1"


def make_image(folder, series=image.SERIES):
    """What guests that are parties boot from."""
    return image.make(folder / "initramfs", ["virtio_pci", "virtio_net", "8021q"], programs=PROGRAMS, series=series)


class GuestJob:
    """A command that runs in a guest beside others."""

    numbers = itertools.count()

    def __init__(self, guest, command):
        self.guest = guest
        self.file = f"/tmp/job{next(self.numbers)}"
        guest.run(f"({command} > {self.file} 2>&1 & echo $! > {self.file}.pid; wait $!; echo $? > {self.file}.status) "
                  "> /dev/null 2>&1 &")
        guest.wait_for(f"test -s {self.file}.pid")

    def output(self):
        return self.guest.run(f"cat {self.file}")

    def running(self):
        return self.guest.run(f"test -s {self.file}.status", check=False)[0] != 0

    def signal(self, name):
        self.guest.run(f"kill -{name} $(cat {self.file}.pid)")

    def wait(self):
        """Its status, and what it printed."""
        self.guest.wait_for(f"test -s {self.file}.status", PATIENCE)
        return int(self.guest.run(f"cat {self.file}.status")), self.output()


def _on_host(ns, command):
    return Process(["sh", "-c", command], ns=ns, name=command, env={"PATH": f"{TOOLS}:{os.environ['PATH']}"})


class HostJob:
    """The same on the host beyond the uplink; ends with its block."""

    def __init__(self, ns, command):
        self.process = _on_host(ns, f"exec {command}")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.process.end()

    def output(self):
        return self.process.stdout + self.process.stderr

    def running(self):
        return self.process.running()

    def signal(self, name):
        self.process.signal(signal.Signals[f"SIG{name}"])

    def wait(self):
        status = self.process.wait(PATIENCE)
        return status, self.output()


class Party:
    """`addresses`: by family, 4 and 6. `interface`: which watch() listens at."""

    def __init__(self, name, interface, number, address):
        self.name = name
        self.interface = interface
        self.addresses = {4: address, 6: f"fd00::{number:x}"}  # IPv4 as lan.py and host.py have it

    def run(self, command):
        """A shell command's output; it must succeed."""
        raise NotImplementedError

    def spawn(self, command):
        raise NotImplementedError

    def serve(self):
        self.spawn("iperf3 --server --interval 0")
        self.spawn(f"bursts serve {BURSTS_PORT}")

    # Traffic.

    def iperf(self, server, options, family=4):
        """Runs iperf3 to the server; returns the sums of its report."""
        command = self.iperf_command(server, f"--json {options}", family)

        def report():
            told = json.loads(self.run(f"sh -c '{command} || true'"))
            return None if NOT_LISTENING.search(told.get("error", "")) else told
        told = wait_for(report, PATIENCE, f"{server.name} listens again, after the client before")
        assert "error" not in told, f"{self.name} to {server.name}: {told}"
        return told["end"]

    def iperf_command(self, server, options, family=4):
        return f"iperf3 --client {server.addresses[family]} --interval 0 {options}"

    def bursts(self, server, *, length, segments, bursts, family=4):
        """{"pieces": bursts that its kernel took as one piece, "again": that were sent again}."""
        return facts(self.run(self.bursts_command(server, length, segments, bursts, family)))

    def bursts_command(self, server, length, segments, bursts, family=4):
        return f"bursts send {server.addresses[family]} {BURSTS_PORT} {length} {segments} {bursts}"

    @contextlib.contextmanager
    def running(self, command):
        """Runs something that must not end during the block."""
        job = self.spawn(command)
        try:
            yield
            assert job.running(), job.output()
        finally:
            if job.running():
                job.signal("TERM")
            job.wait()

    # What is seen.

    @contextlib.contextmanager
    def watch(self):
        """Looks at all that comes in during the block; the dictionary that the block gets is filled at its end."""
        seen = {}
        job = self.spawn(f"inspect {self.interface}")
        wait_for(lambda: "ready" in job.output(), what=f"watch at {self.name}")
        try:
            yield seen
        finally:
            job.signal("TERM")
            status, output = job.wait()
        assert status == 0, output
        seen.update(facts(output))
        assert seen["wrong"] == 0, f"came to {self.name}: {output}"

    def bad_checksums(self):
        """Counters of bad checksums that are not 0."""
        found = {}
        for file, pattern in COUNTED.items():
            for name, names, values in re.findall(pattern, self.run(f"cat /proc/net/{file}"), re.M):
                found.update({f"{name} {key}": int(value) for key, value in zip(names.split(), values.split())})
        for line in self.run("cat /proc/net/snmp6").splitlines():
            name, value = line.split()
            found[name] = int(value)
        found = {name: value for name, value in found.items() if name.endswith("CsumErrors")}
        assert {"Tcp InCsumErrors", "Udp InCsumErrors", "IpExt InCsumErrors", "Udp6InCsumErrors"} <= found.keys()
        return {name: value for name, value in found.items() if value}

    def received(self):
        """Bytes that its interface took in."""
        return int(self.run(f"cat /sys/class/net/{self.interface}/statistics/rx_bytes"))

    def offload(self, **features):
        """ethtool -K, with - for _: offload(tx=False, gro=True)."""
        words = " ".join(f"{name.replace('_', '-')} {'on' if on else 'off'}" for name, on in features.items())
        self.run(f"ethtool -K {self.interface} {words}")

    def offloads(self):
        """{feature: True if it is on}."""
        return {name: state == "on" for name, state in
                re.findall(r"^\s*([\w-]+): (on|off)", self.run(f"ethtool -k {self.interface}"), re.M)}


def _ipv6_settings(interface):
    return " && ".join(f"echo {value} > /proc/sys/net/ipv6/conf/{interface}/{name}" for name, value in IPV6.items())


def facts(output):
    return {name: int(value) for name, value in re.findall(r"^(\w+) (\d+)$", output, re.M)}


def _number(guest):
    return int(guest.address.split(".")[-1])


class GuestParty(Party):
    def __init__(self, guest):
        super().__init__(guest.name, "eth0", _number(guest), guest.address)
        self.guest = guest
        self.join()

    def join(self):
        """After each boot."""
        self.run(f"{_ipv6_settings(self.interface)} && ip address add {self.addresses[6]}/64 dev eth0")
        self.serve()

    def run(self, command):
        return self.guest.run(command, deadline=PATIENCE)

    def spawn(self, command):
        return GuestJob(self.guest, command)


class TaggedParty(Party):
    """A guest's party with so many VLAN tags, one in the other, all of which its kernel writes into the frames."""

    def __init__(self, party, tags):
        super().__init__(party.name, f"tag{tags}", _number(party.guest), f"10.3.0.{_number(party.guest)}")
        self.addresses[6] = f"fd03::{_number(party.guest):x}"
        self.party = party
        if party.guest.run(f"ip link show {self.interface}", check=False)[0]:
            lower = party.interface
            for n in range(1, tags + 1):
                self.run(f"ip link add link {lower} name tag{n} type vlan id {100 + n} && "
                         f"ip link set tag{n} up mtu 1400")
                lower = f"tag{n}"
            self.run(f"{_ipv6_settings(lower)} && ip address add {self.addresses[4]}/24 dev {lower} && "
                     f"ip address add {self.addresses[6]}/64 dev {lower}")

    def run(self, command):
        return self.party.run(command)

    def spawn(self, command):
        return self.party.spawn(command)


class HostParty(Party):
    """`interface` is the wire. It meets all guests of the Lan, which have booted; `stack` ends what it runs."""

    NUMBER = 0xfe

    def __init__(self, lan, stack):
        super().__init__("host", lan.host.wire, self.NUMBER, ADDRESS)
        self.ns = lan.host.ns
        self.stack = stack
        if lan.kind == AF_PACKET:
            # A veth pair leaves partial checksums as they are, and does not tell the switch.
            self.offload(rx=False, tx=False, tso=False, gso=False, gro=False)
        for guest in lan.guests.values():
            self._meet(guest, lan.host.ways[guest.address])
        self.serve()

    def _meet(self, guest, interface):
        """As lan.Host.meet() for IPv6."""
        self.run(_ipv6_settings(interface))
        self.run(f"ip address replace {self.addresses[6]}/128 dev {interface} nodad && "
                 f"ip route replace fd00::{_number(guest):x}/128 dev {interface} src {self.addresses[6]}")

    def run(self, command):
        with _on_host(self.ns, command) as process:
            status = process.wait(PATIENCE)
        assert status == 0, f"{command}: status {status}\n{process.tail()}"
        return process.stdout

    def spawn(self, command):
        return self.stack.enter_context(HostJob(self.ns, command))


def goes_on(*parties):
    """Waits until each gets more of the traffic."""
    before = [party.received() for party in parties]
    wait_for(lambda: all(party.received() > was + MORE for party, was in zip(parties, before)), PATIENCE,
             "the traffic goes on")
