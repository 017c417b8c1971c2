/* SPDX-License-Identifier: BSD-3-Clause */
/* The life of a guest: see guest.h for the contract. */
#include <pthread.h>
#include <stdlib.h>

#include <rte_malloc.h>
#include <rte_vhost.h>

#include "control.h"
#include "forward.h"
#include "guest/descriptors.h"
#include "guest/guest.h"
#include "guest/message.h"
#include "guest/snapshot.h"
#include "guest/ring.h"
#include "main.h"
#include "park.h"
#include "worker.h"

/* A free slot of the port table. GUEST_MAX: there is none. */
static unsigned int
free_port(const struct vswitch *sw)
{
	unsigned int i;

	for (i = 0; i < GUEST_MAX; i++)
		if (__atomic_load_n(&sw->port[i].state, __ATOMIC_ACQUIRE) == PORT_FREE)
			break;
	return i;
}

/* The guest of a slot: made at its first use, then kept for later tenants. */
static struct guest *
guest_of_port(struct vswitch *sw, unsigned int port)
{
	struct guest *g = sw->guest[port];

	if (g != NULL)
		return g;
	g = rte_zmalloc("guest", sizeof(*g), RTE_CACHE_LINE_SIZE);
	if (g == NULL)
		return NULL;
	g->sw = sw;
	g->port = port;
	g->ring[RING_TX].source.park = park_create();
	if (g->ring[RING_TX].source.park == NULL) {
		rte_free(g);
		return NULL;
	}
	__atomic_store_n(&sw->guest[port], g, __ATOMIC_RELEASE);
	return g;
}

struct guest *
guest_connect(struct vswitch *sw, int vid, const char *path)
{
	unsigned int port = free_port(sw);
	struct guest *g;

	if (port == GUEST_MAX) {
		say(ERR, "guest refused: all %d devices are in use\n", GUEST_MAX);
		return NULL;
	}
	if (conf_vlan(&sw->conf, port) > VLAN_LAST) {
		say(ERR,
				"guest refused: device %u would have VLAN tag %u, past %u; "
				"choose a smaller --vlan-base\n",
				port, conf_vlan(&sw->conf, port), VLAN_LAST);
		return NULL;
	}
	if (!descriptors_left()) {
		say(ERR,
				"guest refused: file descriptors run out; end what leaks them, "
				"or raise the limit (ulimit -n)\n");
		return NULL;
	}
	g = guest_of_port(sw, port);
	if (g == NULL) {
		say(ERR, "guest refused: no memory for device %u\n", port);
		return NULL;
	}
	g->vid = vid;
	g->socket = descriptors_hurry(path);
	g->announcement = (struct announcement){0};
	sw->connections = pthread_self();
	g->table_pending = g->doomed = g->log_mapped = g->mtu_told = false;
	sw->port[port].vlan = conf_vlan(&sw->conf, port);
	__atomic_store_n(&sw->port[port].state, PORT_USED, __ATOMIC_RELEASE);
	if (port >= sw->ports)
		__atomic_store_n(&sw->ports, port + 1, __ATOMIC_RELEASE);
	say(INFO, "device %u connected\n", port);
	return g;
}

/* Withdraws the rings from the workers and waits until they have let go. */
static void
guest_pause(struct guest *g)
{
	struct vswitch *sw = g->sw;
	struct virtqueue *tx = &g->ring[RING_TX];
	unsigned int i;

	if (!g->published[RING_RX] && !g->published[RING_TX])
		return;
	__atomic_store_n(&sw->port[g->port].rx, NULL, __ATOMIC_RELEASE);
	worker_remove_queue(sw, tx);
	workers_quiesce(sw);
	if (g->published[RING_TX])
		forward_release(&tx->source, &sw->control[g->port]);
	guest_check(g);
	for (i = 0; i < RINGS; i++) {
		if (g->published[i])
			snapshot_base(g, i);
		g->published[i] = false;
	}
}

static void
publish(struct guest *g, unsigned int i)
{
	struct virtqueue *vq = &g->ring[i];

	ring_suppress(vq);
	g->published[i] = true;
	if (i == RING_RX) {
		__atomic_store_n(&g->sw->port[g->port].rx, vq, __ATOMIC_RELEASE);
	} else {
		announce_arm(vq, &g->announcement);
		worker_add_queue(g->sw, vq);
	}
	/* The guest may have missed a signal in between; one too many is harmless. */
	if (vq->callfd >= 0)
		vq_signal(vq);
}

/* Reads everything anew and lets the workers use what is ready. */
static void
guest_resume(struct guest *g)
{
	unsigned int i;

	/* With a table that failed, librte_vhost has no memory to tell of. */
	if (g->doomed || g->table_pending || !g->running || g->published[RING_RX] ||
			g->published[RING_TX])
		return;
	if (!snapshot_memory(g))
		return;
	for (i = 0; i < RINGS; i++)
		if (g->ready[i] && snapshot_ring(g, i))
			publish(g, i);
	guest_check(g);
}

/* The front end broke the protocol. Returns whether librte_vhost may see the message. */
static bool
guest_doom(struct guest *g, struct message *m)
{
	bool seen = message_doom(m);

	g->doomed = true;
	/* Nobody closes what comes with a message that nobody handles. */
	if (!seen)
		descriptors_suspect(g->port);
	return seen;
}

/* Whether a message changes nothing that workers use. */
static bool
is_question(const struct message *m)
{
	return m->request == MSG_GET_FEATURES || m->request == MSG_GET_PROTOCOL_FEATURES ||
			m->request == MSG_GET_QUEUE_NUM || m->request == MSG_NET_SET_MTU;
}

/* Lets librte_vhost refuse an MTU that frames of the switch can't carry. */
static void
check_mtu(struct guest *g, struct message *m)
{
	uint32_t max = conf_mtu(&g->sw->conf);

	if (m->payload.u64 <= max)
		return;
	if (!g->mtu_told)
		say(WARNING,
				"device %u: MTU %" PRIu64 " refused, as %u is the most that is "
				"switched; %schoose a smaller one (host_mtu= of QEMU)\n",
				g->port, m->payload.u64, max,
				g->sw->conf.mergeable ? "" : "start with --mergeable 1, or ");
	g->mtu_told = true;
	m->payload.u64 = 0;
}

bool
guest_before(struct guest *g, struct message *m)
{
	struct rte_ether_addr mac;

	if (g->table_pending) {
		/* librte_vhost called no hook after the last table: it was no good. */
		g->table_pending = false;
		g->doomed = true;
		descriptors_suspect(g->port);
	}
	if (!descriptors_answered(g->socket))
		g->doomed = true;
	if (g->doomed || !message_wanted(m, RINGS)) {
		guest_pause(g);
		return guest_doom(g, m);
	}
	if (m->request == MSG_NET_SET_MTU)
		check_mtu(g, m);
	if (is_question(m))
		return true;
	guest_pause(g);
	if (m->request == MSG_RESET_OWNER) {
		g->log_mapped = false;
	} else if (m->request == MSG_SEND_RARP) {
		mac = m->payload.mac;
		announce_ask(&g->announcement, &mac);
	}
	if (m->request == MSG_SET_MEM_TABLE) {
		if (!descriptors_table_ok(m))
			return guest_doom(g, m);
		g->table_pending = true;
	} else if (m->request == MSG_SET_VRING_ENABLE && m->payload.state.num == 0) {
		/* The library tells only after it has called guest_after(). */
		g->ready[m->payload.state.index] = false;
	}
	return true;
}

bool
guest_after(struct guest *g, const struct message *m)
{
	g->table_pending = false;
	if (m->request == MSG_SET_LOG_BASE)
		g->log_mapped = true;
	if (!g->doomed)
		guest_resume(g);
	return !g->doomed || !message_handled(m);
}

void
guest_start(struct guest *g)
{
	g->running = true;
	guest_resume(g);
}

void
guest_stop(struct guest *g)
{
	unsigned int i;

	guest_pause(g);
	guest_check(g);
	g->running = false;
	for (i = 0; i < RINGS; i++)
		g->ring[i].fault = FAULT_NONE;
	g->fault_logged = false;
}

void
guest_ring(struct guest *g, unsigned int index, bool ready)
{
	if (index >= RINGS)
		return;
	guest_pause(g);
	g->ready[index] = ready;
	guest_resume(g);
}

bool
guest_stuck(struct guest *g)
{
	bool now = __atomic_load_n(&g->ring[RING_RX].signalling, __ATOMIC_RELAXED) ||
			__atomic_load_n(&g->ring[RING_TX].signalling, __ATOMIC_RELAXED);
	bool before = g->signalling;

	g->signalling = now;
	return now && before;
}

void
guest_check(struct guest *g)
{
	uint8_t fault = __atomic_load_n(&g->ring[RING_RX].fault, __ATOMIC_RELAXED);

	if (fault == FAULT_NONE)
		fault = __atomic_load_n(&g->ring[RING_TX].fault, __ATOMIC_RELAXED);
	if (fault == FAULT_NONE || __atomic_exchange_n(&g->fault_logged, true, __ATOMIC_RELAXED))
		return;
	vq_fault(&g->ring[RING_RX], fault);
	vq_fault(&g->ring[RING_TX], fault);
	__atomic_add_fetch(&g->sw->faults, 1, __ATOMIC_RELAXED);
	say(WARNING,
			"device %u stopped: %s; it is served again once its driver sets it up "
			"anew\n",
			g->port, fault_name(fault));
}

void
guest_disconnect(struct guest *g)
{
	unsigned int i;

	guest_stop(g);
	if (g->table_pending)
		descriptors_suspect(g->port);
	for (i = 0; i < RINGS; i++)
		g->ready[i] = false;
	say(INFO, "device %u disconnected\n", g->port);
	__atomic_store_n(&g->sw->port[g->port].state, PORT_LEAVING, __ATOMIC_RELEASE);
	wake_main(g->sw);
}

void
guest_destroy(struct guest *g)
{
	if (g == NULL)
		return;
	park_destroy(g->ring[RING_TX].source.park);
	free(g->ring[RING_TX].order);
	rte_free(g);
}
