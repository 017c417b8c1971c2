# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Rings move between workers while frames go through them."""

import itertools

import pytest

from lib.background import Background
from lib.control import Control, Refused
from lib.frames import frame, transfer
from lib.room import room
from lib.switch import TWO_WORKERS
from lib.wait import wait_for

FRAMES = 3000
BUSY = 3  # code of an error: a worker has no CPU for the moment
PORTS = ("a", "b", "c")


def rings(control):
    """{device: worker}"""
    return {ring["device"]: worker["id"] for worker in control.ask("worker.list")["workers"]
            for ring in worker["rings"]}


class Mover(Background):
    """Moves both guests' rings to and fro."""

    def __init__(self, switch):
        super().__init__()
        self.control = Control(switch)
        self.moves = 0  # written by this thread alone

    def move(self, port, worker):
        try:
            moved = self.control.ask("worker.move", port=port, worker=worker)["moved"]
        except Refused as refused:
            if refused.code != BUSY:
                raise
            return
        assert moved == [{"port": port, "device": PORTS.index(port), "worker": worker}]
        self.moves += 1

    def work(self):
        with self.control:
            for worker in itertools.cycle((0, 1)):
                if self.over.is_set():
                    return
                for port in PORTS[:2]:
                    self.move(port, worker)


@pytest.mark.parametrize("options", [(), ("--idle-sleep", "50")], ids=["polling", "sleeping"])
def test_rings_move_under_traffic(box, options):
    with room(box, options=options, ports=PORTS, lcores=TWO_WORKERS) as r, Control(r.switch) as control:
        one, two, _ = r.guests
        with Mover(r.switch) as mover:
            for sender, receiver in ((one, two), (two, one)):
                data = [frame(receiver.mac, sender.mac, seq, 60 + seq % 1400) for seq in range(FRAMES)]
                transfer(sender.port, [receiver.port], data, strangers=True)
            wait_for(lambda: mover.moves > 50 or not mover.is_alive(), what=lambda: f"moves: {mover.moves}")
        assert mover.moves > 50
        assert set(rings(control)) == {0, 1, 2}


def test_what_can_not_move(box):
    with room(box, ports=PORTS, lcores=TWO_WORKERS) as r, Control(r.switch) as control:
        where = rings(control)
        for params, error in (({"port": "d", "worker": 0}, "port d: there is none"),
                              ({"port": "a", "worker": 2}, "worker 2: there are 2, from 0 on"),
                              ({"port": "a", "worker": -1}, "worker -1: there are 2"),
                              ({"port": "a", "worker": 1, "device": 1}, "no such guest has rings in use"),
                              ({"port": "a", "worker": 1, "device": -1}, "device -1: there is none")):
            assert error in control.refused("worker.move", **params).message
        assert rings(control) == where
        wait_for(lambda: all(worker["busy"] < 0.001 for worker in control.ask("worker.list")["workers"]),
                 what="idle workers")
        assert control.ask("worker.rebalance") == {"moved": []}
        assert rings(control) == where
