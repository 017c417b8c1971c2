# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""scripts/check-names, a part of make lint: comments and texts name nothing that is not there, and static
functions are named after their file."""

import os

import pytest

from lib import proc
from lib.clone import check_unread
from lib.switch import ROOT

SCRIPT = os.path.join(ROOT, "scripts", "check-names")
COMPLETE = {
    "a/ring.c": ("/* See ring.h; take() is Python's, in tools/tell.py. */\n"
                 "int put(void) { return rte_eal_init(0, 0); }\n"),
    "a/ring.h": "/* put() comes before rte_eal_init(), as test_NAME.c shows. */\nint put(void);\n",
    "tools/tell.py": "# put() is C's.\ndef take():\n    pass\n",
    "a/tell.h": '/* doc/guide.rst, "Why rings", and "How to\n * put" in doc/guide.rst, say why. */\n',
    "doc/guide.rst": ("Why rings\n=========\n\n``put()`` is in ``a/ring.c`` (:doc:`guide`, \"How to put\").\n\n"
                      "How to put\n----------\n")}


def check(box, files):
    """(status, what is said) for a folder with these files, {name: text}."""
    return proc.verdict(SCRIPT, box.tree(files))


def test_ours():
    assert proc.run([SCRIPT, ROOT], check=False) == (0, "", "")


def test_mutants_can_be_made():
    assert proc.run([os.path.join(ROOT, "tests", "mutants", "run"), "--texts"], check=False) == (0, "", "")


def test_complete_folder_passes(box):
    assert check(box, COMPLETE) == (0, "")


def test_clones_that_git_does_not_read(box):
    check_unread(box, SCRIPT, COMPLETE, "/* give() */")


@pytest.mark.parametrize("name, text, what", (
    ("a/b.c", "int b; /* after give() */", "give()"),
    ("a/b.h", "/* see b/ring.h */", "b/ring.h"),
    ("a/b.h", "int b; // only in a string: was_here()\nchar *c = \"/* was_here */\";", None),
    ("b.py", "import os\n# see missing.py", "missing.py"),
    ("b.py", '"""Calls give()."""', "give()"),
    ("doc/b.rst", "``give()`` gives.", "give()"),
    ("a/b.h", "/* give_all takes it. */", "give_all"),
    ("a/b.h", "/* See `give_all`. */", "give_all"),
    ("a/b.h", "/* After rte_eal_init, give_* and test_NAME; --give_all=1 is no name. */", None),
    ("b.py", "# after give_all\nimport os", "give_all"),
    ("doc/b.rst", "``ring_give`` takes it.", "ring_give"),
    ("doc/b.rst", "It is in ``a_give``.", "a_give"),
    ("doc/b.rst", "Others have ``give_all``.", None),
    ("doc/b.rst", "The parameter ``ring_size=1``.", None),
    ("c.mk", "# as other.mk has it", "other.mk"),
    ("a/b.h", '/* see "What\n * rings do" in doc/guide.rst */', '"What rings do" of doc/guide.rst'),
    ("c.md", 'as it was (doc/guide.rst,\n"What rings do")', '"What rings do" of doc/guide.rst'),
    ("b.py", '"""doc/guide.rst ("What rings do") says how."""', '"What rings do" of doc/guide.rst'),
    ("doc/b.rst", 'See :doc:`guide`, "What rings do".', '"What rings do" of doc/guide.rst')))
def test_what_is_not_there(box, name, text, what):
    status, said = check(box, COMPLETE | {name: text})
    if what is None:
        assert (status, said) == (0, "")
    else:
        assert (status, said) == (1, f"{name}: {what}: there is no such thing\n")


@pytest.mark.parametrize("term, elsewhere, used", (
    ("put", {}, True),
    ("ring", {}, True),  # in the plural
    ("last put", {"a/last.h": "struct last_put;"}, True),
    ("last put", {"a/last.h": "/* The last\n * put. */"}, True),
    ("last put", {"tests/last.c": "/* The last put. */"}, False),
    ("hairpin", {}, False)))
def test_terms_of_the_glossary_are_used(box, term, elsewhere, used):
    glossary = f".. glossary::\n\n   {term}\n      What it means: {term}.\n"
    said = "" if used else f"doc/glossary.rst: {term}: the product does not use this term\n"
    assert check(box, COMPLETE | {"doc/glossary.rst": glossary} | elsewhere) == (0 if used else 1, said)


@pytest.mark.parametrize("name, text, function", (
    ("a/rpc_ring.c", "static int\nrpc_ring_put(int a,\n\tint b)\n{\n}", None),
    ("a/rpc_ring.c", "static int\nring_put(void)\n{\n}", "ring_put"),  # looks like ring.c's
    ("a/rpc_wire.c", "static int *\nwire_put(void)\n{\n}", None),
    ("a/wire.c", "static int\na_put(void)\n{\n}", None),
    ("a/wire.c", "struct cable {\n};\nstatic int\ncable_put(struct cable *c)\n{\n}", None),
    ("a/wire.c", "static inline int\ncable_put(struct cable *c)\n{\n}", "cable_put"),
    ("tests/wire.c", "static int\nput_it(void)\n{\n}", None)))
def test_static_functions_are_named_after_their_file(box, name, text, function):
    status, said = check(box, COMPLETE | {name: text})
    if function is None:
        assert (status, said) == (0, "")
    else:
        stem = os.path.basename(name).removesuffix(".c")
        assert (status, said) == (1, f"{name}: {function}(): does not begin with {stem}_\n")


@pytest.mark.parametrize("name, text, what", (
    ("guest/a.c", "bool f(struct message *m)\n{\n\treturn m->request == MSG_SET_OWNER;\n}", "== MSG_SET_OWNER"),
    ("guest/a.c", "bool f(int r)\n{\n\tswitch (r) {\n\tcase MSG_SET_OWNER:\n\t}\n}", "case MSG_SET_OWNER"),
    ("guest/a.c", "struct message m = {.request = MSG_SET_OWNER};", None),
    ("guest/dispatch.c", "bool b = r == MSG_SET_OWNER;", None)))
def test_messages_are_told_apart_by_their_table(box, name, text, what):
    said = f"{name}: {what}: messages are told apart by the table of guest/dispatch.h alone\n" if what else ""
    assert check(box, COMPLETE | {"guest/dispatch.h": ""} | {name: text}) == (1 if what else 0, said)
