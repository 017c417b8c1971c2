# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Asking a switch for its counters, by DPDK's telemetry socket."""

import glob
import json
import socket

from lib.wait import DEADLINE, wait_for


class Telemetry:
    def __init__(self, switch):
        pattern = f"{switch.directory}/dpdk/{switch.prefix}/dpdk_telemetry.v2*"
        path = wait_for(lambda: glob.glob(pattern), what=f"telemetry socket {pattern}")[0]
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(path)
        self.receive()  # the greeting

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.socket.close()

    def receive(self):
        return json.loads(self.socket.recv(65536))

    def ask(self, command):
        self.socket.send(command.encode())
        return self.receive()[command.split(",")[0]]
