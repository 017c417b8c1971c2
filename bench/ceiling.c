/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How fast the generator could go: a second thread, on the CPU where a switch would run, stands
 * in for one that does nothing but give buffers back, or (copy) nothing more than one memcpy a
 * frame. The first is the generator's own limit, the second the machine's. The stand-in trusts
 * the rings and reads no descriptor: it knows where the frames are.
 */
#define _GNU_SOURCE
#include "gen.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define BURST 64	/* frames between two looks, as switches do it */

struct stand_in {
	struct gen *gen;
	bool stop;
};

static void
give_back(struct vr_used *used, unsigned slot, uint32_t len)
{
	used->ring[slot] = (struct vr_used_elem){ .id = slot, .len = len };
}

static unsigned
pass(struct guest *from, struct guest *to, bool copy, unsigned bytes)
{
	uint16_t tx = from->tx_used->idx, rx = to->rx_used->idx;
	unsigned n = (uint16_t)(gen_load(&from->tx_avail->idx) - tx);
	unsigned room = (uint16_t)(gen_load(&to->rx_avail->idx) - rx);

	n = n < room ? n : room;
	n = n < BURST ? n : BURST;
	for (uint16_t i = 0; i < n; i++) {
		if (copy)
			memcpy(gen_rx_buf(to, (uint16_t)(rx + i)),
					gen_tx_buf(from, (uint16_t)(tx + i)), bytes);
		give_back(to->rx_used, (uint16_t)(rx + i) & (to->size - 1u), bytes);
		give_back(from->tx_used, (uint16_t)(tx + i) & (from->size - 1u), 0);
	}
	if (n > 0) {
		gen_store(&to->rx_used->idx, (uint16_t)(rx + n));
		gen_store(&from->tx_used->idx, (uint16_t)(tx + n));
	}
	return n;
}

static void *
stand_in_main(void *arg)
{
	struct stand_in *s = arg;
	const struct gen_conf *c = s->gen->conf;

	gen_pin(c->peer_cpu);
	while (!__atomic_load_n(&s->stop, __ATOMIC_RELAXED)) {
		unsigned moved = 0;

		for (unsigned i = 0; i < s->gen->n; i++) {
			struct guest *g = &s->gen->guest[i];

			if (g->sends)
				moved += pass(g, &s->gen->guest[g->peer], c->copy,
						12 + c->size - ETHER_FCS);
		}
		if (moved == 0)
			gen_pause();
	}
	return NULL;
}

int
mode_ceiling(const struct gen_conf *conf)
{
	struct stand_in s = { .stop = false };
	struct gen gen;
	pthread_t thread;
	int err;

	err = gen_open_unconnected(&gen, conf);
	if (err < 0)
		return err;
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
