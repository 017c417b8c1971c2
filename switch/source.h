/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A source of frames: a guest's transmit ring or a queue of the uplink.
 *
 * Forwarding knows sources by these calls alone. A source belongs to the worker that
 * polls it; only that worker calls them, except while its guest is paused, when the worker
 * has let go of it.
 *
 * A worker looks at hundreds of sources that have nothing for each one that has. So a source
 * says where to look: `bell`, as of rte_power_monitor_cond, a word that changes when there is
 * something to fetch. It may lie in a guest's memory: who sets it has checked that, and
 * it is compared, never used.
 */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

#include "base/atomic.h"

struct burst;
struct frame;
struct park;
struct port_count;
struct source;

/* The frames may be for any device. */
#define SOURCE_ANY UINT16_MAX

struct source_ops {
	/*
	 * Fills b with up to `max` frames, at most BURST_MAX. A frame that can't
	 * be switched is there too, with its drop reason set: it must be counted
	 * and given back like any other. Returns how many.
	 */
	unsigned int (*fetch)(struct source *s, struct burst *b, unsigned int max);
	/*
	 * Undoes the fetch of the frames from `from` < b->n on, which are the first of the
	 * next one; so b->n becomes `from`. Right after the fetch alone.
	 */
	void (*unfetch)(struct source *s, struct burst *b, unsigned int from);
	/* Gives the frames of `mask` back: they are done with. */
	void (*retire)(struct source *s, struct frame *frame, uint64_t mask,
			struct port_count *count);
};

struct source {
	const uint16_t *bell; /* NULL: it has to be fetched from to know */
	const struct source_ops *ops;
	struct park *park;   /* frames that wait for room; see park.h */
	uint16_t bell_mask;  /* bits of the bell that count */
	uint16_t bell_value; /* they are equal to this, or not equal, when it rings: */
	bool bell_equal;
	bool waiting;  /* there are frames in the park */
	uint16_t port; /* where its frames come from */
	union {
		uint16_t pair;   /* of a guest: which queue pair's transmit ring it is */
		uint16_t device; /* of the uplink: the one device that they are for, or SOURCE_ANY */
	};
	uint16_t copied; /* of the uplink: devices below this one get its frames from a pool as well */
};

/* Returns true if there may be something to do for a source; a look, no more. */
static inline bool
source_has_work(const struct source *s)
{
	if (unlikely(s->bell == NULL))
		return true;
	return ((load_relaxed(s->bell) & s->bell_mask) == s->bell_value) == s->bell_equal ||
			unlikely(s->waiting);
}

#endif /* SOURCE_H */
