# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""What a front end is offered, and how it is answered: features, MTU, the dirty log."""

import os
import re
import signal
import socket
import struct

import pytest

from lib.control import Control
from lib.proc import Process
from lib.switch import READY, Switch
from lib.wait import wait_for

GET_FEATURES, SET_FEATURES, SET_OWNER, SET_MEM_TABLE, SET_LOG_BASE = 1, 2, 3, 5, 6
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

    def send(self, request, payload=b"", flags=VERSION, fds=()):
        message = struct.pack("=III", request, flags, len(payload)) + payload
        socket.send_fds(self.socket, [message], fds)

    def ask(self, request, payload=b"", flags=VERSION, fds=()):
        self.send(request, payload, flags, fds)
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


def test_port_tells_that_memory_is_not_shared(box):
    """As of a QEMU without share=on: it chooses features when the driver is up, and has no memory to send."""
    no_driver = "a front end is connected; its driver is not up"

    def why():
        return control.port("vm1")["why"]

    with Switch(box, ["--port", "vm1,socket=a"]) as switch, Control(switch) as control:
        assert why() == "waits for a guest"
        with socket.socket(socket.AF_UNIX) as silent:
            silent.connect(switch.socket("a"))
            wait_for(lambda: why() == no_driver, what="a front end without a driver")
        wait_for(lambda: why() == "waits for a guest", what="that it has left")
        with FrontEnd(switch.socket("a")) as front:
            assert why().startswith("its memory is not shared: share=on is missing")
            memory = os.memfd_create("memory")
            os.ftruncate(memory, 1 << 21)
            front.send(SET_MEM_TABLE, struct.pack("=II4Q", 1, 0, 0, 1 << 21, 0, 0), fds=[memory])
            os.close(memory)
            assert front.ask(GET_FEATURES) == front.features
            assert why() == no_driver


@pytest.mark.parametrize("options, most", [([], 1500), (["--mergeable", "1"], 9000)], ids=["plain", "mergeable"])
def test_mtu(options, most, box):
    """An MTU that is not possible is refused and logged once; the connection goes on."""
    with Switch(box, options, allow_log=[*REFUSED, "MTU .* refused"]) as switch:
        with FrontEnd(switch.socket()) as front:
            assert front.acknowledged(NET_SET_MTU, 68)
            assert front.acknowledged(NET_SET_MTU, most)
            for mtu in (67, most + 1, 65535, 1 << 40):
                assert not front.acknowledged(NET_SET_MTU, mtu), mtu
            assert front.acknowledged(NET_SET_MTU, 1400)
            assert front.ask(GET_FEATURES) == front.features
        switch.wait_output(": disconnected$")  # lines come in order, but may come later than answers
        told = [line for line in switch.stderr.splitlines() if "refused" in line]
        assert len(told) == 1 and f"MTU {most + 1} refused, as {most} is" in told[0], told


CSUM, HOST_TSO4, MRG_RXBUF, GET_QUEUE_NUM = 0, 11, 15, 17


def test_ports_offer_what_they_say(box):
    """One port offers more than the options say, one less, one the same."""
    ports = ["--port", "more,socket=more,mergeable=yes,mtu=4000",
             "--port", "less,socket=less,csum=no,queues=2,mtu=1000", "--port", "as,socket=as,owner=0:7,mode=0624"]
    with Switch(box, [*ports, "--tso", "1"], allow_log=[*REFUSED, "MTU .* refused"]) as switch:
        for name, offered, pairs, mtu in (("more", {CSUM, HOST_TSO4, MRG_RXBUF}, 16, 4000), ("less", set(), 2, 1000),
                                          ("as", {CSUM, HOST_TSO4}, 16, 1500)):
            with FrontEnd(switch.socket(name)) as front:
                assert {bit for bit in (CSUM, HOST_TSO4, MRG_RXBUF) if front.features >> bit & 1} == offered, name
                assert front.ask(GET_QUEUE_NUM) == pairs
                assert front.acknowledged(NET_SET_MTU, mtu) and not front.acknowledged(NET_SET_MTU, mtu + 1)
        found = os.stat(switch.socket("as"))
        assert found.st_mode & 0o777 == 0o624 and (found.st_uid, found.st_gid) == (0, 7)
        with FrontEnd(switch.socket("less")) as front:  # a ring that it may not have
            front.send(18, struct.pack("=II", 4, 1))
            assert front.is_over()


def test_more_regions_than_a_guest_can_have(box):
    """One line with the number and what to do; the connection ends, as the guest would not see its memory."""
    port = ["--port", "vm1,socket=vm1"]
    with Switch(box, port, allow_log=REFUSED) as switch, FrontEnd(switch.socket("vm1")) as front:
        memory = os.memfd_create("memory")
        os.ftruncate(memory, 9 << 21)
        table = struct.pack("=II", 9, 0) + b"".join(struct.pack("=QQQQ", n << 21, 1 << 21, n << 21, n << 21)
                                                    for n in range(9))
        front.send(5, table, VERSION | NEED_REPLY, [memory] * 8)
        os.close(memory)
        assert front.is_over()
        switch.wait_output("^vhost-switch: port vm1: its memory is in 9 regions, and 8 are the most that a guest "
                           "can have; give it fewer and larger DIMMs$")


def log_base(size, offset=0):
    return struct.pack("=QQ", size, offset)


def test_log_is_taken(box):
    with Switch(box) as switch, FrontEnd(switch.socket()) as front:
        log = os.memfd_create("log")
        os.ftruncate(log, 1 << 16)
        # The answer has no payload.
        front.send(SET_LOG_BASE, log_base(1 << 16), fds=[log])
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
            before = switch.held_at_rest()
        for _ in range(5):
            with FrontEnd(switch.socket()) as front:
                log = os.memfd_create("log")
                os.ftruncate(log, 1 << 17)
                front.send(SET_LOG_BASE, payload, VERSION | NEED_REPLY, [log])
                os.close(log)
                assert front.is_over()
        with FrontEnd(switch.socket()):
            switch.wait_held(before)


@pytest.mark.parametrize("mac", ["ffffffffffff", "010000000001", "000000000000"])
def test_announcement_of_no_station(mac, box):
    with Switch(box, allow_log=REFUSED) as switch, FrontEnd(switch.socket()) as front:
        front.send(SEND_RARP, bytes.fromhex(mac) + b"\0\0")
        assert front.is_over()


# Who is at the other end, and whoever leaves at once.


LEFT = r"^vhost-switch: socket (\S+): (.*) left when it saw what is offered; .* of: (.*)$"


def look_and_leave(path):
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)
        connection.sendall(struct.pack("=III", GET_FEATURES, VERSION, 0))
        assert len(connection.recv(20, socket.MSG_WAITALL)) == 20


@pytest.mark.parametrize("options, more", [
    ([], "--mergeable 1, --tx-csum 1, --tso 1"),
    (["--tx-csum", "1"], "--mergeable 1, --tso 1"),
    (["--tso", "1"], "--mergeable 1"),
    (["--mergeable", "1"], "--tx-csum 1, --tso 1"),
    (["--mergeable", "1", "--tx-csum", "1"], "--tso 1"),
    (["--mergeable", "1", "--tso", "1"], None),
], ids=lambda v: " ".join(v) if isinstance(v, list) else "")
def test_who_leaves_at_the_features_is_told_of_once(box, options, more):
    with Switch(box, options) as switch:
        path = switch.socket()
        us = rf"process {os.getpid()} \(.+\)"

        def told():
            return re.findall(LEFT, switch.stderr, re.M)
        for visits in (1, 2):
            for _ in range(5):
                look_and_leave(path)
            if more:
                wait_for(lambda n=visits: len(told()) >= n, what=f"told of at visit {visits}")
            with FrontEnd(path):  # it stays, so there is a line for it again
                switch.wait_output(r"(port usvhost: connected: (.|\n)*){%d}" % visits)
            switch.wait_output(r"(port usvhost: disconnected(.|\n)*){%d}" % visits)
        assert len(told()) == (2 if more else 0)
        assert all(socket_path == "./usvhost" and re.fullmatch(us, who) and missing == more
                   for socket_path, who, missing in told()), told()
        assert switch.stderr.count(": connected") == switch.stderr.count(": disconnected") == 2


def test_who_never_asks_is_not_told_of(box):
    with Switch(box) as switch:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(switch.socket())
        with FrontEnd(switch.socket()):
            switch.wait_output("port usvhost: connected")
        switch.wait_output("port usvhost: disconnected")
        assert not re.search(LEFT, switch.stderr, re.M)
        assert switch.stderr.count("connected") == 2


def test_socket_and_process_of_a_port_are_named(box):
    """One on each of two sockets; the second is another process, with a name that is no text."""
    other = ("import ctypes, socket, struct, sys; ctypes.CDLL(None).prctl(15, b'a\\nb\\x1b[m\\xff'); "
             "s = socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]); "
             "s.sendall(struct.pack('=IIIQ', 2, 1, 8, 1 << 32)); sys.stdin.read()")
    with Switch(box, ["--socket-file", "one", "--socket-file", "two"]) as switch, FrontEnd(switch.socket("one")):
        switch.wait_output(rf"^vhost-switch: port one: connected: socket one, process {os.getpid()} \(.+\)$")
        with Process(["/usr/bin/python3", "-c", other, switch.socket("two")], stdin=True) as process:
            switch.wait_output(rf"^vhost-switch: port two: connected: socket two, process {process.pid} "
                               rf"\(a\?b\?\[m\?\)$")
        switch.wait_output("^vhost-switch: port two: disconnected$")


def test_process_of_another_container_has_no_number(box):
    """Seen from the switch, in a PID namespace of its own, a process outside is nobody."""
    before = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    with Switch(box, before=before, ready=False) as outer:
        outer.wait_output(READY)
        with FrontEnd(outer.socket()):
            outer.wait_output(r"port usvhost: connected: socket ./usvhost, a process of another container$")
        outer.signal(signal.SIGKILL)
        outer.status = outer.wait()
