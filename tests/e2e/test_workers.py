# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Rings move between workers while frames go through them."""

import itertools
import os

import pytest

from lib.background import Background
from lib.control import BUSY, Control, Refused
from lib.frames import frame, transfer
from lib.guests import Guests
from lib.proc import Process
from lib.room import room
from lib.switch import ROOT, TWO_WORKERS, Switch
from lib.wait import DEADLINE, wait_for

LOADGEN = os.path.join(ROOT, "build", "loadgen")
FRAMES = 3000
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
            moved = self.control.once("worker.move", port=port, worker=worker)["moved"]
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


def move_and_divide(switch, control, seconds, divide):
    """Returns how many rings were moved; 0 if the guests had gone before the switch had chosen any, where it is to."""
    moves = 0

    def move(worker, **device):
        nonlocal moves
        try:
            moves += len(control.once("worker.move", port="a", worker=worker, **device)["moved"])
        except Refused as refused:
            gone = "no such guest" in refused.message  # they leave before their process ends
            assert refused.code == BUSY or gone, refused
    # Long frames, or a worker has too little to do for a ring to be worth a move. The generator shares its CPU with
    # a worker, which may get none of it for a while.
    with Process([LOADGEN, "--mode", "verify", "--guests", "4", "--flows", "ring", "--rate", "200000",
                  "--min-len", "1400", "--cpu", "0", "--seconds", seconds,
                  "--socket", switch.socket("a")]) as numbered:
        wait_for(lambda: len(rings(control)) == 4 or not numbered.running(), what="all guests' rings")
        for i in range(100):
            move(i // 4 % 2, device=i % 4)
        # One worker has all there is, until the switch divides it again.
        wait_for(lambda: move(0) or set(rings(control).values()) == {0} or not numbered.running(),
                 what="all rings at worker 0")
        divided = wait_for(lambda: not divide or control.ask("worker.rebalance")["moved"] or not numbered.running(),
                           what="a worker that is busier than the other")
        if divide and numbered.running():
            assert {moved["worker"] for moved in divided} == {1} and len(divided) < 4
            now = rings(control)
            if len(now) == 4:
                assert set(now.values()) == {0, 1}
            else:
                moves = 0  # some have left, which they do before their process ends
        elif divide:
            moves = 0
        assert numbered.wait(seconds + 2 * DEADLINE) == 0
        assert " ok=1" in numbered.out.decode(), numbered.out.decode()
    return moves


@pytest.mark.parametrize("options", [(), ("--idle-sleep", "50")], ids=["polling", "sleeping"])
def test_moves_under_load(box, options):
    """Numbered frames of four guests: none is lost and none overtakes another while rings move, those of one guest,
    those of all, and those that the switch chooses: not of workers that sleep, which have too little to do here."""
    with Switch(box, ["--port", "a,socket=a,guests=4", *options], lcores=TWO_WORKERS) as switch, \
            Control(switch) as control:
        # On a busy machine it takes longer until the switch knows its loads.
        assert any(move_and_divide(switch, control, seconds, not options) > 20 for seconds in (5, 20, 60))


def test_next_guest_is_placed_as_usual(box):
    """It is no matter of its own where the guest before it had been moved to."""
    with Switch(box, ["--port", "a,socket=a", "--port", "b,socket=b"], lcores=TWO_WORKERS) as switch, \
            Control(switch) as control:
        with Guests(box, [switch.socket("a")]):
            usual = wait_for(lambda: rings(control), what="the first guest's ring")[0]
            assert control.ask("worker.move", port="a", worker=1 - usual)["moved"]
        wait_for(lambda: not rings(control), what="a switch without guests")
        with Guests(box, [switch.socket("b")]):
            assert wait_for(lambda: rings(control), what="the next guest's ring") == {1: usual}


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
