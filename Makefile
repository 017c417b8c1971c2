# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
# make               build/vhost-switch
# make VHOST=cuse    the same with the cuse back end, in build-cuse/ (needs libfuse3;
#                    CONFIG_RTE_LIBRTE_VHOST_USER=n does the same)
# make V=1           show the commands
# make SANITIZE=1    build with ASan and UBSan, in build-san/ or build-cuse-san/
# make SANITIZE=thread  build with ThreadSanitizer, in build-tsan/ or build-cuse-tsan/
# make demo          install what is missing, build, show real guests at work
# make check         install what is missing, build, run all tests; parts of it:
# make check-unit    unit tests, in seconds
# make check-tsan    threads, under ThreadSanitizer
# make check-mutants the switch broken on purpose, which unit tests must find; make mutants: every mutant
# make check-e2e     whole switches with guests as containers are, and with hostile ones
# make check-vm      virtual machines
# make fuzz          fuzzing of what guests can reach; FUZZ_SECONDS=60 for each target
# make fuzz-merge    what it has found becomes the kept corpus
# make check-fresh   README's commands on minimal systems of three Debian releases
# make test-programs build what all the tests run, and run none
# make soak HOURS=1  honest and hostile guests at once, for hours; HOURS=0.02 is a part of one
# make bench         compare with dpdk-testpmd and Open vSwitch
# make bench-against BEFORE=FILE  compare with another build of the switch
# make stages        where the cycles of a frame go
# make doc           the guide and the man page, in build/doc
# make install       what was built, and the files that belong to it; DESTDIR, PREFIX
# make uninstall     remove them again
# make deb           Debian packages, in build/deb
# make lint, format  static checks of C, Python and shell; layout of C
# make graph         which floor and which module includes which, as figures
# make clean         remove all that was built
# make help          this list

# The back end: user or cuse. DPDK's old option for it works, too.
VHOST ?= $(if $(filter n,$(CONFIG_RTE_LIBRTE_VHOST_USER)),cuse,user)
ifeq ($(filter user cuse,$(VHOST)),)
$(error VHOST=$(VHOST): must be user or cuse)
endif

KIND :=
ifeq ($(FUZZ),1)
# Only clang has libFuzzer. Coverage counts the switch's own sources alone.
KIND := -fuzz
CC := clang
COVERAGE := -fsanitize=fuzzer-no-link
SANFLAGS := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
OPT := -O1
else ifeq ($(SANITIZE),1)
KIND := -san
SANFLAGS := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
OPT := -O1
else ifeq ($(SANITIZE),thread)
# DPDK's locks and rings are inline functions, in two variants. The sanitizer understands the one that
# uses the compiler's atomics. In memory, and for DPDK's libraries, both are the same.
KIND := -tsan
SANFLAGS := -fsanitize=thread -fno-omit-frame-pointer -DRTE_FORCE_INTRINSICS -DRTE_USE_C11_MEM_MODEL \
	-Wno-tsan -Wno-maybe-uninitialized
OPT := -O1
TSAN_SOURCES := tests/tsan/heap.c
else
OPT := -O3
# A worker's loops are a few instructions long. Where they begin within a CPU's fetch block must not depend on the
# length of code elsewhere: moves between files cost 4 % of the rate before this (doc/figures.rst).
LAYOUT := -falign-functions=64 -falign-loops=32
endif
# BUILD is for programs. OBJ is for objects, which both back ends share.
BUILD := build$(if $(filter cuse,$(VHOST)),-cuse)$(KIND)
OBJ := build$(KIND)

PKGCONF ?= pkg-config
# pkg-config is asked once, when a recipe first needs the answer: a target may install the packages
# before that.
ask = $(eval $(1) := $$(shell $(PKGCONF) $(2)))$($(1))
PACKAGED_CFLAGS = $(call ask,PACKAGED_CFLAGS,--cflags libdpdk)
DPDK_CFLAGS = -Ibase/lean $(PACKAGED_CFLAGS)
DPDK_ALONE = $(call ask,DPDK_ALONE,--libs libdpdk)
DPDK_LIBS = $(DPDK_ALONE) -lnuma $(JANSSON_LIBS)
JANSSON_LIBS = $(call ask,JANSSON_LIBS,--libs jansson)

VERSION := $(shell cat VERSION)

# Prints a short line for each file that is made. V=1 prints the commands instead.
ifneq ($(V),1)
say = @printf '  %-7s %s\n' '$(1)' '$@'
Q := @
endif

CFLAGS ?= $(OPT) -g
WARNINGS := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes
ALL_CPPFLAGS := -std=gnu11 -D_GNU_SOURCE -DVHOST_SWITCH_VERSION='"$(VERSION)"' -I. $(CPPFLAGS)
ALL_CFLAGS := $(ALL_CPPFLAGS) $(WARNINGS) $(LAYOUT) $(CFLAGS) $(SANFLAGS) -MMD -MP
ALL_LDFLAGS := $(LDFLAGS) $(SANFLAGS)

# The switch is main.c and a folder for each part: README says in which order to read them.
PARTS := base conf frame switch guest uplink run
PLAIN_SOURCES := main.c $(wildcard $(PARTS:%=%/*.c))
CUSE_SOURCES := $(wildcard guest/cuse/*.c)
SOURCES := $(PLAIN_SOURCES) $(CUSE_SOURCES)
HEADERS := main.h $(wildcard $(PARTS:%=%/*.h) guest/cuse/*.h)
# These differ with the back end: for cuse they are compiled with VHOST_CUSE, into another folder.
CUSE_STARTS := guest/cuse/cuse.c
BACK_END_SOURCES := main.c conf/conf_parse.c conf/conf_option.c
WITH_CUSE := $(OBJ)/with-cuse
WITH_CUSE_OBJECTS := $(patsubst %.c,$(WITH_CUSE)/%.o,$(BACK_END_SOURCES) $(CUSE_STARTS))
PLAIN_OBJECTS := $(PLAIN_SOURCES:%.c=$(OBJ)/%.o) $(TSAN_SOURCES:%.c=$(OBJ)/%.o)
CUSE_OBJECTS := $(patsubst %.c,$(OBJ)/%.o,$(filter-out $(CUSE_STARTS),$(CUSE_SOURCES)))
ifeq ($(VHOST),cuse)
OBJECTS := $(filter-out $(BACK_END_SOURCES:%.c=$(OBJ)/%.o),$(PLAIN_OBJECTS)) $(CUSE_OBJECTS) $(WITH_CUSE_OBJECTS)
else
OBJECTS := $(PLAIN_OBJECTS)
endif
CTL_OBJECTS := $(patsubst %.c,$(OBJ)/%.o,$(wildcard ctl/*.c))

# Only this file needs libfuse.
FUSE_OBJECTS := $(OBJ)/guest/cuse/node.o
FUSE_CFLAGS = $(call ask,FUSE_CFLAGS,--cflags fuse3)
FUSE_LIBS = $(call ask,FUSE_LIBS,--libs fuse3)
CUSE_LIBS = $(if $(filter cuse,$(VHOST)),$(FUSE_LIBS))

all: $(BUILD)/vhost-switch $(BUILD)/vhost-switch-ctl

$(BUILD)/vhost-switch: $(OBJECTS)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DPDK_LIBS) $(CUSE_LIBS)

# The tool needs neither DPDK nor anything of the switch's own.
$(BUILD)/vhost-switch-ctl: $(CTL_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(JANSSON_LIBS)

$(CTL_OBJECTS): $(OBJ)/%.o: %.c VERSION | jansson
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(FUSE_OBJECTS): private ITS_CFLAGS = $(FUSE_CFLAGS)
$(FUSE_OBJECTS): | fuse
$(PLAIN_OBJECTS) $(CUSE_OBJECTS): $(OBJ)/%.o: %.c VERSION | dpdk jansson
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) $(COVERAGE) $(ITS_CFLAGS) $(DPDK_CFLAGS) -c -o $@ $<

$(WITH_CUSE_OBJECTS): $(WITH_CUSE)/%.o: %.c VERSION | dpdk jansson
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -DVHOST_CUSE $(COVERAGE) $(DPDK_CFLAGS) -c -o $@ $<

dpdk:
	@$(PKGCONF) --atleast-version=22.11 libdpdk || \
		{ echo "DPDK 22.11 or later is missing; scripts/install-deps build installs it" >&2; exit 1; }

jansson:
	@$(PKGCONF) --exists jansson || \
		{ echo "jansson is missing; scripts/install-deps build installs it" >&2; exit 1; }

fuse:
	@$(PKGCONF) --exists fuse3 || \
		{ echo "libfuse 3 is missing; scripts/install-deps build-cuse installs it" >&2; exit 1; }

OF_THE_SWITCH := $(PLAIN_OBJECTS) $(CUSE_OBJECTS) $(WITH_CUSE_OBJECTS) $(CTL_OBJECTS)
-include $(OF_THE_SWITCH:.o=.d)
-include bench/bench.mk doc/doc.mk contrib/install.mk debian/deb.mk scripts/lint.mk tests/hostile/hostile.mk tests/unit/unit.mk tests/cuse/cuse.mk tests/fuzz/fuzz.mk bench/stages/stages.mk tests/vm/tools/tools.mk

# The programs that each suite of tests/run needs. Hostile guests play against the sanitizer build.
# Suites share folders, so they are built one after the other.
SUITES := unit san hostile fuzz tsan mutants e2e vm fresh

test-programs:
	@set -e; for suite in $(SUITES); do $(MAKE) programs-$$suite; done

programs-unit: unit

programs-san:
	$(MAKE) SANITIZE=1 unit-san

programs-hostile:
	$(MAKE) SANITIZE=1 build-san/vhost-switch build-san/hostile
	$(MAKE) $(BUILD)/vhost-switch

programs-tsan:
	$(MAKE) SANITIZE=thread build-tsan/vhost-switch unit-tsan
	$(MAKE) SANITIZE=1 build-san/hostile

programs-mutants: unit
	$(MAKE) SANITIZE=thread unit-tsan

mutants: programs-mutants
	tests/mutants/run --all

programs-fuzz:
	$(MAKE) FUZZ=1 fuzz-programs

programs-e2e: $(BUILD)/vhost-switch $(BUILD)/vhost-switch-ctl loadgen programs-hostile
	$(MAKE) VHOST=cuse

programs-vm: $(BUILD)/vhost-switch $(BUILD)/vhost-switch-ctl loadgen cuse-programs vm-tools
	$(MAKE) VHOST=cuse
	$(MAKE) VHOST=cuse SANITIZE=1

programs-fresh:

HOURS ?= 1
# SOAK_ARGS: further options of build-san/hostile, such as --packed or --seed 2. The program without sanitizers then
# has a tenth of the time: only its own mappings can all be counted.
soak:
	sh scripts/install-deps unit
	$(MAKE) build/vhost-switch programs-hostile
	scripts/with-hugepages 1536 build-san/hostile \
		--soak $$(awk 'BEGIN { print $(HOURS) * 3600 }') $(SOAK_ARGS)
	scripts/with-hugepages 1536 build-san/hostile --switch build/vhost-switch \
		--soak $$(awk 'BEGIN { print $(HOURS) * 360 }') $(SOAK_ARGS)

# These are scripts, so that a machine without make can run them.
demo:
	sh scripts/demo

check:
	sh scripts/check

check-unit check-fuzz check-tsan check-mutants check-e2e check-vm:
	sh scripts/check $(@:check-%=%)

# `make check` tries two of these releases.
check-fresh:
	FRESH_RELEASES="bookworm trixie forky" sh scripts/check fresh

lint-deps graph-deps deb-deps:
	scripts/install-deps $(@:-deps=)

help:
	@sed -n '3,/^$$/s/^# //p' Makefile

clean:
	rm -rf build build-*/

.PHONY: all dpdk jansson fuse test-programs $(SUITES:%=programs-%) mutants check check-unit check-fuzz check-tsan check-mutants check-e2e check-vm check-fresh demo soak \
	lint-deps graph-deps deb-deps help clean
