# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Guests that are User Mode Linux: no monitor between driver and switch, and signals by sockets."""

import pytest

from lib.switch import Switch
from vm.lan import echo
from vm.uml import Uml, make_image

PORT = ["--port", "uml,socket=./uml,guests=4,uml=yes"]
OFFLOADS = ["--tx-csum", "1", "--tso", "1", "--mergeable", "1"]
EVENT_IDX, CSUM, HOST_TSO4 = 29, 0, 11
NOT_OFFERED = (3, 16, 17, 18, 21, 22, 34)  # MTU, STATUS, CTRL_*, GUEST_ANNOUNCE, MQ, packed rings


@pytest.fixture(scope="module")
def uml_image(tmp_path_factory):
    return make_image(tmp_path_factory.mktemp("uml") / "initramfs")


@pytest.mark.parametrize("options", [[], OFFLOADS], ids=["plain", "offloads"])
def test_two(options, box, uml_image):
    """They ping each other, and a file of some MB arrives as it was: a lost signal would stop it."""
    with Switch(box, [*PORT, *options]) as switch:
        with Uml(box, "a", uml_image, switch.socket("uml"), "10.1.0.1") as a, \
                Uml(box, "b", uml_image, switch.socket("uml"), "10.1.0.2") as b:
            for guest in (a, b):
                guest.wait_up()
                features = guest.run("cat /sys/bus/virtio/devices/virtio0/features").strip()
                assert features[EVENT_IDX] == "1" and all(features[bit] == "0" for bit in NOT_OFFERED), features
                assert features[CSUM] == features[HOST_TSO4] == ("1" if options else "0")
            a.wait_for(f"ping -c 1 -W 1 {b.address}")
            interrupts = b.run("grep virtio-uml /proc/interrupts")
            for size in (0, 56, 1472, 4000):
                echo(a, b.address, size)
                echo(b, a.address, size)
            assert b.run("grep virtio-uml /proc/interrupts") != interrupts
            b.run("(nc -l -p 5400 -e md5sum > /dev/null 2>&1 &)")
            b.wait_for("netstat -ltn | grep -q :5400")
            a.run("dd if=/dev/urandom of=/tmp/file bs=1M count=8 2> /dev/null")
            assert a.run(f"nc {b.address} 5400 < /tmp/file") == a.run("md5sum < /tmp/file")
        switch.wait_output("device 1 departed")
        assert "not used" not in switch.stderr
