/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Takes kicks: see kick.h for the contract. */
#include <stdint.h>
#include <sys/uio.h>

#include "guest/kick.h"

void
kick_take(int fd)
{
	uint64_t kicks;
	const struct iovec to = {.iov_base = &kicks, .iov_len = sizeof(kicks)};

	/*
	 * The guest's owner has the same open file, and so its flags and what is in it: whether this
	 * read waits must not depend on them.
	 */
	if (preadv2(fd, &to, 1, -1, RWF_NOWAIT) < 0) {
		/* It was empty. If it can't be taken the worker does not sleep, which costs CPU only. */
	}
}
