/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The character device: a CUSE session by libfuse3's cuse_lowlevel.
 *
 * Requests are taken one by one, and each is answered before the next one is read. None waits
 * longer than its messages do (front.c), so the answer also comes soon after an interruption. The
 * caller polls, and so can stop.
 *
 * Used by one thread at a time: the one that starts it, then the cuse thread.
 */
#ifndef GUEST_CUSE_NODE_H
#define GUEST_CUSE_NODE_H

#include <stdbool.h>

struct node;

/*
 * Makes a CUSE session on `fd`, an open /dev/cuse, and takes it over. The device is called `name`
 * and has that number (major 0: any); each of its opens is a struct session for the socket at
 * `path`, which outlives the node. Returns NULL if there is no memory, or if libfuse fails, which
 * it logs.
 */
struct node *
node_create(int fd, const char *name, unsigned int major, unsigned int minor, const char *path);

/* Returns the file descriptor to poll for requests (POLLIN). */
int node_fd(const struct node *n);

/* Answers one request. Returns false if the kernel has ended the session. */
bool node_process(struct node *n);

/* Returns true if the kernel was told the device's name: it exists now, or was refused. */
bool node_announced(const struct node *n);

/*
 * Ends the CUSE session and releases everything that its opens hold; clients get ENOTCONN. NULL is
 * allowed.
 */
void node_destroy(struct node *n);

#endif /* GUEST_CUSE_NODE_H */
