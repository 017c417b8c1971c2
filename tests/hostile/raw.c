/* SPDX-License-Identifier: BSD-3-Clause */
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
	struct buf b = { .at = vu_mem_alloc(&p->nic.dev.mem, region, len, 16), .len = len };

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

	return (struct buf){ .at = r->base + r->size - len, .gpa = r->gpa + r->size - len,
		.len = len };
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

void
raw_chain(struct vring *vr, uint16_t first, const struct vr_seg *seg, unsigned n, uint16_t flags)
{
	for (unsigned i = 0; i < n; i++) {
		uint16_t at = (uint16_t)(first + i);
		bool last = i + 1 == n;

		vr_raw_desc(vr, at, seg[i].gpa, seg[i].len,
				(uint16_t)(flags | (last ? 0 : VR_DESC_NEXT)),
				last ? 0 : (uint16_t)(at + 1));
	}
}

void
raw_post(struct vring *vr, const uint16_t *head, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		vr_raw_avail(vr, (uint16_t)(vr->published + i), head[i]);
	vr->published = (uint16_t)(vr->published + n);
	vr->avail_idx = vr->published;
	vr_raw_avail_idx(vr, vr->published);
	vr_kick_always(vr);
}

void
raw_post_one(struct vring *vr, uint16_t head)
{
	raw_post(vr, &head, 1);
}

bool
raw_returned(struct party *p, struct vring *vr, unsigned n, uint32_t *len)
{
	int64_t deadline = vu_now_ms() + PATIENCE_MS;

	while (vr_used_pending(vr) < n) {
		if (vu_now_ms() > deadline)
			return fail(p->h, "%u of %u buffers came back", vr_used_pending(vr), n);
		nanosleep(&(struct timespec){ .tv_nsec = POLL_NS }, NULL);
	}
	if (vr_used_pending(vr) > n)
		return fail(p->h, "%u buffers came back, but %u were posted", vr_used_pending(vr), n);
	vr->used_idx = (uint16_t)(vr->used_idx + n);
	if (len != NULL)
		*len = vr->used->ring[(vr->used_idx - 1) & (vr->size - 1)].len;
	return true;
}

bool
raw_works(struct party *p, struct party *peer)
{
	struct buf f = raw_frame(p, peer->mac, 200);
	struct vr_seg seg = { f.gpa, f.len };

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
	struct vring *rx = p->nic.rx;
	unsigned left = (uint16_t)(rx->published - rx->used_idx);
	uint8_t frame[FRAME_MIN];
	int err = 0;

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

bool
raw_untouched(struct party *p, struct party *peer)
{
	struct vring *ring[2] = { p->nic.rx, p->nic.tx };
	size_t size[2];
	uint8_t *before[2], frame[FRAME_MIN];
	bool same = true;
	int err;

	for (unsigned i = 0; i < 2; i++) {
		size[i] = sizeof(struct vr_used) + ring[i]->size * sizeof(struct vr_used_elem);
		before[i] = malloc(size[i]);
		if (before[i] == NULL)
			abort();
		memcpy(before[i], ring[i]->used, size[i]);
	}
	raw_post_one(p->nic.tx, 100);
	frame_make(frame, p->mac, peer->mac, TYPE_CASE, ++p->h->seq, sizeof(frame));
	err = nic_send(&peer->nic, frame, sizeof(frame), NULL);
	/* Once this frame is settled every ring was polled. */
	if (err == 0)
		err = party_drain(peer);
	expect_drops(peer, DROP_GONE, 1);
	for (unsigned i = 0; i < 2; i++) {
		same = same && memcmp(before[i], ring[i]->used, size[i]) == 0;
		free(before[i]);
	}
	return EXPECT(p->h, err == 0, "the peer could not send: %s", strerror(-err)) &&
		EXPECT(p->h, same, "a ring of the stopped device was written") &&
		party_hears_nothing(peer);
}
