# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The uplink is an interface of the kernel: a tap, or one that net_af_packet, net_af_xdp or net_pcap share with it.

Linux at both ends sends TCP as it does anywhere; frames that the port can't carry are counted, not cut.
"""

import contextlib
import os
import re
import resource
import socket

import pytest

from lib import frames
from lib.background import Background
from lib.control import Control
from lib.frames import Port, frame, tagged, transfer
from lib.netns import Namespace
from lib.room import room
from lib.stack import GUEST, HOST, PORT, stacks
from lib.switch import Switch
from lib.telemetry import Telemetry
from lib.uplink import AF_PACKET, AF_XDP, PCAP, TAP, Uplink
from lib.wait import pause, wait_for

STRANGER = "02:00:00:00:00:99"  # beyond the uplink
MBYTES, IPERF_MBYTES = 100, 20
FINISHED = ["tx", "off", "tso", "off"]
WARNING = re.compile(r"^vhost-switch: port 0: .* ping works then, and TCP does not; run: (ethtool -K .*)$", re.M)
# What libbpf and libxdp tell of a kernel without their file system; they do without.
XDP_LOG = [r"libxdp: ", r"libbpf: "]


# TCP.


@pytest.mark.parametrize("kind", [TAP, AF_PACKET, AF_XDP, PCAP])
def test_tcp(box, kind):
    """A stream of 100 MB each way, then iperf3."""
    with stacks(box, kind, offloads=None if kind == TAP else FINISHED, allow_log=XDP_LOG) as s:
        assert not WARNING.search(s.switch.stderr), s.switch.tail()
        s.answers()
        s.stream(s.guest, s.host, HOST, MBYTES)
        s.stream(s.host, s.guest, GUEST, MBYTES)
        for way in ([], ["--reverse"]):
            with s.iperf_server():  # one for each: between two clients it does not listen for a moment
                # What is on its way when iperf3 ends does not count.
                assert s.iperf("--bytes", f"{IPERF_MBYTES}M", *way) > IPERF_MBYTES << 19
        assert s.bad_checksums() == 0


def test_partial_checksums_are_warned_of(box):
    """Ping works, and TCP does not until the command is run that the switch names when it starts."""
    with stacks(box, AF_PACKET) as s:
        command = WARNING.search(s.switch.stderr)[1].split()
        assert command[:3] == ["ethtool", "-K", s.uplink.far]
        s.answers()
        server = s.server(s.guest, GUEST)
        client = s.host.inside(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        with server, client:
            assert client.connect_ex((GUEST, PORT)) != 0
            wait_for(s.bad_checksums, what="a segment with a wrong checksum")
            s.host.run(*command)
            server.accept()[0].close()  # by a segment that was sent once more


def test_merged_frames_are_warned_of(box):
    """With a NIC, its GRO merges frames. Here the near end does, which has GRO off by default."""
    uplink = Uplink(AF_PACKET)
    uplink.ns.run("ethtool", "-K", uplink.far, *FINISHED)
    uplink.ns.run("ethtool", "-K", uplink.near, "gro", "on")
    with contextlib.closing(uplink), \
            Switch(box, ["-p", "0x1"], ns=uplink.ns, eal=uplink.eal()) as switch:
        assert WARNING.findall(switch.stderr) == ["ethtool -K up0 gro off"]


def test_a_peer_elsewhere_can_not_be_asked(box):
    """A container's: the switch says that somebody should look."""
    with Namespace() as elsewhere, contextlib.closing(Uplink(AF_PACKET)) as uplink:
        uplink.ns.ip("link", "set", uplink.far, "netns", f"/proc/{os.getpid()}/fd/{elsewhere.fd}")
        with Switch(box, ["-p", "0x1"], ns=uplink.ns, eal=uplink.eal()) as switch:
            assert not WARNING.search(switch.stderr)
            assert "port 0: the peer of up0 is in another network namespace: " in switch.stderr


# Lengths.


def count_long(r, who):
    return r.switch.next_table()[who].reasons.get("long_frame", 0)


def test_frames_longer_than_a_slot(box):
    """net_af_packet's slots of 2 KiB hold 1982 bytes of a received frame, after which the kernel cuts it, and
    2016 of one that is sent, after which the driver throws it away and calls it sent."""
    with room(box, 1, ["--mergeable", "1"], uplink=AF_PACKET, vlan_base=0, introduce=False,
              guest_options={"jumbo": True, "buffers": 10240}) as r:
        for name in (r.uplink.near, r.uplink.far):
            r.uplink.ns.ip("link", "set", name, "mtu", 9000)
        r.switch.wait_output(r"port 0: takes frames with 1998 bytes of payload at most now")
        guest = r.guests[0]
        r.introduce(guest)
        for sizes, arrive in (((60, 1514, 1981), True), ((1982, 1983, 3000, 9014), False)):
            sent = [frame(guest.mac, STRANGER, seq, size) for seq, size in enumerate(sizes)]
            for data in sent:
                assert r.got(r.uplink, data)[guest] == ([data] if arrive else [])
        assert count_long(r, "uplink") == 4
        for data, arrives in ((frame(STRANGER, guest.mac, 1, 2012), True), (frame(STRANGER, guest.mac, 2, 2013), False),
                              (frame(STRANGER, guest.mac, 3, 2012, tags=(7,)), True),
                              (frame(STRANGER, guest.mac, 4, 2013, tags=(7,)), False),
                              (frame(STRANGER, guest.mac, 5, 9014), False)):
            assert r.got(guest, data)[r.uplink] == ([data] if arrives else [])
        assert count_long(r, 0) == 3


@pytest.mark.parametrize("kind", [AF_PACKET, AF_XDP, PCAP])
def test_mtu_of_the_interface(box, kind):
    """What its MTU forbids the kernel would throw away, and call sent. It may change at any time."""
    with room(box, 1, uplink=kind, allow_log=XDP_LOG) as r:
        guest = r.guests[0]
        for mtu in (1400, 1480):
            r.uplink.ns.ip("link", "set", r.uplink.near, "mtu", mtu)
            r.switch.wait_output(rf"port 0: takes frames with {mtu} bytes of payload at most now")
            before = count_long(r, 0)
            for size, arrives in ((mtu + 14, True), (mtu + 15, False)):
                data = frame(STRANGER, guest.mac, size, size)
                assert r.got(guest, data)[r.uplink] == ([tagged(data, r.tag(guest))] if arrives else [])
            assert count_long(r, 0) == before + 1
            # Packet sockets count a tag of 802.1ad as payload.
            for ethertype, arrives in ((b"\x81\x00", True), (b"\x88\xa8", kind == AF_XDP)):
                data = tagged(frame(STRANGER, guest.mac, mtu, mtu + 14), 7)
                data = data[:12] + ethertype + data[14:]
                assert r.got(guest, data)[r.uplink] == ([data] if arrives else [])
            assert count_long(r, 0) == before + (1 if kind == AF_XDP else 2)


# The link.


def link_is(r, state):
    """Waits until the switch knows."""
    table = r.switch.wait_table(lambda t: f"the uplink's link is {state}" in t.text)
    with Telemetry(r.switch) as telemetry:
        assert telemetry.ask("/vhost_switch/port,uplink")["link"] == state
    return table


def back_up(r, *names):
    for name in names:
        r.uplink.ns.ip("link", "set", name, "up")
    link_is(r, "up")
    r.uplink.port.close()
    r.uplink.port = Port(r.uplink.ns, r.uplink.far)


@pytest.mark.parametrize("kind, end", [(TAP, "near"), (AF_PACKET, "near"), (AF_PACKET, "far"), (AF_XDP, "far"),
                                       (PCAP, "far")])
def test_frames_for_a_port_that_is_down(box, kind, end):
    """They are dropped at once for a named reason; none of them leaves when the port is up again."""
    with room(box, 2, uplink=kind, vlan_base=0, allow_log=XDP_LOG) as r:
        one, two = r.guests
        r.introduce_uplink(STRANGER)
        down = getattr(r.uplink, end)
        r.uplink.ns.ip("link", "set", down, "down")
        before = link_is(r, "down")[0]
        for seq in range(600):  # more than a ring of the port holds
            one.port.send(frame(STRANGER, one.mac, seq))
            if seq % frames.WINDOW == 0:
                transfer(one.port, [two.port], [frame(two.mac, one.mac, seq)])
        after = r.switch.wait_table(lambda t: t[0].received >= before.received + 600 + 10)[0]
        assert after.reasons == {"link_down": 600}
        assert after.delivered - before.delivered == 10  # those for guest 1
        back_up(r, down)
        # One alone: it may not be left until a second one comes.
        transfer(one.port, [r.uplink.port], [frame(STRANGER, one.mac, 1000)])
        transfer(one.port, [r.uplink.port], [frame(STRANGER, one.mac, seq) for seq in range(1001, 1100)])
        transfer(r.uplink.port, [two.port], [frame(two.mac, STRANGER, seq) for seq in range(100)])
        assert r.switch.next_table()[0].reasons == {"link_down": 600}


def test_a_link_that_the_kernel_did_not_tell(box):
    """For lack of file descriptors: it is asked again, though nothing more happens to the link."""
    with room(box, uplink=AF_PACKET, vlan_base=0) as r, Control(r.switch) as events:
        events.ask("events.subscribe")  # first: a client whom the switch has not accepted needs a descriptor
        limits = resource.prlimit(r.switch.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(r.switch.pid, resource.RLIMIT_NOFILE, (0, limits[1]))
        r.uplink.ns.ip("link", "set", r.uplink.far, "down")
        r.switch.wait_output("does not tell the state of its interface: Too many open files; it is asked again")
        resource.prlimit(r.switch.pid, resource.RLIMIT_NOFILE, limits)
        link_is(r, "down")
        assert events.read()["params"]["event"] == "link.down"


class Flood(Background):
    """A guest that sends all the time, until the block is left."""

    def __init__(self, guest):
        super().__init__()
        self.guest = guest
        self.sent = 0

    def work(self):
        while not self.over.is_set():
            self.guest.port.send(frame(STRANGER, self.guest.mac, self.sent))
            self.sent += 1
            pause()


@pytest.mark.parametrize("kind", [TAP, AF_PACKET])
def test_an_interface_changes_under_traffic(box, kind):
    """Down, up, another MTU, another name, then removed: the switch goes on, counts, and logs each change in a line."""
    # Drivers find their interface by its first name: what they can't do any more is said in their words.
    with room(box, 2, uplink=kind, vlan_base=0, allow_log=["TAP|tap|AFPACKET|up0"]) as r:
        one, two = r.guests
        ns, near = r.uplink.ns, r.uplink.near
        r.introduce_uplink(STRANGER)
        with Flood(one) as flood:
            for mtu in (1400, 1504):
                ns.ip("link", "set", near, "down")
                link_is(r, "down")
                ns.ip("link", "set", near, "mtu", mtu)
                back_up(r, near)
                wait_for(lambda: r.uplink.port.receive() is not None, what="frames after the link came up")
            for mtu in (1450, 1503):
                ns.ip("link", "set", near, "mtu", mtu)  # while it is up
                if kind != TAP:
                    r.switch.wait_output(rf"port 0: takes frames with {mtu} bytes of payload at most now")
                r.uplink.port.pending()
                assert r.uplink.port.receive() is not None, "no frames after the MTU changed"
            ns.ip("link", "set", near, "down")
            ns.ip("link", "set", near, "name", "other0")
            r.switch.wait_output(r"port 0: its interface up0 is other0 now")
            if kind == TAP:
                r.uplink.far = "other0"
            back_up(r, "other0")
            wait_for(lambda: r.uplink.port.receive() is not None, what="frames by another name")
            transfer(two.port, [one.port], [frame(one.mac, two.mac, seq) for seq in range(100)])
            ns.ip("link", "delete", "other0")
            r.switch.wait_output(r"port 0: its interface other0 is gone")
            link_is(r, "down (interface removed)")
            again = (r"port 0: there is an interface other0 again, which is not the one that was removed: "
                     r"start the switch")
            ns.veth("other0", "peer0")  # as when a container's network is set up again
            r.switch.wait_output(again)
            ns.ip("link", "set", "other0", "mtu", 1400)  # no news
            lost = link_is(r, "down (interface removed)")[0].reasons["link_down"]
            r.switch.wait_table(lambda t: t[0].reasons["link_down"] > lost + 10)
            assert len(re.findall(again, r.switch.stderr)) == 1
            transfer(two.port, [one.port], [frame(one.mac, two.mac, seq) for seq in range(100)])
        sent = flood.sent
        table = r.switch.wait_table(lambda t: t[0].received >= sent)
        assert set(table[0].reasons) <= {"link_down", "uplink_full"}
