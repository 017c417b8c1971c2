/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Buffers to receive into that are no good, or merely unusual. See cases.h. */
#include <string.h>

#include "cases.h"
#include "raw.h"

#define LEN 200
#define HDR 12
#define ELSEWHERE 0xdead0000000ULL

/* Lays out a receive chain from descriptor 0 on. `to` is a good buffer of BUF_ROOM bytes. */
struct rx_shape {
	void (*lay)(struct party *p, const struct buf *to);
	enum drop_reason reason; /* why the frame that meets the chain is dropped */
	bool kept;               /* the chain stays in the ring: a shorter frame fits */
};

static void
one(struct party *p, uint64_t gpa, uint32_t len, uint16_t flags)
{
	raw_desc(p->nic.rx, 0, gpa, len, flags, 0);
}

static void
lay_outside(struct party *p, const struct buf *to)
{
	one(p, ELSEWHERE, to->len, VR_DESC_WRITE);
}

static void
lay_across_end(struct party *p, const struct buf *to)
{
	one(p, raw_end_buf(p, 1, 100).gpa, to->len, VR_DESC_WRITE);
}

static void
lay_wrapping(struct party *p, const struct buf *to)
{
	one(p, UINT64_MAX - 99, to->len, VR_DESC_WRITE);
}

static void
lay_readable(struct party *p, const struct buf *to)
{
	one(p, to->gpa, to->len, 0);
}

static void
lay_second_readable(struct party *p, const struct buf *to)
{
	struct vr_seg seg[2] = {{to->gpa, 100}, {to->gpa + 100, to->len - 100}};

	raw_chain(p->nic.rx, 0, seg, 2, VR_DESC_WRITE);
	raw_at(p->nic.rx, 1)->flags &= (uint16_t)~VR_DESC_WRITE;
}

static void
lay_second_outside(struct party *p, const struct buf *to)
{
	struct vr_seg seg[2] = {{to->gpa, 100}, {ELSEWHERE, to->len}};

	raw_chain(p->nic.rx, 0, seg, 2, VR_DESC_WRITE);
}

static void
lay_half_header(struct party *p, const struct buf *to)
{
	one(p, to->gpa, HDR / 2, VR_DESC_WRITE);
}

static void
lay_empty(struct party *p, const struct buf *to)
{
	one(p, to->gpa, 0, VR_DESC_WRITE);
}

static void
lay_small(struct party *p, const struct buf *to)
{
	one(p, to->gpa, HDR + FRAME_MIN, VR_DESC_WRITE);
}

static bool
send_to(struct party *from, struct party *to, uint8_t *frame, size_t len)
{
	int err;

	frame_make(frame, to->mac, from->mac, TYPE_CASE, ++from->h->seq, len);
	err = nic_send(&from->nic, frame, len, NULL);
	if (err == 0)
		err = party_drain(from);
	return EXPECT(from->h, err == 0, "a frame's buffer did not come back: %d", err);
}

/* A frame meets the chain; the next one must arrive. */
static void
run(struct hostile *h, const void *arg)
{
	const struct rx_shape *s = arg;
	uint8_t frame[LEN];
	struct party *bad, *peer;
	struct buf to, good;
	uint32_t len = 1;

	if (!party_pair(h, &bad, &peer) || !raw_receive_begin(bad, peer))
		return;
	to = raw_buf(bad, 0, BUF_ROOM);
	good = raw_buf(bad, 0, BUF_ROOM);
	if (to.at == NULL || good.at == NULL)
		return;
	s->lay(bad, &to);
	raw_post_one(bad->nic.rx, 0);
	if (!send_to(peer, bad, frame, LEN))
		return;
	/* With mergeable buffers, a frame that one buffer is too small for waits for a second one. */
	expect_drops(peer, s->kept && h->subject.mergeable ? DROP_RING_FULL : s->reason, 1);
	if (!s->kept) {
		MUST(h, raw_returned(bad, bad->nic.rx, 1, &len), "the chain did not come back");
		EXPECT(h, len == 0, "%u bytes written by its used entry", len);
		raw_desc(bad->nic.rx, 100, good.gpa, good.len, VR_DESC_WRITE, 0);
		raw_post_one(bad->nic.rx, 100);
		to = good;
	}
	if (!send_to(peer, bad, frame, FRAME_MIN))
		return;
	MUST(h, raw_returned(bad, bad->nic.rx, 1, &len), "the next frame did not arrive");
	EXPECT(h, len == HDR + FRAME_MIN && memcmp(to.at + HDR, frame, FRAME_MIN) == 0,
			"the next frame arrived as %u bytes", len);
	party_hears_nothing(peer);
}

/* A buffer across the border of the two regions, and one in pieces of a byte. */
static void
receive_into(struct hostile *h, struct party *p, struct party *peer, uint32_t len, uint8_t *got,
		const uint8_t *(*gather)(struct party *, uint8_t *))
{
	uint8_t frame[LEN];
	uint32_t used;

	raw_post_one(p->nic.rx, 0);
	if (!send_to(peer, p, frame, len))
		return;
	MUST(h, raw_returned(p, p->nic.rx, 1, &used), "the frame did not arrive");
	EXPECT(h, used == HDR + len && memcmp(gather(p, got) + HDR, frame, len) == 0,
			"the frame arrived as %u bytes, or changed", used);
	EXPECT(h, got[10] == 1 && got[11] == 0 && got[0] == 0 && got[1] == 0,
			"a header with flags %u, gso_type %u, num_buffers %u", got[0], got[1],
			got[10] | got[11] << 8);
}

static const uint8_t *
gather_across(struct party *p, uint8_t *got)
{
	const struct vu_region *r = p->nic.dev.mem.region;

	memcpy(got, r[0].base + r[0].size - 100, 100);
	memcpy(got + 100, r[1].base, HDR + LEN - 100);
	return got;
}

static void
run_across(struct hostile *h, const void *arg)
{
	uint8_t got[HDR + LEN];
	struct party *p, *peer;

	(void)arg;
	if (!party_pair(h, &p, &peer) || !raw_receive_begin(p, peer))
		return;
	raw_desc(p->nic.rx, 0, raw_end_buf(p, 0, 100).gpa, HDR + LEN, VR_DESC_WRITE, 0);
	receive_into(h, p, peer, LEN, got, gather_across);
}

/* Every other byte of 424. */
static const uint8_t *
gather_bytes(struct party *p, uint8_t *got)
{
	const uint8_t *at = vu_mem_ptr(&p->nic.dev.mem, raw_at(p->nic.rx, 0)->addr, 1);

	for (unsigned i = 0; i < HDR + LEN; i++) {
		got[i] = at[2 * i];
		EXPECT(p->h, at[2 * i + 1] == 0x5a, "a byte between two pieces was written");
	}
	return got;
}

static void
run_bytes(struct hostile *h, const void *arg)
{
	uint8_t got[HDR + LEN];
	struct vr_seg seg[HDR + LEN];
	struct party *p, *peer;
	struct buf b;

	(void)arg;
	if (!party_pair(h, &p, &peer) || !raw_receive_begin(p, peer))
		return;
	b = raw_buf(p, 0, 2 * (HDR + LEN));
	if (b.at == NULL)
		return;
	memset(b.at, 0x5a, b.len);
	for (unsigned i = 0; i < HDR + LEN; i++)
		seg[i] = (struct vr_seg){b.gpa + 2 * i, 1};
	raw_chain(p->nic.rx, 0, seg, HDR + LEN, VR_DESC_WRITE);
	receive_into(h, p, peer, LEN, got, gather_bytes);
}

/* Frames for a ring without buffers wait, and are dropped when their time is over. */
static void
run_none(struct hostile *h, const void *arg)
{
	uint8_t frame[LEN];
	struct party *p, *peer;

	(void)arg;
	if (!party_pair(h, &p, &peer) || !raw_receive_begin(p, peer))
		return;
	for (unsigned i = 0; i < 200; i++)
		if (!send_to(peer, p, frame, LEN))
			return;
	expect_drops(peer, DROP_RING_FULL, 200);
	EXPECT(h, vr_used_pending(p->nic.rx) == 0, "the empty ring was written");
	party_says(p, peer);
}

/* A receive buffer that lies on the ring itself: the guest harms itself alone. */
static void
run_on_ring(struct hostile *h, const void *arg)
{
	struct party *p, *peer;
	struct vr_ring *rx;
	uint8_t frame[LEN];

	(void)arg;
	if (!party_pair(h, &p, &peer) || !raw_receive_begin(p, peer))
		return;
	rx = p->nic.rx;
	/* Used ring, then available ring, then descriptors: each is overwritten by a frame. */
	raw_desc(rx, 0, vu_mem_gpa(&p->nic.dev.mem, rx->used), 1500, VR_DESC_WRITE, 0);
	raw_desc(rx, 1, vu_mem_gpa(&p->nic.dev.mem, rx->desc), 1500, VR_DESC_WRITE, 0);
	raw_desc(rx, 2, vu_mem_gpa(&p->nic.dev.mem, rx->avail), 1500, VR_DESC_WRITE, 0);
	raw_post(rx, (const uint16_t[]){0, 1, 2}, 3);
	h->drops_any = true;
	for (unsigned i = 0; i < 8; i++)
		if (!send_to(peer, p, frame, LEN))
			return;
	/* It has overwritten its own indices, so it may have been stopped, with a line in the log, or not. */
	h->stops = stops_of(h, p);
	EXPECT(h, h->stops <= 1, "%u lines that it was stopped", h->stops);
	party_recovers(p, peer);
	h->stops = stops_of(h, p);
}

#define RX_SHAPE(...) \
	&(const struct rx_shape) \
	{ \
		__VA_ARGS__ \
	}
#define CASE(name, says, ...) \
	{ \
		"rx-" name, says, run, RX_SHAPE(__VA_ARGS__), 0 \
	}

const struct hcase cases_rx[] = {
		CASE("outside", "a buffer outside of guest memory: the frame is dropped",
				lay_outside, DROP_RX_DESCRIPTOR, false),
		CASE("across-end", "a buffer that crosses the end of the last region: dropped",
				lay_across_end, DROP_RX_DESCRIPTOR, false),
		CASE("wraps", "address plus length overflow: dropped", lay_wrapping,
				DROP_RX_DESCRIPTOR, false),
		CASE("readable", "a receive buffer for the device to read: dropped", lay_readable,
				DROP_RX_DESCRIPTOR, false),
		CASE("second-readable", "a good piece, then one to read: dropped",
				lay_second_readable, DROP_RX_DESCRIPTOR, false),
		CASE("second-outside", "a good piece, then one outside: dropped",
				lay_second_outside, DROP_RX_DESCRIPTOR, false),
		CASE("half-header", "a chain shorter than the header: dropped", lay_half_header,
				DROP_RX_DESCRIPTOR, false),
		CASE("empty", "a chain of no bytes: dropped", lay_empty, DROP_RX_DESCRIPTOR, false),
		CASE("small", "a buffer too small for the frame: dropped, a shorter one arrives",
				lay_small, DROP_TOO_BIG, true),
		{"rx-across", "a buffer across two regions that touch: filled", run_across, NULL,
				0},
		{"rx-single-bytes", "a buffer of 212 scattered bytes: filled, nothing between them",
				run_bytes, NULL, 0},
		{"rx-none", "no buffers: frames wait, and are dropped when their time is over",
				run_none, NULL, 0},
		{"rx-on-ring", "buffers that lie on the rings themselves: harms nobody else",
				run_on_ring, NULL, 0},
		{.name = NULL},
};
