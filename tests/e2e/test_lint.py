# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""make lint: the parts that take seconds and have no test file of their own, and what is common to all parts."""

import os
import re
import shutil

import pytest

from lib import proc
from lib.switch import ROOT
from lib.wait import BUILD_DEADLINE

# Those of Debian 12, which make lint is clean with: other versions have other rules.
CHECKERS = {"shell": ("shellcheck", "0.9"), "python": ("flake8", "5"), "layout": ("clang-format", "14")}


@pytest.mark.parametrize("part", CHECKERS)
def test_part_that_is_quick(part):
    program, version = CHECKERS[part]
    if shutil.which(program) is None or not re.search(rf"(?<![\d.]){re.escape(version)}\.",
                                                      proc.run([program, "--version"], check=False)[1]):
        pytest.skip(f"this machine has no {program} {version}")
    # -o: a test installs nothing.
    status, out, err = proc.run(["make", "-o", "lint-deps", f"lint-{part}"], cwd=ROOT, env={"MAKEFLAGS": ""},
                                check=False, deadline=BUILD_DEADLINE)
    assert status == 0, out + err


def test_ci_installs_what_these_parts_need():
    with open(os.path.join(ROOT, ".ci", "run"), encoding="utf-8") as f:
        assert re.search(r"^sh scripts/install-deps lint-quick\b", f.read(), re.M)
    with open(os.path.join(ROOT, "scripts", "install-deps"), encoding="utf-8") as f:
        packages = re.search(r"^\tlint-quick\) echo (.*) ;;$", f.read(), re.M)[1].split()
    assert sorted(packages) == sorted(program for program, _ in CHECKERS.values())


@pytest.mark.parametrize("check", ["licences", "names", "layers", "shell"])
def test_lint_first_installs_what_it_needs(check):
    lines = proc.run(["make", "-n", "-C", ROOT, f"lint-{check}"])[1].splitlines()
    assert [line for line in lines if "scripts/" in line][0] == "scripts/install-deps lint"


def test_lint_reads_scripts_whose_names_have_a_suffix():
    checked = proc.run(["make", "-n", "-C", ROOT, "lint-shell"])[1].split()
    assert {"scripts/demo", "tests/fresh/package", "debian/vhost-switch-cuse.postinst",
            "debian/vhost-switch-cuse.postrm", "contrib/vhost-switch-ctl.bash"} <= set(checked)
