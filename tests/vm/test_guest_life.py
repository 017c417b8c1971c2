# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""What happens to a guest under traffic does not touch its neighbour.

Guest a reboots, crashes, loses its driver, ... while a, b and the host beyond the uplink send to
each other. An echo stream between the host and b must lose nothing meanwhile; a must be back
afterwards, and the switch must hold as many file descriptors, threads and mappings as before.
"""

import contextlib
import signal

import pytest

from lib.proc import Process
from lib.wait import wait_for
from vm.host import ADDRESS, Pinger
from vm.lan import Lan

DRIVER = "/sys/bus/virtio/drivers/virtio_net"
MEMORY = 128 << 20
# b must not lose a frame because its emulated processor stood still for a moment.
NICS = {"b": "rx_queue_size=1024"}


def reboots(lan, a):
    a.reboot(orderly=True)
    lan.join(a)
    a.reboot(orderly=False)


def is_killed(lan, a):
    a.kill()
    lan.start("a").wait_up()


def reloads_its_driver(lan, a):
    for _ in range(3):
        a.run("rmmod virtio_net && insmod /modules/virtio_net.ko && netup")
        lan.join(a)


def is_unbound(lan, a):
    for _ in range(3):
        a.run(f"echo virtio0 > {DRIVER}/unbind; echo virtio0 > {DRIVER}/bind; netup")
        lan.join(a)


def goes_down_and_up(lan, a):
    for _ in range(5):
        a.run("ip link set eth0 down; netup")
        lan.join(a)


def changes_its_mtu(lan, a):
    for mtu in (1280, 576, 1500):
        a.run(f"ip link set eth0 mtu {mtu}")
        lan.join(a)


def gets_more_memory_and_less(lan, a):
    """Each step changes the memory table; the new memory comes into use before it goes."""
    block = "/sys/devices/system/memory/memory*"
    offline = f"grep -l offline {block}/state"
    for _ in range(2):
        assert a.plug_memory("more", MEMORY)
        a.wait_for(f"{offline} > /tmp/new && while read f; do echo online_movable > $f; done < /tmp/new")
        lan.join(a)
        a.run("while read f; do echo offline > $f; done < /tmp/new")
        a.unplug_memory("more")
        lan.join(a)


def is_unplugged_and_plugged(lan, a):
    for _ in range(2):
        a.unplug()
        a.wait_for("! ip link show eth0")
        a.plug()
        a.wait_for("netup")
        lan.join(a)


def is_stopped_and_continued(lan, a):
    for _ in range(3):
        a.qmp("stop")
        a.qmp("cont")
        lan.join(a)


def stands_still(lan, a):
    """Its rings stay as they are, and fill up."""
    def dropped(table):
        return sum(row.reasons.get("ring_full", 0) for row in table.rows.values())
    before = dropped(lan.switch.next_table())
    a.signal(signal.SIGSTOP)
    lan.switch.wait_table(lambda table: dropped(table) > before + 100)
    a.signal(signal.SIGCONT)


@contextlib.contextmanager
def traffic(lan, a, b):
    """Streams between everybody and a, which may be lost, and between the host and b, which may not."""
    # Nobody asks for a's address while it is away, so that all keep sending.
    b.run(f"arp -s {a.address} {a.mac}")
    lan.host.pin(a.address, a.mac)
    b.stream(a.address)
    a.stream(ADDRESS)
    with Process(["ping", "-q", "-i", "0.002", "-s", "1000", a.address], ns=lan.host.ns):
        steady = Pinger(lan.host, b.address)
        try:
            wait_for(lambda: len(steady.got) > 20, what="echoes of b")
            yield
        finally:
            steady.finish()


def held(switch):
    """What a guest costs the switch."""
    with open(f"/proc/{switch.pid}/maps", encoding="ascii") as f:
        guest_memory = sum("memfd:memory-backend" in line for line in f)
    return switch.fds(), switch.threads(), guest_memory


@pytest.mark.parametrize("event", [
    reboots, is_killed, reloads_its_driver, is_unbound, goes_down_and_up, changes_its_mtu,
    gets_more_memory_and_less, is_unplugged_and_plugged, is_stopped_and_continued, stands_still,
], ids=lambda event: event.__name__)
def test_neighbour_of_a_guest_that(event, box, image):
    check_neighbour(event, Lan(box, image, "ab", nics=NICS))


def test_neighbour_of_a_guest_that_is_killed_and_serves_its_socket(box, image):
    check_neighbour(is_killed, Lan(box, image, "ab", nics=NICS, client=True))


def check_neighbour(event, network):
    with network as lan:
        a, b = lan.boot()
        before = held(lan.switch)
        with traffic(lan, a, b):
            event(lan, a)
            lan.join(lan.guests["a"])
            b.wait_replies()
        wait_for(lambda: held(lan.switch) == before, what=lambda: f"{before} again, now {held(lan.switch)}")
