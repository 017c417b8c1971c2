# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
#	make install [DESTDIR=] [PREFIX=]	program, qemu-wrap.py, contrib; man pages and guide, if built
#	make uninstall				the same two variables: removes them again
#
# It installs what is built already, and builds nothing: one often installs as root, and should not
# build as root. The Makefile includes this file after doc.mk.

PREFIX ?= /usr/local
PLACE = $(DESTDIR)$(PREFIX)

# Each word is a source, a colon, and its place below PREFIX. Files for bin/ are programs.
INSTALLED := \
	$(BUILD)/vhost-switch:bin/vhost-switch \
	$(BUILD)/vhost-switch-ctl:bin/vhost-switch-ctl \
	qemu-wrap.py:bin/qemu-wrap.py \
	contrib/vhost-switch.service:lib/systemd/system/vhost-switch.service \
	contrib/vhost-switch-metrics.socket:lib/systemd/system/vhost-switch-metrics.socket \
	contrib/vhost-switch-metrics@.service:lib/systemd/system/vhost-switch-metrics@.service \
	contrib/vhost-switch-ctl.bash:share/bash-completion/completions/vhost-switch-ctl \
	contrib/alerts.yml:share/vhost-switch/alerts.yml \
	contrib/grafana.json:share/vhost-switch/grafana.json \
	contrib/vhost-switch.sysusers:lib/sysusers.d/vhost-switch.conf \
	contrib/vhost-switch.conf:share/vhost-switch/vhost-switch.conf \
	contrib/vhost-switch.default:share/vhost-switch/vhost-switch.default \
	$(foreach f,$(wildcard contrib/libvirt/*),$(f):share/vhost-switch/$(f:contrib/%=%))
# What the build with the cuse back end needs beyond the unit. Here it has the other's name, so that the unit's own
# command starts it; a package has both.
DROP_IN := $(PLACE)/lib/systemd/system/vhost-switch.service.d/cuse.conf
# Only if `make doc` has made them.
INSTALLED_DOC := $(foreach m,$(MAN_PAGES),$(m):share/man/man$(subst .,,$(suffix $(m)))/$(notdir $(m)))
HTML := $(DOC)/html
HTML_PLACE = "$(PLACE)/share/doc/vhost-switch/html"

source_of = $(firstword $(subst :, ,$(1)))
place_of = "$(PLACE)/$(lastword $(subst :, ,$(1)))"
mode_of = $(if $(findstring :bin/,$(1)),755,644)
install_file = echo "  INSTALL "$(call place_of,$(1)); \
		install -D -m $(call mode_of,$(1)) $(call source_of,$(1)) $(call place_of,$(1))
not_built = echo "  no $(1), which \`make doc\` builds: not installed"

define newline


endef

# Sphinx' .buildinfo is for its own next run.
install:
	@test -x $(BUILD)/vhost-switch || \
		{ echo "there is no $(BUILD)/vhost-switch to install; \`make\` builds it" >&2; exit 1; }
	$(foreach f,$(INSTALLED),$(Q)$(call install_file,$(f))$(newline)	)
ifeq ($(VHOST),cuse)
	$(Q)echo "  INSTALL $(DROP_IN)"; sed '/^ExecStart=/d' contrib/cuse.conf | install -D -m 644 /dev/stdin "$(DROP_IN)"
else
	$(Q)rm -f "$(DROP_IN)"
endif
	$(foreach f,$(INSTALLED_DOC),$(Q)if [ -e $(call source_of,$(f)) ]; then $(call install_file,$(f)); \
		else $(call not_built,$(call source_of,$(f))); fi$(newline)	)
	$(Q)if [ -e $(HTML)/index.html ]; then \
		echo "  INSTALL "$(HTML_PLACE); \
		(cd $(HTML) && find . -type f ! -name .buildinfo) | while read -r f; do \
			install -D -m 644 "$(HTML)/$$f" $(HTML_PLACE)/"$$f" || exit 1; \
		done; \
	else $(call not_built,$(HTML)); fi

uninstall:
	rm -f $(foreach f,$(INSTALLED) $(INSTALLED_DOC),$(call place_of,$(f)))
	rm -f "$(DROP_IN)"
	rm -rf $(HTML_PLACE)

.PHONY: install uninstall
