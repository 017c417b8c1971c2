/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* SET_LOG_BASE: logs of dirty pages that come late, or that are too old to be used. Also what ends with LOG_ALL. */
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/atomic.h"
#include "guest/fault.h"
#include "guest/message.h"
#include "guest/sigbus.h"
#include "guest/slot.h"
#include "guest/vhost_user.h"
#include "plug.h"

#define PAGE 4096

/* Gives it a new log, and returns how many bits that has by then, all of them of its memory. */
static unsigned int
bits_of_new_log(struct plug *p)
{
	const uint64_t first = PLUG_GPA / PAGE, end = (PLUG_GPA + p->dev.mem.region[0].size) / PAGE;
	unsigned int bits = 0;
	const uint8_t *log;
	uint64_t page;
	int fd;

	assert_int_equal(vu_dev_set_log(&p->dev, PAGE, end / 8, 0, &fd), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	log = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	assert_ptr_not_equal(log, MAP_FAILED);
	for (page = 0; page < PAGE * 8; page++) {
		if (!(log[page / 8] >> (page % 8) & 1))
			continue;
		assert_in_range(page, first, end - 1);
		bits++;
	}
	munmap((void *)(uintptr_t)log, PAGE);
	close(fd);
	return bits;
}

/*
 * A log that comes before LOG_ALL is empty. A log that comes while rings are served with LOG_ALL
 * says that all pages were written, as nobody knows which ones really were.
 */
static void
test_late_log(void **state)
{
	struct plug *p = *state;
	unsigned int all;

	plug_connect(p, 1);
	all = p->dev.mem.region[0].size / PAGE;
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(bits_of_new_log(p), 0);
	assert_int_equal(vu_dev_set_features(&p->dev, PLUG_FEATURES | VU_F_LOG_ALL), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	assert_true(p->g->ring[0].logging && p->g->ring[1].logging);
	/* Another log instead: the rings are paused, as the old log goes. */
	assert_int_equal(bits_of_new_log(p), all);
	plug_assert_rings(p, plug_pair(0), 0);
	/* The driver starts again: in QEMU's order the log comes last, and is a new one. */
	assert_int_equal(vu_dev_stop(&p->dev, NULL), 0);
	assert_int_equal(vu_dev_set_features(&p->dev, PLUG_FEATURES | VU_F_LOG_ALL), 0);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(bits_of_new_log(p), all);
	assert_true(p->g->ring[0].logging && p->g->ring[1].logging);
	/* The same at a connection that has had no log. */
	vu_dev_close(&p->dev);
	plug_connect(p, 1);
	assert_int_equal(vu_dev_set_features(&p->dev, PLUG_FEATURES | VU_F_LOG_ALL), 0);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_false(p->g->ring[0].logging);
	assert_int_equal(bits_of_new_log(p), all);
	assert_true(p->g->ring[0].logging && p->g->ring[1].logging);
}

/*
 * A device that does not use its log forgets it when it stops: the log may be too short when the
 * device starts again.
 */
static void
test_old_log(void **state)
{
	struct plug *p = *state;
	int fd;

	plug_connect(p, 1);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(vu_dev_set_log(&p->dev, PAGE, 1, 0, &fd), 0);
	close(fd);
	assert_int_equal(vu_dev_stop(&p->dev, NULL), 0);
	assert_int_equal(vu_dev_set_features(&p->dev, PLUG_FEATURES | VU_F_LOG_ALL), 0);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	plug_assert_rings(p, plug_pair(0), 0);
	assert_false(p->g->ring[0].logging);
	assert_int_equal(bits_of_new_log(p), p->dev.mem.region[0].size / PAGE);
	plug_assert_rings(p, plug_pair(0), 0);
}

static sem_t touched, filled;

/* Keeps the thread that touches a log without a page there, until it has one. */
static void
wait_for_page(int sig)
{
	(void)sig;
	sem_post(&touched);
	while (sem_wait(&filled) != 0)
		;
}

/* While the bits of a log are set, which may take long, the main lcore does not wait for it. */
static void
test_main_lcore_goes_on(void **state)
{
	const struct ring_move none = {
			.conf_port = SOCKET_MAX, .device = GUEST_MAX, .pair = PAIR_ANY};
	bool moved[GUEST_MAX], took_turn;
	struct sigaction sa = {.sa_handler = wait_for_page}, old;
	struct plug *p = *state;
	int fd;

	plug_connect(p, 1);
	assert_int_equal(vu_dev_set_features(&p->dev, PLUG_FEATURES | VU_F_LOG_ALL), 0);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(sem_init(&touched, 0, 0) | sem_init(&filled, 0, 0), 0);
	assert_int_equal(sigaction(SIGBUS, &sa, &old), 0);
	/* librte_vhost answers before the bits are set. */
	assert_int_equal(vu_dev_set_log(&p->dev, 0, PAGE, 0, &fd), 0);
	while (sem_wait(&touched) != 0)
		;
	took_turn = vhost_user_move(&p->w->guests, &none, moved);
	assert_int_equal(ftruncate(fd, PAGE), 0);
	sem_post(&filled);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	sigaction(SIGBUS, &old, NULL);
	close(fd);
	assert_true(took_turn);
}

/* A log that librte_vhost unmaps belongs to nobody: something else may be there next. */
static void
test_unmapped_log(void **state)
{
	const struct vu_msg reset = vu_msg_new(VU_RESET_OWNER);
	struct guest_mapping found;
	struct plug *p = *state;
	const uint8_t *log;
	int fd;

	plug_connect(p, 1);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(vu_dev_stop(&p->dev, NULL), 0);
	assert_int_equal(vu_dev_set_log(&p->dev, PAGE, PAGE, 0, &fd), 0);
	close(fd);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	log = p->g->mem.log;
	assert_int_equal(guest_mem_mapping(&p->g->mem, log, &found), GUEST_MEM_FOUND);
	assert_int_equal(vu_send(p->dev.sock, &reset), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	assert_int_equal(guest_mem_mapping(&p->g->mem, log, &found), GUEST_MEM_NONE);
}

static void *
touch(void *at)
{
	*(volatile uint8_t *)at;
	return NULL;
}

static uint64_t
cpu_ns(pthread_t thread)
{
	struct timespec t = {0};
	clockid_t clock;

	assert_int_equal(pthread_getcpuclockid(thread, &clock), 0);
	assert_int_equal(clock_gettime(clock, &t), 0);
	return t.tv_sec * UINT64_C(1000000000) + t.tv_nsec;
}

/* A worker meets a page that has vanished just while a log is set: it looks again. */
static void
test_page_vanishes_meanwhile(void **state)
{
	struct sigaction old;
	struct plug *p = *state;
	pthread_t worker;

	plug_connect(p, 1);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(sigaction(SIGBUS, NULL, &old), 0);
	sigbus_init(&p->w->guests);
	store_release(&p->g->mem.version, p->g->mem.version + 1);
	assert_int_equal(ftruncate(p->dev.mem.region[0].fd, 0), 0);
	assert_int_equal(pthread_create(&worker, NULL, touch, p->g->mem.region[0].host), 0);
	while (cpu_ns(worker) < 5000000)
		sched_yield();
	store_release(&p->g->mem.version, p->g->mem.version + 1);
	assert_int_equal(pthread_join(worker, NULL), 0);
	assert_int_equal(sigaction(SIGBUS, &old, NULL), 0);
	assert_int_equal(guest_fault_reason(p->g), FAULT_MEMORY);
}

/*
 * Rings of a second pair that were set up though there is but one: librte_vhost throws them away, and closes their
 * files, when a log is switched on. Workers never use them.
 */
static void
test_pairs_not_negotiated(void **state)
{
	const uint64_t features = PLUG_FEATURES & ~VU_F_MQ;
	struct plug *p = *state;
	struct message m = {.request = MSG_SET_FEATURES,
			.flags = MSG_VERSION,
			.size = 8,
			.payload.u64 = features | VU_F_LOG_ALL};

	plug_connect(p, 2);
	assert_int_equal(vu_dev_set_features(&p->dev, features), 0);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	plug_assert_rings(p, plug_pair(0), 0);
	/* They are not only unused: that message ends them. */
	assert_int_equal(p->g->conn.ready, plug_pair(0) | plug_pair(1));
	assert_true(guest_before(p->g, &m));
	assert_int_equal(p->g->conn.ready, plug_pair(0));
	plug_assert_rings(p, 0, plug_pair(0));
	assert_true(guest_after(p->g, &m));
	assert_int_equal(vu_dev_set_features(&p->dev, features | VU_F_LOG_ALL), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	plug_assert_rings(p, plug_pair(0), 0);
	/* With them gone, the log is switched without a pause. */
	m.payload.u64 = features;
	assert_true(guest_before(p->g, &m));
	plug_assert_rings(p, plug_pair(0), 0);
	assert_true(guest_after(p->g, &m));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, plug_setup, plug_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_late_log),
			TEST(test_old_log),
			TEST(test_main_lcore_goes_on),
			TEST(test_unmapped_log),
			TEST(test_pairs_not_negotiated),
			TEST(test_page_vanishes_meanwhile),
	};

	return cmocka_run_group_tests_name("log_base", tests, unit_eal, unit_eal_end);
}
