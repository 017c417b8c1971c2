/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A source of frames: a guest's transmit ring or a queue of the uplink.
 *
 * Forwarding knows sources by these calls alone. A source belongs to the worker that polls it; only
 * that worker calls them, except while its guest is paused, when the worker has let go of it.
 *
 * A worker looks at hundreds of sources that have nothing for each one that has. So a source says
 * where to look: `bell`, like that of rte_power_monitor_cond, is a word that changes when there is
 * something to fetch. It may be in a guest's memory: the pointer was checked when it was set, and
 * the value is only compared, never used.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "base/atomic.h"
#include "frame/frame_set.h"

struct burst;
struct frame;
struct park;
struct port_count;
struct source;

/* The frames may be for any device. */
#define SOURCE_ANY UINT16_MAX

struct source_ops {
	/*
	 * Fills b with up to `max` frames, at most BURST_MAX, and returns how many. A frame that
	 * can't be switched is among them, with its drop reason set: it must be counted and given
	 * back like any other.
	 */
	unsigned int (*fetch)(struct source *s, struct burst *b, unsigned int max);
	/*
	 * Undoes the fetch of the frames from `from` on, which are then the first of the
	 * next fetch; b->n becomes `from`, which is 0 to b->n - 1. Only right after the fetch.
	 */
	void (*unfetch)(struct source *s, struct burst *b, unsigned int from);
	/* Gives the frames of `mask` back, which are done. */
	void (*retire)(struct source *s, struct frame *frame, frame_set mask,
			struct port_count *count);
	/*
	 * For a worker that is about to sleep (run/sleep.h); NULL for a source that can't wake it.
	 * ask() returns a file descriptor, to which whoever fills the source will write when there is
	 * something to fetch; or SOURCE_NAPS, or SOURCE_NEVER. hush() ends that, and if `kicked` reads
	 * what was written. is_over() returns true if nothing will ever be fetched again, whatever the
	 * bell says.
	 */
	int (*ask)(struct source *s);
	void (*hush)(struct source *s, bool kicked);
	bool (*is_over)(const struct source *s);
	/*
	 * Prefetches what a visit will need: the `next` one of the worker, or that after it. NULL if
	 * there is nothing to prefetch.
	 */
	void (*ahead)(const struct source *s, bool next);
};

/* What ask() returns instead of a file descriptor; poll(2) passes over both. */
#define SOURCE_NAPS (-1)  /* it can't wake the worker, which has to look at it now and then */
#define SOURCE_NEVER (-2) /* nothing will come */

struct source {
	const uint16_t *bell; /* NULL: only a fetch can tell */
	const struct source_ops *ops;
	struct park *park;   /* frames that wait for room; see park.h */
	uint16_t bell_mask;  /* bits of the bell that count */
	uint16_t bell_value; /* compared with those bits */
	bool bell_equal;     /* the bell rings if they are equal; else if they differ */
	bool waiting;        /* it has work whatever the bell says: mostly frames in the park */
	uint16_t port;       /* port that its frames come from */
	uint16_t pair;       /* of a guest: the ring's queue pair; of the uplink: 0 */
	uint16_t device;     /* of the uplink: the one device that its frames are for; SOURCE_ANY */
	uint16_t last_to;    /* port that its last frames went to, or 0 */
	union {
		uint16_t copied; /* of the uplink: devices below this one also get its frames from a pool */
		uint16_t moved; /* of a guest: 1 more than the number of the lane that it was moved to */
	};
};

/* Returns true if there may be something to do for a source. */
static inline bool
source_has_work(const struct source *s)
{
	if (unlikely(s->bell == NULL))
		return true;
	return ((load_relaxed(s->bell) & s->bell_mask) == s->bell_value) == s->bell_equal ||
			unlikely(s->waiting);
}

#endif /* SOURCE_H */
