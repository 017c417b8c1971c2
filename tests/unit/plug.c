/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A front end plugged into a whole switch: see plug.h. */
#include <stdio.h>
#include <unistd.h>

#include <rte_log.h>

#include "base/atomic.h"
#include "guest/vhost_user.h"
#include "plug.h"

const struct rx_set *
plug_set(const struct plug *p)
{
	const struct sink *k = p->r->ports.port[0].sink;

	return k == NULL ? NULL : container_of(k, struct rx_set, sink);
}

/* Transmit rings that the worker polls. */
static uint32_t
polled(const struct plug *p)
{
	const struct polled *all = &p->r->lane->polled[0];
	const struct virtqueue *vq;
	uint32_t rings = 0;
	unsigned int i;

	for (i = 0; i < all->n; i++) {
		if (all->source[i] == NULL)
			continue;
		vq = container_of(all->source[i], struct virtqueue, source);
		rings |= UINT32_C(1) << (vq - p->g->ring);
	}
	return rings;
}

void
plug_assert_rings(const struct plug *p, uint32_t rings, uint32_t paused)
{
	uint32_t left = (rings | paused) & RINGS_RX;
	const struct rx_set *set = plug_set(p);
	unsigned int i, k = 0;

	assert_int_equal(polled(p), rings & RINGS_TX);
	assert_int_equal(p->r->ports.port[0].tx_rings,
			__builtin_popcount((rings | paused) & RINGS_TX));
	if (left == 0) {
		assert_null(set);
		return;
	}
	assert_non_null(set);
	assert_int_equal(set->n, __builtin_popcount(left));
	RING_SET_FOREACH(i, left)
		assert_ptr_equal(set->vq[k++], paused >> i & 1 ? NULL : &p->g->ring[i]);
	assert_int_equal(guest_rings(p->g, RINGS_RX), __builtin_popcount(rings & RINGS_RX));
	assert_int_equal(guest_rings(p->g, RINGS_TX), __builtin_popcount(rings & RINGS_TX));
}

void
plug_enable(struct plug *p, unsigned int ring, bool on)
{
	assert_int_equal(vu_dev_set_vring_enable(&p->dev, ring, on), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
}

void
plug_connect(struct plug *p, unsigned int pairs)
{
	const struct vu_dev_opts opts = {
			.features = PLUG_FEATURES,
			.protocol = VU_PROTOCOL_MQ | VU_PROTOCOL_REPLY_ACK | VU_PROTOCOL_LOG_SHMFD,
			.n_pairs = pairs,
			.mem = {.n_regions = 1, .region_size = 4 << 20, .gpa = PLUG_GPA},
			.timeout_ms = PLUG_WAIT_MS,
	};

	assert_int_equal(vu_dev_open(&p->dev, vu_connect(p->path, PLUG_WAIT_MS), &opts), 0);
	assert_int_equal(p->dev.n_rings, 2 * pairs);
	/* The guest of an earlier connection is unused by now: that ended before this one was answered. */
	for (p->g = p->w->guests.list; p->g->conn.phase == GUEST_UNUSED; p->g = p->g->next)
		;
}

void
plug_wait_connections(const struct plug *p, unsigned int wanted)
{
	const struct guest *g;
	unsigned int n, i;

	for (i = 0; i < PLUG_WAIT_MS; i++) {
		n = 0;
		for (g = load_acquire(&p->w->guests.list); g != NULL; g = g->next)
			n += load_relaxed(&g->conn.phase) != GUEST_UNUSED;
		if (n == wanted)
			return;
		usleep(1000);
	}
	fail_msg("%u connections, and not %u", n, wanted);
}

int
plug_setup(void **state)
{
	struct plug *p = unit_zalloc(sizeof(*p));
	struct conf *c;

	rte_log_set_level_pattern("lib.vhost.*", RTE_LOG_EMERG); /* it logs each refusal */
	p->w = world_create(0);
	p->r = p->w->r;
	c = &p->r->conf;
	snprintf(p->folder, sizeof(p->folder), "/tmp/vs-unit-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/vhost", p->folder);
	snprintf(c->port[0].socket, sizeof(c->port[0].socket), "%s", p->path);
	assert_true(vhost_user_start(&p->w->guests));
	*state = p;
	return 0;
}

int
plug_teardown(void **state)
{
	struct plug *p = *state;
	vu_dev_close(&p->dev);
	vhost_user_stop(&p->w->guests);
	assert_null(plug_set(p));
	assert_int_equal(p->r->lane->npoll, 0);
	guests_destroy(&p->w->guests);
	world_destroy(p->w);
	assert_int_equal(rmdir(p->folder), 0);
	free(p);
	return 0;
}
