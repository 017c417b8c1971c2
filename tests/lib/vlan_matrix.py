# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Who gets which frame from the uplink: one table for every kind of uplink.

Three devices: A and B have sent something, so that their addresses are known; device S is silent.
A frame has a destination and a tag; it reaches one device or nobody. What reaches nobody is counted
under `reason` when the switch sorts in software (a NIC with VMDq may have dropped it already).
"""

from dataclasses import dataclass

A, B, S = 0, 1, 2
NOBODY = None

ADDRESSES = {
    "A's": lambda mac: mac[A],
    "B's": lambda mac: mac[B],
    "unknown": lambda mac: "02:00:00:00:77:77",
    "broadcast": lambda mac: "ff:ff:ff:ff:ff:ff",
    "multicast": lambda mac: "01:00:5e:00:00:fb",
}

# From the tags of the devices to the tags of the frame.
TAGS = {
    "A's": lambda tag: (tag[A],),
    "B's": lambda tag: (tag[B],),
    "S's": lambda tag: (tag[S],),
    "nobody's": lambda tag: (tag[S] + 1,),
    "below the first": lambda tag: (tag[A] - 1,),
    "priority only": lambda tag: (0,),
    "none": lambda tag: (),
    "A's with priority": lambda tag: (tag[A] | 5 << 13,),
}


@dataclass(frozen=True)
class Case:
    address: str
    tag: str
    reaches: object
    reason: str = ""

    @property
    def name(self):
        return f"{self.address} address, tag {self.tag}"

    def destination(self, addresses):
        return ADDRESSES[self.address](addresses)

    def tags(self, tags):
        return TAGS[self.tag](tags)


MATRIX = (
    Case("A's", "A's", A),
    Case("A's", "B's", NOBODY, "wrong_vlan"),
    Case("A's", "S's", NOBODY, "wrong_vlan"),
    Case("A's", "nobody's", NOBODY, "wrong_vlan"),
    Case("A's", "below the first", NOBODY, "wrong_vlan"),
    Case("A's", "priority only", NOBODY, "wrong_vlan"),
    Case("A's", "none", NOBODY, "wrong_vlan"),
    Case("A's", "A's with priority", A),
    Case("B's", "A's", NOBODY, "wrong_vlan"),
    Case("B's", "B's", B),
    Case("B's", "S's", NOBODY, "wrong_vlan"),
    Case("B's", "none", NOBODY, "wrong_vlan"),
    Case("unknown", "A's", NOBODY, "unmatched"),
    Case("unknown", "B's", NOBODY, "unmatched"),
    Case("unknown", "S's", S),
    Case("unknown", "nobody's", NOBODY, "wrong_vlan"),
    Case("unknown", "none", NOBODY, "wrong_vlan"),
    Case("broadcast", "A's", A),
    Case("broadcast", "B's", B),
    Case("broadcast", "S's", S),
    Case("broadcast", "nobody's", NOBODY, "wrong_vlan"),
    Case("broadcast", "none", NOBODY, "wrong_vlan"),
    Case("multicast", "A's", A),
    Case("multicast", "B's", B),
    Case("multicast", "S's", S),
    Case("multicast", "nobody's", NOBODY, "wrong_vlan"),
    Case("multicast", "none", NOBODY, "wrong_vlan"),
)
