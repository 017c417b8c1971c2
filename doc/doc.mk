# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
#	make doc	the guide and the man pages, in build/doc
#
# Warnings of Sphinx are errors.

SPHINXBUILD ?= sphinx-build
# One for all builds.
DOC ?= build/doc
MAN_PAGES := $(DOC)/man/vhost-switch.8 $(DOC)/man/vhost-switch-ctl.8 $(DOC)/man/qemu-wrap.py.1
DOC_SOURCES := $(wildcard doc/*.rst doc/*.py doc/*.css doc/img/*.svg doc/graph/*.svg) VERSION

SPHINX = $(SPHINXBUILD) -q -W --keep-going -d $(DOC)/trees

doc: $(MAN_PAGES) $(DOC)/html/index.html

# One run of Sphinx makes both.
$(MAN_PAGES) &: $(DOC_SOURCES) | doc-deps
	$(call say,MAN)
	$(Q)$(SPHINX) -b man doc $(@D)
	@touch $(MAN_PAGES)

$(DOC)/html/index.html: $(DOC_SOURCES) | $(MAN_PAGES)
	$(call say,HTML)
	$(Q)$(SPHINX) -b html doc $(@D)
	@touch $@

# Where there is a Sphinx nothing is installed, whatever the distribution.
doc-deps:
	@command -v $(SPHINXBUILD) >/dev/null || scripts/install-deps doc

.PHONY: doc doc-deps
