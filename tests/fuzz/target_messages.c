/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A front end's messages to the real librte_vhost: those that a device is set up by, in any
 * order, bent at any byte, cut off, with file descriptors of any kind; or bytes of any kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>

#include <rte_common.h>

#include "fuzz.h"
#include "guest/device.h"
#include "guest/fault.h"
#include "guest/guest.h"
#include "guest/message.h"
#include "live.h"
#include "vhost_user.h"

#define STEPS_MAX 96
#define LINES 2 /* connections at a time */
#define MEMORY 0x40000u
#define GPA 0x100000u
/* Its memory has the same address in the front end in each run. */
#define AT 0x510000000000u
#define RING_ROOM 0x1000u /* for the areas of one */
#define RING_SIZE 64u
#define LOG_BYTES 4096u
#define FDS_MAX 12
#define PATCHES 4

enum kind {
	KIND_OWN,
	KIND_MEMORY,
	KIND_EVENT,
	KIND_FILE,
	KIND_PIPE,
	KIND_EMPTY,
	KIND_SMALL,
	KINDS
};

static struct {
	int sock[LINES];
	int memory; /* a memfd */
	uint8_t *at;
	unsigned int line; /* the one that is in use */
} client;

/* They are in the order in which a front end sets a device up; then come all others. */
static const uint8_t requests[] = {
		MSG_GET_FEATURES,
		MSG_GET_PROTOCOL_FEATURES,
		MSG_SET_PROTOCOL_FEATURES,
		MSG_GET_QUEUE_NUM,
		MSG_SET_OWNER,
		MSG_SET_FEATURES,
		MSG_SET_MEM_TABLE,
		MSG_SET_VRING_NUM,
		MSG_SET_VRING_BASE,
		MSG_SET_VRING_ADDR,
		MSG_SET_VRING_CALL,
		MSG_SET_VRING_KICK,
		MSG_SET_VRING_ENABLE,
		MSG_GET_VRING_BASE,
		MSG_SET_LOG_BASE,
		MSG_SET_LOG_FD,
		MSG_SEND_RARP,
		MSG_NET_SET_MTU,
		MSG_SET_VRING_ERR,
		MSG_RESET_OWNER,
		MSG_GET_INFLIGHT_FD,
		MSG_SET_INFLIGHT_FD,
		MSG_POSTCOPY_ADVISE,
		MSG_GET_STATUS,
};
#define REQUESTS_GLOBAL 7 /* those of a device as a whole come first */
#define REQUESTS_RING 13  /* then, up to here, those for each ring */

void
fuzz_setup(void)
{
	signal(SIGPIPE, SIG_IGN);
	live_setup();
}

static void
begin(void)
{
	unsigned int i;

	client.memory = memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_true(client.memory >= 0);
	assert_int_equal(ftruncate(client.memory, MEMORY), 0);
	client.at = mmap((void *)(uintptr_t)AT, MEMORY, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_FIXED_NOREPLACE, client.memory, 0);
	assert_ptr_equal(client.at, (void *)(uintptr_t)AT);
	client.line = 0;
	for (i = 0; i < LINES; i++)
		client.sock[i] = -1;
}

static void
end(void)
{
	unsigned int i;

	for (i = 0; i < LINES; i++)
		if (client.sock[i] >= 0)
			close(client.sock[i]);
	munmap(client.at, MEMORY);
	close(client.memory);
}

/* Returns the connection that is in use, and makes it if there is none. */
static int
line(void)
{
	int *sock = &client.sock[client.line];

	if (*sock < 0) {
		*sock = vu_connect(live_path(), LIVE_PATIENCE * 1000);
		assert_true(*sock >= 0);
		assert_int_equal(fcntl(*sock, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	}
	return *sock;
}

/* Takes answers, so that the back end can go on; the kernel closes file descriptors in them. */
static void
drain(int sock)
{
	uint8_t answer[4096];

	while (recv(sock, answer, sizeof(answer), MSG_DONTWAIT) > 0)
		;
}

static void
settle(void)
{
	unsigned int i;

	for (i = 0; i < LINES; i++) {
		if (client.sock[i] < 0)
			continue;
		drain(client.sock[i]);
		live_settle(client.sock[i]);
	}
	live_settle(-1);
}

static int
make_fd(enum kind kind)
{
	int fd[2];

	switch (kind) {
	case KIND_EVENT:
		return eventfd(0, EFD_CLOEXEC);
	case KIND_FILE:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case KIND_PIPE:
		assert_int_equal(pipe2(fd, O_CLOEXEC), 0);
		close(fd[0]);
		return fd[1];
	case KIND_EMPTY:
	case KIND_SMALL:
		fd[0] = memfd_create("odd", MFD_CLOEXEC);
		assert_int_equal(ftruncate(fd[0], kind == KIND_SMALL ? LOG_BYTES : 0), 0);
		return fd[0];
	default:
		return fcntl(client.memory, F_DUPFD_CLOEXEC, 0);
	}
}

static void
add_fds(struct vu_msg *m, enum kind kind, int n)
{
	for (; n > 0 && m->n_fds < FDS_MAX; n--) {
		m->fd[m->n_fds] = make_fd(kind);
		assert_true(m->fd[m->n_fds] >= 0);
		m->n_fds++;
	}
}

/* Makes a table of one, two, four or eight adjacent regions of the one file. */
static void
good_table(struct vu_msg *m, uint8_t arg)
{
	uint32_t n = 1u << (arg & 3), i, size = MEMORY / n;

	m->payload.mem.n_regions = n;
	for (i = 0; i < n; i++)
		m->payload.mem.region[i] = (struct vu_table_region){
				GPA + i * size, size, AT + i * size, i * size};
	m->size = 8 + n * sizeof(m->payload.mem.region[0]);
	add_fds(m, KIND_MEMORY, n);
}

static uint64_t
good_features(uint8_t arg)
{
	static const uint64_t bits[] = {VU_F_MRG_RXBUF, VU_F_RING_PACKED, VU_F_IN_ORDER,
			VU_F_INDIRECT_DESC | VU_F_EVENT_IDX, VU_F_LOG_ALL, VU_F_MQ,
			VU_F_CSUM | VU_F_HOST_TSO4 | VU_F_HOST_TSO6 | VU_F_HOST_USO,
			VU_F_GUEST_CSUM | VU_F_GUEST_TSO4 | VU_F_GUEST_TSO6};
	uint64_t features = VU_F_VERSION_1 | VU_F_PROTOCOL_FEATURES;
	unsigned int i;

	for (i = 0; i < RTE_DIM(bits); i++)
		features |= arg >> i & 1 ? bits[i] : 0;
	return features;
}

static void
good_addr(struct vu_msg *m, unsigned int ring)
{
	uint64_t at = AT + (ring % (MEMORY / RING_ROOM)) * RING_ROOM;

	m->payload.addr = (struct vu_vring_addr){
			.index = ring,
			.desc = at,
			.avail = at + RING_SIZE * sizeof(struct vring_desc),
			.used = at + RING_SIZE * sizeof(struct vring_desc) + 0x200,
			.log = at - AT + GPA,
	};
	m->size = sizeof(m->payload.addr);
}

static void
good_state(struct vu_msg *m, unsigned int ring, uint32_t num)
{
	m->payload.state = (struct vu_vring_state){ring, num};
	m->size = sizeof(m->payload.state);
}

static void
good_u64(struct vu_msg *m, uint64_t value)
{
	m->payload.u64 = value;
	m->size = sizeof(m->payload.u64);
}

/* Returns a message as an honest front end sends it, for ring `ring` if it is about one. */
static struct vu_msg
good_message(uint32_t request, unsigned int ring, uint8_t arg)
{
	static const uint8_t mac[8] = {0x02, 1, 2, 3, 4, 5};
	struct vu_msg m = vu_msg_new(request);

	switch (request) {
	case MSG_SET_FEATURES:
		good_u64(&m, good_features(arg));
		break;
	case MSG_SET_PROTOCOL_FEATURES:
		good_u64(&m,
				VU_PROTOCOL_MQ | VU_PROTOCOL_LOG_SHMFD | VU_PROTOCOL_RARP |
						VU_PROTOCOL_REPLY_ACK | VU_PROTOCOL_NET_MTU);
		break;
	case MSG_SET_MEM_TABLE:
		good_table(&m, arg);
		break;
	case MSG_SET_VRING_NUM:
		good_state(&m, ring, RING_SIZE);
		break;
	case MSG_SET_VRING_BASE:
		good_state(&m, ring, 0x80008000u); /* packed: both with the first wrap */
		break;
	case MSG_SET_VRING_ENABLE:
		good_state(&m, ring, !(arg >> 7));
		break;
	case MSG_GET_VRING_BASE:
		good_state(&m, ring, 0);
		break;
	case MSG_SET_VRING_ADDR:
		good_addr(&m, ring);
		break;
	case MSG_SET_VRING_KICK:
	case MSG_SET_VRING_CALL:
	case MSG_SET_VRING_ERR:
		good_u64(&m, ring);
		add_fds(&m, KIND_EVENT, 1);
		break;
	case MSG_SET_LOG_BASE:
		m.payload.log = (struct vu_log){LOG_BYTES, 0};
		m.size = sizeof(m.payload.log);
		add_fds(&m, KIND_SMALL, 1);
		break;
	case MSG_SET_LOG_FD:
		add_fds(&m, KIND_EVENT, 1);
		break;
	case MSG_SEND_RARP:
		memcpy(m.payload.raw, mac, sizeof(mac));
		m.size = sizeof(mac);
		break;
	case MSG_NET_SET_MTU:
		good_u64(&m, 1500 + 64 * arg);
		break;
	default:
		break;
	}
	return m;
}

static void
send_message(struct vu_msg *m)
{
	int sock = line();

	vu_send(sock, m); /* fails where the back end hung up */
	drain(sock);
	vu_msg_close_fds(m);
}

/* Changes numbers in it: anywhere in header and payload, of any width. */
static void
bend(struct vu_msg *m, struct input *in)
{
	uint8_t how = fuzz_u8(in), n = how % PATCHES, at;
	uint64_t value;

	for (; n > 0; n--) {
		at = fuzz_u8(in);
		value = at & 0x80 ? fuzz_u64(in) : fuzz_u8(in);
		at = (at & 0x7f) % (MSG_HEADER + RTE_MIN(m->size, 100u));
		memcpy((uint8_t *)m + at, &value, at & 1 ? 1 : at & 2 ? 2 : at & 4 ? 4 : 8);
	}
	if (how & 0x40)
		vu_msg_close_fds(m);
	if (how & 0x80)
		add_fds(m, fuzz_u8(in) % KINDS, how >> 2 & 0xf);
}

static void
bytes_message(struct input *in)
{
	struct vu_msg m = vu_msg_new(fuzz_u8(in) % 48);
	uint8_t how = fuzz_u8(in);

	m.flags ^= how & 0xf;
	m.size = fuzz_u8(in) * (how & 0x10 ? 4 : 1);
	fuzz_take(in, m.payload.raw, RTE_MIN(m.size, sizeof(m.payload.raw)));
	add_fds(&m, fuzz_u8(in) % KINDS, how >> 5);
	send_message(&m);
}

/* Sends a message without its end: who waits for the end is soon told that it will not come. */
static void
half_message(struct input *in)
{
	struct vu_msg m = good_message(requests[fuzz_u8(in) % RTE_DIM(requests)], 0, 0);
	size_t n = fuzz_u8(in) % (MSG_HEADER + m.size);
	int sock = line();

	if (n != 0)
		vu_send_bytes(sock, &m, n, m.fd, m.n_fds);
	shutdown(sock, SHUT_WR);
	vu_msg_close_fds(&m);
}

/* Sets the whole device up as an honest front end does, so that there is much to change. */
static void
set_up(struct input *in)
{
	uint8_t arg = fuzz_u8(in), pairs = 1 + fuzz_u8(in) % 3;
	unsigned int i, ring;
	struct vu_msg m;

	for (i = 0; i < REQUESTS_GLOBAL; i++) {
		m = good_message(requests[i], 0, arg);
		send_message(&m);
	}
	for (ring = 0; ring < 2u * pairs; ring++) {
		for (i = REQUESTS_GLOBAL; i < REQUESTS_RING; i++) {
			m = good_message(requests[i], ring, 0);
			send_message(&m);
		}
	}
}

/* Writes entries of a ring: split ones in a row, which all name the same buffer. */
static void
fill_ring(struct input *in)
{
	uint8_t ring = fuzz_u8(in) % 8, n = fuzz_u8(in) % (RING_SIZE + 2), i;
	uint8_t *at = client.at + ring * RING_ROOM;
	struct vring_desc *d = (struct vring_desc *)at;
	struct vring_avail *avail = (void *)(at + RING_SIZE * sizeof(*d));

	for (i = 0; i < RING_SIZE; i++)
		d[i] = (struct vring_desc){GPA + 0x20000 + i * 0x800, ring & 1 ? 72 : 0x800,
				ring & 1 ? 0 : VRING_DESC_F_WRITE, 0};
	avail->idx += n;
}

static void
fill_memory(struct input *in)
{
	uint32_t at = fuzz_u16(in) % MEMORY;

	fuzz_take(in, client.at + at, RTE_MIN(fuzz_u8(in), MEMORY - at));
}

/* Shortens its memory while the switch uses it. The target does not touch its own mapping then. */
static void
shorten(struct input *in)
{
	settle();
	assert_int_equal(ftruncate(client.memory, fuzz_u8(in) * 0x400), 0);
	live_poll();
	settle();
	assert_int_equal(ftruncate(client.memory, MEMORY), 0);
}

static void
step(struct input *in)
{
	uint8_t op = fuzz_u8(in), request;
	struct vu_msg m;

	switch (op % 12) {
	case 0:
	case 1:
	case 2:
	case 3:
	case 4:
		request = fuzz_u8(in);
		m = good_message(requests[request % RTE_DIM(requests)], op / 12, fuzz_u8(in));
		if (op % 12 > 1)
			bend(&m, in);
		send_message(&m);
		break;
	case 5:
		bytes_message(in);
		break;
	case 6:
		set_up(in);
		break;
	case 7:
		settle();
		live_poll();
		break;
	case 8:
		fill_ring(in);
		break;
	case 9:
		fill_memory(in);
		break;
	case 10:
		client.line = (client.line + 1) % LINES;
		break;
	default:
		if (op < 128)
			half_message(in);
		else
			shorten(in);
	}
}

void
fuzz_one(struct input *in)
{
	unsigned int i;

	live_begin();
	begin();
	for (i = 0; i < STEPS_MAX && fuzz_more(in); i++)
		step(in);
	settle();
	live_poll();
	end();
	live_end();
}
