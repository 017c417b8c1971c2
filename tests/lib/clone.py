# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Clones that git does not read, for scripts/check-* (scripts/tree.py)."""

from lib import proc


def check_unread(box, script, files, text):
    """One of another user is read; where there is no git, what was made from files is left out. `text` is refused."""
    folder = box.clone(files)
    proc.run(["chown", "-R", "nobody", folder])
    assert proc.verdict(script, folder) == (0, "")
    box.tree({"build-arm64/b.c": text, "__pycache__/b.py": text})
    assert proc.verdict(script, folder, env={"PATH": box.tools("git")}) == (0, "")
    box.tree({"doc/build.rst": text})
    assert proc.verdict(script, folder, env={"PATH": box.path("bin")})[0] == 1
