/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The main lcore's work: how much of it is done in one turn. */
#include <signal.h>
#include <stdio.h>

#include <rte_common.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring_elem.h>

#include "world.h"
#include "base/atomic.h"
#include "run/reload.h"
#include "run/control.h"
#include "unit.h"

#define ADDRESSES 10
#define FOR_EVER UINT64_MAX

/* A worker asks for addresses of a guest to be learned. */
static void
ask(struct rig *r, uint16_t port)
{
	unsigned int i;

	for (i = 0; i < ADDRESSES; i++) {
		const struct rte_ether_addr mac = mac_of(0, (uint8_t)i);
		struct learn_request q = {.key = fdb_key(&mac, 0), .port = port};

		assert_int_equal(rte_ring_enqueue_elem(r->learn.requests, &q, sizeof(q)), 0);
	}
}

static bool
woken(struct rig *r)
{
	bool pending = r->wake.pending;

	wake_take(&r->wake);
	return pending;
}

static void
test_all_that_there_is_time_for(void **state)
{
	struct world *w = *state;
	struct rig *r = w->r;
	unsigned int moves = 0;

	ask(r, 0);
	control_learn(&w->parts, &moves, FOR_EVER);
	assert_int_equal(rte_ring_count(r->learn.requests), 0);
	assert_int_equal(fdb_count(r->fdb, 0), ADDRESSES);
	assert_int_equal(moves, 0);
	assert_false(woken(r));
}

/* Requests that take long, as for a NIC with slow filters: one in each turn; none is forgotten. */
static void
test_the_rest_has_another_turn(void **state)
{
	struct world *w = *state;
	struct rig *r = w->r;
	unsigned int i, moves = 0;

	ask(r, 0);
	control_learn(&w->parts, &moves, FOR_EVER);
	ask(r, 1);
	for (i = 1; i <= ADDRESSES; i++) {
		control_learn(&w->parts, &moves, 0);
		assert_int_equal(rte_ring_count(r->learn.requests), ADDRESSES - i);
		assert_int_equal(moves, i);
		assert_int_equal(fdb_count(r->fdb, 1), i);
		assert_true(woken(r));
	}
	control_learn(&w->parts, &moves, 0);
	assert_false(woken(r));
	assert_int_equal(fdb_count(r->fdb, 0), 0);
}

/* A worker may be about to park a frame for the guest that has left: the slot's epoch must not change before. */
static void
test_slot_is_freed_after_bursts(void **state)
{
	struct world *w = *state;
	struct rte_rcu_qsbr *v = w->r->lanes.qsbr;
	struct port *port = &w->r->ports.port[1];
	const uint32_t epoch = port->epoch;
	const uint16_t slot = 1;
	bool early, kept;

	port->state = PORT_LEAVING;
	assert_int_equal(rte_rcu_qsbr_thread_register(v, 0), 0);
	rte_rcu_qsbr_thread_online(v, 0);
	early = control_free_slots(&w->parts, &slot, 1);
	kept = port->state == PORT_LEAVING && port->epoch == epoch;
	rte_rcu_qsbr_thread_offline(v, 0);
	assert_true(control_free_slots(&w->parts, &slot, 1));
	rte_rcu_qsbr_thread_unregister(v, 0);
	assert_true(!early && kept);
	assert_int_equal(port->state, PORT_FREE);
	assert_int_equal(port->epoch, epoch + 1);
}

#define STORM 1000

static unsigned int reloads;

void __wrap_reload_file(struct reload *r);

/* As if somebody sent the next SIGHUP before the last one was handled. */
void
__wrap_reload_file(struct reload *r)
{
	RTE_SET_USED(r);
	if (++reloads < STORM)
		raise(SIGHUP);
}

/* SIGTERM does not wait for the end of a storm of SIGHUP. */
static void
test_sigterm_in_a_storm(void **state)
{
	struct world *w = *state;
	sigset_t before;

	assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
	control_block_signals();
	snprintf(w->r->conf.file, sizeof(w->r->conf.file), "file");
	raise(SIGHUP);
	raise(SIGTERM);
	assert_true(control_run(&w->parts));
	assert_true(reloads < STORM / 10);
	signal(SIGHUP, SIG_IGN); /* also the one that waits */
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(test_all_that_there_is_time_for,
					world_setup, world_teardown),
			cmocka_unit_test_setup_teardown(test_the_rest_has_another_turn, world_setup,
					world_teardown),
			cmocka_unit_test_setup_teardown(test_slot_is_freed_after_bursts,
					world_setup, world_teardown),
			cmocka_unit_test_setup_teardown(
					test_sigterm_in_a_storm, world_setup, world_teardown),
	};

	return cmocka_run_group_tests_name("control", tests, unit_eal, unit_eal_end);
}
