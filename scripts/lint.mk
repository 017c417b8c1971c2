# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
#	make lint	static checks of all that is written here: licences, names, includes, shell, Python, C, layout
#	make format	lays out C as .clang-format has it
#	make graph	draws which floor and which module includes which, in doc/graph and build/graph
#
# clang-tidy takes minutes, so it reads the switch alone: running the tests shows their mistakes.
# The kernel module keeps the kernel's layout.

# Folders that searches for files leave out.
NOT_OURS := -name .git -o -name 'build*' -type d -o -name __pycache__
OURS = $(shell find . \( $(NOT_OURS) \) -prune -o -type f $(1) -print | sed 's,^\./,,' | sort)
C_OF_TESTS = $(call OURS,\( -path './tests/*.c' -o -path './bench/*.c' \))
H_OF_TESTS = $(call OURS,\( -path './tests/*.h' -o -path './bench/*.h' \))
CTL_C := $(wildcard ctl/*.c)
C_ALL = $(SOURCES) $(HEADERS) $(CTL_C) $(wildcard ctl/*.h) $(C_OF_TESTS) $(H_OF_TESTS)
# Scripts have no suffix; their first line tells what they are. Those of packages, and what bash reads, have one.
script_of = $(shell grep -lE '^\#!.*\b($(1))$$' $(call OURS,! -name '*.*'))
PYTHON_FILES = $(sort $(call OURS,-name '*.py') $(call script_of,python3))
SHELL_FILES = $(call script_of,sh|bash) $(call OURS,\( -name '*.postinst' -o -name '*.postrm' -o -name '*.bash' \))
VERSION_FLAG := -DVHOST_SWITCH_VERSION='"$(VERSION)"'
# It reads no system header, so macros of those are replaced here; a ';' would end the option.
CPPCHECK := cppcheck --quiet -D'RTE_STR(x)=\#x' \
	-D'json_array_foreach(a,i,v)=if(((v)=json_array_get((a),((i)=0))))' \
	-D'json_object_foreach(o,k,v)=if(((v)=json_object_get((o),((k)=key_of(o)))))' \
	--error-exitcode=1 --enable=warning,portability --inline-suppr -I. $(VERSION_FLAG)

lint: lint-licences lint-names lint-layers lint-shell lint-python lint-c lint-layout

lint-licences: lint-deps
	scripts/check-licences

# A name that was changed may be part of a mutant, which is then none any more.
lint-names: lint-deps
	scripts/check-names
	tests/mutants/run --texts

# Which file may include which.
lint-layers: lint-deps
	scripts/check-layers

# .shellcheckrc says what is not checked.
lint-shell: lint-deps
	shellcheck $(SHELL_FILES)

# Settings: .flake8.
lint-python: lint-deps
	flake8 $(PYTHON_FILES)

lint-c: lint-deps
	$(CPPCHECK) $(SOURCES) $(CTL_C)
	$(CPPCHECK) -Ibench -Itests/driver -Itests/hostile -Itests/cuse -Itests/unit -Itests/fuzz $(C_OF_TESTS)
	clang-tidy --quiet --warnings-as-errors='*' $(SOURCES) $(CTL_C) -- \
		$(ALL_CPPFLAGS) -DVHOST_CUSE $(DPDK_CFLAGS) $(FUSE_CFLAGS)

lint-layout: lint-deps
	clang-format --dry-run --Werror $(C_ALL)

format: lint-deps
	clang-format -i $(C_ALL)

# The floors' graph is a figure of the guide, so it is kept, and the guide is built without Graphviz. The
# modules' graph changes with almost every include.
GRAPH := doc/graph
MODULES := build/graph

graph: graph-deps
	@mkdir -p $(GRAPH) $(MODULES)
	scripts/check-layers --dot floors >$(GRAPH)/floors.dot
	scripts/check-layers --dot modules >$(MODULES)/modules.dot
	dot -Tsvg $(GRAPH)/floors.dot | sed '1a $(GRAPH_HEADER)' >$(GRAPH)/floors.svg
	dot -Tsvg -o $(MODULES)/modules.svg $(MODULES)/modules.dot

# It follows the first line of the file, where XML must have its declaration.
GRAPH_HEADER := <!-- SPDX-License-Identifier: BSD-3-Clause\n     Copyright (c) 2026 vhost-switch contributors -->

.PHONY: graph lint lint-licences lint-names lint-layers lint-shell lint-python lint-c lint-layout format
