/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Frames that a guest sends in buffers that are no good, or merely unusual. See cases.h. */
#include <string.h>

#include "cases.h"
#include "raw.h"

#define LEN 200      /* of the frame in question */
#define HDR 12       /* of the virtio-net header: VERSION_1 */
#define LONGEST 1522 /* the longest without --mergeable 1: a payload of 1500, two tags */
#define ELSEWHERE 0xdead0000000ULL

/*
 * Lays out a chain from descriptor 0 on, from a good buffer with header and frame. Returns false if
 * there was no memory.
 */
struct shape {
	bool (*lay)(struct party *p, const struct buf *f);
	enum drop_reason reason; /* DROP_NONE: it must arrive as it is */
	uint32_t len;            /* of the frame; 0: LEN */
};

static bool
one(struct party *p, uint64_t gpa, uint32_t len, uint16_t flags)
{
	raw_desc(p->nic.tx, 0, gpa, len, flags, 0);
	return true;
}

static bool
lay_outside(struct party *p, const struct buf *f)
{
	return one(p, ELSEWHERE, f->len, 0);
}

static bool
lay_before(struct party *p, const struct buf *f)
{
	return one(p, p->nic.dev.mem.region[0].gpa - 100, f->len, 0);
}

static bool
lay_across_end(struct party *p, const struct buf *f)
{
	struct buf end = raw_end_buf(p, 1, 100);

	raw_fill(end.at, f, 0, 100);
	return one(p, end.gpa, f->len, 0);
}

static bool
lay_wrapping(struct party *p, const struct buf *f)
{
	return one(p, UINT64_MAX - 99, f->len, 0);
}

/* Address and length wrap around to the good buffer itself. */
static bool
lay_wrapping_home(struct party *p, const struct buf *f)
{
	struct vr_seg seg[2] = {{f->gpa, HDR}, {0 - (uint64_t)50, LEN}};

	raw_chain(p->nic.tx, 0, seg, 2, 0);
	return true;
}

static bool
lay_huge_length(struct party *p, const struct buf *f)
{
	return one(p, f->gpa, UINT32_MAX, 0);
}

static bool
lay_second_outside(struct party *p, const struct buf *f)
{
	struct vr_seg seg[2] = {{f->gpa, HDR + 50}, {ELSEWHERE, LEN - 50}};

	raw_chain(p->nic.tx, 0, seg, 2, 0);
	return true;
}

static bool
lay_writable(struct party *p, const struct buf *f)
{
	return one(p, f->gpa, f->len, VR_DESC_WRITE);
}

static bool
lay_second_writable(struct party *p, const struct buf *f)
{
	struct vr_seg seg[2] = {{f->gpa, HDR + 50}, {f->gpa + HDR + 50, LEN - 50}};

	raw_chain(p->nic.tx, 0, seg, 2, 0);
	raw_at(p->nic.tx, 1)->flags |= VR_DESC_WRITE;
	return true;
}

static bool
lay_empty(struct party *p, const struct buf *f)
{
	return one(p, f->gpa, 0, 0);
}

static bool
lay_half_header(struct party *p, const struct buf *f)
{
	return one(p, f->gpa, HDR / 2, 0);
}

static bool
lay_header_only(struct party *p, const struct buf *f)
{
	return one(p, f->gpa, HDR, 0);
}

static bool
lay_13_bytes(struct party *p, const struct buf *f)
{
	return one(p, f->gpa, HDR + 13, 0);
}

static bool
lay_13_bytes_apart(struct party *p, const struct buf *f)
{
	struct vr_seg seg[3] = {{f->gpa, 7}, {f->gpa + 7, 5}, {f->gpa + HDR, 13}};

	raw_chain(p->nic.tx, 0, seg, 3, 0);
	return true;
}

static bool
lay_plain(struct party *p, const struct buf *f)
{
	return one(p, f->gpa, f->len, 0);
}

/* 200 descriptors for the same 500 bytes. */
static bool
lay_64_kib(struct party *p, const struct buf *f)
{
	struct vr_seg seg[200];

	for (unsigned i = 0; i < 200; i++)
		seg[i] = (struct vr_seg){f->gpa, f->len};
	raw_chain(p->nic.tx, 0, seg, 200, 0);
	return true;
}

static bool
lay_bytes(struct party *p, const struct buf *f)
{
	struct vr_seg seg[HDR + LEN];

	for (unsigned i = 0; i < f->len; i++)
		seg[i] = (struct vr_seg){f->gpa + i, 1};
	raw_chain(p->nic.tx, 0, seg, f->len, 0);
	/* A good frame is to follow from descriptor 100 on, which this chain occupies. */
	return true;
}

static bool
lay_empty_pieces(struct party *p, const struct buf *f)
{
	struct vr_seg seg[5] = {
			{f->gpa, 0},
			{f->gpa, HDR},
			{f->gpa, 0},
			{f->gpa + HDR, f->len - HDR},
			{f->gpa, 0},
	};

	raw_chain(p->nic.tx, 0, seg, 5, 0);
	return true;
}

/* Across the border of the two regions, `before` bytes in the first. */
static bool
across(struct party *p, const struct buf *f, uint32_t before)
{
	struct buf end = raw_end_buf(p, 0, before);

	raw_fill(end.at, f, 0, before);
	raw_fill(p->nic.dev.mem.region[1].base, f, before, f->len - before);
	return one(p, end.gpa, f->len, 0);
}

static bool
lay_across_in_header(struct party *p, const struct buf *f)
{
	return across(p, f, 5);
}

static bool
lay_across_in_addresses(struct party *p, const struct buf *f)
{
	return across(p, f, HDR + 3);
}

static bool
lay_across_in_payload(struct party *p, const struct buf *f)
{
	return across(p, f, HDR + 100);
}

static struct vr_net_hdr *
header(const struct buf *f)
{
	return (struct vr_net_hdr *)(void *)f->at;
}

static bool
lay_csum(struct party *p, const struct buf *f)
{
	header(f)->flags = VR_HDR_NEEDS_CSUM;
	header(f)->csum_start = 60000;
	header(f)->csum_offset = 60000;
	return one(p, f->gpa, f->len, 0);
}

static bool
lay_gso(struct party *p, const struct buf *f)
{
	header(f)->gso_type = VR_HDR_GSO_TCPV4;
	return one(p, f->gpa, f->len, 0);
}

static bool
lay_gso_garbage(struct party *p, const struct buf *f)
{
	memset(f->at, 0xff, HDR);
	return one(p, f->gpa, f->len, 0);
}

/* Fields that mean nothing from a driver, or nothing by themselves. */
static bool
lay_odd_header(struct party *p, const struct buf *f)
{
	*header(f) = (struct vr_net_hdr){.flags = VR_HDR_DATA_VALID,
			.hdr_len = 0xffff,
			.gso_size = 0xffff,
			.csum_start = 0xffff,
			.csum_offset = 0xffff,
			.num_buffers = 0xffff};
	return one(p, f->gpa, f->len, 0);
}

static bool
lay_group_source(struct party *p, const struct buf *f)
{
	f->at[HDR + 6] |= 1;
	return one(p, f->gpa, f->len, 0);
}

static bool
lay_broadcast_source(struct party *p, const struct buf *f)
{
	memset(f->at + HDR + 6, 0xff, 6);
	return one(p, f->gpa, f->len, 0);
}

static bool
lay_zero_source(struct party *p, const struct buf *f)
{
	memset(f->at + HDR + 6, 0, 6);
	return one(p, f->gpa, f->len, 0);
}

static bool
lay_to_itself(struct party *p, const struct buf *f)
{
	memcpy(f->at + HDR, p->mac, 6);
	return one(p, f->gpa, f->len, 0);
}

/* Posts the frame in question, and a good one after it. */
static void
run(struct hostile *h, const void *arg)
{
	const struct shape *s = arg;
	uint32_t len = s->len != 0 ? s->len : LEN;
	struct party *bad, *peer;
	struct buf f;

	if (!party_pair(h, &bad, &peer))
		return;
	f = raw_frame(bad, peer->mac, len);
	if (f.at == NULL || !s->lay(bad, &f))
		return;
	raw_post_one(bad->nic.tx, 0);
	MUST(h, raw_returned(bad, bad->nic.tx, 1, NULL), "the descriptors did not come back");
	if (s->reason != DROP_NONE) {
		expect_drops(bad, s->reason, 1);
	} else {
		party_hears(peer, f.at + HDR, len);
		EXPECT(h,
				peer->nic.rx_hdr.flags == 0 && peer->nic.rx_hdr.gso_type == 0 &&
						peer->nic.rx_hdr.num_buffers == 1,
				"the sender's header was passed on");
	}
	raw_works(bad, peer);
	party_says(peer, bad);
	party_hears_nothing(peer);
}

/* Sixteen pieces of 256 MiB and a little more: 2^32 + 212 bytes. */
static void
run_4_gib(struct hostile *h, const void *arg)
{
	struct nic_opts opts = party_opts();
	struct party *bad, *peer;
	struct vr_seg seg[16];
	struct buf f;

	(void)arg;
	opts.dev.mem.n_regions = 1;
	opts.dev.mem.region_size = (256 << 20) + (512 << 10);
	bad = party_open(h, &opts);
	peer = bad != NULL ? party_open(h, NULL) : NULL;
	if (peer == NULL || !party_meet(bad, peer))
		return;
	f = raw_frame(bad, peer->mac, LEN);
	if (f.at == NULL)
		return;
	for (unsigned i = 0; i < 16; i++)
		seg[i] = (struct vr_seg){f.gpa, (256 << 20) + (i == 15 ? f.len : 0)};
	raw_chain(bad->nic.tx, 0, seg, 16, 0);
	raw_post_one(bad->nic.tx, 0);
	MUST(h, raw_returned(bad, bad->nic.tx, 1, NULL), "the descriptors did not come back");
	expect_drops(bad, DROP_LONG, 1);
	raw_works(bad, peer);
	party_hears_nothing(peer);
}

#define SHAPE(lay, ...) \
	&(const struct shape) \
	{ \
		lay, __VA_ARGS__ \
	}
#define CASE(name, says, ...) \
	{ \
		"tx-" name, says, run, SHAPE(__VA_ARGS__), 0 \
	}

const struct hcase cases_tx[] = {
		CASE("outside", "a buffer outside of guest memory: dropped", lay_outside,
				DROP_DESCRIPTOR, 0),
		CASE("before-region", "a buffer that begins before the first region: dropped",
				lay_before, DROP_DESCRIPTOR, 0),
		CASE("across-end", "a buffer that crosses the end of the last region: dropped",
				lay_across_end, DROP_DESCRIPTOR, 0),
		CASE("wraps", "address plus length overflow: dropped", lay_wrapping,
				DROP_DESCRIPTOR, 0),
		CASE("wraps-to-zero", "a second piece that wraps around to address 0: dropped",
				lay_wrapping_home, DROP_DESCRIPTOR, 0),
		CASE("huge-length", "a buffer of 4 GiB: dropped", lay_huge_length, DROP_DESCRIPTOR,
				0),
		CASE("second-outside", "a good piece, then one outside: dropped",
				lay_second_outside, DROP_DESCRIPTOR, 0),
		CASE("writable", "a transmit buffer for the device to write: dropped", lay_writable,
				DROP_DESCRIPTOR, 0),
		CASE("second-writable", "a good piece, then one to write: dropped",
				lay_second_writable, DROP_DESCRIPTOR, 0),
		CASE("empty", "a chain of no bytes: dropped", lay_empty, DROP_SHORT, 0),
		CASE("half-header", "a chain shorter than the header: dropped", lay_half_header,
				DROP_SHORT, 0),
		CASE("header-only", "a header and no frame: dropped", lay_header_only, DROP_SHORT,
				0),
		CASE("13-bytes", "a frame of 13 bytes: dropped", lay_13_bytes, DROP_SHORT, 0),
		CASE("13-bytes-apart", "a frame of 13 bytes in three pieces: dropped",
				lay_13_bytes_apart, DROP_SHORT, 0),
		CASE("14-bytes", "a frame that is a header alone: arrives", lay_plain, DROP_NONE,
				14),
		CASE("longest", "the longest frame: arrives", lay_plain, DROP_NONE, LONGEST),
		CASE("too-long", "a byte more than the longest frame: dropped", lay_plain,
				DROP_LONG, LONGEST + 1),
		CASE("64-kib", "pieces that make 100 KiB: dropped", lay_64_kib, DROP_LONG, 500),
		{"tx-4-gib", "pieces whose sum wraps to a good length: dropped", run_4_gib, NULL,
				0},
		CASE("single-bytes", "a frame in 212 pieces of a byte: arrives", lay_bytes,
				DROP_NONE, 0),
		CASE("empty-pieces", "empty pieces between the others: arrives", lay_empty_pieces,
				DROP_NONE, 0),
		CASE("across-in-header",
				"a buffer across two regions that touch, cut in the header: arrives",
				lay_across_in_header, DROP_NONE, 0),
		CASE("across-in-addresses", "the same, cut in the Ethernet header: arrives",
				lay_across_in_addresses, DROP_NONE, 0),
		CASE("across-in-payload", "the same, cut in the payload: arrives",
				lay_across_in_payload, DROP_NONE, 0),
		CASE("csum", "a checksum wanted that was not negotiated: dropped", lay_csum,
				DROP_OFFLOAD, 0),
		CASE("gso", "segmentation wanted that was not negotiated: dropped", lay_gso,
				DROP_OFFLOAD, 0),
		CASE("gso-garbage", "a header of ones: dropped", lay_gso_garbage, DROP_OFFLOAD, 0),
		CASE("odd-header", "header fields that mean nothing: arrives with a clean header",
				lay_odd_header, DROP_NONE, 0),
		CASE("group-source", "a group address as source: dropped", lay_group_source,
				DROP_SOURCE, 0),
		CASE("broadcast-source", "broadcast as source: dropped", lay_broadcast_source,
				DROP_SOURCE, 0),
		CASE("zero-source", "a source of zeroes: dropped", lay_zero_source, DROP_SOURCE, 0),
		CASE("to-itself", "a frame to its own sender: dropped", lay_to_itself,
				DROP_TO_SENDER, 0),
		{.name = NULL},
};
