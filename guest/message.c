/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Messages as librte_vhost hands them on: see message.h. librte_vhost's thread. */
#include <stdio.h>
#include <string.h>

#include <rte_common.h>

#include "guest/message.h"

/*
 * The members after the message in the struct that librte_vhost's hooks get (vhu_msg_context in its
 * vhost_user.h, which says that hooks rely on it).
 */
struct message_fds {
	int fd[8]; /* -1: none */
	int n;
};

/*
 * The size of VhostUserMsg, as the compiler lays it out, from a release on: those file descriptors come after it.
 * 25.03 added messages of crypto devices, which are larger. No release after RELEASE_LAST has been inspected.
 */
static const struct {
	unsigned int release; /* year * 100 + month */
	size_t size;
} layouts[] = {{2211, 644}, {2503, 1084}};
#define RELEASE_LAST 2511

size_t
message_size_in(const char *version)
{
	unsigned int i, year, month, release;
	size_t size = 0;

	if (sscanf(version, "DPDK %u.%u", &year, &month) != 2)
		return 0;
	release = year * 100 + month;
	for (i = 0; i < RTE_DIM(layouts) && release <= RELEASE_LAST; i++)
		if (release >= layouts[i].release)
			size = layouts[i].size;
	return size;
}

bool
message_bare(const struct message *m, size_t size)
{
	struct message_fds d;
	unsigned int i;

	if (size == 0)
		return false;
	memcpy(&d, (const uint8_t *)m + size, sizeof(d));
	for (i = 0; i < RTE_DIM(d.fd); i++)
		if (d.fd[i] != -1)
			return false;
	return d.n == 0;
}

void
message_answer(struct message *m, uint64_t value)
{
	m->payload.u64 = value;
	m->size = sizeof(m->payload.u64);
}
