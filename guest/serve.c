/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* One socket, as librte_vhost serves it: see serve.h for the contract. */
#include <sys/stat.h>

#include <linux/virtio_config.h>

#include <rte_vhost.h>

#include "base/log.h"
#include "conf/conf.h"
#include "frame/offload.h"
#include "guest/message.h"
#include "guest/serve.h"
#include "guest/socket_file.h"

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
 * control queue that nobody serves, and wait without end; without that queue it does not accept the
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

static uint64_t
serve_offer(const struct conf_port *p)
{
	uint64_t offer = p->uml ? features & ~not_for_uml : features;

	if (p->mergeable == CHOICE_YES)
		offer |= 1ULL << VIRTIO_NET_F_MRG_RXBUF;
	if (p->csum == CHOICE_YES)
		offer |= offload_csum_features;
	if (p->tso == CHOICE_YES)
		offer |= offload_tso_features;
	return offer;
}

bool
serve_path(const struct conf_port *p, const char *path, const struct rte_vhost_device_ops *ops)
{
	bool client = p->role == ROLE_CLIENT;
	uint64_t protocol = p->uml ? protocol_features | uml_protocol_features : protocol_features;
	uint64_t have = 0;

	if (!client && !socket_file_make_way(path))
		return false;
	if (rte_vhost_driver_register(path, client ? RTE_VHOST_USER_CLIENT : 0) != 0) {
		say_error("socket %s: can't be made; is its folder there, and writable?", path);
		return false;
	}
	if (rte_vhost_driver_get_features(path, &have) != 0 ||
			rte_vhost_driver_disable_features(path, have & ~serve_offer(p)) != 0 ||
			rte_vhost_driver_set_protocol_features(path, protocol) != 0 ||
			rte_vhost_driver_callback_register(path, ops) != 0 ||
			rte_vhost_driver_start(path) != 0) {
		rte_vhost_driver_unregister(path);
		say_error("socket %s: can't be %s; is its folder there, and writable?", path,
				client ? "connected to" : "served");
		return false;
	}
	return true;
}

bool
serve_port(const struct conf_port *p, const struct rte_vhost_device_ops *ops)
{
	mode_t before = 0;
	bool ok;

	/* The socket has its mode from the first moment on. */
	if (p->mode_given)
		before = umask(~p->mode & 0777);
	ok = serve_path(p, p->socket, ops);
	if (p->mode_given)
		umask(before);
	if (!ok || !p->owned || socket_file_give(p->socket, p->uid, p->gid))
		return ok;
	rte_vhost_driver_unregister(p->socket);
	return false;
}
