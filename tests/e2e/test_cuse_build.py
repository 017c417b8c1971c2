# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The build with the cuse back end, as far as it goes without /dev/cuse: what it links, its sockets, its options.

tests/vm has the device itself, tests/unit its parts.
"""

import glob
import os
import re

import pytest

from lib import proc
from lib.frames import BROADCAST, frame, transfer
from lib.guests import Guests
from lib.switch import ONE_WORKER, ROOT, Switch, binary
from test_options import HUGE_NUMBER

CUSE = os.path.join(ROOT, "build-cuse", "vhost-switch")

WRONG = [
    ("--dev-basename", "a/b", "under /dev"), ("--dev-basename", "..", "under /dev"),
    ("--dev-basename", "", "under /dev"),
    ("--dev-basename", "n" * 100, "bytes"),
    ("--dev-owner", "root", "user:group"), ("--dev-owner", "nobody-has-that:root", "no user"),
    ("--dev-owner", "root:nobody-has-that", "no group"), ("--dev-owner", f"{HUGE_NUMBER}:0", "no user"),
    ("--dev-mode", "0999", "octal"), ("--dev-mode", "01777", "octal"), ("--dev-mode", "rw", "octal"),
]

# A /dev with what DPDK needs of it and nothing else, then the command.
WITHOUT_CUSE = """
mkdir old && mount --rbind /dev old && mount -t tmpfs none /dev
for name in null zero urandom; do
    touch /dev/$name && mount --bind old/$name /dev/$name
done
mkdir /dev/hugepages && mount --rbind old/hugepages /dev/hugepages
exec "$@"
"""


def libraries(program):
    _, out, _ = proc.run(["readelf", "-d", program])
    return re.findall(r"Shared library: \[(.*?)\]", out)


def refused(box, *options, program=CUSE, before=()):
    """Asserts status 1, and returns its last line."""
    argv = [*before, program, "--lcores", ONE_WORKER, "--in-memory", "--no-pci", "--file-prefix",
            box.unique("cuse"), "--", *options]
    status, _, err = proc.run(argv, check=False, cwd=box.directory, env={"RUNTIME_DIRECTORY": box.directory})
    assert status == 1, err
    last = err.splitlines()[-1]
    assert last.startswith("vhost-switch: "), err
    return last


def test_only_the_cuse_build_links_libfuse():
    assert not [name for name in libraries(binary()) if "fuse" in name]
    assert [name for name in libraries(CUSE) if name.startswith("libfuse3.")]


@pytest.mark.parametrize("word", ["VHOST=cuse", "CONFIG_RTE_LIBRTE_VHOST_USER=n"])
def test_both_names_choose_the_back_end(word):
    _, out, _ = proc.run(["make", "-n", "-B", word], cwd=ROOT, env={"MAKEFLAGS": ""})
    assert re.search(r"-o build-cuse/vhost-switch .*-lfuse3", out)
    assert "-o build/vhost-switch " not in out


@pytest.mark.parametrize("word", ["VHOST=user", "CONFIG_RTE_LIBRTE_VHOST_USER=y"])
def test_both_names_choose_sockets(word):
    _, out, _ = proc.run(["make", "-n", "-B", word], cwd=ROOT, env={"MAKEFLAGS": ""})
    assert "-o build/vhost-switch " in out and "fuse" not in out.replace("pkg-config --exists fuse3", "")


def test_what_differs_with_the_back_end_is_named_in_the_makefile():
    """All else is compiled once for both."""
    def text(path):
        with open(os.path.join(ROOT, path), encoding="utf-8") as file:
            return file.read()

    named = re.findall(r"^(?:CUSE_STARTS|BACK_END_SOURCES) := (.*)$", text("Makefile"), re.M)
    sources = [path for pattern in ("*.c", "[!bt]*/*.c", "base/*.c", "guest/cuse/*.c")
               for path in glob.glob(pattern, root_dir=ROOT)]
    depends = r'\b(VHOST_CUSE|CONF_CUSE)\b|^#include "guest/cuse/cuse.h"'
    assert {path for path in sources if re.search(depends, text(path), re.M)} == set(" ".join(named).split())


def test_other_back_ends_are_refused():
    status, _, err = proc.run(["make", "-n", "VHOST=vdpa"], cwd=ROOT, check=False, env={"MAKEFLAGS": ""})
    assert status != 0 and "VHOST=vdpa: must be user or cuse" in err


def test_serves_sockets(box):
    """It does so like the other build: if only sockets are asked for, it does not look for the device."""
    path = box.path("a")
    with Switch(box, ["--socket-file", path], program=CUSE) as switch, Guests(box, [path, path]) as guests:
        one, two = guests
        for guest in guests:
            guest.port.send(frame(BROADCAST, guest.mac))
            switch.wait_registered(guest.mac)
        one.port.send(frame(two.mac, one.mac))
        two.port.until(frame(two.mac, one.mac))  # after what was flooded
        transfer(one.port, [two.port], [frame(two.mac, one.mac, i) for i in range(64)])


@pytest.mark.parametrize("option, value, allowed", WRONG)
def test_wrong_values(box, option, value, allowed):
    last = refused(box, option, value)
    assert option in last and value in last and allowed in last


def test_sockets_of_others_keep_their_owner(box):
    """Who connects to QEMU's sockets does not own them; a socket that is served may have an owner in either build."""
    for option, value in (("--dev-owner", "root:root"), ("--dev-mode", "0660")):
        for program in (CUSE, binary()):
            last = refused(box, "--client", "--socket-file", "a", option, value, program=program)
            assert option in last and "leave it out" in last


def test_no_dev_cuse(box):
    before = ["unshare", "--mount", "--propagation", "private", "sh", "-ec", WITHOUT_CUSE, "sh"]
    assert refused(box, before=before) == \
        "vhost-switch: /dev/cuse: No such file or directory; load the kernel's module: modprobe cuse"
    # All that it had made by then was removed.
    assert not [name for _, _, names in os.walk(box.directory) for name in names if name.startswith("vhost")]
    assert not [name for _, names, _ in os.walk(box.directory) for name in names if name.startswith("cuse-")]


def test_name_is_taken(box):
    assert "/dev/null: the name is taken" in refused(box, "--dev-basename", "null")


def test_socket_path_too_long(box):
    """EAL's runtime folder, below which the private socket is made, can have a long name."""
    folder = os.path.join(box.directory, "n" * 90)
    os.mkdir(folder)
    argv = [CUSE, "--lcores", ONE_WORKER, "--in-memory", "--no-pci", "--no-telemetry", "--file-prefix",
            box.unique("x"), "--"]
    status, _, err = proc.run(argv, check=False, cwd=box.directory, env={"RUNTIME_DIRECTORY": folder})
    assert status == 1 and "choose a shorter --file-prefix" in err.splitlines()[-1], err
