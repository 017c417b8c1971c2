# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A client of a switch's control socket.

    control = Control(switch)
    control.ask("port.add", name="vm1", socket="/run/vm1.sock")
"""

import json
import socket

from lib.wait import DEADLINE, wait_for

BUSY = 3  # not now: a guest is being set up, a worker has no CPU for the moment, or there is another change


class Refused(Exception):
    def __init__(self, code, message):
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class Control:
    def __init__(self, switch):
        self.path = f"{switch.directory}/dpdk/{switch.prefix}/control"
        self.socket = connect(self.path)
        self.lines = self.socket.makefile("r")
        self.last = 0

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.lines.close()
        self.socket.close()

    def send(self, method, **params):
        """Sends a request whose answer is read later."""
        self.last += 1
        self.socket.sendall(json.dumps(
            {"jsonrpc": "2.0", "id": self.last, "method": method, "params": params}).encode() + b"\n")

    def ask(self, method, **params):
        """Returns the result. What can't be done just now is asked for again."""
        def tried():
            try:
                return (self.once(method, **params),)
            except Refused as refused:
                if refused.code != BUSY:
                    raise
                return None

        return wait_for(tried, what=f"{method} {params}")[0]

    def once(self, method, **params):
        self.send(method, **params)
        answer = self.read()
        assert answer["id"] == self.last
        if "error" in answer:
            raise Refused(**answer["error"])
        return answer["result"]

    def refused(self, method, **params):
        """The error of a request that must be refused."""
        try:
            result = self.once(method, **params)
        except Refused as refused:
            return refused
        raise AssertionError(f"{method} {params}: {result}")

    def read(self):
        line = self.lines.readline()
        assert line, "the switch has hung up"
        answer = json.loads(line)
        assert answer["jsonrpc"] == "2.0"
        return answer

    def port(self, name):
        return self.ask("port.list", name=name)["ports"][0]

    def names(self):
        return [port["name"] for port in self.ask("port.list")["ports"]]


def connect(path, timeout=DEADLINE):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)  # waits while the switch has others to accept
    client.settimeout(timeout)
    return client
