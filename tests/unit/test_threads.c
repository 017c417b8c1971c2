/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * One ring and several real threads: two workers fill it at the same time, and a driver checks if
 * it may sleep while a worker checks if the driver sleeps.
 */
#include <pthread.h>
#include <sched.h>

#include <rte_common.h>
#include <rte_pause.h>

#include "base/atomic.h"
#include "frame/cost.h"
#include "guest/lease.h"
#include "ring.h"
#include "pair.h"

#define BUFFER 1600u   /* long enough to be leased */
#define FILLINGS 300u  /* of a ring, by two workers */
#define SHARED 100u    /* of those, by both of them: only these can go wrong */
#define TRIES 3000u    /* a machine may have no second CPU for that */
#define ROUNDS 100000u /* of driver and worker */
#define SPINS 2000u    /* before the CPU is left to others */
#define MEETINGS 20u   /* of workers, in which one has to wait for a ring's lock */
#define TIMES 500000u  /* it is held at most; see TRIES */
#define PAUSES_MAX 16u /* that make one begin later than the other */

/* EAL keeps its threads on one CPU; ours are to run at the same time. */
static void
go_anywhere(void)
{
	cpu_set_t all;

	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
}

static void
wait_a_little(unsigned int *spins)
{
	rte_pause();
	if (++*spins % SPINS == 0)
		sched_yield();
}

/* Two threads that do something together, round for round. */
struct rounds {
	uint32_t turn[2]; /* how many each has begun */
};

/* Waits until the other thread is here, too. */
static void
meet(struct rounds *r, unsigned int who)
{
	uint32_t round = add_acq_rel(&r->turn[who], 1);
	unsigned int spins = 0;

	while ((int32_t)(load_acquire(&r->turn[!who]) - round) < 0)
		wait_a_little(&spins);
}

static void
dither(uint64_t *random)
{
	unsigned int i;

	for (i = unit_random(random) % PAUSES_MAX; i > 0; i--)
		rte_pause();
}

struct filler {
	struct rounds *rounds;
	struct pair *own;     /* where its frames are from */
	struct virtqueue *to; /* the ring of both */
	unsigned int delivered;
	bool over; /* there is no further filling */
};

/* Fills the ring until there is no more room. */
static void
fill(struct filler *f)
{
	struct burst *b = &f->own->burst;
	struct outcome o;

	do {
		b->cost = 0;
		b->put_off = false;
		o = rx_deliver(f->to, b, 0xff, &f->own->count);
		f->delivered += __builtin_popcountll(o.taken);
	} while (o.taken != 0 || b->put_off);
}

static void *
fill_on(void *arg)
{
	struct filler *f = arg;

	go_anywhere();
	for (;;) {
		meet(f->rounds, 1);
		if (f->over)
			return NULL;
		fill(f);
		meet(f->rounds, 1);
	}
}

/* A ring that is filled, and where its buffers are. */
struct filled {
	struct ring *r;
	uint64_t gpa[SIZE];
};

/* What is in a buffer that came back must be one of the frames, whole. */
static bool
is_whole(const struct filled *in, uint32_t id, uint32_t len)
{
	const struct rte_ether_addr to = mac_of(1, 1), from = mac_of(2, 2);
	uint8_t want[BUFFER];

	if (len < HDR + 60 || len >= HDR + 60 + 2 * 8)
		return false;
	len -= HDR;
	frame_make(want, &to, &from, len, len);
	return memcmp(ring_at(in->r, in->gpa[id], HDR + len) + HDR, want, len) == 0;
}

/* Counts the buffers that came back, each once and with a frame. */
static unsigned int
take(const struct filled *to)
{
	bool seen[SIZE] = {false};
	unsigned int n = 0;
	uint32_t id, len;

	while (ring_used(to->r, &id, &len)) {
		n += id < SIZE && !seen[id] && is_whole(to, id, len);
		seen[id % SIZE] = true;
		memset(ring_at(to->r, to->gpa[id % SIZE], BUFFER), 0xee, BUFFER);
	}
	return n;
}

/*
 * Two workers, one receive ring: each buffer is filled once, with one frame. Every other time parts of it
 * are leased from the beginning, else once a worker has found it taken.
 */
static void
two_fill_one(void **state, struct filled *to)
{
	struct rounds rounds = {{0}};
	struct ring *r = to->r;
	struct filler f[2];
	cpu_set_t before;
	pthread_t thread;
	unsigned int i, k, last, good = 0, shared = 0;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	for (i = 0; i < RTE_DIM(f); i++) {
		pair_setup(state);
		f[i] = (struct filler){.rounds = &rounds, .own = *state};
		for (k = 0; k < 8; k++)
			pair_send(f[i].own, k, 60 + 8 * i + k);
		assert_int_equal(pair_fetch(f[i].own, 8), 8);
		f[i].to = &r->vq;
	}
	assert_int_equal(pthread_create(&thread, NULL, fill_on, &f[1]), 0);
	go_anywhere();
	for (i = 0; i < FILLINGS || (shared < SHARED && i < TRIES); i++) {
		for (k = 0; k < SIZE; k++) {
			if (i == 0)
				to->gpa[k] = ring_room(r, k, BUFFER);
			else
				ring_one(r, k, to->gpa[k], BUFFER, WRITE);
		}
		r->vq.leases.contended = i % 2 ? LEASE_BURSTS : 0;
		last = f[1].delivered;
		meet(&rounds, 0);
		k = f[0].delivered;
		fill(&f[0]);
		meet(&rounds, 0);
		good += take(to);
		shared += f[0].delivered != k && f[1].delivered != last;
	}
	f[1].over = true;
	meet(&rounds, 0);
	pthread_join(thread, NULL);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(r->vq.fault, FAULT_NONE);
	assert_int_equal(good, i * SIZE);
	assert_int_equal(f[0].delivered + f[1].delivered, i * SIZE);
	for (i = 0; i < RTE_DIM(f); i++) {
		*state = f[i].own;
		pair_teardown(state);
	}
	ring_destroy(r);
}

static void
test_two_fill_split(void **state)
{
	struct filled to = {.r = ring_create(SIZE, UINT16_MAX - 2)};

	two_fill_one(state, &to);
}

static void
test_two_fill_packed(void **state)
{
	struct filled to = {.r = ring_create_packed(SIZE, SIZE - 3)};

	two_fill_one(state, &to);
}

/* A worker that takes the lock of a ring again and again, each time for a moment. */
struct holder {
	rte_spinlock_t *lock;
	unsigned int times;
	bool stop;
};

static void *
hold_often(void *arg)
{
	struct holder *h = arg;
	uint64_t random = 3;
	unsigned int spins = 0;

	go_anywhere();
	while (!load_relaxed(&h->stop)) {
		rte_spinlock_lock(h->lock);
		dither(&random);
		rte_spinlock_unlock(h->lock);
		add_relaxed(&h->times, 1);
		wait_a_little(&spins);
	}
	return NULL;
}

/*
 * While a frame that can't be leased waits for the end of leases, no more begin: not even by a worker
 * that finds the lock held, or among many workers that frame would wait for ever.
 */
static void
test_waits_its_turn(void **state)
{
	struct pair *p = *state;
	struct virtqueue *vq = &p->rx->vq;
	struct holder h = {.lock = &vq->leases.lock};
	unsigned int i, met = 0, spins = 0;
	bool taken = false;
	cpu_set_t before;
	pthread_t thread;

	for (i = 0; i < 2; i++)
		ring_room(p->rx, i, BUFFER);
	p->tx->vq.frame_max = FRAME_PLAIN_MAX + 1;
	pair_send(p, 0, 60);
	pair_send(p, 1, FRAME_PLAIN_MAX + 1);
	assert_int_equal(pair_fetch(p, 2), 2);
	vq->leases.contended = LEASE_BURSTS;
	vq->last_avail++;
	lease_begin(vq, 1, false);
	assert_int_equal(pair_deliver(p, 2).taken, 0);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(pthread_create(&thread, NULL, hold_often, &h), 0);
	go_anywhere();
	while (!taken && met < MEETINGS && load_relaxed(&h.times) < TIMES) {
		p->burst.put_off = false;
		taken = pair_deliver(p, 1).taken != 0;
		assert_true(taken || p->burst.put_off);
		met += p->burst.cost > COST_DEST && p->burst.cost % COST_PAUSE == COST_DEST;
		wait_a_little(&spins);
	}
	store_relaxed(&h.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_false(taken);
	assert_int_equal(vq->leases.n, 1);
}

/*
 * The driver goes to sleep: it asks for a signal, and then checks if something came. The worker
 * delivers something, and then checks if a signal is wanted. One of the two must see what the other
 * wrote. Without a full barrier a CPU's store may wait in its store buffer while the load is done,
 * on x86 too. After some ten thousand rounds neither sees the other's store, and the driver sleeps
 * for ever.
 */
struct doze {
	struct virtqueue *vq;
	uint16_t *asks; /* where the driver asks for signals: 0; `quiet`: it does not */
	uint16_t quiet;
	const uint16_t *came; /* what the worker changes */
	struct rounds together;
	bool signal; /* of this round */
	unsigned int rounds, missed;
};

static void *
be_worker(void *arg)
{
	struct doze *d = arg;
	struct virtqueue *vq = d->vq;
	uint64_t random = 1;
	unsigned int i;
	uint16_t from;

	go_anywhere();
	for (i = 0; i < d->rounds; i++) {
		/* The cache line that is read is here already: writing the other one is what takes long. */
		(void)load_relaxed(d->asks);
		meet(&d->together, 0);
		dither(&random);
		from = vq->last_used;
		ring_put(vq, (struct used_chain){.id = 0, .ndesc = 1}, 0, vq->packed);
		d->signal = ring_publish(vq, from, vq->packed);
		meet(&d->together, 0);
	}
	return NULL;
}

static void
be_driver(struct doze *d)
{
	uint16_t before, after;
	uint64_t random = 2;
	unsigned int i;

	for (i = 0; i < d->rounds; i++) {
		store_relaxed(d->asks, d->quiet);
		before = load_relaxed(&d->came[d->vq->packed ? 8 * (i % d->vq->size) : 0]);
		meet(&d->together, 1);
		dither(&random);
		store_relaxed(d->asks, 0);
		fence_seq_cst();
		after = load_relaxed(&d->came[d->vq->packed ? 8 * (i % d->vq->size) : 0]);
		meet(&d->together, 1);
		d->missed += after == before && !d->signal;
	}
}

static void
doze(struct doze *d)
{
	cpu_set_t before;
	pthread_t thread;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	d->vq->callfd = 0; /* there is one; nothing is written to it here */
	d->rounds = ROUNDS;
	assert_int_equal(pthread_create(&thread, NULL, be_worker, d), 0);
	go_anywhere();
	be_driver(d);
	pthread_join(thread, NULL);
	d->vq->callfd = -1;
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	assert_int_equal(d->missed, 0);
}

static void
test_sleeper_split(void **state)
{
	struct ring *r = ring_create(SIZE, 0);
	struct doze d = {
			.vq = &r->vq,
			.asks = &r->vq.avail->flags,
			.quiet = VRING_AVAIL_F_NO_INTERRUPT,
			.came = &r->vq.used->idx,
	};

	(void)state;
	doze(&d);
	ring_destroy(r);
}

static void
test_sleeper_packed(void **state)
{
	struct ring *r = ring_create_packed(SIZE, 0);
	struct doze d = {
			.vq = &r->vq,
			.asks = &r->vr.driver_event->flags,
			.quiet = VRING_PACKED_EVENT_FLAG_DISABLE,
			.came = &r->vq.ring[0].flags,
	};

	(void)state;
	doze(&d);
	ring_destroy(r);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_two_fill_split),
			cmocka_unit_test(test_two_fill_packed),
			cmocka_unit_test_setup_teardown(
					test_waits_its_turn, pair_setup, pair_teardown),
			cmocka_unit_test(test_sleeper_split),
			cmocka_unit_test(test_sleeper_packed),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
