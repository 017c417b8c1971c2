# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Sphinx: how the guide and the man page are built (make doc).

The version is read from VERSION. Lists that come from the source are in the text itself: scripts/doc-lists.
"""

import os
import re

from pygments.lexer import Lexer
from pygments.lexers.shell import BashLexer, BashSessionLexer

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _source(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as f:
        return f.read()


project = "vhost-switch"
author = "vhost-switch contributors"  # as LICENSE has it
copyright = f"2026 {author}"  # noqa: A001: Sphinx' name for it
release = version = _source("VERSION").strip()

needs_sphinx = "5.3"  # Debian 12's
master_doc = "index"
# Fragments that a chapter and a man page include.
exclude_patterns = ["*.inc.rst"]
highlight_language = "none"
smartquotes = False  # keep "--" as it is
nitpicky = True

html_theme = "alabaster"
pygments_style = "friendly"  # the theme's own has answers in light grey on grey
html_theme_options = {"page_width": "1240px", "body_max_width": "960px", "sidebar_width": "240px",
                      "fixed_sidebar": True}
html_static_path = ["guide.css"]
html_css_files = ["guide.css"]
html_show_sourcelink = False

man_pages = [("man", "vhost-switch", "user-space Ethernet switch for virtual machines and containers", [], 8),
             ("man_ctl", "vhost-switch-ctl", "ask a running vhost-switch, and change it", [], 8),
             ("man_wrapper", "qemu-wrap.py", "QEMU with its network devices plugged into vhost-switch", [], 1)]
man_show_urls = True


class Console(Lexer):
    """Commands without a prompt; or, if some line has the prompt "# ", commands and answers.

    Pygments' own lexer of that name takes a line without a prompt for an answer, and paints it as unimportant.
    """

    name = "console"

    def get_tokens_unprocessed(self, text):
        lexer = BashSessionLexer if re.search(r"^# ", text, re.M) else BashLexer
        yield from lexer(**self.options).get_tokens_unprocessed(text)


def setup(app):
    app.add_lexer("console", Console)
    return {"parallel_read_safe": True}
