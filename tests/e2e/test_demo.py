# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The demonstration of the README: everybody sent and received, every ping was answered, drops have reasons."""

import importlib.util
import os

import pytest

from lib import demo
from lib.proc import Process
from lib.switch import ROOT


PROGRAM = os.path.join(ROOT, "contrib", "demo.py")
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
    before = () if hugepages else (*WITHOUT, box.path("meminfo"))
    with Process([*before, "/usr/bin/python3", PROGRAM], name="demo",
                 cwd=box.directory, env={"PYTHONDONTWRITEBYTECODE": "1"}) as process:
        assert process.wait(120) == 0, process.tail()
        demo.check(process.stdout)
        assert ("no hugepages" in process.stdout) == (not hugepages)


@pytest.mark.parametrize("used, said", [(4.9, ""), (2.0, "Other work ran on the worker's CPU, which it had for 40% ")])
def test_demo_on_a_busy_machine_says_so(capsys, used, said):
    """Figures of a worker that has no CPU for itself are not what the switch takes."""
    spec = importlib.util.spec_from_file_location("contrib_demo", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.show_share({1: 0.5, 2: 3.0}, {1: 0.6, 2: 3.0 + used, 3: 0.1}, 5.0)
    out = capsys.readouterr().out
    assert out.startswith(said) and out.count("\n") == bool(said)
