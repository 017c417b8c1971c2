/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * One open of the node: ioctls of a real process, carried out by the real librte_vhost,
 * in the orders of QEMU and in wrong ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <rte_common.h>
#include <rte_vhost.h>

#include "client.h"
#include "guest/cuse/session.h"
#include "guest/fd_gate.h"
#include "guest/message.h"
#include "unit.h"
#include "vhost_end.h"

#define LEN (1u << 20)
#define SIZE 256u     /* of a ring */
#define ROOM 0x10000u /* for a ring's three areas */
#define TAP 1         /* any descriptor stands for the tap */

struct bench {
	struct session session;
	struct client client;
	uint8_t *ram;         /* the client's, and here too */
	int call[2], kick[2]; /* eventfds, of the same numbers there */
	int no_event;
	unsigned int files; /* open here before the session was */
};

static int
setup(void **state)
{
	struct bench *b = unit_zalloc(sizeof(*b));
	unsigned int i;

	b->ram = client_memory(NULL, LEN, 0);
	for (i = 0; i < 2; i++) {
		b->call[i] = eventfd(0, EFD_NONBLOCK);
		b->kick[i] = eventfd(0, EFD_NONBLOCK);
		/* What librte_vhost's pointers will be known by. */
		((struct vring_desc *)(b->ram + i * ROOM))->addr = 0x1111 * (i + 1);
	}
	b->no_event = dup(STDERR_FILENO);
	b->client = client_start();
	b->files = client_open_files();
	session_init(&b->session, vhost_end.path);
	*state = b;
	return 0;
}

static int
teardown(void **state)
{
	struct bench *b = *state;
	unsigned int i;

	session_close(&b->session);
	vhost_end_wait_connections(0);
	vhost_end_wait_files(b->files);
	if (b->client.pid != 0)
		client_end(&b->client);
	for (i = 0; i < 2; i++) {
		close(b->call[i]);
		close(b->kick[i]);
	}
	close(b->no_event);
	munmap(b->ram, LEN);
	free(b);
	return 0;
}

static int
simple(struct bench *b, unsigned int cmd)
{
	return session_ioctl(&b->session, b->client.pid, cmd, NULL, NULL);
}

static int
set_u64(struct bench *b, unsigned int cmd, uint64_t value)
{
	return session_ioctl(&b->session, b->client.pid, cmd, &value, NULL);
}

static int
set_state(struct bench *b, unsigned int cmd, unsigned int index, unsigned int num)
{
	const struct vhost_vring_state s = {index, num};

	return session_ioctl(&b->session, b->client.pid, cmd, &s, NULL);
}

static int
set_file(struct bench *b, unsigned int cmd, unsigned int index, int fd)
{
	const struct vhost_vring_file f = {index, fd};

	return session_ioctl(&b->session, b->client.pid, cmd, &f, NULL);
}

static int
set_addr(struct bench *b, unsigned int index)
{
	uint64_t at = (uintptr_t)b->ram + index * ROOM;
	const struct vhost_vring_addr a = {
			.index = index,
			.desc_user_addr = at,
			.avail_user_addr = at + 0x4000,
			.used_user_addr = at + 0x8000,
	};

	return session_ioctl(&b->session, b->client.pid, VHOST_SET_VRING_ADDR, &a, NULL);
}

static int
set_table(struct bench *b, unsigned int n, const struct vhost_memory_region *r)
{
	uint64_t room[1 + 4 * IOCTL_REGIONS_MAX];
	struct vhost_memory *t = (struct vhost_memory *)room;

	t->nregions = n;
	t->padding = 0;
	memcpy(t->regions, r, n * sizeof(*r));
	return session_ioctl(&b->session, b->client.pid, VHOST_SET_MEM_TABLE, t, NULL);
}

static int
set_ram(struct bench *b)
{
	const struct vhost_memory_region r = {0, LEN, (uintptr_t)b->ram, 0};

	return set_table(b, 1, &r);
}

/* What the index was when the ring stopped. */
static unsigned int
get_base(struct bench *b, unsigned int index)
{
	const struct vhost_vring_state in = {index, 0xffffffff};
	struct vhost_vring_state out;

	assert_int_equal(session_ioctl(&b->session, b->client.pid, VHOST_GET_VRING_BASE, &in, &out),
			0);
	assert_int_equal(out.index, index);
	return out.num;
}

static uint64_t
get_features(struct bench *b)
{
	uint64_t features = 0;

	assert_int_equal(session_ioctl(&b->session, b->client.pid, VHOST_GET_FEATURES, NULL,
					 &features),
			0);
	return features;
}

/* QEMU's order: when it starts, and when the guest's driver comes up. */
static void
qemu_start(struct bench *b)
{
	unsigned int i;

	assert_int_equal(simple(b, VHOST_SET_OWNER), 0);
	get_features(b);
	for (i = 0; i < 2; i++) {
		assert_int_equal(set_file(b, VHOST_SET_VRING_CALL, i, b->call[i]), 0);
		assert_int_equal(set_file(b, VHOST_SET_VRING_ERR, i, -1), 0);
	}
}

static void
qemu_driver_up(struct bench *b, unsigned int base)
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		assert_int_equal(set_file(b, VHOST_SET_VRING_CALL, i, b->call[i]), 0);
	assert_int_equal(set_u64(b, VHOST_SET_FEATURES, 1ULL << VIRTIO_F_VERSION_1), 0);
	assert_int_equal(set_ram(b), 0);
	for (i = 0; i < 2; i++) {
		/* librte_vhost believes the ring, if that says otherwise. */
		((struct vring_used *)(b->ram + i * ROOM + 0x8000))->idx = base;
		assert_int_equal(set_state(b, VHOST_SET_VRING_NUM, i, SIZE), 0);
		assert_int_equal(set_state(b, VHOST_SET_VRING_BASE, i, base), 0);
		assert_int_equal(set_addr(b, i), 0);
		assert_int_equal(set_file(b, VHOST_SET_VRING_KICK, i, b->kick[i]), 0);
	}
	for (i = 0; i < 2; i++)
		assert_int_equal(set_file(b, VHOST_NET_SET_BACKEND, i, TAP), 0);
	vhost_end_check_running();
}

/* That librte_vhost has ring i as the client means it. */
static void
check_ring(struct bench *b, unsigned int i)
{
	struct rte_vhost_vring v;
	eventfd_t n;

	vhost_end_check_enabled(i);
	assert_int_equal(rte_vhost_get_vhost_vring(vhost_end.vid, i, &v), 0);
	assert_int_equal(v.size, SIZE);
	assert_ptr_not_equal(v.desc, b->ram + i * ROOM);  /* a mapping of its own ... */
	assert_int_equal(v.desc->addr, 0x1111 * (i + 1)); /* ... of the same memory */
	assert_ptr_equal(v.avail, (uint8_t *)v.desc + 0x4000);
	assert_ptr_equal(v.used, (uint8_t *)v.desc + 0x8000);
	assert_true(v.callfd >= 0 && v.kickfd >= 0);
	/* The very descriptors: what is written to the one is read from the other. */
	assert_int_equal(eventfd_write(v.callfd, 5), 0);
	assert_int_equal(eventfd_read(b->call[i], &n), 0);
	assert_int_equal(n, 5);
	assert_int_equal(eventfd_write(b->kick[i], 6), 0);
	assert_int_equal(eventfd_read(v.kickfd, &n), 0);
	assert_int_equal(n, 6);
}

static void
test_as_qemu_does(void **state)
{
	struct bench *b = *state;
	uint64_t features = 0;
	unsigned int i, round;

	qemu_start(b);
	for (round = 0; round < 3; round++) {
		qemu_driver_up(b, 100 * round);
		rte_vhost_get_negotiated_features(vhost_end.vid, &features);
		/* What its guest may send is allowed untold; what it takes is not. */
		assert_int_equal(features,
				1ULL << VIRTIO_F_VERSION_1 |
						1ULL << VHOST_USER_F_PROTOCOL_FEATURES |
						1ULL << VIRTIO_NET_F_CSUM |
						1ULL << VIRTIO_NET_F_HOST_TSO4);
		for (i = 0; i < 2; i++)
			check_ring(b, i);
		/* The driver goes down: the index comes back as the data path left it. */
		for (i = 0; i < 2; i++)
			assert_int_equal(set_file(b, VHOST_NET_SET_BACKEND, i, -1), 0);
		for (i = 0; i < 2; i++)
			vhost_end_wait_disabled(i);
		for (i = 0; i < 2; i++) {
			rte_vhost_set_vring_base(
					vhost_end.vid, i, 100 * round + 7 + i, 100 * round + 7 + i);
			assert_int_equal(get_base(b, i), 100 * round + 7 + i);
			assert_int_equal(set_file(b, VHOST_SET_VRING_CALL, i, b->call[i]), 0);
		}
		vhost_end_wait_stopped();
	}
	assert_int_equal(vhost_end.connections, 1);
}

/* To vhost-net the index is a mere question: a ring goes on without being set up anew. */
static void
test_goes_on_after_its_index_was_asked_for(void **state)
{
	struct bench *b = *state;

	qemu_start(b);
	qemu_driver_up(b, 3);
	assert_int_equal(get_base(b, 1), 3);
	vhost_end_check_running();
	check_ring(b, 1);
	assert_int_equal(set_file(b, VHOST_NET_SET_BACKEND, 0, -1), 0);
	assert_int_equal(get_base(b, 0), 3);
	assert_int_equal(get_base(b, 0), 3);
	assert_int_equal(set_file(b, VHOST_NET_SET_BACKEND, 0, TAP), 0);
	vhost_end_check_running();
	check_ring(b, 0);
	check_ring(b, 1);
}

static void
test_nothing_before_an_owner(void **state)
{
	struct bench *b = *state;
	struct vhost_vring_state s = {0, 0};

	assert_int_equal(simple(b, VHOST_RESET_OWNER), -EPERM);
	assert_int_equal(set_u64(b, VHOST_SET_FEATURES, 0), -EPERM);
	assert_int_equal(set_ram(b), -EPERM);
	assert_int_equal(set_state(b, VHOST_SET_VRING_NUM, 0, SIZE), -EPERM);
	assert_int_equal(set_state(b, VHOST_SET_VRING_BASE, 0, 0), -EPERM);
	assert_int_equal(session_ioctl(&b->session, b->client.pid, VHOST_GET_VRING_BASE, &s, &s),
			-EPERM);
	assert_int_equal(set_addr(b, 0), -EPERM);
	assert_int_equal(set_file(b, VHOST_SET_VRING_KICK, 0, b->kick[0]), -EPERM);
	assert_int_equal(set_file(b, VHOST_SET_VRING_CALL, 0, b->call[0]), -EPERM);
	assert_int_equal(set_file(b, VHOST_SET_VRING_ERR, 0, b->call[0]), -EPERM);
	assert_int_equal(set_file(b, VHOST_NET_SET_BACKEND, 0, TAP), -EPERM);
	/* None of this cost a connection. */
	assert_int_equal(b->session.sock, -1);
	get_features(b);
	assert_int_equal(simple(b, VHOST_SET_OWNER), 0);
	assert_int_equal(simple(b, VHOST_SET_OWNER), -EBUSY);
}

/* One process owns it: by whichever thread, but no other process. */
static void
test_owner(void **state)
{
	struct bench *b = *state;
	struct client other = client_start();
	const struct vhost_vring_state s = {0, SIZE};

	assert_int_equal(session_ioctl(&b->session, b->client.thread, VHOST_SET_OWNER, NULL, NULL),
			0);
	assert_int_equal(b->session.owner, b->client.pid);
	assert_int_equal(set_state(b, VHOST_SET_VRING_NUM, 0, SIZE), 0);
	assert_int_equal(
			session_ioctl(&b->session, b->client.thread, VHOST_SET_VRING_NUM, &s, NULL),
			0);
	assert_int_equal(session_ioctl(&b->session, other.pid, VHOST_SET_VRING_NUM, &s, NULL),
			-EPERM);
	assert_int_equal(session_ioctl(&b->session, 0, VHOST_SET_VRING_NUM, &s, NULL), -ESRCH);
	/* Until the owner lets go. */
	assert_int_equal(session_ioctl(&b->session, other.pid, VHOST_RESET_OWNER, NULL, NULL),
			-EPERM);
	assert_int_equal(simple(b, VHOST_RESET_OWNER), 0);
	assert_int_equal(set_state(b, VHOST_SET_VRING_NUM, 0, SIZE), -EPERM);
	assert_int_equal(session_ioctl(&b->session, other.pid, VHOST_SET_OWNER, NULL, NULL), 0);
	assert_int_equal(session_ioctl(&b->session, other.pid, VHOST_SET_VRING_NUM, &s, NULL), 0);
	client_end(&other);
}

static void
test_reset_while_running(void **state)
{
	struct bench *b = *state;

	qemu_start(b);
	qemu_driver_up(b, 0);
	assert_int_equal(simple(b, VHOST_RESET_OWNER), 0);
	vhost_end_wait_stopped();
	qemu_start(b);
	qemu_driver_up(b, 9);
	check_ring(b, 0);
	check_ring(b, 1);
	assert_int_equal(vhost_end.connections, 1);
}

static void
test_features(void **state)
{
	struct bench *b = *state;

	assert_int_equal(get_features(b),
			1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_NET_F_MRG_RXBUF |
					1ULL << VIRTIO_RING_F_INDIRECT_DESC |
					1ULL << VIRTIO_RING_F_EVENT_IDX);
	assert_int_equal(simple(b, VHOST_SET_OWNER), 0);
	assert_int_equal(set_u64(b, VHOST_SET_FEATURES, 1ULL << VHOST_F_LOG_ALL), -EOPNOTSUPP);
	assert_int_equal(set_u64(b, VHOST_SET_FEATURES, 1ULL << VHOST_NET_F_VIRTIO_NET_HDR),
			-EOPNOTSUPP);
	assert_int_equal(set_u64(b, VHOST_SET_FEATURES, 1ULL << VIRTIO_NET_F_CTRL_VQ), -EOPNOTSUPP);
	assert_int_equal(set_u64(b, VHOST_SET_FEATURES, ~0ULL), -EOPNOTSUPP);
	assert_int_equal(set_u64(b, VHOST_SET_FEATURES, get_features(b)), 0);
	assert_int_equal(set_u64(b, VHOST_SET_FEATURES, 0), 0);
}

static void
test_running_ring_keeps_its_size(void **state)
{
	struct bench *b = *state;

	qemu_start(b);
	qemu_driver_up(b, 0);
	assert_int_equal(set_state(b, VHOST_SET_VRING_NUM, 1, SIZE), -EBUSY);
	assert_int_equal(set_state(b, VHOST_SET_VRING_BASE, 1, 0), -EBUSY);
	assert_int_equal(set_file(b, VHOST_NET_SET_BACKEND, 1, -1), 0);
	assert_int_equal(set_state(b, VHOST_SET_VRING_BASE, 1, 0), 0);
	/* The verdict of librte_vhost itself, on features that change under way. */
	assert_int_equal(set_u64(b, VHOST_SET_FEATURES, 0), -EINVAL);
	assert_int_equal(set_u64(b, VHOST_SET_FEATURES, 1ULL << VIRTIO_F_VERSION_1), 0);
}

static void
test_descriptors(void **state)
{
	static const unsigned int commands[] = {
			VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR};
	struct bench *b = *state;
	unsigned int i;

	assert_int_equal(simple(b, VHOST_SET_OWNER), 0);
	for (i = 0; i < RTE_DIM(commands); i++) {
		assert_int_equal(set_file(b, commands[i], 0, 9999), -EBADF);
		assert_int_equal(set_file(b, commands[i], 0, -2), -EBADF);
		assert_int_equal(set_file(b, commands[i], 0, b->no_event), -EINVAL);
		assert_int_equal(set_file(b, commands[i], 2, b->call[0]), -ENOBUFS);
		assert_int_equal(set_file(b, commands[i], 0, -1), 0);
	}
	/* Set again and again: only the last one is kept. */
	for (i = 0; i < 100; i++)
		assert_int_equal(set_file(b, VHOST_SET_VRING_CALL, 1, b->call[i % 2]), 0);
	assert_int_equal(set_state(b, VHOST_SET_VRING_NUM, 0, SIZE), 0);
}

/* What can't be mapped is refused here, and the connection stays. */
/* Has the gate note a file at the lowest free number, and closes it as librte_vhost does. */
static int
note_and_close(int sock, int peer, int file)
{
	char byte = 1, room[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = room,
			.msg_controllen = sizeof(room)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);
	int fd;

	*h = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(h), &file, sizeof(file));
	assert_int_equal(sendmsg(peer, &msg, 0), 1);
	assert_int_equal(recvmsg(sock, &msg, 0), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	close(fd);
	return fd;
}

/*
 * A front end had sent a file that librte_vhost has closed since, and the session's own copy of the
 * same file has the same number: the end of the front end's connection does not take it away.
 */
static void
test_descriptor_that_looks_like_a_front_ends(void **state)
{
	struct bench *b = *state;
	int pair[2], other[2], low, fd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	assert_true(fd_gate_open(pair[0], "test", false));
	assert_int_equal(simple(b, VHOST_SET_OWNER), 0);
	low = dup(b->call[0]); /* the session has a handle of the process open there while it copies */
	fd = note_and_close(pair[0], pair[1], b->call[0]);
	close(low);
	assert_int_equal(set_file(b, VHOST_SET_VRING_CALL, 0, b->call[0]), 0);
	assert_int_equal(b->session.ring[0].call.fd, fd);
	fd_gate_close(pair[0]);
	/* The thread that ended one connection begins another: the first one's rest is closed. */
	assert_true(fd_gate_open(other[0], "test", false));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	fd_gate_close(other[0]);
	assert_true(fd_gate_open(pair[1], "test", false));
	fd_gate_close(pair[1]);
	for (unsigned int i = 0; i < 2; i++) {
		close(pair[i]);
		close(other[i]);
	}
}

/* While a copy is made nothing is closed by its number: the copy may have that already. */
static void
test_nothing_is_closed_while_a_copy_is_made(void **state)
{
	struct bench *b = *state;
	int pair[2], other[2], fd;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, other), 0);
	assert_true(fd_gate_open(pair[0], "test", false));
	fd = note_and_close(pair[0], pair[1], b->call[0]);
	fd_gate_making();
	assert_int_equal(dup(b->call[0]), fd);
	fd_gate_close(pair[0]);
	assert_true(fd_gate_open(other[0], "test", false));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	fd_gate_made(&fd, 1);
	fd_gate_tick();
	fd_gate_close(other[0]);
	assert_true(fd_gate_open(pair[1], "test", false));
	assert_true(fcntl(fd, F_GETFD) >= 0);
	fd_gate_close(pair[1]);
	close(fd);
	for (unsigned int i = 0; i < 2; i++) {
		close(pair[i]);
		close(other[i]);
	}
}

static void
test_memory(void **state)
{
	struct bench *b = *state;
	struct vhost_memory_region r[IOCTL_REGIONS_MAX];
	uint64_t padded[] = {UINT64_C(1) << 32};
	uint8_t on_stack;
	unsigned int i;

	assert_int_equal(simple(b, VHOST_SET_OWNER), 0);
	r[0] = (struct vhost_memory_region){0, LEN, 0x1000, 0};
	assert_int_equal(set_table(b, 1, r), -EFAULT);
	r[0].userspace_addr = UINT64_MAX;
	assert_int_equal(set_table(b, 1, r), -EFAULT);
	r[0] = (struct vhost_memory_region){0, 1, (uintptr_t)&on_stack, 0};
	assert_int_equal(set_table(b, 1, r), -ENXIO);
	assert_int_equal(set_table(b, 0, r), -ENXIO);
	for (i = 0; i < IOCTL_REGIONS_MAX; i++)
		r[i] = (struct vhost_memory_region){
				0x10000 * i, 0x1000, (uintptr_t)b->ram + 0x2000 * i, 0};
	assert_int_equal(set_table(b, IOCTL_REGIONS_MAX, r), -E2BIG);
	assert_int_equal(set_table(b, 8, r), 0);
	assert_int_equal(session_ioctl(&b->session, b->client.pid, VHOST_SET_MEM_TABLE, padded,
					 NULL),
			-EOPNOTSUPP);
	assert_int_equal(set_ram(b), 0);
}

/* A table that comes while rings run. */
static void
test_memory_again(void **state)
{
	struct bench *b = *state;
	unsigned int i;

	qemu_start(b);
	qemu_driver_up(b, 0);
	for (i = 0; i < 20; i++)
		assert_int_equal(set_ram(b), 0);
	vhost_end_check_running();
	check_ring(b, 0);
	check_ring(b, 1);
}

static void
test_no_socket(void **state)
{
	struct bench *b = *state;

	session_init(&b->session, "/nowhere/at/all");
	assert_int_equal(simple(b, VHOST_SET_OWNER), -ENOENT);
	assert_int_equal(set_ram(b), -EPERM);
}

static void
test_owner_is_killed(void **state)
{
	struct bench *b = *state;

	qemu_start(b);
	qemu_driver_up(b, 0);
	kill(b->client.pid, SIGKILL);
	waitpid(b->client.pid, NULL, 0);
	close(b->client.hold);
	/* An ioctl that was under way. */
	assert_int_equal(set_ram(b), -ESRCH);
	session_close(&b->session);
	vhost_end_wait_stopped();
	b->files--; /* the pipe to the client */
	b->client.pid = 0;
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
			TEST(test_as_qemu_does),
			TEST(test_goes_on_after_its_index_was_asked_for),
			TEST(test_nothing_before_an_owner),
			TEST(test_owner),
			TEST(test_reset_while_running),
			TEST(test_features),
			TEST(test_running_ring_keeps_its_size),
			TEST(test_descriptors),
			TEST(test_descriptor_that_looks_like_a_front_ends),
			TEST(test_nothing_is_closed_while_a_copy_is_made),
			TEST(test_memory),
			TEST(test_memory_again),
			TEST(test_no_socket),
			TEST(test_owner_is_killed),
	};

	return cmocka_run_group_tests_name(
			"cuse_session", tests, vhost_end_setup, vhost_end_teardown);
}
