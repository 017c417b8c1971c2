# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
# Fuzzing with coverage (libFuzzer): each target_NAME.c becomes $(BUILD)/fuzz/NAME, of the switch's
# own objects and of what unit tests share, all compiled by clang into build-fuzz. See README here.
#
#	make fuzz [FUZZ_SECONDS=60] [FUZZ_TARGETS='split cuse']	runs them, two at a time
#	make fuzz-merge		what they found becomes the kept corpus

FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?=
# Another one each time. What CI runs has the same one always (see run).
FUZZ_SEED ?= $(shell date +%s)

FUZZ_TARGET := $(wildcard tests/fuzz/target_*.c)
FUZZ_SHARED := $(filter-out $(FUZZ_TARGET),$(wildcard tests/fuzz/*.c))
FUZZ_PROGRAM := $(FUZZ_TARGET:tests/fuzz/target_%.c=$(BUILD)/fuzz/%)
FUZZ_SHARED_OBJ := $(FUZZ_SHARED:tests/fuzz/%.c=$(BUILD)/obj/fuzz/%.o)
FUZZ_TARGET_OBJ := $(FUZZ_TARGET:tests/fuzz/%.c=$(BUILD)/obj/fuzz/%.o)

$(FUZZ_SHARED_OBJ) $(FUZZ_TARGET_OBJ): $(BUILD)/obj/fuzz/%.o: tests/fuzz/%.c VERSION | dpdk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -Itests/fuzz -Itests/driver $(DPDK_CFLAGS) -c -o $@ $<

$(FUZZ_PROGRAM): $(BUILD)/fuzz/%: $(BUILD)/obj/fuzz/target_%.o $(FUZZ_SHARED_OBJ) $(UNIT_SHARED_OBJ) \
		$(UNIT_SWITCH_OBJ) $(FUSE_OBJECTS) $(DRIVER_LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $^ $(DPDK_LIBS) $(FUSE_LIBS) -lcmocka

.PHONY: fuzz fuzz-programs fuzz-merge
fuzz-programs: $(FUZZ_PROGRAM)

fuzz:
	scripts/install-deps fuzz
	$(MAKE) programs-fuzz
	FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SEED=$(FUZZ_SEED) tests/fuzz/run $(FUZZ_TARGETS)

fuzz-merge:
	scripts/install-deps fuzz
	$(MAKE) programs-fuzz
	tests/fuzz/run --merge $(FUZZ_TARGETS)

-include $(FUZZ_SHARED_OBJ:.o=.d) $(FUZZ_TARGET_OBJ:.o=.d)
