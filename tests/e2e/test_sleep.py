# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""--idle-sleep: an idle switch costs next to nothing, and any sender wakes it."""

import os
import time

from lib.frames import BROADCAST, frame
from lib.netns import Namespace
from lib.room import room
from lib.switch import Switch
from lib.telemetry import Telemetry
from lib.testpmd import Testpmd, virtio_user
from lib.uplink import TAP
from lib.wait import wait_for

SLEEP = ["--idle-sleep", "100"]
WINDOW = 2  # seconds over which a share of a CPU is measured; nothing is waited for
SECOND = os.sysconf("SC_CLK_TCK")


def cpu(switch):
    """What the switch has used, in seconds; the table of statistics is part of it."""
    with open(f"/proc/{switch.pid}/stat", encoding="ascii") as stat:
        user, system = stat.read().rsplit(")", 1)[1].split()[11:13]
    return (int(user) + int(system)) / SECOND


def share(switch):
    before, begin = cpu(switch), time.monotonic()
    time.sleep(WINDOW)
    return (cpu(switch) - before) / (time.monotonic() - begin)


def is_asleep(telemetry):
    return telemetry.ask("/vhost_switch/workers")["0"]["asleep_ppm"] > 900_000


def test_eight_idle_guests_cost_less_than_a_hundredth_of_a_cpu(box):
    with room(box, 8, SLEEP, stats_every=0) as r, Telemetry(r.switch) as telemetry:
        wait_for(lambda: is_asleep(telemetry), what="an idle worker")
        shares = []

        def cheap():
            shares.append(share(r.switch))
            return shares[-1] < 0.01
        wait_for(cheap, what=lambda: f"less than 1 % of a CPU: {shares}")
        print(f"8 idle guests: {min(shares):.4f} of a CPU")
        one, two = r.guests[2], r.guests[5]
        for _ in range(10):
            wait_for(lambda: is_asleep(telemetry), what="an idle worker again")
            assert r.reached(one, frame(two.mac, one.mac)) == {two}


def test_a_wire_that_was_always_silent_costs_little(box):
    """Nothing of a tap wakes a worker, so it naps; also before there was anything to do."""
    with Namespace() as ns, Switch(box, [*SLEEP, "-p", "0x1"], ns=ns, stats_every=0,
                                   eal=["--vdev", "net_tap0,iface=up0"]) as switch:
        shares = []

        def cheap():
            shares.append(share(switch))
            return shares[-1] < 0.2
        wait_for(cheap, what=lambda: f"less than a fifth of a CPU: {shares}")


def test_the_wire_wakes_it(box):
    with room(box, 2, SLEEP, uplink=TAP, stats_every=0) as r, Telemetry(r.switch) as telemetry:
        for _ in range(5):
            wait_for(lambda: is_asleep(telemetry), what="an idle worker")
            assert r.reached(r.uplink, r.to_guest(r.guests[0], frame(r.guests[0].mac, "02:00:00:00:00:99")),
                             arrives=frame(r.guests[0].mac, "02:00:00:00:00:99")) == {r.guests[0]}


def test_guests_come_and_die_while_it_sleeps(box):
    with room(box, 2, SLEEP, stats_every=0) as r, Telemetry(r.switch) as telemetry:
        one, two = r.guests
        for _ in range(3):
            wait_for(lambda: is_asleep(telemetry), what="an idle worker")
            with Testpmd(box, [virtio_user(0, r.switch.socket(), "cc:bb:bb:bb:bb:e0", packed_vq=1)],
                         ["--forward-mode=rxonly"]) as victim:
                wait_for(lambda: telemetry.ask("/vhost_switch/workers")["0"]["rings"] == 3, what="a third guest")
                wait_for(lambda: is_asleep(telemetry), what="an idle worker")
                victim.kill()
            wait_for(lambda: telemetry.ask("/vhost_switch/workers")["0"]["rings"] == 2, what="it is gone")
            assert r.reached(one, frame(two.mac, one.mac)) == {two}
            assert r.reached(two, frame(BROADCAST, two.mac)) == {one}
        wait_for(lambda: is_asleep(telemetry), what="an idle worker")
