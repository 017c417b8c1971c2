/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Connections that become guests: see connect.h for the contract. */
#include <fcntl.h>
#include <stdlib.h>

#include <rte_malloc.h>
#include <rte_vhost.h>

#include "base/atomic.h"
#include "base/log.h"
#include "base/wake.h"
#include "guest/apart.h"
#include "guest/connect.h"
#include "guest/fds.h"
#include "guest/fd_drain.h"
#include "guest/fd_gate.h"
#include "guest/device.h"
#include "guest/guests.h"
#include "guest/new_socket.h"
#include "guest/slot.h"
#include "switch/park.h"
#include "switch/port.h"

/*
 * As many connections of a port may wait for their drivers as it takes guests, and some more:
 * programs may only ask what the switch offers, and leave.
 */
#define WAITING_MORE 8u

const char *
guest_who(const struct guest *g, char name[GUEST_WHO_MAX])
{
	if (g->slot != SLOT_NONE)
		snprintf(name, GUEST_WHO_MAX, "device %u", g->slot);
	else
		snprintf(name, GUEST_WHO_MAX, "port %s", guest_settings(g)->name);
	return name;
}

/* Sets a guest's conf_port and slot; the main lcore may be reading its name. */
static void
connect_set_slot(struct guest *g, unsigned int conf_port, uint16_t slot)
{
	rte_spinlock_lock(&g->fault_lock);
	g->conf_port = conf_port;
	g->slot = slot;
	rte_spinlock_unlock(&g->fault_lock);
}

/*
 * Returns a guest for a new connection. Guests of former connections are used again and never
 * freed, as the main lcore may be reading one.
 */
static struct guest *
connect_unused_guest(struct guests *all)
{
	struct guest *g;

	for (g = all->list; g != NULL; g = g->next)
		if (g->conn.phase == GUEST_UNUSED)
			return g;
	g = rte_zmalloc("guest", sizeof(*g), RTE_CACHE_LINE_SIZE);
	if (g == NULL)
		return NULL;
	g->all = all;
	g->next = all->list;
	all->list = g;
	return g;
}

/*
 * Returns true if there is room for one more connection to a port that has not started its device.
 * Their number is bounded for each port. Of all connections that librte_vhost can have, one is kept
 * for each port without one, so that nobody keeps the others out.
 */
static bool
connect_may(const struct guests *guests, unsigned int conf_port)
{
	const struct conf *c = guests->conf;
	bool seen[SOCKET_MAX] = {false};
	unsigned int all = 1, waiting = 1, most = RTE_MAX_VHOST_DEVICE, i;
	const struct guest *g;

	seen[conf_port] = true;
	for (g = guests->list; g != NULL; g = g->next) {
		if (g->conn.phase == GUEST_UNUSED)
			continue;
		all++;
		seen[g->conf_port] = true;
		waiting += g->conf_port == conf_port && g->slot == SLOT_NONE;
	}
	for (i = 0; i < c->nports; i++)
		all += conf_port_used(&c->port[i]) && !seen[i];
	if (waiting <= WAITING_MORE + c->port[conf_port].guests && all <= most)
		return true;
	say(ERR,
			"port %s: guest refused: %u connections there wait for their drivers, and %u "
			"are open in all\n",
			c->port[conf_port].name, waiting - 1, all - 1);
	return false;
}

/* Prepares for librte_vhost closing a connection that is refused: that must not wait for what came by it. */
static void
connect_refuse(int socket, const char *path)
{
	int last;

	if (fd_drain(socket, path))
		return;
	last = fcntl(socket, F_DUPFD_CLOEXEC, 0);
	if (last >= 0)
		apart_close_later(last, path);
}

static struct guest *
connect_guest(struct guests *all, int vid, const char *path, int socket)
{
	unsigned int conf_port = slot_conf_port(all->conf, path);
	const char *name;
	struct guest *g;

	if (conf_port == SOCKET_MAX) /* its port is going */
		return NULL;
	if (!connect_may(all, conf_port))
		return NULL;
	name = all->conf->port[conf_port].name;
	if (!fds_left()) {
		say(ERR,
				"port %s: guest refused: file descriptors run out; end what leaks "
				"them, or raise the limit (ulimit -n)\n",
				name);
		return NULL;
	}
	if (!apart_accepts(path)) {
		say(ERR,
				"port %s: guest refused: files that were sent there can't be closed, as "
				"their owners make that wait (FUSE?): end those\n",
				name);
		return NULL;
	}
	g = connect_unused_guest(all);
	if (g == NULL) {
		say(ERR, "port %s: guest refused: no memory for it\n", name);
		return NULL;
	}
	if (socket < 0) {
		say(ERR,
				"port %s: guest refused: librte_vhost connects past the switch; link it as "
				"a shared library, or all of DPDK statically\n",
				name);
		return NULL;
	}
	fds_hurry(socket);
	if (!fd_gate_open(socket, path, all->conf->port[conf_port].uml)) {
		say(ERR, "port %s: guest refused: no memory to watch its connection\n", name);
		return NULL;
	}
	g->conn = (struct connection){.phase = GUEST_CONNECTED, .vid = vid, .socket = socket};
	connect_set_slot(g, conf_port, SLOT_NONE);
	peer_connected(&g->conn.peer, name, path, socket);
	return g;
}

struct guest *
guest_connect(struct guests *all, int vid, const char *path)
{
	int socket = new_socket_take();
	struct guest *g = connect_guest(all, vid, path, socket);

	if (g == NULL && socket >= 0)
		connect_refuse(socket, path);
	return g;
}

bool
guest_take_slot(struct guest *g)
{
	char name[SLOT_NAME_MAX];

	if (g->slot != SLOT_NONE)
		return true;
	connect_set_slot(g, g->conf_port, slot_take(g->all->ports, g->all->conf, g->conf_port));
	if (g->slot == SLOT_NONE)
		return false;
	/*
	 * A worker may be in a burst since the slot was another guest's, with a frame for that one: before
	 * this guest's rings are published a grace period has to pass.
	 */
	g->set_in_use = true;
	store_release(&g->all->by_slot[g->slot], g);
	say(INFO, "device %u connected: %s\n", g->slot, slot_name(g->all->ports, g->slot, name));
	wake_up(g->all->wake);
	return true;
}

/* Gives the guest's slot back; the main lcore clears it for the next guest. */
static void
connect_leave_slot(struct guest *g)
{
	if (g->slot == SLOT_NONE) {
		if (g->conn.peer.agreed)
			say(INFO, "port %s: disconnected\n", g->conn.peer.name);
		return;
	}
	say(INFO, "device %u disconnected\n", g->slot);
	store_release(&g->all->by_slot[g->slot], NULL);
	store_release(&g->all->ports->port[g->slot].state, PORT_LEAVING);
	connect_set_slot(g, g->conf_port, SLOT_NONE);
	wake_up(g->all->wake);
}

/* Frees what rings got when they were first used, and forgets where they were put. */
static void
connect_free_rings(struct guest *g)
{
	struct virtqueue *vq;

	for (vq = g->ring; vq < g->ring + RINGS_MAX; vq++) {
		park_destroy(vq->source.park);
		vq->source.park = NULL;
		vq->source.moved = 0; /* the next guest's rings are placed as usual */
		free(vq->in_order);
		vq->in_order = NULL;
	}
}

void
guest_end(struct guest *g)
{
	connect_free_rings(g);
	connect_leave_slot(g);
	g->conn.phase = GUEST_UNUSED;
}

void
guests_destroy(struct guests *all)
{
	struct guest *g;

	while ((g = all->list) != NULL) {
		all->list = g->next;
		connect_free_rings(g);
		rte_free(g);
	}
}
