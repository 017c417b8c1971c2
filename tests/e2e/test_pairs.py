# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Queue pairs that a guest adds and removes while others send to it.

dpdk-testpmd's driver says by its control queue how many pairs it uses, which becomes a
SET_VRING_ENABLE for each ring, on a device that goes on.
"""

import collections
import contextlib
import errno
import select
import time

import pytest

from lib.background import Background
from lib.frames import BACK, WINDOW, describe, flow_frame, flow_of, transfer_flows
from lib.guests import Guests
from lib.switch import ONE_WORKER, TWO_WORKERS, Switch
from lib.wait import DEADLINE, wait_for

PATIENT = ["--rx-retry-num", "1000", "--rx-retry-delay", "1000"]  # a worker that fills a ring may lose its CPU
PAIRS = 4
FLOWS = 40
CHANGES = [1, 3, 4]
SOME = 300  # frames that arrive between two changes


class Stream(Background):
    """Sends frames of many flows all the time; those that arrive must be good, none late or twice."""

    def __init__(self, source, sink, to, sender):
        super().__init__()
        self.source, self.sink, self.to, self.sender = source, sink, to, sender
        self.sent = self.arrived = 0
        self.last = collections.defaultdict(lambda: -1)
        self.problem = None

    def make(self, seq):
        return flow_frame(self.to, self.sender, seq * 7 % FLOWS, seq, 60 + seq % 1400)

    def work(self):
        under_way = 0
        while not self.over.is_set() and not self.problem:
            while under_way < WINDOW // 2:
                self.source.send(self.make(self.sent))
                self.sent += 1
                under_way += 1
            # What is lost while the other side is changed never comes: then others are sent.
            if not select.select([self.sink], [], [], 0.05)[0]:
                under_way = 0
            while (data := self.receive(0)) is not None:
                under_way = max(0, under_way - 1)
                self.look(data)

    def receive(self, deadline):
        try:
            return self.sink.receive(deadline)
        except OSError as problem:  # the tap goes down with all ports of its process, and comes back
            assert problem.errno == errno.ENETDOWN, problem
            return None

    def look(self, data):
        known = flow_of(data)
        if known is None:
            return
        flow, seq = known
        if data != self.make(seq):
            self.problem = f"changed: {describe(data)}"
        elif seq <= self.last[flow]:
            self.problem = f"flow {flow}: {seq} after {self.last[flow]}"
        self.last[flow] = seq
        self.arrived += 1

    def wait_some(self):
        begin = self.arrived
        wait_for(lambda: self.problem or self.arrived >= begin + SOME, what="frames that arrive")
        assert not self.problem, self.problem

    def finish(self):
        """Ends it with a last frame of each flow: when those have arrived, the others have, too, or are lost."""
        self.over.set()
        self.join()
        first, end = self.sent, time.monotonic() + DEADLINE
        for _ in range(FLOWS):
            self.source.send(self.make(self.sent))
            self.sent += 1
        while not self.problem and (len(self.last) < FLOWS or min(self.last.values()) < first):
            data = self.receive(max(0, end - time.monotonic()))
            assert data is not None, f"flows {[f for f, seq in self.last.items() if seq < first]} ended"
            self.look(data)
        assert not self.problem, self.problem


def use_pairs(pmd, n):
    pmd.stop_forwarding()
    pmd.command("port stop all")
    pmd.command(f"port config all rxq {n}")
    pmd.command(f"port config all txq {n}")
    pmd.start_ports()
    pmd.start()


@contextlib.contextmanager
def spread_over(guests, guest, n):
    """The guest has n pairs, and what is received meanwhile comes by all of them."""
    guests.pmd.command("clear port xstats all")
    yield
    received, sent = guests.queue_stats(guest)
    assert len(received) == len(sent) == n and all(received) and sum(sent), f"{n} pairs: {received}, {sent}"


@pytest.mark.parametrize("packed, lcores", [(0, ONE_WORKER), (1, TWO_WORKERS)],
                         ids=["split, one worker", "packed, two workers"])
def test_pairs_come_and_go(box, packed, lcores):
    with contextlib.ExitStack() as stack:
        switch = stack.enter_context(Switch(box, PATIENT, lcores=lcores))
        a, b = (stack.enter_context(Guests(box, [switch.socket()], first=i, queues=PAIRS, packed_vq=packed))
                for i in range(2))
        one, two = a[0], b[0]
        for n in CHANGES:
            with Stream(one.port, two.port, two.mac, one.mac) as stream:
                stream.wait_some()
                use_pairs(b.pmd, n)
                stream.wait_some()
                stream.finish()
            with spread_over(b, two, n):
                transfer_flows(one.port, two.port, [stream.make(seq) for seq in range(600)])
                transfer_flows(two.port, one.port,
                               [flow_frame(one.mac, two.mac, BACK + seq % FLOWS, seq) for seq in range(200)])
