# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The counters for programs, by DPDK's telemetry socket: the same as in the table, and harmless to ask for."""

from lib.frames import BROADCAST, frame
from lib.room import room
from lib.stats import COLUMNS
from lib.telemetry import Telemetry
from lib.uplink import TAP
from lib.wait import wait_for


def test_telemetry_tells_what_the_table_tells(box):
    with room(box, 3, uplink=TAP) as r:
        one, two, _ = r.guests
        for data in (frame(BROADCAST, one.mac), frame(two.mac, one.mac), frame(one.mac, one.mac)):
            r.reached(one, data)
        table = r.switch.next_table()
        with Telemetry(r.switch) as telemetry:
            assert telemetry.ask("/vhost_switch/ports") == ["0", "1", "2", "uplink"]
            assert telemetry.ask("/vhost_switch/switch")["workers"] == 1
            for name in (0, 1, 2, "uplink"):
                told = telemetry.ask(f"/vhost_switch/port,{name}")
                for column in COLUMNS:
                    assert told[column] == getattr(table[name], column), (name, column)
                for reason, count in table[name].reasons.items():
                    assert told[reason] == count
            assert telemetry.ask("/vhost_switch/port,0")["vlan"] == 1000
            assert telemetry.ask("/vhost_switch/port,0")["to_sender"] == 1


def test_telemetry_tells_rings(box):
    with room(box, 1, introduce=False, guest_options={"queues": 3}) as r:
        with Telemetry(r.switch) as telemetry:
            def rings():
                told = telemetry.ask("/vhost_switch/port,0")
                return told["receive_rings"], told["transmit_rings"]
            wait_for(lambda: rings() == (3, 3), what="three pairs of rings")


def test_telemetry_tells_how_busy_workers_are(box):
    with room(box, 2) as r:
        with Telemetry(r.switch) as telemetry:
            def idle():
                worker = telemetry.ask("/vhost_switch/workers")["0"]
                return worker["rings"] == 2 and worker["frames"] == 0 and worker["busy_ppm"] < 1000
            wait_for(idle, what="an idle worker")

            def busy():
                r.reached(r.guests[0], frame(r.guests[1].mac, r.guests[0].mac))
                worker = telemetry.ask("/vhost_switch/workers")["0"]
                return worker["frames"] > 0 and worker["busy_ppm"] > 0 and worker["cycles_per_frame"] > 0
            wait_for(busy, what="a worker that forwards")
            wait_for(idle, what="an idle worker again")


def test_telemetry_of_ports_that_are_not_there(box):
    with room(box, 1, introduce=False) as r:
        with Telemetry(r.switch) as telemetry:
            for parameter in ("", ",", ",1", ",255", ",256", ",-1", ",uplink", ",99999999999999999999",
                              ",0x", ",x" * 100):
                assert telemetry.ask(f"/vhost_switch/port{parameter}") is None, parameter
            assert telemetry.ask("/vhost_switch/ports") == ["0"]
