# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Two dpdk-testpmd guests of two virtio devices each, as the old guide runs them.

`set fwd mac retry`, `start tx_first`: A sends from both its ports to B's, B answers from the other
one, and so on in a circle, as fast as it goes.
"""

import contextlib
import os

import pytest

from lib.switch import ONE_WORKER, TWO_WORKERS, Switch
from lib.testpmd import Testpmd, virtio_user
from lib.wait import wait_for

A = ("cc:bb:bb:bb:bb:a0", "cc:bb:bb:bb:bb:a1")
B = ("cc:bb:bb:bb:bb:b0", "cc:bb:bb:bb:bb:b1")
ENOUGH = 10000  # frames at each port: many times round each ring that is not the largest
RESTARTS = 5


def guest(box, sockets, own, other, *, vectorised=False, prompt=True, mbufs=8192, memory=128, **virtio):
    app = [f"--eth-peer={port},{mac}" for port, mac in enumerate(other)]
    eal = ["--log-level=pmd.net.virtio.init:info"] + (["--force-max-simd-bitwidth=128"] if vectorised else [])
    vdevs = [virtio_user(i, path, mac, **virtio) for i, (path, mac) in enumerate(zip(sockets, own))]
    return Testpmd(box, vdevs, app, eal=eal, mbufs=mbufs, memory=memory, prompt=prompt)


def run_traffic(a, b, frames=ENOUGH):
    """Starts both and waits until each port has received its share."""
    b.forward("mac", tx_first=False)
    a.forward("mac")
    for pmd in (a, b):
        for port in (0, 1):
            pmd.wait_received(port, frames)


def rest(a, b):
    for pmd in (a, b):
        pmd.stop_forwarding()


def check_registered(switch):
    """One line a device, each with the tag of its device."""
    for mac in A + B:
        switch.wait_registered(mac)
    lines = switch.registered()
    assert sorted(mac for _, mac, _ in lines) == sorted(A + B), lines
    assert sorted(device for device, _, _ in lines) == [0, 1, 2, 3], lines
    assert all(tag == 1000 + device for device, _, tag in lines), lines


@contextlib.contextmanager
def pair(box, switch, sockets_a=None, sockets_b=None, **virtio):
    with guest(box, sockets_a or [switch.socket()] * 2, A, B, **virtio) as a, \
            guest(box, sockets_b or [switch.socket()] * 2, B, A, **virtio) as b:
        yield a, b


def traffic_both_ways(box, options=(), lcores=ONE_WORKER, **virtio):
    """The classic test; returns what the guests' drivers said."""
    with Switch(box, options, lcores=lcores) as switch:
        with pair(box, switch, **virtio) as (a, b):
            run_traffic(a, b)
            check_registered(switch)
            rest(a, b)
            said = a.stdout + a.stderr
            a.quit()
            b.quit()
        table = switch.stop()
        assert table["departed"].received >= 4 * ENOUGH
        assert table["departed"].delivered >= 4 * ENOUGH
    return said


def test_two_guests(box):
    traffic_both_ways(box)


def test_two_guests_two_workers(box):
    traffic_both_ways(box, lcores=TWO_WORKERS)


@pytest.mark.parametrize("switch_offers", [0, 1])
@pytest.mark.parametrize("guest_wants", [0, 1])
def test_mergeable(box, switch_offers, guest_wants):
    said = traffic_both_ways(box, ["--mergeable", switch_offers], mrg_rxbuf=guest_wants, in_order=0)
    mergeable = "mergeable buffer Rx path" in said
    assert mergeable == bool(switch_offers and guest_wants), said


@pytest.mark.parametrize("size", [64, 256, 1024])
def test_ring_size(box, size):
    traffic_both_ways(box, queue_size=size)


def test_largest_ring(box):
    """32768 entries, the most that virtio allows."""
    traffic_both_ways(box, queue_size=32768, mbufs=160000, memory=512)


def test_in_order_driver(box):
    """The driver asks for in-order; what the switch does not offer it goes without."""
    traffic_both_ways(box, in_order=1, mrg_rxbuf=0)


def test_vectorised_driver(box):
    said = traffic_both_ways(box, vectorised=True, mrg_rxbuf=0, in_order=0, vectorized=1)
    assert "vectorized" in said, said


def test_one_socket_for_each_device(box):
    names = ["a0", "a1", "b0", "b1"]
    options = [word for name in names for word in ("--socket-file", name)]
    with Switch(box, options) as switch:
        paths = [switch.socket(name) for name in names]
        with pair(box, switch, paths[:2], paths[2:]) as (a, b):
            run_traffic(a, b)
            check_registered(switch)
            rest(a, b)


def test_driver_is_restarted(box):
    """A reboot stops the rings, and the same process sets them up and uses them again on the same connection."""
    with Switch(box) as switch:
        with pair(box, switch) as (a, b):
            run_traffic(a, b)
            for _ in range(RESTARTS):
                rest(a, b)
                b.command("port stop all")
                b.command("port start all")
                before = [pmd.port_stats() for pmd in (a, b)]
                b.forward("mac", tx_first=False)
                a.forward("mac")
                for pmd, counts in zip((a, b), before):
                    for port in (0, 1):
                        pmd.wait_received(port, counts[port][0] + ENOUGH // RESTARTS)
            check_registered(switch)
            rest(a, b)


# --client: the guests own the sockets, the switch connects.

CLIENT = ["--client"] + [word for name in ("a0", "a1", "b0", "b1") for word in ("--socket-file", name)]
# What librte_vhost logs while the other side is not there.
AWAY = [r"VHOST_CONFIG: .*(failed to connect|reconnecting|reconnect|Connection refused|No such file)"]


def served(box, own, other, names):
    """A guest that owns its sockets; its prompt comes when the switch has connected."""
    paths = [box.path(name) for name in names]
    box.foreign_sockets.update(names)
    for path in paths:  # a guest that was killed leaves its sockets, and testpmd does not replace them
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
    return guest(box, paths, own, other, prompt=False, server=1)


def test_client_mode_switch_first(box):
    with Switch(box, CLIENT, allow_log=AWAY) as switch:
        with served(box, A, B, ("a0", "a1")) as a, served(box, B, A, ("b0", "b1")) as b:
            a.wait_prompt()
            b.wait_prompt()
            run_traffic(a, b)
            check_registered(switch)
            rest(a, b)


def test_client_mode_guests_first(box):
    with served(box, A, B, ("a0", "a1")) as a, served(box, B, A, ("b0", "b1")) as b:
        with Switch(box, CLIENT, allow_log=AWAY) as switch:
            a.wait_prompt()
            b.wait_prompt()
            run_traffic(a, b)
            check_registered(switch)
            rest(a, b)


def test_client_mode_guest_is_killed_and_comes_back(box):
    with Switch(box, CLIENT, allow_log=AWAY) as switch:
        with served(box, A, B, ("a0", "a1")) as a:
            with served(box, B, A, ("b0", "b1")) as b:
                a.wait_prompt()
                b.wait_prompt()
                run_traffic(a, b)
                b.kill()
            with served(box, B, A, ("b0", "b1")) as b:
                b.wait_prompt()
                before = a.port_stats()
                b.forward("mac")
                for port in (0, 1):
                    b.wait_received(port, ENOUGH)
                    a.wait_received(port, before[port][0] + ENOUGH)
                rest(a, b)
        wait_for(lambda: len(switch.registered()) >= 6, what="the guest that came back is registered")
        lines = [(device, mac) for device, mac, _ in switch.registered()]
        assert len(lines) == 6 and {mac for _, mac in lines[4:]} == set(B), "only the guest that came back, again"


def test_client_mode_switch_is_killed_and_comes_back(box):
    """The guests go on serving their sockets; a new switch connects and traffic flows again."""
    with served(box, A, B, ("a0", "a1")) as a, served(box, B, A, ("b0", "b1")) as b:
        switch = Switch(box, CLIENT, allow_log=AWAY)
        try:
            a.wait_prompt()
            b.wait_prompt()
            run_traffic(a, b)
        finally:
            switch.kill()
        rest(a, b)
        before = [pmd.port_stats() for pmd in (a, b)]
        with Switch(box, CLIENT, allow_log=AWAY) as second:
            second.wait_table(lambda t: len(t.devices()) == 4)
            b.start()
            a.start(tx_first=True)
            for pmd, counts in zip((a, b), before):
                for port in (0, 1):
                    pmd.wait_received(port, counts[port][0] + ENOUGH)
            check_registered(second)
            rest(a, b)
