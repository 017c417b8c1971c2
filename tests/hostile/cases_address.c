/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Source and destination addresses: a million of them, and stolen ones. See cases.h. */
#include <string.h>

#include "cases.h"
#include "raw.h"

#define HDR 12
#define SMALL 60 /* bytes of a frame */
#define MILLION 1000000
#define BATCH 2048 /* frames; the receiver has buffers for as many */
#define MOVES 8000
#define MOVE_LINES 10 /* at most so many in the log for moves in a second */

/* A guest with many small frames under way, and one that can take them all. */
static bool
crowd(struct hostile *h, struct party **from, struct party **to, struct buf *frames)
{
	struct nic_opts opts = party_opts();

	opts.dev.mem.region_size = 2 << 20;
	opts.dev.rx_size = opts.dev.tx_size = 4096;
	opts.rx_bufs = BATCH;
	opts.rx_buf_size = 256;
	opts.tx_buf_size = 256;
	*from = party_open(h, &opts);
	*to = *from != NULL ? party_open(h, &opts) : NULL;
	if (*to == NULL || !party_meet(*from, *to))
		return false;
	for (unsigned i = 0; i < BATCH; i++) {
		frames[i] = raw_frame(*from, (*to)->mac, SMALL);
		if (frames[i].at == NULL)
			return false;
		raw_desc((*from)->nic.tx, (uint16_t)i, frames[i].gpa, frames[i].len, 0, 0);
	}
	return true;
}

static bool
send_batch(struct party *from, unsigned n)
{
	uint16_t heads[BATCH];

	for (unsigned i = 0; i < n; i++)
		heads[i] = (uint16_t)i;
	raw_post(from->nic.tx, heads, n);
	return raw_returned(from, from->nic.tx, n, NULL);
}

/* Takes `n` frames from a receive ring. */
static bool
take(struct party *p, unsigned n)
{
	uint8_t frame[FRAME_ROOM];

	for (unsigned i = 0; i < n; i++)
		if (nic_recv_wait(&p->nic, frame, sizeof(frame), PATIENCE_MS) != SMALL)
			return fail(p->h, "a frame is missing");
	return true;
}

static void
run_million(struct hostile *h, const void *arg)
{
	static struct buf frames[BATCH];
	struct party *from, *to, *third;
	uint32_t source = 0;

	(void)arg;
	if (!crowd(h, &from, &to, frames))
		return;
	third = party_open(h, NULL);
	if (third == NULL || !party_meet(third, to))
		return;
	while (source < MILLION && !h->failed) {
		for (unsigned i = 0; i < BATCH; i++) {
			source++;
			frames[i].at[HDR + 7] = 0x77; /* an address that nobody has */
			memcpy(frames[i].at + HDR + 8, &source, sizeof(source));
		}
		if (!send_batch(from, BATCH) || !take(to, BATCH))
			return;
	}
	/* Guests whose addresses were known before still get their frames, and nobody else gets them. */
	party_says(to, from);
	party_says(third, to);
	party_says(to, third);
	party_hears_nothing(third);
	party_hears_nothing(from);
	/* A newcomer still finds room in the table when this guest has taken all that it may. */
	struct party *late = party_open(h, NULL);

	if (late != NULL && party_meet(late, to)) {
		party_says(to, late);
		while (nic_recv(&third->nic, frames[0].at, SMALL) > 0)
			continue; /* the first of the newcomer may be flooded */
		party_says(to, late);
		party_hears_nothing(third);
	}
}

/* Sends two frames of each of two guests, and waits for them. */
static bool
both_send(struct party *a, struct party *b, struct party *to)
{
	if (!send_batch(a, 2))
		return false;
	raw_post(b->nic.tx, (const uint16_t[]){0, 0}, 2);
	return raw_returned(b, b->nic.tx, 2, NULL) && take(to, 4);
}

static unsigned
moves_logged(struct hostile *h)
{
	return subject_log_count(&h->subject, h->log_mark, " moved from ");
}

/* Two guests use one address by turns: it moves, and all is delivered. */
static void
run_stolen(struct hostile *h, const void *arg)
{
	static struct buf frames[BATCH];
	struct buf twin;
	struct party *a, *to, *b;
	int64_t begin;
	unsigned lines, seconds;

	(void)arg;
	if (!crowd(h, &a, &to, frames))
		return;
	b = party_open(h, NULL);
	if (b == NULL || !party_meet(b, to))
		return;
	twin = raw_frame(b, to->mac, SMALL);
	if (twin.at == NULL)
		return;
	memcpy(twin.at + HDR + 6, a->mac, 6);
	raw_desc(b->nic.tx, 0, twin.gpa, twin.len, 0, 0);
	begin = vu_now_ms();
	for (unsigned i = 0; i < MOVES / 4 && !h->failed; i++)
		if (!both_send(a, b, to))
			return;
	/* Another case may have used up this second's lines of the log: go on until a move is logged. */
	while (!h->failed && moves_logged(h) == 0 && vu_now_ms() < begin + PATIENCE_MS)
		if (!both_send(a, b, to))
			return;
	lines = moves_logged(h);
	/* All of its seconds, and those in which it began and ended. */
	seconds = 2 + (unsigned)((vu_now_ms() - begin) / 1000);
	EXPECT(h, lines > 0 && lines <= MOVE_LINES * seconds, "%u lines in the log for moves",
			lines);
	/* The last guest to use it has it. */
	party_says(a, to);
	party_says(b, to);
}

/* Frames for a guest that is gone: its address is forgotten, so they are flooded or dropped. */
static void
run_departed(struct hostile *h, const void *arg)
{
	struct party *a, *b;
	uint8_t frame[SMALL];

	(void)arg;
	if (!party_pair(h, &a, &b))
		return;
	party_close(b);
	h->drops_any = true;
	for (unsigned i = 0; i < 100; i++) {
		frame_make(frame, b->mac, a->mac, TYPE_CASE, ++h->seq, SMALL);
		if (nic_send(&a->nic, frame, SMALL, NULL) != 0 || party_drain(a) != 0) {
			fail(h, "a frame for a departed guest was not taken");
			return;
		}
	}
}

const struct hcase cases_address[] = {
		{"sources-million", "a million source addresses from one guest: others keep theirs",
				run_million, NULL, 0},
		{"source-stolen", "two guests use one source address by turns: moves, nothing lost",
				run_stolen, NULL, 0},
		{"departed", "frames for a guest that hung up", run_departed, NULL, 0},
		{.name = NULL},
};
