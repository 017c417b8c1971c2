# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""scripts/check-licences, a part of make lint, finds each file without copyright or licence."""

import os

import pytest

from lib import proc
from lib.clone import check_unread
from lib.switch import ROOT

SCRIPT = os.path.join(ROOT, "scripts", "check-licences")
OWNER = "Copyright (c) 2026 somebody\n"
LICENCE = "SPDX-License-Identifier: {}\n"
COMPLETE = {
    "LICENSE": "terms", "LICENSES/BSD-3-Clause.txt": "terms", "LICENSES/GPL-2.0-only.txt": "other terms",
    "a.c": "/* " + LICENCE.format("BSD-3-Clause OR GPL-2.0-only") + " * " + OWNER,
    "b.xml": "<!-- " + LICENCE.format("BSD-3-Clause").strip() + " -->\n<!-- " + OWNER.strip() + " -->\n"}


def check(box, files):
    """(status, what is missing) for a folder with these files, {name: text}."""
    return proc.verdict(SCRIPT, box.tree(files))


def test_ours():
    assert proc.verdict(SCRIPT, ROOT) == (0, "")


def test_complete_folder_passes(box):
    assert check(box, COMPLETE) == (0, "")


def test_clones_that_git_does_not_read(box):
    check_unread(box, SCRIPT, COMPLETE, "text")


@pytest.mark.parametrize("name, text, missing", (
    ("c.py", "# " + OWNER, "c.py: no line 'SPDX-License-Identifier: ...'"),
    ("c.py", "# " + LICENCE.format("BSD-3-Clause"), "c.py: no line 'Copyright (c) ...'"),
    ("c.py", "\n" * 6 + "# " + LICENCE.format("BSD-3-Clause") + "# " + OWNER, "c.py: no line 'SPDX"),
    ("c.py", "# " + LICENCE.format("MIT") + "# " + OWNER, "c.py: is under MIT, but there is no LICENSES/MIT.txt"),
    ("LICENSES/MIT.txt", "terms", "LICENSES/MIT.txt: no file is under that licence"),
    ("LICENSE", "changed terms", "LICENSE and LICENSES/BSD-3-Clause.txt differ"),
))
def test_what_is_missing_is_named(box, name, text, missing):
    status, told = check(box, {**COMPLETE, name: text})
    assert status == 1 and missing in told, told
