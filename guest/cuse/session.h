/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * One open of the node: a vhost-net device to its client, a vhost-user connection
 * to the switch. Each ioctl is carried out by a few messages, and answered
 * with the verdict that came back. One that starts a ring is answered when it is served.
 *
 * The connection is made by the first ioctl that needs it: who opens the node and
 * does nothing takes no device. As with the kernel's vhost-net, the process that
 * sets itself as the owner is the one whose memory and descriptors count, and the
 * only one that may go on.
 *
 * cuse thread; it alone touches a bridge.
 */
#ifndef GUEST_CUSE_SESSION_H
#define GUEST_CUSE_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/vhost_types.h>

#include "guest/cuse/ioctls.h"

/*
 * Seconds for an answer. It comes within microseconds, but librte_vhost has one
 * thread for all guests, and that can be held up by other work on its CPU: 5 s were
 * seen on a machine with ten threads for each. Whoever waits longer has lost; and so has he alone, as
 * all other opens of the node wait behind him.
 */
#define SESSION_PATIENCE 30

/* Whether librte_vhost has what the client has set for a ring. */
enum session_part {
	PART_UNSET, /* by the client */
	PART_SET,
	PART_LOST, /* librte_vhost let go of it since, with the ring's index */
};

struct session_event {
	enum session_part state;
	int fd; /* a copy of the client's; -1: none */
};

struct session_ring {
	bool enabled; /* the client has set a back end */
	enum session_part addr_state;
	struct vhost_vring_addr addr;
	struct session_event call, kick;
};

struct session {
	const char *path;      /* of the socket; not ours */
	unsigned int patience; /* seconds that an answer may take */
	int sock;              /* -1: not connected yet, or no more */
	bool lost;             /* the connection ended: nothing works any more */
	bool complained;       /* the log has a line on this client: one is enough */
	pid_t owner;           /* 0: none yet */
	int handle; /* of that process; -1: none, as it has none yet or the kernel knows none */
	uint64_t features; /* offered */
	struct session_ring ring[IOCTL_RINGS];
};

/* A bridge to the socket at `path`, which outlives it. */
void session_init(struct session *b, const char *path);

/* The open is over: hangs up. */
void session_close(struct session *b);

/*
 * Carries out an ioctl of a thread. `in` and `out` have the sizes that
 * ioctl_sizes() told. 0, or -errno for the client: that of vhost-net where it has
 * the same trouble; -EINVAL also where the switch refuses; -EBUSY: all devices are
 * in use; -ENOTCONN: the switch has ended this connection.
 */
int session_ioctl(struct session *b, pid_t thread, unsigned int cmd, const void *in, void *out);

#endif /* GUEST_CUSE_SESSION_H */
