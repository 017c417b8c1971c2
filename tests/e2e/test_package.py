# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""debian/rules, as far as it can be seen without a build: tests/fresh makes the packages."""

import pytest

from lib import proc
from lib.switch import ROOT


@pytest.mark.parametrize("options, profiles, tested", (
    ("parallel=2", "", True),
    ("parallel=2 nocheck", "", False),
    ("parallel=2", "nocheck", False),  # the unit tests' library is not installed then
    ("", "cross nodoc", True)))
def test_build_runs_the_unit_tests_unless_nobody_wants_them(options, profiles, tested):
    text = proc.run(["make", "-n", "-f", "debian/rules", "override_dh_auto_test"], cwd=ROOT,
                    env={"MAKEFLAGS": "", "DEB_BUILD_OPTIONS": options, "DEB_BUILD_PROFILES": profiles})[1]
    assert ("tests/run unit" in text.splitlines()) == tested, text
