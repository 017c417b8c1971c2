/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * How fast generator and machine can go. A second thread, on the CPU where a switch would run, takes
 * the place of the switch. It only gives buffers back, or (copy) makes one memcpy a frame. The
 * first rate is the generator's own limit, the second is the machine's. This stand-in trusts the
 * rings and reads no descriptor: it knows where the frames are.
 */
#define _GNU_SOURCE
#include "gen.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define BURST 64 /* frames between two looks, as switches do it */

struct stand_in {
	struct gen *gen;
	bool stop;
};

/* A ring as the stand-in sees it. Indices run freely. */
struct end {
	struct pump *pump;
	uint16_t next; /* the next buffer to give back */
};

/* Returns how many buffers the guest has made available, `max` at most. */
static unsigned
available(const struct end *e, unsigned max)
{
	const struct pump *p = e->pump;
	unsigned n = 0;

	if (p->kind != PUMP_PACKED) {
		n = (uint16_t)(__atomic_load_n(&p->avail->idx, __ATOMIC_ACQUIRE) - e->next);
		return n < max ? n : max;
	}
	while (n < max) {
		uint16_t i = (uint16_t)(e->next + n);
		uint64_t mine = (i & pump_size(p)) != 0 ? PUMP_USED : PUMP_AVAIL, rest;

		rest = __atomic_load_n(&p->desc[2 * (i & p->mask) + 1], __ATOMIC_ACQUIRE);
		if ((rest & PUMP_OWNER) != mine)
			break;
		n++;
	}
	return n;
}

static void
give_packed(struct pump *p, uint16_t i, uint32_t len)
{
	uint64_t flags = (i & pump_size(p)) != 0 ? 0 : PUMP_OWNER;

	__atomic_store_n(&p->desc[2 * (i & p->mask) + 1],
			flags | (uint64_t)(i & p->mask) << 32 | len, __ATOMIC_RELEASE);
}

/* Gives n buffers back, all at once. */
static void
give_back(struct end *e, unsigned n, uint32_t len)
{
	struct pump *p = e->pump;
	uint16_t i, end = (uint16_t)(e->next + n);

	if (p->kind == PUMP_PACKED) {
		for (i = (uint16_t)(e->next + 1); i != end; i++)
			give_packed(p, i, len);
		give_packed(p, e->next, len);
	} else {
		for (i = e->next; i != end; i++)
			p->used->ring[i & p->mask] =
					(struct vr_used_elem){.id = i & p->mask, .len = len};
		__atomic_store_n(&p->used->idx, end, __ATOMIC_RELEASE);
	}
	e->next = end;
}

static unsigned
pass(struct end *from, struct end *to, bool copy, unsigned bytes)
{
	unsigned n = available(from, BURST);

	if (n > 0)
		n = available(to, n);
	if (n == 0)
		return 0;
	for (uint16_t i = 0; copy && i < n; i++)
		memcpy(pump_buf(to->pump, (uint16_t)(to->next + i)),
				pump_buf(from->pump, (uint16_t)(from->next + i)), bytes);
	give_back(to, n, bytes);
	give_back(from, n, 0);
	return n;
}

static void *
stand_in_main(void *arg)
{
	struct stand_in *s = arg;
	const struct gen_conf *c = s->gen->conf;
	struct end tx[GEN_GUESTS_MAX] = {{NULL, 0}}, rx[GEN_GUESTS_MAX] = {{NULL, 0}};

	for (unsigned i = 0; i < s->gen->n; i++) {
		tx[i].pump = s->gen->guest[i].tx;
		rx[i].pump = s->gen->guest[i].rx;
	}
	gen_pin(c->peer_cpu);
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		unsigned moved = 0;

		for (unsigned i = 0; i < s->gen->n; i++)
			if (tx[i].pump->on)
				moved += pass(&tx[i], &rx[s->gen->guest[i].peer], c->copy,
						HDR_LEN + c->size - ETHER_FCS);
		if (moved == 0)
			gen_pause();
	}
	return NULL;
}

int
mode_ceiling(const struct gen_conf *conf)
{
	struct stand_in s = {.stop = false};
	struct gen gen;
	pthread_t thread;
	int err;

	err = gen_open_unconnected(&gen, conf);
	if (err < 0)
		return err;
	gen_prefer();
	s.gen = &gen;
	err = -pthread_create(&thread, NULL, stand_in_main, &s);
	if (err == 0) {
		err = mode_throughput(&gen);
		__atomic_store_n(&s.stop, true, __ATOMIC_RELAXED);
		pthread_join(thread, NULL);
	}
	gen_close(&gen);
	return err;
}
