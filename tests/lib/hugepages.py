# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Hugepages: what the machine has."""

import re

SIZE_MIB = 2


def counts():
    """(total, free) pages of the default size."""
    with open("/proc/meminfo", encoding="ascii") as f:
        text = f.read()
    return tuple(int(re.search(rf"^HugePages_{what}:\s+(\d+)", text, re.M).group(1)) for what in ("Total", "Free"))


def require(mib):
    """Fails, and names the remedy, if fewer are free than a test run needs."""
    total, free = counts()
    pages = mib // SIZE_MIB
    assert free >= pages, (
        f"{free} of {total} hugepages are free, {pages} are needed: "
        f"echo {total - free + pages} > /proc/sys/vm/nr_hugepages")
