/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Tells if a number is still that of the same open file: numbers are used again, and librte_vhost closes files
 * without telling us.
 *
 * No state; any thread. fstat(2) asks the server of a file system, so only for files that can't make us wait: memory,
 * eventfds and sockets (fds.h).
 */
#ifndef GUEST_FD_IDENTITY_H
#define GUEST_FD_IDENTITY_H

#include <stdbool.h>
#include <sys/types.h>

/* Identifies an open file, also after another has got its number. */
struct fd_identity {
	dev_t dev;
	ino_t ino;
	long event; /* number of an eventfd, as all eventfds share an inode; -1: no eventfd */
};

/* Returns false if the file descriptor is not open. */
bool fd_identity_of(int fd, struct fd_identity *is);

/* Returns true if the file descriptor is open, and of that file. */
bool fd_identity_same(int fd, const struct fd_identity *is);

#endif /* GUEST_FD_IDENTITY_H */
