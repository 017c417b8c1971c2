/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Sockets and callbacks: see vhost_user.h for the contract.
 *
 * librte_vhost runs one thread for all connections, which makes most callbacks. Exceptions: with
 * --client a second thread connects, and so does the main lcore at start; at exit
 * rte_vhost_driver_unregister() makes callbacks in the main lcore's thread, while guests that end
 * by themselves are still served. So there is a lock: see `turn`.
 */
#include <pthread.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <rte_version.h>
#include <rte_vhost.h>

#include "base/atomic.h"
#include "base/log.h"
#include "conf/conf.h"
#include "guest/connect.h"
#include "guest/fds.h"
#include "guest/fd_gate.h"
#include "guest/dirty_switch.h"
#include "guest/device.h"
#include "guest/dispatch.h"
#include "guest/guest.h"
#include "guest/guests.h"
#include "guest/message.h"
#include "guest/sigbus.h"
#include "guest/slot.h"
#include "guest/serve.h"
#include "guest/socket_file.h"
#include "guest/vhost_thread.h"
#include "guest/vhost_user.h"

/* librte_vhost's callbacks get only its number of the connection. */
static struct {
	struct guests *all;
	struct guest *guest[RTE_MAX_VHOST_DEVICE];
} connections;

/*
 * Held by the thread that calls functions of guest.h and connect.h: these take no lock for what
 * guests share, such as their list, their slots, and what workers poll. It is held only for calls
 * of ours, and never during a call of librte_vhost that takes the library's own lock
 * (rte_vhost_driver_...): unregistering holds that lock when it makes callbacks.
 */
static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER;

/* How often, and with which pauses, a port's guests are looked for that hung up: for two seconds. */
#define REMOVE_LOOKS 2000
#define REMOVE_NAP_NS 1000000

/* How often, and with which pauses, the main lcore tries to take its turn: for some milliseconds. */
#define TURN_LOOKS 20
#define TURN_NAP_NS 100000

static struct guest *
guest_of(int vid)
{
	struct guest *g = load_relaxed(&connections.guest[vid]);

	sigbus_working_for(g);
	return g;
}

/* Finds the features that librte_vhost offers at a connection's socket. Returns false if it does not tell. */
static bool
vhost_user_offered(int vid, uint64_t *features)
{
	char path[SOCKET_PATH_MAX] = "";

	return rte_vhost_get_ifname(vid, path, sizeof(path)) == 0 &&
			rte_vhost_driver_get_features(path, features) == 0;
}

/*
 * Answers a message in librte_vhost's place. Returns false if librte_vhost is to act on it: also if it may have to
 * close a file that came with it.
 */
static bool
vhost_user_answer(int vid, const struct guest *g, struct message *m)
{
	const struct message_kind *k = message_kind(m);
	uint64_t theirs = 0, ours;

	if (k->answer == NULL || !message_bare(m, g->all->message_size) ||
			(k->adds_theirs && !vhost_user_offered(vid, &theirs)))
		return false;
	pthread_mutex_lock(&turn);
	ours = k->answer(g);
	pthread_mutex_unlock(&turn);
	message_answer(m, theirs | ours);
	return true;
}

/*
 * Returns true if file descriptors are checked when they are received: false if librte_vhost was
 * linked to libc's recvmsg().
 */
static bool
vhost_user_passed_gate(const struct guest *g)
{
	static bool told;

	if (fd_gate_passed(g->conn.socket))
		return true;
	if (!told)
		say(ERR,
				"guests refused: librte_vhost takes file descriptors past the switch; link it "
				"as a shared library, or all of DPDK statically\n");
	told = true;
	return false;
}

static enum rte_vhost_msg_result
vhost_user_before_message(int vid, void *message)
{
	struct guest *g = guest_of(vid);
	struct message *m = message;
	bool ok;

	if (g == NULL)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	pthread_mutex_lock(&turn);
	ok = vhost_user_passed_gate(g) && guest_before(g, m);
	pthread_mutex_unlock(&turn);
	if (!ok)
		return RTE_VHOST_MSG_RESULT_ERR;
	if (g->conn.step == STEP_LOG && message_kind(m)->log_alone)
		return RTE_VHOST_MSG_RESULT_OK;
	return vhost_user_answer(vid, g, m) ? RTE_VHOST_MSG_RESULT_REPLY
					    : RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static enum rte_vhost_msg_result
vhost_user_after_message(int vid, void *message)
{
	struct guest *g = guest_of(vid);
	bool ok = true;

	pthread_mutex_lock(&turn);
	if (g != NULL)
		ok = guest_after(g, message);
	pthread_mutex_unlock(&turn);
	if (g != NULL)
		dirty_switch_late(g);
	return ok ? RTE_VHOST_MSG_RESULT_NOT_HANDLED : RTE_VHOST_MSG_RESULT_ERR;
}

static const struct rte_vhost_user_extern_ops message_hooks = {
		.pre_msg_handle = vhost_user_before_message,
		.post_msg_handle = vhost_user_after_message,
};

static int
vhost_user_new_connection(int vid)
{
	char path[SOCKET_PATH_MAX] = "";
	struct guest *g;

	rte_vhost_get_ifname(vid, path, sizeof(path));
	pthread_mutex_lock(&turn);
	g = guest_connect(connections.all, vid, path);
	pthread_mutex_unlock(&turn);
	store_relaxed(&connections.guest[vid], g);
	if (g == NULL)
		return -1;
	return rte_vhost_extern_callback_register(vid, &message_hooks, NULL);
}

static void
vhost_user_destroy_connection(int vid)
{
	struct guest *g = guest_of(vid);

	pthread_mutex_lock(&turn);
	if (g != NULL)
		guest_disconnect(g);
	pthread_mutex_unlock(&turn);
	store_relaxed(&connections.guest[vid], NULL);
	sigbus_working_for(NULL);
}

static int
vhost_user_new_device(int vid)
{
	struct guest *g = guest_of(vid);
	bool ok = false;

	pthread_mutex_lock(&turn);
	if (g != NULL)
		ok = guest_start(g);
	pthread_mutex_unlock(&turn);
	return ok ? 0 : -1;
}

static void
vhost_user_destroy_device(int vid)
{
	struct guest *g = guest_of(vid);

	pthread_mutex_lock(&turn);
	if (g != NULL)
		guest_stop(g);
	pthread_mutex_unlock(&turn);
}

static int
vhost_user_vring_state_changed(int vid, uint16_t ring, int enable)
{
	struct guest *g = guest_of(vid);

	pthread_mutex_lock(&turn);
	if (g != NULL)
		guest_ring(g, ring, enable);
	pthread_mutex_unlock(&turn);
	return 0;
}

static const struct rte_vhost_device_ops device_ops = {
		.new_connection = vhost_user_new_connection,
		.destroy_connection = vhost_user_destroy_connection,
		.new_device = vhost_user_new_device,
		.destroy_device = vhost_user_destroy_device,
		.vring_state_changed = vhost_user_vring_state_changed,
};

/* Without that release's size, librte_vhost handles those messages by itself. */
static void
vhost_user_know_messages(struct guests *all)
{
	all->message_size = message_size_in(rte_version());
	if (all->message_size != 0)
		return;
	say(WARNING,
			"%s: its librte_vhost is not known to this version, so guests are not offered "
			"segmentation of UDP, may count on more queue pairs than the %d that are "
			"served, and wait longer when a migration begins; look for a newer "
			"vhost-switch\n",
			rte_version(), QUEUE_PAIRS_MAX);
}

/*
 * Since DPDK 24.11 librte_vhost ends its thread with the last socket and waits for it: the thread
 * sleeps for a second if nothing happens. So there is always one more socket. Nobody can connect to
 * it, as it is never started; no file can have its name.
 */
static void
vhost_user_keep_thread(void)
{
	static bool kept;

	/* If it fails, stopping takes that second. */
	if (!kept)
		kept = rte_vhost_driver_register("/dev/null/vhost-switch", 0) == 0;
}

bool
vhost_user_start(struct guests *all)
{
	const struct conf *c = all->conf;
	unsigned int i;

	connections.all = all;
	vhost_user_know_messages(all);
	vhost_user_keep_thread();
	for (i = 0; i < c->nports; i++)
		/* Without a socket, the cuse back end serves it. */
		if (c->port[i].socket[0] != '\0' && !serve_port(&c->port[i], &device_ops))
			return false;
	vhost_thread_wake();
	return true;
}

/* Hangs up on the guests of a port. Returns true if there was one. */
static bool
vhost_user_hang_up(const struct guests *all, unsigned int conf_port)
{
	const struct guest *g;
	bool found = false;

	pthread_mutex_lock(&turn);
	for (g = all->list; g != NULL; g = g->next) {
		if (g->conn.phase == GUEST_UNUSED || g->conf_port != conf_port)
			continue;
		found = true;
		fds_hang_up(g->conn.socket);
	}
	pthread_mutex_unlock(&turn);
	return found;
}

/* Ends what unregistering has left of the guests of a port; SOCKET_MAX: of all ports. */
static void
vhost_user_end_connections(unsigned int conf_port)
{
	struct guest *g;
	unsigned int i;

	pthread_mutex_lock(&turn);
	for (i = 0; i < RTE_DIM(connections.guest); i++) {
		g = load_relaxed(&connections.guest[i]);
		if (g == NULL || (conf_port != SOCKET_MAX && g->conf_port != conf_port))
			continue;
		guest_disconnect(g);
		store_relaxed(&connections.guest[i], NULL);
	}
	pthread_mutex_unlock(&turn);
}

bool
vhost_user_add(const struct conf_port *p, unsigned int conf_port)
{
	if (!serve_port(p, &device_ops)) {
		/* One may have connected before that failed. */
		vhost_user_end_connections(conf_port);
		return false;
	}
	vhost_thread_wake();
	return true;
}

void
vhost_user_remove(struct guests *all, unsigned int conf_port, const char *path)
{
	const struct timespec nap = {.tv_nsec = REMOVE_NAP_NS};
	unsigned int looks;

	/* Hanging up makes librte_vhost's thread itself end them, in the usual order. */
	for (looks = 0; vhost_user_hang_up(all, conf_port) && looks < REMOVE_LOOKS; looks++)
		nanosleep(&nap, NULL);
	rte_vhost_driver_unregister(path);
	vhost_user_end_connections(conf_port);
}

/* Takes the lock, unless another thread keeps it for longer than a message takes. */
static bool
vhost_user_take_turn(void)
{
	const struct timespec nap = {.tv_nsec = TURN_NAP_NS};
	unsigned int looks;

	for (looks = 0; looks < TURN_LOOKS; looks++) {
		if (pthread_mutex_trylock(&turn) == 0)
			return true;
		nanosleep(&nap, NULL);
	}
	return false;
}

bool
vhost_user_connections(const struct guests *all, unsigned int conf_port, struct connections *count)
{
	const struct guest *g;

	*count = (struct connections){0};
	if (!vhost_user_take_turn())
		return false;
	for (g = all->list; g != NULL; g = g->next) {
		if (g->conn.phase == GUEST_UNUSED || g->conf_port != conf_port)
			continue;
		count->n++;
		count->no_memory += g->conn.peer.agreed && g->conn.space.memory == 0;
	}
	pthread_mutex_unlock(&turn);
	return true;
}

bool
vhost_user_move(struct guests *all, const struct ring_move *m, bool moved[])
{
	struct guest *g;
	int n = 0;

	if (!vhost_user_take_turn())
		return false;
	for (g = all->list; g != NULL && n >= 0; g = g->next) {
		if (g->conn.phase != GUEST_RUNNING ||
				(m->conf_port != SOCKET_MAX && g->conf_port != m->conf_port) ||
				(m->device != SLOT_NONE && g->slot != m->device))
			continue;
		n = guest_move(g, m->pair, m->worker);
		if (n > 0)
			moved[g->slot] = true;
	}
	pthread_mutex_unlock(&turn);
	return n >= 0;
}

bool
vhost_user_set_conf(struct guests *all, const struct conf *next, guests_may may, void *arg)
{
	bool ok;

	if (!vhost_user_take_turn())
		return false;
	ok = may == NULL || may(arg);
	if (ok) {
		slot_set_conf(all->ports, all->conf, next);
		all->conf = next;
	}
	pthread_mutex_unlock(&turn);
	return ok;
}

bool
vhost_user_serve(struct guests *all, const char *path)
{
	return serve_path(&all->conf->port[slot_conf_port(all->conf, path)], path, &device_ops);
}

void
vhost_user_unserve(const char *path)
{
	rte_vhost_driver_unregister(path);
}

void
vhost_user_abandon(const struct guests *all)
{
	const struct conf *c = all->conf;
	const struct conf_port *p;

	for (p = c->port; p < c->port + c->nports; p++)
		if (p->socket[0] != '\0' && p->role != ROLE_CLIENT && socket_file_is_own(p->socket))
			unlink(p->socket);
}

void
vhost_user_stop(struct guests *all)
{
	const struct conf *c = all->conf;
	unsigned int i;

	for (i = 0; i < c->nports; i++)
		if (c->port[i].socket[0] != '\0')
			rte_vhost_driver_unregister(c->port[i].socket);
	/* Unregistering ends connections without vhost_user_destroy_connection(). */
	vhost_user_end_connections(SOCKET_MAX);
	memset(&connections, 0, sizeof(connections));
}
