# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Where the files of one test are, and what they are called."""

import itertools
import os
import shutil
import subprocess
import tempfile


class Box:
    """The directory of one test, with its sockets. Its name is short, as socket paths end at 108 bytes."""

    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="vs-")
        self.prefix = f"vs{os.getpid()}"
        self.foreign_sockets = set()  # names of sockets here that the switch does not own
        self._numbers = itertools.count()

    def path(self, name):
        return os.path.join(self.directory, name)

    def tree(self, files):
        """A folder with these files, {name: text}."""
        folder = self.path("tree")
        for name, text in files.items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="ascii") as f:
                f.write(text)
        return folder

    def clone(self, files):
        """The same as a new clone of git, which knows none of them yet."""
        folder = self.tree(files)
        subprocess.run(["git", "init", "-q", folder], check=True)
        return folder

    def tools(self, without):
        """A PATH without this program."""
        folder = self.path("bin")
        os.mkdir(folder)
        for name in os.listdir("/usr/bin"):
            if name != without:
                os.symlink(os.path.join("/usr/bin", name), os.path.join(folder, name))
        return folder

    def unique(self, name):
        return f"{self.prefix}{name}{next(self._numbers)}"

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)
