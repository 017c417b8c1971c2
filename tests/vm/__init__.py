# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Tests with virtual machines.

image     kernel and initramfs of guests and machines
headers   kernel headers, and our kernel module built with them
qemu      a virtual machine in QEMU: its console, its channel, its monitor
init      the guests' first process
guest     a Linux guest: its shell, its network card
machine   a machine with our files inside, in which commands and functions run
machine-init, agent  what runs in there
igb       a machine with an 82576 NIC as the uplink, and the other end of its wire
cuse_side the tests of the cuse back end, as they run in their machine
boot_rom  QEMU with a boot ROM alone as guest, and the server that it boots from
host      the host beyond the uplink, and an echo stream that accounts for each reply
lan       switch, guests and host together
"""
