# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The uplink is a bond: of two links by LACP, where it stays up while guests are silent; and of four."""

import contextlib

from lib import proc
from lib.frames import BROADCAST, Port, frame
from lib.guests import MTU, Guests
from lib.lacp import Partner
from lib.netns import Namespace
from lib.switch import Switch
from lib.telemetry import Telemetry
from lib.wait import wait_for

STRANGER = "02:00:00:00:00:99"
LINKS = (("near0", "far0"), ("near1", "far1"))
MESSAGES = 4  # by each link; the driver sends one a second
# net_af_packet lets all multicast in as it is, and has no call to say so.
LOG = [r"bond_.*allmulti mode for port"]


def eal(mode, driver, interfaces):
    """EAL's options for a bond, whose links have this driver."""
    version = proc.run(["pkg-config", "--modversion", "libdpdk"])[1].split(".")
    word = "slave" if [int(n) for n in version[:2]] < [23, 11] else "member"
    bond = f"net_bonding0,mode={mode}"
    vdevs = []
    for number, interface in enumerate(interfaces):
        vdevs += ["--vdev", f"{driver}{number},iface={interface}"]
        bond += f",{word}={driver}{number}"
    return [*vdevs, "--vdev", bond]


def test_lacp_with_idle_guests(box):
    with contextlib.ExitStack() as stack:
        ns = stack.enter_context(Namespace())
        for near, far in LINKS:
            ns.veth(near, far, MTU)
        ports = [stack.enter_context(Port(ns, far)) for _, far in LINKS]
        partner = stack.enter_context(Partner(ports))
        switch = stack.enter_context(Switch(box, ["-p", "0x4", "--vlan-base", 0], ns=ns,
                                            eal=eal(4, "net_af_packet", [near for near, _ in LINKS]), allow_log=LOG))
        guests = stack.enter_context(Guests(box, [switch.socket()]))
        guest = guests[0]
        partner.wait_up()
        partner.wait_messages(MESSAGES)
        assert all(partner.in_use(link) for link in range(len(LINKS)))
        with Telemetry(switch) as telemetry:
            counters = telemetry.ask("/vhost_switch/port,uplink")
            assert counters["link"] == "up"
            assert counters["sent"] == 0  # without anything that a guest did

        out = frame(BROADCAST, guest.mac, 1)
        guest.port.send(out)
        wait_for(lambda: sum(partner.frames.values(), []), what="the guest's frame")
        assert sum(partner.frames.values(), []) == [out]
        for link, port in enumerate(ports):
            back = frame(guest.mac, STRANGER, link)
            port.send(back)
            assert guest.port.until(back) == []


def test_links_with_mbufs_of_their_own(box):
    """Each tap has as many mbufs as its receive queue has descriptors, from the pool of the bond."""
    taps = [f"up{number}" for number in range(4)]
    arguments = {"eal": eal(1, "net_tap", taps), "allow_log": LOG}
    with Namespace() as ns, \
            Switch(box, ["-p", "0x10", "--vlan-base", 0], ns=ns, **arguments) as switch, \
            Guests(box, [switch.socket()]) as guests:
        for tap in taps:
            ns.ip("link", "set", tap, "up")
        with Port(ns, taps[0]) as port:
            out = frame(BROADCAST, guests[0].mac, 1)
            guests[0].port.send(out)
            assert port.until(out) == []
