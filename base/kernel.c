/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Measures the kernel: see kernel.h for the contract. */
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "base/atomic.h"
#include "base/kernel.h"

/* The shortest of so many tries was not interrupted. */
#define TRIES 16

/* Writes to the pages of a file that no mapping of this process has yet. */
static uint64_t
kernel_touch(int fd, size_t page)
{
	uint64_t least = UINT64_MAX, before;
	uint8_t *at = mmap(NULL, TRIES * page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unsigned int i;

	if (at == MAP_FAILED)
		return 0;
	for (i = 0; i < TRIES; i++) {
		before = rte_rdtsc();
		store_relaxed(&at[i * page], 1);
		least = RTE_MIN(least, rte_rdtsc() - before);
	}
	munmap(at, TRIES * page);
	return least;
}

uint64_t
kernel_page_fault(void)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	int fd = memfd_create("page faults", MFD_CLOEXEC);
	uint64_t least = 0;

	if (fd < 0)
		return 0;
	if (posix_fallocate(fd, 0, (off_t)(TRIES * page)) == 0)
		least = kernel_touch(fd, page);
	close(fd);
	return least;
}

uint64_t
kernel_signal(void)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	uint64_t least = UINT64_MAX, before;
	unsigned int i;

	if (fd < 0)
		return 0;
	for (i = 0; i < TRIES; i++) {
		before = rte_rdtsc();
		if (eventfd_write(fd, 1) != 0)
			break;
		least = RTE_MIN(least, rte_rdtsc() - before);
	}
	close(fd);
	return i == TRIES ? least : 0;
}
