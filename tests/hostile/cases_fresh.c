/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Guests whose buffers are in pages that nobody has touched: each access is a page fault. Each page is given
 * back to the kernel as soon as its buffer was used. share.h tells how they are judged.
 */
#define _GNU_SOURCE
#include <string.h>

#include "cases.h"
#include "share.h"

#define RING 4096
#define PAGE 4096
#define LEN 200
#define HEAD 60 /* bytes of a frame that are in memory like any other */
#define HDR 12
#define BUF 1600
#define GPA 0x40000000
/* Guests that begin may be ahead by ten milliseconds of page faults (switch/stall.c), so each turn begins with them. */
#define BEGINNING 5

struct fresh_kind {
	bool receives; /* else it sends */
	bool huge;
	unsigned slots; /* buffers */
	unsigned pages; /* in each */
};

static size_t
page_of(const struct fresh_kind *k)
{
	return k->huge ? VU_HUGE_PAGE : PAGE;
}

/* A guest whose second region is sparse, and big enough for its buffers. */
static struct party *
open_sparse(struct hostile *h, const struct fresh_kind *k)
{
	struct nic_opts opts = party_opts();
	struct party *p;

	opts.dev.rx_size = opts.dev.tx_size = RING;
	opts.dev.mem.n_regions = 1;
	opts.dev.mem.region_size = 4 << 20;
	opts.rx_bufs = opts.tx_bufs = 1;
	p = party_open(h, &opts);
	if (p == NULL)
		return NULL;
	if (vu_mem_add(&p->nic.dev.mem, GPA, k->slots * k->pages * page_of(k), 0, k->huge) < 0 ||
			vu_dev_set_mem(&p->nic.dev) < 0 || vu_dev_sync(&p->nic.dev) < 0) {
		fail(h, "the second region was refused");
		return NULL;
	}
	if (k->huge && !p->nic.dev.mem.region[1].huge) {
		fail(h, "this machine has no %u free hugepages", k->slots * k->pages);
		return NULL;
	}
	return p;
}

/* Lays out a slot: `first`, and bytes of each of its pages. */
static bool
lay_slot(struct party *p, struct vr_ring *vr, const struct fresh_kind *k, unsigned slot,
		struct buf first, uint16_t flags)
{
	struct buf table = raw_buf(p, 0, (k->pages + 1) * (uint32_t)sizeof(struct vr_desc));
	uint64_t at = p->nic.dev.mem.region[1].gpa + slot * k->pages * page_of(k);
	uint32_t left = LEN - HEAD;

	if (table.at == NULL)
		return false;
	raw_entry(vr, table.at, 0, first.gpa, HDR + HEAD, VR_DESC_NEXT | flags, 1);
	for (unsigned i = 0; i < k->pages; i++) {
		bool last = i == k->pages - 1;
		uint32_t len = last ? left : 1;

		raw_entry(vr, table.at, i + 1, at + i * page_of(k), len,
				(uint16_t)((last ? 0 : VR_DESC_NEXT) | flags), (uint16_t)(i + 2));
		left -= len;
	}
	vr_raw_desc(vr, (uint16_t)slot, table.gpa, table.len, VR_DESC_INDIRECT, 0);
	return true;
}

/* Makes the buffers of `vr`, which begin with `first`, and has their pages given back. */
static bool
pump_fresh(struct contest *c, struct party *p, struct vr_ring *vr, const struct fresh_kind *k,
		struct buf first)
{
	for (unsigned i = 0; i < k->slots; i++)
		if (!lay_slot(p, vr, k, i, first, k->receives ? VR_DESC_WRITE : 0))
			return false;
	contest_pump(c, vr, k->slots, k->slots, !k->receives);
	contest_forget(c, vr, p->nic.dev.mem.region[1].base, k->pages * page_of(k), k->slots);
	return true;
}

/* `p` has the fresh pages; its peer sends to it, or receives from it. Both are greedy. */
static void
run(struct hostile *h, const void *arg)
{
	const struct fresh_kind *k = arg;
	struct contest c = {.h = h, .skip = BEGINNING};
	struct party *p = open_sparse(h, k);
	struct party *peer = p != NULL ? party_open(h, &p->opts) : NULL;
	struct party *from = k->receives ? peer : p, *to = k->receives ? p : peer;
	struct buf sent, got;

	if (peer == NULL || !party_meet(p, peer) || !raw_receive_begin(p, peer) ||
			!raw_receive_begin(peer, p))
		return;
	sent = raw_frame(from, to->mac, LEN);
	got = raw_buf(to, 0, BUF);
	if (sent.at == NULL || got.at == NULL ||
			!pump_fresh(&c, p, k->receives ? p->nic.rx : p->nic.tx, k,
					k->receives ? got : sent))
		return;
	if (k->receives) {
		vr_raw_desc(from->nic.tx, 0, sent.gpa, sent.len, 0, 0);
		contest_pump(&c, from->nic.tx, RING, 1, true);
	} else {
		vr_raw_desc(to->nic.rx, 0, got.gpa, got.len, VR_DESC_WRITE, 0);
		contest_pump(&c, to->nic.rx, RING, 1, false);
	}
	h->greedy = 2;
	h->cleared = k->huge;
	h->slow_memory = k->huge || k->pages > 1;
	contest_judge(&c);
}

#define CASE(name, says, receives, huge, slots, pages) \
	{ \
		"fresh-" name, says, run, \
				&(const struct fresh_kind){receives, huge, slots, pages}, 0 \
	}

const struct hcase cases_fresh[] = {
		CASE("source", "frames in pages that are given back after each use: no more than a share",
				false, false, 2048, 1),
		CASE("target", "and receive buffers in such pages", true, false, 2048, 1),
		CASE("target-many", "the same, 32 pages a buffer", true, false, 1024, 32),
		CASE("source-huge", "frames in such hugepages", false, true, 256, 1),
		CASE("target-huge", "receive buffers in such hugepages", true, true, 256, 1),
		{NULL, NULL, NULL, NULL, 0},
};
