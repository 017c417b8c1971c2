# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Nobody reads the switch's output: it goes on, and ends when it is told to. It does not log too much."""

import contextlib
import fcntl
import os
import signal
import socket
import struct
import subprocess

from lib.switch import ONE_WORKER, Switch, binary
from lib.wait import DEADLINE, wait_for

GET_FEATURES = struct.pack("=III", 1, 1, 0)
MESSAGES = 200
CONNECTIONS = 3000  # each is two lines of librte_vhost's
LINES = 4000  # of the log: the first 1000, and 50 a second from then on


@contextlib.contextmanager
def pipe():
    """The read end, the write end."""
    ends = os.pipe()
    fcntl.fcntl(ends[1], fcntl.F_SETPIPE_SZ, 4096)
    try:
        yield ends
    finally:
        for end in ends:
            os.close(end)


def fill(end):
    """Fills the pipe, so the next write blocks. It is opened again for that, as the flag must not be the switch's."""
    own = os.open(f"/proc/self/fd/{end}", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(own, b"-" * 4096)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(own, b"-")
    os.close(own)


@contextlib.contextmanager
def switch(box, **streams):
    argv = [binary(), "--lcores", ONE_WORKER, "--in-memory", "--no-pci", "--file-prefix", box.unique("sw"),
            "--", "--socket-file", os.path.join(box.directory, "a"), "--stats", "1"]
    with subprocess.Popen(argv, cwd=box.directory, stdin=subprocess.DEVNULL,
                          env=dict(os.environ, RUNTIME_DIRECTORY=box.directory), **streams) as process:
        try:
            wait_for(lambda: answers(box), DEADLINE, "an answer at the socket")
            yield process
        finally:
            process.kill()


def answers(box):
    """Returns True if librte_vhost's thread answers a question."""
    with socket.socket(socket.AF_UNIX) as s, contextlib.suppress(OSError):
        s.settimeout(DEADLINE)
        s.connect(os.path.join(box.directory, "a"))
        s.send(GET_FEATURES)
        return len(s.recv(20, socket.MSG_WAITALL)) == 20
    return False


def half_a_message(box):
    """librte_vhost logs two lines about it."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(os.path.join(box.directory, "a"))
        client.send(GET_FEATURES[:6])


def test_a_full_disk_delays_the_log(box):
    """What was logged meanwhile is there once there is room."""
    disk = box.path("disk")
    os.mkdir(disk)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=16k", "none", disk], check=True)
    try:
        with open(f"{disk}/log", "wb") as log, switch(box, stdout=subprocess.DEVNULL, stderr=log) as process:
            for _ in range(MESSAGES):
                half_a_message(box)
            assert answers(box)
            assert os.path.getsize(log.name) <= 16384
            subprocess.run(["mount", "-o", "remount,size=1m", disk], check=True)

            def said():
                with open(log.name, encoding="utf-8") as text:
                    return text.read().count("Unexpected header size read")
            wait_for(lambda: said() == MESSAGES, what=lambda: f"{MESSAGES} lines: {said()}")
            process.send_signal(signal.SIGTERM)
            assert process.wait(DEADLINE) == 0
    finally:
        subprocess.run(["umount", disk], check=True)


def waits_for_reader(process):
    """Returns true if one of its threads is in a write to a full pipe."""
    for task in os.listdir(f"/proc/{process.pid}/task"):
        with open(f"/proc/{process.pid}/task/{task}/wchan", encoding="ascii") as f:
            if "pipe_write" in f.read():
                return True
    return False


def ends(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) == 0


def test_nobody_reads_tables(box):
    with pipe() as (_, end):
        fill(end)
        with switch(box, stdout=end, stderr=subprocess.DEVNULL) as process:
            wait_for(lambda: waits_for_reader(process), DEADLINE, "a table that is not read")
            assert answers(box)
            ends(process)


def test_nobody_reads_the_log(box):
    with pipe() as (_, end), switch(box, stdout=subprocess.DEVNULL, stderr=end) as process:
        fill(end)
        wait_for(lambda: half_a_message(box) or waits_for_reader(process), DEADLINE, "a line that is not read")
        assert all(answers(box) for _ in range(100))
        ends(process)


def test_much_is_summed_up(box):
    with Switch(box, ["--socket-file", box.path("a")], allow_log=["VHOST_CONFIG: "]) as s:
        for _ in range(CONNECTIONS):
            half_a_message(box)
        s.wait_output(r"\d+ more lines in this second were left out of the log")
        assert len(s.stderr.splitlines()) < LINES
