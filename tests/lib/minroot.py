# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A minimal system of a Debian release, made and entered by scripts/minroot, with a copy of these sources.

    with MinRoot("bookworm") as root:
        text = root.run("sh scripts/demo", 300)
"""

import os
import shutil
import tempfile
import threading

from lib.proc import Process
from lib.switch import ROOT

SCRIPT = os.path.join(ROOT, "scripts", "minroot")
MAKE_SECONDS = 900  # a minute, and what a slow mirror adds
# What a user's copy lacks: history, and what was built here, as the minimal system must build it itself.
NOT_SOURCES = shutil.ignore_patterns(".git", "build", "build-*", "__pycache__", "*.pyc")
SOURCES = "root/src"


class MinRoot:
    def __init__(self, release, sources=True):
        self.release = release
        self.folder = tempfile.mkdtemp(prefix=f"vs-{release}-", dir="/var/tmp")  # /tmp may be memory
        try:
            with Process([SCRIPT, "new", release, self.folder], name="minroot") as process:
                assert process.wait(MAKE_SECONDS) == 0, process.tail()
            if sources:
                shutil.copytree(ROOT, self.path(SOURCES), symlinks=True, ignore=NOT_SOURCES)
            else:
                os.mkdir(self.path(SOURCES))
        except BaseException:
            self.remove()
            raise

    def path(self, name):
        return os.path.join(self.folder, name)

    def has(self, program):
        return any(os.path.lexists(self.path(f"usr/{place}/{program}")) for place in ("bin", "sbin", "local/bin"))

    def run(self, command, seconds):
        """Runs a shell's command in the sources; asserts status 0 and returns all that it printed."""
        with Process([SCRIPT, "in", self.folder, "sh", "-c", f"cd src && {{ {command}; }} 2>&1"],
                     name=f"{self.release}: {command}") as process:
            status = process.wait(seconds)
            assert status == 0, f"status {status}\n{process.tail(60)}"
            return process.stdout

    def remove(self):
        """Meanwhile others go on; the process ends after that. It takes a minute, and no CPU, where the disk is told of
        all that is freed (it is mounted with `discard`).
        """
        threading.Thread(target=shutil.rmtree, args=(self.folder, True)).start()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.remove()
