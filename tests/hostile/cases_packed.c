/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Packed rings: descriptors that split rings do not have. See cases.h.
 *
 * They are written by hand, at the place that the driver fills next (vr_ring.fill_at).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <time.h>

#include "cases.h"
#include "raw.h"

#define LEN 200
#define HDR 12
#define POLL_NS 20000
#define RESERVED 0x7f78 /* flags that mean nothing in a ring */

/* What is written into the transmit ring at the place that is filled next, and what must happen. */
struct written {
	void (*write)(struct party *p, const struct buf *f);
	enum fault_reason stops; /* FAULT_NONE: the frame arrives */
	uint16_t n, id; /* then its chain of n descriptors comes back with this buffer id */
};

static struct vr_place
after(const struct vr_ring *vr, unsigned n)
{
	return vr_packed_after(vr->fill_at, vr->size, n);
}

static void
write_id_huge(struct party *p, const struct buf *f)
{
	raw_packed(p->nic.tx, p->nic.tx->fill_at, f->gpa, f->len, UINT16_MAX, 0);
}

/* The buffer id is in the last descriptor of a chain; in the others it means nothing. */
static void
write_ids_apart(struct party *p, const struct buf *f)
{
	raw_packed(p->nic.tx, after(p->nic.tx, 2), f->gpa + 50, f->len - 50, 77, 0);
	raw_packed(p->nic.tx, after(p->nic.tx, 1), f->gpa + HDR, 50 - HDR, 0xffff, VR_DESC_NEXT);
	raw_packed(p->nic.tx, p->nic.tx->fill_at, f->gpa, HDR, 5, VR_DESC_NEXT);
}

/* The AVAIL and USED flags matter in a chain's first descriptor alone. */
static void
write_owners_wrong(struct party *p, const struct buf *f)
{
	struct vr_place next = after(p->nic.tx, 1);

	vr_raw_packed(p->nic.tx, next.at, f->gpa + HDR, f->len - HDR, 3,
			vr_packed_owner(false, next.wrap));
	raw_packed(p->nic.tx, p->nic.tx->fill_at, f->gpa, HDR, 3, VR_DESC_NEXT);
}

static void
write_reserved(struct party *p, const struct buf *f)
{
	raw_packed(p->nic.tx, p->nic.tx->fill_at, f->gpa, f->len, 9, RESERVED);
}

/* The two flags in the three states that are not "available": nothing is taken. Then it becomes available. */
static void
write_not_yet(struct party *p, const struct buf *f)
{
	struct vr_place at = p->nic.tx->fill_at;
	const uint16_t not_yet[] = {
			vr_packed_owner(true, !at.wrap),
			vr_packed_owner(false, at.wrap),
			vr_packed_owner(false, !at.wrap),
	};

	for (unsigned i = 0; i < 3; i++) {
		vr_raw_packed(p->nic.tx, at.at, f->gpa, f->len, 6, not_yet[i]);
		vr_kick_always(p->nic.tx);
		/* When another guest was served, all rings have been polled. */
		party_says(p->h->party + 1, p);
		EXPECT(p->h, p->nic.tx->packed[at.at].flags == not_yet[i],
				"a descriptor with flags %04x was taken", not_yet[i]);
		party_hears_nothing(p->h->party + 1);
	}
	raw_packed(p->nic.tx, at, f->gpa, f->len, 6, 0);
}

/* Entries of a table: neither NEXT nor AVAIL nor USED means anything there. */
static void
write_table_flags(struct party *p, const struct buf *f)
{
	struct vr_packed_desc entry[2] = {
			{f->gpa, HDR, 0xffff, VR_DESC_NEXT | RESERVED},
			{f->gpa + HDR, f->len - HDR, 0, VR_DESC_NEXT | VR_DESC_USED},
	};
	struct buf table = raw_buf(p, 0, sizeof(entry));

	if (table.at == NULL)
		return;
	memcpy(table.at, entry, sizeof(entry));
	raw_packed(p->nic.tx, p->nic.tx->fill_at, table.gpa, sizeof(entry), 1, VR_DESC_INDIRECT);
}

/* Ordinary descriptors and tables by turns, in one chain. */
static void
write_table_between(struct party *p, const struct buf *f)
{
	struct vr_packed_desc entry = {f->gpa + HDR, 40, 0, 0};
	struct buf table = raw_buf(p, 0, sizeof(entry));

	if (table.at == NULL)
		return;
	memcpy(table.at, &entry, sizeof(entry));
	raw_packed(p->nic.tx, after(p->nic.tx, 2), f->gpa + HDR + 40, f->len - HDR - 40, 1, 0);
	raw_packed(p->nic.tx, after(p->nic.tx, 1), table.gpa, sizeof(entry), 1,
			VR_DESC_INDIRECT | VR_DESC_NEXT);
	raw_packed(p->nic.tx, p->nic.tx->fill_at, f->gpa, HDR, 1, VR_DESC_NEXT);
}

/* Every descriptor is followed by another one, and the last one by the first. */
static void
write_loop(struct party *p, const struct buf *f)
{
	for (unsigned i = p->nic.tx->size; i-- > 0;)
		raw_packed(p->nic.tx, after(p->nic.tx, i), f->gpa, 0, 1, VR_DESC_NEXT);
}

/* Waits until the descriptor at a place is used, and copies what the switch wrote there. */
static bool
returned(struct party *p, const struct vr_ring *vr, struct vr_place at, struct vr_packed_desc *d)
{
	int64_t deadline = vu_now_ms() + PATIENCE_MS;

	while (!vr_packed_is_used(
			__atomic_load_n(&vr->packed[at.at].flags, __ATOMIC_ACQUIRE), at.wrap)) {
		if (vu_now_ms() > deadline)
			return fail(p->h, "the descriptor did not come back");
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	}
	*d = vr->packed[at.at];
	return true;
}

/* The next `n` descriptors were taken and given back: moves the ring's place past them. */
static void
pass(struct vr_ring *vr, unsigned n)
{
	vr->fill_at = vr->show_at = vr->kick_at = vr->seen_at = after(vr, n);
}

static void
run_written(struct hostile *h, const void *arg)
{
	const struct written *w = arg;
	struct party *bad, *peer;
	struct vr_packed_desc d;
	struct buf f;

	if (!party_pair(h, &bad, &peer))
		return;
	f = raw_frame(bad, peer->mac, LEN);
	if (f.at == NULL)
		return;
	w->write(bad, &f);
	vr_kick_always(bad->nic.tx);
	if (w->stops != FAULT_NONE) {
		if (expect_stop(h, bad, w->stops)) {
			raw_untouched(bad, peer);
			party_recovers(bad, peer);
		}
		return;
	}
	if (!returned(bad, bad->nic.tx, bad->nic.tx->fill_at, &d))
		return;
	EXPECT(h, d.id == w->id && (d.flags & VR_DESC_WRITE) == 0,
			"buffer %u came back with flags %04x", d.id, d.flags);
	party_hears(peer, f.at + HDR, LEN);
	pass(bad->nic.tx, w->n);
	raw_works(bad, peer);
	party_hears_nothing(peer);
}

/* The same with the receive ring: buffers that never end. */
static void
run_rx_loop(struct hostile *h, const void *arg)
{
	uint8_t frame[FRAME_MIN];
	struct party *bad, *peer;
	struct vr_ring *rx;
	struct buf to;

	(void)arg;
	if (!party_pair(h, &bad, &peer) || !raw_receive_begin(bad, peer))
		return;
	rx = bad->nic.rx;
	to = raw_buf(bad, 0, BUF_ROOM);
	if (to.at == NULL)
		return;
	for (unsigned i = rx->size; i-- > 0;)
		raw_packed(rx, after(rx, i), to.gpa, 0, 1, VR_DESC_NEXT | VR_DESC_WRITE);
	h->drops_any = true;
	frame_make(frame, bad->mac, peer->mac, TYPE_CASE, ++h->seq, sizeof(frame));
	MUST(h, nic_send(&peer->nic, frame, sizeof(frame), NULL) == 0, "no frame sent");
	if (expect_stop(h, bad, FAULT_LOOP)) {
		raw_untouched(bad, peer);
		party_recovers(bad, peer);
	}
}

#define CASE(name, says, ...) \
	{ \
		"packed-" name, says, run_written, &(const struct written){__VA_ARGS__}, 0 \
	}

const struct hcase cases_packed[] = {
		CASE("id-huge", "buffer id 65535: arrives, comes back by that name", write_id_huge,
				FAULT_NONE, 1, UINT16_MAX),
		CASE("ids-apart", "other ids within a chain: the last one counts", write_ids_apart,
				FAULT_NONE, 3, 77),
		CASE("owners-wrong", "a chain's second descriptor looks used: arrives",
				write_owners_wrong, FAULT_NONE, 2, 3),
		CASE("reserved", "reserved flags set: arrives", write_reserved, FAULT_NONE, 1, 9),
		CASE("not-yet", "flags of other wraps: not taken; then available: arrives",
				write_not_yet, FAULT_NONE, 1, 6),
		CASE("table-flags", "flags in a table's entries that mean nothing there: arrives",
				write_table_flags, FAULT_NONE, 1, 1),
		CASE("table-between", "INDIRECT together with NEXT: stopped", write_table_between,
				FAULT_INDIRECT, 0, 0),
		CASE("loop", "a chain around the whole ring: stopped", write_loop, FAULT_LOOP, 0,
				0),
		{"packed-rx-loop", "receive buffers around the whole ring: stopped", run_rx_loop},
		{.name = NULL},
};
