/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Prefetches for later visits: see ahead.h for the contract. */
#include "base/tsan.h"
#include "guest/ahead.h"
#include "guest/ring.h"

/* Entries of an available ring in a cache line. */
#define LINE_ENTRIES (RTE_CACHE_LINE_MIN_SIZE / sizeof(uint16_t))

/* Descriptors of successive entries mostly follow each other, so each line of them is prefetched once. */
TSAN_STALE void
ahead_ring(const struct virtqueue *vq, bool next)
{
	uint16_t at = vq->last_avail;
	unsigned int i;

	if (unlikely(vq_broken(vq)))
		return;
	if (vq->packed) {
		for (i = 0; next && i < BURST_MAX; i += SINGLES_LINE)
			packed_prefetch(vq, at + i);
	} else if (next) {
		for (i = 0; i < BURST_MAX; i += SINGLES_LINE)
			split_prefetch(vq, at + i);
	} else {
		rte_prefetch0(&vq->avail->idx);
		for (i = 0; i < BURST_MAX; i += LINE_ENTRIES)
			rte_prefetch0(&vq->avail->ring[(at + i) & (vq->size - 1)]);
	}
}
