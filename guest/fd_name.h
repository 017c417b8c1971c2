/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What to call a file that somebody sent us, in the log. */
#ifndef GUEST_FD_NAME_H
#define GUEST_FD_NAME_H

/* Bytes of the longest name, with its end. */
#define FD_NAME_MAX 64

/*
 * The kind of file system that fd is of, as mount(8) has it ("fuse.sshfs"), or what else it is
 * ("pipe"). Asks the kernel alone, never who serves the file. Returns `name`. Any thread.
 */
const char *fd_name(int fd, char name[static FD_NAME_MAX]);

/*
 * The number that the kernel tells of fd in /proc/self/fdinfo after a key ("mnt_id:"; proc(5)).
 * -1: it tells none. Any thread.
 */
long fd_info(int fd, const char *key);

#endif /* GUEST_FD_NAME_H */
