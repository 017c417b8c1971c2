# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""A newcomer's machine: a minimal Debian system with a copy of the sources, and README's commands.

A system a release, in which the tests run in order, each where the one before left it. FRESH_RELEASES
names others than those of RELEASES.
"""

import os
import re
import shutil

import pytest

from lib import demo, guide
from lib.minroot import SOURCES, MinRoot

RELEASES = "bookworm trixie"
# What a step may take, which is for what hangs: many times what it does, as it downloads and other work shares the
# machine.
SECONDS = 2400
# Guests exchange frames by split and by packed rings, and with a network beyond the uplink; one is killed and
# returns; `make install`.
SLICE = ("(test_ring and scalar and any and not mergeable and not pairs)"
         " or (test_guest_to_uplink_and_back and one)"
         " or test_client_mode_guest_is_killed_and_comes_back"
         " or (test_install and not cuse)")
SLICE_TESTS = ("test_ring[split, any order, scalar]", "test_ring[packed, any order, scalar]",
               "test_guest_to_uplink_and_back[one worker-tap]", "test_guest_to_uplink_and_back[one worker-af_packet]",
               "test_client_mode_guest_is_killed_and_comes_back",
               "test_what_is_installed_works_and_goes_again[/usr/local]")
# What a minimal system lacks, and the commands install.
NOT_THERE = ("make", "cc", "gcc", "git", "sudo", "python3", "pkg-config", "ip", "ping")


@pytest.fixture(scope="module", params=os.environ.get("FRESH_RELEASES", RELEASES).split())
def root(request):
    with MinRoot(request.param) as made:
        yield made


def command(script):
    """The command of README that runs this script."""
    found = [line for line in guide.readme_commands() if line.startswith(f"sh scripts/{script}")]
    assert len(found) == 1, f"README's commands: {guide.readme_commands()}"
    return found[0]


def passed(text):
    """How many, by the last line."""
    last = re.search(r"^(\d+) passed, 0 failed\n\Z", text, re.M)
    assert last, text[-3000:]
    return int(last[1])


@pytest.fixture
def show(root, capsys):
    """Shows the end of what a step printed, as whoever runs this by hand wants to see it for each release."""
    def last(text, lines=1):
        with capsys.disabled():
            print("", *(f"{root.release}: {line}" for line in text.splitlines()[-lines:]), sep="\n", flush=True)
    return last


def test_demo(root, show):
    there = [program for program in NOT_THERE if root.has(program)]
    assert not there, f"a minimal system has none of this: {there}"
    text = root.run(command("demo"), SECONDS)
    assert not re.search(r"\bwarning:", text), text
    demo.check(text)
    show(text, 3)


def test_unit(root, show):
    text = root.run(command("check") + " unit", SECONDS)
    assert not re.search(r"\bwarning:", text), text
    assert passed(text) > 100
    show(text)


def test_package(root, show):
    """In a further system, where a package that is not asked for is missing."""
    text = root.run("sh tests/fresh/package build", SECONDS)
    assert re.search(r"^packages of vhost-switch \S+ on \S+: built, lintian clean\n\Z", text, re.M), text
    with MinRoot(root.release) as other:
        shutil.copytree(root.path(f"{SOURCES}/build/deb"), other.path(f"{SOURCES}/build/deb"))
        shutil.copy(root.path(f"{SOURCES}/build/loadgen"), other.path(f"{SOURCES}/build/loadgen"))
        text = other.run("sh tests/fresh/package try", SECONDS)
    last = re.search(r"^packages of vhost-switch \S+ on \S+: installed, (\d+) frames exchanged, purged\n\Z", text, re.M)
    assert last and int(last[1]) > 0, text
    show(text)


def test_packages_of_tests(root):
    """Each release has them all, and a second look finds them: it asks no mirror."""
    root.run("sh scripts/install-deps vm", SECONDS)
    assert root.run("sh scripts/install-deps demo unit test vm", SECONDS) == ""


def test_end_to_end(root, show):
    run = f"tests/run -v -k '{SLICE}' e2e"
    text = root.run(f"scripts/with-hugepages 1024 {run}", SECONDS)
    for name in SLICE_TESTS:
        assert re.search(rf"{re.escape(name)} PASSED", text), f"{name} was not run:\n{text[-3000:]}"
    passed(text)
    show(text)
