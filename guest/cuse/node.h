/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The character device: a CUSE session by libfuse3's cuse_lowlevel.
 *
 * Requests are taken one by one and answered before the next one is looked at;
 * none waits longer than its messages do (front.c), so an interruption needs no
 * more than that the answer comes. The caller polls, and so can stop.
 *
 * One thread at a time: the one that starts it, then the cuse thread.
 */
#ifndef GUEST_CUSE_NODE_H
#define GUEST_CUSE_NODE_H

#include <stdbool.h>

struct node;

/*
 * Makes a session on `fd`, an open /dev/cuse, which is taken. The device is called
 * `name` and has that number (major 0: any); each of its opens is a bridge to the
 * socket at `path`, which outlives the node. NULL: no memory, or libfuse says why not.
 */
struct node *
node_create(int fd, const char *name, unsigned int major, unsigned int minor, const char *path);

/* What to wait at for requests (POLLIN). */
int node_fd(const struct node *n);

/* Answers one request. False: the kernel has ended the session. */
bool node_process(struct node *n);

/* Whether the kernel has had the device's name: it exists now, or was refused. */
bool node_announced(const struct node *n);

/* Ends the session and all that its opens hold; clients get ENOTCONN. NULL is none. */
void node_destroy(struct node *n);

#endif /* GUEST_CUSE_NODE_H */
