# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The uplink is a pair of capture files: net_pcap plays frames out of one, and writes what leaves to the other."""

import collections
import contextlib
import os

from scapy.utils import RawPcapReader, wrpcap

from lib import frames
from lib.frames import BROADCAST, frame
from lib.guests import Guests, address
from lib.room import VLAN_BASE
from lib.switch import Switch
from lib.wait import wait_for

STRANGER = "02:00:00:00:00:99"
SIZES = (60, 64, 1000, 1514)


def tagged_for(device, seq, size):
    return frame(address(device), STRANGER, seq, size, tags=(VLAN_BASE + device,))


def written(path):
    """All frames in the file, each whole; the last one may be on its way into it."""
    if not os.path.exists(path) or os.path.getsize(path) < 24:
        return []
    with contextlib.closing(RawPcapReader(path)) as reader:
        got = [(data, meta.wirelen) for data, meta in reader]
    if got and len(got[-1][0]) < got[-1][1]:
        got.pop()
    assert all(len(data) == length for data, length in got)
    return [data for data, _ in got]


def test_files(box):
    """Frames for two guests come without end, among them some that are for nobody; what a guest sends is written."""
    due = {device: [tagged_for(device, seq, size) for seq, size in enumerate(SIZES)] for device in (0, 1)}
    lost = [frame(address(0), STRANGER, 9, tags=(VLAN_BASE + 7,)), tagged_for(0, 10, 1990)]
    source, target = box.path("in.pcap"), box.path("out.pcap")
    wrpcap(source, [data for pair in zip(*due.values()) for data in pair] + lost, linktype=1)
    with Switch(box, ["-p", "0x1"], eal=[
            "--vdev", f"net_pcap0,rx_pcap={source},tx_pcap={target},infinite_rx=1"]) as switch, \
            Guests(box, [switch.socket()] * 2) as guests:
        for guest in guests:
            guest.port.send(frame(BROADCAST, guest.mac))
            assert switch.wait_registered(guest.mac) == (guest.index, VLAN_BASE + guest.index)
        for guest in guests:
            # Rings overflow: not all frames arrive, and any may be the first.
            got = collections.Counter()
            while len(got) < len(SIZES) or min(got.values()) < 10:
                data = guest.port.receive()
                assert data is not None, f"{guest.mac} got {got.values()}"
                if data[0] & 1 == 0:  # no guest's broadcast
                    got[data] += 1
            assert got.keys() == {frames.untagged(data) for data in due[guest.index]}
        sent = [frame(STRANGER, guests[0].mac, 100 + seq, SIZES[seq % len(SIZES)]) for seq in range(100)]
        for data in sent:
            guests[0].port.send(data)
        wanted = [frames.tagged(data, VLAN_BASE) for data in sent]
        wait_for(lambda: [data for data in written(target) if data[:6] == wanted[0][:6]] == wanted,
                 what="all frames in the file")
        reasons = switch.next_table()["uplink"].reasons
        assert reasons["wrong_vlan"] > 0 and reasons["long_frame"] > 0
        assert switch.table()[0].reasons == {}
        assert "the uplink's link is up" in switch.table().text
