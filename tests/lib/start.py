# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Starting a switch that must refuse its options."""

import re

from lib import proc
from lib.switch import ONE_WORKER, binary


def start(box, options=(), *, eal=(), lcores=ONE_WORKER, ns=None, before=(), memory=("--in-memory",), prefix=None):
    """Starts a switch that is expected to end by itself; returns (status, stdout, stderr)."""
    argv = [*before, binary(), "--lcores", lcores, *memory, "--no-pci", "--file-prefix", prefix or box.unique("opt"),
            *eal, "--", *options]
    return proc.run(argv, ns=ns, check=False, cwd=box.directory, env={"RUNTIME_DIRECTORY": box.directory})


def refused(result, *words):
    """Asserts status 1 and that the last line is one of ours with all the words; returns the line."""
    status, out, err = result
    assert status == 1, f"status {status}\n{err}"
    assert err.endswith("\n"), "last line has no end"
    line = err.splitlines()[-1]
    assert line.startswith("vhost-switch: "), err
    for word in words:
        assert re.search(word, line), f"{word!r} missing: {line}"
    assert "vhost-switch statistics" not in out
    assert "Success" not in line
    assert "Usage:" not in out + err, "EAL's usage is shown"
    return line


def before_eal(result):
    """Asserts that EAL had not even begun: the line is the only one."""
    assert result[2].count("\n") == 1, f"one line expected:\n{result[2]}"
