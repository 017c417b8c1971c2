# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Harness of the end-to-end and virtual machine tests.

box       the directory of a test
proc      a child process, its output, its end
switch    vhost-switch under test
stats     its statistics table, and the sums that must agree
logs      what a log may not hold
testpmd   dpdk-testpmd as guests (virtio-user), alone or with taps beside
guests    guests that a test speaks for, frame by frame
netns     network namespaces, veth pairs
frames    frames with sequence numbers, raw sockets to send and receive them
hugepages where a test needs some
leftovers what must not be left behind
guide     the guide's commands and messages
qemu_words  names that differ from one QEMU to the next
vlan_matrix  who gets which frame from the uplink
"""
