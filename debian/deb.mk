# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
#	make deb	Debian packages, in build/deb, checked by lintian
#
# They are built in a copy of the sources, so that nothing that was built in this tree gets into them.

DEB := build/deb
DEB_SOURCE := $(DEB)/vhost-switch-$(VERSION)

deb: deb-deps
	@test "$$(dpkg-parsechangelog -S Version)" = "$(VERSION)" || \
		{ echo "VERSION is $(VERSION), debian/changelog says $$(dpkg-parsechangelog -S Version)" >&2; exit 1; }
	rm -rf $(DEB)
	mkdir -p $(DEB_SOURCE)
	tar -c --exclude-vcs --anchored --exclude='./build*' . | tar -x -C $(DEB_SOURCE)
	cd $(DEB_SOURCE) && env -u MAKEFLAGS -u MAKELEVEL DEB_BUILD_OPTIONS="parallel=$$(nproc) $$DEB_BUILD_OPTIONS" \
		dpkg-buildpackage -b -us -uc
	rm -rf $(DEB_SOURCE)
	lintian --fail-on error,warning $(DEB)/*.changes

.PHONY: deb
