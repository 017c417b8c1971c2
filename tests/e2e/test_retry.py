# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A guest whose receive ring is full delays only the frames that want it."""

import contextlib
import signal

import pytest

from lib.frames import BROADCAST, frame, transfer
from lib.guests import Guests
from lib.room import room
from lib.switch import Switch
from lib.testpmd import Testpmd, virtio_user
from lib.wait import wait_for

RING = 256
FRAMES = 300  # more than the ring of the stopped guest takes, less than that and the sender's ring
PATIENT = ["--rx-retry-num", "1000", "--rx-retry-delay", "60000"]  # a minute
# A worker that waited in a loop would come round once in 100 ms.
SLOW = ["--rx-retry-num", "100", "--rx-retry-delay", "1000"]
KEPT = 0.3  # share of its rate that a pair keeps at least; caches and other work vary it


@contextlib.contextmanager
def stopped_guest(box, r):
    """A third guest, known to the switch, whose process stands still; ends with it running again."""
    with Guests(box, [r.switch.socket()], first=2, queue_size=RING) as guests:
        guest = guests[0]
        guest.port.send(frame(BROADCAST, guest.mac))
        r.switch.wait_registered(guest.mac)
        for other in r.guests:
            assert other.port.receive() is not None
        guests.pmd.signal(signal.SIGSTOP)
        wait_for(guests.pmd.stopped, what="testpmd that stands still")
        guest.resume = lambda: guests.pmd.signal(signal.SIGCONT)
        yield guest


def numbered(dst, src, count):
    return [frame(dst, src, seq, 60 + seq % 1000) for seq in range(count)]


def test_frames_wait_for_room_and_hold_up_nobody(box):
    """More frames than the ring holds wait in the sender's ring; what it sends elsewhere overtakes them."""
    with room(box, 2, PATIENT, guest_options={"queue_size": RING}) as r:
        one, two = r.guests
        with stopped_guest(box, r) as stopped:
            for_stopped = numbered(stopped.mac, one.mac, FRAMES)
            for data in for_stopped:
                one.port.send(data)
            transfer(one.port, [two.port], numbered(two.mac, one.mac, 50), window=16)
            transfer(two.port, [one.port], numbered(one.mac, two.mac, 500))
            stopped.resume()
            for data in for_stopped:
                assert stopped.port.receive() == data
        assert r.switch.next_table()["total"].dropped == 0


@pytest.mark.parametrize("options", [[], ["--rx-retry", "0"], ["--rx-retry-num", "0"],
                                     ["--rx-retry-num", "3", "--rx-retry-delay", "20000"]],
                         ids=lambda o: " ".join(o) or "default")
def test_frames_are_dropped_when_the_time_is_over(box, options):
    """What the ring could take arrives, the rest is counted; nothing is lost in between."""
    with room(box, 2, options, guest_options={"queue_size": RING}) as r:
        one, _ = r.guests
        before = r.switch.next_table()[0].received
        with stopped_guest(box, r) as stopped:
            for_stopped = numbered(stopped.mac, one.mac, FRAMES)
            for data in for_stopped:
                one.port.send(data)
            row = r.switch.wait_table(
                lambda t: t[0].received == before + FRAMES == t[0].delivered + t[0].dropped)[0]
            assert set(row.reasons) == {"ring_full"}
            lost = row.reasons["ring_full"]
            assert 0 < lost <= FRAMES - RING + 32, "the ring holds nearly as many frames as it has entries"
            stopped.resume()
            for data in for_stopped[:FRAMES - lost]:
                assert stopped.port.receive() == data
            last = frame(BROADCAST, one.mac, FRAMES)
            one.port.send(last)
            assert stopped.port.until(last) == []


def test_flood_passes_by_a_full_ring(box):
    with room(box, 2, guest_options={"queue_size": RING}) as r:
        one, two = r.guests
        with stopped_guest(box, r) as stopped:
            for data in numbered(stopped.mac, one.mac, FRAMES):
                one.port.send(data)
            transfer(one.port, [two.port], numbered(BROADCAST, one.mac, 200))


def rates(pmd, switch, frames=200000, busy=0.3):
    """Frames at port 0 for each second of CPU time of the pair, and for each of the switch.

    By CPU time, since other work on the machine takes its share from either. A worker that waits on the
    spot makes both fall: it burns time itself, and the pair polls rings in which nothing comes.
    """
    def look():
        return (pmd.port_stats()[0][0], sum(pmd.cpu_seconds().values()), sum(switch.cpu_seconds().values()))

    first = look()

    def enough():
        spent = [now - then for now, then in zip(look(), first)]
        return spent if spent[0] > frames and min(spent[1:]) > busy else None

    passed, by_pair, by_switch = wait_for(enough, what="the pair passes frames")
    return passed / by_pair, passed / by_switch


def test_another_pair_keeps_its_rate(box):
    """A sender floods a receiver that is stopped half-way; a pair beside them goes on as before."""
    macs = [f"cc:bb:bb:bb:bb:{i:02x}" for i in range(4)]
    with Switch(box, SLOW) as switch, contextlib.ExitStack() as stack:
        path = switch.socket()

        def testpmd(own, peers):
            users = [virtio_user(i, path, mac) for i, mac in enumerate(own)]
            return stack.enter_context(
                Testpmd(box, users, [f"--eth-peer={i},{mac}" for i, mac in enumerate(peers)]))

        receiver = testpmd(macs[3:], macs[2:3])
        receiver.command("set fwd mac")
        receiver.start(tx_first=True)
        switch.wait_registered(macs[3])
        receiver.stop_forwarding()
        receiver.command("set fwd rxonly")
        receiver.start()
        sender = testpmd(macs[2:3], macs[3:])
        pair = testpmd(macs[:2], [macs[1], macs[0]])
        sender.command("set fwd txonly")
        sender.start()
        pair.forward("mac")
        for mac in macs:
            switch.wait_registered(mac)
        before = rates(pair, switch)
        receiver.signal(signal.SIGSTOP)
        full = {device for device, mac, _ in switch.registered() if mac == macs[2]}.pop()
        already = switch.next_table()[full].reasons.get("ring_full", 0)
        switch.wait_table(lambda t: t[full].reasons.get("ring_full", 0) > already)
        after = rates(pair, switch)
        receiver.signal(signal.SIGCONT)
        assert max(now / then for now, then in zip(after, before)) >= KEPT, (
            f"frames a CPU second, pair's and switch's: {before} before, {after} with a full ring beside")
