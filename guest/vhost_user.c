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
#include <sys/stat.h>
#include <unistd.h>

#include <linux/virtio_config.h>

#include <rte_version.h>
#include <rte_vhost.h>

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
#include "guest/socket_file.h"
#include "guest/vhost_user.h"
#include "frame/offload.h"

/*
 * Features that guests are offered (virtio 1.2 sections 5.1.3 and 6). CTRL_*, STATUS, MTU and
 * GUEST_ANNOUNCE are between the guest and QEMU, which asks the back end first; LOG_ALL is between
 * QEMU and us (dirty_log.h).
 */
static const uint64_t features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_F_RING_PACKED |
		1ULL << VIRTIO_F_IN_ORDER | 1ULL << VIRTIO_F_ANY_LAYOUT |
		1ULL << VIRTIO_RING_F_INDIRECT_DESC | 1ULL << VIRTIO_RING_F_EVENT_IDX |
		1ULL << VIRTIO_NET_F_STATUS | 1ULL << VIRTIO_NET_F_CTRL_VQ |
		1ULL << VIRTIO_NET_F_CTRL_RX | 1ULL << VIRTIO_NET_F_GUEST_ANNOUNCE |
		1ULL << VIRTIO_NET_F_MTU | 1ULL << VHOST_F_LOG_ALL | 1ULL << VIRTIO_NET_F_MQ |
		1ULL << VHOST_USER_F_PROTOCOL_FEATURES;

/*
 * User Mode Linux is not offered these. No monitor answers for the device: its driver would use a
 * control queue that nobody serves, and wait for ever; without that queue it does not accept the
 * others. Its packed rings do not start either: it sends (6.1) position 0 with wrap counters of 0,
 * but its driver begins with 1.
 */
static const uint64_t not_for_uml = 1ULL << VIRTIO_F_RING_PACKED | 1ULL << VIRTIO_NET_F_STATUS |
		1ULL << VIRTIO_NET_F_CTRL_VQ | 1ULL << VIRTIO_NET_F_CTRL_RX |
		1ULL << VIRTIO_NET_F_GUEST_ANNOUNCE | 1ULL << VIRTIO_NET_F_MTU |
		1ULL << VIRTIO_NET_F_MQ;

/*
 * Protocol features: each message can be acknowledged with its real result; there are queue pairs;
 * a guest can be migrated and announced; its MTU is agreed on.
 */
static const uint64_t protocol_features = 1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK |
		1ULL << VHOST_USER_PROTOCOL_F_MQ | 1ULL << VHOST_USER_PROTOCOL_F_LOG_SHMFD |
		1ULL << VHOST_USER_PROTOCOL_F_RARP | 1ULL << VHOST_USER_PROTOCOL_F_NET_MTU;

/*
 * For User Mode Linux: requests by the back end, which are never made. Its driver (6.1) has no
 * interrupt for its rings without this feature.
 */
static const uint64_t uml_protocol_features = 1ULL << PROTOCOL_BACKEND_REQ;

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

static struct guest *
guest_of(int vid)
{
	struct guest *g = connections.guest[vid];

	sigbus_working_for(g);
	return g;
}

/*
 * Answers with the features that librte_vhost offers and those that it does not know. Returns false
 * if they are not known.
 */
static bool
vhost_user_answer_features(int vid, const struct guest *g, struct message *m)
{
	char path[SOCKET_PATH_MAX] = "";
	uint64_t known;

	if (rte_vhost_get_ifname(vid, path, sizeof(path)) != 0 ||
			rte_vhost_driver_get_features(path, &known) != 0)
		return false;
	message_answer(m, known | guest_features(g));
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
				"guests refused: librte_vhost takes descriptors past the switch; link it "
				"as a shared library, or all of DPDK statically\n");
	told = true;
	return false;
}

static enum rte_vhost_msg_result
vhost_user_before_message(int vid, void *message)
{
	struct guest *g = guest_of(vid);
	struct message *m = message;
	bool ok = true;

	pthread_mutex_lock(&turn);
	if (g != NULL)
		ok = vhost_user_passed_gate(g) && guest_before(g, m);
	pthread_mutex_unlock(&turn);
	if (!ok)
		return RTE_VHOST_MSG_RESULT_ERR;
	if (g != NULL && g->conn.step == STEP_LOG && dirty_switch_alone(m))
		return RTE_VHOST_MSG_RESULT_OK;
	/* The library would answer with the number that it could serve. */
	if (m->request == MSG_GET_QUEUE_NUM && g != NULL && message_bare(m)) {
		message_answer(m, guest_settings(g)->queues);
		return RTE_VHOST_MSG_RESULT_REPLY;
	}
	if (m->request == MSG_GET_FEATURES && g != NULL && message_bare(m) &&
			vhost_user_answer_features(vid, g, m))
		return RTE_VHOST_MSG_RESULT_REPLY;
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
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
	connections.guest[vid] = g;
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
	connections.guest[vid] = NULL;
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

static bool
vhost_user_serve_socket(const struct conf_port *p, const char *path)
{
	bool client = p->role == ROLE_CLIENT;
	uint64_t protocol = p->uml ? protocol_features | uml_protocol_features : protocol_features;
	uint64_t offer = p->uml ? features & ~not_for_uml : features, have = 0;

	if (p->mergeable == CHOICE_YES)
		offer |= 1ULL << VIRTIO_NET_F_MRG_RXBUF;
	if (p->csum == CHOICE_YES)
		offer |= offload_csum_features;
	if (p->tso == CHOICE_YES)
		offer |= offload_tso_features;
	if (!client && !socket_file_make_way(path))
		return false;
	if (rte_vhost_driver_register(path, client ? RTE_VHOST_USER_CLIENT : 0) != 0) {
		say_error("socket %s: can't be made; is its folder there, and writable?", path);
		return false;
	}
	if (rte_vhost_driver_get_features(path, &have) != 0 ||
			rte_vhost_driver_disable_features(path, have & ~offer) != 0 ||
			rte_vhost_driver_set_protocol_features(path, protocol) != 0 ||
			rte_vhost_driver_callback_register(path, &device_ops) != 0 ||
			rte_vhost_driver_start(path) != 0) {
		rte_vhost_driver_unregister(path);
		say_error("socket %s: can't be %s; is its folder there, and writable?", path,
				client ? "connected to" : "served");
		return false;
	}
	return true;
}

/*
 * Serves a socket with the owner and the mode that the user wants, for it or for all; the mode
 * holds from the first moment on.
 */
static bool
vhost_user_serve_owned(const struct conf *c, const struct conf_port *p)
{
	bool owned = p->owned || c->node_owned, moded = p->mode_given || c->node_mode_given;
	mode_t mode = p->mode_given ? p->mode : c->node_mode, before = 0;
	bool ok;

	if (moded)
		before = umask(~mode & 0777);
	ok = vhost_user_serve_socket(p, p->socket);
	if (moded)
		umask(before);
	if (!ok || !owned)
		return ok;
	return socket_file_give(p->socket, p->owned ? p->uid : c->node_uid,
			p->owned ? p->gid : c->node_gid);
}

/* Without that release's size, librte_vhost handles those messages by itself. */
static void
vhost_user_know_messages(void)
{
	if (message_know(rte_version()))
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
	const struct conf_port *p;
	unsigned int i;
	bool ok;

	connections.all = all;
	vhost_user_know_messages();
	vhost_user_keep_thread();
	for (i = 0; i < c->nports; i++) {
		p = &c->port[i];
		if (p->socket[0] == '\0') /* the cuse back end serves it */
			continue;
		ok = p->role == ROLE_CLIENT ? vhost_user_serve_socket(p, p->socket)
					    : vhost_user_serve_owned(c, p);
		if (!ok)
			return false;
	}
	return true;
}

bool
vhost_user_serve(struct guests *all, const char *path)
{
	return vhost_user_serve_socket(&all->conf->port[slot_port(all->conf, path)], path);
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
		if (p->socket[0] != '\0' && p->role != ROLE_CLIENT)
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
	pthread_mutex_lock(&turn);
	for (i = 0; i < RTE_DIM(connections.guest); i++)
		if (connections.guest[i] != NULL)
			guest_disconnect(connections.guest[i]);
	memset(&connections, 0, sizeof(connections));
	pthread_mutex_unlock(&turn);
}
