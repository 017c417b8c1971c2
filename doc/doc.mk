# SPDX-License-Identifier: BSD-3-Clause
#
#	make doc                          the guide and the man page, in build/doc
#	make install [DESTDIR=] [PREFIX=] program, man page, and what goes with them
#	make uninstall                    the same two variables: removes them again
#
# Warnings of Sphinx are errors.

SPHINXBUILD ?= sphinx-build
PREFIX ?= /usr/local
DOC := $(BUILD)/doc
MAN_PAGE := $(DOC)/man/vhost-switch.8
DOC_SOURCES := $(wildcard doc/*.rst doc/*.py doc/img/*.svg) main.h drops.h

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

install: $(BUILD)/vhost-switch $(MAN_PAGE)
	install -D -m 755 $(BUILD)/vhost-switch $(DESTDIR)$(PREFIX)/bin/vhost-switch
	install -D -m 644 $(MAN_PAGE) $(DESTDIR)$(PREFIX)/share/man/man8/vhost-switch.8

uninstall:
	rm -f $(DESTDIR)$(PREFIX)/bin/vhost-switch $(DESTDIR)$(PREFIX)/share/man/man8/vhost-switch.8

.PHONY: doc doc-deps install uninstall
