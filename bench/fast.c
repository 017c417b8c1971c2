/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The modes that measure: how many frames a second, and how long one takes. */
#include "gen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * The most buffers that are taken and posted at a time where a guest writes or reads each, as drivers have bursts. A
 * whole ring of 1024 took longer than a frame waits for room (60 us), and 0.1 to 0.9 % of the frames were dropped.
 */
#define BATCH 128

struct rounds {
	uint64_t all;
	uint64_t busy; /* looks in which some index had moved */
};

/*
 * Keeps every sender's ring full and every receiver's empty until `end`. A sender has `window`
 * frames in flight: a frame that was taken is made available again. With `read` a frame that arrives
 * is read before its buffer is posted again.
 */
static inline __attribute__((always_inline)) void
run_kind(struct gen *gen, uint64_t end, struct rounds *rounds, const enum pump_kind kind,
		const bool read)
{
	unsigned window = gen->conf->window != 0 ? gen->conf->window : gen->conf->ring;
	uint64_t gap = (uint64_t)(gen->conf->gap_ns * 1e-9 * gen->hz), now, next;
	unsigned len = HDR_LEN + gen_received_len(gen->conf);
	unsigned most = kind == PUMP_FIXED && !read ? UINT16_MAX : BATCH;
	struct pump **first = gen->busy, **last = gen->busy + gen->n_busy;

	do {
		unsigned moved = 0;

		next = gen_now() + gap;
		for (struct pump **at = first; at < last; at++) {
			struct pump *p = *at;
			unsigned n = pump_poll(p, kind, most);

			moved += n;
			if (read && p->write)
				gen->sum += pump_read(p, n, len);
			if (p->write)
				pump_post(p, n, kind);
			else if (n != 0 || pump_in_flight(p) == 0)
				pump_post(p, window - pump_in_flight(p), kind);
		}
		rounds->all++;
		rounds->busy += moved != 0;
		while ((now = gen_now()) < next)
			gen_pause();
	} while (now < end);
}

static void
run_read(struct gen *gen, uint64_t end, struct rounds *rounds)
{
	switch (gen->conf->kind) {
	case PUMP_FIXED:
		run_kind(gen, end, rounds, PUMP_FIXED, true);
		break;
	case PUMP_SPLIT:
		run_kind(gen, end, rounds, PUMP_SPLIT, true);
		break;
	case PUMP_PACKED:
		run_kind(gen, end, rounds, PUMP_PACKED, true);
		break;
	}
}

static void
run(struct gen *gen, uint64_t end, struct rounds *rounds)
{
	if (gen->conf->read) {
		run_read(gen, end, rounds);
		return;
	}
	switch (gen->conf->kind) {
	case PUMP_FIXED:
		run_kind(gen, end, rounds, PUMP_FIXED, false);
		break;
	case PUMP_SPLIT:
		run_kind(gen, end, rounds, PUMP_SPLIT, false);
		break;
	case PUMP_PACKED:
		run_kind(gen, end, rounds, PUMP_PACKED, false);
		break;
	}
}

static void
print_head(const struct gen *gen)
{
	const struct gen_conf *c = gen->conf;

	printf("mode=%s size=%u guests=%u flows=%u pairs=%u ring=%u huge=%d len=%u", c->mode,
			c->size, gen->n, gen->n_flows, c->n_pairs, c->ring, gen->huge,
			gen_received_len(c));
}

/* Returns the frames that arrived; where nobody receives, those that were taken. */
static uint64_t
delivered(const struct gen *gen)
{
	uint64_t sent, received;

	gen_totals(gen, &sent, &received);
	return gen->conf->flows == GEN_OUT ? sent : received;
}

/* Prints frames/s of each sender's rings, if there are several. */
static void
print_lanes(const struct gen *gen, const uint64_t *before, double seconds)
{
	for (unsigned q = 0; gen->conf->n_pairs > 1 && q < gen->conf->n_pairs; q++)
		printf(" mpps%u=%.3f", q,
				(double)(gen->guest[0].tx[q].count - before[q]) / seconds * 1e-6);
}

/* Slices of the measured time, each with a rate of its own. */
#define SLICE_SECONDS 0.005
#define SLICES_MAX 4096

/*
 * Runs for the time to be measured. Returns the rate that a tenth of its slices exceed, which
 * other load on the machine changes least.
 */
static double
run_slices(struct gen *gen, struct rounds *rounds)
{
	static double rate[SLICES_MAX];
	uint64_t start = gen_now(), end = start + (uint64_t)(gen->conf->seconds * gen->hz);
	uint64_t before, now = start;
	unsigned n = 0;

	while (now < end) {
		uint64_t from = now, until = now + (uint64_t)(SLICE_SECONDS * gen->hz);

		before = delivered(gen);
		run(gen, until < end ? until : end, rounds);
		now = gen_now();
		if (n < SLICES_MAX)
			rate[n++] = (double)(delivered(gen) - before) * gen->hz /
					(double)(now - from);
	}
	return n > 0 ? gen_quantile(rate, n, 0.9) : 0;
}

int
mode_throughput(struct gen *gen)
{
	struct rounds warm = {0, 0}, rounds = {0, 0};
	uint64_t sent0, sent1, received0, received1, delivered0, delivered1, t0, t1;
	uint64_t lane0[GEN_PAIRS_MAX];
	struct gen_look look;
	double seconds, rate, high;

	gen_totals(gen, &sent0, &received0);
	run(gen, gen_now() + (uint64_t)(gen->conf->warmup * gen->hz), &warm);
	delivered0 = delivered(gen);
	for (unsigned q = 0; q < gen->conf->n_pairs; q++)
		lane0[q] = gen->guest[0].tx[q].count;
	t0 = gen_now();
	high = run_slices(gen, &rounds);
	t1 = gen_now();
	seconds = (double)(t1 - t0) / gen->hz;
	delivered1 = delivered(gen);
	print_head(gen);
	print_lanes(gen, lane0, seconds);
	if (gen->conf->flows != GEN_IN)
		gen_settle(gen);

	look = gen_look_at_frames(gen);
	rate = (double)(delivered1 - delivered0) / seconds;
	gen_totals(gen, &sent1, &received1);
	printf(" seconds=%.3f rate=%.0f mpps=%.4f mpps_high=%.4f ns_per_frame=%.2f sent=%" PRIu64
	       " hz=%.0f bad_used=%u frames_seen=%u bad_frames=%u rounds=%" PRIu64
	       " busy_rounds=%.3f sum=%" PRIx64,
			seconds, rate, rate * 1e-6, high * 1e-6, rate > 0 ? 1e9 / rate : 0,
			sent1 - sent0, gen->hz, gen_bad_used(gen), look.at, look.bad, rounds.all,
			rounds.all > 0 ? (double)rounds.busy / (double)rounds.all : 0, gen->sum);
	/* Lost: what went in since the warm-up began, less what came out. Nothing is on its way now. */
	if (gen->conf->flows != GEN_OUT && gen->conf->flows != GEN_IN)
		printf(" lost=%" PRId64,
				(int64_t)((sent1 - sent0) * gen_arrivals(gen->conf) -
						(received1 - received0)));
	printf("\n");
	return rate > 0 ? 0 : -EIO;
}

/* In rings: more frames than can be on their way in two rings and the switch between them. */
#define IN_FLIGHT_RINGS 4u

struct latency {
	uint64_t *posted; /* times, by sequence number modulo in_flight */
	uint64_t in_flight;
	uint32_t *sample; /* ticks */
	uint64_t n_samples, room;
	uint64_t next_seq; /* the next one to post */
	uint64_t skipped;  /* posts given up because the generator or the ring was late */
	uint64_t strays;   /* arrivals that were not posted here, or came twice */
};

/* Posts one frame that carries its number, if the ring has room. */
static bool
post_numbered(struct pump *tx, struct latency *l)
{
	uint8_t *buf = pump_buf(tx, tx->posted);

	pump_poll_any(tx);
	if (pump_in_flight(tx) == pump_size(tx))
		return false;
	memcpy(buf + HDR_LEN + SEQ_OFFSET, &l->next_seq, sizeof(l->next_seq));
	l->posted[l->next_seq++ % l->in_flight] = gen_now();
	pump_post_any(tx, 1);
	return true;
}

/* The time is taken first, once for all frames that a look finds. Then they are read. */
static void
take_arrivals(struct gen *gen, struct pump *rx, struct latency *l, bool keep)
{
	uint16_t i = rx->seen;
	unsigned n = pump_poll_any(rx);
	uint64_t now;

	if (n == 0)
		return;
	now = gen_now();
	for (; i != rx->seen; i++) {
		uint64_t seq;

		memcpy(&seq, pump_buf(rx, i) + HDR_LEN + SEQ_OFFSET, sizeof(seq));
		if (seq >= l->next_seq || l->next_seq - seq > l->in_flight) {
			l->strays++;
			continue;
		}
		if (keep && l->n_samples < l->room)
			l->sample[l->n_samples++] = (uint32_t)(now - l->posted[seq % l->in_flight]);
	}
	if (gen->conf->read)
		gen->sum += pump_read(rx, n, HDR_LEN + gen_received_len(gen->conf));
	pump_post_any(rx, n);
}

static void
run_paced(struct gen *gen, struct latency *l, double seconds, bool keep)
{
	struct pump *from = gen->guest[0].tx, *to = gen->guest[gen->guest[0].peer].rx;
	double interval = gen->hz / gen->conf->rate;
	uint64_t start = gen_now(), end = start + (uint64_t)(seconds * gen->hz), now;
	double next = 0;

	while ((now = gen_now()) < end) {
		if ((double)(now - start) >= next) {
			if (!post_numbered(from, l))
				l->skipped++;
			next += interval;
			/* The generator was interrupted. It skips what was due: making up for it would be a burst. */
			while ((double)(now - start) > next + 4 * interval) {
				next += interval;
				l->skipped++;
			}
		}
		take_arrivals(gen, to, l, keep);
	}
}

static int
compare_samples(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double
quantile_us(const struct latency *l, const struct gen *gen, double q)
{
	uint64_t i = (uint64_t)(q * (double)(l->n_samples - 1));

	return l->sample[i] / gen->hz * 1e6;
}

int
mode_latency(struct gen *gen)
{
	const struct gen_conf *c = gen->conf;
	struct latency l = {
			.in_flight = IN_FLIGHT_RINGS * c->ring,
			.room = (uint64_t)(c->rate * c->seconds) + 1,
	};
	uint64_t sent0, sent1, received0, received1;
	int err = 0;

	l.posted = calloc(l.in_flight, sizeof(*l.posted));
	l.sample = malloc(l.room * sizeof(*l.sample));
	if (l.posted == NULL || l.sample == NULL) {
		err = -ENOMEM;
		goto out;
	}
	/* Page faults happen now, and not while measuring. */
	memset(l.sample, 0xff, l.room * sizeof(*l.sample));
	gen_totals(gen, &sent0, &received0);
	run_paced(gen, &l, c->warmup, false);
	run_paced(gen, &l, c->seconds, true);
	gen_settle(gen);
	gen_totals(gen, &sent1, &received1);
	if (l.n_samples == 0) {
		err = -EIO;
		goto out;
	}
	qsort(l.sample, l.n_samples, sizeof(*l.sample), compare_samples);
	print_head(gen);
	printf(" rate=%.0f samples=%" PRIu64 " min_us=%.3f median_us=%.3f p99_us=%.3f max_us=%.1f"
	       " skipped=%" PRIu64 " strays=%" PRIu64 " lost=%" PRId64 " sent=%" PRIu64 "\n",
			c->rate, l.n_samples, quantile_us(&l, gen, 0), quantile_us(&l, gen, 0.5),
			quantile_us(&l, gen, 0.99), quantile_us(&l, gen, 1), l.skipped, l.strays,
			(int64_t)((sent1 - sent0) - (received1 - received0)), sent1 - sent0);
out:
	free(l.posted);
	free(l.sample);
	return err;
}
