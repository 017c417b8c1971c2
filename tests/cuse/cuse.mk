# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
# Programs that tests/vm runs inside a machine with /dev/cuse: each test_NAME.c becomes
# $(BUILD)/tests/cuse/NAME. The Makefile includes it after bench.mk, which has the driver library.
# None of this needs DPDK.
#
#	make cuse-programs

BUILD ?= build

# Unused parameters: all cases are told what they try, and not all ask.
CUSE_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Wno-unused-parameter -Wmissing-prototypes \
	-Wstrict-prototypes -pthread -I. -Itests/driver -Itests/cuse
CUSE_TEST := $(wildcard tests/cuse/test_*.c)
CUSE_PROGRAM := $(CUSE_TEST:tests/cuse/test_%.c=$(BUILD)/tests/cuse/%)
CUSE_SHARED := $(filter-out $(CUSE_TEST),$(wildcard tests/cuse/*.c))
CUSE_SHARED_OBJ := $(CUSE_SHARED:tests/cuse/%.c=$(BUILD)/obj/cuse/%.o)
CUSE_TEST_OBJ := $(CUSE_TEST:tests/cuse/%.c=$(BUILD)/obj/cuse/%.o)

$(CUSE_SHARED_OBJ) $(CUSE_TEST_OBJ): $(BUILD)/obj/cuse/%.o: tests/cuse/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(CUSE_CFLAGS) -MMD -MP -c $< -o $@

$(CUSE_PROGRAM): $(BUILD)/tests/cuse/%: $(BUILD)/obj/cuse/test_%.o $(CUSE_SHARED_OBJ) $(DRIVER_LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -pthread $^ -o $@

.PHONY: cuse-programs
cuse-programs: $(CUSE_PROGRAM)

-include $(CUSE_SHARED_OBJ:.o=.d) $(CUSE_TEST_OBJ:.o=.d)
