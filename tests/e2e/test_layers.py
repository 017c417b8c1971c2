# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""scripts/check-layers, a part of make lint: no include goes up, and none closes a circle. make graph draws them."""

import os
import re

import pytest

from lib import proc
from lib.switch import ROOT
from lib.wait import BUILD_DEADLINE

SCRIPT = os.path.join(ROOT, "scripts", "check-layers")
HOUSE = {
    "base/log.h": "#include <stdio.h>\n",
    "base/log.c": '#include "base/log.h"\n',
    "conf/conf.h": '#include "base/log.h"\n',
    "frame/frame.h": "",
    "switch/sink.h": '#include "frame/frame.h"\n',
    "switch/sink.c": '#include "switch/sink.h"\n#include "conf/conf.h"\n',
    "guest/ring.h": '#include "switch/sink.h"\n',
    "guest/cuse/node.c": '#include "guest/ring.h"\n',
    "uplink/port.c": '#include "switch/sink.h"\n',
    "run/loop.h": "",
    "run/loop.c": '#include "run/loop.h"\n#include "guest/ring.h"\n',
    "main.h": '#include "conf/conf.h"\n',
    "main.c": '#include "main.h"\n#include "run/loop.h"\n'}


def check(box, files):
    """(status, what is said) for a folder with these files, {name: text}."""
    return proc.verdict(SCRIPT, box.tree(files))


def test_floors_are_the_folders_that_are_built():
    with open(os.path.join(ROOT, "Makefile"), encoding="utf-8") as f:
        parts = re.search(r"^PARTS := (.*)$", f.read(), re.M)[1].split()
    _, dot, _ = proc.run([SCRIPT, "--dot", "floors"])
    floors = [name for row in re.findall(r"rank = same; (.*) }", dot) for name in re.findall(r'"(\w+)"', row)]
    assert sorted(floors) == sorted([*parts, "main"])


def test_ours():
    assert proc.run([SCRIPT, ROOT], check=False) == (0, "", "")


def test_house_in_order_passes(box):
    assert check(box, HOUSE) == (0, "")


@pytest.mark.parametrize("files, said", (
    # Up, by one floor and by many; out of a folder in a folder, too.
    ({"base/log.c": '#include "conf/conf.h"\n'}, "base/log.c: includes conf/conf.h: base is below conf\n"),
    ({"switch/sink.c": '  #  include "run/loop.h"\n'}, "switch/sink.c: includes run/loop.h: switch is below run\n"),
    ({"guest/cuse/node.c": '#include "run/loop.h"\n'}, "guest/cuse/node.c: includes run/loop.h: guest is below run\n"),
    ({"guest/cuse/node.c": '#include "../../run/loop.h"\n'},
     "guest/cuse/node.c: includes run/loop.h: guest is below run\n"),
    # Sideways.
    ({"uplink/port.c": '#include "guest/ring.h"\n'},
     "uplink/port.c: includes guest/ring.h: uplink is beside guest\n"),
    # main.h is main.c's.
    ({"run/loop.c": '#include "main.h"\n'}, "run/loop.c: includes main.h: only main.c includes main.h\n"),
    ({"tests/unit/test_all.c": '#include "../../main.h"\n'},
     "tests/unit/test_all.c: includes main.h: only main.c includes main.h\n"),
    # Circles on one floor: of headers, of three modules; a file may name its own header.
    ({"base/a.h": '#include "base/b.h"\n', "base/b.h": '#include "a.h"\n'},
     "base/a.h: includes base/b.h: a circle of headers: base/a.h -> base/b.h -> base/a.h\n"),
    ({"base/a.h": "", "base/a.c": '#include "base/b.h"\n', "base/b.h": "", "base/b.c": '#include "base/c.h"\n',
      "base/c.h": '#include "base/a.h"\n'},
     "base/a.c: includes base/b.h: a circle of modules: base/a -> base/b -> base/c -> base/a\n"),
    # What is no include.
    ({"base/log.c": '// #include "run/loop.h"\nchar *s = "#include \\"run/loop.h\\"";\n'}, "")))
def test_what_is_wrong_is_named(box, files, said):
    assert check(box, HOUSE | files) == (1 if said else 0, said)


def test_circle_across_floors_is_said_once(box):
    assert check(box, HOUSE | {"base/log.h": '#include "conf/conf.h"\n'}) == (
        1, "base/log.h: includes conf/conf.h: base is below conf\n")


def edges_of_dot(text):
    """The includes that a graph shows; a chain in a line of its own only orders the floors."""
    return set(re.findall(r'^ +"([\w/]+)" -> "([\w/]+)"(?: \[color.*)?$', text, re.M))


def edges_of_svg(text):
    return set(re.findall(r"<title>([\w/]+)&#45;&gt;([\w/]+)</title>", text))


def test_graph_of_floors(box):
    """Each include between floors is an arrow, and one that is not allowed a red one."""
    folder = box.tree(HOUSE | {"base/log.c": '#include "run/loop.h"\n'})
    _, dot, _ = proc.run([SCRIPT, "--dot", "floors", folder])
    assert edges_of_dot(dot) == {("base", "run"), ("conf", "base"), ("switch", "frame"), ("switch", "conf"),
                                 ("guest", "switch"), ("uplink", "switch"), ("run", "guest"), ("main", "conf"),
                                 ("main", "run")}
    assert re.findall(r"^ +(.*) \[color = red", dot, re.M) == ['"base" -> "run"']


def test_graph_in_the_guide_is_up_to_date():
    """Both files are of this tree, and the figure shows each include downwards."""
    _, dot, _ = proc.run([SCRIPT, "--dot", "floors"])
    folder = os.path.join(ROOT, "doc", "graph")
    with open(os.path.join(folder, "floors.dot"), encoding="utf-8") as f:
        assert f.read() == dot, "run make graph"
    with open(os.path.join(folder, "floors.svg"), encoding="utf-8") as f:
        svg = f.read()
    height = {name: float(y) for name, y in re.findall(r'<title>(\w+)</title>\n<poly.*\n<text[^>]* y="([-\d.]+)"', svg)}
    shown = edges_of_svg(svg)
    assert shown >= edges_of_dot(dot), "run make graph"
    assert shown and all(height[one] < height[other] for one, other in shown)
    with open(os.path.join(ROOT, "doc", "design.rst"), encoding="utf-8") as f:
        assert "graph/floors.svg" in f.read()


def test_graph_of_modules_leaves_out_what_follows(box):
    folder = box.tree({"base/a.h": "", "base/b.h": '#include "base/a.h"\n',
                       "base/c.c": '#include "base/a.h"\n#include "base/b.h"\n'})
    _, dot, _ = proc.run([SCRIPT, "--dot", "modules", folder])
    assert edges_of_dot(dot) == {("base/b", "base/a"), ("base/c", "base/b")}


def test_make_graph_draws_both(box):
    places = [f"GRAPH={box.path('floors')}", f"MODULES={box.path('modules')}"]
    proc.run(["make", "graph", *places], cwd=ROOT, env={"MAKEFLAGS": ""}, deadline=BUILD_DEADLINE)
    for kind, name in (("floors", "floors/floors"), ("modules", "modules/modules")):
        _, dot, _ = proc.run([SCRIPT, "--dot", kind])
        with open(box.path(name + ".dot"), encoding="utf-8") as f:
            assert f.read() == dot
        with open(box.path(name + ".svg"), encoding="utf-8") as f:
            shown = edges_of_svg(f.read())
        assert len(shown) > 10 and edges_of_dot(dot) <= shown, kind
