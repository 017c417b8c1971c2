/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The uplink as a sink of frames: see switch/sink.h for the contract. Any worker. */
#include "switch/lane.h"
#include "switch/source.h"
#include "uplink/uplink.h"
#include "uplink/uplink_priv.h"

static struct uplink *
uplink_of(const struct sink *k)
{
	return container_of(k, struct uplink, sink);
}

/*
 * Returns the tag of a sender's frames on the uplink, with UPLINK_RETAG if they may have no other.
 */
static inline uint16_t
uplink_sink_tag_of(const struct port *p)
{
	return port_vlan(p) | (port_policy(p) & PORT_NO_TAGS ? UPLINK_RETAG : 0);
}

static struct outcome
uplink_sink_deliver(struct sink *k, struct lane *l, const struct source *from, frame_set want)
{
	return uplink_deliver(uplink_of(k), l->id, &l->burst, want,
			uplink_sink_tag_of(&l->shared.ports->port[from->port]),
			&l->count[PORT_UPLINK]);
}

static enum drop_reason
uplink_why_not(const struct sink *k, const struct lane *l, const struct source *from,
		struct frame *f)
{
	RTE_SET_USED(from);
	RTE_SET_USED(f);
	return uplink_reason(uplink_of(k), l->id);
}

/* It takes frames also while its link is down: it refuses and counts them. */
static bool
uplink_is_open(const struct sink *k)
{
	RTE_SET_USED(k);
	return true;
}

static bool
uplink_sink_work(struct sink *k, const struct lane *l)
{
	return uplink_work(uplink_of(k), l->id);
}

const struct sink_ops uplink_sink_ops = {
		.deliver = uplink_sink_deliver,
		.why_not = uplink_why_not,
		.is_open = uplink_is_open,
		.work = uplink_sink_work,
};
