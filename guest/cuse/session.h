/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A session is one open of the node: a vhost-net device for its client, a vhost-user connection for
 * the switch. Each ioctl is carried out by a few messages, and returns their result. An ioctl that
 * starts a ring returns when workers serve the ring.
 *
 * The connection is made by the first ioctl that needs it, so an open node that is not used takes
 * no device. As with the kernel's vhost-net, the process that sets itself as the owner provides the
 * memory and the file descriptors, and only it may make further ioctls.
 *
 * Only the cuse thread touches a session.
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
 * Seconds to wait for an answer. It usually comes within microseconds, but librte_vhost has one
 * thread for all guests, and other work on its CPU can delay that: 5 s were seen on a machine with
 * ten threads for each CPU. A session that waits longer is given up, as all others wait for it.
 */
#define SESSION_PATIENCE 30

/* Says if librte_vhost has what the client has set for a ring. */
enum session_part {
	PART_UNSET, /* the client has not set it */
	PART_SET,
	PART_LOST, /* librte_vhost has dropped it since, with the ring's index */
};

struct session_event {
	enum session_part state;
	int fd; /* copy of the client's file descriptor; -1: none */
};

struct session_ring {
	bool enabled; /* the client has set a back end */
	enum session_part addr_state;
	struct vhost_vring_addr addr;
	struct session_event call, kick;
};

struct session {
	const char *path;        /* path of the socket; not owned */
	unsigned int patience;   /* seconds that an answer may take */
	int sock;                /* -1: not connected */
	bool lost;               /* the connection ended; the session can't be used any more */
	bool proven;             /* the owner's last file descriptor was an eventfd */
	unsigned int complaints; /* lines that were logged */
	const char *complaint;   /* the last line that was logged about the owner; NULL: none */
	pid_t owner;             /* 0: none yet */
	int handle;        /* handle of the owner; -1: no owner yet, or the kernel has no handles */
	uint64_t features; /* offered */
	struct session_ring ring[IOCTL_RINGS];
};

/* Begins a session for the socket at `path`, which outlives it. */
void session_init(struct session *s, const char *path);

/* Ends the session when the node is closed. */
void session_close(struct session *s);

/*
 * Carries out an ioctl of a thread. `in` and `out` have the sizes that ioctl_sizes() told. Returns
 * 0, or -errno for the client: that of vhost-net for the same error; -EINVAL also if the switch
 * refuses; -EBUSY if all devices are in use; -ENOTCONN if the switch has ended this connection.
 */
int session_ioctl(struct session *s, pid_t thread, unsigned int cmd, const void *in, void *out);

#endif /* GUEST_CUSE_SESSION_H */
