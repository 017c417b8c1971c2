# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The host beyond the uplink: an IP stack in the uplink's namespace, one address on all VLANs.

Host.meet() makes a guest reachable. With VLAN tags each tag has a tap, and a thread carries
frames between the taps (untagged) and the wire (tagged): what VLAN interfaces would do, on
kernels without them too. Pinger sends to a guest all the time and accounts for each reply.
"""

import collections
import errno
import fcntl
import os
import select
import socket
import struct
import threading
import time

from lib.frames import Port, tagged, untagged
from lib.wait import DEADLINE, wait_for

ADDRESS = "10.1.0.254"

_TUNSETIFF = 0x400454CA
_IFF_TAP, _IFF_NO_PI = 0x0002, 0x1000
_LARGEST = 16384
# A tap that nobody reads holds this many frames: a second of any traffic here.
_TAP_QUEUE = 10000
_SOL_RAW, _ICMP_FILTER = 255, 1
_SO_RCVBUFFORCE = 33
_RECEIVE_BUFFER = 16 << 20


class _Carrier(threading.Thread):
    """Frames between the wire and the taps. `taps` ({tag: file descriptor}) grows while it runs."""

    def __init__(self, wire):
        super().__init__(daemon=True)
        self.wire = wire
        self.taps = {}
        self.problem = None
        self.wake, self.woken = os.pipe()
        self.start()

    def run(self):
        try:
            self._carry()
        except OSError as problem:
            if problem.errno not in (errno.ENETDOWN, errno.ENXIO):  # the switch is gone, and its tap
                self.problem = problem

    def _carry(self):
        while True:
            taps = dict(self.taps)
            ready, _, _ = select.select([self.wake, self.wire, *taps.values()], [], [])
            if self.wake in ready and os.read(self.wake, 1) == b"e":
                return
            if self.wire in ready:
                self._from_wire(taps)
            for tag, tap in taps.items():
                if tap in ready:
                    self.wire.send(tagged(os.read(tap, _LARGEST), tag))

    def _from_wire(self, taps):
        while (data := self.wire.receive(0)) is not None:
            ethertype, tag = struct.unpack_from("!HH", data, 12)
            tap = taps.get(tag & 0xFFF) if ethertype == 0x8100 else None
            if tap is not None:
                os.write(tap, untagged(data))

    def add(self, tag, tap):
        self.taps[tag] = tap
        os.write(self.woken, b"n")

    def end(self):
        os.write(self.woken, b"e")
        self.join()
        for fd in (self.wake, self.woken, *self.taps.values()):
            os.close(fd)
        if self.problem:
            raise self.problem


class Host:
    """`uplink`: opened. `vlan_base` 0: untagged."""

    def __init__(self, uplink, vlan_base, mtu):
        self.ns = uplink.ns
        self.mtu = mtu
        self.ways = {}  # guest's address: interface
        self.carrier = None
        self.wire = uplink.far
        if vlan_base:
            self.carrier = _Carrier(uplink.port)
        else:
            self.ns.ip("link", "set", self.wire, "mtu", mtu)
            self.ns.ip("address", "add", f"{ADDRESS}/32", "dev", self.wire)

    def close(self):
        if self.carrier:
            self.carrier.end()

    def meet(self, address, tag):
        """Makes the guest with this address reachable, with its device's tag."""
        name = self._tap(tag) if self.carrier else self.wire
        self.ns.ip("route", "replace", f"{address}/32", "dev", name, "src", ADDRESS)
        self.ways[address] = name

    def pin(self, address, mac):
        """Enters this guest's address for good: it is not asked for again."""
        self.ns.ip("neigh", "replace", address, "lladdr", mac, "nud", "permanent", "dev", self.ways[address])

    def _tap(self, tag):
        name = f"vlan{tag}"
        if tag not in self.carrier.taps:
            def make():
                tap = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
                fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH14x", name.encode(), _IFF_TAP | _IFF_NO_PI))
                return tap
            tap = self.ns.inside(make)
            self.ns.ip("link", "set", name, "txqueuelen", _TAP_QUEUE)
            self.ns.up(name, self.mtu, f"{ADDRESS}/32")
            self.carrier.add(tag, tap)  # only now: a tap that is down takes no frame
        return name

    def reaches(self, address):
        """Returns true if one echo comes back within a second."""
        return self.ns.run("ping", "-q", "-c", 1, "-W", 1, address, check=False)[0] == 0

    def echo(self, address, size, count):
        """Asserts that `count` echoes of that size come back, each once."""
        pinger = Pinger(self, address, size)
        try:
            wait_for(lambda: len(pinger.got) >= count, what=f"echoes of {address}")
        finally:
            pinger.finish()


class Mirror(threading.Thread):
    """Sends back what guests send to groups, as a loop of cables or a wireless access point does; during its block."""

    def __init__(self, host):
        super().__init__(daemon=True)
        self.port = Port(host.ns, host.wire)
        self.returned = []
        self.enough = threading.Event()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        self.enough.set()
        self.join()
        self.port.close()

    def run(self):
        while not self.enough.is_set():
            data = self.port.receive(0.05)
            if data and data[0] & 1:
                self.port.send(data)
                self.returned.append(data)


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    total = (total >> 16) + (total & 0xFFFF)
    return ~(total + (total >> 16)) & 0xFFFF


class Pinger(threading.Thread):
    """Echo requests to a guest at a steady rate, until finish(); every reply is accounted for.

    No more than WINDOW are on their way, so that a guest whose emulated processor stands still for long has
    room for them all in its ring, and a loss is the switch's. Of large ones there are fewer: a guest that answers
    them all at once drops those replies for which its ICMP socket has no memory (OutErrors in /proc/net/snmp).
    """

    INTERVAL = 0.005
    WINDOW = 64
    SOCKET = 128 << 10  # Linux's ICMP socket may send this many bytes at once ...
    BUFFER = 1024  # ... of which a reply takes up to twice its size, and this
    REPLIES_ONLY = struct.pack("I", ~1 & 0xFFFFFFFF)  # ICMP_FILTER: all but type 0 are kept away

    def __init__(self, host, address, size=512):
        """`size`: bytes after the ICMP header, even."""
        super().__init__(daemon=True)
        self.address = address
        self.body = (bytes(range(256)) * (size // 256 + 1))[:max(0, size - 4)]  # after the number
        self.identity = os.getpid() & 0xFFFF
        self.window = min(self.WINDOW, self.SOCKET // (2 * size + self.BUFFER))
        self.sent = 0
        self.got = []
        self.wrong = None
        self.problem = None
        self.enough = threading.Event()
        self.socket = host.ns.inside(self._socket)
        self.start()

    def _socket(self):
        s = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        s.setsockopt(_SOL_RAW, _ICMP_FILTER, self.REPLIES_ONLY)
        s.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        s.connect((self.address, 0))
        return s

    def run(self):
        try:
            self._stream()
        except BaseException as problem:  # shown by the main thread
            self.problem = problem

    def _stream(self):
        due = time.monotonic()
        while not self.enough.is_set():
            now = time.monotonic()
            if now >= due:
                if not self.full():
                    self._send()
                due = now + self.INTERVAL
            self._receive(due - time.monotonic())
        end = time.monotonic() + DEADLINE  # what may be lost is waited for as long
        while len(set(self.got)) < self.sent and time.monotonic() < end:
            self._receive(0.1)

    def full(self):
        """Returns true if as many are on their way as may be."""
        return self.sent - len(self.got) >= self.window

    def _send(self):
        head = struct.pack("!BBHHHI", 8, 0, 0, self.identity, self.sent & 0xFFFF, self.sent)
        total = checksum(head + self.body)
        self.socket.send(head[:2] + struct.pack("!H", total) + head[4:] + self.body)
        self.sent += 1

    def _receive(self, seconds):
        if not select.select([self.socket], [], [], max(0, seconds))[0]:
            return
        data = self.socket.recv(_LARGEST)
        data = data[(data[0] & 15) * 4:]
        identity, _, number = struct.unpack_from("!HHI", data, 4)
        if identity != self.identity:
            return
        if data[12:] != self.body:
            self.wrong = number
        self.got.append(number)

    def finish(self, ordered=True, may_lose=0):
        """Sends no more, waits for the last replies, asserts that each came once, in order, unchanged."""
        self.enough.set()
        self.join()
        self.socket.close()
        if self.problem:
            raise self.problem
        lost = sorted(set(range(self.sent)) - set(self.got))
        assert len(lost) <= may_lose, f"{self.address}: {len(lost)} of {self.sent} echoes lost: {lost[:20]}"
        again = [number for number, count in collections.Counter(self.got).items() if count > 1]
        assert not again, f"{self.address}: echoes came more than once: {again[:20]}"
        late = [(place, number) for place, number in enumerate(self.got[1:], 1) if number < self.got[place - 1]]
        assert not ordered or not late, f"{self.address}: echoes out of order, as (place, number): {late[:20]}"
        assert self.wrong is None, f"{self.address}: echo {self.wrong} came back changed"
