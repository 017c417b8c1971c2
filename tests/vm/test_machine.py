# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""What the other tests expect of a machine."""

import os

import pytest

from lib.switch import ROOT
from vm import agent
from vm.machine import Failed, Machine


@pytest.fixture(scope="module")
def machine(module_box):
    with Machine(module_box, "machine", modules=["tun"], hugepages=8, words="panic_on_oops=0") as made:
        yield made


def test_runs_commands_in_the_project(machine):
    assert machine.run("pwd").strip() == ROOT
    assert machine.run("echo out; echo err >&2; exit 7", check=False) == (7, "out\nerr\n")
    with pytest.raises(AssertionError, match="status 1"):
        machine.run("false")


def test_ends_a_command_that_takes_too_long(machine):
    status, output = machine.run("echo begun; exec tail -f /dev/null", check=False, deadline=10)
    assert status < 0 and output.startswith("begun\n") and "still ran after 10 s" in output


def test_calls_functions(machine):
    assert machine.call(agent.run, "echo called", 30)[1] == "called\n"
    with pytest.raises(Failed, match="FileNotFoundError"):
        machine.call(os.listdir, "/no/such/folder")


def test_has_what_was_asked_for(machine):
    assert "HugePages_Free:        8" in machine.run("cat /proc/meminfo")
    assert "panic_on_oops=0" in machine.run("cat /proc/cmdline")
    assert machine.run("test -c /dev/net/tun && modprobe -n -v vfio_pci")


def test_sees_our_files_and_keeps_its_own(machine):
    shared = os.path.join(machine.directory, "shared")
    machine.run(f"echo there > {shared} && echo there > /etc/of-the-machine")
    with open(shared, encoding="ascii") as f:
        assert f.read() == "there\n"
    assert not os.path.exists("/etc/of-the-machine")
    with open(shared, "w", encoding="ascii") as f:
        f.write("here\n")
    assert machine.run(f"cat {shared}") == "here\n"
    assert machine.run(f"touch {ROOT}/of-the-machine", check=False)[0] != 0
