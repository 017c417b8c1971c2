/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A driver's side of a packed ring: see packed.h. */
#include <rte_common.h>

#include "base/atomic.h"
#include "packed.h"

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
		vq->ring[i].flags = vr_packed_owner(false, true);
	vq->driver_event = &p->driver;
	vq->device_event = &p->device;
	vq->last_avail = vq->last_used = at;
	vq->avail_wrap = vq->used_wrap = true;
	p->next = p->seen = (struct vr_place){at, true};
	return p;
}

void
packed_destroy(struct packed *p)
{
	struct virtqueue *vq = &p->r->vq;

	free(vq->ring);
	free(vq->in_order);
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
	struct vring_packed_desc *ring = p->r->vq.ring, *head = &ring[p->next.at];
	uint16_t i, flags, head_flags = 0;

	for (i = 0; i < n; i++) {
		flags = d[i].flags | (i + 1 < n ? NEXT : 0) | vr_packed_owner(true, p->next.lap);
		ring[p->next.at] = (struct vring_packed_desc){d[i].addr, d[i].len, id, flags};
		if (i == 0) {
			head_flags = flags;
			head->flags = vr_packed_owner(false, !p->next.lap); /* of the lap before */
		}
		p->next = vr_packed_behind(p->next, p->r->vq.size, 1);
	}
	store_release(&head->flags, head_flags);
	p->chain[id] = n;
}

bool
packed_taken(struct packed *p, uint16_t *id, uint32_t *len)
{
	const struct vring_packed_desc *d = &p->r->vq.ring[p->seen.at];

	if (!vr_packed_is_used(d->flags, p->seen.lap))
		return false;
	*id = d->id;
	*len = d->len;
	assert_int_equal(!!(d->flags & WRITE), *len != 0);
	assert_true(p->chain[*id] != 0);
	p->seen = vr_packed_behind(p->seen, p->r->vq.size, p->chain[*id]);
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
