# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A guest and the host beyond the uplink, each with Linux's own network stack, in a namespace each.

The guest is dpdk-testpmd between a virtio-user port and a tap, whose kernel side has the guest's address.
"""

import contextlib
import hashlib
import json
import socket
import threading

from lib.guests import Guests
from lib.proc import Process
from lib.switch import Switch
from lib.uplink import Uplink
from lib.wait import DEADLINE, wait_for

GUEST, HOST = "10.9.0.1", "10.9.0.254"
PORT = 5400
MTU = 1500
_BLOCK = bytes(range(256)) * 4096  # 1 MiB
PATIENCE = 4 * DEADLINE  # for 100 MB on a busy machine


class Stacks:
    """`guest` and `host` are namespaces."""

    def __init__(self, switch, uplink, guests):
        self.switch = switch
        self.uplink = uplink
        self.guest, self.host = guests.ns, uplink.ns

    def answers(self):
        """Pings the guest until an echo comes back."""
        wait_for(lambda: self.host.run("ping", "-q", "-c", 1, "-W", 1, GUEST, check=False)[0] == 0,
                 what=f"an echo of the guest\n{self.switch.tail()}")

    def bad_checksums(self):
        """TCP segments that the guest's kernel found wrong."""
        def read():
            with open("/proc/thread-self/net/snmp", encoding="ascii") as f:
                return f.read()
        names, values = (line.split()[1:] for line in self.guest.inside(read).splitlines() if line.startswith("Tcp:"))
        return int(values[names.index("InCsumErrors")])

    def server(self, ns, address):
        def listen():
            s = socket.create_server((address, PORT))
            s.settimeout(PATIENCE)
            return s
        return ns.inside(listen)

    def stream(self, sender, receiver, address, mbytes):
        """Sends that many MB over a TCP connection; each byte must arrive unchanged."""
        server = self.server(receiver, address)
        result = []

        def receive():
            with server, server.accept()[0] as connection:
                connection.settimeout(PATIENCE)
                digest, length = hashlib.sha256(), 0
                while data := connection.recv(1 << 20):
                    digest.update(data)
                    length += len(data)
                result.append((length, digest.hexdigest()))

        thread = threading.Thread(target=receive, daemon=True)
        thread.start()
        digest = hashlib.sha256()
        with sender.inside(lambda: socket.create_connection((address, PORT), PATIENCE)) as connection:
            for number in range(mbytes):
                block = number.to_bytes(4, "big") + _BLOCK[4:]
                digest.update(block)
                connection.sendall(block)
        thread.join(PATIENCE)
        assert result == [(mbytes << 20, digest.hexdigest())], self.switch.tail()

    @contextlib.contextmanager
    def iperf_server(self):
        """iperf3's server, on the host."""
        with Process(["iperf3", "--server", "--forceflush"], name="iperf3", ns=self.host) as server:
            server.wait_output("Server listening", stream="out")
            yield

    def iperf(self, *options):
        """iperf3 from the guest to the host; returns the bytes that arrived."""
        with Process(["iperf3", "--client", HOST, "--json", *options], name="iperf3", ns=self.guest) as client:
            assert client.wait(PATIENCE) == 0, client.tail()
            return json.loads(client.stdout)["end"]["sum_received"]["bytes"]


@contextlib.contextmanager
def stacks(box, kind, options=(), offloads=None, **switch_arguments):
    """`offloads`: what ethtool sets on the far end of the veth pair, before the switch starts."""
    with contextlib.ExitStack() as stack:
        uplink = Uplink(kind)
        stack.callback(uplink.close)
        if offloads:
            uplink.ns.run("ethtool", "-K", uplink.far, *offloads)
        switch = stack.enter_context(Switch(box, ["-p", "0x1", "--vlan-base", 0, *options], ns=uplink.ns,
                                            eal=uplink.eal(), **switch_arguments))
        guests = stack.enter_context(Guests(box, [switch.socket()]))
        guests[0].port.close()  # nobody looks at frames here
        guests.ns.ip("link", "set", guests[0].tap, "address", guests[0].mac)
        guests.ns.up(guests[0].tap, MTU, f"{GUEST}/24")
        uplink.ns.up(uplink.far, MTU, f"{HOST}/24")
        yield Stacks(switch, uplink, guests)
