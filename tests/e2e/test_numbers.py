# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The numbers in the guide's chapter "Options", limits and ranges, are those of the source."""

import math
import os
import re

from lib import guide

# The rows of options.rst, "Limits": (macro, what it counts that a user does not have).
LIMITS = {
    "workers": ("WORKER_MAX", 0),
    "ports": ("SOCKET_MAX", 0),
    "devices at a time": ("GUEST_MAX", 0),
    "characters of a port's name": ("PORT_NAME_MAX", 0),
    "characters of the name of the cuse back end's device": ("NODE_NAME_MAX", 0),
    "bytes of a socket's path": ("SOCKET_PATH_MAX", 1),  # its terminator
    "addresses that the switch knows of a guest": ("FDB_PER_GUEST", 0),
    "addresses that it knows beyond the uplink": ("FDB_PER_UPLINK", 0),
    "memory regions of a guest": ("GUEST_REGIONS", 0),
    "bytes of a configuration file": ("CONF_FILE_MAX", 0),
    "bytes of a line in it, together with the lines that continue it": ("FILE_LINE_MAX", 1),
}


def constant(name):
    """The value of a number or of a macro, which may be a product."""
    if name.isdigit():
        return int(name)
    (value,) = {m[1] for text in guide.sources().values()
                for m in re.finditer(rf"^#define {name} \(?([\d* ]+)\b", text, re.M)}
    return math.prod(int(factor) for factor in value.split("*"))


def test_limits_are_those_of_the_source():
    with open(os.path.join(guide.DOC, "options.rst"), encoding="utf-8") as f:
        listed = re.findall(r"^(\S.*?) {2,}(\d+)$", f.read(), re.M)
    assert {name: int(number) for name, number in listed} == {
        name: constant(macro) - less for name, (macro, less) in LIMITS.items()}


def test_ranges_of_options_are_those_of_the_source():
    with open(os.path.join(guide.DOC, "options.inc.rst"), encoding="utf-8") as f:
        texts = dict(re.findall(r"^``(--[\w-]+) [^`]*``\n((?:\n| .*\n)+)", f.read(), re.M))
    ranges = re.findall(r'X\(\w+, "(--[\w-]+)", (\d+), (\w+),', guide.sources()["conf/conf_option.c"])
    assert len(ranges) > 10
    for option, least, most in ranges:
        most = constant(most)
        assert most <= 2 or f"{least} to {most}" in guide.squeeze(texts[option]), option  # 0|1|2 are in its first line
