# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""What a front end is offered, and how it is answered: features, MTU, the log of written pages."""

import os
import socket
import struct

import pytest

from lib.switch import Switch
from lib.wait import wait_for

GET_FEATURES, SET_FEATURES, SET_OWNER, SET_LOG_BASE = 1, 2, 3, 6
GET_PROTOCOL_FEATURES, SET_PROTOCOL_FEATURES, SEND_RARP, NET_SET_MTU = 15, 16, 19, 20
VERSION, NEED_REPLY = 1, 8
MTU, GUEST_ANNOUNCE, LOG_ALL, PROTOCOL_FEATURES, IOMMU_PLATFORM = 3, 21, 26, 30, 33
LOG_SHMFD, RARP, REPLY_ACK, NET_MTU = 1, 2, 3, 4
# librte_vhost's own words on a message that was refused.
REFUSED = ["VHOST_CONFIG: .*(processing|invalid|handling|validation|log|peer|read message)"]


class FrontEnd:
    """A connection on which features were agreed, all that are offered."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        self.socket.connect(path)
        self.features = self.ask(GET_FEATURES)
        self.protocol = self.ask(GET_PROTOCOL_FEATURES)
        self.send(SET_PROTOCOL_FEATURES, struct.pack("=Q", self.protocol))
        self.send(SET_OWNER)
        assert self.acknowledged(SET_FEATURES, self.features)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def send(self, request, payload=b"", flags=VERSION, descriptors=()):
        message = struct.pack("=III", request, flags, len(payload)) + payload
        socket.send_fds(self.socket, [message], descriptors)

    def ask(self, request, payload=b"", flags=VERSION, descriptors=()):
        self.send(request, payload, flags, descriptors)
        answer = self.socket.recv(12 + 8, socket.MSG_WAITALL)
        assert len(answer) == 20, "the connection is over"
        return struct.unpack_from("=Q", answer, 12)[0]

    def acknowledged(self, request, value):
        return self.ask(request, struct.pack("=Q", value), VERSION | NEED_REPLY) == 0

    def is_over(self):
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True


def test_offer(box):
    """What QEMU needs for live migration and MTU; and no IOMMU."""
    with Switch(box) as switch, FrontEnd(switch.socket()) as front:
        for bit in (MTU, GUEST_ANNOUNCE, LOG_ALL, PROTOCOL_FEATURES):
            assert front.features >> bit & 1, bit
        assert not front.features >> IOMMU_PLATFORM & 1
        for bit in (LOG_SHMFD, RARP, REPLY_ACK, NET_MTU):
            assert front.protocol >> bit & 1, bit


@pytest.mark.parametrize("options, most", [([], 1500), (["--mergeable", "1"], 9000)], ids=["plain", "mergeable"])
def test_mtu(options, most, box):
    """One that frames can't carry is refused, and said once; the connection goes on."""
    with Switch(box, options, allow_log=[*REFUSED, "MTU .* refused"]) as switch, FrontEnd(switch.socket()) as front:
        assert front.acknowledged(NET_SET_MTU, 68)
        assert front.acknowledged(NET_SET_MTU, most)
        for mtu in (67, most + 1, 65535, 1 << 40):
            assert not front.acknowledged(NET_SET_MTU, mtu), mtu
        assert front.acknowledged(NET_SET_MTU, 1400)
        assert front.ask(GET_FEATURES) == front.features
        told = [line for line in switch.stderr.splitlines() if "refused" in line]
        assert len(told) == 1 and f"MTU {most + 1} refused, as {most} is" in told[0], told


def log_base(size, offset=0):
    return struct.pack("=QQ", size, offset)


def test_log_is_taken(box):
    with Switch(box) as switch, FrontEnd(switch.socket()) as front:
        log = os.memfd_create("log")
        os.ftruncate(log, 1 << 16)
        # The answer has no payload.
        front.send(SET_LOG_BASE, log_base(1 << 16), descriptors=[log])
        assert len(front.socket.recv(12, socket.MSG_WAITALL)) == 12
        assert front.acknowledged(SET_FEATURES, front.features)
        os.close(log)


@pytest.mark.parametrize("payload", [
    log_base(0), log_base(1 << 16, 4096), log_base((1 << 37) + 1), log_base(1 << 63), log_base(1 << 16)[:8],
], ids=["empty", "offset", "huge", "larger", "short"])
def test_log_that_leads_astray(payload, box):
    """librte_vhost would write beside it, or could not map it: the connection ends, nothing is lost."""
    with Switch(box, allow_log=REFUSED) as switch:
        with FrontEnd(switch.socket()):
            before = switch.descriptors()
        for _ in range(5):
            with FrontEnd(switch.socket()) as front:
                log = os.memfd_create("log")
                os.ftruncate(log, 1 << 17)
                front.send(SET_LOG_BASE, payload, VERSION | NEED_REPLY, [log])
                os.close(log)
                assert front.is_over()
        with FrontEnd(switch.socket()):
            wait_for(lambda: switch.descriptors() == before, what="as many descriptors as before")


@pytest.mark.parametrize("mac", ["ffffffffffff", "010000000001", "000000000000"])
def test_announcement_of_no_station(mac, box):
    with Switch(box, allow_log=REFUSED) as switch, FrontEnd(switch.socket()) as front:
        front.send(SEND_RARP, bytes.fromhex(mac) + b"\0\0")
        assert front.is_over()
