# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The switches that the benchmark compares, each with one core for forwarding.

    with Testpmd(place) as switch:
        switch.sockets      what guests connect to, in turn
        switch.process      whose threads do the work

    with Testpmd(place, uplink) as switch:
                            the same with one guest and a DPDK port beside it

Each is started in a directory of its own under `place.directory` and ended by its pid. All keep
their other threads away from the forwarding core.
"""

import contextlib
import os
import re
import sys
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from lib.proc import Process, run  # noqa: E402
from lib.wait import wait_for  # noqa: E402

START_SECONDS = 60.0
OURS, TESTPMD, OVS = "vhost-switch", "dpdk-testpmd", "openvswitch"
VLAN = 1000  # tag of the first guest on the uplink


@dataclass(frozen=True)
class Place:
    directory: str
    binary: str  # vhost-switch
    worker_cpu: int
    other_cpu: int  # the load generator, and the little that switches do besides forwarding


@dataclass(frozen=True)
class Uplink:
    """A DPDK port that needs no NIC, in the state of a switch's first uplink."""

    devargs: str


class Running:
    name = ""
    counted = ""  # pattern in the last words of a switch: what went to the uplink
    many_guests = False  # on one socket
    strips = True  # guests see no VLAN tag
    offloads = None  # options that make it offer checksum and segmentation offloads to guests; None: it has none
    client = False  # of the sockets: guests serve them

    def __init__(self, place, uplink=None, options=(), worker_cpus=None):
        self.place = place
        self.uplink = uplink
        self.options = options
        self.worker_cpus = worker_cpus or [place.worker_cpu]
        self.directory = os.path.join(place.directory, self.name)
        os.makedirs(self.directory, exist_ok=True)
        self.process = None
        self.sockets = []

    def path(self, name):
        return os.path.join(self.directory, name)

    def start(self):
        raise NotImplementedError

    def stop(self):
        if self.process:
            self.process.end()

    def uplink_frames(self):
        """Returns how many frames the uplink took, as the switch counts them. The switch may end for that."""
        self.stop()
        return int(re.search(self.counted, self.process.stdout, re.M | re.S).group(1))

    def __enter__(self):
        try:
            self.start()
            self._prefer_workers()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception):
        self.stop()

    def _prefer_workers(self):
        """Keeps other load from taking the workers' CPU, so that fewer rounds are needed."""
        tasks = f"/proc/{self.process.pid}/task"
        for thread in map(int, os.listdir(tasks)):
            with open(f"{tasks}/{thread}/comm", encoding="ascii") as f:
                if re.search("worker|^pmd", f.read()):
                    os.setpriority(os.PRIO_PROCESS, thread, -20)

    def spawn(self, argv, **kwargs):
        """Begins on the other CPU: threads that the program does not pin itself stay there."""
        return Process(["taskset", "-c", self.place.other_cpu, *argv], name=self.name, cwd=self.directory,
                       env={"RUNTIME_DIRECTORY": self.directory, **kwargs.pop("env", {})}, **kwargs)

    def vdev(self):
        return [f"--vdev={self.uplink.devargs}"] if self.uplink else []

    def lcores(self):
        workers = (f"{i}@{cpu}" for i, cpu in enumerate(self.worker_cpus, 1))
        return ",".join([f"0@{self.place.other_cpu}", *workers])


class VhostSwitch(Running):
    name = OURS
    offloads = ("--tx-csum", "1", "--tso", "1")
    counted = r"^uplink +\d+ +\d+ +\d+ +(\d+)"
    many_guests = True
    guests_a_socket = 64

    def __init__(self, *args, guests=2, **kwargs):
        super().__init__(*args, **kwargs)
        self.guests = guests

    def start(self):
        self.sockets = [self.path(f"s{i}") for i in range(-(-self.guests // self.guests_a_socket))]
        uplink = ["-p", "0x1"] if self.uplink else []
        sockets = [word for path in self.sockets for word in ("--socket-file", path)]
        self.process = self.spawn([self.place.binary, "--lcores", self.lcores(), "--in-memory", "--no-pci",
                                   *self.vdev(), "--", *sockets, *uplink, *self.options])
        self.process.wait_output(r"^vhost-switch: ready", deadline=START_SECONDS)


class Testpmd(Running):
    """Passes frames from one port to the other without a look at them. It has no prompt, so its main lcore sleeps."""

    name = TESTPMD
    counted = r"Forward statistics for port 1 .*?TX-packets: (\d+)"
    strips = False

    def start(self):
        self.sockets = [self.path("a")] if self.uplink else [self.path("a"), self.path("b")]
        for path in self.sockets:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)  # left by one that was killed; it does not replace it
        vdevs = [f"--vdev=net_vhost{i},iface={path}" for i, path in enumerate(self.sockets)]
        self.process = self.spawn(
            ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", self.lcores(), "--in-memory", "--no-pci", *vdevs,
             *self.vdev(), "--", "--forward-mode=io", "--nb-cores=1", "--rxq=1", "--txq=1", "--no-lsc-interrupt",
             "--disable-link-check"], stdin=True)
        self.process.wait_output(r"Press enter to exit", stream="out", deadline=START_SECONDS)


class Ovs(Running):
    """Userspace datapath, one PMD thread, dpdkvhostuser ports; with options dpdkvhostuserclient ports, since others
    offer no offloads. Between guests its action is NORMAL. To and from an uplink it has two flows: they give the
    guest a VLAN tag there, as vhost-switch does, and need no learning of addresses.

    It runs in a network namespace of its own, since the bridge brings an interface with it.
    """

    name = OVS
    offloads = ("other_config:userspace-tso-enable=true",)
    program = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
    schema = "/usr/share/openvswitch/vswitch.ovsschema"
    memory_mib = 512

    def __init__(self, place, uplink=None, options=()):
        super().__init__(place, uplink, options)
        self.client = bool(options)
        self.database = None
        self.env = {name: self.directory
                    for name in ("OVS_RUNDIR", "OVS_LOGDIR", "OVS_DBDIR", "OVS_SYSCONFDIR")}

    def start(self):
        db, server = self.path("conf.db"), self.path("db.sock")
        if os.path.exists(db):
            os.unlink(db)
        self._run("ovsdb-tool", "create", db, self.schema)
        self.database = self.spawn(["ovsdb-server", db, f"--remote=punix:{server}",
                                    f"--unixctl={self.path('db.ctl')}"], env=self.env)
        wait_for(lambda: os.path.exists(server), START_SECONDS, "ovsdb-server's socket")
        self._vsctl("--no-wait", "init", "--", "set", "Open_vSwitch", ".",
                    "other_config:dpdk-init=true", "other_config:dpdk-extra=--no-pci --in-memory",
                    f"other_config:dpdk-socket-mem={self.memory_mib}",
                    f"other_config:pmd-cpu-mask={1 << self.place.worker_cpu:#x}",
                    f"other_config:dpdk-lcore-mask={1 << self.place.other_cpu:#x}", *self.options)
        self.process = self.spawn(["unshare", "--net", self.program, f"unix:{server}",
                                   f"--unixctl={self.path('vs.ctl')}", "-vconsole:warn"], env=self.env)
        ports = ["v0"] if self.uplink else ["v0", "v1"]
        adding = [word for p in ports for word in
                  ("--", "add-port", "br0", p, "--", "set", "Interface", p, *self._port_type(p))]
        self._vsctl(f"--timeout={START_SECONDS:.0f}", "add-br", "br0",
                    "--", "set", "Bridge", "br0", "datapath_type=netdev", *adding)
        if self.uplink:
            self._add_uplink()
        self.sockets = [self.path(p) for p in ports]
        if self.client:
            return
        wait_for(lambda: all(map(os.path.exists, self.sockets)), START_SECONDS,
                 lambda: f"Open vSwitch's sockets\n{self.process.tail()}")

    def _port_type(self, port):
        if not self.client:
            return ["type=dpdkvhostuser"]
        return ["type=dpdkvhostuserclient", f"options:vhost-server-path={self.path(port)}"]

    def _add_uplink(self):
        self._vsctl(f"--timeout={START_SECONDS:.0f}", "add-port", "br0", "up", "--", "set", "Interface", "up",
                    "type=dpdk", f'options:dpdk-devargs="{self.uplink.devargs}"')
        bridge = f"unix:{self.path('br0.mgmt')}"
        self._run("ovs-ofctl", "del-flows", bridge)
        for flow in (f"in_port=v0,actions=push_vlan:0x8100,set_field:{0x1000 | VLAN}->vlan_vid,output:up",
                     "in_port=up,vlan_tci=0x1000/0x1000,actions=pop_vlan,output:v0"):
            self._run("ovs-ofctl", "-O", "OpenFlow13", "add-flow", bridge, flow)

    def uplink_frames(self):
        _, shown, _ = run(["ovs-appctl", "-t", self.path("vs.ctl"), "dpctl/show", "-s"], cwd=self.directory)
        return int(re.search(r"port \d+: up .*?TX packets:(\d+)", shown, re.S).group(1))

    def stop(self):
        super().stop()
        if self.database:
            self.database.end()

    def _run(self, *argv):
        run(argv, env=self.env, cwd=self.directory)

    def _vsctl(self, *words):
        self._run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", *words)


SWITCHES = {kind.name: kind for kind in (VhostSwitch, Testpmd, Ovs)}
