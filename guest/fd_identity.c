/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Recognises open files: see fd_identity.h for the contract. */
#include <sys/stat.h>

#include "guest/fd_identity.h"
#include "guest/fd_name.h"
#include "guest/fds.h"

/*
 * Returns the number of an eventfd, or -1 if it is none, or if the kernel (before 5.2) does not
 * tell.
 */
static long
fd_identity_event(int fd)
{
	return fds_is_eventfd(fd) ? fd_info(fd, "eventfd-id:") : -1;
}

bool
fd_identity_of(int fd, struct fd_identity *is)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return false;
	*is = (struct fd_identity){
			.dev = st.st_dev, .ino = st.st_ino, .event = fd_identity_event(fd)};
	return true;
}

bool
fd_identity_same(int fd, const struct fd_identity *is)
{
	struct fd_identity now;

	return fd_identity_of(fd, &now) && now.dev == is->dev && now.ino == is->ino &&
			now.event == is->event;
}
