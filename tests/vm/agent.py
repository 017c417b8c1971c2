# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Runs in a machine (machine.py): carries out calls that come over a virtio-serial line.

A request is one line, the pickled and encoded tuple (number, function, arguments, keywords); so is the
answer (number, True if it succeeded, result or what went wrong). Functions are named by their
modules, which are imported here. What functions print goes to the machine's console.
"""

import base64
import glob
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import traceback

from lib.wait import wait_for

# There is no udev here that makes /dev/virtio-ports/.
PORT = "/dev/vport*p1"


def run(command, deadline):
    """A shell command in the project's folder: (status, output)."""
    # Its output goes to a file: it may leave processes that keep a pipe open.
    with tempfile.TemporaryFile() as output:
        child = subprocess.Popen(["sh", "-c", command], cwd=os.environ["ROOT"], stdin=subprocess.DEVNULL,
                                 stdout=output, stderr=subprocess.STDOUT, process_group=0)
        try:
            status = child.wait(deadline)
            late = ""
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            status = child.wait()
            late = f"\nstill ran after {deadline:.0f} s"
        output.seek(0)
        return status, output.read().decode(errors="replace") + late


_held = {}


def hold(function, *arguments, **keywords):
    """Keeps what the function returns, entered if it is for a `with` block: its number. See machine.There."""
    made = function(*arguments, **keywords)
    number = len(_held)
    _held[number] = made.__enter__() if hasattr(made, "__enter__") else made
    return number


def held(number):
    return _held[number]


def ask(number, name, *arguments, **keywords):
    """Calls a method of a held object, or reads an attribute."""
    value = getattr(held(number), name)
    return value(*arguments, **keywords) if callable(value) else value


def release(number, failed):
    """Leaves its block, with an exception if the test failed."""
    made, _held[number] = _held[number], None
    if hasattr(made, "__exit__"):
        made.__exit__(*((RuntimeError, RuntimeError("the test failed"), None) if failed else (None, None, None)))


def tell():
    """The last output of the processes that tests started here."""
    processes = sys.modules.get("lib.proc")
    if not processes:
        return ""
    running = list(processes.Process.everyone)
    return "\n".join(process.tail() for process in running) + "\n" + \
        "\n".join(process.state() for process in running if process.running())


def answer(line):
    number, result = None, None
    try:
        number, function, arguments, keywords = pickle.loads(base64.b64decode(line))
        result = (number, True, function(*arguments, **keywords))
    except BaseException:  # whatever it is, the test gets it
        result = (number, False, traceback.format_exc())
    return base64.b64encode(pickle.dumps(result)) + b"\n"


def main():
    path, = wait_for(lambda: glob.glob(PORT), what="the line of the agent")
    with open(path, "r+b", buffering=0) as port:
        port.write(b"<<up>>\n")
        data = b""
        while True:
            data += port.read(65536)
            while b"\n" in data:
                line, data = data.split(b"\n", 1)
                port.write(answer(line))


if __name__ == "__main__":
    main()
