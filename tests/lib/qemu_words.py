# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""What releases of QEMU call by different names."""

import functools
import re

from lib.proc import run


@functools.cache
def reconnect():
    """The option with which a chardev connects again every second. QEMU 11 does not know the guide's name for it."""
    major = re.search(r"version (\d+)\.", run(["qemu-system-x86_64", "--version"])[1])[1]
    return "reconnect=1" if int(major) < 11 else "reconnect-ms=1000"
