/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Touches the pages of buffers before they are used, for as long as a limit allows.
 *
 * A page that nobody has touched takes a page fault: a microsecond, or a tenth of a millisecond if it is a
 * hugepage. A frame may be in hundreds of them, so a worker that expects such pages touches them here, where it can
 * end early, and not in a copy (see switch/stall.h). The pages that were touched are there the next time.
 *
 * All of it belongs to the worker that has the burst. No locks.
 */
#ifndef FRAME_TOUCH_H
#define FRAME_TOUCH_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_branch_prediction.h>
#include <rte_cycles.h>

#include "base/atomic.h"

#define TOUCH_PAGE 4096 /* the smallest page that there is */

struct touch {
	bool on;          /* the visit is examined, so pages are touched */
	uint16_t touched; /* pages since the last look at the time */
	uint16_t look;    /* pages between two looks at the time */
	uint64_t end;     /* TSC after which no more pages are touched */
};

/* Touches a page. Returns false if it is time to end. */
static inline bool
touch_page(struct touch *t, const uint8_t *at)
{
	load_relaxed(at);
	if (likely(++t->touched < t->look))
		return true;
	t->touched = 0;
	return rte_rdtsc() <= t->end;
}

/* Returns the first byte of the page after the one that `at` is in. */
static inline const uint8_t *
touch_next(const uint8_t *at)
{
	return at + (TOUCH_PAGE - (uintptr_t)at % TOUCH_PAGE);
}

/* Touches pages from the one that `at` is in up to `end`. Returns false if it is time to end. */
static inline bool
touch_range(struct touch *t, const uint8_t *at, const uint8_t *end)
{
	for (; at < end; at = touch_next(at))
		if (unlikely(!touch_page(t, at)))
			return false;
	return true;
}

#endif /* FRAME_TOUCH_H */
