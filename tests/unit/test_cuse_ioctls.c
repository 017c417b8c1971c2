/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* vhost-net's ioctls as vhost-user's messages: sizes, contents, and what is refused. */
#include <errno.h>

#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <rte_common.h>

#include "guest/cuse/ioctls.h"
#include "guest/message.h"
#include "unit.h"

static const struct {
	unsigned int cmd;
	size_t in, out;
} sizes[] = {
		{VHOST_SET_OWNER, 0, 0},
		{VHOST_RESET_OWNER, 0, 0},
		{VHOST_GET_FEATURES, 0, 8},
		{VHOST_SET_FEATURES, 8, 0},
		{VHOST_SET_MEM_TABLE, 8, 0},
		{VHOST_SET_VRING_NUM, 8, 0},
		{VHOST_SET_VRING_ADDR, 40, 0},
		{VHOST_SET_VRING_BASE, 8, 0},
		{VHOST_GET_VRING_BASE, 8, 8},
		{VHOST_SET_VRING_KICK, 8, 0},
		{VHOST_SET_VRING_CALL, 8, 0},
		{VHOST_SET_VRING_ERR, 8, 0},
		{VHOST_NET_SET_BACKEND, 8, 0},
};

static void
test_sizes(void **state)
{
	size_t i, in, out;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(sizes); i++) {
		assert_int_equal(ioctl_sizes(sizes[i].cmd, NULL, 0, &in, &out), 0);
		assert_int_equal(in, sizes[i].in);
		assert_int_equal(out, sizes[i].out);
	}
}

static void
test_unknown(void **state)
{
	static const unsigned int unknown[] = {
			0,
			~0u,
			VHOST_SET_LOG_BASE,
			VHOST_SET_LOG_FD,
			VHOST_GET_BACKEND_FEATURES,
			VHOST_SET_BACKEND_FEATURES,
			VHOST_SET_VRING_ENDIAN,
			VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
			VHOST_VDPA_GET_DEVICE_ID,
			VHOST_SET_OWNER + 1000,
			/* The right number with the wrong size or direction. */
			_IOW(VHOST_VIRTIO, 0x00, uint32_t),
			_IOR(VHOST_VIRTIO, 0x10, uint64_t),
	};
	struct message m;
	size_t i, in, out;
	int fd;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(unknown); i++) {
		assert_int_equal(ioctl_sizes(unknown[i], NULL, 0, &in, &out), -ENOTTY);
		assert_int_equal(ioctl_ring_message(unknown[i], NULL, &m, &fd), -ENOTTY);
	}
	/* Known commands that are not about a ring. */
	assert_int_equal(ioctl_ring_message(VHOST_SET_MEM_TABLE, NULL, &m, &fd), -ENOTTY);
	assert_int_equal(ioctl_ring_message(VHOST_SET_OWNER, NULL, &m, &fd), -ENOTTY);
}

/* The size of a table is known once its head is there, and is bounded. */
static void
test_table_size(void **state)
{
	struct vhost_memory head = {.nregions = 3};
	size_t in, out;

	RTE_SET_USED(state);
	assert_int_equal(ioctl_sizes(VHOST_SET_MEM_TABLE, &head, 7, &in, &out), 0);
	assert_int_equal(in, 8);
	assert_int_equal(ioctl_sizes(VHOST_SET_MEM_TABLE, &head, 8, &in, &out), 0);
	assert_int_equal(in, 8 + 3 * 32);
	assert_int_equal(out, 0);
	/* The client made it smaller in between: the rest of what was fetched does not matter. */
	head.nregions = 0;
	assert_int_equal(ioctl_sizes(VHOST_SET_MEM_TABLE, &head, 8 + 3 * 32, &in, &out), 0);
	assert_int_equal(in, 8);
	head.nregions = IOCTL_REGIONS_MAX;
	assert_int_equal(ioctl_sizes(VHOST_SET_MEM_TABLE, &head, 8, &in, &out), 0);
	assert_int_equal(in, 8 + IOCTL_REGIONS_MAX * 32);
	head.nregions++;
	assert_int_equal(ioctl_sizes(VHOST_SET_MEM_TABLE, &head, 8, &in, &out), -E2BIG);
	head.nregions = UINT32_MAX;
	assert_int_equal(ioctl_sizes(VHOST_SET_MEM_TABLE, &head, 8, &in, &out), -E2BIG);
}

static int
state_message(unsigned int cmd, unsigned int index, unsigned int num, struct message *m)
{
	const struct vhost_vring_state s = {index, num};
	int fd = 7, rc;

	memset(m, 0xa5, sizeof(*m));
	rc = ioctl_ring_message(cmd, &s, m, &fd);
	assert_int_equal(fd, -1);
	return rc;
}

static void
test_states(void **state)
{
	static const struct {
		unsigned int cmd;
		uint32_t request, num, sent;
	} known[] = {
			{VHOST_SET_VRING_NUM, MSG_SET_VRING_NUM, 256, 256},
			{VHOST_SET_VRING_NUM, MSG_SET_VRING_NUM, 1, 1},
			{VHOST_SET_VRING_NUM, MSG_SET_VRING_NUM, 32768, 32768},
			{VHOST_SET_VRING_BASE, MSG_SET_VRING_BASE, 0, 0},
			{VHOST_SET_VRING_BASE, MSG_SET_VRING_BASE, 65535, 65535},
			/* `num` of a question means nothing. */
			{VHOST_GET_VRING_BASE, MSG_GET_VRING_BASE, UINT32_MAX, 0},
	};
	struct message m;
	unsigned int i, ring;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(known); i++) {
		for (ring = 0; ring < IOCTL_RINGS; ring++) {
			assert_int_equal(state_message(known[i].cmd, ring, known[i].num, &m), 0);
			assert_int_equal(m.request, known[i].request);
			assert_int_equal(m.flags, MSG_VERSION);
			assert_int_equal(m.size, 8);
			assert_int_equal(m.payload.state.index, ring);
			assert_int_equal(m.payload.state.num, known[i].sent);
		}
		assert_int_equal(state_message(known[i].cmd, 2, known[i].num, &m), -ENOBUFS);
		assert_int_equal(state_message(known[i].cmd, UINT32_MAX, 0, &m), -ENOBUFS);
	}
	assert_int_equal(state_message(VHOST_SET_VRING_NUM, 0, 0, &m), -EINVAL);
	assert_int_equal(state_message(VHOST_SET_VRING_NUM, 0, 100, &m), -EINVAL);
	assert_int_equal(state_message(VHOST_SET_VRING_NUM, 0, 65536, &m), -EINVAL);
	assert_int_equal(state_message(VHOST_SET_VRING_BASE, 0, 65536, &m), -EINVAL);
	assert_int_equal(state_message(VHOST_SET_VRING_BASE, 0, UINT32_MAX, &m), -EINVAL);
}

static void
test_addresses(void **state)
{
	struct vhost_vring_addr a = {
			.index = 1,
			.desc_user_addr = 0x7f0000001000,
			.used_user_addr = 0x7f0000002000,
			.avail_user_addr = 0x7f0000003000,
			.log_guest_addr = 0x4000,
	};
	struct message m;
	int fd;

	RTE_SET_USED(state);
	assert_int_equal(ioctl_ring_message(VHOST_SET_VRING_ADDR, &a, &m, &fd), 0);
	assert_int_equal(fd, -1);
	assert_int_equal(m.request, MSG_SET_VRING_ADDR);
	assert_int_equal(m.size, 40);
	assert_int_equal(m.payload.addr.index, 1);
	assert_int_equal(m.payload.addr.flags, 0);
	assert_int_equal(m.payload.addr.desc, a.desc_user_addr);
	assert_int_equal(m.payload.addr.used, a.used_user_addr);
	assert_int_equal(m.payload.addr.avail, a.avail_user_addr);
	assert_int_equal(m.payload.addr.log, 0);
	a.flags = 1 << VHOST_VRING_F_LOG;
	assert_int_equal(ioctl_ring_message(VHOST_SET_VRING_ADDR, &a, &m, &fd), -EOPNOTSUPP);
	a.flags = 0;
	a.index = 2;
	assert_int_equal(ioctl_ring_message(VHOST_SET_VRING_ADDR, &a, &m, &fd), -ENOBUFS);
}

static void
test_fds(void **state)
{
	static const struct {
		unsigned int cmd;
		uint32_t request;
	} known[] = {
			{VHOST_SET_VRING_KICK, MSG_SET_VRING_KICK},
			{VHOST_SET_VRING_CALL, MSG_SET_VRING_CALL},
			{VHOST_SET_VRING_ERR, MSG_SET_VRING_ERR},
	};
	struct vhost_vring_file f;
	struct message m;
	unsigned int i;
	int fd;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(known); i++) {
		f = (struct vhost_vring_file){.index = 1, .fd = 40};
		assert_int_equal(ioctl_ring_message(known[i].cmd, &f, &m, &fd), 0);
		assert_int_equal(m.request, known[i].request);
		assert_int_equal(m.size, 8);
		assert_int_equal(m.payload.u64, 1);
		assert_int_equal(fd, 40);
		f.fd = VHOST_FILE_UNBIND;
		assert_int_equal(ioctl_ring_message(known[i].cmd, &f, &m, &fd), 0);
		assert_int_equal(m.payload.u64, 1 | 1 << 8);
		assert_int_equal(fd, -1);
		f.fd = -2;
		assert_int_equal(ioctl_ring_message(known[i].cmd, &f, &m, &fd), -EBADF);
		/* An index that would overflow into other bits of the message's number. */
		f = (struct vhost_vring_file){.index = 0x100, .fd = 40};
		assert_int_equal(ioctl_ring_message(known[i].cmd, &f, &m, &fd), -ENOBUFS);
	}
}

static void
test_backend(void **state)
{
	struct vhost_vring_file f = {.index = 1, .fd = 0};
	struct message m;
	int fd;

	RTE_SET_USED(state);
	assert_int_equal(ioctl_ring_message(VHOST_NET_SET_BACKEND, &f, &m, &fd), 0);
	assert_int_equal(m.request, MSG_SET_VRING_ENABLE);
	assert_int_equal(m.size, 8);
	assert_int_equal(m.payload.state.index, 1);
	assert_int_equal(m.payload.state.num, 1);
	assert_int_equal(fd, -1); /* nobody needs the tap */
	f.fd = -1;
	assert_int_equal(ioctl_ring_message(VHOST_NET_SET_BACKEND, &f, &m, &fd), 0);
	assert_int_equal(m.payload.state.num, 0);
	f.fd = -5;
	assert_int_equal(ioctl_ring_message(VHOST_NET_SET_BACKEND, &f, &m, &fd), -EBADF);
	f.index = 2;
	assert_int_equal(ioctl_ring_message(VHOST_NET_SET_BACKEND, &f, &m, &fd), -ENOBUFS);
}

static void
test_what_needs_a_stopped_ring(void **state)
{
	RTE_SET_USED(state);
	assert_true(ioctl_wants_stopped(VHOST_SET_VRING_NUM));
	assert_true(ioctl_wants_stopped(VHOST_SET_VRING_BASE));
	assert_false(ioctl_wants_stopped(VHOST_GET_VRING_BASE));
	assert_false(ioctl_wants_stopped(VHOST_SET_VRING_CALL));
	assert_false(ioctl_wants_stopped(VHOST_NET_SET_BACKEND));
}

/* Bit 27 means ANY_LAYOUT to us, and to vhost-net that it adds the header itself. */
static void
test_features(void **state)
{
	static const unsigned int offered[] = {
			VIRTIO_F_VERSION_1,
			VIRTIO_NET_F_MRG_RXBUF,
			VIRTIO_RING_F_INDIRECT_DESC,
			VIRTIO_RING_F_EVENT_IDX,
	};
	static const unsigned int never[] = {
			VHOST_F_LOG_ALL,
			VHOST_NET_F_VIRTIO_NET_HDR,
			VIRTIO_F_ACCESS_PLATFORM,
			VIRTIO_F_RING_PACKED,
			30 /* VHOST_USER_F_PROTOCOL_FEATURES */,
	};
	unsigned int i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(offered); i++)
		assert_true(ioctl_features >> offered[i] & 1);
	for (i = 0; i < RTE_DIM(never); i++)
		assert_false(ioctl_features >> never[i] & 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_sizes),
			cmocka_unit_test(test_unknown),
			cmocka_unit_test(test_table_size),
			cmocka_unit_test(test_states),
			cmocka_unit_test(test_addresses),
			cmocka_unit_test(test_fds),
			cmocka_unit_test(test_backend),
			cmocka_unit_test(test_what_needs_a_stopped_ring),
			cmocka_unit_test(test_features),
	};

	return cmocka_run_group_tests_name("cuse_ioctls", tests, NULL, NULL);
}
