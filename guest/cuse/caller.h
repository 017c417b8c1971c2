/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The process that made an ioctl: its number, its file descriptors, its memory.
 *
 * Nothing is taken from it except what it could pass on itself. It waits in the ioctl meanwhile,
 * but it can be killed there, and its number can then be another's. So a handle of the process
 * (pidfd_open(2)) tells, before and after, if it is alive. Called by the cuse thread.
 */
#ifndef GUEST_CUSE_CALLER_H
#define GUEST_CUSE_CALLER_H

#include <stdbool.h>
#include <sys/types.h>

struct message;
struct vhost_memory_region;

/*
 * Returns the process that a thread belongs to: FUSE names the caller's thread, and QEMU sets a
 * device up from a thread that is not its first. Returns -ESRCH if the thread can't be seen.
 */
pid_t caller_process(pid_t thread);

/*
 * Returns a handle of the process that a thread belongs to; -ESRCH if it is gone; -ENOSYS if the
 * kernel has no handles (before 5.3), and only the number counts.
 */
int caller_handle(pid_t thread, pid_t process);

/*
 * Returns true if the process is alive, so that its number is not another's. Returns true without a
 * handle.
 */
bool caller_lives(int handle);

/*
 * Returns a copy of file descriptor `fd` of a process, made by pidfd_getfd(2), or by the module
 * eventfd_link if the kernel has no such call. Returns -EBADF if the process has no such file
 * descriptor; -ESRCH if it is gone; -EPERM if we may not; -EINVAL if the module found no eventfd;
 * -ENOSYS if there is neither the call nor the module.
 */
int caller_fd(pid_t process, int fd);

/*
 * Fills in SET_MEM_TABLE of n regions of a process's memory, and opens the files (fd[],
 * GUEST_REGIONS of them at most). Sorts the regions. Returns 0, or an error of maps_find(), or of
 * opening; -EFAULT also if a file ends before its region; -EACCES for a file that is not regular;
 * -EAGAIN if somebody holds a lease on a file (fcntl(2), F_SETLEASE). After an error no file is open.
 */
int caller_table(pid_t process, struct vhost_memory_region *region, unsigned int n,
		struct message *m, int *fd);

#endif /* GUEST_CUSE_CALLER_H */
