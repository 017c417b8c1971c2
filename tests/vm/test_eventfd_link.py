# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""eventfd_link compiles for the kernels of this release of Debian, and does there what it should."""

import re

from lib.proc import run
from lib.switch import ROOT
from vm import headers, image
from vm.machine import Machine

TESTER = "build/tests/cuse/eventfd_link"
TESTER_DEADLINE = 120


def test_module_on_newer_kernel(box):
    """On the kernel of most tests it is tried in the machine of test_cuse.py."""
    release = image.module_tree(image.NEWER).name
    with Machine(box, "linux-newer", series=image.NEWER) as machine:
        check_module(machine, headers.build(release, machine.path("eventfd_link")))


def check_module(machine, module):
    release = machine.run("uname -r").strip()
    assert run(["modinfo", "-F", "vermagic", module])[1].startswith(f"{release} ")
    assert run(["modinfo", "-F", "license", module])[1] == "Dual BSD/GPL\n"
    for _ in range(2):
        machine.run(f"insmod {module}")
        assert machine.run("stat -c '%A %u %g' /dev/eventfd-link") == "crw------- 0 0\n"
        machine.run("rmmod eventfd_link && ! test -e /dev/eventfd-link")
    machine.run(f"insmod {module}")
    status, output = machine.run(TESTER, check=False, deadline=TESTER_DEADLINE)
    print(output)
    assert status == 0
    planned, = re.findall(r"^1\.\.(\d+)$", output, re.M)
    assert len(re.findall(r"^ok ", output, re.M)) == int(planned) > 0
    machine.run("rmmod eventfd_link")


def test_header_is_complete(tmp_path):
    """It can be used from user space, and needs no other header before it."""
    source = tmp_path / "use.c"
    source.write_text('#include "eventfd_link/eventfd_link.h"\n'
                      "struct eventfd_link_get get;\nunsigned long request = EVENTFD_LINK_GET;\n")
    for language in ("c99", "c11"):
        run(["gcc", f"-std={language}", "-pedantic-errors", "-Wall", "-Werror", f"-I{ROOT}",
             "-c", source, "-o", tmp_path / "use.o"])
