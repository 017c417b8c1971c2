/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Broken rings: the device is stopped, and works again once it is set up again. See cases.h. */
#include <string.h>

#include "cases.h"
#include "raw.h"

#define LEN 200

/* How a ring is broken, and the reason for which the switch must stop the device. */
struct breach {
	void (*commit)(struct party *p, struct vr_ring *vr, const struct vr_seg *good);
	enum fault_reason reason;
	bool receive; /* the receive ring: a frame is sent to it then */
};

static void
overrun_by_one(struct party *p, struct vr_ring *vr, const struct vr_seg *good)
{
	(void)p;
	(void)good;
	vr_raw_avail_idx(vr, (uint16_t)(vr->published + vr->size + 1));
}

static void
overrun_half(struct party *p, struct vr_ring *vr, const struct vr_seg *good)
{
	(void)p;
	(void)good;
	vr_raw_avail_idx(vr, (uint16_t)(vr->published + 32768));
}

static void
backwards(struct party *p, struct vr_ring *vr, const struct vr_seg *good)
{
	(void)p;
	(void)good;
	vr_raw_avail_idx(vr, (uint16_t)(vr->published - vr->size - 1));
}

static void
head_at_size(struct party *p, struct vr_ring *vr, const struct vr_seg *good)
{
	(void)p;
	(void)good;
	raw_post_one(vr, vr->size);
}

static void
head_huge(struct party *p, struct vr_ring *vr, const struct vr_seg *good)
{
	(void)p;
	(void)good;
	raw_post_one(vr, UINT16_MAX);
}

/* Good frames before the bad head: they may pass, it may not. */
static void
head_behind_good(struct party *p, struct vr_ring *vr, const struct vr_seg *good)
{
	(void)p;
	raw_desc(vr, 0, good->gpa, good->len, 0, 0);
	raw_desc(vr, 1, good->gpa, good->len, 0, 0);
	raw_post(vr, (const uint16_t[]){0, 1, 40000, 0}, 4);
}

static void
chain_of(struct party *p, struct vr_ring *vr, const struct vr_seg *good, uint16_t next)
{
	uint16_t flags = VR_DESC_NEXT;

	if (vr == p->nic.rx)
		flags |= VR_DESC_WRITE;
	raw_desc(vr, 0, good->gpa, 16, flags, next);
	raw_post_one(vr, 0);
}

static void
next_at_size(struct party *p, struct vr_ring *vr, const struct vr_seg *good)
{
	chain_of(p, vr, good, vr->size);
}

static void
next_huge(struct party *p, struct vr_ring *vr, const struct vr_seg *good)
{
	chain_of(p, vr, good, UINT16_MAX);
}

static void
loop_of_one(struct party *p, struct vr_ring *vr, const struct vr_seg *good)
{
	chain_of(p, vr, good, 0);
}

/* A chain around the whole ring, of empty buffers, which need no room anywhere. */
static void
loop_of_all(struct party *p, struct vr_ring *vr, const struct vr_seg *good)
{
	uint16_t flags = VR_DESC_NEXT;

	if (vr == p->nic.rx)
		flags |= VR_DESC_WRITE;
	for (uint16_t i = 0; i < vr->size; i++)
		raw_desc(vr, i, good->gpa, 0, flags, (uint16_t)((i + 1) % vr->size));
	raw_post_one(vr, 3);
}

static void
run(struct hostile *h, const void *arg)
{
	const struct breach *b = arg;
	struct party *bad, *peer;
	struct vr_ring *vr;
	struct vr_seg good;
	uint8_t frame[FRAME_MIN];
	struct buf buf;

	if (!party_pair(h, &bad, &peer))
		return;
	buf = raw_frame(bad, peer->mac, LEN);
	if (buf.at == NULL)
		return;
	good = (struct vr_seg){buf.gpa, buf.len};
	vr = b->receive ? bad->nic.rx : bad->nic.tx;
	if (b->receive && !raw_receive_begin(bad, peer))
		return;
	b->commit(bad, vr, &good);
	if (b->receive) {
		frame_make(frame, bad->mac, peer->mac, TYPE_CASE, ++h->seq, sizeof(frame));
		MUST(h, nic_send(&peer->nic, frame, sizeof(frame), NULL) == 0, "no frame sent");
		/* The frame waits for room, until the main lcore sees the fault or the frame's time is over. */
		h->drops_any = true;
	}
	if (!expect_stop(h, bad, b->reason))
		return;
	if (b->commit == head_behind_good) {
		/* The device might take the two good frames before the bad one. */
		while (nic_recv(&peer->nic, frame, sizeof(frame)) != 0)
			continue;
	}
	raw_untouched(bad, peer);
	party_recovers(bad, peer);
}

#define CASE(side, name, says, fn, reason, rx) \
	{ \
		side "-" name, says, run, &(const struct breach){fn, reason, rx}, rx ? 0 : IN(0) \
	}

const struct hcase cases_ring[] = {
		CASE("tx", "avail-ahead", "available index ahead by the ring and one: stopped",
				overrun_by_one, FAULT_AVAIL_OVERRUN, false),
		CASE("tx", "avail-far-ahead", "available index ahead by half of its range: stopped",
				overrun_half, FAULT_AVAIL_OVERRUN, false),
		CASE("tx", "avail-back", "available index goes backwards: stopped", backwards,
				FAULT_AVAIL_OVERRUN, false),
		CASE("tx", "head-at-size", "head index just past the ring: stopped", head_at_size,
				FAULT_HEAD, false),
		CASE("tx", "head-huge", "head index 65535: stopped", head_huge, FAULT_HEAD, false),
		CASE("tx", "head-after-good", "a bad head after good ones: stopped",
				head_behind_good, FAULT_HEAD, false),
		CASE("tx", "next-at-size", "next index just past the ring: stopped", next_at_size,
				FAULT_HEAD, false),
		CASE("tx", "next-huge", "next index 65535: stopped", next_huge, FAULT_HEAD, false),
		CASE("tx", "loop", "a descriptor that is its own next: stopped", loop_of_one,
				FAULT_LOOP, false),
		CASE("tx", "loop-of-all", "a loop of all descriptors, all empty: stopped",
				loop_of_all, FAULT_LOOP, false),
		CASE("rx", "avail-ahead", "available index ahead by the ring and one: stopped",
				overrun_by_one, FAULT_AVAIL_OVERRUN, true),
		CASE("rx", "avail-back", "available index goes backwards: stopped", backwards,
				FAULT_AVAIL_OVERRUN, true),
		CASE("rx", "head-at-size", "head index just past the ring: stopped", head_at_size,
				FAULT_HEAD, true),
		CASE("rx", "next-huge", "next index 65535: stopped", next_huge, FAULT_HEAD, true),
		CASE("rx", "loop", "a descriptor that is its own next: stopped", loop_of_one,
				FAULT_LOOP, true),
		CASE("rx", "loop-of-all", "a loop of all descriptors, all empty: stopped",
				loop_of_all, FAULT_LOOP, true),
		{.name = NULL},
};
