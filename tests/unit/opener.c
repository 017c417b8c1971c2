/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* One open of the node: see opener.h. */
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include <rte_vhost.h>

#include "opener.h"

int
opener_setup(void **state)
{
	struct opener *o = unit_zalloc(sizeof(*o));
	unsigned int i;

	o->ram = client_memory(NULL, OPENER_RAM, 0);
	for (i = 0; i < 2; i++) {
		o->call[i] = eventfd(0, EFD_NONBLOCK);
		o->kick[i] = eventfd(0, EFD_NONBLOCK);
		/* A mark, by which opener_check_ring() recognises the memory. */
		((struct vring_desc *)(o->ram + i * OPENER_AREA))->addr = 0x1111 * (i + 1);
	}
	o->no_event = dup(STDERR_FILENO);
	o->client = client_start();
	o->files = client_open_files();
	session_init(&o->session, vhost_end.path);
	*state = o;
	return 0;
}

int
opener_teardown(void **state)
{
	struct opener *o = *state;
	unsigned int i;

	session_close(&o->session);
	vhost_end_wait_connections(0);
	vhost_end_wait_files(o->files);
	if (o->client.pid != 0)
		client_end(&o->client);
	for (i = 0; i < 2; i++) {
		close(o->call[i]);
		close(o->kick[i]);
	}
	close(o->no_event);
	munmap(o->ram, OPENER_RAM);
	free(o);
	return 0;
}

int
opener_simple(struct opener *o, unsigned int cmd)
{
	return session_ioctl(&o->session, o->client.pid, cmd, NULL, NULL);
}

int
opener_set_u64(struct opener *o, unsigned int cmd, uint64_t value)
{
	return session_ioctl(&o->session, o->client.pid, cmd, &value, NULL);
}

int
opener_set_state(struct opener *o, unsigned int cmd, unsigned int index, unsigned int num)
{
	const struct vhost_vring_state s = {index, num};

	return session_ioctl(&o->session, o->client.pid, cmd, &s, NULL);
}

int
opener_set_file(struct opener *o, unsigned int cmd, unsigned int index, int fd)
{
	const struct vhost_vring_file f = {index, fd};

	return session_ioctl(&o->session, o->client.pid, cmd, &f, NULL);
}

int
opener_set_addr(struct opener *o, unsigned int index)
{
	uint64_t at = (uintptr_t)o->ram + index * OPENER_AREA;
	const struct vhost_vring_addr a = {
			.index = index,
			.desc_user_addr = at,
			.avail_user_addr = at + 0x4000,
			.used_user_addr = at + 0x8000,
	};

	return session_ioctl(&o->session, o->client.pid, VHOST_SET_VRING_ADDR, &a, NULL);
}

int
opener_set_table(struct opener *o, unsigned int n, const struct vhost_memory_region *r)
{
	uint64_t room[1 + 4 * IOCTL_REGIONS_MAX];
	struct vhost_memory *t = (struct vhost_memory *)room;

	t->nregions = n;
	t->padding = 0;
	memcpy(t->regions, r, n * sizeof(*r));
	return session_ioctl(&o->session, o->client.pid, VHOST_SET_MEM_TABLE, t, NULL);
}

int
opener_set_ram(struct opener *o)
{
	const struct vhost_memory_region r = {0, OPENER_RAM, (uintptr_t)o->ram, 0};

	return opener_set_table(o, 1, &r);
}

uint64_t
opener_get_features(struct opener *o)
{
	uint64_t features = 0;

	assert_int_equal(session_ioctl(&o->session, o->client.pid, VHOST_GET_FEATURES, NULL,
					 &features),
			0);
	return features;
}

void
opener_qemu_start(struct opener *o)
{
	unsigned int i;

	assert_int_equal(opener_simple(o, VHOST_SET_OWNER), 0);
	opener_get_features(o);
	for (i = 0; i < 2; i++) {
		assert_int_equal(opener_set_file(o, VHOST_SET_VRING_CALL, i, o->call[i]), 0);
		assert_int_equal(opener_set_file(o, VHOST_SET_VRING_ERR, i, -1), 0);
	}
}

void
opener_driver_up(struct opener *o, unsigned int base)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		assert_int_equal(opener_set_file(o, VHOST_SET_VRING_CALL, i, o->call[i]), 0);
	assert_int_equal(opener_set_u64(o, VHOST_SET_FEATURES, 1ULL << VIRTIO_F_VERSION_1), 0);
	assert_int_equal(opener_set_ram(o), 0);
	for (i = 0; i < 2; i++) {
		/* If the ring says otherwise, librte_vhost believes the ring. */
		((struct vring_used *)(o->ram + i * OPENER_AREA + 0x8000))->idx = base;
		assert_int_equal(opener_set_state(o, VHOST_SET_VRING_NUM, i, OPENER_RING), 0);
		assert_int_equal(opener_set_state(o, VHOST_SET_VRING_BASE, i, base), 0);
		assert_int_equal(opener_set_addr(o, i), 0);
		assert_int_equal(opener_set_file(o, VHOST_SET_VRING_KICK, i, o->kick[i]), 0);
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(opener_set_file(o, VHOST_NET_SET_BACKEND, i, OPENER_TAP), 0);
	vhost_end_check_running();
}

void
opener_check_ring(struct opener *o, unsigned int i)
{
	struct rte_vhost_vring v;
	eventfd_t n;

	vhost_end_check_enabled(i);
	assert_int_equal(rte_vhost_get_vhost_vring(vhost_end.vid, i, &v), 0);
	assert_int_equal(v.size, OPENER_RING);
	/* It has another mapping of the same memory. */
	assert_ptr_not_equal(v.desc, o->ram + i * OPENER_AREA);
	assert_int_equal(v.desc->addr, 0x1111 * (i + 1));
	assert_ptr_equal(v.avail, (uint8_t *)v.desc + 0x4000);
	assert_ptr_equal(v.used, (uint8_t *)v.desc + 0x8000);
	assert_true(v.callfd >= 0 && v.kickfd >= 0);
	/* They are the same eventfds: what is written to one is read from the other. */
	assert_int_equal(eventfd_write(v.callfd, 5), 0);
	assert_int_equal(eventfd_read(o->call[i], &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(eventfd_write(o->kick[i], 6), 0);
	assert_int_equal(eventfd_read(v.kickfd, &n), 0);
	assert_int_equal(n, 6);
}
