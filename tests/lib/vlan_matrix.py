# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Who gets which frame from the uplink, and with which tags a guest's frames leave: tables for every kind of uplink.

Three devices: A and B have sent something, so that their addresses are known; device S is silent.
A frame has a destination and a tag; it reaches one device or nobody. What reaches nobody is counted
under `reason` when the switch sorts in software (a NIC with VMDq may have dropped it already).
"""

import collections
import struct
from dataclasses import dataclass

A, B, S = 0, 1, 2
NOBODY = None

ADDRESSES = {
    "A's": lambda mac: mac[A],
    "B's": lambda mac: mac[B],
    "unknown": lambda mac: "02:00:00:00:77:77",
    "broadcast": lambda mac: "ff:ff:ff:ff:ff:ff",
    "multicast": lambda mac: "01:00:5e:00:00:fb",
    "LLDP's": lambda mac: "01:80:c2:00:00:0e",
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

    def due(self, guests):
        return set() if self.reaches is NOBODY else {guests[self.reaches]}


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
    # Of one link: no bridge forwards it.
    Case("LLDP's", "A's", NOBODY, "link_local"),
    Case("LLDP's", "S's", NOBODY, "link_local"),
    Case("LLDP's", "none", NOBODY, "link_local"),
)

# The same of frames with A's source address, which the wire brings back right after A has sent something.
REFLECTED = (
    Case("A's", "A's", NOBODY, "to_sender"),
    Case("A's", "B's", NOBODY, "to_sender"),
    Case("B's", "A's", NOBODY, "wrong_vlan"),
    Case("B's", "B's", B),
    Case("unknown", "A's", NOBODY, "to_sender"),
    Case("unknown", "B's", NOBODY, "unmatched"),
    Case("unknown", "S's", S),
    Case("broadcast", "A's", NOBODY, "to_sender"),
    Case("broadcast", "B's", B),
    Case("broadcast", "S's", S),
    Case("broadcast", "none", NOBODY, "wrong_vlan"),
    Case("multicast", "A's", NOBODY, "to_sender"),
    Case("multicast", "B's", B),
)


class Asked:
    """What the switch should have dropped, by reason."""

    def __init__(self):
        self.sure = collections.Counter()
        self.late = 0  # frames that may have been dropped for any reason, or not at all: see Room.while_held()

    def add(self, case, looks=1):
        """A frame of that case was sent, once for each look; only at the last one was it in time."""
        if case.reason:
            self.sure[case.reason] += 1
        self.late += looks - 1

    def check(self, reasons, nic_drops=False):
        """`reasons`: as they were counted. `nic_drops`: the NIC has dropped some of it already."""
        assert set(self.sure) <= set(reasons)
        assert nic_drops or not self.sure - collections.Counter(reasons), (reasons, self.sure)
        assert (collections.Counter(reasons) - self.sure).total() <= self.late, (reasons, self.sure, self.late)


# What leaves by the uplink of what a guest sends. Tags are (type, control information), the outer one first.

C, S_VLAN = 0x8100, 0x88a8  # 802.1Q, and 802.1ad's service tag
PRIORITY = 5 << 13


@dataclass(frozen=True)
class Leaving:
    """`own`: the guest's tags. `tagged`, `untagged`: those on the wire where its device has a tag, D, or none."""
    name: str
    own: tuple
    tagged: tuple
    untagged: tuple
    dropped: bool = False  # with own-tags=drop, at either

    def frame(self, data):
        return with_tags(data, self.own)

    def on_wire(self, data, device_tag):
        tags = self.untagged if device_tag is None else self.tagged
        return with_tags(data, tuple((kind, tci if tci < D else tci - D + device_tag) for kind, tci in tags))


def with_tags(data, tags):
    return data[:12] + b"".join(struct.pack("!HH", *tag) for tag in tags) + data[12:]


D = 1 << 16  # means the device's tag
LEAVING = (
    Leaving("none", (), ((C, D),), ()),
    Leaving("a VLAN", ((C, 7),), ((C, 7),), ((C, 7),), True),
    Leaving("a VLAN with priority", ((C, 7 | PRIORITY),), ((C, 7 | PRIORITY),), ((C, 7 | PRIORITY),), True),
    Leaving("two VLANs", ((C, 7), (C, 9)), ((C, 7), (C, 9)), ((C, 7), (C, 9)), True),
    Leaving("a service VLAN", ((S_VLAN, 7), (C, 9)), ((S_VLAN, 7), (C, 9)), ((S_VLAN, 7), (C, 9)), True),
    Leaving("priority", ((C, PRIORITY),), ((C, D + PRIORITY),), ((C, PRIORITY),)),
    Leaving("priority 0", ((C, 0),), ((C, D),), ((C, 0),)),
    Leaving("priority around a VLAN", ((C, PRIORITY), (C, 9)), ((C, D + PRIORITY), (C, 9)),
            ((C, PRIORITY), (C, 9)), True),
    Leaving("a service tag's priority", ((S_VLAN, PRIORITY),), ((C, D + PRIORITY),), ((S_VLAN, PRIORITY),)),
)
