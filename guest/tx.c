/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest's transmit ring as a source of frames.
 *
 * Fetching looks at a whole burst in three passes (available entries,
 * descriptors, headers), each of which prefetches what the next one reads.
 * Called by the worker that polls the ring (see virtqueue.h), and by
 * librte_vhost's thread while the ring is withdrawn.
 */
#include <stddef.h>

#include "copy.h"
#include "guest/split.h"
#include "guest/tx.h"
#include "stats.h"

/*
 * Finds the bytes of the frame whose chain starts at `head`. False: the ring
 * is broken. The frame still has its virtio-net header in front.
 */
static inline bool
fetch_chain(struct virtqueue *vq, struct burst *b, struct frame *f, uint16_t head)
{
	struct chain c = {
			.piece = &b->piece[b->npieces],
			.max = CHAIN_MAX,
			.n = 1,
	};
	enum chain_status status = CHAIN_OK;

	c.piece->base = split_single(vq, head, 0, 1, &c.piece->len);
	c.len = c.piece->len;
	if (unlikely(c.piece->base == NULL)) {
		c.n = c.len = 0;
		status = split_walk(vq, head, false, &c);
	}
	if (unlikely(status == CHAIN_FAULT))
		return false;
	f->id = head;
	f->reason = DROP_NONE;
	f->piece = c.piece;
	f->npieces = c.n;
	f->len = c.len;
	if (unlikely(status == CHAIN_BAD))
		frame_lose(f, DROP_DESCRIPTOR);
	else if (unlikely(c.len < vq->hdr_len + sizeof(f->eth)))
		frame_lose(f, DROP_SHORT);
	else if (unlikely(c.len > vq->hdr_len + vq->frame_max))
		frame_lose(f, DROP_LONG);
	else
		rte_prefetch0(c.piece->base);
	b->npieces += c.n;
	return true;
}

/* Takes the virtio-net header off and makes the private copy of Ethernet's. */
static inline void
fetch_headers(const struct virtqueue *vq, struct frame *f)
{
	struct virtio_net_hdr_mrg_rxbuf vnet;
	struct piece *p = f->piece;

	if (unlikely(f->reason != DROP_NONE))
		return;
	if (likely(p->len >= sizeof(vnet) + sizeof(f->eth))) {
		memcpy(&vnet, p->base, sizeof(vnet));
		p->base += vq->hdr_len;
		p->len -= vq->hdr_len;
		f->len -= vq->hdr_len;
		memcpy(&f->eth, p->base, sizeof(f->eth));
	} else {
		frame_pull(f, &vnet, vq->hdr_len);
		frame_peek(f, &f->eth, sizeof(f->eth));
	}
	/* What follows looks at the copies, and never again at the guest's. */
	rte_compiler_barrier();
	/* Neither checksum nor segmentation offload was offered. */
	if (unlikely((vnet.hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) ||
			    vnet.hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE))
		frame_lose(f, DROP_OFFLOAD);
}

static unsigned int
tx_fetch(struct source *s, struct burst *b, unsigned int max)
{
	struct virtqueue *vq = container_of(s, struct virtqueue, source);
	uint16_t head[BURST_MAX];
	unsigned int i, n;

	b->n = b->npieces = 0;
	n = RTE_MIN(split_available(vq), max);
	for (i = 0; i < n; i++)
		head[i] = split_head(vq, i);
	for (i = 0; i < n; i++) {
		if (unlikely(b->npieces > BURST_PIECES - CHAIN_MAX))
			break;
		if (unlikely(!fetch_chain(vq, b, &b->frame[i], head[i])))
			break;
	}
	b->n = i;
	for (i = 0; i < b->n; i++)
		fetch_headers(vq, &b->frame[i]);
	vq->last_avail += b->n;
	return b->n;
}

static void
tx_retire(struct source *s, struct frame *frame, uint64_t mask, struct port_count *count)
{
	struct virtqueue *vq = container_of(s, struct virtqueue, source);
	uint16_t from = vq->last_used;

	if (unlikely(vq->fault != FAULT_NONE || mask == 0))
		return;
	for (; mask != 0; mask &= mask - 1)
		split_put(vq, frame[__builtin_ctzll(mask)].id, 0);
	if (split_publish(vq, from)) {
		vq_signal(vq);
		count_add(&count->signals, 1);
	}
}

const struct source_ops tx_source_ops = {
		.fetch = tx_fetch,
		.retire = tx_retire,
};
