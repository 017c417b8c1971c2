/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Explains where a frame would go: see explain.h for the contract. */
#include <string.h>

#include <rte_lcore.h>

#include "switch/explain.h"
#include "switch/lane.h"
#include "switch/route.h"
#include "switch/source.h"

/* Puts the frame into the lane's burst, of which it is the only one. */
static void
explain_fetch(struct lane *l, const struct question *q, uint8_t bytes[FRAME_MIN])
{
	const bool own_tag = q->vlan != 0 && q->from != PORT_UPLINK;
	const rte_be16_t tci = rte_cpu_to_be_16(q->vlan);
	struct burst *b = &l->burst;

	b->n = b->nfrags = 1;
	b->frag[0] = (struct fragment){bytes, FRAME_MIN};
	b->frame[0] = (struct frame){
			.eth = {.dst_addr = q->to,
					.src_addr = q->source,
					.ether_type = own_tag ? RTE_BE16(RTE_ETHER_TYPE_VLAN)
							      : RTE_BE16(RTE_ETHER_TYPE_IPV4)},
			.nfrags = 1,
			.len = FRAME_MIN,
			.frag = b->frag,
			.tagged = q->vlan != 0 && !own_tag,
			.tci = own_tag ? 0 : q->vlan,
	};
	memset(bytes, 0, FRAME_MIN);
	memcpy(bytes, &b->frame[0].eth, sizeof(b->frame[0].eth));
	if (own_tag)
		memcpy(bytes + sizeof(b->frame[0].eth), &tci, sizeof(tci));
}

/* Returns what the table has of an address. */
static struct fdb_entry
explain_entry(const struct lane *l, struct fdb_hints *h, uint64_t key)
{
	const struct fdb_entry *e = fdb_lookup(l->shared.fdb, h, key);

	return e != NULL ? *e : (struct fdb_entry){0};
}

bool
explain_frame(const struct shared *all, const struct question *q, struct explanation *x)
{
	const uint64_t key[] = {fdb_key(&q->source, FDB_DOMAIN), fdb_key(&q->to, FDB_DOMAIN)};
	struct source s = {.port = q->from, .device = SOURCE_ANY};
	struct lane *l = lane_create(all, 0, rte_lcore_id());
	uint8_t bytes[FRAME_MIN];
	struct fdb *fdb = fdb_excerpt(all->fdb, key, RTE_DIM(key));
	unsigned int i;

	if (l == NULL || fdb == NULL) {
		lane_destroy(l);
		fdb_excerpt_free(fdb);
		return false;
	}
	l->shared.fdb = fdb;
	l->shared.learn = NULL;
	*x = (struct explanation){
			.source = explain_entry(l, &l->hints, key[0]),
			.to = explain_entry(l, &l->hints, key[1]),
	};
	explain_fetch(l, q, bytes);
	route_burst(l, &s, &l->burst);
	x->reason = l->burst.frame[0].reason;
	x->flooded = l->dests.flood != 0;
	x->tagged = q->from != PORT_UPLINK && l->burst.frame[0].tagged;
	x->tci = l->burst.frame[0].tci;
	for (i = 0; i < l->dests.n; i++)
		if (l->dests.want[i] != 0)
			x->port[x->n++] = l->dests.port[i];
	/* A frame for one port waits for its guest, which is not there. */
	if (x->n == 1 && port_sink(&all->ports->port[x->port[0]]) == NULL)
		x->reason = DROP_GONE;
	lane_destroy(l);
	fdb_excerpt_free(fdb);
	return true;
}
