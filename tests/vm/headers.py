# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Headers of Debian's kernels, and our module built with them.

Fetched as packages and unpacked, without being installed, under build/vm/, where later runs find them.
"""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from lib.switch import ROOT
from vm.image import CACHE, WITH_BACKPORTS

SOURCE = Path(ROOT, "eventfd_link")
SOURCES = ("eventfd_link.c", "eventfd_link.h", "Makefile")
# Downloads the package $1 and those of its dependencies that the sed script $2 finds.
DOWNLOAD = """
apt-get download -qq "$1" $(apt-cache depends "$1" | sed -nE "$2")
"""
PARTS = r"s/^ +Depends: (linux-(headers|kbuild|compiler)-\S+)$/\1/p"


def _fetch(release):
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        # apt downloads as another user, who must be able to write here.
        os.chmod(scratch, 0o777)
        download = ["sh", "-ec", DOWNLOAD, "sh", f"linux-headers-{release}", PARTS]
        subprocess.run([WITH_BACKPORTS, *download], cwd=scratch, check=True)
        root = Path(scratch, "root")
        for deb in Path(scratch).glob("*.deb"):
            subprocess.run(["dpkg", "-x", deb, root], check=True)
        return root.rename(CACHE / f"linux-headers-{release}")


def headers(release):
    """The folder that kbuild wants, of the kernel that `uname -r` tells so."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        root = CACHE / f"linux-headers-{release}"
        if not root.exists():
            _fetch(release)
    folder = root / "usr/src" / f"linux-headers-{release}"
    # It names the other half of the headers, and since Linux 6.13 this folder too, by where they would be installed.
    makefile = folder / "Makefile"
    makefile.write_text(re.sub(r"(?<=[ =])/\S*?usr/src/", f"{root}/usr/src/", makefile.read_text()))
    return folder


def build(release, folder):
    """Builds eventfd_link.ko for that kernel in a new folder, any warning an error; returns its path."""
    os.makedirs(folder)
    for name in SOURCES:
        shutil.copy(SOURCE / name, folder)
    # No BTF: it wants another package (pahole), and is for debuggers. Linux 7.2 warns of another version of pahole.
    done = subprocess.run(["make", "-C", folder, f"KDIR={headers(release)}", "CONFIG_DEBUG_INFO_BTF_MODULES=",
                           "PAHOLE_VERSION=$(CONFIG_PAHOLE_VERSION)", "KCFLAGS=-Werror"],
                          check=False, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    assert "warning" not in done.stdout.lower(), done.stdout
    return Path(folder, "eventfd_link.ko")
