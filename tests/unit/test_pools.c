/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A pool's receive queues: all of them are looked at, and no other, each in its turn. */
#include <rte_eth_ring.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_ring.h>

#include "ring.h"
#include "switch/source.h"
#include "switch/count.h"
#include "uplink/uplink_priv.h"

#define QUEUES 6
#define POOLS 4

/* A port of DPDK whose receive queues are rings; no pool fills them by itself. */
struct nic {
	struct uplink u;
	struct uplink_pool pool[POOLS]; /* [0]: what is sorted in software, as in uplink.c */
	struct ports ports;
	struct rte_ring *ring[QUEUES];
	struct burst burst;
	struct port_count count;
};

static int
setup(void **state)
{
	static unsigned int serial;
	struct nic *n = unit_zalloc(sizeof(*n));
	struct rte_eth_conf conf = {.rxmode = {.mtu = 1500}};
	char name[32];
	int port, q;

	n->u.mbufs = rte_pktmbuf_pool_create("nic", 1023, 0, 0, 2048, SOCKET_ID_ANY);
	assert_non_null(n->u.mbufs);
	for (q = 0; q < QUEUES; q++) {
		snprintf(name, sizeof(name), "queue%d", q);
		n->ring[q] = rte_ring_create(name, 256, SOCKET_ID_ANY, 0);
		assert_non_null(n->ring[q]);
	}
	snprintf(name, sizeof(name), "nic%u", serial++);
	port = rte_eth_from_rings(name, n->ring, QUEUES, n->ring, 1, 0);
	assert_true(port >= 0);
	n->u.port = port;
	assert_int_equal(rte_eth_dev_configure(port, QUEUES, 1, &conf), 0);
	for (q = 0; q < QUEUES; q++)
		assert_int_equal(rte_eth_rx_queue_setup(port, q, 64, 0, NULL, n->u.mbufs), 0);
	assert_int_equal(rte_eth_tx_queue_setup(port, 0, 64, 0, NULL), 0);
	assert_int_equal(rte_eth_dev_start(port), 0);
	n->u.frame_max = 1522;
	n->u.pool = n->pool;
	n->u.npools = POOLS;
	n->u.ports = &n->ports;
	for (q = 0; q < POOLS; q++) {
		n->pool[q].uplink = &n->u;
		n->pool[q].source.ops = &uplink_source_ops;
	}
	*state = n;
	return 0;
}

static int
teardown(void **state)
{
	struct nic *n = *state;
	int q;

	assert_int_equal(rte_eth_dev_stop(n->u.port), 0);
	assert_int_equal(rte_eth_dev_close(n->u.port), 0);
	for (q = 0; q < QUEUES; q++)
		rte_ring_free(n->ring[q]);
	assert_int_equal(rte_mempool_avail_count(n->u.mbufs), 1023);
	rte_mempool_free(n->u.mbufs);
	free(n);
	return 0;
}

/* A frame that says in which queue it lies. */
static void
put(struct nic *n, uint8_t queue)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(n->u.mbufs);

	assert_non_null(m);
	memset(rte_pktmbuf_append(m, 60), queue, 60);
	assert_int_equal(rte_ring_enqueue(n->ring[queue], m), 0);
}

/* Fetches and gives back a burst. Returns the queue that it is from; -1: there was none. */
static int
fetch(struct nic *n, unsigned int max, unsigned int *frames)
{
	struct source *s = &n->pool->source;
	unsigned int i;
	int queue;

	*frames = s->ops->fetch(s, &n->burst, max);
	if (*frames == 0)
		return -1;
	queue = n->burst.frame[0].frag->base[0];
	for (i = 1; i < *frames; i++)
		assert_int_equal(n->burst.frame[i].frag->base[0], queue);
	s->ops->retire(s, n->burst.frame, UINT64_MAX >> (BURST_MAX - *frames), &n->count);
	return queue;
}

static void
test_all_and_no_other(void **state)
{
	/* Side by side, as of 82599; apart, as of 82576; a single one. */
	static const struct vmdq_pool pools[] = {{2, 1, 2, 0}, {1, 3, 2, 0}, {4, 6, 1, 0}};
	struct nic *n = *state;
	unsigned int i, k, frames;
	uint8_t q;

	for (i = 0; i < RTE_DIM(pools); i++) {
		n->pool[0].queues = pools[i];
		n->pool[0].turn = 0;
		for (q = 0; q < QUEUES; q++)
			put(n, q);
		for (k = 0; k < pools[i].n; k++)
			assert_int_equal(fetch(n, BURST_MAX, &frames),
					pools[i].first + k * pools[i].step);
		assert_int_equal(fetch(n, BURST_MAX, &frames), -1);
		/* The others' frames are still there. */
		n->pool[0].queues = (struct vmdq_pool){0, 1, QUEUES, 0};
		for (k = 0; fetch(n, BURST_MAX, &frames) >= 0; k++)
			;
		assert_int_equal(k, (unsigned int)QUEUES - pools[i].n);
	}
}

/* A queue that is never empty takes nothing from its neighbour. */
static void
test_in_turn(void **state)
{
	struct nic *n = *state;
	unsigned int i, frames, of[QUEUES] = {0};
	int queue;

	n->pool[0].queues = (struct vmdq_pool){1, 1, 3, 0};
	for (i = 0; i < 200; i++)
		put(n, 1);
	for (i = 0; i < 10; i++) {
		put(n, 2);
		put(n, 3);
	}
	for (i = 0; i < 9; i++) {
		queue = fetch(n, 2, &frames);
		assert_in_range(queue, 0, QUEUES - 1);
		of[queue] += frames;
	}
	assert_int_equal(of[1], 6);
	assert_int_equal(of[2], 6);
	assert_int_equal(of[3], 6);
	while (fetch(n, BURST_MAX, &frames) >= 0)
		;
}

/* The pool of a device that is there is looked at in each round, and one of the others. */
static void
test_idle_pools(void **state)
{
	struct nic *n = *state;
	unsigned int round, i, looked[POOLS] = {0};
	struct source *src;

	for (i = 0; i < POOLS; i++)
		n->pool[i].queues = (struct vmdq_pool){i, 1, 1, 0};
	n->ports.port[1].state = PORT_USED; /* the device of pool 2 */
	for (i = 1; i < POOLS; i++)
		for (round = 0; round < 12; round++)
			put(n, i);
	for (round = 0; round < 12; round++) {
		for (i = 0; i < POOLS; i++) {
			src = &n->pool[i].source;
			if (src->ops->fetch(src, &n->burst, 1) == 0)
				continue;
			looked[i]++;
			src->ops->retire(src, n->burst.frame, 1, &n->count);
		}
	}
	assert_int_equal(looked[0], 0);
	assert_int_equal(looked[1], 4);
	assert_int_equal(looked[2], 12);
	assert_int_equal(looked[3], 4);
	for (i = 1; i < POOLS; i += 2) { /* what was left, for the count of mbufs at the end */
		n->pool[0].queues = n->pool[i].queues;
		while (fetch(n, BURST_MAX, &round) >= 0)
			;
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(test_all_and_no_other, setup, teardown),
			cmocka_unit_test_setup_teardown(test_idle_pools, setup, teardown),
			cmocka_unit_test_setup_teardown(test_in_turn, setup, teardown),
	};

	return cmocka_run_group_tests_name("pools", tests, unit_eal, unit_eal_end);
}
