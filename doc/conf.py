# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Sphinx: how the guide and the man page are built (make doc).

The version is read from VERSION and the drop reasons from drops.h, so that each has one home.
"""

import os
import re

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _source(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


project = "vhost-switch"
author = "the vhost-switch developers"
copyright = author  # noqa: A001: Sphinx' name for it
release = version = _source("VERSION").strip()

needs_sphinx = "5.3"  # Debian 12's
master_doc = "index"
# Fragments that a chapter and a man page include.
exclude_patterns = ["*.inc.rst"]
highlight_language = "none"
smartquotes = False  # "--" stands for itself here
nitpicky = True

html_theme = "alabaster"
html_theme_options = {"page_width": "1000px", "sidebar_width": "240px", "fixed_sidebar": True}
html_show_sourcelink = False

man_pages = [("man", "vhost-switch", "user-space Ethernet switch for virtual machines and containers", [], 8),
             ("man_wrapper", "qemu-wrap.py", "QEMU with its network devices plugged into vhost-switch", [], 1)]
man_show_urls = True


class Reasons(Directive):
    """`.. reasons:: DROP_REASONS`: a list of that X-macro of drops.h: names and sentences."""

    required_arguments = 1

    def run(self):
        self.state.document.settings.env.note_dependency(os.path.join(ROOT, "forward", "drops.h"))
        macro = re.search(rf"#define {self.arguments[0]}\(X\)((?:.*\\\n)*.*\n)", _source("forward/drops.h")).group(1)
        items = nodes.definition_list()
        for name, sentence in re.findall(r'X\(\w+, "(.*?)",[\s\\]*"(.*?)"\)', macro)[1:]:  # the first is "none"
            term = nodes.term("", "", nodes.literal("", name))
            items += nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph("", sentence)))
        assert len(items) > 0, f"drops.h: no {self.arguments[0]}"
        return [items]


class PortKeys(Directive):
    """`.. port-keys::`: the keys of --port with their sentences, from conf_port.h."""

    def run(self):
        self.state.document.settings.env.note_dependency(os.path.join(ROOT, "conf", "conf_port.h"))
        macro = re.search(r"#define PORT_KEYS\(X\)((?:.*\\\n)*.*\n)", _source("conf/conf_port.h")).group(1)
        items = nodes.definition_list()
        for key, value, sentence in re.findall(r'X\((\w+), "(.*?)",((?:[\s\\]*".*?")+)\)', macro):
            text = "".join(re.findall(r'"(.*?)"', sentence))
            term = nodes.term("", "", nodes.literal("", f"{key}={value}"))
            items += nodes.definition_list_item("", term, nodes.definition("", nodes.paragraph("", text)))
        assert len(items) > 0, "conf_port.h: no PORT_KEYS"
        return [items]


def setup(app):
    app.add_directive("reasons", Reasons)
    app.add_directive("port-keys", PortKeys)
    return {"parallel_read_safe": True}
