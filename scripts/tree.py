# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The files of a folder, for scripts/check-*."""

import os
import subprocess

# A clone may belong to another user, whom git does not trust unless it is told to. It only lists files here.
GIT = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard"]
FIND = ["find", ".", "-type", "d", "(", "-name", "build*", "-o", "-name", ".git", "-o", "-name", "__pycache__", ")",
        "-prune", "-o", "-type", "f", "-printf", "%P\\n"]


def _listed(command, folder):
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.split("\n")


def files(folder):
    """Returns the files that git knows, or all files if this is no clone or there is no git."""
    try:
        if not os.path.exists(os.path.join(folder, ".git")):
            raise FileNotFoundError
        found = _listed(GIT, folder)
    except (FileNotFoundError, subprocess.CalledProcessError):
        found = _listed(FIND, folder)
    return [name for name in found if os.path.isfile(os.path.join(folder, name))]


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()
