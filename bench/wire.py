# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The frames that an uplink brings: net_pcap plays them over and over."""

import struct

from switches import VLAN

GUEST = bytes.fromhex("02005e100000")  # gen_mac(0) in gen.c
HOST = bytes.fromhex("02005e100001")
COUNT = 64  # a burst of the switch; net_pcap holds them in mbufs


def checksum(header):
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    while total > 0xffff:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def frame(length):
    """UDP over IPv4 from the host beyond the uplink to the first guest: `length` bytes without its tag."""
    parts = (0x4500, length - 14, 0, 0, 64 << 8 | 17, 0, bytes([10, 0, 0, 1]), bytes([10, 0, 0, 0]))
    ip = struct.pack(">6H4s4s", *parts)
    ip = ip[:10] + struct.pack(">H", checksum(ip)) + ip[12:]
    udp = struct.pack(">4H", 1024, 9, length - 34, 0)
    head = GUEST + HOST + struct.pack(">3H", 0x8100, VLAN, 0x0800) + ip + udp
    return head + bytes(length + 4 - len(head))


def write_pcap(path, length):
    data = frame(length)
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        f.write((struct.pack("<4I", 0, 0, len(data), len(data)) + data) * COUNT)
