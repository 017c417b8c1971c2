# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The uplink's side of the wire: a tap of the switch, or the far end of a veth pair (AF_PACKET, AF_XDP, PCAP).

The switch runs in the namespace of the uplink, so that its tap appears there.
"""

from lib.frames import Port
from lib.guests import JUMBO_MTU, MTU
from lib.netns import Namespace

TAP = "tap"
AF_PACKET = "af_packet"
AF_XDP = "af_xdp"
PCAP = "pcap"
# A slot for 9000 bytes of payload: four are a whole number of pages, which net_af_packet takes for granted.
FRAME = 9216


class Uplink:
    def __init__(self, kind, jumbo=False):
        self.kind = kind
        self.jumbo = jumbo
        self.ns = Namespace()
        self.port = None
        self.near, self.far = "up0", "up0" if kind == TAP else "wire0"
        if kind != TAP:
            self.ns.veth(self.near, self.far, JUMBO_MTU if jumbo else MTU)

    def eal(self):
        if self.kind == TAP:
            return ["--vdev", f"net_tap0,iface={self.near}"]
        if self.kind in (AF_XDP, PCAP):
            return ["--vdev", f"net_{self.kind}0,iface={self.near}"]
        size = f",blocksz={4 * FRAME},framesz={FRAME},framecnt=512" if self.jumbo else ""
        return ["--vdev", f"net_af_packet0,iface={self.near}{size}"]

    def open(self):
        """To be called when the switch is ready: the tap exists, and frames can pass."""
        if self.kind == TAP:
            self.ns.up(self.near, MTU)
        self.port = Port(self.ns, self.far)

    def close(self):
        if self.port:
            self.port.close()
        self.ns.close()
