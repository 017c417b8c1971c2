/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A small switch: see rig.h. */
#include <rte_rcu_qsbr.h>

#include "conf/conf_parse.h"
#include "rig.h"
#include "switch/forward.h"
#include "switch/retry.h"
#include "switch/park.h"

#define BUFFER 1600 /* bytes of a receive buffer: the longest frame and its header */

struct rig *
rig_create(unsigned int guests)
{
	static char *words[] = {"vhost-switch", NULL};
	struct rig *r = unit_zalloc(sizeof(*r));
	const struct shared shared = {.conf = &r->conf, .ports = &r->ports, .learn = &r->learn};
	unsigned int i;

	assert_int_equal(conf_parse(&r->conf, 1, words), CONF_RUN);
	assert_true(wake_open(&r->wake) && learn_init(&r->learn, &r->wake));
	r->lanes.qsbr = unit_zalloc(rte_rcu_qsbr_get_memsize(1));
	rte_rcu_qsbr_init(r->lanes.qsbr, 1);
	r->fdb = fdb_create(r->conf.aging, r->lanes.qsbr);
	r->lane = r->lanes.lane[0] = lane_create(&shared, 0, 0);
	r->lanes.n = 1;
	assert_true(r->fdb != NULL && r->lane != NULL);
	lane_measure(r->lane);
	r->lane->shared.fdb = r->fdb;
	/* What the test does between two rounds, with page faults, is not the worker's time. */
	r->lane->stall.next = UINT64_MAX;
	r->lane->retry_delay = 0;
	r->lane->retry_time = UINT64_MAX / 4;
	r->guests = r->ports.n = guests;
	for (i = 0; i < guests; i++) {
		r->mac[i] = mac_of(i, 0);
		r->tx[i] = ring_create(RIG_RING, 65000);
		r->rx[i] = ring_create(RIG_RING, 65000);
		r->tx[i]->vq.source.port = i;
		r->ports.port[i].state = PORT_USED;
		r->ports.port[i].vlan = conf_vlan(&r->conf, i);
		r->set[i] = (struct rx_set){{&guest_sink_ops}, 1, {&r->rx[i]->vq}, i};
		r->ports.port[i].sink = &r->set[i].sink;
	}
	return r;
}

void
rig_check_sums(const struct rig *r, unsigned int ports)
{
	uint64_t sent = 0, copies = 0;
	const struct port_count *c;
	unsigned int i;

	for (i = 0; i < ports; i++) {
		c = &r->lane->count[i];
		assert_int_equal(c->received, c->delivered + count_dropped(c));
		assert_int_equal(c->drop[DROP_NONE], 0);
		sent += c->sent;
		copies += c->delivered + c->flooded;
	}
	assert_int_equal(sent, copies);
}

void
rig_destroy(struct rig *r)
{
	unsigned int i;

	for (i = 0; i < r->guests; i++) {
		retry_release(&r->tx[i]->vq.source, &r->lane->count[i]);
		assert_int_equal(park_room(r->tx[i]->vq.source.park), PARK_FRAMES);
	}
	rig_check_sums(r, PORT_MAX);
	for (i = 0; i < r->guests; i++) {
		ring_destroy(r->tx[i]);
		ring_destroy(r->rx[i]);
	}
	lane_destroy(r->lane);
	learn_free(&r->learn);
	fdb_destroy(r->fdb);
	free(r->lanes.qsbr);
	wake_close(&r->wake);
	free(r);
}

void
rig_learn(struct rig *r, uint16_t port, const struct rte_ether_addr *mac)
{
	uint16_t old;

	assert_int_equal(fdb_learn(r->fdb, fdb_key(mac, 0), port, &old), FDB_ADDED);
}

struct rig *
rig_create_known(unsigned int guests)
{
	struct rig *r = rig_create(guests);
	unsigned int i;

	for (i = 0; i < guests; i++)
		rig_learn(r, i, &r->mac[i]);
	return r;
}

int
rig_setup(void **state)
{
	*state = rig_create_known(RIG_GUESTS);
	return 0;
}

int
rig_teardown(void **state)
{
	rig_destroy(*state);
	return 0;
}

bool
rig_request(struct rig *r, struct learn_request *q)
{
	return learn_take(&r->learn, q);
}

uint8_t *
rig_send(struct rig *r, uint16_t port, const struct rte_ether_addr *to, uint32_t len, uint32_t seed)
{
	const struct rte_ether_addr from = mac_of(port, 0);

	return ring_send(r->tx[port], r->tx_next[port]++ % RIG_RING, to, &from, len, seed);
}

void
rig_offer(struct rig *r, uint16_t port, unsigned int buffers)
{
	struct ring *rx = r->rx[port];

	for (; buffers > 0; buffers--) {
		if (rx->free + BUFFER > RING_SEAM)
			rx->free = RING_GPA;
		ring_room(rx, r->rx_next[port]++ % RIG_RING, BUFFER);
	}
}

void
rig_poll(struct rig *r, uint16_t port)
{
	forward_poll(r->lane, &r->tx[port]->vq.source);
}

void
rig_expire(struct rig *r, uint16_t port)
{
	struct park *p = r->tx[port]->vq.source.park;
	unsigned int i;

	for (i = 0; i < p->nerrands; i++)
		p->slot[p->errand[i].slot].deadline = 0;
}

const uint8_t *
rig_take(struct rig *r, uint16_t port, uint32_t *len)
{
	struct ring *rx = r->rx[port];
	uint32_t id;

	if (!ring_used(rx, &id, len))
		return NULL;
	assert_true(*len > rx->vq.hdr_len);
	*len -= rx->vq.hdr_len;
	return ring_at(rx, rx->vq.desc[id].addr, *len + rx->vq.hdr_len) + rx->vq.hdr_len;
}

void
rig_expect(struct rig *r, uint16_t to, uint16_t from, const struct rte_ether_addr *dst,
		uint32_t len, uint32_t seed)
{
	const struct rte_ether_addr src = mac_of(from, 0);
	uint8_t want[BUFFER];
	const uint8_t *got;
	uint32_t got_len;

	got = rig_take(r, to, &got_len);
	assert_non_null(got);
	assert_int_equal(got_len, len);
	frame_make(want, dst, &src, len, seed);
	assert_memory_equal(got, want, len);
}

void
rig_expect_none(struct rig *r, uint16_t port)
{
	ring_expect_none(r->rx[port]);
}

unsigned int
rig_owed(const struct rig *r, uint16_t port)
{
	return (uint16_t)(r->tx[port]->vq.avail->idx - r->tx[port]->vq.used->idx);
}

unsigned int
rig_parked(const struct rig *r, uint16_t port)
{
	return PARK_FRAMES - park_room(r->tx[port]->vq.source.park);
}
