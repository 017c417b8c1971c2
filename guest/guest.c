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
#include "switch/forward.h"
#include "guest/connect.h"
#include "guest/fds.h"
#include "guest/fd_gate.h"
#include "guest/device.h"
#include "guest/dirty_switch.h"
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

/* Waits until workers have let go of all that was withdrawn. */
static void
quiesce(struct guest *g)
{
	lanes_quiesce(g->all->lanes);
	g->set_in_use = false;
}

/* Tells workers which receive rings there are, and which of them are paused. */
static void
publish_set(struct guest *g)
{
	struct rx_set *set = &g->set[g->next_set];
	uint32_t rings = (g->published | g->held) & RINGS_RX;
	unsigned int i;

	if (g->set_in_use)
		quiesce(g);
	set->sink.ops = &guest_sink_ops;
	set->port = g->port;
	for (set->n = 0; rings != 0; rings &= rings - 1) {
		i = __builtin_ctz(rings);
		set->vq[set->n++] = g->published >> i & 1 ? &g->ring[i] : NULL;
	}
	store_release(&g->all->ports->port[g->port].sink, set->n != 0 ? &set->sink : NULL);
	g->next_set ^= 1;
	g->set_in_use = true;
}

/* Tells workers how many transmit rings there are; one that is paused is one of them. */
static void
publish_tx_rings(struct guest *g)
{
	store_relaxed(&g->all->ports->port[g->port].tx_rings,
			__builtin_popcount((g->published | g->held) & RINGS_TX));
}

/* Withdraws those of `rings` that workers use, and waits until they have let go. */
static void
guest_pause(struct guest *g, uint32_t rings)
{
	struct virtqueue *vq;
	uint32_t left;

	rings &= g->published;
	if (rings == 0)
		return;
	store_relaxed(&g->published, g->published & ~rings);
	g->held |= rings;
	if (rings & RINGS_RX)
		publish_set(g);
	for (left = rings & RINGS_TX; left != 0; left &= left - 1)
		lanes_remove(g->all->lanes, &g->ring[__builtin_ctz(left)].source);
	quiesce(g);
	for (left = rings & RINGS_TX; left != 0; left &= left - 1) {
		vq = &g->ring[__builtin_ctz(left)];
		forward_release(&vq->source, &g->all->outside[g->port]);
	}
	guest_check(g);
	for (left = rings; left != 0; left &= left - 1)
		snapshot_base(g, __builtin_ctz(left));
}

/* Those of `rings` that are paused won't be back: nothing is to wait for them. */
static void
guest_let_go(struct guest *g, uint32_t rings)
{
	rings &= g->held;
	g->held &= ~rings;
	if (rings & RINGS_RX)
		publish_set(g);
	if (rings & RINGS_TX)
		publish_tx_rings(g);
}

/* What a transmit ring needs from its first use on. False: no memory, and that was said. */
static bool
has_park(struct guest *g, unsigned int index)
{
	struct source *s = &g->ring[index].source;

	if (s->park == NULL)
		s->park = park_create();
	if (s->park == NULL)
		say(ERR, "device %u: no memory for its ring %u, which is not served\n", g->port,
				index);
	return s->park != NULL;
}

/* Lets workers use rings that are ready to be. */
static void
publish(struct guest *g, uint32_t rings)
{
	struct virtqueue *vq;
	uint32_t left;

	if (rings == 0)
		return;
	for (left = rings; left != 0; left &= left - 1)
		ring_suppress(&g->ring[__builtin_ctz(left)]);
	store_relaxed(&g->published, g->published | rings);
	g->held &= ~rings;
	if (rings & RINGS_RX)
		publish_set(g);
	publish_tx_rings(g);
	/* One ring is enough to announce the guest by. */
	left = g->published & RINGS_TX;
	if (rings & left & -left)
		announce_arm(&g->ring[__builtin_ctz(left)], &g->announcement);
	for (left = rings & RINGS_TX; left != 0; left &= left - 1) {
		vq = &g->ring[__builtin_ctz(left)];
		lanes_add(g->all->lanes, &vq->source, vq->desc);
	}
	/* The guest may have missed a signal in between; one too many is harmless. */
	for (left = rings; left != 0; left &= left - 1) {
		vq = &g->ring[__builtin_ctz(left)];
		if (vq->callfd >= 0)
			vq_signal(vq);
	}
}

/* Reads anew what is ready and not in use, and lets the workers use it. */
static void
guest_resume(struct guest *g)
{
	uint32_t due = g->ready & ~g->published, good = 0, left;
	unsigned int i;

	/* With a table that failed, librte_vhost has no memory to tell of. */
	if (g->doomed || g->table_pending || !g->running ||
			(g->published == 0 && !snapshot_memory(g)))
		return;
	for (left = due; left != 0; left &= left - 1) {
		i = __builtin_ctz(left);
		if (snapshot_ring(g, i) && (!ring_is_tx(i) || has_park(g, i)))
			good |= UINT32_C(1) << i;
	}
	publish(g, good);
	guest_let_go(g, due & ~good);
	guest_check(g);
}

/* The front end broke the protocol. Returns whether librte_vhost may see the message. */
static bool
guest_doom(struct guest *g, struct message *m)
{
	g->doomed = true;
	return message_doom(m);
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
	uint32_t max = guest_settings(g)->mtu;
	char name[GUEST_WHO_MAX];

	if (m->payload.u64 <= max)
		return;
	if (!g->mtu_told)
		say(WARNING,
				"%s: MTU %" PRIu64 " refused, as %u is the most that is "
				"switched; %schoose a smaller one (host_mtu= of QEMU)\n",
				guest_who(g, name), m->payload.u64, max,
				max != RTE_ETHER_MTU ? "" : "start with --mergeable 1, or ");
	g->mtu_told = true;
	m->payload.u64 = 0;
}

/* The rings that are not ready any more, which librte_vhost tells late or not at all. */
static uint32_t
no_longer_ready(const struct guest *g, const struct message *m)
{
	switch (m->request) {
	case MSG_SET_VRING_ENABLE: /* after guest_after() */
		return m->payload.state.num == 0 ? message_rings(m) : 0;
	case MSG_SET_FEATURES: /* without queue pairs all but one are thrown away */
		return !g->running && !(m->payload.u64 >> VIRTIO_NET_F_MQ & 1) ? ~RINGS_FIRST_PAIR
									       : 0;
	case MSG_RESET_OWNER:
		return RINGS_ALL;
	default:
		return 0;
	}
}

uint64_t
guest_features(const struct guest *g)
{
	return guest_settings(g)->tso == CHOICE_YES ? offload_uso_features : 0;
}

/*
 * Takes features out of a message that librte_vhost would refuse, as it did not offer them.
 * While the device runs it refuses any change, and so do we: what changes is left in.
 */
static void
take_features(struct guest *g, struct message *m)
{
	uint64_t own = m->payload.u64 & guest_features(g);

	if (!g->running)
		g->features = own;
	if (g->features == own)
		m->payload.u64 &= ~own;
}

/* Whether what the message has librte_vhost map is within the guest's share. */
static bool
within_share(struct guest *g, const struct message *m)
{
	char name[GUEST_WHO_MAX];
	uint64_t share;

	if (m->request == MSG_SET_MEM_TABLE ? space_table(&g->space, m, &share)
					    : space_log(&g->space, m, &share))
		return true;
	say(WARNING,
			"%s: its %s would take more addresses than the %u GiB that are its share; "
			"give it less memory\n",
			guest_who(g, name),
			m->request == MSG_SET_MEM_TABLE ? "memory" : "log of written pages",
			(unsigned int)(share >> 30));
	return false;
}

/* Whether the guest may send a message like that. */
static bool
is_wanted(const struct guest *g, const struct message *m)
{
	const struct conf_port *p = guest_settings(g);

	if (m->request == MSG_SET_BACKEND_REQ_FD)
		return p->uml;
	return message_wanted(m, 2 * p->queues);
}

/* Names what ends a connection. It may be of a front end that works elsewhere. */
static void
say_unwanted(const struct guest *g, const struct message *m)
{
	char name[GUEST_WHO_MAX];

	say(WARNING,
			"%s: its front end sent message %u, which was not offered or is not well "
			"formed, and is disconnected\n",
			guest_who(g, name), m->request);
}

/* Says that a memory table has too many regions, which is no fault of the guest's. */
static void
say_regions(const struct guest *g, const struct message *m)
{
	char name[GUEST_WHO_MAX];

	if (m->payload.memory.nregions > GUEST_REGIONS)
		say(WARNING,
				"%s: its memory is in %u regions, and %d are the most that a guest can "
				"have; give it fewer and larger DIMMs\n",
				guest_who(g, name), m->payload.memory.nregions, GUEST_REGIONS);
}

bool
guest_before(struct guest *g, struct message *m)
{
	struct rte_ether_addr mac;
	uint32_t gone;

	if (g->table_pending) {
		/* librte_vhost called no hook after the last table: it was no good. */
		g->table_pending = false;
		g->doomed = true;
	}
	g->log_only = false;
	peer_message(&g->peer, &g->all->peers, m);
	if (!fds_answered(g->socket))
		g->doomed = true;
	if (!g->doomed && !is_wanted(g, m))
		say_unwanted(g, m);
	if (g->doomed || !is_wanted(g, m)) {
		guest_pause(g, RINGS_ALL);
		guest_let_go(g, RINGS_ALL);
		return guest_doom(g, m);
	}
	/* What the last message paused would be back by now. */
	guest_let_go(g, RINGS_ALL);
	if (m->request == MSG_NET_SET_MTU)
		check_mtu(g, m);
	if (m->request == MSG_SET_FEATURES)
		take_features(g, m);
	g->log_only = dirty_switch_can(g, m);
	if (m->request == MSG_SET_LOG_BASE && !within_share(g, m)) {
		guest_pause(g, RINGS_ALL);
		guest_let_go(g, RINGS_ALL);
		return guest_doom(g, m);
	}
	if (is_question(m) || g->log_only)
		return true;
	g->in_message = true;
	guest_pause(g, message_rings(m));
	gone = no_longer_ready(g, m);
	g->ready &= ~gone;
	guest_let_go(g, gone);
	if (m->request == MSG_SEND_RARP) {
		mac = m->payload.mac;
		announce_ask(&g->announcement, &mac);
	} else if (m->request == MSG_SET_MEM_TABLE) {
		say_regions(g, m);
		if (!fds_table_ok(m) || !within_share(g, m))
			return guest_doom(g, m);
		g->table_pending = true;
		guest_mem_forget(&g->mem);
	}
	return true;
}

bool
guest_after(struct guest *g, const struct message *m)
{
	g->table_pending = g->in_message = false;
	if (g->doomed) /* perhaps over this message, which may name any ring */
		return !message_handled(m);
	dirty_switch_note(g, m);
	dirty_switch(g, m);
	guest_resume(g);
	return true;
}

bool
guest_start(struct guest *g)
{
	if (g->doomed)
		return false;
	if (!guest_place(g)) {
		g->doomed = true;
		fds_hang_up(g->socket);
		return false;
	}
	g->running = true;
	guest_resume(g);
	return true;
}

void
guest_stop(struct guest *g)
{
	guest_pause(g, RINGS_ALL);
	guest_let_go(g, RINGS_ALL);
	guest_check(g);
	g->running = false;
	guest_mem_forget(&g->mem);
	guest_forget_fault(g);
}

void
guest_ring(struct guest *g, unsigned int index, bool ready)
{
	uint32_t ring = UINT32_C(1) << index;

	if (index >= RINGS_MAX)
		return;
	guest_pause(g, ring);
	if (ready) {
		g->ready |= ring;
		guest_resume(g);
		return;
	}
	g->ready &= ~ring;
	/* A message that replaces its descriptors makes it not ready, and then ready again. */
	if (!g->in_message)
		guest_let_go(g, ring);
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
	fd_gate_close(g->socket);
	space_release(&g->space);
	g->ready = 0;
	peer_disconnected(&g->peer, &g->all->peers, guest_settings(g),
			g->doomed || load_relaxed(&g->all->ending));
	guest_end(g);
}
