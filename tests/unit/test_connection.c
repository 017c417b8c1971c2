/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Connections of front ends: how many there may be, when one takes a port, and what the switch answers itself. */
#include <glob.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_version.h>

#include "client.h"
#include "guest/message.h"
#include "guest/slot.h"
#include "plug.h"

#define NEW_SOCKETS 5u

/* Connections that set nothing up take no port, and their number is limited. */
static void
test_places(void **state)
{
	struct plug *p = *state;
	int bare[4 + 8 + 1];
	unsigned int i;
	char byte;

	p->r->conf.port[0].guests = 4;
	for (i = 0; i < 4 + 8; i++) {
		bare[i] = vu_connect(p->path, PLUG_WAIT_MS);
		assert_true(bare[i] >= 0);
	}
	plug_wait_connections(p, 4 + 8);
	for (i = 0; i < GUEST_MAX; i++)
		assert_int_equal(p->r->ports.port[i].state, PORT_FREE);
	/* One more is closed by the switch; when another goes, there is room. */
	bare[12] = vu_connect(p->path, PLUG_WAIT_MS);
	assert_true(bare[12] >= 0);
	assert_int_equal(recv(bare[12], &byte, 1, 0), 0);
	close(bare[12]);
	for (i = 0; i < 4 + 8; i++)
		close(bare[i]);
	plug_wait_connections(p, 0);
	plug_connect(p, 1);
	assert_int_equal(p->g->slot, SLOT_NONE);
	assert_int_equal(p->r->ports.port[0].state, PORT_FREE);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(p->g->slot, 0);
	assert_int_equal(p->r->ports.port[0].state, PORT_USED);
	assert_ptr_equal(p->w->guests.by_slot[0], p->g);
	/* The port stays the guest's while its driver stops and starts. */
	assert_int_equal(vu_dev_stop(&p->dev, NULL), 0);
	assert_int_equal(p->r->ports.port[0].state, PORT_USED);
	vu_dev_close(&p->dev);
	plug_wait_connections(p, 0);
	assert_int_equal(p->r->ports.port[0].state, PORT_LEAVING);
	assert_null(p->w->guests.by_slot[0]);
}

/* The layout of librte_vhost's own struct is known for the releases that were inspected, and for no others. */
static void
test_releases(void **state)
{
	static const struct {
		const char *version;
		bool known;
	} release[] = {
			{"DPDK 21.11.9", false},
			{"DPDK 22.11.0", true},
			{"DPDK 22.11.11", true},
			{"DPDK 24.11.8", true},
			{"DPDK 25.03.0", true},
			{"DPDK 25.11.4", true},
			{"DPDK 26.03.0-rc1", false},
			{"DPDK 127.11.0", false},
			{"", false},
	};
	struct plug *p = *state;

	for (unsigned int i = 0; i < RTE_DIM(release); i++)
		assert_int_equal(message_size_in(release[i].version) != 0, release[i].known);
	assert_true(message_size_in(rte_version()) != 0);
	/* In the running release the field is where it was expected, as the answer is the switch's own. */
	plug_connect(p, QUEUE_PAIRS_MAX);
	assert_int_equal(p->dev.queue_num, QUEUE_PAIRS_MAX);
}

/* The number of pairs is answered only if no file descriptor came with the question: none is leaked. */
static void
test_question_with_fds(void **state)
{
	struct vu_msg m = vu_msg_new(VU_GET_QUEUE_NUM);
	struct plug *p = *state;
	unsigned int files;

	plug_connect(p, 1);
	files = client_open_files();
	for (m.n_fds = 0; m.n_fds < 3; m.n_fds++)
		m.fd[m.n_fds] = STDERR_FILENO;
	assert_int_equal(vu_send(p->dev.sock, &m), 0);
	assert_true(vu_recv(p->dev.sock, &m, PLUG_WAIT_MS) < 0); /* hung up */
	vu_dev_close(&p->dev);
	plug_connect(p, 1);
	/* librte_vhost's thread may have met the next connection before it closes the last one. */
	WAIT_WHILE(client_open_files() > files);
	assert_true(client_open_files() <= files);
}

/* Returns true if librte_vhost's thread waits in poll(2), or is of a release that does not do so. */
static bool
vhost_thread_waits(void)
{
	char name[32], state = 'S';
	glob_t threads;
	size_t i;
	FILE *file;

	assert_int_equal(glob("/proc/self/task/*/stat", 0, NULL, &threads), 0);
	for (i = 0; i < threads.gl_pathc; i++) {
		file = fopen(threads.gl_pathv[i], "r");
		assert_non_null(file);
		assert_int_equal(fscanf(file, "%*d (%31[^)]) %c", name, &state), 2);
		fclose(file);
		if (strcmp(name, "vhost-events") == 0)
			break;
		state = 'S';
	}
	globfree(&threads);
	return state == 'S';
}

/* A socket that is made while librte_vhost's thread waits is noticed at once, and not a second later. */
static void
test_new_socket(void **state)
{
	const uint64_t half_second = rte_get_tsc_hz() / 2;
	uint64_t soonest = UINT64_MAX, begin;
	unsigned int i;

	/* A busy machine may be late, but not each time. */
	for (i = 0; i < NEW_SOCKETS && soonest >= half_second; i++) {
		plug_teardown(state);
		while (!vhost_thread_waits())
			sched_yield();
		plug_setup(state);
		begin = rte_rdtsc();
		plug_connect(*state, 1);
		soonest = RTE_MIN(soonest, rte_rdtsc() - begin);
	}
	assert_true(soonest < half_second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, plug_setup, plug_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_places),
			TEST(test_question_with_fds),
			TEST(test_releases),
			TEST(test_new_socket),
	};

	return cmocka_run_group_tests_name("connection", tests, unit_eal, unit_eal_end);
}
