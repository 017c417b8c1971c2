/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* How busy workers are: what they count, and what the main lcore makes of it. */
#include <rte_cycles.h>

#include "run/load.h"
#include "rig.h"
#include "switch/lane.h"
#include "switch/lanes.h"
#include "switch/round.h"

#define SECOND UINT64_C(1000000)

static struct loads *
loads_create(struct rig *r)
{
	struct loads *all = unit_zalloc(sizeof(*all));

	loads_sample(all, &r->lanes, SECOND);
	return all;
}

/* Shares of the time since the last look; the first look tells nothing. */
static void
test_shares(void **state)
{
	struct rig *r = rig_create(1);
	struct loads *all;
	struct worker_load w;

	(void)state;
	r->lane->load.busy = 777;
	r->lane->load.asleep = 888;
	r->lane->count[0].received = 99;
	all = loads_create(r);
	w = loads_of(all, 0);
	assert_true(w.busy == 0 && w.asleep == 0 && w.frames == 0 && w.cycles == 0);
	r->lane->load.busy += SECOND / 4;
	r->lane->load.asleep += SECOND / 2;
	r->lane->count[0].received += 1000;
	r->lane->count[PORT_UPLINK].received += 1000;
	loads_sample(all, &r->lanes, 2 * SECOND);
	w = loads_of(all, 0);
	assert_int_equal(w.busy, 250000);
	assert_int_equal(w.asleep, 500000);
	assert_int_equal(w.cycles, SECOND / 4 / 2000);
	assert_int_equal(w.frames, 2000 * rte_get_tsc_hz() / SECOND);
	loads_sample(all, &r->lanes, 3 * SECOND);
	w = loads_of(all, 0);
	assert_true(w.busy == 0 && w.asleep == 0 && w.frames == 0 && w.cycles == 0);
	r->lane->count[0].received = r->lane->count[PORT_UPLINK].received = 0;
	rig_destroy(r);
	free(all);
}

/* A worker that has slept since before the last look has slept all the time. */
static void
test_asleep_now(void **state)
{
	struct rig *r = rig_create(1);
	struct loads *all = loads_create(r);

	(void)state;
	r->lane->load.since = SECOND + SECOND / 4;
	loads_sample(all, &r->lanes, 2 * SECOND);
	assert_int_equal(loads_of(all, 0).asleep, 750000);
	loads_sample(all, &r->lanes, 3 * SECOND);
	assert_int_equal(loads_of(all, 0).asleep, 1000000);
	/* It woke while its counters were read: never more than all the time. */
	r->lane->load.asleep = 5 * SECOND;
	loads_sample(all, &r->lanes, 4 * SECOND);
	assert_int_equal(loads_of(all, 0).asleep, 1000000);
	r->lane->load.asleep = r->lane->load.since = 0;
	loads_sample(all, &r->lanes, 5 * SECOND);
	assert_int_equal(loads_of(all, 0).asleep, 0);
	rig_destroy(r);
	free(all);
}

/* Rounds that find nothing are no work; a round that moves a frame is. */
static void
test_rounds(void **state)
{
	struct rig *r = rig_create_known(2);
	uint64_t begin;
	unsigned int i;

	(void)state;
	lanes_add(&r->lanes, &r->tx[0]->vq.source, r);
	assert_int_equal(load_rings(r->lane), 1);
	for (i = 0; i < 100; i++)
		lane_round(r->lane);
	assert_int_equal(r->lane->load.busy, 0);
	rig_offer(r, 1, 1);
	rig_send(r, 0, &r->mac[1], 60, 1);
	begin = r->lane->load.last;
	lane_round(r->lane);
	assert_int_equal(r->lane->count[0].delivered, 1);
	assert_int_equal(r->lane->load.busy, r->lane->load.last - begin);
	assert_true(r->lane->load.busy > 0);
	begin = r->lane->load.busy;
	lane_round(r->lane);
	assert_int_equal(r->lane->load.busy, begin);
	lanes_remove(&r->lanes, &r->tx[0]->vq.source);
	assert_int_equal(load_rings(r->lane), 0);
	rig_destroy(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_shares),
			cmocka_unit_test(test_asleep_now),
			cmocka_unit_test(test_rounds),
	};

	return cmocka_run_group_tests_name("load", tests, unit_eal, unit_eal_end);
}
