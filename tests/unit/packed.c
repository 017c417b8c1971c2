/* SPDX-License-Identifier: BSD-3-Clause */
/* A driver's side of a packed ring: see packed.h. */
#include <rte_common.h>

#include "packed.h"

static uint16_t
owner(bool available, bool lap)
{
	/* Virtio 1.2 section 2.8.1: available, its used flag is the inverse of the lap. */
	return (lap ? 1 << VRING_PACKED_DESC_F_AVAIL : 0) |
		(lap != available ? 1 << VRING_PACKED_DESC_F_USED : 0);
}

struct packed *
packed_create(uint16_t size, uint16_t at)
{
	struct packed *p = unit_zalloc(sizeof(*p));
	struct virtqueue *vq;
	uint16_t i;

	p->r = ring_create(2, 0);
	vq = &p->r->vq;
	free(vq->avail);
	free(vq->desc);
	free(vq->used);
	vq->packed = true;
	vq->size = size;
	vq->ring = unit_zalloc(size * sizeof(*vq->ring));
	for (i = 0; i < at; i++) /* used before, on this lap */
		vq->ring[i].flags = owner(false, true);
	vq->driver_event = &p->driver;
	vq->device_event = &p->device;
	vq->last_avail = vq->last_used = p->next = p->seen = at;
	vq->avail_wrap = vq->used_wrap = p->next_lap = p->seen_lap = true;
	return p;
}

void
packed_destroy(struct packed *p)
{
	struct virtqueue *vq = &p->r->vq;

	free(vq->ring);
	free(vq->order);
	/* What ring_destroy() frees. */
	vq->avail = NULL;
	vq->desc = NULL;
	vq->used = NULL;
	ring_destroy(p->r);
	free(p);
}

void
packed_offer(struct packed *p, uint16_t id, const struct vring_packed_desc *d, uint16_t n)
{
	struct vring_packed_desc *ring = p->r->vq.ring, *head = &ring[p->next];
	uint16_t i, flags, head_flags = 0;

	for (i = 0; i < n; i++) {
		flags = d[i].flags | (i + 1 < n ? NEXT : 0) | owner(true, p->next_lap);
		ring[p->next] = (struct vring_packed_desc){ d[i].addr, d[i].len, id, flags };
		if (i == 0) {
			head_flags = flags;
			head->flags = owner(false, !p->next_lap); /* of the lap before */
		}
		if (++p->next == p->r->vq.size) {
			p->next = 0;
			p->next_lap = !p->next_lap;
		}
	}
	head->flags = head_flags;
	p->chain[id] = n;
}

bool
packed_taken(struct packed *p, uint16_t *id, uint32_t *len)
{
	const struct vring_packed_desc *d = &p->r->vq.ring[p->seen];
	uint16_t both = owner(true, true) | owner(false, true);

	if ((d->flags & both) != owner(false, p->seen_lap))
		return false;
	*id = d->id;
	*len = d->len;
	assert_int_equal(!!(d->flags & WRITE), *len != 0);
	assert_true(p->chain[*id] != 0);
	p->seen += p->chain[*id];
	if (p->seen >= p->r->vq.size) {
		p->seen -= p->r->vq.size;
		p->seen_lap = !p->seen_lap;
	}
	p->chain[*id] = 0;
	return true;
}

void
packed_expect(struct packed *p, uint16_t id, uint32_t len)
{
	uint32_t got_len;
	uint16_t got;

	assert_true(packed_taken(p, &got, &got_len));
	assert_int_equal(got, id);
	assert_int_equal(got_len, len);
}

void
packed_expect_none(struct packed *p)
{
	uint32_t len;
	uint16_t id;

	assert_false(packed_taken(p, &id, &len));
}
