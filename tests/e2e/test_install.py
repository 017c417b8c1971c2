# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""make install and make uninstall, below a DESTDIR of the test."""

import os
import re
import stat

import pytest

from lib import proc
from lib.switch import ROOT

PREFIXES = ("/usr/local", "/opt/vhost switch")
PROGRAMS = ("bin/vhost-switch", "bin/qemu-wrap.py")
OTHERS = ("share/man/man8/vhost-switch.8", "lib/systemd/system/vhost-switch.service",
          "share/vhost-switch/vhost-switch.default", "share/vhost-switch/libvirt/vhost-user.xml",
          "share/vhost-switch/libvirt/qemu-wrap.xml")


def make(target, destdir, prefix):
    proc.run(["make", target, f"DESTDIR={destdir}", f"PREFIX={prefix}"], cwd=ROOT, env={"MAKEFLAGS": ""})


def files(folder):
    return {os.path.relpath(os.path.join(path, name), folder) for path, _, names in os.walk(folder) for name in names}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_is_installed_works_and_goes_again(box, prefix):
    destdir = box.path("dest dir")
    place = destdir + prefix
    make("install", destdir, prefix)
    assert files(destdir) == {os.path.relpath(name, "/") for name in (os.path.join(prefix, f) for f in files(place))}, \
        "nothing outside of the prefix"
    for name in files(place):
        mode = stat.S_IMODE(os.stat(os.path.join(place, name)).st_mode)
        assert mode == (0o755 if name.startswith("bin/") else 0o644), name
    assert files(place) >= {*PROGRAMS, *OTHERS}
    _, version, _ = proc.run([os.path.join(place, "bin/vhost-switch"), "--version"])
    with open(os.path.join(ROOT, "VERSION"), encoding="ascii") as file:
        assert version == f"vhost-switch {file.read()}"
    _, page, _ = proc.run(["man", "-l", os.path.join(place, "share/man/man8/vhost-switch.8")],
                          env={"LC_ALL": "C.UTF-8", "MANPAGER": "cat", "PAGER": "cat"})
    assert re.search(r"^NAME$", page, re.M) and version.split()[1] in page
    _, command, _ = proc.run([os.path.join(place, "bin/qemu-wrap.py"), "--print", "-version"])
    assert "-version" in command
    make("uninstall", destdir, prefix)
    assert files(destdir) == set()
