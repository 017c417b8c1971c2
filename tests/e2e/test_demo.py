# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The demonstration of the README: everybody sent and received, pings were answered, drops have reasons."""

import importlib.util
import os
import re
import signal

import pytest

from lib import demo, proc
from lib.proc import Process
from lib.switch import ROOT
from lib.wait import DEADLINE, stays, wait_for


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
        assert process.wait(4 * DEADLINE) == 0, process.tail()
        demo.check(process.stdout)
        assert ("no hugepages" in process.stdout) == (not hugepages)


def children(process):
    """{program: pid}"""
    _, text, _ = proc.run(["ps", "--ppid", str(process.pid), "-o", "comm=,pid="])
    return {name: int(pid) for name, pid in map(str.split, text.splitlines())}


def test_demo_waits_for_late_answers(box):
    """Its switch gets no CPU for longer than the pings would take."""
    with Process(["/usr/bin/python3", PROGRAM], name="demo", cwd=box.directory,
                 env={"PYTHONDONTWRITEBYTECODE": "1"}) as process:
        wait_for(lambda: "pings meanwhile" in process.stdout, 2 * DEADLINE, process.tail)
        wait_for(lambda: "ping" in children(process), what="pings beside the traffic")
        os.kill(children(process)["vhost-switch"], signal.SIGSTOP)
        stays(process.running, 6)
        os.kill(children(process)["vhost-switch"], signal.SIGCONT)
        assert process.wait(4 * DEADLINE) == 0, process.tail()
        assert demo.BUSY in process.stdout
        demo.check(process.stdout)
        answered, sent = re.search(r"beside the containers' traffic (\d+) of (\d+)", process.stdout).groups()
        assert int(sent) >= int(answered) >= 20


@pytest.mark.parametrize("used, said", [(4.9, ""), (2.0, "Other work ran on the worker's CPU, which it had for 40% ")])
def test_demo_on_a_busy_machine_says_so(capsys, used, said):
    """Figures of a worker that has no CPU for itself are not what the switch takes."""
    spec = importlib.util.spec_from_file_location("contrib_demo", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.show_share({1: 0.5, 2: 3.0}, {1: 0.6, 2: 3.0 + used, 3: 0.1}, 5.0)
    out = capsys.readouterr().out
    assert out.startswith(said) and out.count("\n") == bool(said)
