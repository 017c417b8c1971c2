# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The demonstration of the README: everybody sent and received, every ping was answered, drops have reasons."""

import os
import re

import pytest

from lib.proc import Process
from lib.switch import ROOT


# A machine that has no hugepages, nor can have some.
WITHOUT = ("unshare", "--mount", "--propagation", "private", "sh", "-ec", """
sed "/^HugePages_/s/[0-9]*$/0/" /proc/meminfo > "$1"
mount --bind "$1" /proc/meminfo
mount -t tmpfs none /sys/kernel/mm/hugepages
shift
exec "$@"
""", "sh")


@pytest.mark.parametrize("hugepages", [True, False], ids=["hugepages", "ordinary"])
def test_demo_shows_traffic(box, hugepages):
    demo = os.path.join(ROOT, "contrib", "demo.py")
    before = () if hugepages else (*WITHOUT, box.path("meminfo"))
    with Process([*before, "/usr/bin/python3", demo], name="demo",
                 cwd=box.directory, env={"PYTHONDONTWRITEBYTECODE": "1"}) as process:
        assert process.wait(120) == 0, process.tail()
        rows = re.findall(r"^(device \d|uplink).*?([\d,]+)\s+([\d,]+)\s+([\d,]+)\s+([\d,]+)$", process.stdout, re.M)
        assert [row[0] for row in rows] == ["device 0", "device 1", "device 2", "uplink"], process.tail()
        for name, *numbers in rows:
            assert all(int(number.replace(",", "")) > 0 for number in numbers), (name, numbers)
        last = re.search(r"""Between the containers: ([\d,]+) frames/s\. Dropped since the start: (\d+) frames\.
From the Linux guest to the host behind the uplink and back: [\d.]+ ms .*
Pings answered: (\d+) of (\d+); beside the containers' traffic (\d+) of (\d+)\.\n$""", process.stdout)
        assert last, process.tail()
        rate, dropped, *pings = (int(number.replace(",", "")) for number in last.groups())
        assert rate > 0
        assert pings[0] == pings[1] > 0 and pings[2] == pings[3] > 0, process.tail()
        reasons = re.findall(r"^dropped: (\d+) \w+: \w+", process.stdout, re.M)
        assert sum(map(int, reasons)) == dropped, process.tail()
        assert ("no hugepages" in process.stdout) == (not hugepages)
