/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The life of a guest: see guest.h for the contract. */
#include <stdlib.h>

#include <linux/virtio_net.h>

#include <rte_vhost.h>

#include "base/atomic.h"
#include "base/log.h"
#include "conf/conf.h"
#include "switch/count.h"
#include "switch/retry.h"
#include "guest/connect.h"
#include "guest/fds.h"
#include "guest/fd_drain.h"
#include "guest/fd_gate.h"
#include "guest/device.h"
#include "guest/dispatch.h"
#include "guest/fault.h"
#include "guest/guest.h"
#include "guest/guests.h"
#include "guest/message.h"
#include "guest/snapshot.h"
#include "guest/ring.h"
#include "frame/offload.h"
#include "switch/park.h"
#include "switch/lanes.h"
#include "switch/port.h"

/* Waits until workers no longer use anything that was withdrawn. */
static void
guest_quiesce(struct guest *g)
{
	lanes_quiesce(g->all->lanes);
	g->set_in_use = false;
}

/* Publishes the receive rings that exist, and which of them are paused. */
static void
guest_publish_set(struct guest *g)
{
	struct rx_set *set = &g->set[g->next_set];
	unsigned int i;

	if (g->set_in_use)
		guest_quiesce(g);
	set->sink.ops = &guest_sink_ops;
	set->slot = g->slot;
	set->n = 0;
	RING_SET_FOREACH(i, (g->published | g->conn.paused) & RINGS_RX)
		set->vq[set->n++] = g->published >> i & 1 ? &g->ring[i] : NULL;
	store_release(&g->all->ports->port[g->slot].sink, set->n != 0 ? &set->sink : NULL);
	g->next_set ^= 1;
	g->set_in_use = true;
}

/* Publishes the number of transmit rings, with paused ones. */
static void
guest_publish_tx_rings(struct guest *g)
{
	store_relaxed(&g->all->ports->port[g->slot].tx_rings,
			__builtin_popcount((g->published | g->conn.paused) & RINGS_TX));
}

/* Withdraws those of `rings` that workers use, and waits until they use them no more. */
static void
guest_pause(struct guest *g, uint32_t rings)
{
	unsigned int i;

	rings &= g->published;
	if (rings == 0)
		return;
	store_relaxed(&g->published, g->published & ~rings);
	g->conn.paused |= rings;
	if (rings & RINGS_RX)
		guest_publish_set(g);
	RING_SET_FOREACH(i, rings & RINGS_TX)
		lanes_remove(g->all->lanes, &g->ring[i].source);
	guest_quiesce(g);
	RING_SET_FOREACH(i, rings & RINGS_TX)
		retry_release(&g->ring[i].source, &g->all->outside[g->slot]);
	guest_check(g);
	RING_SET_FOREACH(i, rings)
		snapshot_base(g, i);
}

/* Ends the pause of `rings` that won't be back: no frame is to wait for them. */
static void
guest_let_go(struct guest *g, uint32_t rings)
{
	rings &= g->conn.paused;
	g->conn.paused &= ~rings;
	if (rings & RINGS_RX)
		guest_publish_set(g);
	if (rings & RINGS_TX)
		guest_publish_tx_rings(g);
}

/*
 * Makes what a transmit ring needs from its first use on. Returns false, after an error was logged,
 * without memory.
 */
static bool
guest_has_park(struct guest *g, unsigned int index)
{
	struct source *s = &g->ring[index].source;

	if (s->park == NULL)
		s->park = park_create();
	if (s->park == NULL)
		say(ERR, "device %u: no memory for its ring %u, which is not served\n", g->slot,
				index);
	return s->park != NULL;
}

/*
 * Lets the first transmit ring of `rings`, which no worker uses yet, announce the guest if that is due. While
 * another one that may do so is in use, the announcement belongs to that one's worker.
 */
static void
guest_announce(struct guest *g, uint32_t rings)
{
	uint32_t first = rings & RINGS_TX & -(rings & RINGS_TX);

	if (first == 0 || (g->published & ~rings & g->conn.announcer))
		return;
	g->conn.announcer = first;
	announce_arm(&g->ring[__builtin_ctz(first)], &g->conn.announcement);
}

/* Lets workers use rings that are ready. */
static void
guest_publish(struct guest *g, uint32_t rings)
{
	unsigned int i;

	if (rings == 0)
		return;
	RING_SET_FOREACH(i, rings)
		ring_suppress(&g->ring[i]);
	store_relaxed(&g->published, g->published | rings);
	g->conn.paused &= ~rings;
	if (rings & RINGS_RX)
		guest_publish_set(g);
	guest_publish_tx_rings(g);
	guest_announce(g, rings);
	RING_SET_FOREACH(i, rings & RINGS_TX)
		lanes_add(g->all->lanes, &g->ring[i].source, g->ring[i].desc);
	/* The guest may have missed a signal in between; one too many is harmless. */
	RING_SET_FOREACH(i, rings)
		if (g->ring[i].callfd >= 0)
			vq_signal(&g->ring[i]);
}

/* Reads the rings again that are ready and not in use, and lets workers use them. */
static void
guest_resume(struct guest *g)
{
	uint32_t due = g->conn.ready & ~g->published, good = 0;
	uint64_t features = 0;
	unsigned int i;

	/* If a table failed, librte_vhost has no memory. */
	if (g->conn.phase != GUEST_RUNNING || g->conn.step == STEP_TABLE ||
			(g->published == 0 && !snapshot_memory(g)))
		return;
	rte_vhost_get_negotiated_features(g->conn.vid, &features);
	RING_SET_FOREACH(i, due & rings_usable(features))
		if (snapshot_ring(g, i) && (!ring_is_tx(i) || guest_has_park(g, i)))
			good |= UINT32_C(1) << i;
	guest_publish(g, good);
	guest_let_go(g, due & ~good);
	guest_check(g);
}

/* Handles a front end that broke the protocol. Returns true if librte_vhost may see the message. */
static bool
guest_doom(struct guest *g, struct message *m)
{
	g->conn.phase = GUEST_DOOMED;
	return message_doom(m);
}

/* Logs the message that ends a connection. The front end may work with other back ends. */
static void
guest_say_unwanted(const struct guest *g, const struct message *m)
{
	char name[GUEST_WHO_MAX];

	say(WARNING,
			"%s: its front end sent message %u, which was not offered or is not well "
			"formed, and is disconnected\n",
			guest_who(g, name), m->request);
}

/* Returns true if the connection is to go on with this message, which may be changed. */
static bool
guest_may_go_on(struct guest *g, struct message *m)
{
	const struct message_kind *k = message_kind(m);

	if (g->conn.phase == GUEST_DOOMED)
		return false;
	if (message_wanted(g, m))
		return k->allow == NULL || k->allow(g, m);
	guest_say_unwanted(g, m);
	return false;
}

bool
guest_before(struct guest *g, struct message *m)
{
	const struct message_kind *k = message_kind(m);
	uint32_t ended;

	/* librte_vhost called no hook after the last table, so it failed. */
	if (g->conn.step == STEP_TABLE || !fds_answered(g->conn.socket))
		g->conn.phase = GUEST_DOOMED;
	g->conn.step = STEP_NONE;
	if (!guest_may_go_on(g, m)) {
		guest_pause(g, RINGS_ALL);
		guest_let_go(g, RINGS_ALL);
		return guest_doom(g, m);
	}
	/* Rings that the last message paused would be back by now. */
	guest_let_go(g, RINGS_ALL);
	if (g->conn.phase == GUEST_RUNNING && k->only_log != NULL && k->only_log(g, m))
		g->conn.step = STEP_LOG;
	if (k->scope != SCOPE_NOTHING && g->conn.step != STEP_LOG) {
		g->conn.step = STEP_PAUSED;
		guest_pause(g, message_rings(m));
		ended = k->ends != NULL ? k->ends(g, m) : 0;
		g->conn.ready &= ~ended;
		guest_let_go(g, ended);
	}
	if (k->before != NULL)
		k->before(g, m);
	return true;
}

bool
guest_after(struct guest *g, const struct message *m)
{
	const struct message_kind *k = message_kind(m);

	/* Perhaps because of this message, which may name any ring. */
	if (g->conn.phase == GUEST_DOOMED) {
		g->conn.step = STEP_NONE;
		return k->unknown;
	}
	if (k->after != NULL)
		k->after(g, m);
	g->conn.step = STEP_NONE;
	guest_resume(g);
	return true;
}

bool
guest_start(struct guest *g)
{
	if (g->conn.phase == GUEST_DOOMED)
		return false;
	if (!guest_take_slot(g)) {
		g->conn.phase = GUEST_DOOMED;
		fds_hang_up(g->conn.socket);
		return false;
	}
	g->conn.phase = GUEST_RUNNING;
	guest_resume(g);
	return true;
}

void
guest_stop(struct guest *g)
{
	guest_pause(g, RINGS_ALL);
	guest_let_go(g, RINGS_ALL);
	guest_check(g);
	if (g->conn.phase == GUEST_RUNNING)
		g->conn.phase = GUEST_CONNECTED;
	guest_mem_forget(&g->mem);
	guest_forget_fault(g);
}

void
guest_ring(struct guest *g, unsigned int index, bool ready)
{
	uint32_t ring;

	if (index >= RINGS_MAX)
		return;
	ring = UINT32_C(1) << index;
	guest_pause(g, ring);
	if (ready) {
		g->conn.ready |= ring;
		guest_resume(g);
		return;
	}
	g->conn.ready &= ~ring;
	/*
	 * A message that replaces its file descriptors makes a ring not ready, and then ready
	 * again.
	 */
	if (g->conn.step != STEP_PAUSED && g->conn.step != STEP_TABLE)
		guest_let_go(g, ring);
}

int
guest_move(struct guest *g, uint16_t pair, unsigned int worker)
{
	struct source *s;
	unsigned int i;
	int n = 0;

	RING_SET_FOREACH(i, g->published & RINGS_TX) {
		s = &g->ring[i].source;
		if (pair != PAIR_ANY && s->pair != pair)
			continue;
		if (!lanes_move(g->all->lanes, s, worker))
			return -1;
		n++;
	}
	return n;
}

unsigned int
guest_rings(const struct guest *g, uint32_t rings)
{
	return __builtin_popcount(load_relaxed(&g->published) & rings);
}

void
guest_disconnect(struct guest *g)
{
	guest_stop(g);
	fd_drain_gate(g->conn.socket);
	space_release(&g->all->spaces, &g->conn.space);
	peer_disconnected(&g->conn.peer, &g->all->peers, guest_settings(g),
			g->conn.phase == GUEST_DOOMED || load_relaxed(&g->all->ending));
	guest_end(g);
}
