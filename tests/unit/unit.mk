# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
#
# Unit tests: each test_NAME.c becomes $(BUILD)/tests/unit/NAME, of the switch's own
# objects (all but main.o), of what the tests share, and of tests/driver. Included by the Makefile. They
# test the plain build, and the parts of the cuse back end, which it compiles for them.
#
#	make unit, make SANITIZE=1 unit		build them
#	$(BUILD)/tests/unit/NAME		runs one; tests/run unit runs all

UNIT_TEST := $(wildcard tests/unit/test_*.c)
UNIT_SHARED := $(filter-out $(UNIT_TEST),$(wildcard tests/unit/*.c))
UNIT_PROGRAM := $(UNIT_TEST:tests/unit/test_%.c=$(BUILD)/tests/unit/%)
UNIT_SHARED_OBJ := $(UNIT_SHARED:tests/unit/%.c=$(BUILD)/obj/unit/%.o)
UNIT_TEST_OBJ := $(UNIT_TEST:tests/unit/%.c=$(BUILD)/obj/unit/%.o)
UNIT_SWITCH_OBJ := $(filter-out $(OBJ)/main.o,$(PLAIN_OBJECTS)) $(filter-out $(FUSE_OBJECTS),$(CUSE_OBJECTS))

$(UNIT_SHARED_OBJ) $(UNIT_TEST_OBJ): $(BUILD)/obj/unit/%.o: tests/unit/%.c VERSION | dpdk
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) $(DPDK_CFLAGS) -c -o $@ $<

$(UNIT_PROGRAM): $(BUILD)/tests/unit/%: $(BUILD)/obj/unit/test_%.o $(UNIT_SHARED_OBJ) $(UNIT_SWITCH_OBJ) $(DRIVER_LIB)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $(filter-out $(UNIT_OMIT),$^) $(DPDK_LIBS) $(UNIT_DRIVERS) -lcmocka

# A port made of rings, and not by its name.
$(BUILD)/tests/unit/pools: UNIT_DRIVERS := -lrte_net_ring

# A port with a table of addresses, which DPDK lists by a call that is not stable yet.
$(BUILD)/obj/unit/test_filter.o: private ALL_CFLAGS += -DALLOW_EXPERIMENTAL_API
$(BUILD)/tests/unit/filter: UNIT_DRIVERS := -Wl,--no-as-needed -lrte_net_bond -lrte_bus_vdev -Wl,--as-needed

# What a change asks of others is answered by the test.
$(BUILD)/tests/unit/change: UNIT_DRIVERS := -Wl,--wrap=registrar_start,--wrap=registrar_stop,--wrap=registrar_give \
	-Wl,--wrap=registrar_take,--wrap=settings_publish,--wrap=addresses_commit

# A reload is what the test makes of it.
$(BUILD)/tests/unit/control: UNIT_DRIVERS := -Wl,--wrap=reload_file

# So are the loads of workers, and what their guests allow.
$(BUILD)/tests/unit/request: UNIT_DRIVERS := -Wl,--wrap=loads_weigh,--wrap=loads_next_move,--wrap=vhost_user_move

# The one that needs libfuse.
$(BUILD)/tests/unit/cuse_node: private UNIT_DRIVERS = $(FUSE_LIBS)
$(BUILD)/tests/unit/cuse_node: $(FUSE_OBJECTS)

# The options as the cuse build has them.
$(BUILD)/tests/unit/cuse_conf: private UNIT_OMIT := $(OBJ)/conf/conf_parse.o $(OBJ)/conf/conf_option.o
$(BUILD)/tests/unit/cuse_conf: $(WITH_CUSE)/conf/conf_parse.o $(WITH_CUSE)/conf/conf_option.o

.PHONY: unit unit-san unit-tsan
unit: $(UNIT_PROGRAM)

# What reads guests' memory is also run under sanitizers by tests/run: make SANITIZE=1 unit-san.
unit-san: $(addprefix $(BUILD)/tests/unit/,memory singles split packed tx rx rx_changes dirty_log announce \
	sum offload gso offload_rx rx_whole forward_offload flow)

# Those that have threads are also run under ThreadSanitizer: make SANITIZE=thread unit-tsan. Exceptions are `guest`
# and `cuse_session`: between messages they use what belongs to librte_vhost's thread. Answers that come by a socket
# order that, which ThreadSanitizer does not see. The other tests of the cuse back end have one thread.
unit-tsan: $(addprefix $(BUILD)/tests/unit/,threads signal loop sleep fd_gate fd_apart cuse_connect cuse_fds cuse_node)

-include $(UNIT_SHARED_OBJ:.o=.d) $(UNIT_TEST_OBJ:.o=.d)
