# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Frames beside a client of the control socket that asks for all there is, ten times a second.

Both rates are of one switch, measured one right after the other, and in every second round in the opposite order.
The client runs on the generator's CPU, as the main lcore does, so guests that poll may lose frames because the
generator is slower. Bursts say more: they are timed while the generator sleeps.
"""

import contextlib
import json
import os
import socket
import threading

from rows import BURSTS, SIZES, Row
from switches import OURS, VhostSwitch

PERIOD = 0.1  # seconds
METHODS = ("stats", "port.list", "worker.list", "fdb.list")
WAYS = {  # of the generator: what is printed, words for it
    "sleeps": ("in bursts, while the guests sleep", BURSTS),
    "polls": ("guests poll", ()),
}
LEAST = 0.98  # of the rate without such a client


class Asking(threading.Thread):
    """The client, during its block."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.over = threading.Event()
        self.rounds = 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.requests = [json.dumps({"jsonrpc": "2.0", "id": 1, "method": method}).encode() + b"\n"
                         for method in METHODS]

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *exception):
        self.over.set()
        self.join()
        self.socket.close()
        if kind is None and not self.rounds:
            raise RuntimeError("the control socket answered nothing")

    def run(self):
        with self.socket.makefile("rb") as lines:
            while not self.over.wait(PERIOD):
                for request in self.requests:
                    self.socket.sendall(request)
                    if b'"result"' not in lines.readline():
                        return
                self.rounds += 1


class ControlRow(Row):
    name = "control"
    shared = False
    reads = False  # it compares the switch with itself

    def own(self, kind):
        if kind is not VhostSwitch:
            return
        path = os.path.join(self.bench.place.directory, "control")
        with kind(self.bench.place, options=["--control", path]) as switch:
            for size in SIZES:
                for way, (_, words) in WAYS.items():
                    self._both(switch, path, (way, size), ("--size", size, *words))

    def _both(self, switch, path, key, words):
        sides = ["alone", "asked"]
        if len(self.bench.samples[self.name, "alone", *key]) % 2:
            sides.reverse()
        for side in sides:
            with Asking(path) if side == "asked" else contextlib.nullcontext():
                self.add(side, *key, value=self.bench.measure(switch, *words)["mpps"])

    def show(self):
        if OURS not in self.bench.options.only:
            return
        self.size_title("Millions of frames/s, and what a client of the control socket leaves of them")
        for way, (text, _) in WAYS.items():
            self.sizes(f"{text}: alone", "alone", way)
            self.sizes(f"{text}: asked {1 / PERIOD:.0f} times a second", "asked", way)
            self.ratios("asked / alone", ("asked", way), ("alone", way))

    def required(self):
        if OURS in self.bench.options.only:
            for size in SIZES:
                yield (f"{size} B, asked {1 / PERIOD:.0f} times a second / alone",
                       self.ratio(("asked", "sleeps", size), ("alone", "sleeps", size)), LEAST, True)
