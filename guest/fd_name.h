/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What the kernel says of files, and names for those that front ends sent, for the log. No state; any thread. */
#ifndef GUEST_FD_NAME_H
#define GUEST_FD_NAME_H

/* Bytes of the longest name, with its terminator. */
#define FD_NAME_MAX 64

/*
 * Writes the type of fd's file system, as mount(8) names it ("fuse.sshfs"), or what else it is
 * ("pipe"). Asks only the kernel, never the server of the file system. Returns `name`. Any thread.
 */
const char *fd_name(int fd, char name[static FD_NAME_MAX]);

/*
 * Returns the number after a key ("mnt_id:"; proc(5)) in fd's /proc/self/fdinfo, or -1 if there is
 * none. Any thread.
 */
long fd_info(int fd, const char *key);

/*
 * Returns where the type of a mount's file system begins in a line of mountinfo (proc(5)), which goes on after the
 * type; NULL: the line has none.
 */
const char *fd_name_type(const char *line);

#endif /* GUEST_FD_NAME_H */
