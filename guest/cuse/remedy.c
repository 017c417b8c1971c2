/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Texts for errors of a client: see remedy.h for the contract. */
#include <errno.h>
#include <stddef.h>

#include "guest/cuse/remedy.h"

const char *
remedy_for_memory(int error)
{
	switch (error) {
	case -E2BIG:
		return "its memory has more than 8 parts; give it fewer files or NUMA nodes, a "
		       "DPDK process --single-file-segments";
	case -EINVAL:
		return "parts of its memory have the same guest addresses";
	case -ENXIO:
		return "none of its memory is shared; give QEMU a memory backend with share=on";
	case -EMEDIUMTYPE:
		return "its memory is in a file that its owner could withhold; give it memfd, tmpfs or "
		       "hugetlbfs (memory-backend-memfd,share=on of QEMU)";
	case -EPERM:
	case -EACCES:
		return "its memory may not be opened; give it memfd, tmpfs or hugetlbfs, and the switch "
		       "the rights of root (CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_DAC_OVERRIDE)";
	case -EAGAIN:
		return "somebody holds a lease on a file of its memory (fcntl, F_SETLEASE); give it up";
	case -EMFILE:
	case -ENFILE:
		return "the switch has no room to open its memory; give it more open files (LimitNOFILE= of "
		       "the service)";
	default:
		return "its memory is not there where it says";
	}
}

const char *
remedy_for_event(int error)
{
	switch (error) {
	case -ENOSYS:
		return "this kernel has no pidfd_getfd(2): load the module eventfd_link "
		       "(eventfd_link/README)";
	case -EPERM:
		return "its file descriptors may not be copied; give the switch the rights of root "
		       "(CAP_SYS_PTRACE)";
	case -EMFILE:
	case -ENFILE:
		return "the switch has no room to copy its file descriptors; give it more open files "
		       "(LimitNOFILE= of the service)";
	default:
		return NULL;
	}
}
