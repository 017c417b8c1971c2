/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only WITH Linux-syscall-note
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The ioctl of /dev/eventfd-link, for the module and for programs.
 *
 *	struct eventfd_link_get from = { .pid = pid, .fd = fd };
 *	int mine = ioctl(link, EVENTFD_LINK_GET, &from);
 *
 * gives the caller a file descriptor of its own (close-on-exec) for the eventfd that process `pid` has
 * as `fd`: what pidfd_getfd(2) does on kernels that have it, and only for eventfds. Any thread of
 * the process will do as `pid`, which is a number of the caller's pid namespace. The caller must be
 * allowed to trace that process, as by ptrace(2).
 *
 * If it fails it returns -1, and errno says why:
 *	EBADF	`fd` is not open in that process
 *	EFAULT	the argument is no readable address
 *	EINVAL	`pid` is not positive, or the file descriptor is no eventfd
 *	EMFILE	the caller has as many file descriptors as it may have
 *	ENOMEM
 *	ENOTTY	another ioctl
 *	EPERM	the caller may not trace that process; nobody may trace a kernel thread
 *	ESRCH	no such process, or it ended meanwhile or runs another program since
 */
#ifndef EVENTFD_LINK_H
#define EVENTFD_LINK_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define EVENTFD_LINK_DEVICE "eventfd-link" /* in /dev */

struct eventfd_link_get {
	__s32 pid;
	__s32 fd;
};

/* 0xEF is free in the kernel's list of ioctl numbers. */
#define EVENTFD_LINK_GET _IOW(0xEF, 0x01, struct eventfd_link_get)

#endif
