/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Malformed vhost-user messages. See odd_messages.h. */
#define _GNU_SOURCE
#include "odd_messages.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#define MEMFD_SIZE 65536

static int
make_fd(enum odd_fd kind)
{
	char path[32];
	int fd[2], ro;

	switch (kind) {
	case ODD_EVENTFD:
		return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	case ODD_PIPE:
		if (pipe2(fd, O_CLOEXEC) < 0)
			return -1;
		close(fd[0]);
		return fd[1];
	case ODD_MEMFD:
	case ODD_READ_ONLY:
	case ODD_EMPTY:
	default:
		/* It has the name of the driver's memory, with which its mappings are counted. */
		fd[0] = memfd_create("guest-memory", MFD_CLOEXEC);
		if (fd[0] < 0 || kind == ODD_EMPTY)
			return fd[0];
		if (ftruncate(fd[0], MEMFD_SIZE) < 0) {
			close(fd[0]);
			return -1;
		}
		if (kind == ODD_MEMFD)
			return fd[0];
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd[0]);
		ro = open(path, O_RDONLY | O_CLOEXEC);
		close(fd[0]);
		return ro;
	}
}

static void
fill_table(struct vu_msg *msg, const struct odd_message *m)
{
	uint32_t n = m->no_regions ? 0 : (uint32_t)m->value;

	msg->payload.mem.n_regions = n;
	for (uint32_t i = 0; i < n && i < VU_TABLE_REGIONS_MAX; i++)
		msg->payload.mem.region[i] = m->region;
	if (m->size == 0 && (m->no_regions || m->region.size != 0 || n != 0))
		msg->size = 8 +
				(n < VU_TABLE_REGIONS_MAX ? n : VU_TABLE_REGIONS_MAX) *
						(uint32_t)sizeof(m->region);
}

void
odd_make(struct vu_msg *msg, const struct odd_message *m)
{
	int fd;

	*msg = vu_msg_new(m->request);
	msg->flags = m->flags != 0 ? m->flags : VU_VERSION | VU_NEED_REPLY;
	msg->size = m->size;
	msg->payload.u64 = m->value;
	if (m->request == VU_SET_MEM_TABLE)
		fill_table(msg, m);
	for (int i = 0; i < m->n_fds && i < VU_FDS_MAX; i++) {
		fd = make_fd(m->fd_kind);
		if (fd >= 0)
			msg->fd[msg->n_fds++] = fd;
	}
}

void
odd_free(struct vu_msg *msg)
{
	vu_msg_close_fds(msg);
}

uint64_t
odd_number(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dULL;
}

/* Returns a number, most of the time an awkward one. */
static uint64_t
awkward(uint64_t *state)
{
	static const uint64_t numbers[] = {
			0,
			1,
			2,
			255,
			256,
			1 | 256ULL << 32,
			1 | 32768ULL << 32,
			UINT32_MAX,
			1ULL << 32,
			1ULL << 63,
			UINT64_MAX,
			4096,
			VU_VRING_NOFD,
			VU_VRING_NOFD | 1,
			9,
	};
	uint64_t r = odd_number(state) >> 8;

	return r % 4 == 0 ? odd_number(state) : numbers[r / 4 % (sizeof(numbers) / 8)];
}

struct odd_message
odd_random(uint64_t *state)
{
	static const uint32_t sizes[] = {0, 4, 8, 8, 8, 16, 40, 40, 72, 264, 1000};
	struct odd_message m = {0};
	uint64_t r = odd_number(state) >> 8;

	m.request = (uint32_t)(r % 45);
	m.flags = r / 45 % 4 == 0 ? VU_VERSION : VU_VERSION | VU_NEED_REPLY;
	m.size = sizes[r / 180 % (sizeof(sizes) / sizeof(sizes[0]))];
	m.value = awkward(state);
	m.region = (struct vu_table_region){
			awkward(state), awkward(state), awkward(state), awkward(state)};
	r = odd_number(state) >> 8;
	m.n_fds = r % 3 == 0 ? 0 : r % 3 == 1 ? 1 : (int)(r / 3 % 20);
	m.fd_kind = (enum odd_fd)(r / 60 % ODD_KINDS);
	if (r / 300 % 10 == 0)
		m.bytes = 1 + r / 3000 % 40;
	return m;
}
