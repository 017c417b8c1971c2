# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The demonstration of the README: everybody sent and received, every ping was answered, drops have reasons."""

import os

import pytest

from lib import demo
from lib.proc import Process
from lib.switch import ROOT


# A machine that has no hugepages and can have none.
WITHOUT = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", """
sed "/^HugePages_/s/[0-9]*$/0/" /proc/meminfo > "$1"
mount --bind "$1" /proc/meminfo
mount -t tmpfs none /sys/kernel/mm/hugepages
shift
exec "$@"
""", "sh")


@pytest.mark.parametrize("hugepages", [True, False], ids=["hugepages", "ordinary"])
def test_demo_shows_traffic(box, hugepages):
    program = os.path.join(ROOT, "contrib", "demo.py")
    before = () if hugepages else (*WITHOUT, box.path("meminfo"))
    with Process([*before, "/usr/bin/python3", program], name="demo",
                 cwd=box.directory, env={"PYTHONDONTWRITEBYTECODE": "1"}) as process:
        assert process.wait(120) == 0, process.tail()
        demo.check(process.stdout)
        assert ("no hugepages" in process.stdout) == (not hugepages)
