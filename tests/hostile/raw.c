/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Rings by hand. See raw.h. */
#define _GNU_SOURCE
#include "raw.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_NS 20000

struct buf
raw_buf(struct party *p, unsigned region, uint32_t len)
{
	struct buf b = {.at = vu_mem_alloc(&p->nic.dev.mem, region, len, 16), .len = len};

	if (b.at == NULL)
		fail(p->h, "a case needs more memory than its guest has");
	else
		b.gpa = vu_mem_gpa(&p->nic.dev.mem, b.at);
	return b;
}

struct buf
raw_end_buf(struct party *p, unsigned region, uint32_t len)
{
	struct vu_region *r = &p->nic.dev.mem.region[region];

	return (struct buf){
			.at = r->base + r->size - len, .gpa = r->gpa + r->size - len, .len = len};
}

struct buf
raw_frame(struct party *p, const uint8_t *to, uint32_t len)
{
	struct buf b = raw_buf(p, 0, p->nic.hdr_len + len);

	if (b.at != NULL)
		frame_make(b.at + p->nic.hdr_len, to, p->mac, TYPE_CASE, ++p->h->seq, len);
	return b;
}

void
raw_fill(uint8_t *to, const struct buf *frame, uint32_t offset, uint32_t len)
{
	memcpy(to, frame->at + offset, len);
}

struct vr_desc *
raw_at(struct vr_ring *vr, uint16_t i)
{
	if ((vr->features & VU_F_RING_PACKED) == 0)
		return &vr->desc[i];
	if (vr->laid == NULL)
		vr->laid = calloc(vr->size, sizeof(*vr->laid));
	if (vr->laid == NULL || i >= vr->size)
		abort();
	return &vr->laid[i];
}

void
raw_desc(struct vr_ring *vr, uint16_t i, uint64_t addr, uint32_t len, uint16_t flags, uint16_t next)
{
	*raw_at(vr, i) = (struct vr_desc){addr, len, flags, next};
}

void
raw_packed(struct vr_ring *vr, struct vr_place at, uint64_t addr, uint32_t len, uint16_t id,
		uint16_t flags)
{
	vr_raw_packed(vr, at.at, addr, len, id, (uint16_t)(flags | vr_packed_owner(true, at.wrap)));
}

void
raw_entry(const struct vr_ring *vr, void *table, unsigned i, uint64_t addr, uint32_t len,
		uint16_t flags, uint16_t next)
{
	if ((vr->features & VU_F_RING_PACKED) == 0)
		((struct vr_desc *)table)[i] = (struct vr_desc){addr, len, flags, next};
	else
		((struct vr_packed_desc *)table)[i] = (struct vr_packed_desc){
				addr, len, 0, (uint16_t)(flags & ~VR_DESC_NEXT)};
}

void
raw_chain(struct vr_ring *vr, uint16_t first, const struct vr_seg *seg, unsigned n, uint16_t flags)
{
	for (unsigned i = 0; i < n; i++) {
		uint16_t at = (uint16_t)(first + i);
		bool last = i + 1 == n;

		raw_desc(vr, at, seg[i].gpa, seg[i].len,
				(uint16_t)(flags | (last ? 0 : VR_DESC_NEXT)),
				last ? 0 : (uint16_t)(at + 1));
	}
}

/* Writes the chain that is laid out from `head` on. A chain without an end is as long as its ring. */
static void
post_packed(struct vr_ring *vr, uint16_t head)
{
	struct vr_packed_desc *chain = calloc(vr->size, sizeof(*chain));
	uint16_t i = head, n = 0;
	const struct vr_desc *d;

	if (chain == NULL)
		abort();
	do {
		d = raw_at(vr, i);
		chain[n++] = (struct vr_packed_desc){
				.addr = d->addr, .len = d->len, .flags = d->flags};
		i = d->next;
	} while ((d->flags & VR_DESC_NEXT) != 0 && n < vr->size);
	vr_raw_chain(vr, head, chain, n);
	vr->chain[head] = n;
	free(chain);
}

void
raw_post(struct vr_ring *vr, const uint16_t *head, unsigned n)
{
	if ((vr->features & VU_F_RING_PACKED) == 0)
		vr_raw_post(vr, head, n);
	else
		for (unsigned i = 0; i < n; i++)
			post_packed(vr, head[i]);
	vr_kick_always(vr);
}

void
raw_post_one(struct vr_ring *vr, uint16_t head)
{
	raw_post(vr, &head, 1);
}

bool
raw_returned(struct party *p, struct vr_ring *vr, unsigned n, uint32_t *len)
{
	int64_t deadline = vu_now_ms() + PATIENCE_MS;

	while (vr_used_pending(vr) < n) {
		if (vu_now_ms() > deadline)
			return fail(p->h, "%u of %u buffers came back", vr_used_pending(vr), n);
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	}
	if (vr_used_pending(vr) > n)
		return fail(p->h, "%u buffers came back, but %u were posted", vr_used_pending(vr),
				n);
	for (; n > 0; n--) {
		struct vr_used_elem e;

		vr_raw_used(vr, &e);
		if (len != NULL)
			*len = e.len;
		if ((vr->features & VU_F_RING_PACKED) != 0 &&
				(e.id >= vr->size || vr->chain[e.id] == 0))
			return fail(p->h, "buffer %u came back, which was not posted", e.id);
		vr_raw_step(vr, (vr->features & VU_F_RING_PACKED) != 0 ? vr->chain[e.id] : 1);
	}
	return true;
}

bool
raw_works(struct party *p, struct party *peer)
{
	struct buf f = raw_frame(p, peer->mac, 200);
	struct vr_seg seg = {f.gpa, f.len};

	if (f.at == NULL)
		return false;
	raw_chain(p->nic.tx, 100, &seg, 1, 0);
	raw_post_one(p->nic.tx, 100);
	return raw_returned(p, p->nic.tx, 1, NULL) &&
			party_hears(peer, f.at + p->nic.hdr_len, f.len - p->nic.hdr_len);
}

bool
raw_receive_begin(struct party *p, struct party *peer)
{
	struct vr_ring *rx = p->nic.rx;
	unsigned left = 0;
	uint8_t frame[FRAME_MIN];
	int err = 0;

	if ((rx->features & VU_F_RING_PACKED) == 0)
		left = (uint16_t)(rx->published - rx->used_idx);
	for (unsigned i = 0; (rx->features & VU_F_RING_PACKED) != 0 && i < rx->size; i++)
		left += rx->chain[i] != 0;
	for (; left > 0 && err == 0; left--) {
		frame_make(frame, p->mac, peer->mac, TYPE_CASE, ++p->h->seq, sizeof(frame));
		err = nic_send(&peer->nic, frame, sizeof(frame), NULL);
		if (err == 0)
			err = party_drain(peer);
		if (err == 0 && !raw_returned(p, rx, 1, NULL))
			return false;
	}
	return EXPECT(p->h, err == 0, "the ring could not be used up: %s", strerror(-err));
}

/* Copies what the switch writes to in a ring. */
static uint8_t *
copy_used(const struct vr_ring *vr, size_t *size)
{
	bool packed = (vr->features & VU_F_RING_PACKED) != 0;
	const void *from = packed ? (const void *)vr->packed : vr->used;
	uint8_t *copy;

	*size = packed ? vr->size * sizeof(struct vr_packed_desc)
		       : sizeof(struct vr_used) + vr->size * sizeof(struct vr_used_elem);
	copy = malloc(*size);
	if (copy == NULL)
		abort();
	return memcpy(copy, from, *size);
}

bool
raw_untouched(struct party *p, struct party *peer)
{
	struct vr_ring *ring[2] = {p->nic.rx, p->nic.tx};
	uint8_t *before[2], *after, frame[FRAME_MIN];
	bool same = true;
	size_t size;
	int err;

	raw_post_one(p->nic.tx, 100);
	for (unsigned i = 0; i < 2; i++)
		before[i] = copy_used(ring[i], &size);
	frame_make(frame, p->mac, peer->mac, TYPE_CASE, ++p->h->seq, sizeof(frame));
	err = nic_send(&peer->nic, frame, sizeof(frame), NULL);
	/* When this frame was forwarded, every ring has been polled. */
	if (err == 0)
		err = party_drain(peer);
	expect_drops(peer, DROP_GONE, 1);
	for (unsigned i = 0; i < 2; i++) {
		after = copy_used(ring[i], &size);
		same = same && memcmp(before[i], after, size) == 0;
		free(before[i]);
		free(after);
	}
	return EXPECT(p->h, err == 0, "the peer could not send: %s", strerror(-err)) &&
			EXPECT(p->h, same, "a ring of the stopped device was written") &&
			party_hears_nothing(peer);
}
