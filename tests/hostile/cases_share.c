/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Guests that want more than their share of a worker. An honest pair beside them sends as
 * fast as it can; with k greedy guests it must keep 0.8 / (k + 1) of the rate that it has
 * alone. See cases.h.
 *
 * Rates are frames for each second of the workers' own CPU time, in short windows in which
 * the greedy ones are at work and at rest by turns. Of either kind the best window counts:
 * a machine that is busy with other things takes the CPU from this program at times, and
 * then the honest rings run dry; it never makes a window better. So there are more windows
 * until they show a fair share, up to a limit. With two workers the
 * greedy guests are by turns beside the sender and beside nobody; both must do.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cases.h"
#include "raw.h"

#define RING 4096      /* entries: milliseconds of work, while this program waits for a CPU */
#define PUMPED_MAX 40  /* rings that are kept full */
#define WINDOWS 6      /* of each kind, at least; */
#define WINDOWS_MAX 60 /* ... and as many if they do not show a fair share before */
#define WINDOW_MS 60
#define PUMP_NS 100000
#define KEPT 0.8
#define TABLE 1024 /* the longest indirect table */
#define GREEDY_PAIRS 16
#define BUF 1600

/* A ring of which each entry is available again as soon as it was used. */
struct pumped {
	struct vring *vr;
	bool greedy; /* only while the greedy ones are at work */
};

struct contest {
	struct hostile *h;
	struct party *from, *to; /* the honest pair */
	unsigned greedy;         /* k */
	struct pumped ring[PUMPED_MAX];
	unsigned n_rings;
	pthread_t thread;
	bool stop, attack; /* the main thread's wishes */
};

static void *
pump(void *arg)
{
	const struct timespec nap = {.tv_nsec = PUMP_NS};
	struct contest *c = arg;

	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE)) {
		bool attack = __atomic_load_n(&c->attack, __ATOMIC_ACQUIRE);

		for (unsigned i = 0; i < c->n_rings; i++) {
			struct vring *vr = c->ring[i].vr;
			uint16_t used = __atomic_load_n(&vr->used->idx, __ATOMIC_ACQUIRE);

			if (attack || !c->ring[i].greedy)
				__atomic_store_n(&vr->avail->idx, (uint16_t)(used + vr->size),
						__ATOMIC_RELEASE);
		}
		nanosleep(&nap, NULL); /* the switch is at work meanwhile */
	}
	return NULL;
}

/* All entries of a ring name the chain at descriptor 0, or each its own descriptor. */
static void
keep_full(struct contest *c, struct vring *vr, bool greedy, bool one)
{
	for (unsigned i = 0; i < vr->size; i++) {
		vr->avail->ring[i] = one ? 0 : (uint16_t)i;
		if (!one)
			vr->desc[i] = vr->desc[0];
	}
	c->ring[c->n_rings++] = (struct pumped){vr, greedy};
}

/* A guest whose rings are empty and the case's own. Its receive ring has no buffers. */
static struct party *
open_bare(struct hostile *h, unsigned pairs)
{
	struct nic_opts opts = party_opts();
	struct party *p;

	opts.dev.rx_size = opts.dev.tx_size = pairs > 1 ? 256 : RING;
	opts.dev.mem.region_size = 2 << 20;
	opts.rx_bufs = 1;
	if (pairs > 1) {
		opts.dev.n_pairs = pairs;
		opts.dev.features |= VU_F_MQ;
		opts.dev.protocol |= VU_PROTOCOL_MQ;
	}
	p = party_open(h, &opts);
	return p;
}

/* `from` sends frames of `len` bytes to `to` by a ring, as fast as it can. */
static bool
send_always(struct contest *c, struct party *from, struct vring *vr, const struct party *to,
		uint32_t len, bool greedy)
{
	struct buf b = raw_frame(from, to->mac, len);

	if (b.at == NULL)
		return false;
	vr->desc[0] = (struct vr_desc){b.gpa, b.len, 0, 0};
	keep_full(c, vr, greedy, false);
	return true;
}

static bool
receive_always(struct contest *c, struct party *p, bool greedy)
{
	struct buf b = raw_buf(p, 0, BUF);

	if (b.at == NULL)
		return false;
	p->nic.rx->desc[0] = (struct vr_desc){b.gpa, b.len, VR_DESC_WRITE, 0};
	keep_full(c, p->nic.rx, greedy, false);
	return true;
}

/* Nanoseconds of CPU time that the workers have had. */
static uint64_t
worker_ns(const struct subject *s)
{
	char path[300], text[64];
	struct dirent *e;
	uint64_t sum = 0, ns;
	DIR *dir;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)s->pid);
	dir = opendir(path);
	while (dir != NULL && (e = readdir(dir)) != NULL) {
		snprintf(path, sizeof(path), "/proc/%d/task/%s/comm", (int)s->pid, e->d_name);
		f = fopen(path, "r");
		if (f == NULL)
			continue;
		if (fgets(text, sizeof(text), f) == NULL || strstr(text, "worker") == NULL)
			text[0] = '\0';
		fclose(f);
		snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)s->pid, e->d_name);
		f = text[0] != '\0' ? fopen(path, "r") : NULL;
		if (f == NULL)
			continue;
		if (fscanf(f, "%" SCNu64, &ns) == 1)
			sum += ns;
		fclose(f);
	}
	if (dir != NULL)
		closedir(dir);
	return sum;
}

/* Frames of the honest sender that arrive in a second of the workers' time, in one window. */
static double
window(struct contest *c, bool attack)
{
	struct subject *s = &c->h->subject;
	struct totals before, after;
	uint64_t ns;

	__atomic_store_n(&c->attack, attack, __ATOMIC_RELEASE);
	nanosleep(&(struct timespec){.tv_nsec = WINDOW_MS * 100000}, NULL); /* it takes effect */
	ns = worker_ns(s);
	if (!subject_counters(s, c->from->device, &before))
		return 0;
	nanosleep(&(struct timespec){.tv_nsec = WINDOW_MS * 1000000}, NULL);
	if (!subject_counters(s, c->from->device, &after))
		return 0;
	ns = worker_ns(s) - ns;
	return ns == 0 ? 0 : (double)(after.delivered - before.delivered) / ((double)ns / 1e9);
}

static void
judge(struct contest *c)
{
	double least = KEPT / (c->greedy + 1), best[2] = {0, 0}, rate;

	if (pthread_create(&c->thread, NULL, pump, c) != 0) {
		fail(c->h, "no thread");
		return;
	}
	for (unsigned i = 0; i < 2 * WINDOWS_MAX; i++) {
		if (i >= 2 * WINDOWS && i % 2 == 0 && best[1] >= least * best[0])
			break;
		rate = window(c, i % 2);
		if (rate > best[i % 2])
			best[i % 2] = rate;
	}
	__atomic_store_n(&c->stop, true, __ATOMIC_RELEASE);
	pthread_join(c->thread, NULL);
	remark("an honest pair keeps %.2f of %.0f frames/s beside %u greedy guests",
			best[1] / best[0], best[0], c->greedy);
	EXPECT(c->h, best[0] > 0 && best[1] >= least * best[0],
			"an honest pair keeps %.4f of its rate; at least %.2f is fair",
			best[1] / best[0], least);
	c->h->drops_any = true; /* nobody looks after what waits at the end */
}

/* The pair; the greedy ones are the case's. */
static bool
begin(struct contest *c, struct hostile *h)
{
	memset(c, 0, sizeof(*c));
	c->h = h;
	c->from = open_bare(h, 1);
	c->to = open_bare(h, 1);
	return c->from != NULL && c->to != NULL && party_meet(c->from, c->to) &&
			raw_receive_begin(c->to, c->from) &&
			send_always(c, c->from, c->from->nic.tx, c->to, FRAME_MIN, false) &&
			receive_always(c, c->to, false);
}

/* Chains of descriptors without a byte. */
static bool
greedy_empty(struct contest *c)
{
	struct party *p, *peer;
	struct vring *tx;
	struct buf table;

	if (!party_pair(c->h, &p, &peer))
		return false;
	tx = p->nic.tx;
	table = raw_buf(p, 1, TABLE * sizeof(struct vr_desc));
	if (table.at == NULL)
		return false;
	for (unsigned i = 0; i < TABLE; i++)
		raw_entry(tx, table.at, i, 0, 0, i == TABLE - 1 ? 0 : VR_DESC_NEXT,
				(uint16_t)(i + 1));
	for (unsigned i = 0; i < tx->size - 1u; i++)
		tx->desc[i] = (struct vr_desc){0, 0, VR_DESC_NEXT, (uint16_t)(i + 1)};
	tx->desc[tx->size - 1] = (struct vr_desc){table.gpa, table.len, VR_DESC_INDIRECT, 0};
	keep_full(c, tx, true, true);
	c->greedy = 1;
	return true;
}

/* The longest frames, from as many queue pairs as there may be, into one ring. */
static bool
greedy_pairs(struct contest *c)
{
	struct party *p = open_bare(c->h, GREEDY_PAIRS), *peer = open_bare(c->h, 1);

	if (p == NULL || peer == NULL || !party_meet(p, peer) || !raw_receive_begin(peer, p) ||
			!receive_always(c, peer, true))
		return false;
	for (unsigned i = 0; i < GREEDY_PAIRS; i++)
		if (!send_always(c, p, p->nic.pair[i].tx, peer, 1514, true))
			return false;
	c->greedy = 1;
	return true;
}

/* To a guest whose receive chains are as long as can be, and hold little more than nothing. */
static bool
greedy_receiver(struct contest *c)
{
	struct party *p = open_bare(c->h, 1), *peer = open_bare(c->h, 1);
	struct buf table, room;
	struct vring *rx;

	if (p == NULL || peer == NULL || !party_meet(p, peer) || !raw_receive_begin(peer, p) ||
			!send_always(c, p, p->nic.tx, peer, FRAME_MIN, true))
		return false;
	rx = peer->nic.rx;
	table = raw_buf(peer, 1, TABLE * sizeof(struct vr_desc));
	room = raw_buf(peer, 1, BUF);
	if (table.at == NULL || room.at == NULL)
		return false;
	for (unsigned i = 0; i < TABLE; i++)
		raw_entry(rx, table.at, i, room.gpa, i == 0 ? 30 : 0,
				VR_DESC_WRITE | (i == TABLE - 1 ? 0 : VR_DESC_NEXT),
				(uint16_t)(i + 1));
	rx->desc[0] = (struct vr_desc){table.gpa, table.len, VR_DESC_INDIRECT, 0};
	keep_full(c, rx, true, false);
	c->greedy = 2;
	return true;
}

/* To a guest that never takes anything. */
static bool
greedy_deaf(struct contest *c)
{
	struct party *p = open_bare(c->h, 1), *peer = open_bare(c->h, 1);

	if (p == NULL || peer == NULL || !party_meet(p, peer) || !raw_receive_begin(peer, p) ||
			!send_always(c, p, p->nic.tx, peer, FRAME_MIN, true))
		return false;
	c->greedy = 1;
	return true;
}

struct greed {
	bool (*begin)(struct contest *c);
};

static void
run(struct hostile *h, const void *arg)
{
	const struct greed *g = arg;
	struct contest c;

	if (begin(&c, h) && g->begin(&c))
		judge(&c);
}

#define CASE(name, says, begin) \
	{ \
		"share-" name, says, run, &(const struct greed){begin}, 0 \
	}

const struct hcase cases_share[] = {
		CASE("empty-chains",
				"a sender of chains of empty descriptors gets its share, and no more",
				greedy_empty),
		CASE("pairs", "so does a sender of longest frames with 16 queue pairs",
				greedy_pairs),
		CASE("receive-chains",
				"and a sender to receive chains as long as can be, with their owner",
				greedy_receiver),
		CASE("deaf", "and a sender to a guest that takes nothing", greedy_deaf),
		{NULL, NULL, NULL, NULL, 0},
};
