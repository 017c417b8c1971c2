# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Kernel and initramfs of the test guests and machines.

The kernel is Debian's current one of a series (6.1, or 6.12 of its backports; in later releases than
Debian 12, the release's own), fetched as a package and unpacked, without being installed, under
build/vm/, where later runs find it. The initramfs is made again in each run from busybox-static, a few of
the kernel's modules, programs of this machine with their libraries, and a script beside this file as
the first process: same input, same bytes.
"""
import fcntl
import lzma
import os
import platform
import re
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CACHE = HERE.parents[1] / "build" / "vm"
BUSYBOX = Path("/bin/busybox")
XZ_MAGIC = b"\xfd7zXZ\0"
OLDEST = platform.freedesktop_os_release().get("VERSION_CODENAME") == "bookworm"
OWN = ""  # the series that this release of Debian has
SERIES = "6.1" if OLDEST else OWN  # of most tests
NEWER = "6.12" if OLDEST else OWN  # another one, where there are two
WITH_BACKPORTS = HERE.parents[1] / "scripts" / "with-backports"
# Downloads the newest kernel whose version begins with the pattern $1. From 7.x on its package only depends on those
# that have the kernel, the modules, and what is common to them.
DOWNLOAD = r"""
package=$(apt-cache show linux-image-amd64 | grep -oE "linux-image-$1[^ ,]*-amd64" | head -n 1)
[ -n "$package" ]
apt-get download -qq "$package" $(apt-cache depends "$package" |
    sed -nE "s/^ +Depends: (linux-(base|binary|modules)-[0-9]\S+)$/\1/p")
"""


@dataclass(frozen=True)
class Image:
    """What QEMU boots."""
    vmlinux: Path
    initramfs: Path


def _output(*argv):
    return subprocess.run(argv, check=True, text=True, stdout=subprocess.PIPE).stdout


def _fetch(series):
    """Puts the unpacked kernel into the cache; returns where."""
    with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
        # apt downloads as another user, who must be able to write here.
        os.chmod(scratch, 0o777)
        download = ["sh", "-ec", DOWNLOAD, "sh", f"{series}\\." if series else "[0-9]"]
        if subprocess.run(download, cwd=scratch, check=False, stderr=subprocess.DEVNULL).returncode:
            # A fresh machine has no package lists, or old ones; or the kernel is in the backports.
            subprocess.run([WITH_BACKPORTS, *download], cwd=scratch, check=True)
        root = Path(scratch, "root")
        for deb in Path(scratch).glob("*.deb"):
            subprocess.run(["dpkg", "-x", deb, root], check=True)
        _unpack_kernel(root)
        name, = Path(scratch).glob("linux-image-*.deb")
        return root.rename(CACHE / name.name.split("_")[0])


def _unpack_kernel(root):
    """Makes root/vmlinux, which QEMU boots.

    The packed kernel would be unpacked by the emulated processor at each boot, 3.5 s of 6; the ELF file
    inside boots directly (PVH entry). 6.12 is packed with zstd, which Python knows not: that stays packed.
    """
    packed, = [*root.glob("boot/vmlinuz-*"), *root.glob("usr/lib/modules/*/vmlinuz")]
    image = packed.read_bytes()
    start = image.find(XZ_MAGIC)
    (root / "vmlinux").write_bytes(image if start < 0 else lzma.LZMADecompressor().decompress(image[start:]))
    packed.unlink()


def _kernel_modules(root):
    """The module tree of an unpacked kernel, with the index that modprobe wants."""
    if not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")
    modules, = root.glob("lib/modules/*")
    if not (modules / "modules.dep.bin").exists():
        subprocess.run(["depmod", "-b", root, modules.name], check=True)
    return modules


def _kernel(series):
    """(bootable file, module tree) of the cached kernel; fetched first if there is none."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cached = sorted(CACHE.glob(f"linux-image-{series}.*" if series else "linux-image-[0-9]*"))
        root = cached[-1] if cached else _fetch(series)
        return root / "vmlinux", _kernel_modules(root)


def module_tree(series=SERIES):
    """Where the modules of the kernel are, as modprobe expects them; the folder's name is the kernel's release."""
    return _kernel(series)[1]


def _module_files(modules, wanted):
    """Files of the wanted modules and all that they need, in loading order. Some are built into the kernel."""
    builtin = {Path(line).stem.replace("-", "_") for line in (modules / "modules.builtin").read_text().split()}
    files = {f.name.split(".")[0].replace("-", "_"): f for f in modules.rglob("*.ko*")}
    order = []

    def add(name):
        if name in builtin:
            return
        file = files[name]
        if file in order:
            return
        for needed in filter(None, _output("modinfo", "-F", "depends", file).strip().split(",")):
            add(needed.replace("-", "_"))
        order.append(file)

    for name in wanted:
        add(name)
    return order


def _unpacked(file):
    """Name and contents of a module, without the compression that 6.12 has."""
    if file.suffix == ".xz":
        return file.stem, lzma.decompress(file.read_bytes())
    return file.name, file.read_bytes()


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


def _libraries(program):
    """What the dynamic linker loads for a program, itself included."""
    return re.findall(r"(/\S+) \(0x", _output("ldd", program))


def _folders(files):
    """All that must be there before the files, the outer ones first, as names in the archive."""
    found = {str(folder)[1:] for file in files for folder in Path(file).parents}
    return sorted(found - {""})


def make(path, wanted, *, init="init", settings="", series=SERIES, programs=()):
    """Writes an initramfs with busybox, the wanted modules and that script; returns the image with it.

    `settings` are what the script finds in /settings. `programs` come into /bin.
    """
    return write(path, *_kernel(series), wanted, init=init, settings=settings, programs=programs)


def write(path, vmlinux, modules, wanted, *, init="init", settings="", programs=()):
    """The same for a kernel that is there: its bootable file, its module tree."""
    libraries = sorted({library for program in programs for library in _libraries(program)})
    files = [_unpacked(file) for file in _module_files(modules, wanted)]
    with open(path, "wb") as out:
        cpio = _Cpio(out)
        for folder in ("bin", "dev", "proc", "sys", "modules"):
            cpio.add(folder, stat.S_IFDIR | 0o755)
        cpio.add("bin/busybox", stat.S_IFREG | 0o755, BUSYBOX.read_bytes())
        cpio.add("init", stat.S_IFREG | 0o755, (HERE / init).read_bytes())
        cpio.add("settings", stat.S_IFREG | 0o644, settings.encode())
        for program in programs:
            cpio.add(f"bin/{Path(program).name}", stat.S_IFREG | 0o755, Path(program).read_bytes())
        for folder in _folders(libraries):
            cpio.add(folder, stat.S_IFDIR | 0o755)
        for library in libraries:
            cpio.add(library[1:], stat.S_IFREG | 0o755, Path(library).read_bytes())
        for name, contents in files:
            cpio.add(f"modules/{name}", stat.S_IFREG | 0o644, contents)
        order = "".join(f"{name}\n" for name, _ in files)
        cpio.add("modules/order", stat.S_IFREG | 0o644, order.encode())
        cpio.close()
    return Image(vmlinux, path)
