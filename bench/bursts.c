/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * For machines that have a CPU for each worker of a switch, and none for the generator. It posts
 * a window of frames on each sender's ring, sleeps while the workers empty the rings, each on a CPU
 * that it has to itself, and looks how far they came before any window was used up. The generator
 * wakes up on a worker's CPU, which takes some microseconds of hundreds from that worker.
 *
 * It prints medians over many such bursts: frames/s, as they arrive, of all senders' rings
 * together, and of each ring. For all together it also prints the rate that a tenth of the bursts
 * exceed, which other load on the machine changes least.
 *
 * Buffers are posted again once all frames of a burst have arrived. With `read` all of them are read
 * before that. The switch does nothing meanwhile, so this time is printed beside the rate, in ticks
 * a frame. The rate shows what reading changes for the switch: it writes to buffers that another CPU
 * has read since. A frame costs the sum of both: a store that bypasses the caches gains nothing if
 * the reader pays for it.
 */
#define _GNU_SOURCE
#include "gen.h"

#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define NAP_FIRST_NS 20000
#define NAP_MIN_NS 5000
#define NAP_MAX_NS 20000000
#define DRAIN_NAP_NS 100000
#define DRAIN_NAPS 20000 /* two seconds: then the switch is dead */
#define SHARE 0.6        /* of a window, that the switch should take during a nap */
#define SAMPLES_MAX 20000

struct bursts {
	struct pump *sender[2 * GEN_PAIRS_MAX];
	unsigned n_senders;
	unsigned window;
	uint64_t nap_ns;
	unsigned n;   /* samples */
	unsigned dry; /* useless bursts, in which a window was used up */
	double *rate; /* [sample][sender, or n_senders: all] */
	double *read; /* ticks a frame, a sample for each time that frames were read */
	unsigned n_read;
};

static void
nap(uint64_t ns)
{
	struct timespec ts = {.tv_nsec = (long)ns};

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

/* Returns true if everything that was sent has been taken, and nothing arrived since the last look. */
static bool
idle(struct gen *gen)
{
	bool still = true;

	for (unsigned i = 0; i < gen->n_pumps; i++) {
		struct pump *p = &gen->pump[i];

		still = pump_poll_any(p) == 0 && still;
		still = still && (p->write || pump_in_flight(p) == 0);
	}
	return still;
}

/* Returns how many frames arrived since a receiver's ring was full of empty buffers. */
static unsigned
arrived(const struct pump *p)
{
	return p->write ? pump_size(p) - pump_in_flight(p) : 0;
}

static void
read_all(struct gen *gen, struct bursts *b)
{
	unsigned len = HDR_LEN + gen_received_len(gen->conf), frames = 0;
	uint64_t start = gen_now();

	for (unsigned i = 0; i < gen->n_pumps; i++) {
		const struct pump *p = &gen->pump[i];
		unsigned n = arrived(p);

		gen->sum += n > 0 ? pump_read(p, n, len) : 0;
		frames += n;
	}
	if (frames > 0 && b->n_read < SAMPLES_MAX)
		b->read[b->n_read++] = (double)(gen_now() - start) / frames;
}

/* Waits for the end of a burst, and fills the receivers' rings up. */
static int
drain(struct gen *gen, struct bursts *b)
{
	for (unsigned i = 0; i < DRAIN_NAPS; i++) {
		if (idle(gen)) {
			if (gen->conf->read)
				read_all(gen, b);
			for (unsigned k = 0; k < gen->n_pumps; k++)
				pump_post_any(&gen->pump[k], arrived(&gen->pump[k]));
			return 0;
		}
		nap(DRAIN_NAP_NS);
	}
	fprintf(stderr, "loadgen: the switch does not take what was sent\n");
	return -EIO;
}

/* One burst. Its rate gives the length of the next nap, in which SHARE of a window should be taken. */
static void
burst(const struct gen *gen, struct bursts *b)
{
	double *rate = b->rate + (size_t)b->n * (b->n_senders + 1), most = 0, seconds;
	bool dry = false;
	uint64_t start;

	for (unsigned i = 0; i < b->n_senders; i++)
		pump_post_any(b->sender[i], b->window);
	start = gen_now();
	nap(b->nap_ns);
	seconds = (double)(gen_now() - start) / gen->hz;
	rate[b->n_senders] = 0;
	for (unsigned i = 0; i < b->n_senders; i++) {
		unsigned n = pump_poll_any(b->sender[i]);

		dry = dry || n == b->window;
		rate[i] = n * gen_arrivals(gen->conf) / seconds;
		rate[b->n_senders] += rate[i];
		most = n / seconds > most ? n / seconds : most;
	}
	if (dry) {
		b->dry++;
		b->nap_ns -= b->nap_ns / 4;
	} else if (most == 0) {
		b->nap_ns *= 2;
	} else {
		b->n++;
		b->nap_ns = (3 * b->nap_ns + (uint64_t)(SHARE * b->window / most * 1e9)) / 4;
	}
	if (b->nap_ns < NAP_MIN_NS)
		b->nap_ns = NAP_MIN_NS;
	if (b->nap_ns > NAP_MAX_NS)
		b->nap_ns = NAP_MAX_NS;
}

/* Returns the value of a column that a share of `part` of the samples are below. */
static double
quantile(const struct bursts *b, unsigned column, double part)
{
	double *one = malloc(b->n * sizeof(*one)), m = 0;

	for (unsigned i = 0; one != NULL && i < b->n; i++)
		one[i] = b->rate[(size_t)i * (b->n_senders + 1) + column];
	if (one != NULL)
		m = gen_quantile(one, b->n, part);
	free(one);
	return m;
}

static void
report(const struct gen *gen, struct bursts *b, uint64_t sent, int64_t lost)
{
	const struct gen_conf *c = gen->conf;
	double rate = quantile(b, b->n_senders, 0.5), high = quantile(b, b->n_senders, 0.9);
	struct gen_look look = gen_look_at_frames(gen);

	printf("mode=bursts size=%u len=%u guests=%u pairs=%u ring=%u huge=%d hz=%.0f nap_us=%.1f"
	       " samples=%u dry=%u mpps=%.4f mpps_high=%.4f ns_per_frame=%.2f sent=%" PRIu64
	       " lost=%" PRId64 " bad_used=%u frames_seen=%u bad_frames=%u",
			c->size, gen_received_len(c), gen->n, c->n_pairs, c->ring, gen->huge,
			gen->hz, (double)b->nap_ns * 1e-3, b->n, b->dry, rate * 1e-6, high * 1e-6,
			rate > 0 ? 1e9 / rate : 0, sent, lost, gen_bad_used(gen), look.at,
			look.bad);
	for (unsigned i = 0; i < b->n_senders; i++)
		printf(" mpps%u=%.3f", i, quantile(b, i, 0.5) * 1e-6);
	if (b->n_read > 0)
		printf(" read_cycles=%.2f sum=%" PRIx64, gen_quantile(b->read, b->n_read, 0.5),
				gen->sum);
	printf("\n");
}

int
mode_bursts(struct gen *gen)
{
	struct bursts b = {.nap_ns = NAP_FIRST_NS};
	struct sched_param prio = {.sched_priority = 1};
	uint64_t sent[2], received[2], end;
	int err;

	for (unsigned i = 0; i < gen->n_pumps; i++)
		if (gen->pump[i].on && !gen->pump[i].write && b.n_senders < 2 * GEN_PAIRS_MAX)
			b.sender[b.n_senders++] = &gen->pump[i];
	/* So small that one receive queue has room for all frames, whichever queues they go to. */
	b.window = gen->conf->window != 0 ? gen->conf->window : gen->conf->ring / b.n_senders;
	b.rate = malloc(sizeof(*b.rate) * SAMPLES_MAX * (b.n_senders + 1));
	b.read = malloc(sizeof(*b.read) * SAMPLES_MAX);
	if (b.rate == NULL || b.read == NULL) {
		err = -ENOMEM;
		goto out;
	}
	/* To wake up on time, and at once although a worker spins on the same CPU. */
	prctl(PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
	if (sched_setscheduler(0, SCHED_FIFO, &prio) < 0)
		fprintf(stderr, "loadgen: no real-time priority: the workers may keep the CPU too long\n");
	gen_totals(gen, &sent[0], &received[0]);
	end = gen_now() + (uint64_t)((gen->conf->warmup + gen->conf->seconds) * gen->hz);
	do {
		err = drain(gen, &b);
		if (err == 0)
			burst(gen, &b);
	} while (err == 0 && gen_now() < end && b.n < SAMPLES_MAX);
	if (err == 0)
		err = drain(gen, &b);
	gen_totals(gen, &sent[1], &received[1]);
	if (err == 0 && b.n == 0)
		err = -EIO;
	if (err == 0 && b.dry > b.n)
		fprintf(stderr, "loadgen: most bursts used up a window: take larger rings\n");
	if (err == 0)
		report(gen, &b, sent[1] - sent[0],
				(int64_t)((sent[1] - sent[0]) * gen_arrivals(gen->conf) -
						(received[1] - received[0])));
out:
	free(b.read);
	free(b.rate);
	return err;
}
