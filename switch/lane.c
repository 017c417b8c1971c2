/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Makes a lane: see lane.h for who owns what. */
#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_malloc.h>

#include "base/kernel.h"
#include "conf/conf.h"
#include "frame/cost.h"
#include "switch/lane.h"

/*
 * A frame whose destination was put off waits so much longer than one whose destination is full: as
 * long as the worker that has the ring may be without its CPU.
 */
#define PUT_OFF_MS 10

struct lane *
lane_create(const struct shared *shared, unsigned int id, unsigned int lcore)
{
	const struct conf *c = shared->conf;
	struct lane *l;

	l = rte_zmalloc_socket(
			"lane", sizeof(*l), RTE_CACHE_LINE_SIZE, rte_lcore_to_socket_id(lcore));
	if (l == NULL)
		return NULL;
	l->shared = *shared;
	l->id = id;
	l->lcore = lcore;
	l->put_off_time = rte_get_tsc_hz() / (1000 / PUT_OFF_MS);
	if (c->rx_retry) {
		/* Without a pause between two tries they would all be over at once. */
		l->retry_delay = rte_get_tsc_hz() * RTE_MAX(c->rx_retry_delay, 1u) / 1000000;
		l->retry_time = l->retry_delay * c->rx_retry_num;
	}
	return l;
}

/*
 * Page faults take 1000 cycles, and 18,000 in a virtual machine whose page tables are made by its host. There
 * a system call takes 2 us and empties the TLB, so that what follows takes as long again. If it takes longer than
 * 8 us, something watches this process.
 */
#define SLACK_MIN 512u
#define SLACK_MAX 16384u
#define AFTER_CALL 2
#define SIGNAL_MAX 32768u

void
lane_measure(struct lane *l)
{
	uint64_t half = kernel_page_fault() / 2;

	l->stall.slack = RTE_MIN(RTE_MAX(half, SLACK_MIN), SLACK_MAX);
	l->burst.signal = RTE_MIN(RTE_MAX(AFTER_CALL * kernel_signal(), COST_SIGNAL), SIGNAL_MAX);
}

void
lane_destroy(struct lane *l)
{
	rte_free(l);
}
