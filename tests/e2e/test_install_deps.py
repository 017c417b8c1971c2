# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""scripts/install-deps starts no service: scripts/without-services forbids it to the packages that are installed.

Debian's maintainer scripts ask /usr/sbin/policy-rc.d, whose status 101 forbids. Here /usr/sbin is a folder of the test.
"""

import os

import pytest

from lib import proc
from lib.switch import ROOT

POLICY = "/usr/sbin/policy-rc.d"
ASK = f"status=0; {POLICY} ssh start || status=$?; echo $status"
LEFT = f"test ! -e {POLICY} || cat {POLICY}"
OWN = f"printf '#!/bin/sh\\nexit 104\\n' > {POLICY}; chmod 755 {POLICY}"


def there(script, **kwargs):
    """What a script prints, where nothing is in /usr/sbin."""
    return proc.run(["unshare", "--mount", "--propagation", "private", "sh", "-ec",
                     f"mount -t tmpfs none /usr/sbin\n{script}"], cwd=ROOT, **kwargs)[1]


@pytest.mark.parametrize("script, printed", (
    (f"scripts/without-services sh -c '{ASK}; exit 3' || echo $?; {LEFT}", "101\n3\n"),
    (f"scripts/without-services sh -c 'kill -TERM $PPID; {ASK}' || echo $?; {LEFT}", "101\n1\n"),
    # One that is killed can't tidy up: what it leaves forbids nothing, and the next run does not take it for another's.
    (f"scripts/without-services sh -c 'kill -KILL $PPID' || {ASK}; scripts/without-services sh -c '{ASK}'; {LEFT}",
     "0\n101\n"),
    (f"{OWN}; scripts/without-services sh -c '{ASK}'; {ASK}", "104\n104\n")),
    ids=["command fails", "ended", "killed", "own policy"])
def test_services_are_forbidden_while_a_command_runs(script, printed):
    assert there(script) == printed


def test_packages_are_installed_without_services(box):
    """By an apt-get of the test."""
    install = f'[ "$1" != install ] || {{ {ASK}; echo "$@"; }} >>{box.path("asked")}'
    for name, text in (("dpkg-query", "exit 1"), ("apt-cache", "exit 0"), ("apt-get", install)):
        with open(box.path(name), "w", encoding="ascii") as f:
            f.write(f"#!/bin/sh\n{text}\n")
        os.chmod(box.path(name), 0o755)
    there(f"scripts/install-deps graph; {LEFT}", env={"PATH": os.pathsep.join((box.directory, os.environ["PATH"]))})
    with open(box.path("asked"), encoding="ascii") as f:
        status, command = f.read().splitlines()
    assert status == "101" and command.endswith(" python3 graphviz")
