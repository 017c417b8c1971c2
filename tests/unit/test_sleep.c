/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Workers that sleep, with the loop of a real worker in a thread of its own and real eventfds. No
 * wake-up is lost, nobody waits for a sleeping worker, and rings may go while it sleeps.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_pause.h>

#include "guest/kick.h"
#include "guest/ring.h"
#include "rig.h"
#include "run/sleep.h"
#include "run/worker.h"
#include "switch/grace.h"
#include "tests/driver/vhost_user.h"

/* Frames that a driver sends, each at another moment of the worker's way to sleep. */
#define ROUNDS 25000u
#define PAUSES_MAX 400u /* before a frame: the worker sleeps, is about to, or works */
#define LIMIT_S 20      /* for what takes microseconds */
#define FRAME 60u
#define FIRSTS 200u   /* frames after a pause */
#define FIRST_MS 200u /* median; it is some ten microseconds on a quiet machine */

struct night {
	struct rig *r;
	struct workers workers;
	pthread_t thread;
	cpu_set_t before;
};

static void *
night_work(void *arg)
{
	cpu_set_t all;

	/* EAL keeps its threads on one CPU. */
	memset(&all, 0xff, sizeof(all));
	sched_setaffinity(0, sizeof(all), &all);
	worker_run(arg);
	return NULL;
}

/* Two guests, whose rings nobody polls yet, and a worker that sleeps after a microsecond. */
static int
night_setup(void **state)
{
	struct night *n = unit_zalloc(sizeof(*n));
	cpu_set_t all;

	n->r = rig_create_known(2);
	n->workers.lanes = &n->r->lanes;
	n->workers.worker[0] = (struct worker){
			.all = &n->workers,
			.lane = n->r->lane,
			.sleeper = sleeper_create(n->r->lane, n->r->lanes.qsbr, 1),
	};
	assert_non_null(n->workers.worker[0].sleeper);
	assert_int_equal(sched_getaffinity(0, sizeof(n->before), &n->before), 0);
	memset(&all, 0xff, sizeof(all));
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
	assert_int_equal(pthread_create(&n->thread, NULL, night_work, &n->workers.worker[0]), 0);
	*state = n;
	return 0;
}

static int
night_teardown(void **state)
{
	struct night *n = *state;

	store_relaxed(&n->workers.stop, true);
	lanes_wake_all(&n->r->lanes);
	assert_int_equal(pthread_join(n->thread, NULL), 0);
	workers_free(&n->workers);
	assert_int_equal(sched_setaffinity(0, sizeof(n->before), &n->before), 0);
	rig_destroy(n->r);
	free(n);
	return 0;
}

static time_t
seconds(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec;
}

/* Waits for something that takes microseconds. */
#define WAIT_FOR(what) \
	do { \
		time_t end_ = seconds() + LIMIT_S; \
		while (!(what)) { \
			assert_true(seconds() < end_); \
			sched_yield(); \
		} \
	} while (0)

static bool
is_asleep(const struct night *n)
{
	return load_relaxed(&n->r->lane->load.since) != 0;
}

static void
make_ring(struct night *n, unsigned int port, uint64_t features)
{
	struct ring *r;

	ring_destroy(n->r->tx[port]);
	r = (features & VU_F_RING_PACKED) != 0 ? ring_create_packed(RIG_RING, RIG_RING - 3)
					       : ring_create(RIG_RING, 65000);
	r->vr.features |= features;
	r->vq.event_idx = (features & VU_F_EVENT_IDX) != 0;
	r->vq.source.port = port;
	r->vq.kickfd = r->vr.kick_fd;
	n->r->tx[port] = r;
}

static void
give(struct night *n, unsigned int port)
{
	struct virtqueue *vq = &n->r->tx[port]->vq;

	ring_suppress(vq);
	lanes_add(&n->r->lanes, &vq->source, vq);
}

static void
take_away(struct night *n, unsigned int port)
{
	lanes_remove(&n->r->lanes, &n->r->tx[port]->vq.source);
	lanes_quiesce(&n->r->lanes);
}

/* Shows a frame to its sender itself, which is dropped and so comes back at once. */
static void
show(struct ring *r, uint64_t gpa)
{
	const struct vr_seg seg = {.gpa = gpa, .len = HDR_MAX + FRAME};

	assert_true(vr_add(&r->vr, &seg, 1, 0, NULL) >= 0);
	vr_publish(&r->vr, 0);
}

static uint64_t
make_frame(struct ring *r)
{
	const struct rte_ether_addr own = mac_of(r->vq.source.port, 0);
	uint64_t gpa = ring_bytes(r, HDR_MAX + FRAME);

	memset(ring_at(r, gpa, HDR_MAX), 0, HDR_MAX);
	frame_make(ring_at(r, gpa, HDR_MAX + FRAME) + HDR_MAX, &own, &own, FRAME, 1);
	return gpa;
}

static void
come_back(struct ring *r)
{
	WAIT_FOR(vr_used_pending(&r->vr) != 0);
	assert_int_equal(vr_take_used(&r->vr, NULL, NULL, NULL), 1);
}

static unsigned int
rounds(void)
{
	const char *text = getenv("SLEEP_ROUNDS");

	return text != NULL ? strtoul(text, NULL, 10) : ROUNDS;
}

/*
 * A frame becomes available at any moment while the worker goes to sleep. Either the driver sees
 * that a kick is wanted and kicks, or the worker sees the frame.
 */
static void
race(struct night *n, uint64_t features)
{
	uint64_t random = 1, gpa;
	unsigned int i, k, kicks = 0;
	struct ring *r;

	make_ring(n, 0, features);
	r = n->r->tx[0];
	gpa = make_frame(r);
	give(n, 0);
	for (i = 0; i < rounds(); i++) {
		for (k = unit_random(&random) % PAUSES_MAX; k > 0; k--)
			rte_pause();
		show(r, gpa);
		kicks += vr_kick(&r->vr);
		come_back(r);
	}
	assert_true(kicks != 0);
	assert_int_equal(load_relaxed(&n->r->lane->count[0].received), rounds());
	take_away(n, 0);
	assert_int_equal(r->vq.fault, FAULT_NONE);
}

static void
test_race_split(void **state)
{
	race(*state, 0);
}

static void
test_race_split_event(void **state)
{
	race(*state, VU_F_EVENT_IDX);
}

static void
test_race_packed(void **state)
{
	race(*state, VU_F_RING_PACKED);
}

static void
test_race_packed_event(void **state)
{
	race(*state, VU_F_RING_PACKED | VU_F_EVENT_IDX);
}

/* A grace period is over while the worker sleeps, and does not wake it. */
static void
test_grace(void **state)
{
	struct night *n = *state;
	uint64_t since;

	make_ring(n, 0, 0);
	give(n, 0);
	WAIT_FOR((since = load_relaxed(&n->r->lane->load.since)) != 0);
	WAIT_FOR(load_relaxed(&n->r->lanes.qsbr->qsbr_cnt[0].cnt) == 0);
	since = load_relaxed(&n->r->lane->load.since);
	lanes_quiesce(&n->r->lanes);
	assert_int_equal(load_relaxed(&n->r->lane->load.since), since);
	take_away(n, 0);
}

/* Rings come and go while the worker sleeps: a frame that waits in a new one needs no kick. */
static void
test_come_and_go(void **state)
{
	struct night *n = *state;
	unsigned int i;

	make_ring(n, 0, 0);
	make_ring(n, 1, VU_F_RING_PACKED);
	give(n, 0);
	for (i = 0; i < 1000; i++) {
		WAIT_FOR(is_asleep(n));
		show(n->r->tx[1], make_frame(n->r->tx[1]));
		give(n, 1);
		come_back(n->r->tx[1]);
		take_away(n, 1);
	}
	take_away(n, 0);
}

/* A ring's kick file descriptor is replaced while the ring is paused; kicks by the old one wake nobody. */
static void
test_new_kickfd(void **state)
{
	struct night *n = *state;
	struct ring *r;
	uint64_t before;
	int old, fd;

	make_ring(n, 0, 0);
	r = n->r->tx[0];
	give(n, 0);
	WAIT_FOR(is_asleep(n));
	lanes_remove(&n->r->lanes, &r->vq.source);
	lanes_quiesce(&n->r->lanes);
	/* librte_vhost closes its own; the guest keeps one of the same file. */
	old = dup(r->vr.kick_fd);
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert_true(old >= 0 && fd >= 0 && dup2(fd, r->vr.kick_fd) == r->vr.kick_fd);
	close(fd);
	give(n, 0);
	assert_int_equal(eventfd_write(old, 1), 0);
	show(r, make_frame(r));
	vr_kick(&r->vr);
	come_back(r);
	WAIT_FOR(is_asleep(n));
	before = load_relaxed(&n->r->lane->load.asleep);
	show(r, make_frame(r));
	vr_kick_always(&r->vr);
	come_back(r);
	WAIT_FOR(load_relaxed(&n->r->lane->load.asleep) != before);
	close(old);
	take_away(n, 0);
}

/* A ring whose driver can't kick is looked at after naps. */
static void
test_naps(void **state)
{
	struct night *n = *state;
	unsigned int i;

	make_ring(n, 0, 0);
	n->r->tx[0]->vq.kickfd = -1;
	give(n, 0);
	for (i = 0; i < 50; i++) {
		WAIT_FOR(is_asleep(n));
		show(n->r->tx[0], make_frame(n->r->tx[0]));
		come_back(n->r->tx[0]);
	}
	take_away(n, 0);
}

static int
compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* How long a first frame after a pause takes. The bound is for a busy machine. */
static void
test_first_frame(void **state)
{
	const struct timespec pause = {.tv_nsec = 2000000};
	struct night *n = *state;
	uint64_t took[FIRSTS], gpa, begin;
	struct ring *r;
	unsigned int i;

	make_ring(n, 0, 0);
	r = n->r->tx[0];
	gpa = make_frame(r);
	give(n, 0);
	for (i = 0; i < FIRSTS; i++) {
		nanosleep(&pause, NULL);
		WAIT_FOR(is_asleep(n));
		begin = rte_rdtsc();
		show(r, gpa);
		vr_kick(&r->vr);
		come_back(r);
		took[i] = rte_rdtsc() - begin;
	}
	qsort(took, FIRSTS, sizeof(took[0]), compare);
	print_message("first frame after a pause: median %.1f us, 90th percentile %.1f us\n",
			took[FIRSTS / 2] * 1e6 / rte_get_tsc_hz(),
			took[FIRSTS * 9 / 10] * 1e6 / rte_get_tsc_hz());
	assert_true(took[FIRSTS / 2] < rte_get_tsc_hz() / 1000 * FIRST_MS);
	take_away(n, 0);
}

/* While a frame waits for room the worker does not sleep: nobody would wake it when there is room. */
static void
test_frames_wait(void **state)
{
	struct night *n = *state;
	const struct port_count *c = &n->r->lane->count[0];

	make_ring(n, 0, 0);
	give(n, 0);
	rig_send(n->r, 0, &n->r->mac[1], FRAME, 1);
	vr_kick(&n->r->tx[0]->vr);
	WAIT_FOR(load_relaxed(&c->received) == 1);
	assert_int_equal(load_relaxed(&c->delivered), 0);
	rig_offer(n->r, 1, 1);
	WAIT_FOR(load_relaxed(&c->delivered) == 1);
	take_away(n, 0);
}

static bool
is_over(const struct source *s)
{
	RTE_SET_USED(s);
	return true;
}

/* That is so also if their sender was stopped meanwhile, and nothing more will come from it. */
static void
test_frames_of_a_stopped_sender_wait(void **state)
{
	struct night *n = *state;
	const struct port_count *c = &n->r->lane->count[0];
	const struct lane_load *load = &n->r->lane->load;
	static struct source_ops ops; /* the worker may outlive a test that fails */
	struct source *s;
	uint64_t asleep, end;

	make_ring(n, 0, 0);
	s = &n->r->tx[0]->vq.source;
	ops = *s->ops;
	ops.is_over = is_over;
	s->ops = &ops;
	n->r->lane->retry_delay = rte_get_tsc_hz() / 1000; /* it has nothing to do meanwhile */
	give(n, 0);
	rig_send(n->r, 0, &n->r->mac[1], FRAME, 1);
	vr_kick(&n->r->tx[0]->vr);
	WAIT_FOR(load_relaxed(&c->received) == 1);
	asleep = load_relaxed(&load->asleep);
	end = rte_rdtsc() + rte_get_tsc_hz() / 100;
	while (rte_rdtsc() < end) {
		assert_int_equal(load_relaxed(&load->asleep), asleep);
		assert_int_equal(load_relaxed(&load->since), 0);
	}
	rig_offer(n->r, 1, 1);
	WAIT_FOR(load_relaxed(&c->delivered) == 1);
	take_away(n, 0);
}

/* A broken ring that is kicked again and again keeps no worker awake, and nothing is written into it. */
static void
test_broken(void **state)
{
	struct night *n = *state;
	struct ring *r;

	make_ring(n, 0, 0);
	r = n->r->tx[0];
	give(n, 0);
	take_away(n, 0);
	vq_fault(&r->vq, FAULT_RING_ADDRESS);
	store_relaxed(&r->vq.used->flags, 0x55);
	show(r, make_frame(r));
	lanes_add(&n->r->lanes, &r->vq.source, &r->vq);
	WAIT_FOR(is_asleep(n));
	assert_int_equal(load_relaxed(&r->vq.used->flags), 0x55);
	take_away(n, 0);
}

/* A kick file descriptor that the guest made blocking and emptied is not waited for. */
static void
test_take_never_waits(void **state)
{
	int fd = eventfd(0, EFD_CLOEXEC);
	eventfd_t value;

	(void)state;
	kick_take(fd);
	assert_int_equal(eventfd_write(fd, 7), 0);
	kick_take(fd);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(eventfd_read(fd, &value), -1);
	close(fd);
}

#define TEST(t) cmocka_unit_test_setup_teardown(t, night_setup, night_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_race_split),
			TEST(test_race_split_event),
			TEST(test_race_packed),
			TEST(test_race_packed_event),
			TEST(test_grace),
			TEST(test_come_and_go),
			TEST(test_new_kickfd),
			TEST(test_naps),
			TEST(test_first_frame),
			TEST(test_frames_wait),
			TEST(test_frames_of_a_stopped_sender_wait),
			TEST(test_broken),
			cmocka_unit_test(test_take_never_waits),
	};

	return cmocka_run_group_tests_name("sleep", tests, unit_eal, unit_eal_end);
}
