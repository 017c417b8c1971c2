# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Frames with sequence numbers and patterns, and raw sockets that send and receive them.

A frame is bytes, from the destination address to the end of the payload, a VLAN tag in its
place (the kernel hands a received tag over beside the frame; Port puts it back).
"""

import collections
import functools
import select
import socket
import struct
import time

from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Dot1Q, Ether

from lib.wait import DEADLINE

ETHERTYPE = 0x88b5  # reserved for local experiments: no kernel answers it
MINIMUM = 60
JUMBO = 9000  # largest payload
HEADER = 14
BROADCAST = "ff:ff:ff:ff:ff:ff"
MULTICAST = "01:00:5e:00:00:fb"

_MAGIC = b"vsw!"
_PATTERN = bytes((i * 7 + i // 256) % 251 for i in range(16384))

_SOL_PACKET = 263
_PACKET_AUXDATA = 8
_PACKET_IGNORE_OUTGOING = 23
_AUXDATA = struct.Struct("=IIIHHHH")
_VLAN_VALID = 1 << 4
_VLAN_TPID_VALID = 1 << 6
_SO_RCVBUFFORCE = 33
_ETH_P_ALL = 3
_RECEIVE_BUFFER = 64 << 20
_LARGEST = 16384
WINDOW = 64  # frames under way at once: under the queue length of a tap and half a ring of 128


@functools.lru_cache(maxsize=None)
def header(dst, src, *tags):
    layers = Ether(dst=dst, src=src, type=0x8100 if tags else ETHERTYPE)
    for i, tag in enumerate(tags):
        layers = layers / Dot1Q(vlan=tag, type=0x8100 if i + 1 < len(tags) else ETHERTYPE)
    return bytes(layers)


def frame(dst, src, seq=0, size=MINIMUM, tags=()):
    """A frame of `size` bytes, tags not counted."""
    body = _MAGIC + struct.pack("!II", seq, size)
    fill = size - HEADER - len(body)
    start = seq % 1000
    return header(dst, src, *tags) + body + _PATTERN[start:start + fill]


@functools.lru_cache(maxsize=None)
def _flow_header(dst, src, flow, size):
    return bytes(Ether(dst=dst, src=src) / IP(src="10.0.0.1", dst="10.0.0.2", len=size - HEADER) /
                 UDP(sport=10000 + flow, dport=9, len=size - HEADER - 20, chksum=0))


# Flows from here on go the other way: a tap sends a flow by the queue that the same flow came by, until
# the kernel forgets that in the midst of it, and its order is lost before the switch sees it.
BACK = 1000


def flow_frame(dst, src, flow, seq=0, size=MINIMUM):
    """A UDP datagram of one of many flows, with a number of its own."""
    body = _MAGIC + struct.pack("!II", seq, flow)
    start = seq % 1000
    header_bytes = _flow_header(dst, src, flow, size)
    return header_bytes + body + _PATTERN[start:start + size - len(header_bytes) - len(body)]


def flow_of(data):
    """(flow, sequence number) of what flow_frame() made; None for anything else."""
    return struct.unpack_from("!II", data, 46)[::-1] if data[42:46] == _MAGIC else None


def tagged(data, tag):
    """The frame with one more tag, outermost."""
    return data[:12] + struct.pack("!HH", 0x8100, tag) + data[12:]


def untagged(data):
    """The frame without its outermost tag."""
    assert data[12:14] == b"\x81\x00", describe(data)
    return data[:12] + data[16:]


def sequence(data):
    """The sequence number of a frame of ours, None for others."""
    at = data.find(_MAGIC, HEADER, HEADER + 16)
    return None if at < 0 else struct.unpack_from("!I", data, at + 4)[0]


def describe(data):
    mac = [":".join(f"{b:02x}" for b in data[i:i + 6]) for i in (0, 6)]
    tags, at = [], 12
    while data[at:at + 2] == b"\x81\x00":
        tags.append(struct.unpack_from("!H", data, at + 2)[0])
        at += 4
    return f"{mac[1]} > {mac[0]} tags {tags} seq {sequence(data)} {len(data)} bytes"


def sizes(largest=1514):
    """Lengths worth trying: the smallest, the edges of a power of two and of a buffer, the largest."""
    some = {60, 61, 63, 64, 65, 127, 128, 129, 255, 256, 511, 512, 1023, 1024, 1280, 1500, 1513, 1514,
            1515, 2034, 2035, 2036, 2047, 2048, 2049, 4083, 4096, 4097, 6143, 8192, 9000, 9013, 9014}
    return sorted(size for size in some if size <= largest)


class Port:
    """A raw socket on an interface in a namespace; `sender`: another interface to send through."""

    def __init__(self, ns, interface, sender=None):
        self.name = interface

        def receiving():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
            s.setsockopt(_SOL_PACKET, _PACKET_AUXDATA, 1)
            s.setsockopt(_SOL_PACKET, _PACKET_IGNORE_OUTGOING, 1)
            s.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
            s.bind((interface, _ETH_P_ALL))
            return s

        def sending():
            s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, 0)
            s.bind((sender, 0))
            return s

        self.socket = ns.inside(receiving)
        self.sender = ns.inside(sending) if sender else self.socket

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        self.socket.close()
        self.sender.close()

    def fileno(self):
        return self.socket.fileno()

    def send(self, data):
        end = time.monotonic() + DEADLINE
        while True:
            try:
                self.sender.send(data)
                return
            except BlockingIOError:
                assert time.monotonic() < end, f"{self.name} takes no frame"
                select.select([], [self.sender], [], 0.1)

    def receive(self, deadline=DEADLINE):
        """The next frame; None if the deadline passed without one."""
        end = time.monotonic() + deadline
        while True:
            try:
                data, aux, _, _ = self.socket.recvmsg(_LARGEST, 64)
                return _with_tag(data, aux)
            except BlockingIOError:
                left = end - time.monotonic()
                if left <= 0:
                    return None
                select.select([self.socket], [], [], left)

    def pending(self):
        """All that is here now, without waiting."""
        got = []
        while (data := self.receive(0)) is not None:
            got.append(data)
        return got

    def until(self, last, deadline=DEADLINE):
        """All frames up to the frame `last`, without that one."""
        got = []
        end = time.monotonic() + deadline
        while True:
            data = self.receive(max(0, end - time.monotonic()))
            assert data is not None, (
                f"{self.name}: never came: {describe(last)}; came: {[describe(d) for d in got[:20]]}")
            if data == last:
                return got
            got.append(data)


def _with_tag(data, ancillary):
    for level, kind, payload in ancillary:
        if level == _SOL_PACKET and kind == _PACKET_AUXDATA and len(payload) >= _AUXDATA.size:
            status, _, _, _, _, tci, tpid = _AUXDATA.unpack_from(payload)
            if status & _VLAN_VALID:
                if not status & _VLAN_TPID_VALID:
                    tpid = 0x8100
                return data[:12] + struct.pack("!HH", tpid, tci) + data[12:]
    return data


def transfer(source, sinks, data, expected=None, deadline=DEADLINE, window=WINDOW, strangers=False):
    """Sends the frames and asserts that each sink gets exactly these (or `expected`), in order, unchanged.

    No more than `window` frames are under way, so that no queue of the kernel runs over.
    `strangers`: frames that are not ours may come between.
    """
    expected = data if expected is None else expected
    sinks = list(sinks)
    assert len(expected) == len(data)
    got = [0] * len(sinks)
    sent = 0
    end = time.monotonic() + deadline
    while min(got) < len(data):
        while sent < len(data) and sent < min(got) + window:
            source.send(data[sent])
            sent += 1
        ready, _, _ = select.select(sinks, [], [], max(0, end - time.monotonic()))
        assert ready, (f"{sent} of {len(data)} sent by {source.name}; "
                       f"arrived {dict(zip([s.name for s in sinks], got))}, then nothing in {deadline:.0f} s")
        for sink in ready:
            i = sinks.index(sink)
            while (frame_in := sink.receive(0)) is not None:
                if strangers and sequence(frame_in) is None:
                    continue
                assert got[i] < sent, f"{sink.name}: one too many: {describe(frame_in)}"
                _same(frame_in, expected[got[i]], sink.name)
                got[i] += 1


def transfer_flows(source, sink, data, deadline=DEADLINE, window=WINDOW):
    """Sends frames of flows and asserts that all arrive, unchanged and in order within each flow."""
    due = collections.defaultdict(collections.deque)
    sent = got = 0
    end = time.monotonic() + deadline
    while got < len(data):
        while sent < len(data) and sent < got + window:
            due[flow_of(data[sent])[0]].append(data[sent])
            source.send(data[sent])
            sent += 1
        ready, _, _ = select.select([sink], [], [], max(0, end - time.monotonic()))
        assert ready, f"{sent} of {len(data)} sent by {source.name}; {got} arrived, then nothing in {deadline:.0f} s"
        while (frame_in := sink.receive(0)) is not None:
            flow = flow_of(frame_in)
            assert flow and due[flow[0]], f"{sink.name}: one too many: {describe(frame_in)}"
            _same(frame_in, due[flow[0]].popleft(), f"{sink.name}, flow {flow[0]}")
            got += 1


def _same(got, due, where):
    if got == due:
        return
    at = next((i for i, (a, b) in enumerate(zip(got, due)) if a != b), min(len(got), len(due)))
    raise AssertionError(f"{where}: got {describe(got)}, due {describe(due)}; they differ from byte {at}")
