# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""QEMU with nothing but the boot ROM of its network card (iPXE) as guest, and what that boots from.

    with Server(uplink, 1) as server, BootRom(switch, 0, "/dev/usvhost") as guest:
        server.wait_blocks([guest], deadline)

A ROM asks for its address by DHCP, and loads a file by TFTP: the server's has no end, so that frames go
both ways for as long as the guest lives. The card's back end is a vhost-net node, whose open file
QEMU is given, as qemu-wrap.py does it.
"""

import os
import select
import socket
import struct
import threading

from lib.proc import Process
from lib.wait import wait_for
from vm.host import ADDRESS, Host

VLAN_BASE = 1000  # the switch's default
MEMORY = "128M"
BLOCKS = 50  # of TFTP, to be sure that it goes on
_BLOCK = 512
_SO_BINDTODEVICE = 25
_DATA_PORT = 6969
_COOKIE = b"\x63\x82\x53\x63"
_RRQ, _DATA, _ACK = 1, 3, 4


class BootRom(Process):
    """`device`: the number that the switch has for it, the next one. `share`: a folder for its memory; None: memfd."""

    def __init__(self, switch, device, node, share=None):
        self.address = _address(device)
        self.console = switch.box.path(f"console{device}")
        kind = f"memory-backend-file,mem-path={share}" if share else "memory-backend-memfd"
        super().__init__(
            ["sh", "-c", 'exec "$0" "$@" 3<>' + node,
             "qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-accel", "tcg",
             "-machine", "q35,memory-backend=mem,graphics=off", "-m", MEMORY, "-serial", f"file:{self.console}",
             "-boot", "reboot-timeout=1",  # on a busy machine the ROM may have given up
             "-object", f"{kind},id=mem,size={MEMORY},share=on",
             "-netdev", "tap,id=n0,script=no,downscript=no,vhost=on,vhostforce=on,vhostfd=3",
             "-device", f"virtio-net-pci,netdev=n0,mac=52:54:00:00:00:{device:02x},bootindex=0"],
            name=f"guest {device}")
        try:
            switch.wait_output(f"device {device} connected")
        except BaseException:
            self.end()
            raise

    def tail(self, lines=25):
        with open(self.console, encoding="ascii", errors="replace") as f:
            return super().tail(lines) + f"\n--- {self.name}: console\n{f.read()[-2000:]}"


def _address(device):
    return f"10.1.0.{1 + device}"


def _answer(request, address):
    """What a DHCP server says to a request (RFC 2131, 2132); None if it is not for us."""
    options, at = {}, 240
    while at + 1 < len(request) and request[at] != 255:
        if request[at] == 0:
            at += 1
            continue
        options[request[at]] = request[at + 2:at + 2 + request[at + 1]]
        at += 2 + request[at + 1]
    reply = {b"\1": b"\2", b"\3": b"\5"}.get(options.get(53))  # discover: offer; request: ack
    if request[0] != 1 or request[236:240] != _COOKIE or reply is None:
        return None
    mine = socket.inet_aton(ADDRESS)
    head = b"\2" + request[1:8] + bytes(4) + request[12:16] + socket.inet_aton(address) + mine + bytes(4)
    head += request[28:44] + bytes(64) + b"endless".ljust(128, b"\0")
    fields = {53: reply, 54: mine, 51: struct.pack("!I", 3600), 1: b"\xff\xff\xff\0"}
    return head + _COOKIE + b"".join(bytes([key, len(value)]) + value for key, value in fields.items()) + b"\xff"


class Server(threading.Thread):
    """DHCP and TFTP on the host beyond the uplink, for that many guests."""

    def __init__(self, uplink, guests):
        super().__init__(daemon=True)
        self.host = Host(uplink, VLAN_BASE, 1500)
        self.blocks = {}  # address: blocks that the guest has acknowledged
        self.problem = None
        self.wake, self.woken = os.pipe()
        self.dhcp = {}  # socket: address of the guest that it serves
        for device in range(guests):
            address = _address(device)
            self.host.meet(address, VLAN_BASE + device)
            self.dhcp[self._socket(67, self.host.ways[address])] = address
        self.requests, self.data = (self._socket(port) for port in (69, _DATA_PORT))

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exception):
        os.write(self.woken, b"e")
        self.join()
        for fd in (self.wake, self.woken):
            os.close(fd)
        for s in (self.requests, self.data, *self.dhcp):
            s.close()
        self.host.close()
        if self.problem and exception[0] is None:
            raise self.problem

    def _socket(self, port, interface=None):
        def make():
            s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            if interface:
                s.setsockopt(socket.SOL_SOCKET, _SO_BINDTODEVICE, interface.encode())
                s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            s.bind(("", port))
            return s
        return self.host.ns.inside(make)

    def wait_blocks(self, guests, deadline):
        """Waits until each guest has loaded some more."""
        due = {guest: self.blocks.get(guest.address, 0) + BLOCKS for guest in guests}

        def look():
            assert all(guest.running() for guest in guests) and not self.problem, self.problem
            return all(self.blocks.get(guest.address, 0) >= n for guest, n in due.items())
        wait_for(look, deadline, lambda: f"guests load: {self.blocks}\n" + "\n".join(g.tail() for g in guests))

    def run(self):
        try:
            self._serve()
        except Exception as problem:  # shown by the main thread
            self.problem = problem

    def _serve(self):
        while True:
            ready, _, _ = select.select([self.wake, self.requests, self.data, *self.dhcp], [], [])
            if self.wake in ready:
                return
            for s in ready:
                packet, source = s.recvfrom(2048)
                if s in self.dhcp:
                    answer = _answer(packet, self.dhcp[s])
                    if answer:
                        s.sendto(answer, ("255.255.255.255", 68))
                else:
                    self._load(packet, source)

    def _load(self, packet, source):
        """TFTP (RFC 1350), no option taken: each block that is acknowledged is followed by the next."""
        kind, number = struct.unpack_from("!HH", packet)
        if kind == _ACK:
            self.blocks[source[0]] = self.blocks.get(source[0], 0) + 1
        elif kind == _RRQ:
            number = 0
        else:
            return
        self.data.sendto(struct.pack("!HH", _DATA, (number + 1) & 0xFFFF) + bytes(_BLOCK), source)
