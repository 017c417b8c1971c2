# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""qemu-wrap.py: the command line that it makes, what it refuses, and what stays of it while the emulator runs.

The vectors come from --print, so no emulator and no switch is needed. A stand-in for the emulator
tells what it was started with. Real QEMU is in tests/vm.
"""

import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess

import pytest

from lib import proc
from lib.proc import Process
from lib.switch import ROOT
from lib.wait import DEADLINE

WRAP = os.path.join(ROOT, "qemu-wrap.py")
EMULATOR = "/usr/bin/qemu-system-x86_64"
OFF = "csum=off,gso=off,guest_tso4=off,guest_tso6=off,guest_ecn=off"
JSON_OFF = '"gso":false,"guest_tso4":false,"guest_tso6":false,"guest_ecn":false'

CUSE = {"BACK_END": "cuse", "HUGETLBFS": "/dev/hugepages"}
CUSE_MEMFD = {"BACK_END": "cuse", "HUGETLBFS": "none"}
USER = {"BACK_END": "user", "HUGETLBFS": "none", "VHOST_USER_PATH": "/run/s"}
USER_HUGE = {**USER, "HUGETLBFS": "/dev/hugepages"}

TAP = "-netdev tap,id=n1,vhost=on"
CARD = "-device virtio-net-pci,netdev=n1"
USER_TAP = "-chardev socket,id=qemu-wrap-n1,path=/run/s -netdev vhost-user,id=n1,chardev=qemu-wrap-n1"


def file_memory(size):
    return f"-object memory-backend-file,id=qemu-wrap-mem,size={size},mem-path=/dev/hugepages,share=on"


def memfd(size):
    return (f"-object memory-backend-memfd,id=qemu-wrap-mem,size={size},share=on "
            "-machine memory-backend=qemu-wrap-mem")


def classic_memory(size):
    return f"-mem-path /dev/hugepages -mem-prealloc {file_memory(size)} -numa node,memdev=qemu-wrap-mem"


# The old guide's example, with a name for its disk image. Memory that is only on -mem-path is no longer
# shared by QEMU: what comes after the guide's own line is for that.
GUIDE_BEGIN = ("-machine pc-i440fx-1.4,accel=kvm,usb=off -cpu SandyBridge -smp 4,sockets=4,cores=1,threads=1 "
               "-netdev tap,id=hostnet1,vhost=on")
GUIDE = f"{GUIDE_BEGIN} -device virtio-net-pci,netdev=hostnet1,id=net1 -hda disk.img -m 4096"
GUIDE_BECOMES = (f"{GUIDE_BEGIN},vhostfd=3 -device virtio-net-pci,netdev=hostnet1,id=net1,{OFF} "
                 f"-hda disk.img -m 4096 {classic_memory('4096M')}")

# (name, settings, line, what it becomes)
TABLE = [
    ("the guide's example", CUSE, GUIDE, GUIDE_BECOMES),
    ("one file descriptor for each netdev", CUSE_MEMFD,
     f"{TAP} -netdev tap,id=n2,vhost=on -netdev user,id=n3",
     f"{TAP},vhostfd=3 -netdev tap,id=n2,vhost=on,vhostfd=4 -netdev user,id=n3 {memfd('128M')}"),
    ("the device before its netdev, others between", CUSE_MEMFD,
     f"{CARD},id=a -m 1G -device e1000,netdev=n9 -device virtio-net-pci,netdev=n8,id=b {TAP}",
     f"{CARD},id=a,{OFF} -m 1G -device e1000,netdev=n9 -device virtio-net-pci,netdev=n8,id=b {TAP},vhostfd=3 "
     f"{memfd('1024M')}"),
    ("several devices of all transports", CUSE_MEMFD,
     f"{CARD} {TAP} -netdev tap,id=n2,vhost=on -device virtio-net-device,netdev=n2 "
     "-device driver=virtio-net-pci-non-transitional,id=x,netdev=n1",
     f"{CARD},{OFF} {TAP},vhostfd=3 -netdev tap,id=n2,vhost=on,vhostfd=4 -device virtio-net-device,netdev=n2,{OFF} "
     f"-device driver=virtio-net-pci-non-transitional,id=x,netdev=n1,{OFF} {memfd('128M')}"),
    ("offloads that were on, or off", CUSE_MEMFD, f"{TAP} {CARD},csum=on,gso=off,mrg_rxbuf=on",
     f"{TAP},vhostfd=3 {CARD},csum=off,gso=off,mrg_rxbuf=on,guest_tso4=off,guest_tso6=off,guest_ecn=off "
     f"{memfd('128M')}"),
    ("another file descriptor is replaced", CUSE_MEMFD, "-netdev tap,fd=28,id=n1,vhost=on,vhostfd=30,sndbuf=0",
     f"-netdev tap,fd=28,id=n1,vhost=on,sndbuf=0,vhostfd=3 {memfd('128M')}"),
    ("vhost in other words", CUSE_MEMFD, "-netdev type=tap,id=n1,vhost -netdev tap,id=n2,vhostforce=yes",
     f"-netdev type=tap,id=n1,vhost=on,vhostfd=3 -netdev tap,id=n2,vhostforce=yes,vhost=on,vhostfd=4 {memfd('128M')}"),
    ("two hyphens", CUSE_MEMFD, "--netdev tap,id=n1,vhost=on --device virtio-net-pci,netdev=n1 --m 1G",
     f"--netdev tap,id=n1,vhost=on,vhostfd=3 --device virtio-net-pci,netdev=n1,{OFF} --m 1G {memfd('1024M')}"),
    ("JSON as libvirt writes it", CUSE_MEMFD,
     """-netdev '{"type":"tap","fd":"28","vhost":true,"vhostfd":"30","id":"n1"}' """
     """-device '{"driver":"virtio-net-pci","csum":true,"netdev":"n1","bus":"pci.1"}'""",
     """-netdev '{"type":"tap","fd":"28","vhost":true,"id":"n1","vhostfd":"3"}' """
     f"""-device '{{"driver":"virtio-net-pci","csum":false,"netdev":"n1","bus":"pci.1",{JSON_OFF}}}' """
     f"{memfd('128M')}"),
    ("mem-path and mem-prealloc that are there", CUSE, f"-mem-prealloc -mem-path /huge,1 -m 64 {TAP}",
     f"-mem-prealloc -mem-path /huge,1 -m 64 {TAP},vhostfd=3 "
     "-object memory-backend-file,id=qemu-wrap-mem,size=64M,mem-path=/huge,,1,share=on "
     "-numa node,memdev=qemu-wrap-mem"),

    ("vhost-user", USER, f"{CARD},id=c {TAP} -m 2G", f"{CARD},id=c,{OFF} {USER_TAP} -m 2G {memfd('2048M')}"),
    ("vhost-user on hugetlbfs", USER_HUGE, f"{TAP} -m 2G",
     f"{USER_TAP} -m 2G {file_memory('2048M')},prealloc=on -machine memory-backend=qemu-wrap-mem"),
    ("vhost-user: a tap's own options go, queues stay", USER,
     "-netdev tap,ifname=t0,script=no,fds=3:4:5,vhostfds=6:7:8,id=n1,vhost=on",
     f"{USER_TAP},queues=3 {memfd('128M')}"),
    ("vhost-user: JSON", USER, """-netdev '{"type":"tap","fds":"3:4","vhost":true,"vhostfds":"5:6","id":"n1"}'""",
     "-chardev socket,id=qemu-wrap-n1,path=/run/s "
     f"""-netdev '{{"type":"vhost-user","id":"n1","chardev":"qemu-wrap-n1","queues":2}}' {memfd('128M')}"""),
    ("vhost-user: a path with commas and spaces", {**USER, "VHOST_USER_PATH": "/run/a b,c"}, TAP,
     f"-chardev 'socket,id=qemu-wrap-n1,path=/run/a b,,c' -netdev vhost-user,id=n1,chardev=qemu-wrap-n1 "
     f"{memfd('128M')}"),
    ("vhost-user: QEMU serves", {**USER, "VHOST_USER_PATH": "/run/{id}.sock", "CHARDEV_OPTIONS": "server=on,wait=off"},
     TAP, "-chardev socket,id=qemu-wrap-n1,path=/run/n1.sock,server=on,wait=off "
     f"-netdev vhost-user,id=n1,chardev=qemu-wrap-n1 {memfd('128M')}"),
    ("a vhost-user netdev that is there", USER, f"-netdev vhost-user,id=n1,chardev=c {CARD}",
     f"-netdev vhost-user,id=n1,chardev=c {CARD},{OFF} {memfd('128M')}"),
    ("the same with cuse set", CUSE, "-netdev vhost-user,id=n1,chardev=c",
     "-netdev vhost-user,id=n1,chardev=c "
     f"{file_memory('128M')},prealloc=on -machine memory-backend=qemu-wrap-mem"),

    ("libvirt's memory is shared in its place", USER,
     "-machine q35,memory-backend=pc.ram "
     f"""-object '{{"qom-type":"memory-backend-ram","id":"pc.ram","size":1}}' {TAP}""",
     "-machine q35,memory-backend=pc.ram "
     f"""-object '{{"qom-type":"memory-backend-memfd","id":"pc.ram","size":1,"share":true}}' {USER_TAP}"""),
    ("the same on hugetlbfs", USER_HUGE, f"-M q35,memory-backend=r -object memory-backend-ram,id=r,size=64M {TAP}",
     "-M q35,memory-backend=r "
     f"-object memory-backend-file,id=r,size=64M,mem-path=/dev/hugepages,share=on,prealloc=on {USER_TAP}"),
    ("memory of NUMA nodes and DIMMs is shared, an nvdimm is not", USER,
     "-object memory-backend-file,id=a,size=1G,mem-path=/h,share=off -numa node,memdev=a "
     "-object memory-backend-memfd,id=b,size=1G -numa node,memdev=b -object memory-backend-ram,id=c,size=1G "
     "-device pc-dimm,memdev=c -object memory-backend-file,id=d,size=1G,mem-path=/f -device nvdimm,memdev=d "
     f"-object memory-backend-file,id=e,size=1G,mem-path=/h,share=yes -numa node,memdev=e {TAP}",
     "-object memory-backend-file,id=a,size=1G,mem-path=/h,share=on -numa node,memdev=a "
     "-object memory-backend-memfd,id=b,size=1G,share=on -numa node,memdev=b "
     "-object memory-backend-memfd,id=c,size=1G,share=on "
     "-device pc-dimm,memdev=c -object memory-backend-file,id=d,size=1G,mem-path=/f -device nvdimm,memdev=d "
     f"-object memory-backend-file,id=e,size=1G,mem-path=/h,share=yes -numa node,memdev=e {USER_TAP}"),
    ("a NUMA node without memory of its own", USER, f"-numa node,nodeid=0 -numa cpu,node-id=0 {TAP}",
     f"-numa node,nodeid=0 -numa cpu,node-id=0 {USER_TAP} {memfd('128M')}"),

    ("a tap without vhost", {**USER, "EVERY_TAP": "1"}, f"-netdev tap,id=n1 {CARD}",
     f"{USER_TAP} {CARD},{OFF} {memfd('128M')}"),
    ("the same with cuse", {**CUSE_MEMFD, "EVERY_TAP": "1"}, """-netdev '{"type":"tap","fd":"9","id":"n1"}'""",
     f"""-netdev '{{"type":"tap","fd":"9","id":"n1","vhost":true,"vhostfd":"3"}}' {memfd('128M')}"""),
    ("offloads that are wanted", {**USER, "OFFLOADS": "gso"}, f"{TAP} {CARD}",
     f"{USER_TAP} {CARD},gso=off {memfd('128M')}"),
    ("offloads left alone", {**USER, "OFFLOADS": ""}, f"{TAP} {CARD}", f"{USER_TAP} {CARD} {memfd('128M')}"),

    ("quotes, spaces, commas, empty words", USER,
     f"""-name "it's, \\"a\\" guest" -append 'a "b"  c' -append -netdev -drive 'file=/a b,,c d.img' '' {TAP}""",
     f"""-name "it's, \\"a\\" guest" -append 'a "b"  c' -append -netdev -drive 'file=/a b,,c d.img' '' {USER_TAP} """
     f"{memfd('128M')}"),
    ("a name with commas keeps them", USER, f"{TAP} {CARD},id=a,,b,,,mac=52:54:00:00:00:01",
     f"{USER_TAP} {CARD},id=a,,b,,,mac=52:54:00:00:00:01,{OFF} {memfd('128M')}"),
    ("options that it does not know", USER, f"-frobnicate=1 --x disk.img {TAP} -set device.n1.x=y -y",
     f"-frobnicate=1 --x disk.img {USER_TAP} -set device.n1.x=y -y {memfd('128M')}"),
    ("JSON of other types than expected", USER,
     f"""{TAP} -device '{{"driver":"virtio-net-pci","netdev":["n1"]}}' -object '{{"id":5,"qom-type":null}}'""",
     f"""{USER_TAP} -device '{{"driver":"virtio-net-pci","netdev":["n1"]}}' -object '{{"id":5,"qom-type":null}}' """
     f"{memfd('128M')}"),
    ("an option without its value", USER, f"{TAP} -m", f"{USER_TAP} -m {memfd('128M')}"),
]

# Nothing of these is changed.
UNTOUCHED = [
    "", "-version", "--version", "-h", "-machine help", "-M help", "-device help", "-device virtio-net-pci,help",
    "-cpu '?'", "-netdev help", "disk.img -m 1G",
    f"-version {TAP}", f"{TAP} -device help", f"-machine none,accel=kvm:tcg {TAP}",
    # libvirt's question for capabilities
    "-S -no-user-config -nodefaults -nographic -machine none,accel=kvm:tcg "
    "-qmp unix:/var/lib/libvirt/qemu/qmp-x/qmp.monitor,server=on,wait=off -pidfile /x/qmp.pid -daemonize",
    "-m 1G -netdev user,id=n1 -device virtio-net-pci,netdev=n1",
    "-netdev tap,id=n1 -device virtio-net-pci,netdev=n1",
    "-netdev tap,id=n1,vhost=off,vhostfd=7", "-netdev tap,id=n1,vhostforce=off",
    "-nic user -net nic -net tap,ifname=a", "-append '-netdev tap,id=n1,vhost=on'",
    "-append -netdev -name tap,vhost=on",
    "-object memory-backend-ram,id=a,size=1G -numa node,memdev=a",
]

# (what -m says, size of the memory backend)
SIZES = [
    ("-m 512", "512M"), ("-m 4G", "4096M"), ("-m 4g", "4096M"), ("-m 1.5G", "1536M"),
    ("-m 2048M,slots=2,maxmem=8G", "2048M"),
    ("-m size=1G,slots=2,maxmem=4G", "1024M"), ("-m slots=2,maxmem=4G,size=256", "256M"), ("-m 65536k", "64M"),
    ("-m 0x40", "64M"), ("-m 1T", "1048576M"), ("-m 1G -m 2G", "2048M"), ("-m 1G -m slots=2,maxmem=4G", "1024M"),
    ("", "128M"), ("-m 0", "128M"), ("-m 100001k", "102408192"), ("-machine q35,memory.size=1G", "1024M"),
]

# (name, settings, line, what the one line on stderr says)
REFUSED = [
    ("no device node", {**CUSE, "US_VHOST_PATH": "/nowhere/usvhost"}, TAP,
     "us_vhost_path /nowhere/usvhost: No such file or directory: start vhost-switch"),
    ("no socket", {**USER, "VHOST_USER_PATH": "/nowhere/usvhost"}, TAP,
     "vhost_user_path /nowhere/usvhost: no such socket: start vhost-switch"),
    ("neither", {"US_VHOST_PATH": "/nowhere/a", "VHOST_USER_PATH": "/nowhere/b"}, TAP,
     "/nowhere/a: .*set .* /nowhere/b"),
    ("no folder for memory", {**USER, "HUGETLBFS": "/nowhere"}, f"--print {TAP}",
     "hugetlbfs /nowhere: no such folder: mount"),
    ("no emulator", {"EMUL_PATH": "/nowhere/qemu"}, "-m 1G", "emul_path /nowhere/qemu: No such file or directory: set"),
    ("itself as emulator", {"EMUL_PATH": WRAP}, "-m 1G", "emul_path .*: this is qemu-wrap.py itself"),
    ("unknown back end", {"BACK_END": "kernel"}, TAP, "back_end kernel: unknown: use one of auto, cuse, user"),
    ("unknown switch", {"EVERY_TAP": "yes"}, TAP, "every_tap yes: unknown: use one of 0, 1"),
    ("several queue pairs through cuse", CUSE, "-netdev tap,id=n1,vhost=on,queues=4", "several queue pairs"),
    ("the same with file descriptors", CUSE, "-netdev tap,id=n1,vhost=on,fds=3:4,vhostfds=5:6", "several queue pairs"),
    ("-nic", CUSE, "-nic tap,model=virtio-net-pci,vhost=on", "-nic tap,.*: write it as -netdev and -device"),
    ("-net", USER, "-net nic,model=virtio -net tap,vhost=on", "-net tap,vhost=on.*: write it as -netdev and -device"),
    ("no id", USER, "-netdev tap,vhost=on", "-netdev tap,vhost=on: it has no id: add one"),
    ("a line break", USER, "-nic 'tap,vhost=on,ifname=a\nb'", r"-nic tap,vhost=on,ifname=a\\nb: .*write it as"),
    ("a memory size", USER, f"--print {TAP} -m lots", "memory size lots: not understood: write"),
    ("JSON", USER, """-netdev '{"type":"tap", "vhost":tr'""", "not valid JSON"),
    ("mem-path with nodes that have no memory", USER, f"--print {TAP} -mem-path /h -numa node", "-numa: .*memdev="),
]

# An emulator that tells how it was started.
STAND_IN = """#!/usr/bin/python3
import json, os, re, sys
line = open("/proc/self/cmdline").read()
opened = {fd: os.readlink("/proc/self/fd/" + fd) for fd in re.findall(r"vhostfd=([0-9]+)", line)}
print(json.dumps({"argv": sys.argv[1:], "opened": opened, "pid": os.getpid(), "env": os.environ.get("X")}))
sys.exit(7)
"""


def environment(settings):
    return {f"QEMU_WRAP_{name}": value for name, value in settings.items()}


def wrap(words, settings, program=WRAP, **arguments):
    """Runs it; returns (status, stdout, stderr)."""
    done = subprocess.run([program, *words], env={**os.environ, **environment(settings)}, text=True, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, **arguments)
    return done.returncode, done.stdout, done.stderr


def printed(words, settings, program=WRAP):
    """The command that --print shows, without the emulator."""
    status, out, err = wrap(["--print", *words], settings, program)
    err = re.sub(r"^qemu-wrap: .*: not on the switch: .*\n", "", err, flags=re.M)  # see test_what_stays_outside_is_said
    assert (status, err, out.count("\n")) == (0, "", 1), (status, out, err)
    emulator, *vector = shlex.split(out)
    assert emulator == settings.get("EMUL_PATH", EMULATOR)
    return vector


@pytest.fixture
def stand_in(box):
    path = box.path("the emulator")
    with open(path, "w", encoding="ascii") as f:
        f.write(STAND_IN)
    os.chmod(path, 0o755)
    return path


@pytest.mark.parametrize("settings, line, becomes", [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_vector(settings, line, becomes):
    assert printed(shlex.split(line), settings) == shlex.split(becomes)


@pytest.mark.parametrize("settings", [CUSE, USER], ids=["cuse", "user"])
@pytest.mark.parametrize("line", UNTOUCHED)
def test_untouched(line, settings):
    assert printed(shlex.split(line), settings) == shlex.split(line)


@pytest.mark.parametrize("line, size", SIZES)
def test_memory_size(line, size):
    assert f"memory-backend-memfd,id=qemu-wrap-mem,size={size},share=on" in printed(shlex.split(f"{line} {TAP}"), USER)


@pytest.mark.parametrize("settings, line, says", [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_refused(settings, line, says):
    status, out, err = wrap(shlex.split(line), settings)
    assert (status, out) == (1, "")
    assert re.fullmatch(rf"qemu-wrap: .*{says}.*\n", err), err


TAP_REMEDY = "add vhost=on, or set every_tap to 1"
OTHER_REMEDY = "for the switch it is -netdev tap,id=...,vhost=on"


@pytest.mark.parametrize("line, said", [
    (f"{TAP} {CARD}", []),
    ("-netdev vhost-user,id=n1,chardev=c -nic none -net nic", []),
    ("-m 1G disk.img", []),
    ("-netdev tap,id=n0", [("-netdev tap,id=n0", TAP_REMEDY)]),
    ("-netdev tap,id=n0,vhost=off", [("-netdev tap,id=n0,vhost=off", TAP_REMEDY)]),
    ("""-netdev '{"type":"tap","id":"n0"}'""", [('-netdev {"type":"tap","id":"n0"}', TAP_REMEDY)]),
    ("-netdev bridge,id=n0,br=br0", [("-netdev bridge,id=n0,br=br0", OTHER_REMEDY)]),
    (f"-netdev user,id=n0 {TAP} -nic user,model=e1000 -net tap,ifname=a",
     [("-netdev user,id=n0", OTHER_REMEDY), ("-nic user,model=e1000", OTHER_REMEDY),
      ("-net tap,ifname=a", OTHER_REMEDY)]),
    ("-netdev user,id=n0 -version", []),
    ("-machine none -netdev user,id=n0", []),
], ids=lambda v: v if isinstance(v, str) else "")
def test_what_stays_outside_is_said(line, said):
    status, _, err = wrap(["--print", *shlex.split(line)], USER)
    assert status == 0
    assert err.splitlines() == [f"qemu-wrap: {words}: not on the switch: {remedy}" for words, remedy in said]


def test_every_tap_leaves_none_outside():
    assert wrap(["--print", "-netdev", "tap,id=n0"], {**USER, "EVERY_TAP": "1"})[2] == ""


def test_help():
    """Alone on the line it is the wrapper's; with others, or in QEMU's way, QEMU's."""
    status, out, err = wrap(["--help"], {"EMUL_PATH": "/nowhere/qemu"})
    assert (status, err) == (0, "")
    assert "--print" in out and "vhost=on" in out and "rewrite()" not in out
    for name in ("emul_path", "back_end", "us_vhost_path", "vhost_user_path", "every_tap"):
        assert re.search(rf"^    {name} ", out, re.M), name
    assert printed(["-help"], USER) == ["-help"]
    assert printed(["--help", "-m", "1G"], USER) == ["--help", "-m", "1G"]


def test_print_anywhere_on_the_line():
    assert wrap([*shlex.split(TAP), "--print"], USER)[1] == wrap(["--print", *shlex.split(TAP)], USER)[1]


def test_settings_at_the_top_of_the_file(box):
    """Each of them is read. (The classic wrapper never read one of them.)"""
    with open(WRAP, encoding="utf-8") as f:
        text = f.read()
    for name, value in {"emul_path": "/my qemu", "back_end": "user", "vhost_user_path": "/my.sock", "hugetlbfs": "none",
                        "chardev_options": "reconnect=1", "every_tap": "1", "offloads": "csum"}.items():
        text, count = re.subn(rf'(?m)^{name} = ".*"$', f'{name} = "{value}"', text)
        assert count == 1, name
    mine = box.path("qemu-wrap")
    with open(mine, "w", encoding="utf-8") as f:
        f.write(text)
    os.chmod(mine, 0o755)
    status, out, _ = wrap(["--print", *shlex.split(f"-netdev tap,id=n1 {CARD}")], {}, mine)
    assert (status, shlex.split(out)) == (0, [
        "/my qemu", "-chardev", "socket,id=qemu-wrap-n1,path=/my.sock,reconnect=1",
        "-netdev", "vhost-user,id=n1,chardev=qemu-wrap-n1", "-device", "virtio-net-pci,netdev=n1,csum=off",
        *shlex.split(memfd("128M"))])


def test_back_end_by_what_is_there(box):
    path = box.path("usvhost")
    both = {"HUGETLBFS": "none", "VHOST_USER_PATH": path, "US_VHOST_PATH": "/nowhere/usvhost"}
    assert "tap,id=n1,vhost=on,vhostfd=3" in printed(shlex.split(TAP), both)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        assert "vhost-user,id=n1,chardev=qemu-wrap-n1" in printed(shlex.split(TAP), both)
        assert "tap,id=n1,vhost=on,vhostfd=3" in printed(shlex.split(TAP), {**both, "US_VHOST_PATH": "/dev/null"})


def test_back_end_that_runs_is_preferred(box):
    """A stale file does not count while the other back end's switch runs."""
    node, path = box.path("node"), box.path("usvhost")
    os.mknod(node, 0o600 | stat.S_IFCHR, os.makedev(4095, 77))  # no process has such a number
    settings = {"HUGETLBFS": "none", "VHOST_USER_PATH": box.path("us{id}"), "US_VHOST_PATH": node}
    tap = ["-netdev", "tap,id=vhost,vhost=on"]

    def chosen():
        return "user" if "-chardev" in printed(tap, settings) else "cuse"
    assert chosen() == "cuse"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        assert chosen() == "cuse"
        listener.listen()
        assert chosen() == "user"
        settings["US_VHOST_PATH"] = "/dev/null"  # a device that is there
        assert chosen() == "cuse"
    settings["US_VHOST_PATH"] = box.path("nothing")
    assert chosen() == "user"  # no switch runs, but its socket is there


def in_own_mounts(script):
    """--print of a line with 64 MiB, after a shell script that changes what is mounted; (vector, stderr)."""
    command = f"{script}\nexec {shlex.quote(WRAP)} --print {TAP} -m 64"
    _, out, err = proc.run(["unshare", "--mount", "sh", "-ec", command],
                           env=environment({**USER, "HUGETLBFS": ""}))
    return shlex.split(out), err


def test_hugetlbfs_is_found(box):
    folder = box.path("huge pages, mine")
    os.mkdir(folder)
    umount_all = "awk '$3 == \"hugetlbfs\" { print $2 }' /proc/mounts | xargs -r umount"
    vector, err = in_own_mounts(umount_all)
    assert shlex.split(memfd("64M"))[1] in vector and not err
    vector, err = in_own_mounts(f"{umount_all}; mount -t hugetlbfs -o pagesize=2M none '{folder}'")
    assert (f"memory-backend-file,id=qemu-wrap-mem,size=64M,mem-path={folder.replace(',', ',,')},"
            "share=on,prealloc=on") in vector and not err


def test_hugetlbfs_of_a_size_that_does_not_fit_is_no_place():
    vector = printed(shlex.split(f"{TAP} -m 63"), {**USER, "HUGETLBFS": ""})
    assert "memory-backend-memfd,id=qemu-wrap-mem,size=63M,share=on" in vector


def test_too_few_hugepages_are_said():
    status, out, err = wrap(["--print", *shlex.split(f"{TAP} -m 1T")], {**USER, "HUGETLBFS": ""})
    assert status == 0 and "memory-backend-file" in out
    assert re.fullmatch(r"qemu-wrap: /\S+: \d+ of 524288 hugepages of 2048 kB are free: reserve more, .*\n", err)


def test_emulator_gets_fds_words_status_and_process(box, stand_in):
    """Through exec, and no shell: quotes, blanks and patterns arrive as they are."""
    node = box.path("usvhost node")
    with open(node, "w", encoding="ascii"):
        pass
    odd = ["-name", "$HOME `id` \"x\" 'y' * \\", "-drive", "file=a b,,c", ""]
    words = ["-netdev", "tap,id=n1,vhost=on", *odd, "-netdev", "tap,id=n2,vhost=on", "-m", "64"]
    child = subprocess.Popen(
        [WRAP, *words], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "X": "kept", **environment({**CUSE_MEMFD, "EMUL_PATH": stand_in, "US_VHOST_PATH": node})})
    told = json.loads(child.communicate(timeout=DEADLINE)[0])
    assert child.returncode == 7
    assert told["pid"] == child.pid and told["env"] == "kept"
    assert told["opened"] == {"3": node, "4": node}
    assert told["argv"] == ["-netdev", "tap,id=n1,vhost=on,vhostfd=3", *odd,
                            "-netdev", "tap,id=n2,vhost=on,vhostfd=4", "-m", "64", *shlex.split(memfd("64M"))]


def test_fd_of_the_node_is_kept(box, stand_in):
    """A caller that opened the node itself (libvirt's <backend vhost=>) has its own file descriptor used."""
    node = box.path("usvhost")
    with open(node, "w+", encoding="ascii") as opened:
        words = shlex.split(f"-netdev tap,id=n1,vhost=on,vhostfd={opened.fileno()}")
        status, out, _ = wrap(words, {**CUSE_MEMFD, "EMUL_PATH": stand_in, "US_VHOST_PATH": node},
                              pass_fds=[opened.fileno()])
        told = json.loads(out)
        assert status == 7 and told["argv"][:2] == words and told["opened"] == {str(opened.fileno()): node}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGPIPE, signal.SIGUSR1, signal.SIGKILL])
def test_signals_reach_the_emulator(box, number):
    plain = box.path("sleeper")
    with open(plain, "w", encoding="ascii") as f:
        f.write("#!/bin/sh\necho up\nexec sleep 600\n")  # no Python, which ignores SIGPIPE
    os.chmod(plain, 0o755)
    with Process([WRAP, "-m", "64"], env=environment({"EMUL_PATH": plain})) as process:
        process.wait_output("^up$", stream="out")
        process.signal(number)
        assert process.wait() == -number
