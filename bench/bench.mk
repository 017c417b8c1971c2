# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
# The virtio-net driver of tests and benchmark as a library, the load generator, and
#
#	make bench [BENCH_ARGS='--rounds 2 --only vhost-switch']
#	make bench-against BEFORE=/path/to/another/vhost-switch [BENCH_ARGS='--rounds 9']
#
# None of this needs DPDK to compile.

BUILD ?= build

DRIVER_LIB := $(BUILD)/libdriver.a
DRIVER_SRC := $(wildcard tests/driver/*.c)
DRIVER_OBJ := $(DRIVER_SRC:%.c=$(BUILD)/%.o)
LOADGEN_SRC := $(wildcard bench/*.c)
LOADGEN_OBJ := $(LOADGEN_SRC:%.c=$(BUILD)/%.o)
BENCH_SANITIZE := $(if $(filter 1,$(SANITIZE)),-fsanitize=address -fsanitize=undefined -fno-omit-frame-pointer) \
	$(if $(filter thread,$(SANITIZE)),-fsanitize=thread -Wno-tsan)
BENCH_CFLAGS := -std=c11 -O2 -g -Wall -Wextra -Wshadow -pthread $(BENCH_SANITIZE)
BENCH_LDFLAGS := -pthread $(BENCH_SANITIZE)

$(DRIVER_OBJ) $(LOADGEN_OBJ): $(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(BENCH_CFLAGS) -MMD -MP -c $< -o $@

$(DRIVER_LIB): $(DRIVER_OBJ)
	$(call say,AR)
	$(Q)$(AR) rcs $@ $^

$(BUILD)/loadgen: $(LOADGEN_OBJ) $(DRIVER_LIB)
	$(call say,LD)
	$(Q)$(CC) $(BENCH_LDFLAGS) $^ -o $@

.PHONY: driver loadgen bench bench-against
driver: $(DRIVER_LIB)

loadgen: $(BUILD)/loadgen

# Packages come first: without them nothing can be built. 1.5 GiB: for 64 guests and the switch.
bench:
	scripts/install-deps bench $(if $(findstring vm,$(BENCH_ARGS)),vm)
	$(MAKE) $(BUILD)/vhost-switch $(BUILD)/loadgen
	scripts/with-hugepages 1536 /usr/bin/python3 bench/bench.py --binary $(BUILD)/vhost-switch \
		--loadgen $(BUILD)/loadgen $(BENCH_ARGS)

# make bench-against BEFORE=../other/build/vhost-switch
bench-against:
	scripts/install-deps bench
	$(MAKE) $(BUILD)/vhost-switch $(BUILD)/loadgen
	scripts/with-hugepages 1536 /usr/bin/python3 bench/against.py $(BEFORE) --binary $(BUILD)/vhost-switch \
		--loadgen $(BUILD)/loadgen $(BENCH_ARGS)

-include $(DRIVER_OBJ:.o=.d) $(LOADGEN_OBJ:.o=.d)
