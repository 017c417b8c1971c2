# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A guest that is killed under traffic, again and again, while a pair beside it loses nothing."""

import contextlib
import threading

from lib.frames import frame, transfer
from lib.room import room
from lib.testpmd import Testpmd, virtio_user
from lib.wait import wait_for

KILLS = 24
VICTIMS = ("cc:bb:bb:bb:bb:e0", "cc:bb:bb:bb:bb:e1")
BATCH = 500
# What a victim sends before its address is learned is flooded, and may fill the neighbours' rings on a busy
# machine; then their frames wait, up to a second.
PATIENT = ["--rx-retry-num", "1000", "--rx-retry-delay", "1000"]


class Neighbours(threading.Thread):
    """Two guests that send to each other all the time; every frame must arrive, in order."""

    def __init__(self, one, two):
        super().__init__(daemon=True)
        self.ends = (one, two)
        self.enough = threading.Event()
        self.problem = None
        self.batches = 0  # written by this thread alone

    def run(self):
        try:
            while not self.enough.is_set():
                a, b = self.ends[self.batches % 2], self.ends[(self.batches + 1) % 2]
                data = [frame(b.mac, a.mac, seq, 60 + seq % 1400) for seq in range(BATCH)]
                transfer(a.port, [b.port], data, strangers=True)
                self.batches += 1
        except BaseException as problem:  # shown by the main thread
            self.problem = problem

    def finish(self):
        self.enough.set()
        self.join()
        if self.problem:
            raise self.problem


@contextlib.contextmanager
def victim(box, switch):
    """Two devices that send to each other as fast as they can."""
    with Testpmd(box, [virtio_user(i, switch.socket(), mac) for i, mac in enumerate(VICTIMS)],
                 [f"--eth-peer=0,{VICTIMS[1]}", f"--eth-peer=1,{VICTIMS[0]}"], memory=64, mbufs=4096) as pmd:
        pmd.forward("mac")
        wait_for(lambda: pmd.port_stats()[0][0] > 1000, what="traffic")
        yield pmd


def test_guest_is_killed_again_and_again(box):
    with room(box, 2, PATIENT) as r:
        switch = r.switch
        with victim(box, switch):  # what the switch allocates once and keeps
            pass
        switch.wait_table(lambda t: t.devices() == [0, 1])  # the first victim gone
        before = switch.held_at_rest()
        resident = switch.resident_kib()
        neighbours = Neighbours(*r.guests)
        neighbours.start()
        try:
            for _ in range(KILLS):
                with victim(box, switch) as pmd:
                    pmd.kill()
                if neighbours.problem:
                    break
        finally:
            neighbours.finish()
        assert neighbours.batches > KILLS
        switch.wait_table(lambda t: t.devices() == [0, 1])  # the last victim gone
        switch.wait_held(before)
        assert switch.resident_kib() - resident < 4096
