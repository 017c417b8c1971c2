/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The uplink's receive queues as sources of frames: one source for each pool, or one for all where
 * the port does not sort.
 *
 * Called by worker 0 alone. The mbufs of a burst belong to it until they are retired. If guests are
 * to see no VLAN tag, neither the private copy of the Ethernet header nor the fragments have it:
 * where the NIC left the tag in, the frame begins four bytes later, and the private copy replaces
 * the bytes there.
 */
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "switch/burst.h"
#include "switch/count.h"
#include "uplink/uplink.h"
#include "uplink/uplink_priv.h"

/* Lists an mbuf's segments as the frame's fragments. */
static void
uplink_rx_fetch_frags(struct burst *b, struct frame *f, struct rte_mbuf *m)
{
	struct fragment *p = &b->frag[b->nfrags];

	f->mbuf = m;
	f->reason = DROP_NONE;
	f->flow = 0;
	f->offload = 0;
	f->vnet.flags = 0;
	f->len = rte_pktmbuf_pkt_len(m);
	f->frag = p;
	f->nfrags = 0;
	for (; m != NULL; m = m->next) {
		if (b->nfrags + f->nfrags == BURST_FRAGS) {
			frame_lose(f, DROP_LONG);
			return;
		}
		p->base = rte_pktmbuf_mtod(m, uint8_t *);
		p->len = rte_pktmbuf_data_len(m);
		f->nfrags++;
		p++;
	}
	b->nfrags += f->nfrags;
}

/* Finds the VLAN tag, and removes it if guests are to see none. */
static void
uplink_rx_fetch_tag(const struct uplink *u, struct frame *f)
{
	const struct rte_vlan_hdr *tag;

	f->tagged = false;
	f->tci = 0;
	if (f->mbuf->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED) {
		f->tagged = true;
		f->tci = f->mbuf->vlan_tci;
		return;
	}
	if (f->eth.ether_type != RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
			f->frag->len < sizeof(f->eth) + sizeof(*tag))
		return;
	tag = (const struct rte_vlan_hdr *)(f->frag->base + sizeof(f->eth));
	f->tagged = true;
	f->tci = rte_be_to_cpu_16(tag->vlan_tci);
	if (!u->strip && !(u->strip_priority && (f->tci & VLAN_ID) == 0))
		return;
	f->eth.ether_type = tag->eth_proto;
	f->frag->base += sizeof(*tag);
	f->frag->len -= sizeof(*tag);
	f->len -= sizeof(*tag);
}

static void
uplink_rx_fetch_frame(const struct uplink *u, struct burst *b, struct frame *f, struct rte_mbuf *m)
{
	bool kept = true;

	/* 82576 with pools removes the tag, also if not asked to. */
	if (unlikely(!u->strip && (m->ol_flags & RTE_MBUF_F_RX_VLAN_STRIPPED)))
		kept = rte_vlan_insert(&m) == 0;
	uplink_rx_fetch_frags(b, f, m);
	if (f->reason != DROP_NONE)
		return;
	if (unlikely(!kept)) {
		frame_lose(f, DROP_NO_MBUF);
		return;
	}
	/* Drivers put at least the headers into the first segment. */
	if (f->frag->len < sizeof(f->eth)) {
		frame_lose(f, DROP_SHORT);
		return;
	}
	memcpy(&f->eth, f->frag->base, sizeof(f->eth));
	uplink_rx_fetch_tag(u, f);
	if (u->nic.verifies &&
			(m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_GOOD)
		f->vnet = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_DATA_VALID};
	if (f->len > u->rx_max) /* it may have been truncated */
		frame_lose(f, DROP_LONG);
}

/* Takes the frames that were fetched too early. */
static unsigned int
uplink_rx_take_early(struct uplink_pool *p, struct rte_mbuf **m, unsigned int max)
{
	unsigned int n = RTE_MIN(p->n_early, max);

	memcpy(m, p->early, n * sizeof(*m));
	p->n_early -= n;
	memmove(p->early, p->early + n, p->n_early * sizeof(*p->early));
	return n;
}

/*
 * Returns true if a pool is to be looked at: that of a device that is there, and in each round
 * one of the others, or the next guest would be sent what came in between.
 */
static inline bool
uplink_rx_is_due(struct uplink *u, const struct uplink_pool *p)
{
	unsigned int i = p - u->pool;

	if (likely(i == 0)) { /* the pool that is sorted in software; a round begins */
		if (++u->idle_pool >= u->npools)
			u->idle_pool = 1;
		return true;
	}
	return port_state(&u->ports->port[i - 1]) == PORT_USED || i == u->idle_pool;
}

static unsigned int
uplink_fetch(struct source *s, struct burst *b, unsigned int max)
{
	struct uplink_pool *p = container_of(s, struct uplink_pool, source);
	struct uplink *u = p->uplink;
	struct rte_mbuf *m[BURST_MAX];
	unsigned int i;

	b->n = b->nfrags = 0;
	b->plain = 0;
	if (unlikely(!uplink_rx_is_due(u, p)))
		return 0;
	b->n = unlikely(p->n_early != 0) ? uplink_rx_take_early(p, m, max) : 0;
	/* Each burst is of one queue, in turn; empty queues are skipped. */
	for (i = 0; i < p->queues.n && b->n == 0; i++) {
		b->n = rte_eth_rx_burst(
				u->port, p->queues.first + p->turn * p->queues.step, m, max);
		if (++p->turn == p->queues.n)
			p->turn = 0;
	}
	for (i = 0; i < b->n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(m[i], void *));
	for (i = 0; i < b->n; i++)
		uplink_rx_fetch_frame(u, b, &b->frame[i], m[i]);
	return b->n;
}

/* When these frames were fetched early[] was empty, or these were the first of them. */
static void
uplink_unfetch(struct source *s, struct burst *b, unsigned int from)
{
	struct uplink_pool *p = container_of(s, struct uplink_pool, source);
	unsigned int i, n = b->n - from;

	memmove(p->early + n, p->early, p->n_early * sizeof(*p->early));
	for (i = 0; i < n; i++)
		p->early[i] = b->frame[from + i].mbuf;
	p->n_early += n;
	b->n = from;
}

static void
uplink_retire(struct source *s, struct frame *frame, frame_set done, struct port_count *count)
{
	struct rte_mbuf *m[BURST_MAX];
	unsigned int i, n = 0;

	RTE_SET_USED(s);
	RTE_SET_USED(count);
	FRAME_SET_FOREACH(i, done)
		m[n++] = frame[i].mbuf;
	rte_pktmbuf_free_bulk(m, n);
}

const struct source_ops uplink_source_ops = {
		.fetch = uplink_fetch,
		.unfetch = uplink_unfetch,
		.retire = uplink_retire,
};
