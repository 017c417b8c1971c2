/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Switches the log without a pause: see dirty_switch.h for the contract. */
#include <string.h>

#include <linux/vhost_types.h>

#include <rte_vhost.h>

#include "base/atomic.h"
#include "guest/dirty_log.h"
#include "guest/dirty_switch.h"
#include "guest/device.h"
#include "guest/fault.h"
#include "guest/fault_reason.h"
#include "guest/message.h"
#include "guest/snapshot.h"
#include "guest/guests.h"
#include "switch/lanes.h"

#define LOG_ALL (UINT64_C(1) << VHOST_F_LOG_ALL)

static uint64_t
dirty_switch_features_of(const struct guest *g)
{
	uint64_t features = 0;

	rte_vhost_get_negotiated_features(g->conn.vid, &features);
	return features;
}

static bool
dirty_switch_is_logging(const struct guest *g)
{
	return g->conn.log_mapped && (dirty_switch_features_of(g) & LOG_ALL) != 0;
}

/* Workers do not use the old one. */
bool
dirty_switch_only_base(const struct guest *g, const struct message *m)
{
	RTE_SET_USED(m);
	return !dirty_switch_is_logging(g);
}

bool
dirty_switch_only_features(const struct guest *g, const struct message *m)
{
	return ((m->payload.u64 ^ dirty_switch_features_of(g)) & ~LOG_ALL) == 0 &&
			((g->conn.ready | g->published) & ~rings_usable(m->payload.u64)) == 0;
}

bool
dirty_switch_only_address(const struct guest *g, const struct message *m)
{
	const struct ring_address *a = &g->conn.address[m->payload.addr.index];

	return (g->published >> m->payload.addr.index & 1) != 0 &&
			message_bare(m, g->all->message_size) && a->desc == m->payload.addr.desc &&
			a->used == m->payload.addr.used && a->avail == m->payload.addr.avail;
}

/* Switches the log on or off for the rings that workers use. */
static void
dirty_switch_set(struct guest *g)
{
	bool on = dirty_switch_is_logging(g) && g->mem.log_size != 0;
	unsigned int i;

	if (on && !dirty_log_covers(&g->mem)) {
		guest_fault(g, FAULT_LOG);
		guest_check(g);
		return;
	}
	for (i = 0; i < RINGS_MAX; i++)
		store_release(&g->ring[i].logging, on);
	lanes_quiesce(g->all->lanes);
}

void
dirty_switch_base(struct guest *g, const struct message *m)
{
	RTE_SET_USED(m);
	g->conn.log_mapped = true;
	snapshot_log(g);
	if (g->conn.step == STEP_LOG)
		dirty_switch_set(g);
	g->conn.log_late = g->conn.phase == GUEST_RUNNING && dirty_switch_is_logging(g);
}

void
dirty_switch_late(struct guest *g)
{
	if (!g->conn.log_late)
		return;
	g->conn.log_late = false;
	dirty_all(&g->mem);
}

void
dirty_switch_features(struct guest *g, const struct message *m)
{
	RTE_SET_USED(m);
	if (g->conn.step == STEP_LOG)
		dirty_switch_set(g);
}

void
dirty_switch_address(struct guest *g, const struct message *m)
{
	g->conn.address[m->payload.addr.index] = (struct ring_address){
			.desc = m->payload.addr.desc,
			.used = m->payload.addr.used,
			.avail = m->payload.addr.avail,
	};
}

void
dirty_switch_stop(struct guest *g, const struct message *m)
{
	g->conn.address[m->payload.state.index] = (struct ring_address){0};
	/* The migration is over. Memory may be added before the next one. */
	g->conn.log_mapped = dirty_switch_is_logging(g);
}

void
dirty_switch_reset(struct guest *g, const struct message *m)
{
	RTE_SET_USED(m);
	memset(g->conn.address, 0, sizeof(g->conn.address));
	g->conn.log_mapped = false;
}
