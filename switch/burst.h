/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A burst: the frames that a source (source.h) has fetched in one visit, and what the visit has
 * cost so far.
 *
 * A burst belongs to one worker, as part of its lane (lane.h), and lives for one visit. No locks.
 */
#ifndef BURST_H
#define BURST_H

#include <stdalign.h>
#include <stdbool.h>
#include <stdint.h>

#include "frame/frame.h"
#include "frame/frame_set.h"
#include "frame/touch.h"

struct share;
struct share_clock;

/* Fragments of a burst: four a frame, and always room for one longest chain. */
#define BURST_FRAGS (4 * BURST_MAX + CHAIN_MAX)

/* The frames of one visit (see forward.c). */
struct burst {
	unsigned int n;
	unsigned int nfrags;
	uint32_t cost;          /* cost of the visit so far; see cost.h */
	uint32_t paid;          /* the part of `cost` that receivers pay for */
	uint32_t signal;        /* cost of a signal to a guest on this machine */
	uint32_t fetched;       /* unusual cost of the fetch */
	unsigned int frags_max; /* no further frame is fetched once nfrags is at least this */
	frame_set plain; /* frames of one fragment, of FRAME_PLAIN_MAX bytes at most, which ask for nothing */
	bool put_off; /* the current destination is put off: it took less than it has room for */
	bool cold;    /* many guests are busy: frames of this one have left the cache */
	bool far; /* so many guests are busy that even short frames have left the cache of this core */
	struct share_clock *clock; /* the worker's */
	struct share *receiver;    /* share of the current destination; NULL: none */
	struct touch touch;        /* what visits that are examined touch, and for how long */
	alignas(RTE_CACHE_LINE_MIN_SIZE) struct frame frame[BURST_MAX];
	struct fragment frag[BURST_FRAGS];
	struct headers headers[BURST_MAX]; /* headers of the frames that have offloads */
};

/* Touches the pages of n fragments. Returns false if that takes long; then not all of them were touched. */
static inline bool
burst_touch(struct burst *b, const struct fragment *p, unsigned int n)
{
	const struct fragment *end = p + n;

	for (; p < end; p++)
		if (!touch_range(&b->touch, p->base, p->base + p->len))
			return false;
	return true;
}

/* The result of offering frames to a destination. */
struct outcome {
	frame_set taken;   /* copied: the destination has them */
	frame_set refused; /* can never be taken; frame.reason says why */
};

#endif /* BURST_H */
