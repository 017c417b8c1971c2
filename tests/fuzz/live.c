/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A switch that serves sockets: see live.h. */
#include <sched.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <linux/sockios.h>
#include <sanitizer/common_interface_defs.h>

#include <rte_common.h>

#include "client.h"
#include "conf/conf_parse.h"
#include "base/atomic.h"
#include "switch/forward.h"
#include "guest/connect.h"
#include "guest/fd_gate.h"
#include "guest/device.h"
#include "guest/fault.h"
#include "guest/guest.h"
#include "guest/sigbus.h"
#include "guest/vhost_user.h"
#include "live.h"
#include "world.h"

/* Linux' headers have another struct of that name. */
#define vring driver_vring
#include "nic.h"
#undef vring

#define HONEST 2
#define ROUNDS 64 /* rounds of the worker, after which a frame has arrived */
#define PATH_ROOM 80

static struct {
	struct world *w;
	struct rig *r; /* of it */
	struct nic nic[HONEST];
	struct rte_ether_addr mac[HONEST];
	char folder[PATH_ROOM - 16];
	char honest[PATH_ROOM], hostile[PATH_ROOM];
	unsigned int files; /* open when the input began */
	uint32_t sent;      /* frames of honest guests: the seed of the next */
} live;

const char *
live_path(void)
{
	return live.hostile;
}

static time_t
deadline(void)
{
	return time(NULL) + LIVE_PATIENCE;
}

static void
wait_a_moment(time_t until)
{
	const struct timespec moment = {.tv_nsec = 20000};

	assert_true(time(NULL) < until);
	nanosleep(&moment, NULL);
}

/* Returns how many guests are connected, for librte_vhost's thread. */
static unsigned int
count_connected(void)
{
	const struct guest *g = load_acquire(&live.w->guests.list);
	unsigned int n = 0;

	for (; g != NULL; g = g->next)
		n += load_acquire(&g->conn.phase) != GUEST_UNUSED;
	return n;
}

/* Makes two ports: that of honest guests, and one with all that can be offered. */
static void
configure(void)
{
	static char words[2][2 * PATH_ROOM];
	static char *argv[] = {"vhost-switch", "--", "--port", words[0], "--port", words[1],
			"--mergeable", "1", "--tx-csum", "1", "--tso", "1", NULL};
	const char *tmp = getenv("TMPDIR");

	snprintf(live.folder, sizeof(live.folder), "%.40s/vs-fuzz-XXXXXX",
			tmp != NULL ? tmp : "/tmp");
	assert_non_null(mkdtemp(live.folder));
	snprintf(live.honest, sizeof(live.honest), "%s/honest", live.folder);
	snprintf(live.hostile, sizeof(live.hostile), "%s/hostile", live.folder);
	snprintf(words[0], sizeof(words[0]), "honest,socket=%s,guests=%d", live.honest, HONEST);
	snprintf(words[1], sizeof(words[1]), "hostile,socket=%s,guests=2", live.hostile);
	memset(&live.r->conf, 0, sizeof(live.r->conf));
	assert_int_equal(conf_parse(&live.r->conf, RTE_DIM(argv) - 1, argv), CONF_RUN);
}

/* Ends the switch, before EAL ends: pointers in EAL's memory lead to what is freed here. */
static void
stop(void)
{
	unsigned int i;

	for (i = 0; i < HONEST; i++)
		nic_close(&live.nic[i]);
	vhost_user_stop(&live.w->guests);
	guests_destroy(&live.w->guests);
	rmdir(live.folder);
}

static uint16_t
place_of_latest(void)
{
	const struct guest *g;

	for (g = live.w->guests.list; g->conn.phase == GUEST_UNUSED; g = g->next)
		;
	assert_int_not_equal(g->slot, UINT16_MAX);
	return g->slot;
}

static void
connect_honest(unsigned int i)
{
	const struct nic_opts opts = {
			.dev = {.features = VU_F_VERSION_1 | VU_F_PROTOCOL_FEATURES,
					.protocol = VU_PROTOCOL_REPLY_ACK,
					.timeout_ms = LIVE_PATIENCE * 1000},
	};

	assert_int_equal(nic_open(&live.nic[i], vu_connect(live.honest, LIVE_PATIENCE * 1000),
					 &opts),
			0);
	assert_int_equal(vu_dev_sync(&live.nic[i].dev), 0);
	live.mac[i] = mac_of(i, 0);
	rig_learn(live.r, place_of_latest(), &live.mac[i]);
}

/* Starts the program by which libFuzzer names new functions: its pipes are open from here on. */
static void
start_symbolizer(void)
{
	char name[64];

	__sanitizer_symbolize_pc((void *)(uintptr_t)live_setup, "%f", name, sizeof(name));
}

void
live_setup(void)
{
	unsigned int i;

	fuzz_eal();
	rte_log_set_level_pattern("lib.vhost.*", RTE_LOG_EMERG);
	live.w = world_create(0);
	live.r = live.w->r;
	configure();
	sigbus_init(&live.w->guests);
	assert_true(vhost_user_start(&live.w->guests));
	for (i = 0; i < HONEST; i++)
		connect_honest(i);
	atexit(stop);
	start_symbolizer();
}

void
live_begin(void)
{
	live.files = client_open_files();
}

void
live_settle(int sock)
{
	time_t until = deadline();
	int unread = 0, i;

	while (sock >= 0 && ioctl(sock, SIOCOUTQ, &unread) == 0 && unread != 0)
		wait_a_moment(until);
	/*
	 * librte_vhost's one thread handles a message at a time, and each socket once a round. It answers
	 * the first question after the message that it was at. If that front end has hung up, the thread
	 * sees it in the next round, perhaps after the second question; the third one is answered when
	 * that is done, too.
	 */
	for (i = 0; i < 3; i++)
		assert_int_equal(vu_dev_sync(&live.nic[0].dev), 0);
}

static void
poll_sources(void)
{
	struct lane *l = live.r->lane;
	unsigned int i, k;
	struct polled *p;

	share_round(&l->clock);
	for (i = 0; i < l->npoll; i++) {
		p = l->poll[i];
		if (p == NULL)
			continue;
		for (k = 0; k < p->n; k++)
			if (p->source[k] != NULL)
				forward_poll(l, p->source[k]);
	}
	share_round_over(&l->clock);
}

/* Does what the main lcore does once in a while, except that nobody learns an address. */
static void
look_after(void)
{
	struct learn_request q;
	unsigned int i;

	while (rig_request(live.r, &q))
		;
	fd_gate_tick();
	for (i = 0; i < live.r->ports.n; i++)
		if (live.w->guests.by_slot[i] != NULL)
			guest_check(live.w->guests.by_slot[i]);
}

/* Sends a frame from one honest guest to the other, where it may arrive after frames of others. */
static void
exchange(unsigned int from)
{
	uint8_t frame[1518], got[2048];
	uint32_t seed = ++live.sent, len = 60 + seed % (sizeof(frame) - 60 + 1);
	unsigned int to = !from, i;
	int n;

	frame_make(frame, &live.mac[to], &live.mac[from], len, seed);
	nic_reclaim(&live.nic[from]);
	assert_int_equal(nic_send(&live.nic[from], frame, len, NULL), 0);
	for (i = 0; i < ROUNDS; i++) {
		poll_sources();
		while ((n = nic_recv(&live.nic[to], got, sizeof(got))) != 0)
			if (n == (int)len && memcmp(got, frame, len) == 0)
				return;
	}
	fail_msg("frame %u between honest guests is lost", seed);
}

static void
send_to_all(unsigned int from)
{
	uint8_t frame[60];

	frame_make(frame, &mac_broadcast, &live.mac[from], sizeof(frame), 0);
	nic_reclaim(&live.nic[from]);
	nic_send(&live.nic[from], frame, sizeof(frame), NULL);
}

void
live_poll(void)
{
	unsigned int i;

	for (i = 0; i < HONEST; i++) {
		send_to_all(i);
		exchange(i);
	}
	look_after();
}

/* Clears the slots of guests that have left, as the main lcore does. */
static void
clear_places(void)
{
	struct port *p = live.r->ports.port;
	unsigned int i, used = 0;

	for (i = 0; i < live.r->ports.n; i++, p++) {
		if (p->state == PORT_LEAVING) {
			assert_null(p->sink);
			assert_int_equal(p->tx_rings, 0);
			add_relaxed(&p->epoch, 1);
			store_release(&p->state, PORT_FREE);
		}
		used += p->state == PORT_USED;
	}
	assert_int_equal(used, HONEST);
}

void
live_end(void)
{
	time_t until = deadline();

	while (count_connected() != HONEST)
		wait_a_moment(until);
	live_settle(-1);
	live_poll();
	clear_places();
	/* Threads of their own close files of unknown kinds. */
	while (client_open_files() != live.files)
		wait_a_moment(until);
}
