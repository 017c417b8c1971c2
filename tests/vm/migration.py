# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A guest that moves from one QEMU to the next, and everything that is on the wire meanwhile.

The host beyond the uplink is not an IP stack but a thread with a raw socket: no frame is there
that is not accounted for. It sends numbered datagrams; the guest forwards them, back to that host, and may
send numbered echo requests of its own, which are never answered.

The guest is a router, as it loses nothing then: what comes all at once when it stood still for a moment waits in
its queue, and goes out as it came in, so that a byte which was not copied with the guest shows. Answers of its own
(echo replies) are made in the buffer of a socket, and none is made while a hundred are under way.
"""

import itertools
import struct
import threading
import time

from lib.wait import DEADLINE, wait_for
from vm.guest import Guest, Nic
from vm.host import checksum

HOST, GUEST = "10.1.0.254", "10.1.0.1"
BEYOND = "10.1.0.253"  # where the guest forwards to; at the host's address
HOST_MAC, GUEST_MAC = "02:fe:00:00:00:01", "52:54:00:00:00:01"
INTERVAL = 0.005
# With so many unanswered, further ones are sent slowly: neither the tap's queue (500) nor the guest's ring (1024)
# runs full.
PATIENCE = 300
SLOWLY = 0.05
IPV4, ARP, RARP = b"\x08\x00", b"\x08\x06", b"\x80\x35"
ICMP, UDP = 1, 17
ECHO_REQUEST = 8
TTL = 64
_PATTERN = bytes(range(256)) * 3


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def ip_bytes(address):
    return bytes(int(part) for part in address.split("."))


def datagram(number, returned=False):
    """As it is sent, or as a router returns it."""
    start = number % 256
    body = struct.pack("!HHHHI", 1, 1, 12 + 512, 0, number) + _PATTERN[start:start + 512]
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(body), 0, 0, TTL - returned, UDP, 0,
                       ip_bytes(HOST), ip_bytes(BEYOND))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    ends = [mac_bytes(GUEST_MAC), mac_bytes(HOST_MAC)]
    return b"".join(reversed(ends) if returned else ends) + IPV4 + head + body


def number_of(data):
    return int.from_bytes(data[42:46], "big")


class Wire(threading.Thread):
    """Sends datagrams until finish(); notes all that comes. `port`: the wire's end. Times are monotonic."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.sent = []      # when datagram i was sent
        self.returned = []  # numbers, as they came
        self.requests = []  # (identity, number) of the guest's own, as they came
        self.heard = []     # when each frame came
        self.announced = []  # (when, ARP or RARP) of those with which the guest told where it is
        self.strange = []
        self.problem = None
        self.enough = threading.Event()

    def meet(self):
        """Before start(): waits until the guest returns one."""
        wait_for(lambda: self.port.send(datagram(0)) or self.port.receive(1), DEADLINE, "a frame of the guest")
        while self.port.receive(1):
            pass

    def run(self):
        try:
            due = time.monotonic()
            while not self.enough.is_set():
                if time.monotonic() >= due:
                    self.sent.append(time.monotonic())
                    self.port.send(datagram(len(self.sent) - 1))
                    late = len(self.sent) - 1 - (self.returned[-1] if self.returned else -1)
                    due = time.monotonic() + (INTERVAL if late < PATIENCE else SLOWLY)
                self._receive(due - time.monotonic())
        except BaseException as problem:  # shown by the main thread
            self.problem = problem

    def _receive(self, seconds):
        data = self.port.receive(max(0, seconds))
        if data is None:
            return
        self.heard.append(time.monotonic())
        kind = data[12:14]
        if data[6:12] != mac_bytes(GUEST_MAC):
            self.strange.append(data)
        elif kind == RARP or kind == ARP and data[28:32] == data[38:42]:
            self.announced.append((self.heard[-1], kind))
        elif kind == IPV4 and data[23] == ICMP and data[34] == ECHO_REQUEST:
            self.requests.append(struct.unpack_from("!HH", data, 38))
        elif kind == IPV4 and data == datagram(number_of(data), returned=True):
            self.returned.append(number_of(data))
        else:
            self.strange.append(data)

    def wait_return(self):
        """Waits until a datagram comes back that is sent from now on."""
        number = len(self.sent)
        wait_for(lambda: self.problem or (self.returned and self.returned[-1] >= number), DEADLINE,
                 lambda: f"return of datagram {number}, the last one is {self.returned[-1:]}")
        if self.problem:
            raise self.problem

    def lost(self, first, end):
        """Those of the datagrams first to end - 1 that did not come back, while later ones did."""
        return sorted(set(range(first, end)) - set(self.returned))

    def finish(self):
        """Sends no more; asserts that nothing came twice, out of order, or that nobody expects."""
        self.enough.set()
        self.join()
        wait_for(lambda: self._receive(0.1) or self.returned[-1] == len(self.sent) - 1, DEADLINE,
                 "return of the last datagram")
        if self.problem:
            raise self.problem
        assert not self.strange, [data.hex() for data in self.strange[:5]]
        assert self.returned == sorted(set(self.returned)), "datagrams doubled or out of order"
        # ping begins at 0 under another identity if the guest's kernel once refuses a frame.
        for _, some in itertools.groupby(self.requests, lambda request: request[0]):
            numbers = [number for _, number in some]
            start = next((i for i in range(1, len(numbers))
                          if numbers[i] != (numbers[i - 1] + 1) & 0xFFFF), None)
            assert start is None, f"requests of the guest: {numbers[start - 2:start + 3]}, at {start}"


class Migrant:
    """The guest, in one QEMU after the other; `sockets` take turns."""

    def __init__(self, box, image, stack, sockets, options):
        self.box = box
        self.image = image
        self.stack = stack  # ends the QEMUs
        self.sockets = itertools.cycle(sockets)
        self.options = options
        self.number = itertools.count()
        self.guest = self._start()

    def _start(self, *arguments):
        nic = Nic(GUEST_MAC, next(self.sockets), options=self.options)
        name = f"m{next(self.number)}"
        return self.stack.enter_context(
            Guest(self.box, name, self.image, nic, address=GUEST, arguments=arguments))

    def hop(self):
        """Moves the guest. The QEMU that it left stays, and stays connected, until leave(). Returns when it runs."""
        self.left, there = self.guest, self._start("-incoming", "defer")
        self.left.migrate(there, self.box.path("migration"))
        self.guest = there
        return time.monotonic()

    def leave(self):
        self.left.qmp("quit")
        self.left.wait()

    def become_router(self):
        """When it is up: returns what comes for BEYOND, and is silent otherwise."""
        self.guest.run(f"arp -s {HOST} {HOST_MAC} && arp -s {BEYOND} {HOST_MAC} && cd /proc/sys/net/ipv4 && "
                       "echo 0 | tee conf/all/send_redirects > conf/eth0/send_redirects && echo 1 > ip_forward")

    def forwarded(self):
        """Datagrams that the guest's kernel has forwarded."""
        names, values = [line.split()[1:] for line in self.guest.run("grep ^Ip: /proc/net/snmp").splitlines()]
        return int(dict(zip(names, values))["ForwDatagrams"])
