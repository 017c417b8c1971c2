/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Following the log's switches without a pause: see dirty_switch.h for the contract. */
#include <string.h>

#include <linux/vhost_types.h>

#include <rte_vhost.h>

#include "base/atomic.h"
#include "guest/dirty_log.h"
#include "guest/dirty_switch.h"
#include "guest/device.h"
#include "guest/fault.h"
#include "guest/message.h"
#include "guest/snapshot.h"
#include "guest/guests.h"
#include "switch/lanes.h"

#define LOG_ALL (UINT64_C(1) << VHOST_F_LOG_ALL)

static uint64_t
features_of(const struct guest *g)
{
	uint64_t features = 0;

	rte_vhost_get_negotiated_features(g->vid, &features);
	return features;
}

static bool
is_logging(const struct guest *g)
{
	return g->log_mapped && (features_of(g) & LOG_ALL) != 0;
}

bool
dirty_switch_can(const struct guest *g, const struct message *m)
{
	const struct ring_address *a;

	if (!g->running)
		return false;
	switch (m->request) {
	case MSG_SET_LOG_BASE: /* workers do not use the old one */
		return !is_logging(g);
	case MSG_SET_FEATURES:
		return ((m->payload.u64 ^ features_of(g)) & ~LOG_ALL) == 0;
	case MSG_SET_VRING_ADDR:
		a = &g->address[m->payload.addr.index];
		return (g->published & message_rings(m)) != 0 && message_bare(m) &&
				a->desc == m->payload.addr.desc &&
				a->used == m->payload.addr.used &&
				a->avail == m->payload.addr.avail;
	default:
		return false;
	}
}

/* Switches the log on or off for the rings that workers use. */
static void
switch_log(struct guest *g)
{
	bool on = is_logging(g) && g->mem.log_size != 0;
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

bool
dirty_switch_alone(const struct message *m)
{
	return m->request == MSG_SET_VRING_ADDR;
}

void
dirty_switch(struct guest *g, const struct message *m)
{
	const bool new_log = m->request == MSG_SET_LOG_BASE;

	if (new_log)
		snapshot_log(g);
	if (g->log_only && m->request != MSG_SET_VRING_ADDR)
		switch_log(g);
	if (new_log && g->running && is_logging(g))
		dirty_all(&g->mem);
}

void
dirty_switch_note(struct guest *g, const struct message *m)
{
	struct ring_address *a;

	if (m->request == MSG_SET_LOG_BASE) {
		g->log_mapped = true;
	} else if (m->request == MSG_RESET_OWNER) {
		memset(g->address, 0, sizeof(g->address));
		g->log_mapped = false;
	} else if (m->request == MSG_GET_VRING_BASE) { /* librte_vhost forgets it */
		g->address[m->payload.state.index] = (struct ring_address){0};
		/* Of a migration that is over. Memory may be added before the next one. */
		g->log_mapped = is_logging(g);
	} else if (m->request == MSG_SET_VRING_ADDR) {
		a = &g->address[m->payload.addr.index];
		a->desc = m->payload.addr.desc;
		a->used = m->payload.addr.used;
		a->avail = m->payload.addr.avail;
	}
}
