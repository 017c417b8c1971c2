/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Honest neighbours. See neighbours.h. */
#define _GNU_SOURCE
#include "neighbours.h"

#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "frames.h"
#include "nic.h"
#include "subject.h"

#define WINDOW 32      /* frames under way to one: far fewer than its 256 buffers */
#define TICK_NS 200000 /* pace: some 20,000 frames/s a direction at most */
#define A_TICK 4
#define HANGS_MS 600000 /* a worker that has had no CPU for so long hangs, also in a soak */
#define POLL_MS 1
/*
 * A worker had no CPU, so another one perhaps had no ring, for as long as a frame may wait for that (switch/lane.c); or
 * the neighbours' thread had none, so that broadcasts of a case may fill their rings: 256 frames in 45 ms were seen.
 */
#define STOOD_NS 10000000
#define TURN_NS 1000000 /* in which it sends to one before it empties the other's ring */
#define DELAY_NS 500000 /* for a shorter delay it is not looked up how long the worker waited */
#define MAC_BASE 0x01000000
#define SEEN_MAX 64
#define MERGE_BUF 224 /* a window of longest frames fills most of the 256 buffers */

struct neighbour {
	struct nic nic;
	uint8_t mac[6];
	uint64_t sent;   /* frames to the peer; shared with the main thread */
	uint64_t got;    /* frames of the peer; likewise */
	uint64_t heard;  /* frames of the peer at the last check; main thread */
	uint64_t lost;   /* frames to the peer that the switch must have dropped; shared */
	unsigned worker; /* that polls its transmit ring */
	struct stamp {
		uint64_t at;     /* ns */
		uint64_t waited; /* how long the worker had waited for a CPU by then, in ns */
	} stamp[WINDOW];         /* when a frame was sent, by its number */
	uint64_t looked;         /* when it last began to look for frames */
	uint64_t delay;          /* longest of a frame that came, ns; shared */
};

struct neighbours {
	struct neighbour each[NEIGHBOURS];
	unsigned up; /* connected */
	const struct cpu_time *cpu_time;
	bool patient;
	bool running;
	pthread_t thread;
	bool stop, pause;                  /* main thread's wishes */
	bool paused;                       /* the thread's answer to `pause` */
	uint64_t waited[CPU_TIME_WORKERS]; /* of each worker, for its CPU; thread's */
	uint64_t stood; /* longest time between two turns of the thread, ns; shared */
	uint64_t stood_at; /* when it was seen last that it or a worker had had no CPU for long, ns; likewise */
	pthread_mutex_t lock; /* guards what follows */
	char error[320];
	uint64_t seen[SEEN_MAX]; /* sequence numbers of the cases' frames */
	unsigned n_seen;
};

__attribute__((format(printf, 2, 3))) static void
complain(struct neighbours *n, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	pthread_mutex_lock(&n->lock);
	if (n->error[0] == '\0')
		vsnprintf(n->error, sizeof(n->error), format, ap);
	pthread_mutex_unlock(&n->lock);
	va_end(ap);
}

static size_t
length_of(uint64_t seq)
{
	return 60 + seq * 211 % 1455;
}

/* Returns who has this address; NEIGHBOURS: none of them. */
static unsigned
neighbour_of(const struct neighbours *n, const uint8_t *mac)
{
	unsigned i = 0;

	while (i < NEIGHBOURS && memcmp(n->each[i].mac, mac, 6) != 0)
		i++;
	return i;
}

/*
 * Notes a frame that is not for neighbour i. If its own receiver gets it, too, it was flooded; if its
 * number is an old one, the buffer was not written. `sender` and `receiver` are NEIGHBOURS where the frame has
 * another address.
 */
static void
complain_stray(struct neighbours *n, unsigned i, const uint8_t *frame, size_t len)
{
	unsigned sender = neighbour_of(n, frame + 6), receiver = neighbour_of(n, frame);
	bool pair = sender < NEIGHBOURS && receiver == (sender ^ 1);
	bool whole = len < FRAME_MIN || frame_damage(frame, len) == 0;

	complain(n,
			"neighbour %u got a frame that is not for it: from %02x:%02x:%02x:%02x:%02x:%02x "
			"(neighbour %u) to %02x:%02x:%02x:%02x:%02x:%02x (neighbour %u), type %04x, "
			"%zu bytes, %s, number %ju; that pair has sent %ju and received %ju so far",
			i, frame[6], frame[7], frame[8], frame[9], frame[10], frame[11], sender,
			frame[0], frame[1], frame[2], frame[3], frame[4], frame[5], receiver,
			frame_type(frame), len, whole ? "whole" : "damaged",
			(uintmax_t)(len < FRAME_MIN ? 0 : frame_seq(frame)),
			(uintmax_t)(pair ? n->each[sender].sent : 0),
			(uintmax_t)(pair ? n->each[receiver].got : 0));
}

/*
 * Frames to neighbour i are missing. If this thread or a worker had no CPU after the first of them was sent, the ring
 * was perhaps full or that worker's, and the switch may have dropped them. Then it must have counted them. Returns
 * false if there is no such excuse.
 */
static bool
give_up(struct neighbours *n, unsigned i, uint64_t from, uint64_t to)
{
	struct neighbour *peer = &n->each[i ^ 1];

	if (to <= from ||
			__atomic_load_n(&n->stood_at, __ATOMIC_RELAXED) + TURN_NS <
					peer->stamp[from % WINDOW].at)
		return false;
	__atomic_store_n(&peer->lost, peer->lost + (to - from), __ATOMIC_RELAXED);
	return true;
}

/* Notes if a worker had no CPU for long, so that another one waited for its ring. */
static void
look_at_workers(struct neighbours *n)
{
	if (n->cpu_time->n == 1)
		return;
	for (unsigned i = 0; i < n->cpu_time->n; i++) {
		uint64_t waited = cpu_time_waited(n->cpu_time, i);

		if (waited - n->waited[i] > STOOD_NS)
			__atomic_store_n(&n->stood_at, now_ns(), __ATOMIC_RELAXED);
		n->waited[i] = waited;
	}
}

static void
look_at(struct neighbours *n, unsigned i, const uint8_t *frame, size_t len)
{
	struct neighbour *me = &n->each[i], *peer = &n->each[i ^ 1];
	uint64_t seq = len >= FRAME_MIN ? frame_seq(frame) : UINT64_MAX;

	if (len >= FRAME_MIN && (frame_type(frame) == TYPE_RARP || frame_type(frame) == TYPE_MOVER))
		return;
	if (len >= FRAME_MIN && frame_type(frame) == TYPE_CASE) {
		pthread_mutex_lock(&n->lock);
		n->seen[n->n_seen++ % SEEN_MAX] = seq;
		pthread_mutex_unlock(&n->lock);
		return;
	}
	if (memcmp(frame, me->mac, 6) != 0 || memcmp(frame + 6, peer->mac, 6) != 0 ||
			frame_type(frame) != TYPE_NEIGHBOUR) {
		complain_stray(n, i, frame, len);
		return;
	}
	if (seq != me->got) {
		look_at_workers(n); /* one may have had its CPU back since this turn began */
		if (!give_up(n, i, me->got, seq))
			complain(n, "neighbour %u got frame %ju instead of %ju", i, (uintmax_t)seq,
					(uintmax_t)me->got);
	}
	if (len != length_of(seq) || frame_damage(frame, len) != 0)
		complain(n, "neighbour %u got frame %ju damaged (%zu bytes, byte %zu)", i,
				(uintmax_t)seq, len, frame_damage(frame, len));
	if (me->nic.rx_hdr.flags != 0 || me->nic.rx_hdr.gso_type != 0 ||
			me->nic.rx_hdr.num_buffers != me->nic.rx_merged)
		complain(n, "neighbour %u got a header with flags %u, gso_type %u, num_buffers %u",
				i, me->nic.rx_hdr.flags, me->nic.rx_hdr.gso_type,
				me->nic.rx_hdr.num_buffers);
	__atomic_store_n(&me->got, seq + 1, __ATOMIC_RELEASE);
}

/*
 * Frame `seq` for `me` has arrived, so the worker has had its CPU meanwhile, and it is known how
 * long it waited for it. When `me` last looked, the frame was not there yet.
 */
static void
note_delay(struct neighbours *n, struct neighbour *me, struct neighbour *peer, uint64_t seq,
		uint64_t looked)
{
	const struct stamp *s = &peer->stamp[seq % WINDOW];
	uint64_t delay, waited;

	if (looked < s->at + DELAY_NS)
		return;
	delay = looked - s->at;
	waited = cpu_time_waited(n->cpu_time, peer->worker) - s->waited;
	delay = delay > waited ? delay - waited : 0;
	if (delay > __atomic_load_n(&me->delay, __ATOMIC_RELAXED))
		__atomic_store_n(&me->delay, delay, __ATOMIC_RELAXED);
}

static void
receive_all(struct neighbours *n, unsigned i)
{
	struct neighbour *me = &n->each[i], *peer = &n->each[i ^ 1];
	uint64_t looked = me->looked, before = me->got;
	uint8_t frame[FRAME_ROOM];
	int len;

	me->looked = now_ns();
	while ((len = nic_recv(&me->nic, frame, sizeof(frame))) > 0)
		look_at(n, i, frame, (size_t)len);
	for (; before < me->got && me->got - before <= WINDOW; before++)
		note_delay(n, me, peer, before, looked);
	if (len < 0)
		complain(n, "neighbour %u: receive ring: %s", i, strerror(-len));
}

static void
send_some(struct neighbours *n, unsigned i)
{
	struct neighbour *me = &n->each[i], *peer = &n->each[i ^ 1];
	uint8_t frame[FRAME_ROOM];
	int err = nic_reclaim(&me->nic);
	uint64_t waited = cpu_time_waited(n->cpu_time, me->worker);

	if (err < 0)
		complain(n, "neighbour %u: transmit ring: %s", i, strerror(-err));
	for (unsigned k = 0; k < A_TICK && me->sent - peer->got < WINDOW; k++) {
		size_t len = length_of(me->sent);

		frame_make(frame, peer->mac, me->mac, TYPE_NEIGHBOUR, me->sent, len);
		if (nic_send(&me->nic, frame, len, NULL) < 0)
			return;
		me->stamp[me->sent % WINDOW] = (struct stamp){now_ns(), waited};
		__atomic_store_n(&me->sent, me->sent + 1, __ATOMIC_RELEASE);
	}
}

static void *
run(void *arg)
{
	const struct timespec tick = {.tv_nsec = TICK_NS};
	struct neighbours *n = arg;
	uint64_t last = now_ns(), now;

	while (!__atomic_load_n(&n->stop, __ATOMIC_ACQUIRE)) {
		bool pause = __atomic_load_n(&n->pause, __ATOMIC_ACQUIRE);

		now = now_ns();
		if (now - last > n->stood)
			__atomic_store_n(&n->stood, now - last, __ATOMIC_RELAXED);
		if (now - last > STOOD_NS)
			__atomic_store_n(&n->stood_at, now, __ATOMIC_RELAXED);
		last = now;
		look_at_workers(n);
		for (unsigned i = 0; i < NEIGHBOURS; i++) {
			receive_all(n, i);
			if (!pause)
				send_some(n, i);
		}
		__atomic_store_n(&n->paused, pause, __ATOMIC_RELEASE);
		nanosleep(&tick, NULL); /* the pace of the load: nothing is waited for */
	}
	return NULL;
}

struct neighbours *
neighbours_connect(const char *socket, uint64_t features, const struct cpu_time *t, bool patient)
{
	struct nic_opts opts = {
			.dev = {.features = VU_F_VERSION_1 | VU_F_PROTOCOL_FEATURES | features,
					.protocol = VU_PROTOCOL_REPLY_ACK},
			.tx_buf_size = BUF_ROOM,
	};
	struct neighbours *n = calloc(1, sizeof(*n));
	uint8_t frame[FRAME_MIN];
	int sock, err;

	if (n == NULL)
		return NULL;
	if ((features & VU_F_MRG_RXBUF) != 0)
		opts.rx_buf_size = MERGE_BUF;
	n->cpu_time = t;
	n->patient = patient;
	pthread_mutex_init(&n->lock, NULL);
	for (; n->up < NEIGHBOURS; n->up++) {
		struct neighbour *me = &n->each[n->up];

		mac_make(me->mac, MAC_BASE + n->up);
		me->worker = n->up % t->n; /* the worker with the fewest rings gets the next one */
		sock = vu_connect(socket, PATIENCE_MS);
		err = sock < 0 ? sock : nic_open(&me->nic, sock, &opts);
		if (err < 0) {
			neighbours_end(n);
			return NULL;
		}
	}
	for (unsigned i = 0; i < NEIGHBOURS; i++) {
		frame_make(frame, mac_broadcast, n->each[i].mac, TYPE_CASE, 0, sizeof(frame));
		nic_send(&n->each[i].nic, frame, sizeof(frame), NULL);
	}
	return n;
}

static bool
all_arrived(const struct neighbours *n)
{
	for (unsigned i = 0; i < NEIGHBOURS; i++)
		if (__atomic_load_n(&n->each[i].sent, __ATOMIC_ACQUIRE) !=
				__atomic_load_n(&n->each[i ^ 1].got, __ATOMIC_ACQUIRE))
			return false;
	return true;
}

static bool
all_heard(struct neighbours *n)
{
	for (unsigned i = 0; i < NEIGHBOURS; i++)
		if (__atomic_load_n(&n->each[i].got, __ATOMIC_ACQUIRE) == n->each[i].heard)
			return false;
	return true;
}

static bool
all_settled(struct neighbours *n)
{
	return __atomic_load_n(&n->paused, __ATOMIC_ACQUIRE) && all_arrived(n);
}

static bool
wait_until(struct neighbours *n, bool (*is_so)(struct neighbours *n))
{
	int64_t begin = vu_now_ms(), waited;
	uint64_t ran[CPU_TIME_WORKERS];

	cpu_time_ran(n->cpu_time, ran);
	while (!is_so(n)) {
		waited = vu_now_ms() - begin;
		if (waited > PATIENCE_MS &&
				(!n->patient || cpu_time_enough(n->cpu_time, ran) ||
						waited > HANGS_MS))
			return false;
		poll(NULL, 0, POLL_MS);
	}
	return true;
}

/* Each buffer of a receiver was used once. */
static bool
all_warm(struct neighbours *n)
{
	for (unsigned i = 0; i < NEIGHBOURS; i++)
		if (__atomic_load_n(&n->each[i].got, __ATOMIC_ACQUIRE) < n->each[i].nic.rx->size)
			return false;
	return true;
}

bool
neighbours_go(struct neighbours *n)
{
	n->running = pthread_create(&n->thread, NULL, run, n) == 0;
	if (!n->running || !wait_until(n, all_warm))
		return false;
	for (unsigned i = 0; i < NEIGHBOURS; i++)
		__atomic_store_n(&n->each[i].delay, 0, __ATOMIC_RELAXED);
	return true;
}

bool
neighbours_settle(struct neighbours *n)
{
	return wait_until(n, all_settled);
}

uint64_t
neighbours_sent(const struct neighbours *n, unsigned i)
{
	return 1 + __atomic_load_n(&n->each[i].sent, __ATOMIC_ACQUIRE);
}

uint64_t
neighbours_lost(const struct neighbours *n, unsigned i)
{
	return __atomic_load_n(&n->each[i].lost, __ATOMIC_RELAXED);
}

uint64_t
neighbours_got(const struct neighbours *n)
{
	uint64_t got = 0;

	for (unsigned i = 0; i < NEIGHBOURS; i++)
		got += __atomic_load_n(&n->each[i].got, __ATOMIC_ACQUIRE);
	return got;
}

uint64_t
neighbours_stood(const struct neighbours *n)
{
	return __atomic_load_n(&n->stood, __ATOMIC_RELAXED);
}

const char *
neighbours_check(struct neighbours *n, uint64_t *delay_ns)
{
	const char *error;
	bool heard, settled;

	/* A case may be over before the neighbours' thread has run: then there is nothing to judge yet. */
	__atomic_store_n(&n->pause, false, __ATOMIC_RELEASE);
	heard = wait_until(n, all_heard);
	__atomic_store_n(&n->pause, true, __ATOMIC_RELEASE);
	settled = wait_until(n, all_settled);
	*delay_ns = 0;
	for (unsigned i = 0; i < NEIGHBOURS; i++) {
		struct neighbour *me = &n->each[i];
		uint64_t delay = __atomic_exchange_n(&me->delay, 0, __ATOMIC_RELAXED);
		uint64_t sent = n->each[i ^ 1].sent, got = me->got;

		/* If the whole window is missing no later frame shows it. */
		if (!settled && give_up(n, i, got, sent)) {
			got = sent;
			__atomic_store_n(&me->got, got, __ATOMIC_RELEASE);
		}
		if (!heard && got == me->heard)
			complain(n, "neighbour %u heard nothing", i);
		if (!settled && sent != got)
			complain(n, "neighbour %u lost frames: %ju sent, %ju received", i,
					(uintmax_t)sent, (uintmax_t)got);
		me->heard = got;
		if (delay > *delay_ns)
			*delay_ns = delay;
	}
	pthread_mutex_lock(&n->lock);
	error = n->error[0] != '\0' ? n->error : NULL;
	pthread_mutex_unlock(&n->lock);
	__atomic_store_n(&n->pause, false, __ATOMIC_RELEASE);
	return error;
}

void
neighbours_rest(struct neighbours *n)
{
	__atomic_store_n(&n->pause, true, __ATOMIC_RELEASE);
	wait_until(n, all_settled);
}

bool
neighbours_saw(struct neighbours *n, uint64_t seq)
{
	bool seen = false;

	pthread_mutex_lock(&n->lock);
	for (unsigned i = 0; i < SEEN_MAX; i++)
		seen = seen || n->seen[i] == seq;
	memset(n->seen, 0, sizeof(n->seen));
	n->n_seen = 0;
	pthread_mutex_unlock(&n->lock);
	return seen;
}

const uint8_t *
neighbours_mac(const struct neighbours *n, unsigned i)
{
	return n->each[i].mac;
}

void
neighbours_end(struct neighbours *n)
{
	if (n == NULL)
		return;
	__atomic_store_n(&n->stop, true, __ATOMIC_RELEASE);
	if (n->running)
		pthread_join(n->thread, NULL);
	for (unsigned i = 0; i < n->up; i++)
		nic_close(&n->each[i].nic);
	pthread_mutex_destroy(&n->lock);
	free(n);
}
