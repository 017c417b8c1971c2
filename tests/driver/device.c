/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A virtio-net device as its driver has it. See device.h. */
#define _GNU_SOURCE
#include "device.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RING_SIZE_DEFAULT 256
#define TIMEOUT_DEFAULT_MS 30000 /* far more than an answer takes on a busy machine */

/* Reads the answer to `request`; anything else on this socket breaks the protocol. */
static int
recv_answer(struct vu_dev *dev, uint32_t request, struct vu_msg *answer)
{
	int err;

	err = vu_recv(dev->sock, answer, dev->timeout_ms);
	if (err < 0)
		return err;
	if (answer->request != request || (answer->flags & VU_REPLY) == 0 ||
			(answer->flags & VU_VERSION_MASK) != VU_VERSION) {
		vu_msg_close_fds(answer);
		return -EPROTO;
	}
	return 0;
}

int
vu_dev_request(struct vu_dev *dev, struct vu_msg *msg)
{
	struct vu_msg answer;
	int err;

	if (dev->ack)
		msg->flags |= VU_NEED_REPLY;
	err = vu_send(dev->sock, msg);
	if (err < 0 || !dev->ack)
		return err;
	err = recv_answer(dev, msg->request, &answer);
	if (err < 0)
		return err;
	vu_msg_close_fds(&answer);
	if (answer.size != sizeof(uint64_t))
		return -EPROTO;
	return answer.payload.u64 == 0 ? 0 : -EREMOTEIO;
}

int
vu_dev_query(struct vu_dev *dev, struct vu_msg *msg)
{
	uint32_t request = msg->request;
	int err;

	if (dev->ack_all)
		msg->flags |= VU_NEED_REPLY;
	err = vu_send(dev->sock, msg);
	if (err < 0)
		return err;
	return recv_answer(dev, request, msg);
}

int
vu_dev_query_u64(struct vu_dev *dev, uint32_t request, uint64_t *value)
{
	struct vu_msg msg = vu_msg_new(request);
	int err;

	err = vu_dev_query(dev, &msg);
	if (err < 0)
		return err;
	vu_msg_close_fds(&msg);
	if (msg.size != sizeof(uint64_t))
		return -EPROTO;
	*value = msg.payload.u64;
	return 0;
}

int
vu_dev_sync(struct vu_dev *dev)
{
	uint64_t features;

	return vu_dev_query_u64(dev, VU_GET_FEATURES, &features);
}

int
vu_dev_set_features(struct vu_dev *dev, uint64_t features)
{
	struct vu_msg msg = vu_msg_u64(VU_SET_FEATURES, features);

	return vu_dev_request(dev, &msg);
}

int
vu_dev_set_mem(struct vu_dev *dev)
{
	struct vu_msg msg = vu_mem_table_msg(&dev->mem);
	int err;

	err = vu_dev_request(dev, &msg);
	/* We may unmap the old memory as soon as the back end is done with it. */
	if (err == 0 && !dev->ack)
		err = vu_dev_sync(dev);
	return err;
}

int
vu_dev_set_log(struct vu_dev *dev, uint64_t file, uint64_t size, uint64_t offset, int *fd)
{
	struct vu_msg msg = vu_msg_new(VU_SET_LOG_BASE);

	*fd = memfd_create("log", MFD_CLOEXEC);
	if (*fd < 0 || ftruncate(*fd, (off_t)file) < 0)
		return -errno;
	msg.payload.log = (struct vu_log){size, offset};
	msg.size = sizeof(msg.payload.log);
	msg.fd[0] = *fd;
	msg.n_fds = 1;
	return vu_dev_query(dev, &msg);
}

int
vu_dev_set_vring_addr(struct vu_dev *dev, unsigned ring)
{
	struct vu_msg msg = vu_msg_new(VU_SET_VRING_ADDR);

	msg.payload.addr = dev->ring[ring].addr;
	msg.payload.addr.index = ring;
	msg.size = sizeof(msg.payload.addr);
	return vu_dev_request(dev, &msg);
}

int
vu_dev_set_vring_enable(struct vu_dev *dev, unsigned ring, bool on)
{
	struct vu_msg msg = vu_msg_state(VU_SET_VRING_ENABLE, ring, on);

	/* Without protocol features the message does not exist: rings start enabled. */
	if ((dev->features & VU_F_PROTOCOL_FEATURES) == 0)
		return 0;
	return vu_dev_request(dev, &msg);
}

int
vu_dev_set_fd(struct vu_dev *dev, uint32_t request, unsigned ring, int fd)
{
	struct vu_msg msg = vu_msg_u64(request, ring);

	msg.fd[0] = fd;
	msg.n_fds = 1;
	return vu_dev_request(dev, &msg);
}

int
vu_dev_setup_ring(struct vu_dev *dev, unsigned ring)
{
	struct vr_ring *vr = &dev->ring[ring];
	struct vu_msg msg;
	int err;

	msg = vu_msg_state(VU_SET_VRING_NUM, ring, vr->size);
	err = vu_dev_request(dev, &msg);
	if (err < 0)
		return err;
	msg = vu_msg_state(VU_SET_VRING_BASE, ring, vr_base(vr));
	err = vu_dev_request(dev, &msg);
	if (err < 0)
		return err;
	err = vu_dev_set_vring_addr(dev, ring);
	if (err < 0)
		return err;
	err = vu_dev_set_fd(dev, VU_SET_VRING_CALL, ring, vr->call_fd);
	if (err < 0)
		return err;
	return vu_dev_set_fd(dev, VU_SET_VRING_KICK, ring, vr->kick_fd);
}

int
vu_dev_get_vring_base(struct vu_dev *dev, unsigned ring, uint16_t *base)
{
	struct vu_msg msg = vu_msg_state(VU_GET_VRING_BASE, ring, 0);
	int err;

	err = vu_dev_query(dev, &msg);
	if (err < 0)
		return err;
	vu_msg_close_fds(&msg);
	if (msg.size != sizeof(msg.payload.state) || msg.payload.state.index != ring)
		return -EPROTO;
	if (base != NULL)
		*base = (uint16_t)msg.payload.state.num;
	return 0;
}

int
vu_dev_start_ring(struct vu_dev *dev, unsigned ring)
{
	int err;

	err = vu_dev_setup_ring(dev, ring);
	return err < 0 ? err : vu_dev_set_vring_enable(dev, ring, true);
}

int
vu_dev_stop_ring(struct vu_dev *dev, unsigned ring, uint16_t *base)
{
	int err;

	err = vu_dev_set_vring_enable(dev, ring, false);
	return err < 0 ? err : vu_dev_get_vring_base(dev, ring, base);
}

static int
set_owner(struct vu_dev *dev)
{
	struct vu_msg msg = vu_msg_new(VU_SET_OWNER);

	return vu_dev_request(dev, &msg);
}

static int
negotiate_protocol(struct vu_dev *dev, uint64_t want, enum vu_ack acks)
{
	struct vu_msg msg;
	int err;

	err = vu_dev_query_u64(dev, VU_GET_PROTOCOL_FEATURES, &dev->offered_protocol);
	if (err < 0)
		return err;
	dev->protocol = want & dev->offered_protocol;
	msg = vu_msg_u64(VU_SET_PROTOCOL_FEATURES, dev->protocol);
	err = vu_dev_request(dev, &msg);
	dev->ack = (dev->protocol & VU_PROTOCOL_REPLY_ACK) != 0 && acks != VU_ACK_NEVER;
	dev->ack_all = dev->ack && acks == VU_ACK_ALL;
	return err;
}

static int
negotiate(struct vu_dev *dev, const struct vu_dev_opts *opts)
{
	int err = opts->owner_first ? set_owner(dev) : 0;

	if (err == 0)
		err = vu_dev_query_u64(dev, VU_GET_FEATURES, &dev->offered);
	if (err < 0)
		return err;
	dev->features = opts->features & dev->offered;
	if ((dev->features & VU_F_PROTOCOL_FEATURES) != 0 && !opts->unset) {
		err = negotiate_protocol(dev, opts->protocol, opts->acks);
		if (err < 0)
			return err;
	}
	if ((dev->protocol & VU_PROTOCOL_MQ) != 0 && (dev->features & VU_F_MQ) != 0) {
		err = vu_dev_query_u64(dev, VU_GET_QUEUE_NUM, &dev->queue_num);
		if (err < 0)
			return err;
	}
	err = opts->owner_first ? 0 : set_owner(dev);
	return err < 0 ? err : vu_dev_set_features(dev, dev->features);
}

static int
make_rings(struct vu_dev *dev, const struct vu_dev_opts *opts)
{
	bool packed = (dev->features & VU_F_RING_PACKED) != 0;
	uint64_t pairs = opts->n_pairs > 0 ? opts->n_pairs : 1;
	int err;

	if (pairs > VU_PAIRS_MAX)
		return -EINVAL;
	if (pairs > dev->queue_num)
		pairs = dev->queue_num;
	for (unsigned i = 0; i < 2 * pairs; i++) {
		uint16_t size = i % 2 == 0 ? opts->rx_size : opts->tx_size;

		if (size == 0)
			size = RING_SIZE_DEFAULT;
		if (size > VR_SIZE_MAX || (!packed && (size & (size - 1)) != 0))
			return -EINVAL;
		err = vr_init(&dev->ring[i], &dev->mem, i % dev->mem.n, size, dev->features);
		if (err < 0)
			return err;
		dev->n_rings++;
	}
	return 0;
}

int
vu_dev_open(struct vu_dev *dev, int sock, const struct vu_dev_opts *opts)
{
	int err;

	memset(dev, 0, sizeof(*dev));
	dev->sock = sock;
	dev->timeout_ms = opts->timeout_ms > 0 ? opts->timeout_ms : TIMEOUT_DEFAULT_MS;
	dev->queue_num = 1;
	err = vu_mem_create(&dev->mem, &opts->mem);
	if (err == 0)
		err = negotiate(dev, opts);
	if (err == 0)
		err = make_rings(dev, opts);
	if (err < 0)
		vu_dev_close(dev);
	return err;
}

int
vu_dev_open_unconnected(struct vu_dev *dev, const struct vu_dev_opts *opts)
{
	int err;

	memset(dev, 0, sizeof(*dev));
	dev->sock = -1;
	dev->features = dev->offered = opts->features;
	dev->queue_num = VU_PAIRS_MAX;
	err = vu_mem_create(&dev->mem, &opts->mem);
	if (err == 0)
		err = make_rings(dev, opts);
	if (err < 0)
		vu_dev_close(dev);
	return err;
}

int
vu_dev_renegotiate(struct vu_dev *dev, uint64_t features)
{
	int err;

	dev->features = features & dev->offered;
	for (unsigned i = 0; i < dev->n_rings; i++) {
		dev->ring[i].features = dev->features;
		vr_restart(&dev->ring[i]);
	}
	err = vu_dev_set_features(dev, dev->features);
	return err;
}

int
vu_dev_start(struct vu_dev *dev)
{
	int err;

	err = vu_dev_set_mem(dev);
	for (unsigned i = 0; i < dev->n_rings && err == 0; i++)
		err = vu_dev_start_ring(dev, i);
	/*
	 * An acknowledgement may be sent before the back end takes the rings into use, as
	 * librte_vhost does; the answer to one more message says that it has.
	 */
	if (err == 0)
		err = vu_dev_sync(dev);
	dev->started = err == 0;
	return err;
}

int
vu_dev_move(struct vu_dev *dev, int *sock, int *fd)
{
	struct vu_dev_opts same = {.features = dev->features, .protocol = dev->protocol};
	int old = dev->sock, err;

	dev->sock = *sock;
	dev->ack = dev->ack_all = false;
	err = negotiate(dev, &same);
	if (err == 0 && (dev->features != same.features || dev->protocol != same.protocol))
		err = -EPROTO;
	for (unsigned i = 0; i < dev->mem.n && err == 0; i++) {
		fd[i] = dev->mem.region[i].fd;
		err = vu_mem_copy(&dev->mem, i);
	}
	*sock = old;
	return err;
}

int
vu_dev_stop(struct vu_dev *dev, uint16_t *base)
{
	int err = 0;

	for (unsigned i = 0; i < dev->n_rings && err == 0; i++)
		err = vu_dev_stop_ring(dev, i, base != NULL ? &base[i] : NULL);
	dev->started = false;
	return err;
}

void
vu_dev_close(struct vu_dev *dev)
{
	if (dev->sock >= 0)
		close(dev->sock);
	dev->sock = -1;
	while (dev->n_rings > 0)
		vr_free(&dev->ring[--dev->n_rings]);
	vu_mem_destroy(&dev->mem);
	dev->started = false;
}
