# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The demonstration of the README ends with a table in which everybody sent and received, and every ping was answered."""

import os
import re

from lib.proc import Process
from lib.switch import ROOT


def test_demo_shows_traffic(box):
    demo = os.path.join(ROOT, "contrib", "demo.py")
    with Process(["/usr/bin/python3", demo], cwd=box.directory, env={"PYTHONDONTWRITEBYTECODE": "1"}) as process:
        assert process.wait(120) == 0, process.tail()
        rows = re.findall(r"^(device \d|uplink).*?([\d,]+)\s+([\d,]+)\s+([\d,]+)\s+([\d,]+)$", process.stdout, re.M)
        assert [row[0] for row in rows] == ["device 0", "device 1", "device 2", "uplink"], process.tail()
        for name, *numbers in rows:
            assert all(int(number.replace(",", "")) > 0 for number in numbers), (name, numbers)
        answered, asked = re.search(r"(\d+) of (\d+) answered", process.stdout).groups()
        assert int(answered) == int(asked) > 0
