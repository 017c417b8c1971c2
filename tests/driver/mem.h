/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Guest memory: some shared regions, each with a guest physical address, and a simple
 * allocator that only ever moves forward. The rings and buffers of a device lie in it.
 *
 * A region is a memfd, so that its file descriptor can be handed to the back end. Only the owner writes
 * to the memory until a table with it has been sent; from then on the back end does, too.
 */
#ifndef DRIVER_MEM_H
#define DRIVER_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vhost_user.h"

/* More than a table holds: a test may swap regions in and out, or send too many. */
#define VU_REGIONS_MAX 16

#define VU_HUGE_PAGE (2UL << 20)

struct vu_region {
	uint8_t *base; /* where this process has mapped it; also the user address in the table */
	uint64_t gpa;
	size_t size;
	size_t fd_offset; /* where in the file it begins */
	size_t used;      /* bytes handed out */
	int fd;
	bool huge; /* on huge pages */
};

struct vu_mem {
	struct vu_region region[VU_REGIONS_MAX];
	unsigned n;
};

struct vu_mem_opts {
	unsigned n_regions; /* 0: 1 */
	size_t region_size; /* 0: 8 MiB; rounded up to whole pages */
	uint64_t gpa;       /* of the first region; any, also 0 */
	uint64_t gpa_gap;   /* unused addresses between two regions; 0: they touch */
	size_t fd_offset;   /* each region begins there in its file; whole pages */
	bool hugetlb;       /* ask for 2 MiB pages; ordinary ones if there are none left */
	size_t skew;        /* bytes of each region to leave unused at its start */
};

int vu_mem_create(struct vu_mem *mem, const struct vu_mem_opts *opts);

/* One more region at `gpa` (a memory hot-plug). Returns its number. */
int vu_mem_add(struct vu_mem *mem, uint64_t gpa, size_t size, size_t fd_offset, bool hugetlb);

/* Unmaps one; the numbers of those after it go down by one. The back end is not told: send a table. */
void vu_mem_remove(struct vu_mem *mem, unsigned region);

/*
 * Replaces a region by a copy: the same bytes at the same addresses, in a new file. The caller
 * closes the old one.
 */
int vu_mem_copy(struct vu_mem *mem, unsigned region);

void vu_mem_destroy(struct vu_mem *mem);

/* Returns true if all of it is on huge pages. */
bool vu_mem_huge(const struct vu_mem *mem);

/* Takes `size` zeroed bytes of a region, aligned to a power of two. Returns NULL if it is full. */
void *vu_mem_alloc(struct vu_mem *mem, unsigned region, size_t size, size_t align);

/* Guest physical address of a pointer into the memory; UINT64_MAX if it is not in it. */
uint64_t vu_mem_gpa(const struct vu_mem *mem, const void *ptr);

/* Returns where `len` bytes at a guest address are; NULL unless one region has them. */
void *vu_mem_ptr(const struct vu_mem *mem, uint64_t gpa, size_t len);

/* A SET_MEM_TABLE message with all regions (at most VU_TABLE_REGIONS_MAX of them). */
struct vu_msg vu_mem_table_msg(const struct vu_mem *mem);

#endif
