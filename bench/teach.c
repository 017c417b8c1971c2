/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Teaches the switch the guests' addresses before the load generator measures. See gen.h. */
#include "gen.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ETHERTYPE_TEACH 0x88b5 /* for local experiments */
#define REACH_MS 60000
#define QUIET_MS 20

/* Posts one frame on the first queue pair. */
static void
post_one(struct gen_guest *g, const uint8_t *frame, unsigned len)
{
	struct pump *p = g->tx;
	uint8_t *buf = pump_buf(p, p->posted);

	memset(buf, 0, HDR_LEN);
	memcpy(buf + HDR_LEN, frame, len);
	p->len = HDR_LEN + len;
	if (p->kind == PUMP_FIXED)
		pump_write(p, p->posted, PUMP_FIXED);
	pump_post_any(p, 1);
}

/* Looks at a ring once, and posts again what arrived. Returns true if anything moved, or is on its way. */
static bool
step(struct pump *p)
{
	unsigned n = pump_poll_any(p);

	if (p->write)
		pump_post_any(p, n);
	return n > 0 || (!p->write && pump_in_flight(p) != 0);
}

/* Polls until nothing has moved for a while: every frame on its way is then delivered or lost. */
void
gen_settle(struct gen *gen)
{
	int64_t deadline = vu_now_ms() + REACH_MS, quiet = vu_now_ms() + QUIET_MS;

	while (vu_now_ms() < quiet && vu_now_ms() < deadline) {
		for (unsigned i = 0; i < gen->n_pumps; i++)
			if (step(&gen->pump[i]))
				quiet = vu_now_ms() + QUIET_MS;
		gen_pause();
	}
}

static uint64_t
received(const struct gen *gen, unsigned i)
{
	uint64_t n = 0;

	for (unsigned q = 0; q < gen->conf->n_pairs; q++)
		n += gen->guest[i].rx[q].count;
	return n;
}

/* Returns true if one frame on each flow arrives where it belongs, and nowhere else. */
static bool
probe(struct gen *gen)
{
	uint64_t before[GEN_GUESTS_MAX] = {0};
	uint8_t frame[ETHER_MIN], dst[6];
	bool good = true;

	for (unsigned i = 0; i < gen->n; i++)
		before[i] = received(gen, i);
	for (unsigned i = 0; i < gen->n; i++) {
		struct gen_guest *g = &gen->guest[i];

		if (!g->sends)
			continue;
		gen_destination(gen, g, dst);
		gen_frame(frame, sizeof(frame), dst, g->mac);
		post_one(g, frame, sizeof(frame));
		before[g->peer] += gen->conf->flows != GEN_OUT;
	}
	gen_settle(gen);
	for (unsigned i = 0; i < gen->n; i++)
		good = good && received(gen, i) == before[i];
	return good;
}

/* A guest sends a broadcast from the address of number `as`. */
static void
hello(struct gen_guest *g, unsigned as)
{
	static const uint8_t all[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t frame[ETHER_MIN], mac[6];

	gen_mac(as, mac);
	gen_frame(frame, sizeof(frame), all, mac);
	frame[12] = ETHERTYPE_TEACH >> 8;
	frame[13] = ETHERTYPE_TEACH & 0xff;
	post_one(g, frame, sizeof(frame));
}

/* The uplink never rests, so this does not settle. 0 once the guest's frame was taken and frames arrive. */
static int
teach_in(struct gen_guest *g)
{
	int64_t deadline = vu_now_ms() + REACH_MS;

	hello(g, 0);
	while (vu_now_ms() < deadline) {
		step(g->tx);
		step(g->rx);
		if (pump_in_flight(g->tx) == 0 && g->rx->count > pump_size(g->rx))
			return 0;
	}
	return -EHOSTUNREACH;
}

/* Each guest sends broadcasts until the switch knows them all. */
static int
teach(struct gen *gen)
{
	int64_t deadline = vu_now_ms() + REACH_MS;

	if (gen->conf->flows == GEN_IN)
		return teach_in(gen->guest);
	do {
		for (unsigned i = 0; i < gen->n; i++)
			hello(&gen->guest[i], i);
		gen_settle(gen);
		if (probe(gen))
			return 0;
	} while (vu_now_ms() < deadline);
	return -EHOSTUNREACH;
}

int
gen_teach(struct gen *gen)
{
	int err = teach(gen);

	if (err < 0)
		fprintf(stderr, "loadgen: frames do not arrive where they belong\n");
	return err;
}
