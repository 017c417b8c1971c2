# SPDX-License-Identifier: BSD-3-Clause
#
# make               build/vhost-switch
# make SANITIZE=1    the same with ASan and UBSan, in build-san/
# make demo, check   install what is missing, build, and run: see README
# make help          all targets

ifeq ($(SANITIZE),1)
BUILD := build-san
SANFLAGS := -fsanitize=address,undefined -fno-omit-frame-pointer -fno-sanitize-recover=undefined
OPT := -O1
else
BUILD := build
OPT := -O3
endif

PKGCONF ?= pkg-config
DPDK_CFLAGS := $(shell $(PKGCONF) --cflags libdpdk 2>/dev/null)
DPDK_LIBS := $(shell $(PKGCONF) --libs libdpdk 2>/dev/null)

CFLAGS ?= $(OPT) -g
WARNINGS := -Wall -Wextra -Wmissing-prototypes -Wstrict-prototypes
ALL_CFLAGS := -std=gnu11 -D_GNU_SOURCE -I. $(WARNINGS) $(CFLAGS) $(SANFLAGS) -MMD -MP
ALL_LDFLAGS := $(LDFLAGS) $(SANFLAGS)

SOURCES := $(wildcard *.c guest/*.c uplink/*.c)
OBJECTS := $(SOURCES:%.c=$(BUILD)/%.o)

all: $(BUILD)/vhost-switch

$(BUILD)/vhost-switch: $(OBJECTS)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(DPDK_LIBS)

$(OBJECTS): $(BUILD)/%.o: %.c | dpdk
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(DPDK_CFLAGS) -c -o $@ $<

dpdk:
	@$(PKGCONF) --atleast-version=22.11 libdpdk || \
		{ echo "DPDK 22.11 or later is missing; scripts/install-deps build installs it" >&2; exit 1; }

-include $(OBJECTS:.o=.d)
-include bench/bench.mk tests/driver/driver.mk tests/hostile/hostile.mk tests/unit/unit.mk

clean:
	rm -rf build build-san

.PHONY: all dpdk clean
