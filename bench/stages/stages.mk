# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
#	make stages	where the cycles of a frame go, with vectors and without (stages.c)

STAGES := $(BUILD)/bench-stages

$(OBJ)/obj/stages.o: bench/stages/stages.c VERSION | dpdk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -Itests/unit -Itests/driver $(DPDK_CFLAGS) -c -o $@ $<

$(STAGES): $(OBJ)/obj/stages.o $(UNIT_SHARED_OBJ) $(UNIT_SWITCH_OBJ) $(FUSE_OBJECTS) $(DRIVER_LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DPDK_LIBS) $(FUSE_LIBS) -lcmocka

.PHONY: stages
stages: $(STAGES)
	$(STAGES)
	$(STAGES) --plain
	$(STAGES) --csum
