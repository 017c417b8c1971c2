/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Ioctls of a process on the cuse back end's node, carried out by the real librte_vhost, with the
 * target in the kernel's place: it speaks FUSE's protocol over a socket. The kernel is trusted,
 * so what is bent is what a process decides: which ioctl, with what at its address, which may be
 * other bytes each time that it is fetched.
 */
#include <errno.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/fuse.h>
#include <linux/vhost.h>
#include <linux/virtio_ring.h>

#include <rte_common.h>

#include "client.h"
#include "fuzz.h"
#include "guest/cuse/ioctls.h"
#include "guest/cuse/node.h"
#include "live.h"

#define STEPS_MAX 64
#define OPENS 2 /* of the node at a time */
#define TURNS_MAX 8
/* The client's memory is at the same address in each run; before and after it there is none. */
#define AT 0x520000000000u
#define LEN 0x40000u
#define RING_ROOM 0x1000u
#define RING_SIZE 64u
#define FD_FIRST 200 /* the client's file descriptors: events, a file, and none from the last on */
#define FD_EVENTS 4

static struct {
	struct node *node;
	int fd; /* our end of what is /dev/cuse to the node */
	uint64_t unique;
	struct client client;
	uint64_t open[OPENS]; /* handles; 0: closed */
	uint8_t reply[8192];
	ssize_t got;
} kernel;

static const unsigned int commands[] = {
		VHOST_GET_FEATURES,
		VHOST_SET_OWNER,
		VHOST_SET_FEATURES,
		VHOST_SET_MEM_TABLE,
		VHOST_SET_VRING_NUM,
		VHOST_SET_VRING_BASE,
		VHOST_SET_VRING_ADDR,
		VHOST_SET_VRING_CALL,
		VHOST_SET_VRING_KICK,
		VHOST_NET_SET_BACKEND,
		VHOST_GET_VRING_BASE,
		VHOST_SET_VRING_ERR,
		VHOST_RESET_OWNER,
};
#define COMMANDS_GLOBAL 4 /* those of a device as a whole come first */
#define COMMANDS_RING 10  /* then, up to here, those for each ring */

/* The argument of an ioctl, as far as there is one: a memory table is the longest. */
union argument {
	uint64_t u64;
	struct vhost_vring_state state;
	struct vhost_vring_addr addr;
	struct vhost_vring_file file;
	struct vhost_memory table;
	uint8_t bytes[sizeof(struct vhost_memory) +
			(IOCTL_REGIONS_MAX + 1) * sizeof(struct vhost_memory_region)];
};

static void
send_request(uint32_t opcode, const void *body, size_t len, const void *data, size_t data_len)
{
	struct fuse_in_header h = {
			.len = sizeof(h) + len + data_len,
			.opcode = opcode,
			.unique = ++kernel.unique,
			.pid = kernel.client.pid,
	};
	uint8_t message[8192];

	assert_true(h.len <= sizeof(message));
	memcpy(message, &h, sizeof(h));
	memcpy(message + sizeof(h), body, len);
	memcpy(message + sizeof(h) + len, data, data_len);
	assert_int_equal(send(kernel.fd, message, h.len, 0), h.len);
}

/* Sends a request, which must be answered once. Returns the answer's error. */
static int
ask(uint32_t opcode, const void *body, size_t len, const void *data, size_t data_len)
{
	struct fuse_out_header *h = (struct fuse_out_header *)kernel.reply;

	send_request(opcode, body, len, data, data_len);
	assert_true(node_process(kernel.node));
	kernel.got = recv(kernel.fd, kernel.reply, sizeof(kernel.reply), MSG_DONTWAIT);
	assert_true(kernel.got >= (ssize_t)sizeof(*h));
	assert_int_equal(h->len, kernel.got);
	assert_int_equal(h->unique, kernel.unique);
	return h->error;
}

/* Makes the process whose ioctls they are, before there is anything else that it could name. */
static void
make_client(void)
{
	int fd, i;

	client_memory((void *)(uintptr_t)AT, LEN, 0);
	for (i = 0; i < FD_EVENTS; i++) {
		fd = eventfd(0, EFD_NONBLOCK);
		assert_int_equal(dup2(fd, FD_FIRST + i), FD_FIRST + i);
		close(fd);
	}
	assert_int_equal(dup2(STDIN_FILENO, FD_FIRST + FD_EVENTS), FD_FIRST + FD_EVENTS);
	kernel.client = client_start();
}

void
fuzz_setup(void)
{
	const struct cuse_init_in in = {.major = FUSE_KERNEL_VERSION,
			.minor = FUSE_KERNEL_MINOR_VERSION,
			.flags = CUSE_UNRESTRICTED_IOCTL};
	int pair[2];

	make_client();
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	kernel.fd = pair[1];
	live_setup();
	kernel.node = node_create(pair[0], "usvhost", 10, 300, live_path());
	assert_non_null(kernel.node);
	assert_int_equal(ask(CUSE_INIT, &in, sizeof(in), "", 0), 0);
	assert_true(node_announced(kernel.node));
}

static uint64_t
the_open(unsigned int i)
{
	const struct fuse_open_in in = {.flags = 2};
	struct fuse_open_out out;

	if (kernel.open[i] == 0) {
		assert_int_equal(ask(FUSE_OPEN, &in, sizeof(in), "", 0), 0);
		memcpy(&out, kernel.reply + sizeof(struct fuse_out_header), sizeof(out));
		kernel.open[i] = out.fh;
	}
	return kernel.open[i];
}

static void
release(unsigned int i)
{
	const struct fuse_release_in in = {.fh = kernel.open[i]};

	if (kernel.open[i] != 0)
		assert_int_equal(ask(FUSE_RELEASE, &in, sizeof(in), "", 0), 0);
	kernel.open[i] = 0;
}

/* Makes a table of regions that adjoin each other, as QEMU's do around its holes. */
static void
good_table(union argument *a, uint8_t arg)
{
	uint32_t n = 1u << (arg & 3), size = LEN / n, i;

	a->table.nregions = n;
	for (i = 0; i < n; i++)
		a->table.regions[i] = (struct vhost_memory_region){
				i * (size + (arg & 4 ? 0x1000u : 0)), size, AT + i * size, 0};
}

static void
good_argument(union argument *a, unsigned int cmd, unsigned int ring, uint8_t arg)
{
	uint64_t at = AT + ring * RING_ROOM;

	memset(a, 0, sizeof(*a));
	switch (cmd) {
	case VHOST_SET_FEATURES:
		a->u64 = arg & 1 ? 0 : UINT64_C(1) << 32;
		break;
	case VHOST_SET_MEM_TABLE:
		good_table(a, arg);
		break;
	case VHOST_SET_VRING_NUM:
		a->state = (struct vhost_vring_state){ring, RING_SIZE};
		break;
	case VHOST_SET_VRING_ADDR:
		a->addr = (struct vhost_vring_addr){
				.index = ring,
				.desc_user_addr = at,
				.avail_user_addr = at + RING_SIZE * sizeof(struct vring_desc),
				.used_user_addr =
						at + RING_SIZE * sizeof(struct vring_desc) + 0x200,
		};
		break;
	case VHOST_SET_VRING_CALL:
	case VHOST_SET_VRING_KICK:
	case VHOST_SET_VRING_ERR:
		a->file = (struct vhost_vring_file){ring, FD_FIRST + arg % (FD_EVENTS + 2)};
		break;
	case VHOST_NET_SET_BACKEND:
		a->file = (struct vhost_vring_file){ring, arg & 0x80 ? -1 : FD_FIRST};
		break;
	default:
		a->state.index = ring;
	}
}

/*
 * Numbers in it are others. None is an address of the client's far from its memory: what is
 * mapped there is not the same in each run.
 */
static void
bend(union argument *a, struct input *in)
{
	uint8_t n = fuzz_u8(in) % 4;
	uint16_t at;
	int32_t by;
	uint64_t v;

	for (; n > 0; n--) {
		at = fuzz_u16(in);
		at = (at & 0x8000 ? at % (sizeof(a->bytes) - sizeof(v)) : at % 64) & ~3u;
		by = (int32_t)fuzz_u32(in);
		memcpy(&v, a->bytes + at, sizeof(v));
		v = v >= AT && v <= AT + LEN      ? v + by
				: by == INT32_MIN ? UINT64_MAX
						  : v + (by >> 8);
		memcpy(a->bytes + at, &v, sizeof(v));
	}
}

/* Makes an ioctl, with as many turns as the node asks for; `in` may have other bytes for each. */
static void
do_ioctl(uint64_t fh, unsigned int cmd, union argument *a, struct input *in, bool changing)
{
	struct fuse_ioctl_in request = {.fh = fh,
			.flags = FUSE_IOCTL_UNRESTRICTED,
			.cmd = cmd,
			.arg = 0x1000}; /* where the argument is does not matter: it is fetched here */
	const struct fuse_ioctl_out *out = (void *)(kernel.reply + sizeof(struct fuse_out_header));
	const struct fuse_ioctl_iovec *iov = (const void *)(out + 1);
	unsigned int turn;

	for (turn = 0; turn < TURNS_MAX; turn++) {
		if (changing)
			bend(a, in);
		if (ask(FUSE_IOCTL, &request, sizeof(request), a->bytes, request.in_size) != 0 ||
				!(out->flags & FUSE_IOCTL_RETRY))
			return;
		request.in_size = request.out_size = 0;
		assert_true(out->in_iovs <= 1 && out->out_iovs <= 1);
		if (out->in_iovs > 0)
			request.in_size = iov[0].len;
		if (out->out_iovs > 0)
			request.out_size = iov[out->in_iovs].len;
		assert_true(request.in_size <= sizeof(a->bytes) && request.out_size <= 64);
	}
	/* A head that grows with each look is refused in the end, as its size has a limit. */
	assert_true(changing);
}

static void
one_ioctl(unsigned int open, uint8_t which, unsigned int ring, uint8_t arg, struct input *in,
		bool changing)
{
	unsigned int cmd = commands[which % RTE_DIM(commands)];
	union argument a;

	good_argument(&a, cmd, ring, arg);
	do_ioctl(the_open(open), cmd, &a, in, changing);
}

/* Sets a device up as QEMU does when a guest's driver starts. */
static void
set_up(unsigned int open, uint8_t arg, struct input *in)
{
	unsigned int i, ring;

	for (i = 0; i < COMMANDS_GLOBAL; i++)
		one_ioctl(open, i, 0, i == COMMANDS_GLOBAL - 1 ? arg : 0, in, false);
	for (i = COMMANDS_GLOBAL; i < COMMANDS_RING; i++)
		for (ring = 0; ring < IOCTL_RINGS; ring++)
			one_ioctl(open, i, ring, ring, in, false);
}

/* Makes an ioctl of any number, with an argument of any bytes. */
static void
odd_ioctl(unsigned int open, struct input *in)
{
	unsigned int cmd = commands[0];
	union argument a = {0};
	uint8_t n = fuzz_u8(in) % 64;

	if (n & 1)
		cmd = (cmd & ~0xffu) | fuzz_u8(in);
	else
		cmd = fuzz_u32(in);
	fuzz_take(in, a.bytes, n);
	do_ioctl(the_open(open), cmd, &a, in, false);
}

static void
step(struct input *in)
{
	uint8_t op = fuzz_u8(in), which, arg;
	unsigned int open = op >> 7;

	switch (op & 7) {
	case 0:
	case 1:
	case 2:
	case 3:
		which = fuzz_u8(in);
		arg = fuzz_u8(in);
		one_ioctl(open, which & 0x3f, which >> 6, arg, in, op & 3);
		break;
	case 4:
		set_up(open, fuzz_u8(in), in);
		break;
	case 5:
		odd_ioctl(open, in);
		break;
	case 6:
		release(open);
		break;
	default:
		live_settle(-1);
		live_poll();
	}
}

void
fuzz_one(struct input *in)
{
	unsigned int i;

	live_begin();
	memset((void *)(uintptr_t)AT, 0, LEN);
	for (i = 0; i < STEPS_MAX && fuzz_more(in); i++)
		step(in);
	live_settle(-1);
	live_poll();
	for (i = 0; i < OPENS; i++)
		release(i);
	live_end();
}
