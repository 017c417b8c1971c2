# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""libvirt's own daemon starts the domains of contrib/libvirt; they ping each other, and shut down when asked.

The daemon, its guests and its files live in namespaces of their own (processes, mounts, network), so that
the machine's libvirt, if it has one, is not touched, and all ends with the namespace.
"""

import contextlib
import itertools
import os
import xml.etree.ElementTree as xml

import pytest

from lib import proc
from lib.control import Control
from lib.proc import Process
from lib.qemu_words import reconnect
from lib.switch import ROOT, Switch
from lib.wait import wait_for
from vm import image as images
from vm.guest import Guest, Nic, Shell
from vm.lan import echo
from vm.qemu import BOOT_DEADLINE, COMPLAINT, KERNEL_WORDS, Lines

DOMAINS = os.path.join(ROOT, "contrib", "libvirt")
# Places of libvirt that get a file system of their own.
PLACES = ("/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt", "/run/libvirt")
LIBVIRTD_CONF = 'unix_sock_dir = "{folder}"\nauth_unix_rw = "none"\n'
QEMU_CONF = 'user = "root"\ngroup = "root"\nsecurity_driver = "none"\nnamespaces = []\ncgroup_controllers = []\n'
# Debian's libvirt wants its user to be there, even if another is set. The shell is process 1: it takes in orphans.
START = """
for place in {places}; do mount -t tmpfs none $place; done
mount -t sysfs none /sys
cp {folder}/*.conf /etc/libvirt
for list in passwd:libvirt-qemu:x:64055:64055::/:/usr/sbin/nologin group:libvirt-qemu:x:64055:; do
    {{ cat /etc/${{list%%:*}}; echo ${{list#*:}}; }} > /run/libvirt/list
    cp /run/libvirt/list /run/libvirt/${{list%%:*}}
    mount --bind /run/libvirt/${{list%%:*}} /etc/${{list%%:*}}
done
virtlogd -d
libvirtd & wait
"""
# A card that is plugged into a domain that runs, into the root port that libvirt leaves free on q35.
CARD = """<interface type='vhostuser'>
<mac address='{mac}'/><source type='unix' path='{path}' mode='client'/><model type='virtio'/>
</interface>"""
SECOND_MAC = "52:54:00:00:01:01"
OFFLOADS = {"csum": 0, "guest_tso4": 7, "guest_tso6": 8, "guest_ecn": 9}  # feature bits of virtio-net
# The guest's answer to the power button, which tells only those who have opened it: so it is open before this ends.
POWER_BUTTON = ("for e in /sys/class/input/event*; do grep -q 'Power Button' $e/device/name && button=${e##*/}; done; "
                "exec 9< /dev/input/$button; "
                "(dd of=/dev/null bs=96 count=1 <&9 && poweroff -f) > /dev/null 2>&1 &")


@pytest.fixture(scope="module")
def button_image(tmp_path_factory):
    """What the guests boot from: also with what reacts to ACPI's power button."""
    return images.make(tmp_path_factory.mktemp("image") / "initramfs", ["virtio_pci", "virtio_net", "button", "evdev"])


class Libvirt(Process):
    """The daemon in its namespaces."""

    def __init__(self, box):
        self.directory = box.path("libvirt")
        os.mkdir(self.directory)
        box.foreign_sockets.add("libvirt")
        for name, text in (("libvirtd.conf", LIBVIRTD_CONF), ("qemu.conf", QEMU_CONF)):
            with open(os.path.join(self.directory, name), "w", encoding="ascii") as f:
                f.write(text.format(folder=self.directory))
        self.made = [place for place in PLACES if not os.path.isdir(place)]
        for place in self.made:
            os.makedirs(place)
        script = START.format(folder=self.directory, places=" ".join(PLACES))
        super().__init__(["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "--kill-child=KILL",
                          "sh", "-ec", script], name="libvirtd")
        self.uri = f"qemu+unix:///system?socket={self.directory}/libvirt-sock"
        try:
            wait_for(lambda: self.virsh("version", check=False)[0] == 0, what=f"libvirtd answers\n{self.tail()}")
        except BaseException:
            self.end()
            raise

    def virsh(self, *arguments, check=True):
        return proc.run(["virsh", "-c", self.uri, *arguments], check=check)

    def state(self, domain):
        return self.virsh("domstate", domain)[1].strip()

    def end(self):
        """With the first process of a namespace all others end."""
        if self.running():
            self.kill()
        super().end()
        for place in self.made:
            os.rmdir(place)
        self.made = []


class Domain(Shell):
    """A domain of contrib/libvirt, booted from the tests' image, with a second serial line for the shell."""

    looks = 3

    def __init__(self, libvirt, box, name, image, address, substitutes):
        self.libvirt = libvirt
        self.name = name
        self.address = address
        self.ids = itertools.count()
        self.channel = None
        self.directory = box.path(name)
        os.mkdir(self.directory)
        text = self._domain(image, substitutes)
        self.mac = xml.fromstring(text).find("devices/interface/mac").get("address")
        with open(self._path("disk"), "wb") as disk:
            disk.truncate(1 << 20)
        with open(self._path("domain.xml"), "w", encoding="utf-8") as f:
            f.write(text)

    def _path(self, name):
        return os.path.join(self.directory, name)

    def _domain(self, image, substitutes):
        """The file's text, adapted as a user would, for a machine with no disk image and no KVM."""
        with open(os.path.join(DOMAINS, f"{self.name}.xml"), encoding="utf-8") as f:
            text = f.read()
        serial = (f"<serial type='file'><source path='{self._path('console')}'/></serial>"
                  f"<serial type='unix'><source mode='bind' path='{self._path('shell')}'/></serial>")
        boot = (f"<kernel>{image.vmlinux}</kernel><initrd>{image.initramfs}</initrd>"
                f"<cmdline>{KERNEL_WORDS} guest_ip={self.address}/24</cmdline>")
        for old, new in {
                "<domain type='kvm'": "<domain type='qemu'", "<memory unit='MiB'>1024<": "<memory unit='MiB'>256<",
                "<boot dev='hd'/>": boot, "<serial type='pty'/>": serial, "type='qcow2'": "type='raw'",
                f"/var/lib/libvirt/images/{self.name}.qcow2": self._path("disk"), **substitutes}.items():
            assert text.count(old) == 1, f"{self.name}.xml: {old}"
            text = text.replace(old, new)
        return text.replace("value='reconnect=1'", f"value='{reconnect()}'")

    @contextlib.contextmanager
    def started(self):
        """Between `virsh create` and the block's end, which asserts that its kernel complained of nothing."""
        try:
            self.libvirt.virsh("create", "--paused", self._path("domain.xml"))
            self.channel = Lines(self._path("shell"), self.libvirt.running)
            self.libvirt.virsh("resume", self.name)
            self.wait_up()
            yield self
        except BaseException:
            self._tell()
            raise
        finally:
            if self.channel:
                self.channel.close()
        complaints = [line for line in self._console().splitlines() if COMPLAINT.search(line)]
        assert not complaints, f"{self.name}'s kernel says:\n{self._console()}"

    def _console(self):
        with open(self._path("console"), encoding="ascii", errors="replace") as f:
            return f.read()

    def _tell(self):
        with contextlib.suppress(OSError):
            print(f"--- {self.name}: console\n{self._console()[-3000:]}")
        with contextlib.suppress(OSError):
            log = os.path.join("/proc", str(self.libvirt.pid), "root", f"var/log/libvirt/qemu/{self.name}.log")
            with open(log, encoding="utf-8") as f:
                print(f"--- {self.name}: QEMU's log\n{f.read()}")

    def plug(self, mac, path):
        """`virsh attach-device` puts a second card in."""
        with open(self._path("card.xml"), "w", encoding="utf-8") as f:
            f.write(CARD.format(mac=mac, path=path))
        self.libvirt.virsh("attach-device", self.name, self._path("card.xml"), "--live")
        self.wait_for("ip link show eth1")

    def unplug(self):
        """Takes it out, when the guest's kernel agrees: then libvirt forgets it."""
        self.libvirt.virsh("detach-device", self.name, self._path("card.xml"), "--live")
        wait_for(lambda: SECOND_MAC not in self.libvirt.virsh("dumpxml", self.name)[1], what="the card is out")

    def offloads(self):
        """Offloads that its driver agreed on with the device."""
        features = self.run("cat /sys/bus/virtio/devices/virtio*/features").split()
        return {name for bits in features for name, bit in OFFLOADS.items() if bits[bit] == "1"}

    def shut_down(self):
        """`virsh shutdown` presses the power button; libvirt forgets the domain when QEMU has ended."""
        self.run(POWER_BUTTON)
        self.libvirt.virsh("shutdown", self.name)
        wait_for(lambda: self.name not in self.libvirt.virsh("list", "--all", "--name")[1].split(), BOOT_DEADLINE,
                 f"{self.name} shut down")


def test_domains_ping_and_shut_down(box, button_image):
    with Switch(box) as switch, Libvirt(box) as libvirt:
        socket = {"/run/vhost-switch/usvhost": switch.socket()}
        emulator = {"/usr/local/bin/qemu-wrap.py": os.path.join(ROOT, "qemu-wrap.py")}
        a = Domain(libvirt, box, "vhost-user", button_image, "10.1.0.1", socket)
        b = Domain(libvirt, box, "qemu-wrap", button_image, "10.1.0.2", {**socket, **emulator})
        with a.started(), b.started():
            for domain, other in ((a, b), (b, a)):
                domain.wait_for(f"ping -c 1 -W 1 {other.address}")
                switch.wait_registered(domain.mac)
                echo(domain, other.address, 1472)
                assert not domain.offloads()
            for domain in (a, b):
                domain.shut_down()


def test_ports_of_a_running_switch(box, button_image):
    """Each port is added just before its guest comes. QEMU serves one of the sockets, the switch the others."""
    with (Switch(box, allow_log=["failed to connect: (No such file|Connection refused)"]) as switch,
          Control(switch) as control, Libvirt(box) as libvirt):
        paths = {name: box.path(f"{name}.sock") for name in ("first", "second", "served")}
        control.ask("port.add", name="served", socket=paths["served"], role="client")
        control.ask("port.add", name="first", socket=paths["first"])
        a = Domain(libvirt, box, "vhost-user", button_image, "10.1.0.1",
                   {"/run/vhost-switch/usvhost": paths["first"]})
        nic = Nic("52:54:00:00:00:02", paths["served"], server=True)
        with Guest(box, "b", button_image, nic, address="10.1.0.2") as b, a.started():
            b.wait_up()
            a.wait_for(f"ping -c 1 -W 1 {b.address}")
            for domain, other in ((a, b), (b, a)):
                echo(domain, other.address, 1472)
            control.ask("port.add", name="second", socket=paths["second"])
            a.plug(SECOND_MAC, paths["second"])
            b.run("ip address add 10.2.0.2/24 dev eth0")
            a.run("ip address add 10.2.0.1/24 dev eth1 && ip link set eth1 up")
            a.wait_for("ping -c 1 -W 1 10.2.0.2")
            switch.wait_registered(SECOND_MAC)
            for domain, address in ((a, "10.2.0.2"), (b, "10.2.0.1"), (a, b.address)):
                echo(domain, address, 1472)
            assert {name: control.port(name)["state"] for name in paths} == dict.fromkeys(paths, "up")
            a.unplug()
            wait_for(lambda: control.port("second")["state"] == "down", what="its port is down")
            control.ask("port.del", name="second")
            assert not os.path.exists(paths["second"])
            echo(a, b.address, 1472)
            a.shut_down()
            wait_for(lambda: control.port("first")["state"] == "down", what="the domain's port is down")
            control.ask("port.del", name="first")
        assert control.names() == ["usvhost", "served"]
