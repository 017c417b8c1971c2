/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A migrated guest's announcement, sent before the frames of its ring: see announce.h for the contract. */
#include <string.h>

#include <rte_arp.h>
#include <rte_cycles.h>

#include "guest/announce.h"
#include "guest/tx.h"
#include "guest/virtqueue.h"

/* Most requests in a second that are followed; QEMU makes one in 50 ms. */
#define RATE 100

/* Every chain has descriptors, so this tells the announcement from the ring's own frames. */
#define NO_DESCRIPTORS 0

void
announce_ask(struct announcement *a, const struct rte_ether_addr *mac)
{
	struct rte_ether_hdr eth = {
			.src_addr = *mac,
			.ether_type = RTE_BE16(RTE_ETHER_TYPE_RARP),
	};
	const struct rte_arp_hdr arp = {
			.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
			.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
			.arp_hlen = RTE_ETHER_ADDR_LEN,
			.arp_plen = sizeof(rte_be32_t),
			.arp_opcode = RTE_BE16(RTE_ARP_OP_REVREQUEST),
			.arp_data = {.arp_sha = *mac, .arp_tha = *mac},
	};
	uint64_t now = rte_rdtsc();

	if (a->last != 0 && now - a->last < rte_get_tsc_hz() / RATE)
		return;
	a->last = now;
	a->due = true;
	memset(&eth.dst_addr, 0xff, sizeof(eth.dst_addr));
	memset(a->bytes, 0, sizeof(a->bytes));
	memcpy(a->bytes, &eth, sizeof(eth));
	memcpy(a->bytes + sizeof(eth), &arp, sizeof(arp));
}

static unsigned int
announce_fetch(struct source *s, struct burst *b, unsigned int max)
{
	struct announcement *a = container_of(s, struct virtqueue, source)->announcement;
	struct frame *f = b->frame;

	if (!a->due)
		return tx_source_ops.fetch(s, b, max);
	a->due = false;
	a->frag = (struct fragment){.base = a->bytes, .len = sizeof(a->bytes)};
	*f = (struct frame){
			.nfrags = 1,
			.len = sizeof(a->bytes),
			.ndesc = NO_DESCRIPTORS,
			.frag = &a->frag,
	};
	memcpy(&f->eth, a->bytes, sizeof(f->eth));
	b->n = 1;
	b->nfrags = 0;
	b->plain = 0;
	return b->n;
}

/* The announcement is the only frame of its burst, and no chain of the ring: it is due again. */
static void
announce_unfetch(struct source *s, struct burst *b, unsigned int from)
{
	struct virtqueue *vq = container_of(s, struct virtqueue, source);

	if (b->frame[0].ndesc != NO_DESCRIPTORS) {
		tx_source_ops.unfetch(s, b, from);
		return;
	}
	b->n = from;
	if (from == 0)
		vq->announcement->due = true;
}

/* Returns the ring's own chains to the guest; after the announcement there are no other frames. */
static void
announce_retire(struct source *s, struct frame *frame, frame_set done, struct port_count *count)
{
	frame_set own = done;
	unsigned int i;

	FRAME_SET_FOREACH(i, done) {
		if (frame[i].ndesc != NO_DESCRIPTORS)
			continue;
		own &= ~frame_set_one(i);
		s->ops = &tx_source_ops;
	}
	tx_source_ops.retire(s, frame, own, count);
}

/* ask() and its like are missing: while the announcement waits, the worker does not sleep. */
static const struct source_ops announce_ops = {
		.fetch = announce_fetch,
		.unfetch = announce_unfetch,
		.retire = announce_retire,
};

void
announce_arm(struct virtqueue *vq, struct announcement *a)
{
	vq->announcement = a;
	if (!a->due)
		return;
	vq->source.ops = &announce_ops;
	/* The ring is polled even if it is empty: a frame seems to wait. */
	vq->source.waiting = true;
}
