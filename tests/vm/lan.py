# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A switch with an uplink, Linux guests on it, and the host beyond the uplink.

    with Lan(box, image, "ab") as lan:
        lan.boot()
        lan.all_ping(1472)

Guests are named by one letter each, and have a socket of the switch each. Leaving the block ends
the guests, then the switch, with all the checks of Guest and Switch.
"""

import contextlib

from lib.switch import Switch
from lib.uplink import TAP, Uplink
from lib.wait import wait_for
from vm.guest import Guest, Nic
from vm.host import ADDRESS, Host

VLAN_BASE = 1000
MTU = 1500
HEADERS = 28  # of IPv4 and ICMP: an echo of MTU - HEADERS bytes fills a frame
COUNT = 5


class Lan:
    """`nics`: {name: options of virtio-net-pci}, `pairs`: {name: queue pairs}, for guests that have some.

    The worker sleeps while nothing moves, unless it `polls`: that takes one of two processors from guests that are
    emulated, and a test half as long again.
    """

    def __init__(self, box, image, names, *, nics=None, pairs=None, uplink=TAP, vlan_base=VLAN_BASE, mtu=MTU,
                 client=False, polls=False, options=()):
        self.box = box
        self.image = image
        self.names = names
        self.nics = nics or {}
        self.pairs = pairs or {}
        self.kind = uplink
        self.vlan_base = vlan_base
        self.mtu = mtu
        self.client = client
        self.options = ["-p", "0x1", "--vlan-base", vlan_base, *options]
        self.options += ["--mergeable", "1"] if mtu > MTU else []
        self.options += ["--client"] if client else []
        self.options += [] if polls else ["--idle-sleep", "100"]
        for name in names:
            self.options += ["--socket-file", self._socket(name)]
        # librte_vhost says so until QEMU is there.
        self.allow_log = ["failed to connect: (No such file|Connection refused)"] if client else []
        self.guests = {}
        self.stack = contextlib.ExitStack()  # the guests
        self.core = None  # the switch, and what lives and dies with it

    def __enter__(self):
        self.start_switch()
        return self

    def __exit__(self, *exception):
        self.core.push(self.stack)
        return self.core.__exit__(*exception)

    def _socket(self, name):
        return self.box.path(f"{name}.sock")

    # The switch.

    def start_switch(self):
        with contextlib.ExitStack() as stack:
            uplink = Uplink(self.kind, self.mtu > MTU)
            stack.callback(uplink.close)
            self.switch = stack.enter_context(
                Switch(self.box, self.options, ns=uplink.ns, eal=uplink.eal(), allow_log=self.allow_log))
            uplink.open()
            self.host = Host(uplink, self.vlan_base, self.mtu)
            stack.callback(self.host.close)
            self.core = stack.pop_all()

    def kill_switch(self):
        """Kills the switch like a crash: nothing is cleaned up."""
        self.switch.kill()
        self.switch.status = self.switch.child.returncode
        self.core.close()

    # The guests.

    def start(self, name):
        """Starts a guest, for the first time or again."""
        number = self.names.index(name) + 1
        pairs = self.pairs.get(name, 1)
        nic = Nic(f"52:54:00:00:00:{number:02x}", self._socket(name), self.client, self.nics.get(name, ""), pairs)
        # Two processors: each chooses among the transmit queues that are its own.
        guest = Guest(self.box, name, self.image, nic, address=f"10.1.0.{number}", mtu=self.mtu,
                      cpus=min(pairs, 2))
        self.guests[name] = self.stack.enter_context(guest)
        return guest

    def boot(self):
        """Starts all guests; when it returns, everybody reaches everybody."""
        for name in self.names:
            self.start(name)
        for guest in self.guests.values():
            guest.wait_up()
        for guest in self.guests.values():
            self.join(guest)
        return self.guests.values()

    def others(self, guest):
        return [other for other in self.guests.values() if other is not guest]

    def join(self, guest):
        """Waits until the guest and everybody else reach each other."""
        for other in self.others(guest):
            guest.wait_for(f"ping -c 1 -W 1 {other.address}")
        wait_for(lambda: self._found_by_host(guest), what=f"{guest.name} reached by the host")

    def tag(self, guest):
        """The VLAN tag of the guest's device, None before it is known."""
        tags = [tag for _, mac, tag in self.switch.registered() if mac == guest.mac]
        return tags[-1] if tags else None

    def _found_by_host(self, guest):
        tag = self.tag(guest)
        if tag is None:
            guest.run(f"ping -c 1 -W 1 {ADDRESS}", check=False)  # with nobody else there it has sent nothing yet
            return False
        self.host.meet(guest.address, tag)
        return self.host.reaches(guest.address)

    def all_ping(self, size, between_guests=None):
        """Every pair pings both ways. `between_guests` is a larger size, where the uplink is not on the way."""
        for guest in self.guests.values():
            for other in self.others(guest):
                echo(guest, other.address, between_guests or size)
            echo(guest, ADDRESS, size)
            self.host.echo(guest.address, size, COUNT)


def echo(guest, address, size):
    """Asserts that COUNT echoes of that size come back to the guest.

    Each has a ping of its own: busybox's waits as long as it is told only while nothing has come back at all.
    """
    guest.run(f"for i in $(seq {COUNT}); do ping -q -c 1 -W 20 -s {size} {address} || exit 1; done")
