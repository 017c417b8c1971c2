# SPDX-License-Identifier: BSD-3-Clause
"""Tests with virtual machines.

image     kernel and initramfs of the guests
init      the guests' first process
guest     a Linux guest in QEMU: its shell, QEMU's monitor
host      the host behind the uplink, and an echo stream that accounts for each reply
lan       switch, guests and host together
"""
