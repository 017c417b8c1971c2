/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Greedy guests against an honest pair. See share.h. */
#define _GNU_SOURCE
#include "share.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#define TURNS 5      /* that count */
#define TURNS_MAX 40 /* that are tried until so many count */
#define WINDOWS 3    /* of the gauge, each turn */
#define SETTLE_NS 3000000
#define IDLE_MS 30 /* frames may wait for ever for a guest that takes nothing */
#define PUMP_NS 200000
#define DRY_MAX 0.05 /* of the looks */

/* Gives the memory of buffers back that were used up to this index. */
static void
forget(struct pumped *p, uint16_t used)
{
	while (p->fresh != NULL && p->given != used) {
		unsigned slot = p->given % p->slots;
		unsigned n = (uint16_t)(used - p->given);

		if (n > p->slots - slot)
			n = p->slots - slot;
		madvise(p->fresh + slot * p->each, n * p->each, MADV_REMOVE);
		p->given = (uint16_t)(p->given + n);
	}
}

static void *
pump(void *arg)
{
	const struct timespec nap = {.tv_nsec = PUMP_NS};
	const struct sched_param first = {.sched_priority = 1};
	struct contest *c = arg;

	/* Without the right to this priority more turns do not count. */
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
	while (!__atomic_load_n(&c->stop, __ATOMIC_ACQUIRE)) {
		bool attack = __atomic_load_n(&c->attack, __ATOMIC_ACQUIRE), dry = false;

		for (unsigned i = 0; attack && i < c->n_rings; i++) {
			struct pumped *p = &c->ring[i];
			uint16_t used = vr_raw_used_idx(p->vr);

			forget(p, used);
			dry = dry || (p->sends && used == p->vr->avail->idx);
			vr_raw_avail_idx(p->vr, (uint16_t)(used + p->shown));
		}
		if (attack) {
			__atomic_fetch_add(&c->looks, 1, __ATOMIC_RELAXED);
			__atomic_fetch_add(&c->dry, dry, __ATOMIC_RELAXED);
		}
		nanosleep(&nap, NULL); /* the pace of the load: nothing is waited for */
	}
	return NULL;
}

void
contest_pump(struct contest *c, struct vr_ring *vr, unsigned n, unsigned heads, bool sends)
{
	for (unsigned i = 0; i < vr->size; i++)
		vr_raw_avail(vr, (uint16_t)i, (uint16_t)(i % heads));
	c->ring[c->n_rings++] = (struct pumped){.vr = vr, .shown = (uint16_t)n, .sends = sends};
}

void
contest_forget(struct contest *c, const struct vr_ring *vr, void *memory, size_t each,
		unsigned slots)
{
	for (struct pumped *p = c->ring; p < c->ring + c->n_rings; p++) {
		if (p->vr != vr)
			continue;
		p->fresh = memory;
		p->each = each;
		p->slots = slots;
		p->given = vr_raw_used_idx(vr);
	}
}

/* Frames of the greedy ones that the switch has not given back. */
static unsigned
left(const struct contest *c)
{
	unsigned n = 0;

	for (unsigned i = 0; i < c->n_rings; i++)
		if (c->ring[i].sends)
			n += (uint16_t)(c->ring[i].vr->avail->idx - vr_raw_used_idx(c->ring[i].vr));
	return n;
}

/*
 * The greedy guests make nothing more available. Waits until all that is under way is done, or
 * until nothing has been done for a while.
 */
static void
rest(struct contest *c)
{
	int64_t since = vu_now_ms();
	unsigned n = UINT32_MAX, now;

	__atomic_store_n(&c->attack, false, __ATOMIC_RELEASE);
	do {
		nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL);
		now = left(c);
		if (now != n)
			since = vu_now_ms();
		n = now;
	} while (n > 0 && vu_now_ms() < since + IDLE_MS);
}

/* Measures the gauge's rate with the greedy guests at work. Returns false if they were not busy all the time. */
static bool
beside(struct contest *c, struct gauge_rate *r)
{
	uint64_t looks, dry;
	bool full;

	__atomic_store_n(&c->attack, true, __ATOMIC_RELEASE);
	nanosleep(&(struct timespec){.tv_nsec = SETTLE_NS}, NULL); /* it takes effect */
	gauge_begin(c->h->gauge);
	if (!gauge_read(c->h->gauge, c->skip, PATIENCE_MS, r)) {
		rest(c);
		return false;
	}
	looks = __atomic_exchange_n(&c->looks, 0, __ATOMIC_RELAXED);
	dry = __atomic_exchange_n(&c->dry, 0, __ATOMIC_RELAXED);
	gauge_begin(c->h->gauge);
	full = gauge_read(c->h->gauge, WINDOWS, PATIENCE_MS, r);
	looks = __atomic_load_n(&c->looks, __ATOMIC_RELAXED);
	dry = __atomic_load_n(&c->dry, __ATOMIC_RELAXED);
	rest(c);
	return full && looks > 0 && (double)dry <= DRY_MAX * (double)looks;
}

static int
compare(const void *a, const void *b)
{
	const double *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

void
contest_judge(struct contest *c)
{
	struct gauge_rate alone = {0}, with;
	double kept[TURNS];
	unsigned n = 0;

	c->h->drops_any = true; /* frames that wait at the end are lost */
	if (!EXPECT(c->h, pthread_create(&c->thread, NULL, pump, c) == 0, "no thread"))
		return;
	for (unsigned i = 0; i < TURNS_MAX && n < TURNS; i++)
		if (rate_alone(c->h, &alone) && beside(c, &with))
			kept[n++] = rate_kept(c->h, with.mean, &alone);
	__atomic_store_n(&c->stop, true, __ATOMIC_RELEASE);
	pthread_join(c->thread, NULL);
	gauge_begin(c->h->gauge); /* from here on the case does nothing, and the verdict is about that */
	if (!EXPECT(c->h, n == TURNS, "the greedy guests could not be kept busy"))
		return;
	qsort(kept, n, sizeof(kept[0]), compare);
	remark("an honest pair keeps %.2f (%.2f to %.2f) of %.0f frames/s beside %u greedy guests",
			kept[n / 2], kept[0], kept[n - 1], alone.mean[0], c->h->greedy);
	expect_share(c->h, kept[n / 2]);
}
