/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Indirect tables (virtio 1.2, 2.7.5.3), malformed and merely unusual. See cases.h. */
#include <string.h>

#include "cases.h"
#include "raw.h"

#define LEN 200
#define HDR 12
#define ENTRY ((uint32_t)sizeof(struct vr_desc))

/* What must happen to a chain with an indirect table. */
enum end {
	ARRIVES,
	DROPPED, /* a bad descriptor; the chain comes back */
	STOPPED,
};

struct table_case {
	void (*lay)(struct party *p, const struct buf *f, const struct buf *table);
	enum end end;
	enum fault_reason reason; /* with STOPPED */
	bool not_negotiated;
};

/* Descriptor 0 refers to the table. */
static void
refer(struct party *p, uint64_t gpa, uint32_t len, uint16_t flags)
{
	raw_desc(p->nic.tx, 0, gpa, len, (uint16_t)(VR_DESC_INDIRECT | flags), 1);
}

/* Header and frame in two entries. */
static void
two_entries(struct party *p, const struct buf *f, const struct buf *table)
{
	raw_entry(p->nic.tx, table->at, 0, f->gpa, HDR, VR_DESC_NEXT, 1);
	raw_entry(p->nic.tx, table->at, 1, f->gpa + HDR, f->len - HDR, 0, 0);
}

static void
lay_good(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	refer(p, table->gpa, 2 * ENTRY, 0);
}

/* Entries out of order, with unused ones between. */
static void
lay_scattered(struct party *p, const struct buf *f, const struct buf *table)
{
	raw_entry(p->nic.tx, table->at, 0, f->gpa, HDR, VR_DESC_NEXT, 7);
	raw_entry(p->nic.tx, table->at, 7, f->gpa + HDR, 50, VR_DESC_NEXT, 3);
	raw_entry(p->nic.tx, table->at, 3, f->gpa + HDR + 50, f->len - HDR - 50, 0, 0);
	refer(p, table->gpa, 8 * ENTRY, 0);
}

/* As virtio 1.2 allows: ordinary descriptors first, then one that refers to a table. */
static void
lay_behind_direct(struct party *p, const struct buf *f, const struct buf *table)
{
	raw_entry(p->nic.tx, table->at, 0, f->gpa + HDR, f->len - HDR, 0, 0);
	raw_desc(p->nic.tx, 0, f->gpa, HDR, VR_DESC_NEXT, 1);
	raw_desc(p->nic.tx, 1, table->gpa, ENTRY, VR_DESC_INDIRECT, 0);
}

/* A table at an odd address: the specification demands no alignment of it. */
static void
lay_odd_address(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	memmove(table->at + 3, table->at, 2 * ENTRY);
	refer(p, table->gpa + 3, 2 * ENTRY, 0);
}

/* WRITE on the descriptor that refers to the table means nothing. */
static void
lay_write_flag(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	refer(p, table->gpa, 2 * ENTRY, VR_DESC_WRITE);
}

static void
lay_longer_than_ring(struct party *p, const struct buf *f, const struct buf *table)
{
	unsigned n = 512;

	for (unsigned i = 0; i < n; i++)
		raw_entry(p->nic.tx, table->at, i, f->gpa + i, 1, VR_DESC_NEXT, (uint16_t)(i + 1));
	raw_entry(p->nic.tx, table->at, n - 1, f->gpa + n - 1, f->len - n + 1, 0, 0);
	refer(p, table->gpa, n * ENTRY, 0);
}

static void
lay_nested(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	raw_entry(p->nic.tx, table->at, 4, table->gpa, 2 * ENTRY, VR_DESC_INDIRECT, 0);
	refer(p, table->gpa + 4 * ENTRY, ENTRY, 0);
}

/* A table that refers to itself. */
static void
lay_itself(struct party *p, const struct buf *f, const struct buf *table)
{
	(void)f;
	raw_entry(p->nic.tx, table->at, 0, table->gpa, ENTRY, VR_DESC_INDIRECT, 0);
	refer(p, table->gpa, ENTRY, 0);
}

static void
lay_with_next(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	refer(p, table->gpa, 2 * ENTRY, VR_DESC_NEXT);
}

static void
lay_empty(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	refer(p, table->gpa, 0, 0);
}

static void
lay_odd_size(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	refer(p, table->gpa, 2 * ENTRY + 7, 0);
}

static void
lay_too_long(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	refer(p, table->gpa, 65536 * ENTRY, 0);
}

static void
lay_huge(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	refer(p, table->gpa, UINT32_MAX & ~(ENTRY - 1), 0);
}

static void
lay_loop(struct party *p, const struct buf *f, const struct buf *table)
{
	raw_entry(p->nic.tx, table->at, 0, f->gpa, 1, VR_DESC_NEXT, 1);
	raw_entry(p->nic.tx, table->at, 1, f->gpa, 1, VR_DESC_NEXT, 0);
	refer(p, table->gpa, 2 * ENTRY, 0);
}

static void
lay_next_past_table(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	((struct vr_desc *)(void *)table->at)->next = 2;
	refer(p, table->gpa, 2 * ENTRY, 0);
}

static void
lay_wraps(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	refer(p, UINT64_MAX - ENTRY + 1, 2 * ENTRY, 0);
}

static void
lay_outside(struct party *p, const struct buf *f, const struct buf *table)
{
	two_entries(p, f, table);
	refer(p, 0xdead0000000ULL, 2 * ENTRY, 0);
}

/* Its second entry is past the end of memory. */
static void
lay_across_end(struct party *p, const struct buf *f, const struct buf *table)
{
	struct buf end = raw_end_buf(p, 1, ENTRY);

	(void)table;
	raw_entry(p->nic.tx, end.at, 0, f->gpa, HDR, VR_DESC_NEXT, 1);
	refer(p, end.gpa, 2 * ENTRY, 0);
}

/* An entry that itself lies across the end. */
static void
lay_cut_entry(struct party *p, const struct buf *f, const struct buf *table)
{
	struct buf end = raw_end_buf(p, 1, ENTRY / 2);

	(void)table;
	memcpy(end.at, &f->gpa, ENTRY / 2);
	refer(p, end.gpa, ENTRY, 0);
}

static void
run(struct hostile *h, const void *arg)
{
	const struct table_case *t = arg;
	struct nic_opts opts = party_opts();
	struct party *bad, *peer;
	struct buf f, table;
	uint32_t len = t->lay == lay_longer_than_ring ? 900 : LEN;

	if (t->not_negotiated)
		opts.dev.features &= ~VU_F_INDIRECT_DESC;
	bad = party_open(h, &opts);
	peer = bad != NULL ? party_open(h, NULL) : NULL;
	if (peer == NULL || !party_meet(bad, peer))
		return;
	f = raw_frame(bad, peer->mac, len);
	table = raw_buf(bad, 0, 1024 * ENTRY);
	if (f.at == NULL || table.at == NULL)
		return;
	t->lay(bad, &f, &table);
	raw_post_one(bad->nic.tx, 0);
	if (t->end == STOPPED) {
		if (expect_stop(h, bad, t->reason)) {
			raw_untouched(bad, peer);
			party_recovers(bad, peer);
		}
		return;
	}
	MUST(h, raw_returned(bad, bad->nic.tx, 1, NULL), "the descriptors did not come back");
	if (t->end == ARRIVES)
		party_hears(peer, f.at + HDR, len);
	else
		expect_drops(bad, DROP_DESCRIPTOR, 1);
	raw_works(bad, peer);
	party_hears_nothing(peer);
}

/* The same code for the receive ring: a table that the device is to write to. */
static void
run_receive(struct hostile *h, const void *arg)
{
	struct party *p, *peer;
	struct buf table, to;
	uint8_t frame[LEN];
	uint32_t used;

	(void)arg;
	if (!party_pair(h, &p, &peer) || !raw_receive_begin(p, peer))
		return;
	table = raw_buf(p, 0, 8 * ENTRY);
	to = raw_buf(p, 0, BUF_ROOM);
	if (table.at == NULL || to.at == NULL)
		return;
	raw_entry(p->nic.tx, table.at, 0, to.gpa, HDR, VR_DESC_WRITE | VR_DESC_NEXT, 1);
	raw_entry(p->nic.tx, table.at, 1, to.gpa + HDR, 1000, VR_DESC_WRITE, 0);
	raw_desc(p->nic.rx, 0, table.gpa, 2 * ENTRY, VR_DESC_INDIRECT, 0);
	raw_post_one(p->nic.rx, 0);
	frame_make(frame, p->mac, peer->mac, TYPE_CASE, ++h->seq, LEN);
	MUST(h, nic_send(&peer->nic, frame, LEN, NULL) == 0, "no frame sent");
	MUST(h, raw_returned(p, p->nic.rx, 1, &used), "the frame did not arrive");
	EXPECT(h, used == HDR + LEN && memcmp(to.at + HDR, frame, LEN) == 0,
			"the frame arrived as %u bytes, or changed", used);
	/* Now a nested one. */
	raw_entry(p->nic.tx, table.at, 1, table.gpa, ENTRY, VR_DESC_INDIRECT, 0);
	raw_desc(p->nic.rx, 0, table.gpa + ENTRY, ENTRY, VR_DESC_INDIRECT, 0);
	raw_post_one(p->nic.rx, 0);
	h->drops_any = true;
	MUST(h, nic_send(&peer->nic, frame, LEN, NULL) == 0, "no frame sent");
	if (expect_stop(h, p, FAULT_INDIRECT)) {
		raw_untouched(p, peer);
		party_recovers(p, peer);
	}
}

#define CASE(name, says, fn, comes, ...) \
	{ \
		"indirect-" name, says, run, \
				&(const struct table_case){.lay = fn, .end = comes, __VA_ARGS__}, \
				0 \
	}
/* Entries of a packed ring's table have no `next`; what is there instead means nothing. */
#define ONCE(name, says, fn, comes, ...) \
	{ \
		"indirect-" name, says, run, \
				&(const struct table_case){.lay = fn, .end = comes, __VA_ARGS__}, \
				IN(0) \
	}

const struct hcase cases_indirect[] = {
		CASE("good", "two entries: arrives", lay_good, ARRIVES),
		ONCE("scattered", "entries out of order: arrives", lay_scattered, ARRIVES),
		CASE("after-direct", "an ordinary descriptor, then a table: arrives",
				lay_behind_direct, ARRIVES),
		CASE("odd-address", "a table at an odd address: arrives", lay_odd_address, ARRIVES),
		CASE("write-flag", "WRITE beside INDIRECT: means nothing, arrives", lay_write_flag,
				ARRIVES),
		CASE("longer-than-ring", "a table of 512 entries in a ring of 256: arrives",
				lay_longer_than_ring, ARRIVES),
		CASE("outside", "a table outside of guest memory: dropped", lay_outside, DROPPED),
		CASE("across-end", "a table whose second entry is past memory: dropped",
				lay_across_end, DROPPED),
		CASE("cut-entry", "an entry that crosses the end of memory: dropped", lay_cut_entry,
				DROPPED),
		CASE("nested", "a table within a table: stopped", lay_nested, STOPPED,
				.reason = FAULT_INDIRECT),
		ONCE("itself", "a table that refers to itself: stopped", lay_itself, STOPPED,
				.reason = FAULT_INDIRECT),
		CASE("with-next", "INDIRECT together with NEXT: stopped", lay_with_next, STOPPED,
				.reason = FAULT_INDIRECT),
		CASE("empty", "a table of no entries: stopped", lay_empty, STOPPED,
				.reason = FAULT_INDIRECT),
		CASE("odd-size", "a table of two entries and a half: stopped", lay_odd_size,
				STOPPED, .reason = FAULT_INDIRECT),
		ONCE("too-long", "a table of 65536 entries: stopped", lay_too_long, STOPPED,
				.reason = FAULT_INDIRECT),
		ONCE("huge", "a table of 4 GiB: stopped", lay_huge, STOPPED,
				.reason = FAULT_INDIRECT),
		ONCE("loop", "entries that loop: stopped", lay_loop, STOPPED, .reason = FAULT_LOOP),
		ONCE("next-past-table", "next index past the table: stopped", lay_next_past_table,
				STOPPED, .reason = FAULT_INDIRECT),
		CASE("wraps", "a table whose address plus length overflow: stopped", lay_wraps,
				STOPPED, .reason = FAULT_INDIRECT),
		CASE("not-negotiated", "a table though not negotiated: stopped", lay_good, STOPPED,
				.reason = FAULT_INDIRECT, .not_negotiated = true),
		{"indirect-receive", "a receive table is filled; a nested one: stopped",
				run_receive, NULL, 0},
		{.name = NULL},
};
