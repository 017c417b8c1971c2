# SPDX-License-Identifier: BSD-3-Clause
"""eventfd_link compiles for the kernels of Debian 12 and of its backports, and does there what it should."""

import os
import re

import pytest

from lib.proc import run
from lib.switch import ROOT
from vm import headers, image
from vm.machine import Machine

TESTER = "build/tests/cuse/eventfd_link"
TESTER_DEADLINE = 120


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_module(series, box):
    release = image.module_tree(series).name
    module = headers.build(release, box.path("module"))
    assert run(["modinfo", "-F", "vermagic", module])[1].startswith(f"{release} ")
    with Machine(box, f"linux-{series}", series=series) as machine:
        os.rename(module, machine.path("eventfd_link.ko"))
        check_module(machine)


def check_module(machine):
    for _ in range(2):
        machine.run(f"insmod {machine.path('eventfd_link.ko')}")
        assert machine.run("stat -c '%A %u %g' /dev/eventfd-link") == "crw------- 0 0\n"
        machine.run("rmmod eventfd_link && ! test -e /dev/eventfd-link")
    machine.run(f"insmod {machine.path('eventfd_link.ko')}")
    status, output = machine.run(TESTER, check=False, deadline=TESTER_DEADLINE)
    print(output)
    assert status == 0
    planned, = re.findall(r"^1\.\.(\d+)$", output, re.M)
    assert len(re.findall(r"^ok ", output, re.M)) == int(planned) > 0
    machine.run("rmmod eventfd_link")


def test_header_is_complete(tmp_path):
    """Usable from user space with nothing before it."""
    source = tmp_path / "use.c"
    source.write_text('#include "eventfd_link/eventfd_link.h"\n'
                      "struct eventfd_link_get get;\nunsigned long request = EVENTFD_LINK_GET;\n")
    for language in ("c99", "c11"):
        run(["gcc", f"-std={language}", "-pedantic-errors", "-Wall", "-Werror", f"-I{ROOT}",
             "-c", source, "-o", tmp_path / "use.o"])
