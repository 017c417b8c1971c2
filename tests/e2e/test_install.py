# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""make install and make uninstall, below a DESTDIR of the test."""

import fnmatch
import os
import re
import shutil
import stat

import pytest

from lib import guide, proc
from lib.switch import ROOT
from lib.wait import BUILD_DEADLINE

PREFIXES = ("/usr/local", "/opt/vhost switch")
PROGRAMS = ("bin/vhost-switch", "bin/vhost-switch-ctl", "bin/qemu-wrap.py")
OTHERS = ("lib/systemd/system/vhost-switch.service", "share/vhost-switch/vhost-switch.default",
          "share/vhost-switch/vhost-switch.conf", "share/vhost-switch/libvirt/vhost-user.xml",
          "share/vhost-switch/libvirt/qemu-wrap.xml")
DOCUMENTS = ("share/man/man8/vhost-switch.8", "share/man/man1/qemu-wrap.py.1",
             "share/doc/vhost-switch/html/index.html", "share/doc/vhost-switch/html/_images/packet_flow.svg")
# All that `make install` may run. No compiler, no Sphinx, no apt-get: it builds and downloads nothing.
TOOLS = ("sh", "make", "cat", "install", "rm", "find", "sed")


@pytest.fixture
def install(box):
    """Runs make for a target, a DESTDIR, a PREFIX, and perhaps more variables, where only TOOLS are found."""
    tools = box.path("tools")
    os.mkdir(tools)
    for name in TOOLS:
        os.symlink(shutil.which(name), os.path.join(tools, name))

    def run(target, destdir, prefix, *variables, check=True):
        return proc.run(["env", f"PATH={tools}", "make", target, f"DESTDIR={destdir}", f"PREFIX={prefix}", *variables],
                        cwd=ROOT, env={"MAKEFLAGS": ""}, check=check)
    return run


@pytest.fixture(scope="module")
def documents(module_box):
    """make's variable for guide and man page, which are built there."""
    variable = f"DOC={module_box.path('doc')}"
    proc.run(["make", "doc", variable], cwd=ROOT, env={"MAKEFLAGS": ""}, deadline=BUILD_DEADLINE)
    return variable


def files(folder):
    return {os.path.relpath(os.path.join(path, name), folder) for path, _, names in os.walk(folder) for name in names}


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_is_installed_works_and_goes_again(box, install, documents, prefix):
    destdir = box.path("dest dir")
    place = destdir + prefix
    install("install", destdir, prefix, documents)
    assert files(destdir) == {os.path.relpath(name, "/") for name in (os.path.join(prefix, f) for f in files(place))}, \
        "nothing outside of the prefix"
    for name in files(place):
        mode = stat.S_IMODE(os.stat(os.path.join(place, name)).st_mode)
        assert mode == (0o755 if name.startswith("bin/") else 0o644), name
    assert files(place) >= {*PROGRAMS, *OTHERS, *DOCUMENTS}
    _, version, _ = proc.run([os.path.join(place, "bin/vhost-switch"), "--version"])
    with open(os.path.join(ROOT, "VERSION"), encoding="ascii") as file:
        assert version == f"vhost-switch {file.read()}"
    _, page, _ = proc.run(["man", "-l", os.path.join(place, "share/man/man8/vhost-switch.8")],
                          env={"LC_ALL": "C.UTF-8", "MANPAGER": "cat", "PAGER": "cat"})
    assert re.search(r"^NAME$", page, re.M) and version.split()[1] in page
    _, command, _ = proc.run([os.path.join(place, "bin/qemu-wrap.py"), "--print", "-version"])
    assert "-version" in command
    install("uninstall", destdir, prefix)
    assert files(destdir) == set()


def test_guide_tells_where_files_are(box, install):
    """Its table has a row for each file of contrib/ that is installed as one that a user reads or changes."""
    with open(os.path.join(guide.DOC, "build.rst"), encoding="utf-8") as f:
        rows = re.findall(r"^``contrib/(\S+)`` +``(\S+)`` +``/\S+``$", f.read(), re.M)
    install("install", box.path("dest"), "/usr", f"DOC={box.path('none')}")
    there = {path for path in files(box.path("dest/usr")) if path.startswith(("share/vhost-switch/", "lib/systemd/"))}
    found = {name: {path for path in there for pattern in (place + name, f"{place}{name}/*")
                    if fnmatch.fnmatch(path, pattern)} for name, place in rows}
    assert all(found.values()) and set.union(*found.values()) == there, (found, there)


def test_service_of_the_cuse_build_has_its_rights(box, install):
    """By a drop-in of the unit, which starts the program that was installed."""
    destdir = box.path("dest")
    install("install", destdir, "/usr", "VHOST=cuse", f"DOC={box.path('none')}")
    place = os.path.join(destdir, "usr")
    assert files(place) >= {*PROGRAMS, *OTHERS, "lib/systemd/system/vhost-switch.service.d/cuse.conf"}
    unit = os.path.join(place, "lib/systemd/system/vhost-switch.service")
    with open(f"{unit}.d/cuse.conf", encoding="ascii") as file:
        text = file.read()
    assert re.search(r"^CapabilityBoundingSet=CAP_SYS_PTRACE ", text, re.M) and "\nExecStart=" not in text
    with open(unit, "r+", encoding="ascii") as file:  # systemd does not look for programs here
        text = file.read().replace("ExecStart=vhost-switch ", f"ExecStart={place}/bin/vhost-switch ")
        file.seek(0)
        file.write(text)
    assert proc.run(["systemd-analyze", "verify", "--man=no", unit]) == (0, "", "")
    _, helped, _ = proc.run([os.path.join(place, "bin/vhost-switch"), "--help"])
    assert "--dev-basename" in helped
    install("uninstall", destdir, "/usr")
    assert files(destdir) == set()


def test_without_a_guide_the_rest_is_installed(box, install):
    _, out, _ = install("install", box.path("dest"), "/usr", f"DOC={box.path('none')}")
    assert files(box.path("dest/usr")) >= {*PROGRAMS, *OTHERS}
    assert not files(box.path("dest/usr")) & {*DOCUMENTS}
    assert out.count("`make doc` builds") == 4, out


def test_without_a_program_nothing_is_installed(box, install):
    status, _, err = install("install", box.path("dest"), "/usr", f"BUILD={box.path('none')}", check=False)
    assert status != 0 and "`make` builds it" in err
    assert files(box.path("dest")) == set()
