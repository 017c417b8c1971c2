/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Memory tables that change, and files that are not what the table says. See cases.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"
#include "raw.h"

#define HDR 12
#define LEN 200
#define CHANGES 60
#define BATCH 4
#define PIECES 15

/* Two guests; the bad one's second region holds nothing but what the case puts there. */
static bool
pair_apart(struct hostile *h, struct party **bad, struct party **peer, bool huge)
{
	struct nic_opts opts = party_opts();

	opts.dev.mem.n_regions = 1;
	*bad = party_open(h, &opts);
	*peer = *bad != NULL ? party_open(h, NULL) : NULL;
	if (*peer == NULL)
		return false;
	if (vu_mem_add(&(*bad)->nic.dev.mem, 0x40000000, huge ? VU_HUGE_PAGE : 512 << 10, 0, huge) <
					0 ||
			vu_dev_set_mem(&(*bad)->nic.dev) < 0)
		return fail(h, "the second region was refused");
	return vu_dev_sync(&(*bad)->nic.dev) == 0 && party_meet(*bad, *peer);
}

/* A region that comes and goes under traffic; the rings are in another one. */
static void
run_replaced(struct hostile *h, const void *arg)
{
	struct party *p, *peer;
	struct buf f[BATCH];

	(void)arg;
	if (!party_pair(h, &p, &peer))
		return;
	for (uint16_t i = 0; i < BATCH; i++) {
		f[i] = raw_frame(p, peer->mac, LEN);
		if (f[i].at == NULL)
			return;
		raw_desc(p->nic.tx, i, f[i].gpa, f[i].len, 0, 0);
	}
	for (unsigned i = 0; i < CHANGES && !h->failed; i++) {
		struct vu_mem *mem = &p->nic.dev.mem;

		raw_post(p->nic.tx, (const uint16_t[]){0, 1, 2, 3}, BATCH);
		if (mem->n == 2)
			MUST(h, vu_mem_add(mem, 0x80000000, 64 << 10, 0, false) >= 0, "no memory");
		else
			vu_mem_remove(mem, 2);
		MUST(h, vu_dev_set_mem(&p->nic.dev) == 0, "the table was refused");
		if (!raw_returned(p, p->nic.tx, BATCH, NULL))
			return;
		for (unsigned k = 0; k < BATCH; k++)
			if (!party_hears(peer, f[k].at + HDR, LEN))
				return;
		if (!party_says(peer, p))
			return;
	}
	party_hears_nothing(peer);
}

/* A buffer's region goes while the ring refers to it. */
static void
run_shrunk(struct hostile *h, const void *arg)
{
	struct party *bad, *peer;
	struct buf f;

	(void)arg;
	if (!pair_apart(h, &bad, &peer, false))
		return;
	f = raw_frame(bad, peer->mac, LEN);
	if (f.at == NULL)
		return;
	memcpy(bad->nic.dev.mem.region[1].base, f.at, f.len);
	raw_desc(bad->nic.tx, 0, bad->nic.dev.mem.region[1].gpa, f.len, 0, 0);
	raw_post_one(bad->nic.tx, 0);
	if (!raw_returned(bad, bad->nic.tx, 1, NULL) || !party_hears(peer, f.at + HDR, LEN))
		return;
	vu_mem_remove(&bad->nic.dev.mem, 1);
	MUST(h, vu_dev_set_mem(&bad->nic.dev) == 0, "the table was refused");
	raw_post_one(bad->nic.tx, 0);
	if (!raw_returned(bad, bad->nic.tx, 1, NULL))
		return;
	expect_drops(bad, DROP_DESCRIPTOR, 1);
	raw_works(bad, peer);
	party_hears_nothing(peer);
}

/* The region of the rings goes: they are left alone, and work when all is set up again. */
static void
run_without_rings(struct hostile *h, const void *arg)
{
	struct party *bad, *peer;
	struct vu_msg msg;

	(void)arg;
	if (!pair_apart(h, &bad, &peer, false))
		return;
	msg = vu_mem_table_msg(&bad->nic.dev.mem);
	msg.payload.mem.region[0] = msg.payload.mem.region[1];
	msg.payload.mem.n_regions = 1;
	msg.size = 8 + sizeof(struct vu_table_region);
	msg.fd[0] = msg.fd[1];
	msg.n_fds = 1;
	vu_dev_request(&bad->nic.dev, &msg);
	MUST(h, vu_dev_sync(&bad->nic.dev) == 0, "the connection was closed");
	raw_untouched(bad, peer);
	vu_mem_remove(&bad->nic.dev.mem, 1);
	party_recovers(bad, peer);
	h->stops = stops_of(h, bad);
	EXPECT(h, h->stops <= 1, "%u lines that it was stopped", h->stops);
}

/* A region that ends within a page: what follows in the file is not the guest's. */
static void
run_within_page(struct hostile *h, const void *arg)
{
	struct party *bad, *peer;
	struct vu_region *r;
	struct buf f;

	(void)arg;
	if (!pair_apart(h, &bad, &peer, false))
		return;
	f = raw_frame(bad, peer->mac, LEN);
	if (f.at == NULL)
		return;
	r = &bad->nic.dev.mem.region[1];
	memcpy(r->base + r->size - 1000, f.at, f.len);
	r->size -= 1000 - 100;
	MUST(h, vu_dev_set_mem(&bad->nic.dev) == 0, "the table was refused");
	raw_desc(bad->nic.tx, 0, r->gpa + r->size - 100, f.len, 0, 0);
	raw_post_one(bad->nic.tx, 0);
	r->size += 1000 - 100; /* for munmap */
	if (!raw_returned(bad, bad->nic.tx, 1, NULL))
		return;
	expect_drops(bad, DROP_DESCRIPTOR, 1);
	raw_works(bad, peer);
	party_hears_nothing(peer);
}

/* What lies in the region whose file is truncated. */
enum lost { SOURCE, TARGET, TABLE, HUGE_SOURCE };

/* The bad guest goes, and its neighbour talks to a new one. */
static void
replace(struct hostile *h, struct party *bad, struct party *peer)
{
	struct party *next;

	party_close(bad);
	next = party_open(h, NULL);
	if (next != NULL && party_meet(next, peer))
		party_says(peer, next);
}

/* It is stopped for its memory, and no other is; a new connection works. */
static void
mourn(struct hostile *h, struct party *bad, struct party *peer)
{
	if (expect_stop(h, bad, FAULT_MEMORY))
		replace(h, bad, peer);
}

static void
run_truncated(struct hostile *h, const void *arg)
{
	enum lost lost = *(const enum lost *)arg;
	struct party *bad, *peer;
	struct vu_region *r;
	struct buf f;
	uint8_t frame[LEN];

	if (!pair_apart(h, &bad, &peer, lost == HUGE_SOURCE))
		return;
	r = &bad->nic.dev.mem.region[1];
	MUST(h, lost != HUGE_SOURCE || r->huge, "this machine has no free hugepage of 2 MiB");
	f = raw_frame(bad, peer->mac, LEN);
	if (f.at == NULL || (lost == TARGET && !raw_receive_begin(bad, peer)))
		return;
	MUST(h, ftruncate(r->fd, 0) == 0, "ftruncate");
	h->drops_any = true;
	if (lost == TARGET) {
		raw_desc(bad->nic.rx, 0, r->gpa, BUF_ROOM, VR_DESC_WRITE, 0);
		raw_post_one(bad->nic.rx, 0);
		frame_make(frame, bad->mac, peer->mac, TYPE_CASE, ++h->seq, LEN);
		MUST(h, nic_send(&peer->nic, frame, LEN, NULL) == 0, "no frame sent");
	} else {
		raw_desc(bad->nic.tx, 0, r->gpa, lost == TABLE ? 32 : f.len,
				lost == TABLE ? VR_DESC_INDIRECT : 0, 0);
		raw_post_one(bad->nic.tx, 0);
	}
	mourn(h, bad, peer);
}

static unsigned
mappings(struct hostile *h)
{
	char path[32], *line = NULL;
	size_t room = 0;
	unsigned n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)h->subject.pid);
	f = fopen(path, "r");
	while (f != NULL && getline(&line, &room, f) >= 0)
		n++;
	free(line);
	if (f != NULL)
		fclose(f);
	return n;
}

/*
 * A frame in many pieces, each on a page of its own with other pages between them. If the switch
 * mapped each page by itself, that would be two more mappings for each, and a process may have
 * 65530.
 */
static void
run_truncated_pieces(struct hostile *h, const void *arg)
{
	struct party *bad, *peer;
	struct vu_region *r;
	unsigned before;
	struct buf f;
	void *head;
	uint16_t i;

	(void)arg;
	if (!pair_apart(h, &bad, &peer, false))
		return;
	r = &bad->nic.dev.mem.region[1];
	f = raw_frame(bad, peer->mac, LEN);
	head = vu_mem_alloc(&bad->nic.dev.mem, 0, HDR + LEN, 64);
	MUST(h, f.at != NULL && head != NULL, "no memory for the frame");
	memcpy(head, f.at, f.len);
	raw_desc(bad->nic.tx, 0, vu_mem_gpa(&bad->nic.dev.mem, head), f.len, VR_DESC_NEXT, 1);
	for (i = 1; i <= PIECES; i++)
		raw_desc(bad->nic.tx, i, r->gpa + i * 2 * 4096, 16, i < PIECES ? VR_DESC_NEXT : 0,
				i + 1);
	before = mappings(h);
	MUST(h, ftruncate(r->fd, 0) == 0, "ftruncate");
	h->drops_any = true;
	raw_post_one(bad->nic.tx, 0);
	if (expect_stop(h, bad, FAULT_MEMORY))
		EXPECT(h, mappings(h) < before + PIECES, "%u mappings; %u before", mappings(h),
				before);
	party_close(bad);
}

/* The file of the rings themselves is truncated. This process must not touch them any more either. */
static void
run_truncated_rings(struct hostile *h, const void *arg)
{
	struct party *bad, *peer;

	(void)arg;
	if (!pair_apart(h, &bad, &peer, false))
		return;
	MUST(h, ftruncate(bad->nic.dev.mem.region[0].fd, 0) == 0, "ftruncate");
	h->drops_any = true;
	mourn(h, bad, peer);
}

/*
 * Two guests. The bad one's table promises more of its second region than the file has. Returns
 * that region; or NULL if librte_vhost refuses such a table, as 24.11.8 does (22.11 takes it).
 */
static struct vu_region *
pair_promising(struct hostile *h, struct party **bad, struct party **peer)
{
	struct vu_region *r;
	int err;

	if (!pair_apart(h, bad, peer, false))
		return NULL;
	r = &(*bad)->nic.dev.mem.region[1];
	r->size += 1 << 20;
	err = vu_dev_set_mem(&(*bad)->nic.dev);
	r->size -= 1 << 20; /* for munmap */
	h->drops_any = true;
	if (err == 0)
		return r;
	if (EXPECT(h, err == -EREMOTEIO, "the table was neither taken nor refused") &&
			EXPECT(h,
					subject_log_wait(&h->subject, h->log_mark,
							"exceeds backing file size", PATIENCE_MS),
					"the table was refused, and the log does not tell why"))
		replace(h, *bad, *peer);
	return NULL;
}

/* A frame in the part that the file lacks. */
static void
run_larger_than_file(struct hostile *h, const void *arg)
{
	struct party *bad, *peer;
	struct vu_region *r = pair_promising(h, &bad, &peer);

	(void)arg;
	if (r == NULL)
		return;
	raw_desc(bad->nic.tx, 0, r->gpa + r->size + 4096, 300, 0, 0);
	raw_post_one(bad->nic.tx, 0);
	mourn(h, bad, peer);
}

/* The rings are said to be in the part that the file lacks: librte_vhost itself looks at them first. */
static void
run_rings_beyond_file(struct hostile *h, const void *arg)
{
	struct party *bad, *peer;
	struct vu_region *r = pair_promising(h, &bad, &peer);

	(void)arg;
	if (r == NULL)
		return;
	bad->nic.tx->addr.desc = (uintptr_t)r->base + r->size;
	bad->nic.tx->addr.avail = bad->nic.tx->addr.desc + 65536;
	bad->nic.tx->addr.used = bad->nic.tx->addr.desc + 2 * 65536;
	vu_dev_set_vring_addr(&bad->nic.dev, 1);
	mourn(h, bad, peer);
}

#define LOST(what) \
	&(const enum lost) \
	{ \
		what \
	}
#define NOT_MERGING (IN(0) | IN(PACKED)) /* with MERGEABLE it would be the same */

const struct hcase cases_memory[] = {
		{"table-replaced", "memory table replaced under traffic: nothing lost",
				run_replaced, NULL, 0},
		{"table-shrunk", "a buffer's region goes: its frames are dropped", run_shrunk, NULL,
				0},
		{"table-without-rings", "the rings' region goes: they are left alone",
				run_without_rings, NULL, 0},
		{"region-within-page", "a region that ends within a page: nothing after it is read",
				run_within_page, NULL, 0},
		{"truncated-source", "file of a frame truncated: stopped", run_truncated,
				LOST(SOURCE), IN(0)},
		{"truncated-target", "file of a receive buffer truncated: stopped", run_truncated,
				LOST(TARGET), 0},
		{"truncated-pieces", "the same of a frame in pieces on many pages: replaced as one",
				run_truncated_pieces, NULL, 0},
		{"truncated-table", "file of an indirect table truncated: stopped", run_truncated,
				LOST(TABLE), NOT_MERGING},
		{"truncated-hugepage", "hugepages of a frame truncated: stopped", run_truncated,
				LOST(HUGE_SOURCE), IN(0)},
		{"truncated-rings", "file of the rings truncated: stopped", run_truncated_rings,
				NULL, NOT_MERGING},
		{"larger-than-file",
				"a frame in a region's part that its file lacks: stopped or refused",
				run_larger_than_file, NULL, IN(0)},
		{"rings-beyond-file",
				"rings in a region's part that its file lacks: stopped or refused",
				run_rings_beyond_file, NULL, NOT_MERGING},
		{.name = NULL},
};
