/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A front end that is plugged into a whole switch: it speaks real vhost-user messages to the real
 * librte_vhost over a socket. No worker runs; what workers would see is looked up in the ports.
 */
#ifndef UNIT_PLUG_H
#define UNIT_PLUG_H

#include "guest/device.h"
#include "guest/guest.h"
#include "guest/sink.h"
#include "tests/driver/device.h"
#include "world.h"

#define PLUG_WAIT_MS 30000 /* generous, as the machine may be busy */
#define PLUG_GPA 0x100000  /* where its memory begins */

/* Features that it accepts. */
#define PLUG_FEATURES (VU_F_VERSION_1 | VU_F_PROTOCOL_FEATURES | VU_F_MQ)

struct plug {
	struct world *w;
	struct rig *r; /* that of w */
	char folder[32], path[48];
	struct vu_dev dev; /* the front end */
	struct guest *g;   /* what the switch knows of it */
};

/* Fixtures of a test: a switch that listens. plug_teardown() also checks that nothing of the guest is left. */
int plug_setup(void **state);
int plug_teardown(void **state);

/* Connects the front end, with so many queue pairs. */
void plug_connect(struct plug *p, unsigned int pairs);

/* Enables or disables a ring, and waits for the answer. */
void plug_enable(struct plug *p, unsigned int ring, bool on);

/* Waits until librte_vhost's thread knows of so many connections. */
void plug_wait_connections(const struct plug *p, unsigned int wanted);

/* The receive rings that workers see; NULL: none. */
const struct rx_set *plug_set(const struct plug *p);

/* The rings of queue pair i, as bits. */
static inline uint32_t
plug_pair(unsigned int i)
{
	return UINT32_C(3) << 2 * i;
}

/* Workers use these rings and no others; those of `paused` keep their places in the set. */
void plug_assert_rings(const struct plug *p, uint32_t rings, uint32_t paused);

#endif /* UNIT_PLUG_H */
