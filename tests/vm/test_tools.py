# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The programs of tools/ see what they must see."""

import os
import socket

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Raw

from lib.frames import Port
from lib.netns import Namespace
from lib.wait import wait_for
from vm.parties import BURSTS_PORT, HostJob, facts

IPV4 = Ether() / IP(src="10.9.0.1", dst="10.9.0.2")
IPV6 = Ether() / IPv6(src="fd00::1", dst="fd00::2")
TAGGED = Ether() / Dot1Q(vlan=5) / IP(src="10.9.0.1", dst="10.9.0.2")
DATA = Raw(b"some bytes, odd")
RIGHT = {
    "tcp4": IPV4 / TCP() / DATA, "udp4": IPV4 / UDP() / DATA, "tcp6": IPV6 / TCP() / DATA, "udp6": IPV6 / UDP() / DATA,
    "tagged": TAGGED / TCP() / DATA, "icmp": IPV4 / ICMP() / DATA, "icmp6": IPV6 / ICMPv6EchoRequest(data=DATA.load),
    "arp": Ether() / ARP(), "padded": IPV4 / UDP() / Raw(bytes(1)) / Raw(bytes(30)),
}
WRONG = {
    "IPv4 header checksum": Ether() / IP(src="10.9.0.1", dst="10.9.0.2", chksum=1) / UDP() / DATA,
    "no UDP checksum": IPV4 / UDP(chksum=0) / DATA,
    "fragment": Ether() / IP(src="10.9.0.1", dst="10.9.0.2", flags="MF") / UDP() / DATA,
    "IPv4 lengths": Ether() / IP(src="10.9.0.1", dst="10.9.0.2", len=2000) / UDP() / DATA,
    "IPv6 lengths": Ether() / IPv6(src="fd00::1", dst="fd00::2", plen=2000) / UDP() / DATA,
    "transport header cut off": IPV4 / Raw(bytes(8)),
    "transport checksum": IPV4 / TCP(chksum=1) / DATA,
}
WRONG["transport header cut off"][IP].proto = 6
MORE_WRONG = [IPV6 / TCP(chksum=1) / DATA, IPV6 / UDP(chksum=1) / DATA, TAGGED / UDP(chksum=1) / DATA,
              IPV4 / ICMP(chksum=1) / DATA, IPV6 / ICMPv6EchoRequest(cksum=1) / DATA]


@pytest.fixture
def ns(box):
    with Namespace() as made:
        made.veth("one", "two", 2000)
        yield made


def inspected(ns, send, count):
    """What `inspect two` and the first line say of so many frames, which send() sends from `one`."""
    with HostJob(ns, "inspect two") as job:
        wait_for(lambda: "ready" in job.output())
        send()
        job.signal("TERM")
        status, output = job.wait()
    assert status == 0
    seen = facts(output)
    assert seen["frames"] == count, output
    return seen, output


def send(ns, *frames):
    with Port(ns, "one") as port:
        for frame in frames:
            port.send(bytes(frame))


def test_right_frames(ns):
    seen, output = inspected(ns, lambda: send(ns, *RIGHT.values()), len(RIGHT))
    assert seen["wrong"] == seen["partial"] == seen["missed"] == 0, output
    assert [seen[kind] for kind in ("tcp4", "udp4", "tcp6", "udp6", "other")] == [2, 2, 1, 1, 3]
    assert seen["longest"] == max(len(frame) for frame in RIGHT.values())


@pytest.mark.parametrize("what", WRONG)
def test_wrong_frames(ns, what):
    seen, output = inspected(ns, lambda: send(ns, WRONG[what], RIGHT["tcp4"]), 2)
    assert seen["wrong"] == 1
    assert f"first wrong: {what}, " in output


def test_wrong_checksums_of_each_kind(ns):
    seen, _ = inspected(ns, lambda: send(ns, *MORE_WRONG), len(MORE_WRONG))
    assert seen["wrong"] == len(MORE_WRONG)


def test_partial_checksums(ns):
    """A veth pair hands over what the kernel left to its hardware."""
    ns.ip("address", "add", "10.9.0.1/24", "dev", "one")
    ns.ip("neigh", "add", "10.9.0.2", "lladdr", "52:54:00:00:00:02", "dev", "one")

    def datagram():
        with ns.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as s:
            s.sendto(b"odd", ("10.9.0.2", 9))
    seen, _ = inspected(ns, datagram, 1)
    assert (seen["partial"], seen["wrong"]) == (1, 0)
    ns.run("ethtool", "-K", "one", "tx", "off")
    seen, _ = inspected(ns, datagram, 1)
    assert (seen["partial"], seen["wrong"]) == (0, 0)


def test_bursts(ns):
    ns.run("sh", "-c", "echo 0 > /proc/sys/net/ipv6/conf/lo/disable_ipv6")
    with HostJob(ns, f"bursts serve {BURSTS_PORT}"):
        for address in ("127.0.0.1", "::1"):
            with HostJob(ns, f"bursts send {address} {BURSTS_PORT} 1001 40 10") as sender:
                status, output = sender.wait()
            assert status == 0, output
            assert facts(output)["pieces"] >= 10
        with ns.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as s:
            s.settimeout(30)
            s.connect(("127.0.0.1", BURSTS_PORT))
            s.send(os.urandom(100))
            assert s.recv(100) == b"\xff\xff\xff\xff"  # what makes the sender give up
