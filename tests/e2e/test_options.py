# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Options and start-up: each wrong value, each thing that is missing, is one clear line and status 1."""

import os
import re
import socket
import stat

import pytest

from lib import proc
from lib.frames import BROADCAST, frame, transfer
from lib.netns import Namespace
from lib.room import room
from lib.start import before_eal, refused, start
from lib.switch import Switch, binary
from lib.uplink import TAP

OPTIONS = ("-p", "--dev-basename", "--socket-file", "--client", "--vm2vm", "--mergeable", "--stats", "--rx-retry",
           "--rx-retry-num", "--rx-retry-delay", "--vlan-strip", "--tx-csum", "--tso", "-P", "--total-num-mbufs",
           "--vlan-base", "--forward-bpdu", "--aging", "--idle-sleep", "-h", "--version")

STRANGER = "02:00:00:00:00:99"
HUGE_NUMBER = "99999999999999999999999"
FLAG = r"0 to 1\b|0 or 1\b|0\|1"

# (option, value, what the line must say is allowed)
WRONG = [
    ("-p", "0", "one port"), ("-p", "3", "one port"), ("-p", "x", "one port"), ("-p", "-1", "one port"),
    ("-p", "0x", "one port"), ("-p", "1z", "one port"), ("-p", "10000000000000000", "one port"),
    ("--vm2vm", "3", r"0 to [12]"), ("--vm2vm", "one", r"0 to [12]"), ("--vm2vm", "-1", r"0 to [12]"),
    ("--vm2vm", "1 ", r"0 to [12]"),
    ("--mergeable", "2", FLAG), ("--mergeable", "yes", FLAG), ("--mergeable", "-1", FLAG),
    ("--stats", "-1", "seconds"), ("--stats", "1s", "seconds"), ("--stats", HUGE_NUMBER, "seconds"),
    ("--stats", "0x10", "seconds"),
    ("--rx-retry", "2", FLAG), ("--rx-retry", "on", FLAG),
    ("--rx-retry-num", "-4", "0 to"), ("--rx-retry-num", "4.5", "0 to"), ("--rx-retry-num", HUGE_NUMBER, "0 to"),
    ("--rx-retry-delay", "-1", "microseconds"), ("--rx-retry-delay", "15us", "microseconds"),
    ("--rx-retry-delay", HUGE_NUMBER, "microseconds"),
    ("--vlan-strip", "2", FLAG), ("--vlan-strip", "no", FLAG),
    ("--tx-csum", "2", FLAG), ("--tx-csum", "x", FLAG),
    ("--tso", "2", FLAG), ("--tso", "x", FLAG),
    ("--total-num-mbufs", "0", "mbufs"), ("--total-num-mbufs", "-1", "mbufs"),
    ("--total-num-mbufs", "many", "mbufs"), ("--total-num-mbufs", HUGE_NUMBER, "mbufs"),
    ("--vlan-base", "4095", r"0 to 4\d\d\d"), ("--vlan-base", "-1", r"0 to 4\d\d\d"),
    ("--vlan-base", "ten", r"0 to 4\d\d\d"),
    ("--forward-bpdu", "2", FLAG), ("--forward-bpdu", "lldp", FLAG),
    ("--aging", "-1", "seconds"), ("--aging", "soon", "seconds"), ("--aging", HUGE_NUMBER, "seconds"),
    ("--idle-sleep", "-1", "microseconds"), ("--idle-sleep", "1ms", "microseconds"),
    ("--dev-basename", "", "empty"), ("--dev-basename", "a/b", "/"), ("--dev-basename", "n" * 200, "long|bytes"),
    ("--socket-file", "", "empty"), ("--socket-file", "/tmp/" + "n" * 200, "long|bytes"),
]


@pytest.mark.parametrize("option,value,allowed", WRONG, ids=lambda v: str(v)[:24])
def test_wrong_value(box, option, value, allowed):
    result = start(box, [option, value])
    refused(result, re.escape(f"{option} {value}") if value else re.escape(option), allowed)
    before_eal(result)


@pytest.mark.parametrize("words", [("--tso", "1", "--tx-csum", "0"), ("--tx-csum", "0", "--tso", "1")], ids="".join)
def test_segmentation_without_checksums(box, words):
    result = start(box, words)
    refused(result, "--tso 1", "checksum.*--tx-csum 0.*--tso 0")
    before_eal(result)


@pytest.mark.parametrize("option", [o for o in OPTIONS if o not in ("--client", "-P", "-h", "--version")])
def test_value_missing(box, option):
    result = start(box, [option])
    refused(result, re.escape(option), "value")
    before_eal(result)


@pytest.mark.parametrize("words", [["--no-such-option"], ["--no-such-option", "1"], ["-x"], ["word"],
                                   ["--client=1"], ["--stats", "1", "word"]], ids=" ".join)
def test_unknown_option(box, words):
    result = start(box, words)
    refused(result, "word" if "word" in words else re.escape(words[0].split("=")[0]))
    before_eal(result)


@pytest.mark.parametrize("words,what", [
    (["--vm2vm", "0"], "uplink"),
    (["-P"], "uplink"),
    (["--socket-file", "a", "--socket-file", "a"], "a"),
], ids=lambda v: " ".join(v) if isinstance(v, list) else v)
def test_options_that_do_not_go_together(box, words, what):
    result = start(box, words)
    refused(result, re.escape(words[0]), what)
    before_eal(result)


@pytest.mark.parametrize("argv", [["-h"], ["--help"], ["--", "-h"], ["--", "--help"]], ids=" ".join)
def test_help(box, argv):
    status, out, _ = proc.run([binary(), *argv], check=False, cwd=box.directory)
    assert status == 0
    for option in OPTIONS:
        assert re.search(rf"(^|\s){option}\b", out, re.M), f"{option} is not in the help"
    assert "[EAL options] --" in out


@pytest.mark.parametrize("argv", [["--version"], ["--", "--version"]], ids=" ".join)
def test_version(box, argv):
    status, out, _ = proc.run([binary(), *argv], check=False, cwd=box.directory)
    assert status == 0
    assert re.fullmatch(r"vhost-switch \d+(\.\d+)+\S*\n", out)


# What the machine lacks.


def test_no_such_port(box):
    refused(start(box, ["-p", "0x1"]), "-p 0x1|port 0", "port")


def test_port_of_mask_beyond_those_there(box):
    with Namespace() as ns:
        result = start(box, ["-p", "0x4"], ns=ns, eal=["--vdev", "net_tap0,iface=up0"])
    refused(result, "-p 0x4|port 2", "port")


@pytest.mark.parametrize("words", [["--vmdq", "1"], ["--vm2vm", "2"]], ids=" ".join)
def test_port_has_no_vmdq(box, words):
    with Namespace() as ns:
        result = start(box, ["-p", "0x1", *words], ns=ns, eal=["--vdev", "net_tap0,iface=up0"])
    refused(result, " ".join(words), r"port 0 \(net_tap\)", "use --" + words[0].strip("-"))


def test_one_lcore(box):
    refused(start(box, lcores="0@0"), "lcore")


def test_mbuf_pool_larger_than_memory(box):
    with Namespace() as ns:
        result = start(box, ["-p", "0x1", "--total-num-mbufs", "16777216"], ns=ns,
                       eal=["--vdev", "net_tap0,iface=up0", "--socket-limit", "128"])
    refused(result, "mbuf", "total-num-mbufs|memory|hugepages")


HIDE_HUGEPAGES = r"""
set -e
sizes=$(ls /sys/kernel/mm/hugepages)
mount -t tmpfs none /sys/kernel/mm/hugepages
for s in $sizes; do
    mkdir "/sys/kernel/mm/hugepages/$s"
    for f in nr free resv surplus nr_overcommit; do echo 0 > "/sys/kernel/mm/hugepages/$s/${f}_hugepages"; done
done
sed -E 's/^(HugePages_(Total|Free|Rsvd|Surp)): .*/\1: 0/' /proc/meminfo > "$1/meminfo"
mount --bind "$1/meminfo" /proc/meminfo
for m in $(awk '$3 == "hugetlbfs" { print $2 }' /proc/mounts); do umount "$m"; done
shift
exec "$@"
"""


def test_no_hugepages_on_the_machine(box):
    """A private mount namespace hides them from this one process: it must run on ordinary pages, and say so."""
    hide = ["unshare", "--mount", "--propagation", "private", "sh", "-c", HIDE_HUGEPAGES, "sh", box.directory]
    with room(box, 2, uplink=TAP, before=hide, memory=()) as r:
        assert re.search(r"^vhost-switch: .*hugepages.*ordinary pages|^vhost-switch: .*ordinary pages.*hugepages",
                         r.switch.stderr, re.M), r.switch.stderr
        one, two = r.guests
        transfer(one.port, [two.port], [frame(two.mac, one.mac, seq, 60 + seq) for seq in range(500)])
        assert r.reached(one, frame(BROADCAST, one.mac)) == {two, r.uplink}
        assert r.reached(r.uplink, r.to_guest(two, frame(two.mac, STRANGER)), frame(two.mac, STRANGER)) == {two}


def test_hugepages_that_the_kernel_would_make(box):
    """None is free, but the kernel makes some for who asks (nr_overcommit_hugepages), as EAL does."""
    some = "echo 64 > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_overcommit_hugepages\nshift\n"
    hide = ["unshare", "--mount", "--propagation", "private", "sh", "-c", HIDE_HUGEPAGES.replace("shift\n", some), "sh",
            box.directory]
    with Switch(box, before=hide, memory=("--in-memory", "-m", "64")) as switch:
        assert "ordinary pages" not in switch.stderr


def test_smallest_mbuf_pool_works(box):
    """Too few are refused with the number that is enough; with that number frames pass."""
    with Namespace() as ns:
        line = refused(start(box, ["-p", "0x1", "--total-num-mbufs", "1024"], ns=ns,
                             eal=["--vdev", "net_tap0,iface=up0"]), "--total-num-mbufs 1024", "at least")
    least = re.search(r"at least (\d+)", line).group(1)
    assert int(least) > 1024 + 1024  # descriptors: a NIC's driver keeps what it has sent until its queue is full
    with room(box, 2, ["--total-num-mbufs", least], uplink=TAP) as r:
        one, two = r.guests
        r.introduce_uplink(STRANGER)
        out = [frame(STRANGER, one.mac, seq, 60 + seq % 1400) for seq in range(4000)]
        transfer(one.port, [r.uplink.port], out, [r.on_wire(one, data) for data in out])
        assert r.reached(r.uplink, r.to_guest(two, frame(two.mac, STRANGER)), frame(two.mac, STRANGER)) == {two}


# Sockets.


def listening(path):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    server.bind(path)
    server.listen()
    return server


def connects(path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.connect(path)
    return True


def test_socket_held_by_another_switch(box):
    with Switch(box) as first:
        line = refused(start(box), "usvhost", "use")
        assert connects(first.socket()), line


def test_socket_held_by_another_program(box):
    with listening(box.path("held")):
        refused(start(box, ["--socket-file", "held"]), "held", "use")
        assert connects(box.path("held"))


def test_nothing_is_left_when_the_second_socket_is_held(box):
    with listening(box.path("held")):
        refused(start(box, ["--socket-file", "free", "--socket-file", "held"]), "held", "use")
    assert not os.path.lexists(box.path("free"))


def test_stale_socket_is_replaced(box):
    listening(box.path("usvhost")).close()
    with Switch(box) as switch:
        assert connects(switch.socket())


def test_socket_of_a_killed_switch_is_replaced(box):
    switch = Switch(box)
    switch.kill()
    assert stat.S_ISSOCK(os.lstat(box.path("usvhost")).st_mode)
    with Switch(box) as second:
        assert connects(second.socket())


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_path_that_is_no_socket_is_left_alone(box, kind):
    path = box.path("thing")
    if kind == "folder":
        os.mkdir(path)
    else:
        target = path if kind == "file" else box.path("target")
        with open(target, "w", encoding="ascii") as f:
            f.write("precious")
        if kind == "link":
            os.symlink(target, path)
    before = os.lstat(path)
    refused(start(box, ["--socket-file", "thing"]), "thing", "socket")
    assert os.lstat(path).st_ino == before.st_ino
    if kind == "link":
        assert os.path.exists(box.path("target"))


def test_folder_of_the_socket_is_missing(box):
    refused(start(box, ["--socket-file", "no/such/folder/s"]), "no/such/folder", "directory|folder")


@pytest.mark.parametrize("options,sockets", [
    ([], ["usvhost"]),
    (["--dev-basename", "other"], ["other"]),
    (["--socket-file", "a"], ["a"]),
    (["--socket-file", "a", "--socket-file", "b"], ["a", "b"]),
    (["--socket-file", "a", "--dev-basename", "usvhost"], ["a", "usvhost"]),
], ids=lambda v: " ".join(v) if v else "default")
def test_sockets_that_are_made(box, options, sockets):
    with Switch(box, options) as switch:
        assert switch.sockets() == sockets
        assert all(connects(switch.socket(name)) for name in sockets)
