/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * How long a frame takes while many are on their way: one sender posts at a given rate, up to
 * what a switch can take. Between two looks at the rings several frames are due. They are posted
 * together, with the same time. No frame is read: the n-th that was posted is the n-th that
 * arrives. A lost frame would shift that count, so every SLICE_SECONDS the generator waits until
 * nothing is on its way, and counts from 0 again. Until then a loss makes times longer, never shorter.
 *
 * The generator may lose its CPU for a moment. Frames that were due meanwhile are skipped, because
 * they would be a burst that nobody asked for. Frames that arrived meanwhile do not count, because
 * nobody saw when. Both numbers are printed. When a worker loses its CPU to other load, the times
 * show it: so p99_us is the median of the slices' 99th percentiles, and p99_all_us is that of all frames.
 */
#include "gen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define SLICE_SECONDS 0.02
#define SLICES_MAX 4096
#define AWAY_NS 2000   /* between two looks: far longer than a look takes, so the CPU was lost */
#define QUIET_NS 20000 /* without an arrival: nothing is on its way */
#define BIN_TICKS 16
#define BINS (1u << 17) /* a millisecond at 2 GHz; the last one has the rest */
#define MARKS 8192u     /* posts on their way: more than a ring and the switch hold */

/* Frames that were posted at one time. */
struct mark {
	uint64_t time;
	uint64_t end; /* the number of the first one after them */
};

struct paced {
	struct pump *from, *to;
	double per_tick;      /* frames */
	uint64_t away, quiet; /* ticks */
	struct mark *mark;
	unsigned first, last;     /* marks in use; run freely */
	uint64_t posted, arrived; /* frames in this slice */
	uint64_t *bin;            /* frames by the ticks that they took */
	unsigned read;            /* bytes of each frame that arrives */
	uint64_t sum;
	uint64_t counted, skipped, blind;
	uint64_t *slice_bin; /* the frames of this slice, by the ticks that they took */
	uint64_t slice_counted;
	double slice_p99[SLICES_MAX]; /* us */
	unsigned n_slices;
};

static void
take(struct paced *p, unsigned n, uint64_t now, bool seen)
{
	while (n > 0 && p->first != p->last) {
		struct mark *m = &p->mark[p->first % MARKS];
		uint64_t k = m->end - p->arrived, bin = (now - m->time) / BIN_TICKS;

		if (k > n)
			k = n;
		else
			p->first++;
		p->arrived += k;
		n -= (unsigned)k;
		if (seen) {
			p->slice_bin[bin < BINS ? bin : BINS - 1] += k;
			p->slice_counted += k;
		} else {
			p->blind += k;
		}
	}
}

/* Posts what is due, as far as there is room. */
static void
post(struct paced *p, uint64_t due, uint64_t now)
{
	unsigned room = pump_size(p->from) - pump_in_flight(p->from);
	unsigned n = due < room ? (unsigned)due : room;

	p->skipped += due - n;
	if (n == 0 || p->last - p->first == MARKS)
		return;
	p->posted += n;
	p->mark[p->last++ % MARKS] = (struct mark){.time = now, .end = p->posted};
	pump_post_any(p->from, n);
}

/* One look at both rings. Returns its time. */
static uint64_t
look(struct paced *p, uint64_t before)
{
	unsigned n = pump_poll_any(p->to);
	uint64_t now = gen_now();

	if (n > 0) {
		take(p, n, now, now - before < p->away);
		if (p->read != 0)
			p->sum += pump_read(p->to, n, p->read);
		pump_post_any(p->to, n);
	}
	pump_poll_any(p->from);
	return now;
}

/* Waits until nothing is on its way, and counts from 0 again. Returns the time. */
static uint64_t
rest(struct paced *p, uint64_t now)
{
	uint64_t before = p->to->count, quiet = now + p->quiet;

	while (now < quiet || pump_in_flight(p->from) != 0) {
		now = look(p, now);
		if (p->to->count != before) {
			before = p->to->count;
			quiet = now + p->quiet;
		}
	}
	p->first = p->last;
	p->posted = p->arrived = 0;
	return now;
}

static void
run_slice(struct paced *p, uint64_t ticks)
{
	uint64_t start = gen_now(), before = start, end = start + ticks, now;
	double due = 0;

	while ((now = look(p, before)) < end) {
		double more = (double)(now - before) * p->per_tick;

		if (now - before < p->away) {
			due += more;
			post(p, (uint64_t)due, now);
			due -= (double)(uint64_t)due;
		} else {
			p->skipped += (uint64_t)more;
		}
		before = now;
	}
	rest(p, before);
}

static double
quantile_us(const uint64_t *bin, uint64_t n, const struct gen *gen, double part)
{
	uint64_t below = (uint64_t)(part * (double)(n - 1)), sum = 0;
	unsigned i = 0;

	while (i < BINS - 1 && (sum += bin[i]) <= below)
		i++;
	return (i + 0.5) * BIN_TICKS / gen->hz * 1e6;
}

/* Adds a slice to the totals. */
static void
end_slice(struct paced *p, const struct gen *gen)
{
	if (p->slice_counted > 0 && p->n_slices < SLICES_MAX)
		p->slice_p99[p->n_slices++] =
				quantile_us(p->slice_bin, p->slice_counted, gen, 0.99);
	for (unsigned i = 0; i < BINS; i++) {
		p->bin[i] += p->slice_bin[i];
		p->slice_bin[i] = 0;
	}
	p->counted += p->slice_counted;
	p->slice_counted = 0;
}

static void
run_for(struct paced *p, const struct gen *gen, double seconds)
{
	uint64_t end = gen_now() + (uint64_t)(seconds * gen->hz);

	do {
		run_slice(p, (uint64_t)(SLICE_SECONDS * gen->hz));
		end_slice(p, gen);
	} while (gen_now() < end);
}

static void
report(struct paced *p, const struct gen *gen, uint64_t sent, int64_t lost)
{
	const struct gen_conf *c = gen->conf;

	printf("mode=paced size=%u len=%u guests=%u ring=%u huge=%d rate=%.0f samples=%" PRIu64
	       " median_us=%.3f p90_us=%.3f p99_us=%.3f p99_all_us=%.3f skipped=%" PRIu64
	       " blind=%" PRIu64 " sum=%" PRIx64 " sent=%" PRIu64 " lost=%" PRId64 " bad_used=%u\n",
			c->size, gen_received_len(c), gen->n, c->ring, gen->huge, c->rate,
			p->counted, quantile_us(p->bin, p->counted, gen, 0.5),
			quantile_us(p->bin, p->counted, gen, 0.9),
			gen_quantile(p->slice_p99, p->n_slices, 0.5),
			quantile_us(p->bin, p->counted, gen, 0.99), p->skipped, p->blind, p->sum,
			sent, lost, gen_bad_used(gen));
}

int
mode_paced(struct gen *gen)
{
	const struct gen_conf *c = gen->conf;
	struct paced p = {
			.from = gen->guest[0].tx,
			.to = gen->guest[gen->guest[0].peer].rx,
			.read = c->read ? HDR_LEN + gen_received_len(c) : 0,
			.per_tick = c->rate / gen->hz,
			.away = (uint64_t)(AWAY_NS * 1e-9 * gen->hz),
			.quiet = (uint64_t)(QUIET_NS * 1e-9 * gen->hz),
			.mark = calloc(MARKS, sizeof(*p.mark)),
			.bin = calloc(BINS, sizeof(*p.bin)),
			.slice_bin = calloc(BINS, sizeof(*p.slice_bin)),
	};
	uint64_t sent0, sent1, received0, received1;
	int err = -ENOMEM;

	if (p.mark != NULL && p.bin != NULL && p.slice_bin != NULL) {
		gen_totals(gen, &sent0, &received0);
		run_for(&p, gen, c->warmup);
		p.counted = p.skipped = p.blind = p.n_slices = 0;
		for (unsigned i = 0; i < BINS; i++)
			p.bin[i] = 0;
		run_for(&p, gen, c->seconds);
		gen_settle(gen);
		gen_totals(gen, &sent1, &received1);
		err = p.counted > 0 ? 0 : -EIO;
		if (err == 0)
			report(&p, gen, sent1 - sent0,
					(int64_t)((sent1 - sent0) - (received1 - received0)));
	}
	free(p.mark);
	free(p.bin);
	free(p.slice_bin);
	return err;
}
