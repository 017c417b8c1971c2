# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The other end of a LAG that speaks LACP (IEEE 802.1AX), for kernels that have no bonding.

    with Partner([port, port]) as partner:
        partner.wait_up()

It answers each message on the link that it came by, wants one a second, and notes what came. A thread
of its own reads the ports; other frames are in `frames`, by link.
"""

import collections
import select

from scapy.contrib.lacp import LACP, SlowProtocol
from scapy.layers.l2 import Ether

from lib.background import Background
from lib.wait import wait_for

ADDRESS = "01:80:c2:00:00:02"
SYSTEM = "02:00:00:00:ac:00"
ACTIVE, SHORT, AGGREGATION, SYNCHRONIZATION, COLLECTING, DISTRIBUTING = (1 << i for i in range(6))
IN_USE = SYNCHRONIZATION | COLLECTING | DISTRIBUTING
ASK_SECONDS = 1.0  # seconds between messages that are not answers


class Partner(Background):
    def __init__(self, ports):
        super().__init__()
        self.ports = ports
        self.heard = [[] for _ in ports]  # states of the other end, in order
        self.frames = collections.defaultdict(list)
        self.others = [None for _ in ports]  # its last message

    def work(self):
        while not self.over.is_set():
            if not self._listen():
                for link in range(len(self.ports)):
                    self._speak(link)

    def _listen(self):
        """Returns true if something came before it is time to send."""
        ready, _, _ = select.select(self.ports, [], [], ASK_SECONDS)
        for port in ready:
            link = self.ports.index(port)
            while (data := port.receive(0)) is not None:
                message = Ether(data)
                if message.haslayer(LACP):
                    self.others[link] = message[LACP]
                    self.heard[link].append(message[LACP].actor_state)
                    self._speak(link)
                else:
                    self.frames[link].append(data)
        return ready

    def _speak(self, link):
        other = self.others[link]
        seen = {} if other is None else {
            f"partner_{key}": getattr(other, f"actor_{key}")
            for key in ("system_priority", "system", "key", "port_priority", "port_number", "state")}
        message = LACP(actor_system=SYSTEM, actor_key=1, actor_port_number=link + 1, actor_system_priority=65535,
                       actor_state=ACTIVE | SHORT | AGGREGATION | IN_USE, **seen)
        self.ports[link].send(bytes(Ether(dst=ADDRESS, src=f"02:00:00:00:ac:{link + 1:02x}") /
                                    SlowProtocol() / message))

    def in_use(self, link):
        """Returns true if the other end's last message says that it sends and receives by this link."""
        return bool(self.heard[link]) and self.heard[link][-1] & IN_USE == IN_USE

    def wait_up(self):
        for link in range(len(self.ports)):
            wait_for(lambda i=link: self.in_use(i), what=lambda i=link: f"link {i} in use: {self.heard[i]}")

    def wait_messages(self, count):
        """Waits until that many more have come by each link."""
        before = [len(heard) for heard in self.heard]
        for link, old in enumerate(before):
            wait_for(lambda i=link, n=old: len(self.heard[i]) >= n + count,
                     what=lambda i=link, n=old: f"{count} messages by link {i}: {len(self.heard[i]) - n} came")
