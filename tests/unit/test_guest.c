/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The rings of a guest, as a front end sets them up, enables and disables them by real
 * messages to the real librte_vhost; and what workers see of them. No worker runs.
 */
#include <glob.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_log.h>
#include <rte_rcu_qsbr.h>
#include <rte_version.h>

#include "client.h"
#include "base/atomic.h"
#include "guest/connect.h"
#include "guest/device.h"
#include "guest/fault.h"
#include "guest/guest.h"
#include "guest/message.h"
#include "guest/slot.h"
#include "guest/vhost_user.h"
#include "tests/driver/device.h"
#include "whole.h"

#define PAIRS VU_PAIRS_MAX
#define WAIT_MS 30000
#define FAULTS 100000u
#define NEW_SOCKETS 5u
#define GPA 0x100000
#define PAGE 4096
#define WANTED (VU_F_VERSION_1 | VU_F_PROTOCOL_FEATURES | VU_F_MQ)

struct plug {
	struct whole *w;
	struct room *r; /* of it */
	char folder[32], path[48];
	struct vu_dev dev;
	struct guest *g;
};

static const struct rx_set *
set_of(const struct plug *p)
{
	const struct sink *k = p->r->ports.port[0].sink;

	return k == NULL ? NULL : container_of(k, struct rx_set, sink);
}

/* Transmit rings that the worker polls. */
static uint32_t
polled(const struct plug *p)
{
	const struct polled *all = &p->r->lane->polled[0];
	const struct virtqueue *vq;
	uint32_t rings = 0;
	unsigned int i;

	for (i = 0; i < all->n; i++) {
		if (all->source[i] == NULL)
			continue;
		vq = container_of(all->source[i], struct virtqueue, source);
		rings |= UINT32_C(1) << (vq - p->g->ring);
	}
	return rings;
}

/* These rings are in use, and those of `paused` are kept a place. */
static void
assert_rings(const struct plug *p, uint32_t rings, uint32_t paused)
{
	uint32_t left = (rings | paused) & RINGS_RX;
	const struct rx_set *set = set_of(p);
	unsigned int i, k = 0;

	assert_int_equal(polled(p), rings & RINGS_TX);
	assert_int_equal(p->r->ports.port[0].tx_rings,
			__builtin_popcount((rings | paused) & RINGS_TX));
	if (left == 0) {
		assert_null(set);
		return;
	}
	assert_non_null(set);
	assert_int_equal(set->n, __builtin_popcount(left));
	for (; left != 0; left &= left - 1, k++) {
		i = __builtin_ctz(left);
		assert_ptr_equal(set->vq[k], paused >> i & 1 ? NULL : &p->g->ring[i]);
	}
	assert_int_equal(guest_rings(p->g, RINGS_RX), __builtin_popcount(rings & RINGS_RX));
	assert_int_equal(guest_rings(p->g, RINGS_TX), __builtin_popcount(rings & RINGS_TX));
}

static uint32_t
pair(unsigned int i)
{
	return UINT32_C(3) << 2 * i;
}

static void
enable(struct plug *p, unsigned int ring, bool on)
{
	assert_int_equal(vu_dev_set_vring_enable(&p->dev, ring, on), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
}

static void
plug_in(struct plug *p, unsigned int pairs)
{
	const struct vu_dev_opts opts = {
			.features = WANTED,
			.protocol = VU_PROTOCOL_MQ | VU_PROTOCOL_REPLY_ACK | VU_PROTOCOL_LOG_SHMFD,
			.n_pairs = pairs,
			.mem = {.n_regions = 1, .region_size = 4 << 20, .gpa = GPA},
			.timeout_ms = WAIT_MS,
	};

	assert_int_equal(vu_dev_open(&p->dev, vu_connect(p->path, WAIT_MS), &opts), 0);
	assert_int_equal(p->dev.n_rings, 2 * pairs);
	/* The one that is connected: it was answered when a former one was gone. */
	for (p->g = p->w->guests.list; p->g->phase == GUEST_UNUSED; p->g = p->g->next)
		;
}

static int
setup(void **state)
{
	struct plug *p = unit_zalloc(sizeof(*p));
	struct conf *c;

	rte_log_set_level_pattern("lib.vhost.*", RTE_LOG_EMERG); /* what is refused is said */
	p->w = whole_create(0);
	p->r = p->w->r;
	c = &p->r->conf;
	snprintf(p->folder, sizeof(p->folder), "/tmp/vs-unit-XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/vhost", p->folder);
	snprintf(c->port[0].socket, sizeof(c->port[0].socket), "%s", p->path);
	assert_true(vhost_user_start(&p->w->guests));
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct plug *p = *state;
	vu_dev_close(&p->dev);
	vhost_user_stop(&p->w->guests);
	assert_null(set_of(p));
	assert_int_equal(p->r->lane->npoll, 0);
	guests_destroy(&p->w->guests);
	whole_destroy(p->w);
	assert_int_equal(rmdir(p->folder), 0);
	free(p);
	return 0;
}

/* All there can be, then one, then all again. */
static void
test_sixteen(void **state)
{
	struct plug *p = *state;
	unsigned int i;

	plug_in(p, PAIRS);
	assert_int_equal(p->dev.queue_num, PAIRS);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_rings(p, RINGS_ALL, 0);
	for (i = 2; i < RINGS_MAX; i++)
		enable(p, i, false);
	assert_rings(p, pair(0), 0);
	for (i = RINGS_MAX - 1; i >= 2; i--)
		enable(p, i, true);
	assert_rings(p, RINGS_ALL, 0);
}

/* Places for frames that wait are made when a ring is first used, and go with the guest. */
static void
test_parks(void **state)
{
	struct plug *p = *state;
	unsigned int i;

	plug_in(p, 4);
	for (i = 0; i < RINGS_MAX; i++)
		assert_null(p->g->ring[i].source.park);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	for (i = 0; i < RINGS_MAX; i++)
		assert_int_equal(p->g->ring[i].source.park != NULL, i < 8 && i % 2 == 1);
	vu_dev_close(&p->dev);
	plug_in(p, 1);
	for (i = 0; i < RINGS_MAX; i++)
		assert_null(p->g->ring[i].source.park);
}

/* Waits until so many connections are open, as librte_vhost's thread sees them. */
static void
wait_connections(const struct plug *p, unsigned int wanted)
{
	const struct guest *g;
	unsigned int n, i;

	for (i = 0; i < WAIT_MS; i++) {
		n = 0;
		for (g = load_acquire(&p->w->guests.list); g != NULL; g = g->next)
			n += load_relaxed(&g->phase) != GUEST_UNUSED;
		if (n == wanted)
			return;
		usleep(1000);
	}
	fail_msg("%u connections, and not %u", n, wanted);
}

/* Connections that set nothing up take no place, and only so many may be there. */
static void
test_places(void **state)
{
	struct plug *p = *state;
	int bare[4 + 8 + 1];
	unsigned int i;
	char byte;

	p->r->conf.port[0].guests = 4;
	for (i = 0; i < 4 + 8; i++) {
		bare[i] = vu_connect(p->path, WAIT_MS);
		assert_true(bare[i] >= 0);
	}
	wait_connections(p, 4 + 8);
	for (i = 0; i < GUEST_MAX; i++)
		assert_int_equal(p->r->ports.port[i].state, PORT_FREE);
	/* One more is hung up on; when another goes, there is room. */
	bare[12] = vu_connect(p->path, WAIT_MS);
	assert_true(bare[12] >= 0);
	assert_int_equal(recv(bare[12], &byte, 1, 0), 0);
	close(bare[12]);
	for (i = 0; i < 4 + 8; i++)
		close(bare[i]);
	wait_connections(p, 0);
	plug_in(p, 1);
	assert_int_equal(p->g->port, SLOT_NONE);
	assert_int_equal(p->r->ports.port[0].state, PORT_FREE);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(p->g->port, 0);
	assert_int_equal(p->r->ports.port[0].state, PORT_USED);
	assert_ptr_equal(p->w->guests.placed[0], p->g);
	/* It stays its own while the driver stops and starts. */
	assert_int_equal(vu_dev_stop(&p->dev, NULL), 0);
	assert_int_equal(p->r->ports.port[0].state, PORT_USED);
	vu_dev_close(&p->dev);
	wait_connections(p, 0);
	assert_int_equal(p->r->ports.port[0].state, PORT_LEAVING);
	assert_null(p->w->guests.placed[0]);
}

/* Set up but not enabled; enabled in any order; the first pair disabled; half a pair. */
static void
test_any_order(void **state)
{
	struct plug *p = *state;
	unsigned int i;

	plug_in(p, 4);
	assert_int_equal(vu_dev_set_mem(&p->dev), 0);
	for (i = 0; i < 8; i++)
		assert_int_equal(vu_dev_setup_ring(&p->dev, i), 0);
	enable(p, 6, true);
	enable(p, 7, true);
	assert_null(set_of(p)); /* librte_vhost begins with the first pair */
	enable(p, 1, true);
	enable(p, 0, true);
	assert_rings(p, pair(0) | pair(3), 0);
	enable(p, 2, true);
	assert_rings(p, pair(0) | pair(3) | UINT32_C(1) << 2, 0);
	enable(p, 0, false);
	enable(p, 1, false);
	assert_rings(p, pair(3) | UINT32_C(1) << 2, 0);
	enable(p, 2, false);
	enable(p, 6, false);
	assert_rings(p, UINT32_C(1) << 7, 0);
	enable(p, 0, true);
	assert_rings(p, UINT32_C(1) << 7 | 1, 0);
}

/* While a message about one ring is carried out, that ring alone is paused, and keeps its place. */
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

	plug_in(p, 4);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	/* librte_vhost has nothing to do meanwhile: this thread plays its part. */
	for (i = 0; i < RTE_DIM(requests); i++) {
		for (k = 0; k < 8; k++) {
			ring = UINT32_C(1) << k;
			m.request = requests[i];
			m.payload.state.index = k;
			m.payload.state.num = 1;
			assert_true(guest_before(p->g, &m));
			assert_rings(p, all & ~ring, ring);
			assert_true(guest_after(p->g, &m));
			assert_rings(p, all, 0);
			assert_int_equal(p->g->ring[k].source.pair, k / 2);
		}
	}
	/* With another descriptor a ring is not ready, and then ready again, as librte_vhost has it. */
	m.request = MSG_SET_VRING_CALL;
	m.payload.state.index = 2;
	assert_true(guest_before(p->g, &m));
	guest_ring(p->g, 2, false);
	assert_rings(p, all & ~UINT32_C(4), 4);
	assert_true(guest_after(p->g, &m));
	assert_rings(p, all & ~UINT32_C(4), 4);
	guest_ring(p->g, 2, true);
	assert_rings(p, all, 0);
	/* It does not come back: at the next message its place is gone. */
	assert_true(guest_before(p->g, &m));
	guest_ring(p->g, 2, false);
	assert_true(guest_after(p->g, &m));
	m.request = MSG_GET_FEATURES;
	assert_true(guest_before(p->g, &m));
	assert_rings(p, all & ~UINT32_C(4), 0);
	assert_true(guest_after(p->g, &m));
	guest_ring(p->g, 2, true);
	/* Disabled: its flows go elsewhere at once. */
	m.request = MSG_SET_VRING_ENABLE;
	m.payload.state.num = 0;
	assert_true(guest_before(p->g, &m));
	assert_rings(p, all & ~UINT32_C(4), 0);
	assert_true(guest_after(p->g, &m));
	guest_ring(p->g, 2, false);
	assert_rings(p, all & ~UINT32_C(4), 0);
	guest_ring(p->g, 2, true);
	/* About the device: all of them, places kept. */
	m.request = MSG_SET_OWNER;
	assert_true(guest_before(p->g, &m));
	assert_rings(p, 0, all);
	assert_true(guest_after(p->g, &m));
	assert_rings(p, all, 0);
}

/* Other rings' indices are theirs: only the paused one's go through librte_vhost. */
static void
test_indices(void **state)
{
	struct message m = {.flags = MSG_VERSION, .size = 8, .request = MSG_SET_VRING_CALL};
	struct plug *p = *state;
	unsigned int i;

	plug_in(p, 2);
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

/* A device that stops loses all rings; those of further pairs that nobody tells of are not ready either. */
static void
test_stop(void **state)
{
	struct plug *p = *state;
	uint16_t base;

	plug_in(p, 4);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(vu_dev_get_vring_base(&p->dev, 0, &base), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	assert_rings(p, 0, 0);
	/* Without queue pairs librte_vhost throws the further rings away, and tells nobody. */
	assert_int_equal(vu_dev_set_features(&p->dev, WANTED & ~VU_F_MQ), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	assert_int_equal(p->g->ready, 2);
	assert_int_equal(vu_dev_start_ring(&p->dev, 0), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	assert_rings(p, pair(0), 0);
	/* And with them again. */
	assert_int_equal(vu_dev_get_vring_base(&p->dev, 0, &base), 0);
	assert_int_equal(vu_dev_set_features(&p->dev, WANTED), 0);
	assert_int_equal(vu_dev_setup_ring(&p->dev, 2), 0);
	assert_int_equal(vu_dev_start_ring(&p->dev, 0), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	assert_rings(p, pair(0), 0);
	enable(p, 2, true);
	assert_rings(p, pair(0) | UINT32_C(4), 0);
}

/* Of librte_vhost's own struct, the releases that were looked at are known, and no others. */
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
		assert_int_equal(message_know(release[i].version), release[i].known);
	assert_true(message_know(rte_version()));
	/* The running one's is where it was thought to be: that is how the answer is ours. */
	plug_in(p, QUEUE_PAIRS_MAX);
	assert_int_equal(p->dev.queue_num, QUEUE_PAIRS_MAX);
}

/* How many pairs there are is answered only if no descriptor came with the question: none is lost. */
static void
test_question_with_descriptors(void **state)
{
	struct vu_msg m = vu_msg_new(VU_GET_QUEUE_NUM);
	struct plug *p = *state;
	unsigned int files;

	plug_in(p, 1);
	files = client_open_files();
	for (m.n_fds = 0; m.n_fds < 3; m.n_fds++)
		m.fd[m.n_fds] = STDERR_FILENO;
	assert_int_equal(vu_send(p->dev.sock, &m), 0);
	assert_true(vu_recv(p->dev.sock, &m, WAIT_MS) < 0); /* hung up */
	vu_dev_close(&p->dev);
	plug_in(p, 1);
	assert_true(client_open_files() <= files);
}

/* Gives it a new log, and returns how many bits that has by then, all of them of its memory. */
static unsigned int
bits_of_new_log(struct plug *p)
{
	const uint64_t first = GPA / PAGE, end = (GPA + p->dev.mem.region[0].size) / PAGE;
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
 * A log that comes before LOG_ALL is empty. One that comes when rings are served with LOG_ALL says that
 * all was written: what really was by then is known nowhere.
 */
static void
test_late_log(void **state)
{
	struct plug *p = *state;
	unsigned int all;

	plug_in(p, 1);
	all = p->dev.mem.region[0].size / PAGE;
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(bits_of_new_log(p), 0);
	assert_int_equal(vu_dev_set_features(&p->dev, WANTED | VU_F_LOG_ALL), 0);
	assert_int_equal(vu_dev_sync(&p->dev), 0);
	assert_true(p->g->ring[0].logging && p->g->ring[1].logging);
	/* Another instead: rings are paused, as the old one goes. */
	assert_int_equal(bits_of_new_log(p), all);
	assert_rings(p, pair(0), 0);
	/* Its driver starts anew: by QEMU's order the log comes last, and is another. */
	assert_int_equal(vu_dev_stop(&p->dev, NULL), 0);
	assert_int_equal(vu_dev_set_features(&p->dev, WANTED | VU_F_LOG_ALL), 0);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(bits_of_new_log(p), all);
	assert_true(p->g->ring[0].logging && p->g->ring[1].logging);
	/* And at a connection that has had none. */
	vu_dev_close(&p->dev);
	plug_in(p, 1);
	assert_int_equal(vu_dev_set_features(&p->dev, WANTED | VU_F_LOG_ALL), 0);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_false(p->g->ring[0].logging);
	assert_int_equal(bits_of_new_log(p), all);
	assert_true(p->g->ring[0].logging && p->g->ring[1].logging);
}

/* A log is forgotten when the device stops that does not use it: it may be too short when it starts again. */
static void
test_old_log(void **state)
{
	struct plug *p = *state;
	int fd;

	plug_in(p, 1);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_int_equal(vu_dev_set_log(&p->dev, PAGE, 1, 0, &fd), 0);
	close(fd);
	assert_int_equal(vu_dev_stop(&p->dev, NULL), 0);
	assert_int_equal(vu_dev_set_features(&p->dev, WANTED | VU_F_LOG_ALL), 0);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	assert_rings(p, pair(0), 0);
	assert_false(p->g->ring[0].logging);
	assert_int_equal(bits_of_new_log(p), p->dev.mem.region[0].size / PAGE);
	assert_rings(p, pair(0), 0);
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

	enable(a->p, a->ring, a->on);
	store_release(&a->done, true);
	return NULL;
}

/*
 * Enables or disables a ring while a worker, this thread, is in the middle of a burst. Returns
 * whether that waits for it; then *set is the set that the worker has found, as it was.
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

/* What a worker has found in the table of ports stays as it is until its burst is over. */
static void
test_grace(void **state)
{
	struct plug *p = *state;
	struct rte_rcu_qsbr *v = p->r->lanes.qsbr;
	const struct rx_set *found;
	bool shown, kept, rx, tx;

	plug_in(p, 4);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	enable(p, 2, false);
	enable(p, 4, false);
	enable(p, 3, false); /* its grace period is the last; no set was shown since */
	assert_int_equal(rte_rcu_qsbr_thread_register(v, 0), 0);
	rte_rcu_qsbr_thread_online(v, 0);
	/* One set more can be shown at once; the next would be the one that was found. */
	found = set_of(p);
	shown = !waits_for_worker(p, 2, true, found) && set_of(p) != found;
	kept = waits_for_worker(p, 4, true, found);
	/* A ring that is withdrawn is not touched before nobody can be using it. */
	rx = waits_for_worker(p, 6, false, set_of(p));
	tx = waits_for_worker(p, 5, false, set_of(p));
	rte_rcu_qsbr_thread_offline(v, 0);
	rte_rcu_qsbr_thread_unregister(v, 0);
	assert_true(shown && kept && rx && tx);
}

/* A guest may have waited for a signal that did not come while its ring was paused: it gets one. */
static void
test_signal_after_pause(void **state)
{
	struct plug *p = *state;
	unsigned int i;
	uint64_t n;

	plug_in(p, 2);
	assert_int_equal(vu_dev_start(&p->dev), 0);
	for (i = 0; i < 4; i++) {
		enable(p, i, false);
		while (read(p->dev.ring[i].call_fd, &n, sizeof(n)) == sizeof(n))
			;
		enable(p, i, true);
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

/* Does librte_vhost's thread wait, if it is of a release that waits in poll(2)? */
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

/* A socket that is made while librte_vhost's thread waits is noticed, and not a second later. */
static void
test_new_socket(void **state)
{
	const uint64_t half_second = rte_get_tsc_hz() / 2;
	uint64_t soonest = UINT64_MAX, begin;
	unsigned int i;

	/* A busy machine may be late, but not each time. */
	for (i = 0; i < NEW_SOCKETS && soonest >= half_second; i++) {
		teardown(state);
		while (!vhost_thread_waits())
			sched_yield();
		setup(state);
		begin = rte_rdtsc();
		plug_in(*state, 1);
		soonest = RTE_MIN(soonest, rte_rdtsc() - begin);
	}
	assert_true(soonest < half_second);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_sixteen),
			TEST(test_parks),
			TEST(test_places),
			TEST(test_any_order),
			TEST(test_one_ring_paused),
			TEST(test_indices),
			TEST(test_stop),
			TEST(test_question_with_descriptors),
			TEST(test_signal_after_pause),
			TEST(test_grace),
			TEST(test_late_log),
			TEST(test_old_log),
			TEST(test_fault_while_stopped),
			TEST(test_releases),
			TEST(test_new_socket),
	};

	return cmocka_run_group_tests_name("guest", tests, unit_eal, unit_eal_end);
}
