# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Offloads of real guests: what leaves the switch has the checksum that it should have, in frames that fit.

The sender is a dpdk-testpmd that leaves checksums of TCP and UDP, and TCP's segmentation, to its virtio
device. What it is to send comes from a tap of its own; what became of it is looked at beyond the uplink,
and at a guest, by scapy and by a sum of our own.
"""

import contextlib
import re
import socket
import struct

import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import Dot1Q, Ether

from lib.frames import Port
from lib.netns import Namespace
from lib.room import room
from lib.switch import Switch
from lib.telemetry import Telemetry
from lib.testpmd import Testpmd, tap, virtio_user
from lib.uplink import AF_PACKET, TAP

SENDER = "cc:bb:bb:bb:bb:5e"
STRANGER = "02:00:00:00:00:99"  # beyond the uplink
MSS = 1000
JUMBO_MTU = 9004
SIZES = (0, 1, 2, 333, 1300)  # bytes of payload
UPLINKS = pytest.mark.parametrize("uplink", [TAP, AF_PACKET])


class Sender:
    """Sends what it is given with the source address SENDER, to `to`."""

    def __init__(self, box, path, to, mss=0):
        self.ns = Namespace()
        try:
            vdevs = [virtio_user(0, path, SENDER), tap(0, "s0")]
            app = ["--port-topology=paired", "--disable-device-start", f"--eth-peer=0,{to}"]
            self.pmd = Testpmd(box, vdevs, app, ns=self.ns, prompt=False, memory=128)
            self.pmd.wait_prompt()
            offloads = ["tcp_cksum", "udp_cksum"] + (["tcp_tso", "multi_segs"] if mss else [])
            for offload in offloads:
                self.pmd.command(f"port config 0 tx_offload {offload} on")
            self.pmd.command("port config 1 rx_offload scatter on")
            for protocol in ("tcp", "udp"):
                self.pmd.command(f"csum set {protocol} hw 0")
            if mss:
                self.pmd.command(f"tso set {mss} 0")
            self.pmd.start_ports()
            self.pmd.command("set fwd csum")
            self.pmd.start()
            self.ns.up("s0", JUMBO_MTU)
            self.port = Port(self.ns, "s0")
        except BaseException:
            self.close()
            raise

    def send(self, packet):
        self.port.send(bytes(packet))

    def close(self):
        for part in ("port", "pmd"):
            if hasattr(self, part):
                getattr(self, part).__exit__(None, None, None)
        self.ns.close()


@contextlib.contextmanager
def sender(*arguments, **more):
    made = Sender(*arguments, **more)
    try:
        yield made
    finally:
        made.close()


def packet(layers, transport, size, to=STRANGER, tag=None, seq=1000):
    """One with `size` bytes of payload, and wrong checksums."""
    ip = IP(src="10.0.0.1", dst="10.0.0.2", id=77) if layers is IP else IPv6(src="fd00::1", dst="fd00::2")
    l4 = TCP(sport=1, dport=2, seq=seq, flags="APF") if transport is TCP else UDP(sport=1, dport=2)
    ether = Ether(src=SENDER, dst=to)
    made = ether / Dot1Q(vlan=tag) / ip / l4 if tag else ether / ip / l4
    made /= bytes(i * 31 % 251 for i in range(size))
    return made


def total(data, start=0):
    """The sum of RFC 1071."""
    data += b"\0" * (len(data) % 2)
    value = start + sum(struct.unpack(f"!{len(data) // 2}H", data))
    while value >> 16:
        value = (value & 0xffff) + (value >> 16)
    return value


def look(data):
    """(Ethernet packet, IP layer, transport layer, its bytes, the sum over these and the pseudo header)."""
    seen = Ether(data)
    ip = seen.getlayer(IP) or seen.getlayer(IPv6)
    raw = bytes(ip)
    if ip.version == 4:
        head = ip.ihl * 4
        assert total(raw[:head]) == 0xffff, f"IPv4 header: {seen!r}"
        body, addresses, protocol = raw[head:ip.len], raw[12:20], ip.proto
    else:
        body, addresses, protocol = raw[40:40 + ip.plen], raw[8:40], ip.nh
    return seen, ip, ip.payload, body, total(addresses + struct.pack("!HH", protocol, len(body)) + body)


def expect_whole(data, sent):
    """A frame with its checksum in place, else as it was sent."""
    _, ip, l4, body, complete = look(data)
    assert complete == 0xffff, f"checksum of {ip!r}"
    if isinstance(l4, UDP):
        assert l4.chksum != 0
    payload = bytes(sent[l4.__class__].payload)
    assert body[len(body) - len(payload):] == payload


def some_packets(to=STRANGER):
    for layers in (IP, IPv6):
        for transport in (TCP, UDP):
            for size in SIZES:
                yield packet(layers, transport, size, to)
            yield packet(layers, transport, 500, to, tag=55)


def introduce(r, s, to=STRANGER):
    """The sender sends a frame, and the station beyond the uplink answers: then both are known."""
    s.send(packet(IP, UDP, 20, to))
    device, _ = r.switch.wait_registered(SENDER)
    return device


def counter(r, port, name):
    with Telemetry(r.switch) as telemetry:
        return telemetry.ask(f"/vhost_switch/port,{port}")[name]


@UPLINKS
def test_checksums_to_the_uplink(box, uplink):
    """The one port computes checksums itself, for the other the switch does."""
    with room(box, 1, ["--tx-csum", "1"], uplink=uplink) as r, sender(box, r.switch.socket(), STRANGER) as s:
        r.introduce_uplink(STRANGER)
        device = introduce(r, s)
        r.uplink.port.receive()
        for sent in some_packets():
            s.send(sent)
            got = r.uplink.port.receive()
            assert got is not None, sent
            own_tag = Dot1Q in sent
            assert Ether(got)[Dot1Q].vlan == (55 if own_tag else 1000 + device)
            expect_whole(got, sent)
        by_switch = counter(r, "uplink", "checksums")
        assert by_switch == (0 if uplink == TAP else 4 * (len(SIZES) + 1) + 1)


def test_checksums_to_a_guest_without_the_feature(box):
    with room(box, 2, ["--tx-csum", "1"]) as r, sender(box, r.switch.socket(), r.guests[0].mac) as s:
        introduce(r, s, r.guests[0].mac)
        r.guests[0].port.receive()
        for sent in some_packets(r.guests[0].mac):
            s.send(sent)
            got = r.guests[0].port.receive()
            assert got is not None, sent
            expect_whole(got, sent)
        assert counter(r, 0, "checksums") == 4 * (len(SIZES) + 1) + 1


def expect_segments(port, sent, size, tag):
    """All segments of a packet with `size` bytes of payload, in order, each right in itself."""
    payload, at, n = bytes(sent[TCP].payload), 0, 0
    while at < size:
        got = port.receive()
        assert got is not None, f"segment at {at} of {size}"
        seen, ip, l4, body, complete = look(got)
        piece = bytes(body[l4.dataofs * 4:])
        assert complete == 0xffff, f"checksum of {ip!r}"
        assert piece == payload[at:at + MSS], f"segment at {at} of {size}"
        assert l4.seq == sent[TCP].seq + at
        assert str(l4.flags) == ("FPA" if at + len(piece) == size else "A")
        if ip.version == 4:
            assert ip.id == 77 + n
        if tag is not None:
            assert seen[Dot1Q].vlan == tag
        at, n = at + len(piece), n + 1
    return n


@UPLINKS
def test_segments_to_the_uplink(box, uplink):
    """net_tap cuts IPv4 itself, net_af_packet nothing."""
    sizes = (1, MSS, MSS + 1, 2 * MSS, 5555, 8900)
    with room(box, 1, ["--tso", "1"], uplink=uplink) as r, \
            sender(box, r.switch.socket(), STRANGER, mss=MSS) as s:
        r.introduce_uplink(STRANGER)
        device = introduce(r, s)
        r.uplink.port.receive()
        made = 0
        for layers in (IP, IPv6):
            for tag in (None, 55):
                for size in sizes:
                    sent = packet(layers, TCP, size, tag=tag)
                    s.send(sent)
                    n = expect_segments(r.uplink.port, sent, size, tag or 1000 + device)
                    if n > 1 and not (uplink == TAP and layers is IP):
                        made += n
        assert counter(r, "uplink", "segments") == made


def test_segments_to_a_guest_without_the_feature(box):
    with room(box, 2, ["--tso", "1"]) as r, sender(box, r.switch.socket(), r.guests[0].mac, mss=MSS) as s:
        guest = r.guests[0]
        introduce(r, s, guest.mac)
        guest.port.receive()
        for layers in (IP, IPv6):
            for size in (1, MSS, MSS + 1, 8900):
                sent = packet(layers, TCP, size, guest.mac)
                s.send(sent)
                expect_segments(guest.port, sent, size, None)
        assert counter(r, 0, "segments") == 2 * (2 + 9)


@pytest.mark.parametrize("options, offered", [((), []), (("--tx-csum", "1"), ["TCP_CKSUM", "UDP_CKSUM"]),
                                              (("--tso", "1"), ["TCP_CKSUM", "TCP_TSO", "UDP_CKSUM"])],
                         ids=["nothing", "checksums", "segments"])
def test_what_is_offered(box, options, offered):
    with Switch(box, options) as switch:
        with Testpmd(box, [virtio_user(0, switch.socket(), SENDER)]) as pmd:
            said = pmd.command("show port 0 tx_offload capabilities")
            assert sorted(set(re.findall(r"TCP_CKSUM|UDP_CKSUM|TCP_TSO", said))) == offered
            pmd.quit()


# Messages of the vhost-user protocol, and what goes with them.
GET_FEATURES, SET_FEATURES, SET_OWNER, GET_PROTOCOL, SET_PROTOCOL = 1, 2, 3, 15, 16
NEED_REPLY, REPLY_ACK = 1 << 3, 1 << 3
USO = 7 << 54  # GUEST_USO4, GUEST_USO6, HOST_USO
OFFLOADS = {0: "CSUM", 1: "GUEST_CSUM", 7: "GUEST_TSO4", 8: "GUEST_TSO6", 9: "GUEST_ECN", 10: "GUEST_UFO",
            11: "HOST_TSO4", 12: "HOST_TSO6", 13: "HOST_ECN", 14: "HOST_UFO", 54: "GUEST_USO4",
            55: "GUEST_USO6", 56: "HOST_USO"}


class FrontEnd:
    """As much of a front end as negotiation needs."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)

    def ask(self, request, value=None, flags=0):
        body = b"" if value is None else struct.pack("=Q", value)
        self.socket.sendall(struct.pack("=III", request, 1 | flags, len(body)) + body)

    def answer(self, request, value=None, flags=0):
        self.ask(request, value, flags)
        data = self.socket.recv(20, socket.MSG_WAITALL)
        assert len(data) == 20, "the connection was ended"
        return struct.unpack("=IIIQ", data)[3]


@pytest.mark.parametrize("options, offered", [
    ((), []), (("--tx-csum", "1"), [0, 1]), (("--tso", "1"), [0, 1, 7, 8, 9, 11, 12, 13, 54, 55, 56])],
    ids=["nothing", "checksums", "segments"])
def test_features_are_offered_and_taken(box, options, offered):
    """Also those that librte_vhost does not know; and UFO never."""
    with Switch(box, options) as switch:
        end = FrontEnd(switch.socket())
        features = end.answer(GET_FEATURES)
        assert [bit for bit in OFFLOADS if features >> bit & 1] == offered
        assert end.answer(GET_PROTOCOL) & REPLY_ACK
        end.ask(SET_PROTOCOL, REPLY_ACK)
        end.ask(SET_OWNER)
        assert end.answer(SET_FEATURES, features, NEED_REPLY) == 0
        assert end.answer(SET_FEATURES, features & ~USO, NEED_REPLY) == 0
        assert end.answer(GET_FEATURES) == features
        end.socket.close()
