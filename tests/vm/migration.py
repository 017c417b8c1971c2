# SPDX-License-Identifier: BSD-3-Clause
"""A guest that moves from one QEMU to the next, and everything that is on the wire meanwhile.

The host behind the uplink is not an IP stack but a thread with a raw socket: no frame is there
that is not accounted for. It sends numbered echo requests; the guest answers, and may send
numbered requests of its own, which are never answered.
"""

import itertools
import struct
import threading
import time

from lib.wait import DEADLINE, wait_for
from vm.guest import Guest, Nic
from vm.host import checksum

HOST, GUEST = "10.1.0.254", "10.1.0.1"
HOST_MAC, GUEST_MAC = "02:fe:00:00:00:01", "52:54:00:00:00:01"
INTERVAL = 0.005
# Unanswered for so long, further ones are sent slowly: the guest's ring (1024) never runs full.
PATIENCE = 500
SLOWLY = 0.05
IPV4, ARP, RARP = b"\x08\x00", b"\x08\x06", b"\x80\x35"
REQUEST, REPLY = 8, 0


def mac_bytes(mac):
    return bytes.fromhex(mac.replace(":", ""))


def ip_bytes(address):
    return bytes(int(part) for part in address.split("."))


def echo_request(number):
    body = struct.pack("!HHI", 0xBEEF, number & 0xFFFF, number) + bytes(range(256)) * 2
    icmp = struct.pack("!BBH", REQUEST, 0, checksum(struct.pack("!BBH", REQUEST, 0, 0) + body)) + body
    head = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(icmp), 0, 0, 64, 1, 0, ip_bytes(HOST), ip_bytes(GUEST))
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return mac_bytes(GUEST_MAC) + mac_bytes(HOST_MAC) + IPV4 + head + icmp


class Wire(threading.Thread):
    """Sends requests until finish(); notes all that comes. `port`: the wire's end. Times are monotonic."""

    def __init__(self, port):
        super().__init__(daemon=True)
        self.port = port
        self.sent = []      # when request i was sent
        self.replies = []   # numbers, as they came
        self.requests = []  # (identity, number) of the guest's own, as they came
        self.heard = []     # when each frame came
        self.announced = []  # (when, ARP or RARP) of those with which the guest told where it is
        self.strange = []
        self.problem = None
        self.enough = threading.Event()

    def meet(self):
        """Before start(): waits until the guest answers."""
        request = echo_request(0)
        wait_for(lambda: self.port.send(request) or self.port.receive(1), DEADLINE, "answer of the guest")
        while self.port.receive(1):
            pass

    def run(self):
        try:
            due = time.monotonic()
            while not self.enough.is_set():
                if time.monotonic() >= due:
                    self.sent.append(time.monotonic())
                    self.port.send(echo_request(len(self.sent) - 1))
                    late = len(self.sent) - 1 - (self.replies[-1] if self.replies else -1)
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
        elif kind == IPV4 and data[23] == 1 and data[34] in (REQUEST, REPLY):
            identity, number = struct.unpack_from("!HH", data, 38)
            if data[34] == REQUEST:
                self.requests.append((identity, number))
            else:
                self.replies.append(struct.unpack_from("!I", data, 42)[0])
        else:
            self.strange.append(data)

    def wait_answer(self):
        """Waits until a request is answered that is sent from now on."""
        number = len(self.sent)
        wait_for(lambda: self.problem or (self.replies and self.replies[-1] >= number), DEADLINE,
                 lambda: f"answer to request {number}, the last one is to {self.replies[-1:]}")
        if self.problem:
            raise self.problem

    def lost(self, first, end):
        """Those of the requests first to end - 1 that were not answered (when later ones are)."""
        return sorted(set(range(first, end)) - set(self.replies))

    def finish(self):
        """Sends no more; asserts that nothing came twice, out of order, or that nobody expects."""
        self.enough.set()
        self.join()
        wait_for(lambda: self._receive(0.1) or self.replies[-1] == len(self.sent) - 1, DEADLINE,
                 "answer to the last request")
        if self.problem:
            raise self.problem
        assert not self.strange, [data.hex() for data in self.strange[:5]]
        assert self.replies == sorted(set(self.replies)), "answers doubled or out of order"
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
        """Moves the guest. The QEMU that it left stays, and stays connected, until leave(). Returns when it ran there."""
        self.left, there = self.guest, self._start("-incoming", "defer")
        self.left.migrate(there, self.box.path("migration"))
        self.guest = there
        return time.monotonic()

    def leave(self):
        self.left.qmp("quit")
        self.left.wait()

    def received_requests(self):
        """Echo requests that the guest's kernel has taken in, and replies that it has sent."""
        lines = [line.split()[1:] for line in self.guest.run("grep ^Icmp: /proc/net/snmp").splitlines()]
        counts = dict(zip(*lines))
        return int(counts["InEchos"]), int(counts["OutEchoReps"])
