# SPDX-License-Identifier: BSD-3-Clause
"""Kernel and initramfs of the test guests and machines.

The kernel is Debian's current one, fetched as a package and unpacked, without
being installed, under build/vm/, where later runs find it. The initramfs is
made anew each run from busybox-static, a few of the kernel's modules and a
script beside this file as the first process: same input, same bytes.
"""
import fcntl
import lzma
import os
import re
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / "build" / "vm"
BUSYBOX = Path("/bin/busybox")
XZ_MAGIC = b"\xfd7zXZ\0"


@dataclass(frozen=True)
class Image:
    """What QEMU boots."""
    vmlinux: Path
    initramfs: Path


def _output(*argv):
    return subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE).stdout


def _package_name():
    """The package that linux-image-amd64 stands for today, None if apt does not know."""
    depends = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], check=False, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout
    found = re.search(r"Depends: (linux-image-6\.1\S*-amd64)$", depends, re.M)
    return found and found.group(1)


def _download(folder):
    """Downloads the kernel package into the folder; returns the package's name and file."""
    package = _package_name()
    if not package or subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=False).returncode:
        # No package lists on a fresh machine, or old ones.
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        package = _package_name()
        if not package:
            raise RuntimeError("apt knows no linux-image-amd64 of Linux 6.1: is this Debian 12?")
        subprocess.run(["apt-get", "download", "-qq", package], cwd=folder, check=True)
    deb, = Path(folder).glob("*.deb")
    return package, deb


def _fetch():
    """Puts the unpacked kernel, with its bootable ELF file, into the cache; returns where."""
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        # apt drops its rights for a download, unless they do not suffice: let them.
        os.chmod(scratch, 0o777)
        package, deb = _download(scratch)
        root = Path(scratch, "root")
        subprocess.run(["dpkg", "-x", deb, root], check=True)
        # The packed kernel would be unpacked by the emulated processor at each
        # boot, 3.5 s of 6; the ELF file inside boots directly (PVH entry).
        packed, = root.glob("boot/vmlinuz-*")
        image = packed.read_bytes()
        start = image.index(XZ_MAGIC)
        (root / "vmlinux").write_bytes(lzma.LZMADecompressor().decompress(image[start:]))
        shutil.rmtree(root / "boot")
        return root.rename(CACHE / package)


def _kernel_modules(root):
    """The module tree of an unpacked kernel, with the index that modprobe wants."""
    modules, = root.glob("lib/modules/*")
    if not (modules / "modules.dep.bin").exists():
        subprocess.run(["depmod", "-b", root, modules.name], check=True)
    return modules


def _kernel():
    """(bootable ELF file, module tree) of the cached kernel; fetched first if there is none."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cached = sorted(CACHE.glob("linux-image-*"))
        root = cached[-1] if cached else _fetch()
        return root / "vmlinux", _kernel_modules(root)


def module_tree():
    """Where the modules of the kernel are, as modprobe expects them."""
    return _kernel()[1]


def _module_files(modules, wanted):
    """Files of the wanted modules and all that they need, in loading order."""
    files = {f.name[:-3].replace("-", "_"): f for f in modules.rglob("*.ko")}
    order = []

    def add(name):
        file = files[name]
        if file in order:
            return
        for needed in filter(None, _output("modinfo", "-F", "depends", file).strip().split(",")):
            add(needed.replace("-", "_"))
        order.append(file)

    for name in wanted:
        add(name)
    return order


class _Cpio:
    """Writer of the kernel's initramfs format ("newc"); no times, no owners."""

    def __init__(self, out):
        self.out = out
        self.inode = 0

    def add(self, name, mode, data=b""):
        self.inode += 1
        encoded = name.encode() + b"\0"
        fields = [self.inode, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0]
        self._padded(b"070701" + b"".join(b"%08X" % f for f in fields) + encoded)
        self._padded(data)

    def _padded(self, data):
        self.out.write(data + bytes(-len(data) % 4))

    def close(self):
        self.add("TRAILER!!!", 0)


def make(path, wanted, *, init="init", settings=""):
    """Writes an initramfs with busybox, the wanted modules and that script; returns the image with it.

    `settings` are what the script finds in /settings.
    """
    vmlinux, modules = _kernel()
    files = _module_files(modules, wanted)
    with open(path, "wb") as out:
        cpio = _Cpio(out)
        for folder in ("bin", "dev", "proc", "sys", "modules"):
            cpio.add(folder, stat.S_IFDIR | 0o755)
        cpio.add("bin/busybox", stat.S_IFREG | 0o755, BUSYBOX.read_bytes())
        cpio.add("init", stat.S_IFREG | 0o755, (HERE / init).read_bytes())
        cpio.add("settings", stat.S_IFREG | 0o644, settings.encode())
        for file in files:
            cpio.add(f"modules/{file.name}", stat.S_IFREG | 0o644, file.read_bytes())
        order = "".join(f"{file.name}\n" for file in files)
        cpio.add("modules/order", stat.S_IFREG | 0o644, order.encode())
        cpio.close()
    return Image(vmlinux, path)
