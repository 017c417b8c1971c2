/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The rings of a guest, as a front end sets them up, enables and disables them by real
 * messages to the real librte_vhost, and what workers see of them. No worker runs.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_log.h>
#include <rte_rcu_qsbr.h>

#include "base/atomic.h"
#include "guest/connect.h"
#include "guest/fault.h"
#include "guest/message.h"
#include "guest/tx.h"
#include "plug.h"

#define PAIRS VU_PAIRS_MAX
#define FAULTS 100000u

/* All queue pairs, then one, then all again. */
static void
test_sixteen(void **state)
{
	struct plug *p = *state;
	unsigned int i;

	plug_connect(p, PAIRS);
	assert_int_equal(p->dev.queue_num, PAIRS);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	plug_assert_rings(p, RINGS_ALL, 0);
	for (i = 2; i < RINGS_MAX; i++)
		plug_enable(p, i, false);
	plug_assert_rings(p, plug_pair(0), 0);
	for (i = RINGS_MAX - 1; i >= 2; i--)
		plug_enable(p, i, true);
	plug_assert_rings(p, RINGS_ALL, 0);
}

/* Places for frames that wait are made when a ring is first used, and go with the guest. */
static void
test_parks(void **state)
{
	struct plug *p = *state;
	unsigned int i;

	plug_connect(p, 4);
	for (i = 0; i < RINGS_MAX; i++)
		assert_null(p->g->ring[i].source.park);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	for (i = 0; i < RINGS_MAX; i++)
		assert_int_equal(p->g->ring[i].source.park != NULL, i < 8 && i % 2 == 1);
	vu_dev_close(&p->dev);
	plug_connect(p, 1);
	for (i = 0; i < RINGS_MAX; i++)
		assert_null(p->g->ring[i].source.park);
}

/* Rings that are set up but not enabled; enabled in any order; without the first pair; half a pair. */
static void
test_any_order(void **state)
{
	struct plug *p = *state;
	unsigned int i;

	plug_connect(p, 4);
	assert_int_equal(vu_dev_set_mem(&p->dev), 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(vu_dev_setup_ring(&p->dev, i), 0);
	plug_enable(p, 6, true);
	plug_enable(p, 7, true);
	assert_null(plug_set(p)); /* librte_vhost starts the device with the first pair */
	plug_enable(p, 1, true);
	plug_enable(p, 0, true);
	plug_assert_rings(p, plug_pair(0) | plug_pair(3), 0);
	plug_enable(p, 2, true);
	plug_assert_rings(p, plug_pair(0) | plug_pair(3) | UINT32_C(1) << 2, 0);
	plug_enable(p, 0, false);
	plug_enable(p, 1, false);
	plug_assert_rings(p, plug_pair(3) | UINT32_C(1) << 2, 0);
	plug_enable(p, 2, false);
	plug_enable(p, 6, false);
	plug_assert_rings(p, UINT32_C(1) << 7, 0);
	plug_enable(p, 0, true);
	plug_assert_rings(p, UINT32_C(1) << 7 | 1, 0);
}

/* While a message about one ring is handled, that ring alone is paused, and keeps its place. */
static void
test_one_ring_paused(void **state)
{
	static const uint32_t requests[] = {
			MSG_SET_VRING_NUM,
			MSG_SET_VRING_ADDR,
			MSG_SET_VRING_BASE,
			MSG_SET_VRING_CALL,
			MSG_SET_VRING_KICK,
			MSG_SET_VRING_ERR,
			MSG_SET_VRING_ENABLE,
	};
	struct message m = {.flags = MSG_VERSION, .size = 8};
	struct plug *p = *state;
	uint32_t all = 0xff, ring;
	unsigned int i, k;

	plug_connect(p, 4);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	/* librte_vhost has nothing to do meanwhile: this thread plays its part. */
	for (i = 0; i < RTE_DIM(requests); i++) {
		for (k = 0; k < 8; k++) {
			ring = UINT32_C(1) << k;
			m.request = requests[i];
			m.payload.state.index = k;
			m.payload.state.num = 1;
			assert_true(guest_before(p->g, &m));
			plug_assert_rings(p, all & ~ring, ring);
			assert_true(guest_after(p->g, &m));
			plug_assert_rings(p, all, 0);
			assert_int_equal(p->g->ring[k].source.pair, k / 2);
		}
	}
	/* A message about the device pauses all rings, which keep their places. */
	m.request = MSG_SET_OWNER;
	assert_true(guest_before(p->g, &m));
	plug_assert_rings(p, 0, all);
	assert_true(guest_after(p->g, &m));
	plug_assert_rings(p, all, 0);
}

/* A ring that is not ready after its message keeps its place for one more message, unless it was disabled. */
static void
test_paused_ring_not_ready(void **state)
{
	struct message m = {.flags = MSG_VERSION, .size = 8, .payload.state = {2, 1}};
	struct plug *p = *state;
	uint32_t all = 0xff;

	plug_connect(p, 4);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	/* With another file descriptor a ring is not ready, and then ready again, as librte_vhost has it. */
	m.request = MSG_SET_VRING_CALL;
	assert_true(guest_before(p->g, &m));
	guest_ring(p->g, 2, false);
	plug_assert_rings(p, all & ~UINT32_C(4), 4);
	assert_true(guest_after(p->g, &m));
	plug_assert_rings(p, all & ~UINT32_C(4), 4);
	guest_ring(p->g, 2, true);
	plug_assert_rings(p, all, 0);
	/* If the ring does not come back, it loses its place at the next message. */
	assert_true(guest_before(p->g, &m));
	guest_ring(p->g, 2, false);
	assert_true(guest_after(p->g, &m));
	m.request = MSG_GET_FEATURES;
	assert_true(guest_before(p->g, &m));
	plug_assert_rings(p, all & ~UINT32_C(4), 0);
	assert_true(guest_after(p->g, &m));
	guest_ring(p->g, 2, true);
	/* Disabled: its flows go elsewhere at once. */
	m.request = MSG_SET_VRING_ENABLE;
	m.payload.state.num = 0;
	assert_true(guest_before(p->g, &m));
	plug_assert_rings(p, all & ~UINT32_C(4), 0);
	assert_true(guest_after(p->g, &m));
	guest_ring(p->g, 2, false);
	plug_assert_rings(p, all & ~UINT32_C(4), 0);
}

/* Returns the transmit rings that have an announcement to make, as bits. */
static uint32_t
announcers(const struct plug *p)
{
	uint32_t rings = 0;
	unsigned int i;

	for (i = 0; i < RINGS_MAX; i++)
		if (p->g->published >> i & 1 && ring_is_tx(i) &&
				p->g->ring[i].source.ops != &tx_source_ops)
			rings |= UINT32_C(1) << i;
	return rings;
}

/* One ring announces the guest, whichever are enabled, and no worker uses it when that is asked for. */
static void
test_announcer(void **state)
{
	struct message m = {.flags = MSG_VERSION,
			.size = 8,
			.request = MSG_SEND_RARP,
			.payload.u64 = 0x020000000002};
	struct plug *p = *state;
	uint32_t tx = 0xa8; /* all but the first, which is disabled */

	plug_connect(p, 4);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	plug_enable(p, 1, false);
	assert_int_equal(announcers(p), 0);
	assert_true(guest_before(p->g, &m));
	assert_int_equal(p->g->published & RINGS_TX, 0);
	assert_true(guest_after(p->g, &m));
	assert_int_equal(p->g->published & RINGS_TX, tx);
	assert_int_equal(announcers(p), 1 << 3);
	/* Another one does not begin with it as well, though it is the first now. */
	plug_enable(p, 1, true);
	assert_int_equal(announcers(p), 1 << 3);
	plug_enable(p, 3, false);
	assert_int_equal(announcers(p), 0);
	/* It is left to the next ring that comes. */
	plug_enable(p, 5, false);
	plug_enable(p, 5, true);
	assert_int_equal(announcers(p), 1 << 5);
	assert_true(guest_before(p->g, &m));
	assert_int_equal(p->g->published & RINGS_TX, 0);
	assert_true(guest_after(p->g, &m));
	assert_int_equal(announcers(p), 1 << 1);
}

/* Only the indices of the paused ring go through librte_vhost; those of other rings stay. */
static void
test_indices(void **state)
{
	struct message m = {.flags = MSG_VERSION, .size = 8, .request = MSG_SET_VRING_CALL};
	struct plug *p = *state;
	unsigned int i;

	plug_connect(p, 2);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	for (i = 0; i < 4; i++)
		p->g->ring[i].last_avail = p->g->ring[i].last_used = 100 + i;
	m.payload.state.index = 2;
	assert_true(guest_before(p->g, &m));
	for (i = 0; i < 4; i++)
		p->g->ring[i].last_avail = p->g->ring[i].last_used = 200 + i;
	assert_true(guest_after(p->g, &m));
	for (i = 0; i < 4; i++)
		assert_int_equal(p->g->ring[i].last_avail, i == 2 ? 102 : 200 + i);
}

/*
 * A worker that sleeps waits for kicks by an eventfd, and never reads another file: its owner may keep the lock of
 * that.
 */
static void
test_kick_by_other_files(void **state)
{
	struct source *tx;
	struct plug *p = *state;
	int fd[3], i;

	p->r->conf.port[0].uml = true;
	plug_connect(p, 1);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	tx = &p->g->ring[1].source;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fd), 0);
	fd[2] = memfd_create("kick", MFD_CLOEXEC);
	for (i = 0; i < 3; i++) {
		assert_int_equal(vu_dev_set_fd(&p->dev, VU_SET_VRING_KICK, 1, fd[i]), 0);
		assert_int_equal(vu_dev_sync(&p->dev), 0);
		plug_assert_rings(p, plug_pair(0), 0);
		assert_int_equal(tx->ops->ask(tx), SOURCE_NAPS);
		close(fd[i]);
	}
	assert_int_equal(vu_dev_set_fd(&p->dev, VU_SET_VRING_KICK, 1, p->dev.ring[1].kick_fd), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	assert_true(tx->ops->ask(tx) >= 0);
}

/* A device that stops loses all rings; further pairs of which no message tells are not ready either. */
static void
test_stop(void **state)
{
	struct plug *p = *state;
	uint16_t base;

	plug_connect(p, 4);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(vu_dev_get_vring_base(&p->dev, 0, &base), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	plug_assert_rings(p, 0, 0);
	/* Without queue pairs librte_vhost throws the further rings away, and tells nobody. */
	assert_int_equal(vu_dev_set_features(&p->dev, PLUG_FEATURES & ~VU_F_MQ), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	assert_int_equal(p->g->conn.ready, 2);
	assert_int_equal(vu_dev_start_ring(&p->dev, 0), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	plug_assert_rings(p, plug_pair(0), 0);
	/* Now with queue pairs again. */
	assert_int_equal(vu_dev_get_vring_base(&p->dev, 0, &base), 0);
	assert_int_equal(vu_dev_set_features(&p->dev, PLUG_FEATURES), 0);
	assert_int_equal(vu_dev_setup_ring(&p->dev, 2), 0);
	assert_int_equal(vu_dev_start_ring(&p->dev, 0), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	plug_assert_rings(p, plug_pair(0), 0);
	plug_enable(p, 2, true);
	plug_assert_rings(p, plug_pair(0) | UINT32_C(4), 0);
}

/* A message whose answer another thread waits for. */
struct asker {
	struct plug *p;
	unsigned int ring;
	bool on, done;
	pthread_t thread;
};

static void *
ask(void *arg)
{
	struct asker *a = arg;

	plug_enable(a->p, a->ring, a->on);
	store_release(&a->done, true);
	return NULL;
}

/*
 * Enables or disables a ring while a worker, played by this thread, is in the middle of a burst.
 * Returns true if that waits for the worker, and *found, the set that the worker sees, has not
 * changed.
 */
static bool
waits_for_worker(struct plug *p, unsigned int ring, bool on, const struct rx_set *found)
{
	struct rte_rcu_qsbr *v = p->r->lanes.qsbr;
	uint64_t token = load_acquire(&v->token);
	struct asker a = {.p = p, .ring = ring, .on = on};
	const struct rx_set was = *found;
	bool waits;

	assert_int_equal(pthread_create(&a.thread, NULL, ask, &a), 0);
	while (load_acquire(&v->token) == token && !load_acquire(&a.done))
		usleep(1000);
	waits = !load_acquire(&a.done) && memcmp(&was, found, sizeof(was)) == 0;
	rte_rcu_qsbr_quiescent(v, 0);
	/* Further grace periods of the same message must not wait for ever. */
	rte_rcu_qsbr_thread_offline(v, 0);
	pthread_join(a.thread, NULL);
	rte_rcu_qsbr_thread_online(v, 0);
	return waits;
}

/* What a worker has found in the table of ports does not change until its burst is over. */
static void
test_grace(void **state)
{
	struct plug *p = *state;
	struct rte_rcu_qsbr *v = p->r->lanes.qsbr;
	const struct rx_set *found;
	bool shown, kept, rx, tx;

	plug_connect(p, 4);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	plug_enable(p, 2, false);
	plug_enable(p, 4, false);
	plug_enable(p, 3, false); /* its grace period is the last; no set was shown since */
	assert_int_equal(rte_rcu_qsbr_thread_register(v, 0), 0);
	rte_rcu_qsbr_thread_online(v, 0);
	/* One more set can be published at once; the next one would overwrite the set that was found. */
	found = plug_set(p);
	shown = !waits_for_worker(p, 2, true, found) && plug_set(p) != found;
	kept = waits_for_worker(p, 4, true, found);
	/* A ring that is withdrawn is touched only when no worker can be using it. */
	rx = waits_for_worker(p, 6, false, plug_set(p));
	tx = waits_for_worker(p, 5, false, plug_set(p));
	rte_rcu_qsbr_thread_offline(v, 0);
	rte_rcu_qsbr_thread_unregister(v, 0);
	assert_true(shown && kept && rx && tx);
}

static void *
start(void *arg)
{
	struct asker *a = arg;

	assert_int_equal(vu_dev_start(&a->p->dev), 0);
	assert_int_equal(vu_dev_sync(&a->p->dev), 0);
	store_release(&a->done, true);
	return NULL;
}

/*
 * A worker has found that a frame is for the guest that had the slot before, and is about to deliver it: the next
 * guest shows no ring until that burst is over.
 */
static void
test_frame_for_the_one_before(void **state)
{
	struct plug *p = *state;
	struct rte_rcu_qsbr *v = p->r->lanes.qsbr;
	struct asker a = {.p = p};
	uint64_t token;
	bool waits;

	plug_connect(p, 1);
	assert_int_equal(rte_rcu_qsbr_thread_register(v, 0), 0);
	rte_rcu_qsbr_thread_online(v, 0);
	token = load_acquire(&v->token);
	assert_int_equal(pthread_create(&a.thread, NULL, start, &a), 0);
	while (load_acquire(&v->token) == token && !load_acquire(&a.done))
		usleep(1000);
	waits = !load_acquire(&a.done) && plug_set(p) == NULL;
	rte_rcu_qsbr_thread_offline(v, 0);
	pthread_join(a.thread, NULL);
	rte_rcu_qsbr_thread_unregister(v, 0);
	assert_true(waits);
	assert_non_null(plug_set(p));
}

/* A guest may have waited for a signal that did not come while its ring was paused: it gets one. */
static void
test_signal_after_pause(void **state)
{
	struct plug *p = *state;
	unsigned int i;
	uint64_t n;

	plug_connect(p, 2);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	for (i = 0; i < 4; i++) {
		plug_enable(p, i, false);
		while (read(p->dev.ring[i].call_fd, &n, sizeof(n)) == sizeof(n))
			;
		plug_enable(p, i, true);
		assert_int_equal(read(p->dev.ring[i].call_fd, &n, sizeof(n)), sizeof(n));
	}
}

struct looker {
	struct guest *g;
	bool stop;
};

/* As the main lcore does, but all the time. */
static void *
look(void *arg)
{
	struct looker *l = arg;

	while (!load_relaxed(&l->stop))
		guest_check(l->g);
	return NULL;
}

/* A fault that the main lcore finds while its guest is stopped: counted once, and then forgotten. */
static void
test_fault_while_stopped(void **state)
{
	struct plug *p = *state;
	struct looker l = {.g = unit_zalloc(sizeof(*l.g))};
	uint32_t level = rte_log_get_global_level();
	pthread_t thread;
	unsigned int i, k;

	l.g->all = &p->w->guests;
	rte_log_set_global_level(RTE_LOG_EMERG);
	assert_int_equal(pthread_create(&thread, NULL, look, &l), 0);
	for (i = 0; i < FAULTS; i++) {
		vq_fault(&l.g->ring[i % RINGS_MAX], FAULT_HEAD);
		guest_stop(l.g);
		for (k = 0; k < RINGS_MAX; k++)
			assert_int_equal(load_relaxed(&l.g->ring[k].fault), FAULT_NONE);
	}
	store_relaxed(&l.stop, true);
	pthread_join(thread, NULL);
	rte_log_set_global_level(level);
	assert_int_equal(p->w->guests.faults, FAULTS);
	free(l.g);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, plug_setup, plug_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_sixteen),
			TEST(test_parks),
			TEST(test_any_order),
			TEST(test_one_ring_paused),
			TEST(test_paused_ring_not_ready),
			TEST(test_announcer),
			TEST(test_indices),
			TEST(test_kick_by_other_files),
			TEST(test_stop),
			TEST(test_signal_after_pause),
			TEST(test_grace),
			TEST(test_frame_for_the_one_before),
			TEST(test_fault_while_stopped),
	};

	return cmocka_run_group_tests_name("guest", tests, unit_eal, unit_eal_end);
}
