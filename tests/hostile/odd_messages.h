/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Malformed vhost-user messages, described by a few fields, or drawn at random. No state; any thread. */
#ifndef HOSTILE_ODD_MESSAGES_H
#define HOSTILE_ODD_MESSAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vhost_user.h"

enum odd_fd {
	ODD_MEMFD, /* 64 KiB of memory */
	ODD_EVENTFD,
	ODD_PIPE,
	ODD_READ_ONLY, /* a file opened for reading alone */
	ODD_EMPTY,     /* a file of no bytes */
	ODD_KINDS
};

struct odd_message {
	uint32_t request;
	uint32_t flags;                /* 0: version 1, and an acknowledgement wanted */
	uint32_t size;                 /* of the payload, as the header says */
	uint64_t value;                /* the first eight bytes of the payload */
	struct vu_table_region region; /* SET_MEM_TABLE: what each region is */
	bool no_regions;               /* SET_MEM_TABLE: the number of regions, and none of them */
	int n_fds;
	enum odd_fd fd_kind;
	size_t bytes; /* only so many of the message are sent; 0: all */
	bool must_refuse;
};

/* Makes the message, with its file descriptors. */
void odd_make(struct vu_msg *msg, const struct odd_message *m);

/* Closes its file descriptors, which odd_make() opened. */
void odd_free(struct vu_msg *msg);

/* Draws a message of any kind. The same state of the generator gives the same message. */
struct odd_message odd_random(uint64_t *state);

/* The next number of a generator (xorshift64*). */
uint64_t odd_number(uint64_t *state);

#endif
