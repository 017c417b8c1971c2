/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The process behind an ioctl: its number, its descriptors, its memory.
 *
 * What is taken from it are its own things, and no more than it could hand over
 * itself. It waits in the ioctl meanwhile; but it can be killed there, and its number be another's:
 * so a handle of the process (pidfd_open(2)) tells, before and after, whether it lives.
 * cuse thread.
 */
#ifndef GUEST_CUSE_CALLER_H
#define GUEST_CUSE_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

struct message;
struct vhost_memory_region;

/*
 * The process that a thread belongs to: FUSE tells of a caller's thread, and QEMU
 * sets a device up from one that is not its first. -ESRCH: it can't be seen.
 */
pid_t caller_process(pid_t thread);

/*
 * A handle of the process that a thread belongs to. Negative: -ESRCH if it is gone; -ENOSYS: the
 * kernel, before 5.3, has none, and only the number counts.
 */
int caller_handle(pid_t thread, pid_t process);

/* Whether the process lives, so that its number is no other's. Without a handle: true. */
bool caller_lives(int handle);

/*
 * A copy of descriptor `fd` of a process, as pidfd_getfd(2) makes it; the module
 * eventfd_link where the kernel has no such call. -EBADF: it has none such; -ESRCH;
 * -EPERM: we may not; -EINVAL: the module found no eventfd; -ENOSYS: there is
 * neither the call nor the module.
 */
int caller_descriptor(pid_t process, int fd);

/*
 * Fills in SET_MEM_TABLE of n regions of a process's memory, and opens the files
 * (fd[], GUEST_REGIONS of them at most). Sorts the regions. 0; an error of
 * maps_find(); -EFAULT also for a file that ends before its region does; -EACCES
 * for a file that is not regular; else that of opening. Nothing is open then.
 */
int caller_table(pid_t process, struct vhost_memory_region *region, unsigned int n,
		struct message *m, int *fd);

#endif /* GUEST_CUSE_CALLER_H */
