# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Network namespaces without a name: they end with the last process or file descriptor in them.

IPv6 is off in them, so that no frame appears that a test did not send.
inside() moves the calling thread into the namespace and back; a test's main thread calls it.
"""

import ctypes
import os
import socket
import threading

from lib import proc

CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def _check(result, what):
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _own_namespace():
    return os.open(f"/proc/self/task/{threading.get_native_id()}/ns/net", os.O_RDONLY | os.O_CLOEXEC)


class Namespace:
    def __init__(self):
        made = []

        def make():
            _check(LIBC.unshare(CLONE_NEWNET), "unshare")
            made.append(_own_namespace())

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if not made:
            raise OSError("no network namespace could be made (run as root)")
        self.fd = made[0]
        for which in ("all", "default"):
            self.inside(lambda w=which: _write(f"/proc/sys/net/ipv6/conf/{w}/disable_ipv6", "1"))
        self.ip("link", "set", "lo", "up")

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def inside(self, call):
        """Calls call() while this thread is in the namespace."""
        home = _own_namespace()
        try:
            _check(LIBC.setns(self.fd, CLONE_NEWNET), "setns")
            try:
                return call()
            finally:
                _check(LIBC.setns(home, CLONE_NEWNET), "setns")
        finally:
            os.close(home)

    def run(self, *argv, check=True):
        return proc.run(argv, ns=self, check=check)

    def ip(self, *arguments):
        return self.run("ip", *arguments)[1]

    def links(self):
        return {name for _, name in self.inside(socket.if_nameindex)} - {"lo"}

    def up(self, name, mtu=None, address=None):
        if mtu:
            self.ip("link", "set", name, "mtu", mtu)
        if address:
            self.ip("address", "add", address, "dev", name)
        self.ip("link", "set", name, "up")

    def veth(self, one, other, mtu=None):
        """A pair of veth interfaces, both here and up."""
        self.ip("link", "add", one, "type", "veth", "peer", "name", other)
        for name in (one, other):
            self.up(name, mtu)

    def counters(self, name):
        """(received, sent) frames of an interface as the kernel counts them."""
        lines = self.inside(lambda: _read("/proc/thread-self/net/dev")).splitlines()
        fields = next(line.split(":", 1)[1].split() for line in lines
                      if line.strip().startswith(name + ":"))
        return int(fields[1]), int(fields[9])


def _read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


def _write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(text)
