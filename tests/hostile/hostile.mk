# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
# The hostile client: tests/hostile on top of tests/driver. Included by the Makefile.
#
#	make SANITIZE=1 build-san/vhost-switch build-san/hostile
#	build-san/hostile --list	its cases; build-san/hostile CASE... runs some

BUILD ?= build

HOSTILE_SRC := $(wildcard tests/hostile/*.c)
HOSTILE_OBJ := $(HOSTILE_SRC:tests/hostile/%.c=$(BUILD)/obj/hostile/%.o)
HOSTILE_DRIVER := $(patsubst tests/driver/%.c,$(BUILD)/obj/hostile/driver-%.o,$(wildcard tests/driver/*.c))
# A case tells of itself only what differs from others.
HOSTILE_CFLAGS := -std=c11 -O2 -g -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes -pthread \
	-Wno-missing-field-initializers \
	-I. -Itests/driver -Itests/hostile
HOSTILE_SANITIZE := $(if $(filter 1,$(SANITIZE)),-fsanitize=address -fsanitize=undefined -fno-omit-frame-pointer)

# The file system of one of its cases.
$(BUILD)/obj/hostile/withheld.o: private HOSTILE_CFLAGS += $(FUSE_CFLAGS)

$(HOSTILE_OBJ): $(BUILD)/obj/hostile/%.o: tests/hostile/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(HOSTILE_CFLAGS) $(HOSTILE_SANITIZE) -MMD -MP -c $< -o $@

$(HOSTILE_DRIVER): $(BUILD)/obj/hostile/driver-%.o: tests/driver/%.c
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(HOSTILE_CFLAGS) $(HOSTILE_SANITIZE) -MMD -MP -c $< -o $@

$(BUILD)/hostile: $(HOSTILE_OBJ) $(HOSTILE_DRIVER)
	$(call say,LD)
	$(Q)$(CC) -pthread $(HOSTILE_SANITIZE) $^ -o $@ $(FUSE_LIBS)

-include $(HOSTILE_OBJ:.o=.d) $(HOSTILE_DRIVER:.o=.d)
