/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The main lcore's loop, in a thread of its own: what it learns, and which slots it clears. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <rte_ring_elem.h>

#include "base/atomic.h"
#include "switch/fdb.h"
#include "world.h"
#include "run/control.h"
#include "base/log.h"

#define EPOCH 7

struct loop {
	struct world *w;
	struct rig *r; /* of it */
	pthread_t thread;
	bool ok;
};

static void *
run(void *arg)
{
	struct loop *l = arg;

	l->ok = control_run(&l->w->parts);
	return NULL;
}

static void
ask(struct rig *r, uint16_t port, uint32_t epoch, uint8_t n)
{
	const struct rte_ether_addr mac = mac_of(port, n);
	struct learn_request q = {.key = fdb_key(&mac, 0), .epoch = epoch, .port = port};

	assert_int_equal(rte_ring_enqueue_elem(r->learn.requests, &q, sizeof(q)), 0);
}

/* SIGTERM ends the loop: it is for this process, whose threads all block it. */
static void
end(struct loop *l)
{
	kill(getpid(), SIGTERM);
	pthread_join(l->thread, NULL);
	assert_true(l->ok);
}

static int
setup(void **state)
{
	struct loop *l = unit_zalloc(sizeof(*l));

	l->w = world_create(2);
	l->r = l->w->r;
	l->r->ports.port[0].epoch = EPOCH;
	assert_int_equal(pthread_create(&l->thread, NULL, run, l), 0);
	*state = l;
	return 0;
}

static int
teardown(void **state)
{
	struct loop *l = *state;

	world_destroy(l->w);
	free(l);
	return 0;
}

/* A request of the last tenant is not learned for the next one. */
static void
test_epoch(void **state)
{
	const struct rte_ether_addr gone = mac_of(0, 1), here = mac_of(0, 2);
	struct loop *l = *state;
	struct fdb *t = l->r->fdb;
	uint16_t old;

	ask(l->r, 0, EPOCH - 1, 1);
	ask(l->r, 0, EPOCH, 2);
	wake_up(&l->r->wake);
	while (fdb_count(t, 0) == 0)
		usleep(1000);
	end(l);
	assert_int_equal(fdb_learn(t, fdb_key(&here, 0), 1, &old), FDB_MOVED);
	assert_int_equal(old, 0);
	assert_int_equal(fdb_learn(t, fdb_key(&gone, 0), 1, &old), FDB_ADDED);
}

/* A slot that a guest has left becomes free for the next tenant, who inherits nothing. */
static void
test_left(void **state)
{
	struct loop *l = *state;
	struct port *p = &l->r->ports.port[0];
	const struct rte_ether_addr mac = mac_of(0, 1);
	struct port_count c;
	uint16_t old;

	ask(l->r, 0, EPOCH, 1);
	wake_up(&l->r->wake);
	while (fdb_count(l->r->fdb, 0) == 0)
		usleep(1000);
	count_add(&rig_count(l->r, 0)->received, 3);
	count_add(&rig_count(l->r, 0)->drop[DROP_GONE], 3);
	store_release(&p->state, PORT_LEAVING);
	wake_up(&l->r->wake);
	while (port_state(p) != PORT_FREE)
		usleep(1000);
	end(l);
	assert_int_equal(port_epoch(p), EPOCH + 1);
	assert_int_equal(fdb_learn(l->r->fdb, fdb_key(&mac, 0), 1, &old), FDB_ADDED);
	stats_port(&l->w->parts, 0, &c);
	assert_int_equal(c.received, 0);
	assert_int_equal(l->w->stats.departed.received, 3);
}

static int
start(void **state)
{
	return unit_eal(state) == 0 && log_start() ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_epoch),
			TEST(test_left),
	};

	/* Before there are threads, as main.c has it. */
	control_block_signals();
	return cmocka_run_group_tests_name("loop", tests, start, unit_eal_end);
}
