# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
#	make doc                          the guide and the man page, in build/doc
#	make install [DESTDIR=] [PREFIX=] program, man page, qemu-wrap.py, contrib
#	make uninstall                    the same two variables: removes them again
#
# Warnings of Sphinx are errors.

SPHINXBUILD ?= sphinx-build
PREFIX ?= /usr/local
DOC := $(BUILD)/doc
MAN_PAGE := $(DOC)/man/vhost-switch.8
DOC_SOURCES := $(wildcard doc/*.rst doc/*.py doc/img/*.svg) VERSION forward/drops.h

SPHINX = $(SPHINXBUILD) -q -W --keep-going -d $(DOC)/trees

doc: $(MAN_PAGE) $(DOC)/html/index.html

$(MAN_PAGE): $(DOC_SOURCES) | doc-deps
	$(SPHINX) -b man doc $(@D)
	@touch $@

$(DOC)/html/index.html: $(DOC_SOURCES) | $(MAN_PAGE)
	$(SPHINX) -b html doc $(@D)
	@touch $@

doc-deps:
	scripts/install-deps doc

# What goes where: the source, a colon, its place below PREFIX. Programs are those in bin/.
INSTALLED := \
	$(BUILD)/vhost-switch:bin/vhost-switch \
	qemu-wrap.py:bin/qemu-wrap.py \
	$(MAN_PAGE):share/man/man8/vhost-switch.8 \
	contrib/vhost-switch.service:lib/systemd/system/vhost-switch.service \
	contrib/vhost-switch.default:share/vhost-switch/vhost-switch.default \
	$(foreach f,$(wildcard contrib/libvirt/*),$(f):share/vhost-switch/$(f:contrib/%=%))

source_of = $(firstword $(subst :, ,$(1)))
place_of = "$(DESTDIR)$(PREFIX)/$(lastword $(subst :, ,$(1)))"
mode_of = $(if $(findstring :bin/,$(1)),755,644)

define newline


endef

install: $(BUILD)/vhost-switch $(MAN_PAGE)
	$(foreach f,$(INSTALLED),install -D -m $(call mode_of,$(f)) $(call source_of,$(f)) $(call place_of,$(f))$(newline)	)

uninstall:
	rm -f $(foreach f,$(INSTALLED),$(call place_of,$(f)))

.PHONY: doc doc-deps install uninstall
