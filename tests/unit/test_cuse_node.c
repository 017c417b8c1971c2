/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The character device, with the test in the kernel's place: it speaks FUSE's protocol
 * (linux/fuse.h) over a socket instead of /dev/cuse, and fetches what an ioctl's caller has.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/fuse.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <rte_common.h>

#include "base/atomic.h"
#include "client.h"
#include "guest/cuse/ioctls.h"
#include "guest/cuse/node.h"
#include "unit.h"
#include "vhost_end.h"

#define LEN (1u << 20)

struct kernel {
	struct node *node;
	int fd; /* our end of the socket that is /dev/cuse to the node */
	uint64_t unique;
	uint32_t pid;       /* of the caller */
	unsigned int turns; /* that the last ioctl took */
	struct client client;
	uint8_t *ram;
	unsigned int files;
	union {
		struct {
			struct fuse_out_header h;
			union {
				struct {
					struct cuse_init_out init;
					char info[64];
				};
				struct fuse_open_out open;
				struct {
					struct fuse_ioctl_out ioctl;
					union {
						struct fuse_ioctl_iovec iov[2];
						uint8_t data[64];
					};
				};
			};
		} reply;
		uint8_t room[4096];
	};
	ssize_t got; /* bytes of the reply */
};

/* Hands a request to the node, which answers it, or not, before it returns. */
static bool
request(struct kernel *k, uint32_t opcode, const void *body, size_t body_len, const void *data,
		size_t data_len)
{
	struct fuse_in_header h = {
			.len = sizeof(h) + body_len + data_len,
			.opcode = opcode,
			.unique = ++k->unique,
			.pid = k->pid,
	};
	uint8_t message[8192];
	bool alive;

	memcpy(message, &h, sizeof(h));
	memcpy(message + sizeof(h), body, body_len);
	if (data_len > 0)
		memcpy(message + sizeof(h) + body_len, data, data_len);
	assert_int_equal(send(k->fd, message, h.len, 0), h.len);
	alive = node_process(k->node);
	k->got = recv(k->fd, k->room, sizeof(k->room), MSG_DONTWAIT);
	return alive;
}

/* The same for a request that has to be answered; returns the answer's error. */
static int
ask(struct kernel *k, uint32_t opcode, const void *body, size_t body_len, const void *data,
		size_t data_len)
{
	assert_true(request(k, opcode, body, body_len, data, data_len));
	assert_true(k->got >= (ssize_t)sizeof(k->reply.h));
	assert_int_equal(k->reply.h.len, k->got);
	assert_int_equal(k->reply.h.unique, k->unique);
	return k->reply.h.error;
}

static void
announce(struct kernel *k)
{
	const struct cuse_init_in in = {.major = FUSE_KERNEL_VERSION,
			.minor = FUSE_KERNEL_MINOR_VERSION,
			.flags = CUSE_UNRESTRICTED_IOCTL};

	assert_false(node_announced(k->node));
	assert_int_equal(ask(k, CUSE_INIT, &in, sizeof(in), NULL, 0), 0);
	assert_true(node_announced(k->node));
}

static uint64_t
open_node(struct kernel *k)
{
	const struct fuse_open_in in = {.flags = 2};

	assert_int_equal(ask(k, FUSE_OPEN, &in, sizeof(in), NULL, 0), 0);
	return k->reply.open.fh;
}

static void
release_node(struct kernel *k, uint64_t fh)
{
	const struct fuse_release_in in = {.fh = fh};

	k->pid = 0; /* as the kernel does, which has nobody to name then */
	assert_int_equal(ask(k, FUSE_RELEASE, &in, sizeof(in), NULL, 0), 0);
	k->pid = k->client.pid;
}

/* An ioctl, with as many turns as the node asks for. `arg` is in this process. */
static int
node_ioctl(struct kernel *k, uint64_t fh, unsigned long cmd, const void *arg)
{
	struct fuse_ioctl_in in = {.fh = fh,
			.flags = FUSE_IOCTL_UNRESTRICTED,
			.cmd = cmd,
			.arg = (uintptr_t)arg};
	const void *data = NULL;
	void *to = NULL;

	for (k->turns = 1;; k->turns++) {
		assert_true(k->turns < 10);
		if (ask(k, FUSE_IOCTL, &in, sizeof(in), data, in.in_size) != 0)
			return k->reply.h.error;
		if (!(k->reply.ioctl.flags & FUSE_IOCTL_RETRY))
			break;
		data = to = NULL;
		in.in_size = in.out_size = 0;
		if (k->reply.ioctl.in_iovs > 0) {
			assert_int_equal(k->reply.ioctl.in_iovs, 1);
			data = (const void *)(uintptr_t)k->reply.iov[0].base;
			in.in_size = k->reply.iov[0].len;
		}
		if (k->reply.ioctl.out_iovs > 0) {
			assert_int_equal(k->reply.ioctl.out_iovs, 1);
			to = (void *)(uintptr_t)k->reply.iov[k->reply.ioctl.in_iovs].base;
			in.out_size = k->reply.iov[k->reply.ioctl.in_iovs].len;
		}
	}
	if (to != NULL) {
		assert_int_equal(k->got, sizeof(k->reply.h) + sizeof(k->reply.ioctl) + in.out_size);
		memcpy(to, k->reply.data, in.out_size);
	}
	return k->reply.ioctl.result;
}

static int
setup(void **state)
{
	struct kernel *k = unit_zalloc(sizeof(*k));
	int pair[2];

	k->ram = client_memory(NULL, LEN, 0);
	k->client = client_start();
	k->pid = k->client.pid;
	k->files = client_open_files();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	k->fd = pair[1];
	k->node = node_create(pair[0], "usvhost", 10, 300, vhost_end.path);
	assert_non_null(k->node);
	assert_int_equal(node_fd(k->node), pair[0]);
	*state = k;
	return 0;
}

static int
teardown(void **state)
{
	struct kernel *k = *state;

	node_destroy(k->node);
	close(k->fd);
	vhost_end_wait_connections(0);
	vhost_end_wait_files(k->files);
	client_end(&k->client);
	munmap(k->ram, LEN);
	free(k);
	return 0;
}

static void
test_announced(void **state)
{
	struct kernel *k = *state;

	announce(k);
	assert_true(k->reply.init.flags & CUSE_UNRESTRICTED_IOCTL);
	assert_int_equal(k->reply.init.dev_major, 10);
	assert_int_equal(k->reply.init.dev_minor, 300);
	assert_int_equal(k->got,
			sizeof(k->reply.h) + sizeof(k->reply.init) + sizeof("DEVNAME=usvhost"));
	assert_string_equal(k->reply.info, "DEVNAME=usvhost");
}

/* There is no request; then the kernel ends the session. */
static void
test_no_request(void **state)
{
	struct kernel *k = *state;

	assert_true(node_process(k->node));
	announce(k);
	assert_true(node_process(k->node));
	shutdown(k->fd, SHUT_RDWR);
	assert_false(node_process(k->node));
}

/* What is fetched, in how many turns, and what goes back. */
static void
test_turns(void **state)
{
	struct kernel *k = *state;
	struct vhost_vring_state s = {0, 256};
	uint64_t room[1 + 4 * 3] = {3}, features = 0, fh;
	struct vhost_memory *table = (struct vhost_memory *)room;
	unsigned int i;

	announce(k);
	fh = open_node(k);
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_OWNER, NULL), 0);
	assert_int_equal(k->turns, 1);
	assert_int_equal(node_ioctl(k, fh, VHOST_GET_FEATURES, &features), 0);
	assert_int_equal(k->turns, 2);
	assert_int_equal(features & ~ioctl_features, 0);
	assert_true(features >> VIRTIO_F_VERSION_1 & 1);
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_FEATURES, &features), 0);
	assert_int_equal(k->turns, 2);
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_VRING_NUM, &s), 0);
	s.num = 77;
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_VRING_BASE, &s), 0);
	s.num = 0;
	assert_int_equal(node_ioctl(k, fh, VHOST_GET_VRING_BASE, &s), 0);
	assert_int_equal(k->turns, 2);
	assert_int_equal(s.index, 0);
	assert_int_equal(s.num, 77);
	for (i = 0; i < 3; i++)
		table->regions[i] = (struct vhost_memory_region){
				i * 0x10000, 0x1000, (uintptr_t)k->ram + i * 0x2000, 0};
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_MEM_TABLE, table), 0);
	assert_int_equal(k->turns, 3);
}

/* A second thread of the caller changes the table's length between the turns. */
static void
test_table_that_changes(void **state)
{
	struct kernel *k = *state;
	struct fuse_ioctl_in in = {.flags = FUSE_IOCTL_UNRESTRICTED,
			.cmd = VHOST_SET_MEM_TABLE,
			.arg = 0x4000};
	uint64_t room[1 + 4 * 2] = {1};
	struct vhost_memory *table = (struct vhost_memory *)room;

	announce(k);
	in.fh = open_node(k);
	assert_int_equal(node_ioctl(k, in.fh, VHOST_SET_OWNER, NULL), 0);
	table->regions[0] = (struct vhost_memory_region){0, 0x1000, (uintptr_t)k->ram, 0};
	in.in_size = 8 + 32;
	/* It has grown: one more turn, for all of it. */
	table->nregions = 2;
	assert_int_equal(ask(k, FUSE_IOCTL, &in, sizeof(in), room, in.in_size), 0);
	assert_true(k->reply.ioctl.flags & FUSE_IOCTL_RETRY);
	assert_int_equal(k->reply.iov[0].base, 0x4000);
	assert_int_equal(k->reply.iov[0].len, 8 + 64);
	/* By too much. */
	table->nregions = 65;
	assert_int_equal(ask(k, FUSE_IOCTL, &in, sizeof(in), room, in.in_size), -E2BIG);
	table->nregions = UINT32_MAX;
	assert_int_equal(ask(k, FUSE_IOCTL, &in, sizeof(in), room, in.in_size), -E2BIG);
	/* It has shrunk: what it says now is what counts. */
	table->nregions = 1;
	in.in_size = 8 + 64;
	assert_int_equal(ask(k, FUSE_IOCTL, &in, sizeof(in), room, in.in_size), 0);
	assert_int_equal(k->reply.ioctl.flags & FUSE_IOCTL_RETRY, 0);
}

static void
test_verdicts(void **state)
{
	struct kernel *k = *state;
	const struct vhost_vring_state s = {2, 256};
	const struct vhost_vring_file f = {0, 9999};
	uint64_t fh, value = ~UINT64_C(0);

	announce(k);
	fh = open_node(k);
	assert_int_equal(node_ioctl(k, fh, VHOST_GET_BACKEND_FEATURES, &value), -ENOTTY);
	assert_int_equal(k->turns, 1);
	assert_int_equal(node_ioctl(k, fh, 0xffffffff, &value), -ENOTTY);
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_VRING_NUM, &s), -EPERM);
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_OWNER, NULL), 0);
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_OWNER, NULL), -EBUSY);
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_VRING_NUM, &s), -ENOBUFS);
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_FEATURES, &value), -EOPNOTSUPP);
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_VRING_CALL, &f), -EBADF);
	k->pid = 0; /* a caller whom this pid namespace does not show */
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_VRING_CALL, &f), -ESRCH);
}

/* The device supports neither reading nor writing nor polling. */
static void
test_other_requests(void **state)
{
	struct kernel *k = *state;
	const struct fuse_read_in r = {.fh = 0, .size = 8};
	const struct fuse_poll_in p = {.fh = 0};
	const struct fuse_interrupt_in i = {.unique = 12345};
	const struct fuse_open_in o = {.flags = 2};

	announce(k);
	assert_int_equal(ask(k, FUSE_READ, &r, sizeof(r), NULL, 0), -ENOSYS);
	assert_int_equal(ask(k, FUSE_WRITE, &r, sizeof(r), "12345678", 8), -ENOSYS);
	assert_int_equal(ask(k, FUSE_POLL, &p, sizeof(p), NULL, 0), -ENOSYS);
	/* An interruption of what has long been answered: libfuse sends it back at the next request. */
	assert_true(request(k, FUSE_INTERRUPT, &i, sizeof(i), NULL, 0));
	assert_true(request(k, FUSE_OPEN, &o, sizeof(o), NULL, 0));
	assert_int_equal(k->reply.h.unique, k->unique - 1);
	assert_int_equal(k->reply.h.error, -EAGAIN);
	assert_int_equal(recv(k->fd, k->room, sizeof(k->room), MSG_DONTWAIT),
			sizeof(k->reply.h) + sizeof(k->reply.open));
	assert_int_equal(k->reply.h.unique, k->unique);
}

/* Each open is a connection, but only once it says something. */
static void
test_opens(void **state)
{
	struct kernel *k = *state;
	uint64_t fh[1000];
	unsigned int i;

	announce(k);
	for (i = 0; i < RTE_DIM(fh); i++)
		fh[i] = open_node(k);
	assert_int_equal(load_acquire(&vhost_end.connections), 0);
	for (i = 0; i < 10; i++)
		assert_int_equal(node_ioctl(k, fh[i * 100], VHOST_SET_OWNER, NULL), 0);
	vhost_end_wait_connections(10);
	for (i = 0; i < 500; i++)
		release_node(k, fh[i]);
	vhost_end_wait_connections(5);
	/* The rest, which teardown() finds gone, ends with the node. */
	assert_int_equal(node_ioctl(k, fh[500], VHOST_SET_OWNER, NULL), -EBUSY);
}

static void
test_whole_life(void **state)
{
	struct kernel *k = *state;
	uint64_t room[1 + 4] = {1}, features = 1ULL << VIRTIO_F_VERSION_1, fh;
	struct vhost_memory *table = (struct vhost_memory *)room;
	struct vhost_vring_addr a;
	struct vhost_vring_file f;
	struct vhost_vring_state s;

	announce(k);
	fh = open_node(k);
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_OWNER, NULL), 0);
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_FEATURES, &features), 0);
	table->regions[0] = (struct vhost_memory_region){0, LEN, (uintptr_t)k->ram, 0};
	assert_int_equal(node_ioctl(k, fh, VHOST_SET_MEM_TABLE, table), 0);
	for (s.index = 0; s.index < 2; s.index++) {
		f = (struct vhost_vring_file){s.index, -1};
		a = (struct vhost_vring_addr){.index = s.index,
				.desc_user_addr = (uintptr_t)k->ram + s.index * 0x10000,
				.avail_user_addr = (uintptr_t)k->ram + s.index * 0x10000 + 0x4000,
				.used_user_addr = (uintptr_t)k->ram + s.index * 0x10000 + 0x8000};
		s.num = 256;
		assert_int_equal(node_ioctl(k, fh, VHOST_SET_VRING_NUM, &s), 0);
		s.num = 0;
		assert_int_equal(node_ioctl(k, fh, VHOST_SET_VRING_BASE, &s), 0);
		assert_int_equal(node_ioctl(k, fh, VHOST_SET_VRING_ADDR, &a), 0);
		assert_int_equal(node_ioctl(k, fh, VHOST_SET_VRING_CALL, &f), 0);
		assert_int_equal(node_ioctl(k, fh, VHOST_SET_VRING_KICK, &f), 0);
		f.fd = 0;
		assert_int_equal(node_ioctl(k, fh, VHOST_NET_SET_BACKEND, &f), 0);
	}
	vhost_end_check_running();
	release_node(k, fh);
	vhost_end_wait_stopped();
	vhost_end_wait_connections(0);
}

int
main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
			TEST(test_announced),
			TEST(test_no_request),
			TEST(test_turns),
			TEST(test_table_that_changes),
			TEST(test_verdicts),
			TEST(test_other_requests),
			TEST(test_opens),
			TEST(test_whole_life),
	};

	return cmocka_run_group_tests_name("cuse_node", tests, vhost_end_setup, vhost_end_teardown);
}
