/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A network card that is made of a vhost-net node: see vhostnet.h. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "vhostnet.h"

int
vhostnet_ioctl(int fd, unsigned long request, const void *arg)
{
	int ret = ioctl(fd, request, arg);

	return ret < 0 ? -errno : ret;
}

int
vhostnet_set_state(int fd, unsigned long request, unsigned ring, unsigned num)
{
	struct vhost_vring_state state = {.index = ring, .num = num};

	return vhostnet_ioctl(fd, request, &state);
}

int
vhostnet_set_fd(int fd, unsigned long request, unsigned ring, int value)
{
	struct vhost_vring_file file = {.index = ring, .fd = value};

	return vhostnet_ioctl(fd, request, &file);
}

int
vhostnet_set_addr(const struct vhostnet *v, unsigned ring)
{
	const struct vu_vring_addr *a = &v->nic.dev.ring[ring].addr;
	struct vhost_vring_addr addr = {
			.index = ring,
			.desc_user_addr = a->desc,
			.avail_user_addr = a->avail,
			.used_user_addr = a->used,
	};

	return vhostnet_ioctl(v->fd, VHOST_SET_VRING_ADDR, &addr);
}

int
vhostnet_set_mem(const struct vhostnet *v)
{
	const struct vu_mem *mem = &v->nic.dev.mem;
	struct vhost_memory *table;
	int ret;

	table = calloc(1, sizeof(*table) + mem->n * sizeof(table->regions[0]));
	if (table == NULL)
		return -ENOMEM;
	table->nregions = mem->n;
	for (unsigned i = 0; i < mem->n; i++) {
		table->regions[i].guest_phys_addr = mem->region[i].gpa;
		table->regions[i].memory_size = mem->region[i].size;
		table->regions[i].userspace_addr = (uintptr_t)mem->region[i].base;
	}
	ret = vhostnet_ioctl(v->fd, VHOST_SET_MEM_TABLE, table);
	free(table);
	return ret;
}

/* Sets the rings' call fds to what they are while no driver in the guest wants interrupts. */
static int
set_masked(const struct vhostnet *v, unsigned ring)
{
	return vhostnet_set_fd(v->fd, VHOST_SET_VRING_CALL, ring, v->masked);
}

int
vhostnet_open(struct vhostnet *v, const char *node, const struct nic_opts *opts)
{
	struct nic_opts agreed = *opts;
	int ret;

	memset(v, 0, sizeof(*v));
	v->tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	v->masked = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	v->fd = open(node, O_RDWR | O_CLOEXEC);
	ret = v->fd < 0 || v->tap < 0 || v->masked < 0 ? -errno : 0;
	if (ret == 0)
		ret = vhostnet_ioctl(v->fd, VHOST_SET_OWNER, NULL);
	if (ret == 0)
		ret = vhostnet_ioctl(v->fd, VHOST_GET_FEATURES, &v->offered);
	for (unsigned i = 0; i < VHOSTNET_RINGS && ret == 0; i++) {
		ret = set_masked(v, i);
		if (ret == 0)
			ret = vhostnet_set_fd(v->fd, VHOST_SET_VRING_ERR, i, v->masked);
	}
	agreed.dev.features &= v->offered;
	if (ret == 0)
		ret = nic_open_unconnected(&v->nic, &agreed);
	if (ret < 0)
		vhostnet_close(v);
	return ret;
}

static int
start_ring(const struct vhostnet *v, unsigned i)
{
	const struct vr_ring *vr = &v->nic.dev.ring[i];
	int ret;

	ret = vhostnet_set_state(v->fd, VHOST_SET_VRING_NUM, i, vr->size);
	if (ret == 0)
		ret = vhostnet_set_state(v->fd, VHOST_SET_VRING_BASE, i, vr_raw_used_idx(vr));
	if (ret == 0)
		ret = vhostnet_set_addr(v, i);
	if (ret == 0)
		ret = vhostnet_set_fd(v->fd, VHOST_SET_VRING_KICK, i, vr->kick_fd);
	return ret;
}

static int
start(struct vhostnet *v)
{
	uint64_t features = v->nic.dev.features, none;
	int ret = 0;

	for (unsigned i = 0; i < VHOSTNET_RINGS && ret == 0; i++)
		ret = vhostnet_set_fd(v->fd, VHOST_SET_VRING_CALL, i, v->nic.dev.ring[i].call_fd);
	if (ret == 0)
		ret = vhostnet_ioctl(v->fd, VHOST_SET_FEATURES, &features);
	/* A question that QEMU asks every vhost device; it goes on without an answer. */
	if (ret == 0 && vhostnet_ioctl(v->fd, VHOST_GET_BACKEND_FEATURES, &none) != -ENOTTY)
		ret = -EPROTO;
	if (ret == 0)
		ret = vhostnet_set_mem(v);
	for (unsigned i = 0; i < VHOSTNET_RINGS && ret == 0; i++)
		ret = start_ring(v, i);
	for (unsigned i = 0; i < VHOSTNET_RINGS && ret == 0; i++)
		ret = vhostnet_set_fd(v->fd, VHOST_NET_SET_BACKEND, i, v->tap);
	v->nic.dev.started = ret == 0;
	return ret;
}

static void *
start_thread(void *arg)
{
	return (void *)(intptr_t)start(arg);
}

int
vhostnet_start(struct vhostnet *v)
{
	pthread_t thread;
	void *ret;

	if (pthread_create(&thread, NULL, start_thread, v) != 0)
		return -EAGAIN;
	pthread_join(thread, &ret);
	return (int)(intptr_t)ret;
}

int
vhostnet_stop(struct vhostnet *v, uint16_t *base)
{
	struct vhost_vring_state state;
	int ret = 0;

	for (unsigned i = 0; i < VHOSTNET_RINGS && ret == 0; i++)
		ret = vhostnet_set_fd(v->fd, VHOST_NET_SET_BACKEND, i, -1);
	for (unsigned i = 0; i < VHOSTNET_RINGS && ret == 0; i++) {
		state = (struct vhost_vring_state){.index = i};
		ret = vhostnet_ioctl(v->fd, VHOST_GET_VRING_BASE, &state);
		if (ret == 0 && state.index != i)
			ret = -EPROTO;
		if (ret == 0 && base != NULL)
			base[i] = (uint16_t)state.num;
		if (ret == 0)
			ret = set_masked(v, i);
	}
	v->nic.dev.started = false;
	return ret;
}

void
vhostnet_close(struct vhostnet *v)
{
	if (v->fd >= 0)
		close(v->fd);
	if (v->tap >= 0)
		close(v->tap);
	if (v->masked >= 0)
		close(v->masked);
	v->fd = v->tap = v->masked = -1;
	/* A card that was never opened has nothing, and a 0 for a socket. */
	if (v->nic.rx != NULL)
		nic_close(&v->nic);
}
