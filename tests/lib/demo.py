# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""What contrib/demo.py must have printed."""

import re

ROW = re.compile(r"^(device \d|uplink).*?([\d,]+)\s+([\d,]+)\s+([\d,]+)\s+([\d,]+)$", re.M)
LAST = re.compile(r"""Between the containers: ([\d,]+) frames/s\. Dropped since the start: (\d+) frames\.
From the Linux guest to the host beyond the uplink and back: [\d.]+ ms .*
Pings answered: (\d+) of (\d+); beside the containers' traffic (\d+) of (\d+)\.\n\Z""")
BUSY = "Other work ran on the worker's CPU"


def check(text):
    """Everybody sent and received, pings were answered, and each frame that was dropped has a reason. Pings are lost
    only where the worker had no CPU for itself, which is said."""
    rows = ROW.findall(text)
    assert [row[0] for row in rows] == ["device 0", "device 1", "device 2", "uplink"], text
    for name, *numbers in rows:
        assert all(int(number.replace(",", "")) > 0 for number in numbers), (name, numbers)
    last = LAST.search(text)
    assert last, text
    rate, dropped, *pings = (int(number.replace(",", "")) for number in last.groups())
    assert rate > 0
    for answered, sent in (pings[:2], pings[2:]):
        assert answered > 0 and (answered == sent or BUSY in text), text
    reasons = re.findall(r"^dropped: (\d+) \w+: \w+", text, re.M)
    assert sum(map(int, reasons)) == dropped, text
