# SPDX-License-Identifier: BSD-3-Clause
"""The switches that the benchmark compares, each with one core for forwarding.

    with Testpmd(place) as switch:
        switch.sockets      what guests connect to, in turn
        switch.process      whose threads do the work

Each is started in a directory of its own under `place.directory` and ended by its pid. All keep
what is not forwarding away from the forwarding core.
"""

import os
import sys
from dataclasses import dataclass

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests"))

from lib.proc import Process, run  # noqa: E402
from lib.wait import wait_for  # noqa: E402

START_SECONDS = 60.0


@dataclass(frozen=True)
class Place:
    directory: str
    binary: str  # vhost-switch
    worker_cpu: int
    other_cpu: int  # the load generator, and the little that switches do besides forwarding


class Running:
    name = ""
    many_guests = False  # on one socket

    def __init__(self, place):
        self.place = place
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

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception):
        self.stop()

    def spawn(self, argv, **kwargs):
        """Begins on the other CPU: what the program does not pin itself stays there."""
        return Process(["taskset", "-c", self.place.other_cpu, *argv], name=self.name, cwd=self.directory,
                       env={"RUNTIME_DIRECTORY": self.directory, **kwargs.pop("env", {})}, **kwargs)

    def lcores(self):
        return f"0@{self.place.other_cpu},1@{self.place.worker_cpu}"


class VhostSwitch(Running):
    name = "vhost-switch"
    many_guests = True

    def start(self):
        self.sockets = [self.path("s")]
        self.process = self.spawn([self.place.binary, "--lcores", self.lcores(), "--in-memory", "--no-pci",
                                   "--", "--socket-file", self.sockets[0]])
        self.process.wait_output(r"^vhost-switch: ready", deadline=START_SECONDS)


class Testpmd(Running):
    """Two net_vhost ports, frames passed from one to the other unseen. No prompt: its main lcore sleeps."""

    name = "dpdk-testpmd"

    def start(self):
        self.sockets = [self.path("a"), self.path("b")]
        vdevs = [f"--vdev=net_vhost{i},iface={path}" for i, path in enumerate(self.sockets)]
        self.process = self.spawn(
            ["stdbuf", "-oL", "dpdk-testpmd", "--lcores", self.lcores(), "--in-memory", "--no-pci", *vdevs,
             "--", "--forward-mode=io", "--nb-cores=1", "--rxq=1", "--txq=1", "--no-lsc-interrupt",
             "--disable-link-check"], stdin=True)
        self.process.wait_output(r"Press enter to exit", stream="out", deadline=START_SECONDS)


class Ovs(Running):
    """Userspace datapath, two dpdkvhostuser ports, NORMAL, one PMD thread.

    In a network namespace of its own, since the bridge brings an interface with it.
    """

    name = "openvswitch"
    program = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
    schema = "/usr/share/openvswitch/vswitch.ovsschema"
    memory_mib = 512

    def __init__(self, place):
        super().__init__(place)
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
                    f"other_config:dpdk-lcore-mask={1 << self.place.other_cpu:#x}")
        self.process = self.spawn(["unshare", "--net", self.program, f"unix:{server}",
                                   f"--unixctl={self.path('vs.ctl')}", "-vconsole:warn"], env=self.env)
        ports = ["v0", "v1"]
        adding = [word for p in ports for word in
                  ("--", "add-port", "br0", p, "--", "set", "Interface", p, "type=dpdkvhostuser")]
        self._vsctl(f"--timeout={START_SECONDS:.0f}", "add-br", "br0",
                    "--", "set", "Bridge", "br0", "datapath_type=netdev", *adding)
        self.sockets = [self.path(p) for p in ports]
        wait_for(lambda: all(map(os.path.exists, self.sockets)), START_SECONDS,
                 lambda: f"Open vSwitch's sockets\n{self.process.tail()}")

    def stop(self):
        super().stop()
        if self.database:
            self.database.end()

    def _run(self, *argv):
        run(argv, env=self.env, cwd=self.directory)

    def _vsctl(self, *words):
        self._run("ovs-vsctl", f"--db=unix:{self.path('db.sock')}", *words)


SWITCHES = {kind.name: kind for kind in (VhostSwitch, Testpmd, Ovs)}
