/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * One open of the node: ioctls of a real process, carried out by the real librte_vhost,
 * in the orders of QEMU and in wrong ones.
 */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <rte_vhost.h>

#include "base/atomic.h"
#include "opener.h"

/* What the index was when the ring stopped. */
static unsigned int
get_base(struct opener *o, unsigned int index)
{
	const struct vhost_vring_state in = {index, 0xffffffff};
	struct vhost_vring_state out;

	assert_int_equal(session_ioctl(&o->session, o->client.pid, VHOST_GET_VRING_BASE, &in, &out),
			0);
	assert_int_equal(out.index, index);
	return out.num;
}

static void
test_as_qemu_does(void **state)
{
	struct opener *o = *state;
	uint64_t features = 0;
	unsigned int i, round;

	opener_qemu_start(o);
	for (round = 0; round < 3; round++) {
		opener_driver_up(o, 100 * round);
		rte_vhost_get_negotiated_features(vhost_end.vid, &features);
		/*
		 * Offloads that the guest may send are negotiated without its asking; those that it
		 * receives are not.
		 */
		assert_int_equal(features,
				1ULL << VIRTIO_F_VERSION_1 |
						1ULL << VHOST_USER_F_PROTOCOL_FEATURES |
						1ULL << VIRTIO_NET_F_CSUM |
						1ULL << VIRTIO_NET_F_HOST_TSO4);
		for (i = 0; i < 2; i++)
			opener_check_ring(o, i);
		/* The driver goes down: the index that comes back is the one that the data path left. */
		for (i = 0; i < 2; i++)
			assert_int_equal(opener_set_file(o, VHOST_NET_SET_BACKEND, i, -1), 0);
		for (i = 0; i < 2; i++)
			vhost_end_wait_disabled(i);
		for (i = 0; i < 2; i++) {
			rte_vhost_set_vring_base(
					vhost_end.vid, i, 100 * round + 7 + i, 100 * round + 7 + i);
			assert_int_equal(get_base(o, i), 100 * round + 7 + i);
			assert_int_equal(
					opener_set_file(o, VHOST_SET_VRING_CALL, i, o->call[i]), 0);
		}
		vhost_end_wait_stopped();
	}
	assert_int_equal(load_acquire(&vhost_end.connections), 1);
}

/* For vhost-net, asking for the index changes nothing: a ring goes on without being set up again. */
static void
test_goes_on_after_its_index_was_asked_for(void **state)
{
	struct opener *o = *state;

	opener_qemu_start(o);
	opener_driver_up(o, 3);
	assert_int_equal(get_base(o, 1), 3);
	vhost_end_check_running();
	opener_check_ring(o, 1);
	assert_int_equal(opener_set_file(o, VHOST_NET_SET_BACKEND, 0, -1), 0);
	assert_int_equal(get_base(o, 0), 3);
	assert_int_equal(get_base(o, 0), 3);
	assert_int_equal(opener_set_file(o, VHOST_NET_SET_BACKEND, 0, OPENER_TAP), 0);
	vhost_end_check_running();
	opener_check_ring(o, 0);
	opener_check_ring(o, 1);
}

static void
test_nothing_before_an_owner(void **state)
{
	struct opener *o = *state;
	struct vhost_vring_state s = {0, 0};

	assert_int_equal(opener_simple(o, VHOST_RESET_OWNER), -EPERM);
	assert_int_equal(opener_set_u64(o, VHOST_SET_FEATURES, 0), -EPERM);
	assert_int_equal(opener_set_ram(o), -EPERM);
	assert_int_equal(opener_set_state(o, VHOST_SET_VRING_NUM, 0, OPENER_RING), -EPERM);
	assert_int_equal(opener_set_state(o, VHOST_SET_VRING_BASE, 0, 0), -EPERM);
	assert_int_equal(session_ioctl(&o->session, o->client.pid, VHOST_GET_VRING_BASE, &s, &s),
			-EPERM);
	assert_int_equal(opener_set_addr(o, 0), -EPERM);
	assert_int_equal(opener_set_file(o, VHOST_SET_VRING_KICK, 0, o->kick[0]), -EPERM);
	assert_int_equal(opener_set_file(o, VHOST_SET_VRING_CALL, 0, o->call[0]), -EPERM);
	assert_int_equal(opener_set_file(o, VHOST_SET_VRING_ERR, 0, o->call[0]), -EPERM);
	assert_int_equal(opener_set_file(o, VHOST_NET_SET_BACKEND, 0, OPENER_TAP), -EPERM);
	/* None of this cost a connection. */
	assert_int_equal(o->session.sock, -1);
	opener_get_features(o);
	assert_int_equal(opener_simple(o, VHOST_SET_OWNER), 0);
	assert_int_equal(opener_simple(o, VHOST_SET_OWNER), -EBUSY);
}

/* One process owns it: by whichever thread, but no other process. */
static void
test_owner(void **state)
{
	struct opener *o = *state;
	struct client other = client_start();
	const struct vhost_vring_state s = {0, OPENER_RING};

	assert_int_equal(session_ioctl(&o->session, o->client.thread, VHOST_SET_OWNER, NULL, NULL),
			0);
	assert_int_equal(o->session.owner, o->client.pid);
	assert_int_equal(opener_set_state(o, VHOST_SET_VRING_NUM, 0, OPENER_RING), 0);
	assert_int_equal(
			session_ioctl(&o->session, o->client.thread, VHOST_SET_VRING_NUM, &s, NULL),
			0);
	assert_int_equal(session_ioctl(&o->session, other.pid, VHOST_SET_VRING_NUM, &s, NULL),
			-EPERM);
	assert_int_equal(session_ioctl(&o->session, 0, VHOST_SET_VRING_NUM, &s, NULL), -ESRCH);
	/* Others may own it only after the owner has reset it. */
	assert_int_equal(session_ioctl(&o->session, other.pid, VHOST_RESET_OWNER, NULL, NULL),
			-EPERM);
	assert_int_equal(opener_simple(o, VHOST_RESET_OWNER), 0);
	assert_int_equal(opener_set_state(o, VHOST_SET_VRING_NUM, 0, OPENER_RING), -EPERM);
	assert_int_equal(session_ioctl(&o->session, other.pid, VHOST_SET_OWNER, NULL, NULL), 0);
	assert_int_equal(session_ioctl(&o->session, other.pid, VHOST_SET_VRING_NUM, &s, NULL), 0);
	client_end(&other);
}

static void
test_reset_while_running(void **state)
{
	struct opener *o = *state;

	opener_qemu_start(o);
	opener_driver_up(o, 0);
	assert_int_equal(opener_simple(o, VHOST_RESET_OWNER), 0);
	vhost_end_wait_stopped();
	opener_qemu_start(o);
	opener_driver_up(o, 9);
	opener_check_ring(o, 0);
	opener_check_ring(o, 1);
	assert_int_equal(load_acquire(&vhost_end.connections), 1);
}

static void
test_features(void **state)
{
	struct opener *o = *state;

	assert_int_equal(opener_get_features(o),
			1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF |
					1ULL << VIRTIO_RING_F_INDIRECT_DESC |
					1ULL << VIRTIO_RING_F_EVENT_IDX);
	assert_int_equal(opener_simple(o, VHOST_SET_OWNER), 0);
	assert_int_equal(opener_set_u64(o, VHOST_SET_FEATURES, 1ULL << VHOST_F_LOG_ALL),
			-EOPNOTSUPP);
	assert_int_equal(opener_set_u64(o, VHOST_SET_FEATURES, 1ULL << VHOST_NET_F_VIRTIO_NET_HDR),
			-EOPNOTSUPP);
	assert_int_equal(opener_set_u64(o, VHOST_SET_FEATURES, 1ULL << VIRTIO_NET_F_CTRL_VQ),
			-EOPNOTSUPP);
	assert_int_equal(opener_set_u64(o, VHOST_SET_FEATURES, ~0ULL), -EOPNOTSUPP);
	assert_int_equal(opener_set_u64(o, VHOST_SET_FEATURES, opener_get_features(o)), 0);
	assert_int_equal(opener_set_u64(o, VHOST_SET_FEATURES, 0), 0);
}

static void
test_running_ring_keeps_its_size(void **state)
{
	struct opener *o = *state;

	opener_qemu_start(o);
	opener_driver_up(o, 0);
	assert_int_equal(opener_set_state(o, VHOST_SET_VRING_NUM, 1, OPENER_RING), -EBUSY);
	assert_int_equal(opener_set_state(o, VHOST_SET_VRING_BASE, 1, 0), -EBUSY);
	assert_int_equal(opener_set_file(o, VHOST_NET_SET_BACKEND, 1, -1), 0);
	assert_int_equal(opener_set_state(o, VHOST_SET_VRING_BASE, 1, 0), 0);
	/* librte_vhost itself judges features that change while the device runs. */
	assert_int_equal(opener_set_u64(o, VHOST_SET_FEATURES, 0), -EINVAL);
	assert_int_equal(opener_set_u64(o, VHOST_SET_FEATURES, 1ULL << VIRTIO_F_VERSION_1), 0);
}

/* What can't be mapped is refused here, and the connection stays. */
static void
test_memory(void **state)
{
	struct opener *o = *state;
	struct vhost_memory_region r[IOCTL_REGIONS_MAX];
	uint64_t padded[] = {UINT64_C(1) << 32};
	uint8_t on_stack;
	unsigned int i;

	assert_int_equal(opener_simple(o, VHOST_SET_OWNER), 0);
	r[0] = (struct vhost_memory_region){0, OPENER_RAM, 0x1000, 0};
	assert_int_equal(opener_set_table(o, 1, r), -EFAULT);
	r[0].userspace_addr = UINT64_MAX;
	assert_int_equal(opener_set_table(o, 1, r), -EFAULT);
	r[0] = (struct vhost_memory_region){0, 1, (uintptr_t)&on_stack, 0};
	assert_int_equal(opener_set_table(o, 1, r), -ENXIO);
	assert_int_equal(opener_set_table(o, 0, r), -ENXIO);
	for (i = 0; i < IOCTL_REGIONS_MAX; i++)
		r[i] = (struct vhost_memory_region){
				0x10000 * i, 0x1000, (uintptr_t)o->ram + 0x2000 * i, 0};
	assert_int_equal(opener_set_table(o, IOCTL_REGIONS_MAX, r), -E2BIG);
	assert_int_equal(opener_set_table(o, 8, r), 0);
	assert_int_equal(session_ioctl(&o->session, o->client.pid, VHOST_SET_MEM_TABLE, padded,
					 NULL),
			-EOPNOTSUPP);
	assert_int_equal(opener_set_ram(o), 0);
}

/* A table that comes while rings run. */
static void
test_memory_again(void **state)
{
	struct opener *o = *state;
	unsigned int i;

	opener_qemu_start(o);
	opener_driver_up(o, 0);
	for (i = 0; i < 20; i++)
		assert_int_equal(opener_set_ram(o), 0);
	vhost_end_check_running();
	opener_check_ring(o, 0);
	opener_check_ring(o, 1);
}

static void
test_no_socket(void **state)
{
	struct opener *o = *state;

	session_init(&o->session, "/nowhere/at/all");
	assert_int_equal(opener_simple(o, VHOST_SET_OWNER), -ENOENT);
	assert_int_equal(opener_set_ram(o), -EPERM);
}

static void
test_owner_is_killed(void **state)
{
	struct opener *o = *state;

	opener_qemu_start(o);
	opener_driver_up(o, 0);
	kill(o->client.pid, SIGKILL);
	waitpid(o->client.pid, NULL, 0);
	close(o->client.hold);
	/* An ioctl that was under way. */
	assert_int_equal(opener_set_ram(o), -ESRCH);
	session_close(&o->session);
	vhost_end_wait_stopped();
	o->files--; /* the pipe to the client */
	o->client.pid = 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, opener_setup, opener_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_as_qemu_does),
			TEST(test_goes_on_after_its_index_was_asked_for),
			TEST(test_nothing_before_an_owner),
			TEST(test_owner),
			TEST(test_reset_while_running),
			TEST(test_features),
			TEST(test_running_ring_keeps_its_size),
			TEST(test_memory),
			TEST(test_memory_again),
			TEST(test_no_socket),
			TEST(test_owner_is_killed),
	};

	return cmocka_run_group_tests_name(
			"cuse_session", tests, vhost_end_setup, vhost_end_teardown);
}
