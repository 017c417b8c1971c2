# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
# Programs that tests/vm runs in guests and in namespaces: NAME.c becomes $(BUILD)/tests/vm/NAME.
# Included by the Makefile.

VM_TOOLS := $(patsubst tests/vm/tools/%.c,$(BUILD)/tests/vm/%,$(wildcard tests/vm/tools/*.c))

$(VM_TOOLS): $(BUILD)/tests/vm/%: tests/vm/tools/%.c
	@mkdir -p $(@D)
	$(call say,CC LD)
	$(Q)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g $(WARNINGS) -MMD -MP -o $@ $<

.PHONY: vm-tools
vm-tools: $(VM_TOOLS)

-include $(VM_TOOLS:=.d)
