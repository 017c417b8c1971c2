/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* vhost-net's ioctls in the terms of vhost-user: see ioctls.h for the contract. */
#include <errno.h>
#include <string.h>

#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include "guest/cuse/ioctls.h"
#include "guest/message.h"

/*
 * NOTIFY_ON_EMPTY is offered once the switch has it; LOG_ALL, the IOMMU's and
 * packed rings need ioctls or messages that are not translated.
 */
const uint64_t ioctl_features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF |
		1ULL << VIRTIO_RING_F_INDIRECT_DESC | 1ULL << VIRTIO_RING_F_EVENT_IDX |
		1ULL << VIRTIO_F_NOTIFY_ON_EMPTY;

static int
ioctls_table_size(const void *in, size_t in_size, size_t *size)
{
	struct vhost_memory head;

	*size = sizeof(head);
	if (in_size < sizeof(head))
		return 0;
	memcpy(&head, in, sizeof(head));
	if (head.nregions > IOCTL_REGIONS_MAX)
		return -E2BIG;
	*size += head.nregions * sizeof(struct vhost_memory_region);
	return 0;
}

int
ioctl_sizes(unsigned int cmd, const void *in, size_t in_size, size_t *want_in, size_t *want_out)
{
	*want_in = *want_out = 0;
	switch (cmd) {
	case VHOST_SET_MEM_TABLE:
		return ioctls_table_size(in, in_size, want_in);
	case VHOST_SET_OWNER:
	case VHOST_RESET_OWNER:
		return 0;
	case VHOST_GET_FEATURES:
	case VHOST_SET_FEATURES:
	case VHOST_SET_VRING_NUM:
	case VHOST_SET_VRING_ADDR:
	case VHOST_SET_VRING_BASE:
	case VHOST_GET_VRING_BASE:
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_ERR:
	case VHOST_NET_SET_BACKEND:
		/* A command's number has the direction and the size of its argument. */
		if (_IOC_DIR(cmd) & _IOC_WRITE)
			*want_in = _IOC_SIZE(cmd);
		if (_IOC_DIR(cmd) & _IOC_READ)
			*want_out = _IOC_SIZE(cmd);
		return 0;
	default:
		return -ENOTTY;
	}
}

static int
ioctls_state_message(uint32_t request, const void *arg, struct message *m)
{
	struct vhost_vring_state s;

	memcpy(&s, arg, sizeof(s));
	if (s.index >= IOCTL_RINGS)
		return -ENOBUFS;
	/* vhost-net's indices and sizes have 16 bits; larger values would be truncated. */
	if (request != MSG_GET_VRING_BASE && s.num > UINT16_MAX)
		return -EINVAL;
	if (request == MSG_SET_VRING_NUM && (s.num == 0 || (s.num & (s.num - 1)) != 0))
		return -EINVAL;
	m->request = request;
	m->size = sizeof(m->payload.state);
	m->payload.state.index = s.index;
	m->payload.state.num = request == MSG_GET_VRING_BASE ? 0 : s.num;
	return 0;
}

static int
ioctls_addr_message(const void *arg, struct message *m)
{
	struct vhost_vring_addr a;

	memcpy(&a, arg, sizeof(a));
	if (a.index >= IOCTL_RINGS)
		return -ENOBUFS;
	/* The only flag asks for a log, which is not offered. */
	if (a.flags != 0)
		return -EOPNOTSUPP;
	m->request = MSG_SET_VRING_ADDR;
	m->size = sizeof(m->payload.addr);
	m->payload.addr.index = a.index;
	m->payload.addr.flags = 0;
	m->payload.addr.desc = a.desc_user_addr;
	m->payload.addr.used = a.used_user_addr;
	m->payload.addr.avail = a.avail_user_addr;
	m->payload.addr.log = 0;
	return 0;
}

/* Reads a ring's index and its file descriptor. Returns 0, or -errno of vhost-net. */
static int
ioctls_read_file(const void *arg, struct vhost_vring_file *f)
{
	memcpy(f, arg, sizeof(*f));
	if (f->index >= IOCTL_RINGS)
		return -ENOBUFS;
	return f->fd < VHOST_FILE_UNBIND ? -EBADF : 0;
}

/* Makes the message for a ring's file descriptor, which is to be sent with it. */
static int
ioctls_file_message(uint32_t request, const void *arg, struct message *m, int *fd)
{
	struct vhost_vring_file f;
	int rc = ioctls_read_file(arg, &f);

	if (rc != 0)
		return rc;
	m->request = request;
	m->size = sizeof(m->payload.u64);
	m->payload.u64 = f.index | (f.fd < 0 ? MSG_NO_FD : 0);
	*fd = f.fd;
	return 0;
}

/*
 * Makes the message for the back end of a ring: a tap, which is not needed, or none, which stops
 * the ring.
 */
static int
ioctls_backend_message(const void *arg, struct message *m)
{
	struct vhost_vring_file f;
	int rc = ioctls_read_file(arg, &f);

	if (rc != 0)
		return rc;
	m->request = MSG_SET_VRING_ENABLE;
	m->size = sizeof(m->payload.state);
	m->payload.state.index = f.index;
	m->payload.state.num = f.fd >= 0;
	return 0;
}

int
ioctl_ring_message(unsigned int cmd, const void *arg, struct message *m, int *fd)
{
	*fd = -1;
	m->flags = MSG_VERSION;
	switch (cmd) {
	case VHOST_SET_VRING_NUM:
		return ioctls_state_message(MSG_SET_VRING_NUM, arg, m);
	case VHOST_SET_VRING_BASE:
		return ioctls_state_message(MSG_SET_VRING_BASE, arg, m);
	case VHOST_GET_VRING_BASE:
		return ioctls_state_message(MSG_GET_VRING_BASE, arg, m);
	case VHOST_SET_VRING_ADDR:
		return ioctls_addr_message(arg, m);
	case VHOST_SET_VRING_KICK:
		return ioctls_file_message(MSG_SET_VRING_KICK, arg, m, fd);
	case VHOST_SET_VRING_CALL:
		return ioctls_file_message(MSG_SET_VRING_CALL, arg, m, fd);
	case VHOST_SET_VRING_ERR:
		return ioctls_file_message(MSG_SET_VRING_ERR, arg, m, fd);
	case VHOST_NET_SET_BACKEND:
		return ioctls_backend_message(arg, m);
	default:
		return -ENOTTY;
	}
}

int
ioctl_wants_stopped(unsigned int cmd)
{
	return cmd == VHOST_SET_VRING_NUM || cmd == VHOST_SET_VRING_BASE;
}
