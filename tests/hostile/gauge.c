/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The rate of an honest pair. See gauge.h. */
#define _GNU_SOURCE
#include "gauge.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frames.h"
#include "nic.h"
#include "subject.h"

#define RING VR_SIZE_MAX /* a millisecond of work at least, while this program has no CPU */
#define HEADS 64 /* buffers of a sender: they stay in the caches, as those of a busy guest */
/*
 * Buffers of a receiver. While two workers fill its ring they may be as far apart as all leases together
 * (guest/lease.h: 8, each of a burst of 64), and must not write to one buffer at the same time: ThreadSanitizer
 * would see a race that is none of the switch.
 */
#define RX_HEADS 512
#define LEN 60
#define ROOM 2048 /* bytes of a receive buffer, which also holds what the cases flood */
#define TICK_NS 250000
#define LOOK_NS 100000 /* between two looks: this thread may share a worker's CPU */
#define LOOKS 20
#define POLL_MS 1

/* What the thread saw at one moment. */
struct sample {
	uint64_t at;     /* ns */
	uint64_t frames; /* that the switch had taken by then */
	uint64_t waited; /* how long the worker had waited for a CPU by then, in ns */
};

/* How fast the switch takes one sender's frames. */
struct meter {
	struct vr_ring *tx;
	unsigned worker;
	uint16_t shown;
	struct sample last;
	/* The window, which begins at a moment at which the worker had its CPU. */
	bool open;
	struct sample first;
	uint64_t dry_ns, dry_frames; /* in the window, while the ring was empty */
	/* Rates since gauge_begin(). */
	uint64_t ns, frames;
	double before; /* of the last window */
	double least;  /* the least that the better one of two windows in a row had */
	unsigned windows;
};

struct gauge {
	struct nic nic[2];
	uint8_t mac[2][6];
	unsigned up;
	const struct cpu_time *cpu_time;
	bool running, stop;
	bool quiet, full; /* the main thread's wishes */
	pthread_t thread;
	pthread_mutex_t lock; /* guards the meters */
	struct meter meter[CPU_TIME_WORKERS];
};

/* Returns how long the worker had a CPU between two moments. */
static uint64_t
cpu_ns(const struct sample *a, const struct sample *b)
{
	uint64_t all = b->at - a->at, waited = b->waited - a->waited;

	return all > waited ? all - waited : 0;
}

static void
close_window(struct meter *m, uint64_t frames, uint64_t ns)
{
	double rate = (double)frames * 1e9 / (double)ns;

	/* A disturbance by this program, or by the CPU's sibling, seldom lasts for two windows. */
	if (m->windows < 2)
		m->least = m->windows == 0 || rate > m->before ? rate : m->before;
	else if (rate < m->least && m->before < m->least)
		m->least = rate > m->before ? rate : m->before;
	m->before = rate;
	m->windows++;
	m->frames += frames;
	m->ns += ns;
}

/* The worker had its CPU at `s`. */
static void
advance(struct meter *m, const struct sample *s)
{
	uint64_t ns, frames;

	if (m->open) {
		ns = cpu_ns(&m->first, s);
		frames = s->frames - m->first.frames;
		if (ns < m->dry_ns + GAUGE_WINDOW_NS)
			return;
		close_window(m, frames - m->dry_frames, ns - m->dry_ns);
	}
	m->open = true;
	m->first = *s;
	m->dry_ns = m->dry_frames = 0;
}

/* Notes all of a moment. Returns false if this thread lost its CPU in the middle. */
static bool
look(const struct gauge *g, const struct meter *m, struct sample *s)
{
	uint16_t used;

	s->at = now_ns();
	s->waited = cpu_time_waited(g->cpu_time, m->worker);
	used = vr_raw_used_idx(m->tx);
	s->frames = m->last.frames + (uint16_t)(used - (uint16_t)m->last.frames);
	return now_ns() < s->at + LOOK_NS;
}

/* Notes how far the switch has come, and makes all buffers available again. */
static void
take_sample(struct gauge *g, struct meter *m)
{
	struct sample s;
	uint16_t used, done;

	for (unsigned i = 0; !look(g, m, &s) && i < LOOKS; i++)
		;
	used = (uint16_t)s.frames;
	done = (uint16_t)(s.frames - m->last.frames);
	/* The worker went on after `last` and had not waited for a CPU, so it had its CPU at `last`. */
	if (done != 0 && s.waited - m->last.waited < LOOK_NS)
		advance(m, &m->last);
	if (used == m->shown) {
		m->dry_ns += cpu_ns(&m->last, &s);
		m->dry_frames += done;
	}
	m->last = s;
	if (__atomic_load_n(&g->quiet, __ATOMIC_ACQUIRE))
		return;
	m->shown = (uint16_t)(used + RING);
	vr_raw_avail_idx(m->tx, m->shown);
}

static void *
run(void *arg)
{
	const struct timespec tick = {.tv_nsec = TICK_NS};
	const struct sched_param first = {.sched_priority = 1};
	struct gauge *g = arg;

	/*
	 * The thread has little to do, but the rings must not run dry. Without the right to this
	 * priority they do at times.
	 */
	pthread_setschedparam(pthread_self(), SCHED_FIFO, &first);
	while (!__atomic_load_n(&g->stop, __ATOMIC_ACQUIRE)) {
		for (unsigned i = __atomic_load_n(&g->full, __ATOMIC_ACQUIRE); i < 2; i++)
			vr_raw_avail_idx(g->nic[i].rx,
					(uint16_t)(vr_raw_used_idx(g->nic[i].rx) + RING));
		pthread_mutex_lock(&g->lock);
		for (unsigned i = 0; i < g->cpu_time->n; i++)
			take_sample(g, &g->meter[i]);
		pthread_mutex_unlock(&g->lock);
		nanosleep(&tick, NULL); /* the switch is at work meanwhile */
	}
	return NULL;
}

struct gauge *
gauge_connect(const char *socket, const struct cpu_time *t)
{
	const struct nic_opts opts = {
			.dev = {.features = VU_F_VERSION_1 | VU_F_PROTOCOL_FEATURES,
					.protocol = VU_PROTOCOL_REPLY_ACK,
					.rx_size = RING,
					.tx_size = RING,
					.mem.region_size = 4 << 20},
			.rx_bufs = HEADS, /* frames that are flooded at first must find room */
			.tx_bufs = 1,
	};
	struct gauge *g = calloc(1, sizeof(*g));
	uint8_t frame[FRAME_MIN];
	int sock, err;

	if (g == NULL)
		return NULL;
	pthread_mutex_init(&g->lock, NULL);
	g->cpu_time = t;
	for (; g->up < 2; g->up++) {
		mac_make(g->mac[g->up], GAUGE_MAC + g->up);
		sock = vu_connect(socket, PATIENCE_MS);
		err = sock < 0 ? sock : nic_open(&g->nic[g->up], sock, &opts);
		if (err < 0) {
			gauge_end(g);
			return NULL;
		}
	}
	for (unsigned i = 0; i < 2; i++) {
		frame_make(frame, mac_broadcast, g->mac[i], TYPE_CASE, 0, sizeof(frame));
		nic_send(&g->nic[i], frame, sizeof(frame), NULL);
	}
	return g;
}

const uint8_t *
gauge_mac(const struct gauge *g, unsigned i)
{
	return g->mac[i];
}

/* Lets all entries of the ring name `heads` buffers of `len` bytes, which hold this frame if one is given. */
static bool
lay_out(struct nic *nic, struct vr_ring *vr, unsigned heads, const uint8_t *frame, uint32_t len,
		uint16_t flags)
{
	for (uint16_t i = 0; i < heads; i++) {
		uint8_t *at = vu_mem_alloc(&nic->dev.mem, 0, nic->hdr_len + len, 64);

		if (at == NULL)
			return false;
		if (frame != NULL)
			memcpy(at + nic->hdr_len, frame, len);
		vr_raw_desc(vr, i, vu_mem_gpa(&nic->dev.mem, at), nic->hdr_len + len, flags, 0);
	}
	for (unsigned i = 0; i < RING; i++)
		vr_raw_avail(vr, (uint16_t)i, (uint16_t)(i % heads));
	return true;
}

bool
gauge_go(struct gauge *g)
{
	uint8_t frame[LEN];

	for (unsigned i = 0; i < 2; i++) {
		struct meter *m = &g->meter[i];
		struct vr_ring *tx = g->nic[i].tx;

		/* The frame that it sent before was forwarded, so its address is known. */
		if (nic_drain(&g->nic[i], PATIENCE_MS) != 0)
			return false;
		frame_make(frame, g->mac[i ^ 1], g->mac[i], TYPE_CASE, 0, LEN);
		if (!lay_out(&g->nic[i], tx, HEADS, frame, LEN, 0) ||
				!lay_out(&g->nic[i], g->nic[i].rx, RX_HEADS, NULL, ROOM,
						VR_DESC_WRITE))
			return false;
		tx->avail->flags = g->nic[i].rx->avail->flags = VR_AVAIL_NO_INTERRUPT;
		*m = (struct meter){.tx = tx, .worker = i};
		m->last.frames = m->shown = vr_raw_used_idx(tx);
	}
	g->running = pthread_create(&g->thread, NULL, run, g) == 0;
	return g->running;
}

void
gauge_begin(struct gauge *g)
{
	pthread_mutex_lock(&g->lock);
	for (unsigned i = 0; i < g->cpu_time->n; i++) {
		struct meter *m = &g->meter[i];

		m->open = false;
		m->ns = m->frames = 0;
		m->least = 0;
		m->windows = 0;
	}
	pthread_mutex_unlock(&g->lock);
}

bool
gauge_read(struct gauge *g, unsigned windows, int timeout_ms, struct gauge_rate *r)
{
	int64_t deadline = vu_now_ms() + timeout_ms;
	const struct meter *m;

	for (;;) {
		*r = (struct gauge_rate){.windows = UINT32_MAX};
		pthread_mutex_lock(&g->lock);
		for (unsigned i = 0; i < g->cpu_time->n; i++) {
			m = &g->meter[i];
			r->mean[i] = m->ns == 0 ? 0 : (double)m->frames * 1e9 / (double)m->ns;
			r->least[i] = m->windows == 0 ? 0 : m->least;
			if (m->windows < r->windows)
				r->windows = m->windows;
		}
		pthread_mutex_unlock(&g->lock);
		if (r->windows >= windows || vu_now_ms() > deadline)
			return r->windows >= windows;
		poll(NULL, 0, POLL_MS);
	}
}

void
gauge_rest(struct gauge *g, bool quiet, bool full)
{
	__atomic_store_n(&g->quiet, quiet, __ATOMIC_RELEASE);
	__atomic_store_n(&g->full, full, __ATOMIC_RELEASE);
}

bool
gauge_is_full(const struct gauge *g)
{
	const struct vr_ring *rx = g->nic[0].rx;

	return vr_raw_used_idx(rx) == __atomic_load_n(&rx->avail->idx, __ATOMIC_ACQUIRE);
}

void
gauge_end(struct gauge *g)
{
	if (g == NULL)
		return;
	__atomic_store_n(&g->stop, true, __ATOMIC_RELEASE);
	if (g->running)
		pthread_join(g->thread, NULL);
	for (unsigned i = 0; i < g->up; i++)
		nic_close(&g->nic[i]);
	pthread_mutex_destroy(&g->lock);
	free(g);
}
