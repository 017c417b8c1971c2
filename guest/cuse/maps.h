/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Finds the files, and the parts of them, that are mapped at a process's addresses: reads
 * /proc/<pid>/maps (proc(5)), and finds a memory table's regions in it.
 *
 * A client of vhost-net names its memory by address. Shared memory must be a file (hugetlbfs, memfd
 * or tmpfs, unlinked or not) that it has mapped shared and writable, so only such mappings count.
 * It must be writable, as the switch opens the file again with its own rights, and must not get
 * further than the client itself.
 *
 * Pure functions, any thread.
 */
#ifndef GUEST_CUSE_MAPS_H
#define GUEST_CUSE_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "guest/memory.h"

struct vhost_memory_region;

struct mapping {
	uint64_t start, end; /* addresses */
	uint64_t offset;     /* offset of `start` in the file */
	uint64_t inode;
	uint32_t major, minor; /* device of the file */
	bool shared;           /* a file that is mapped shared, for reading and writing */
};

struct maps {
	struct mapping *m; /* sorted by address, as the kernel lists them */
	size_t n;
};

/* A part of guest memory that is contiguous in one file. */
struct extent {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr;
	uint64_t offset;      /* offset of `gpa` in the file */
	struct mapping first; /* the mapping that it begins in */
};

/* Reads a whole maps file. Returns false if it is none, or if there is no memory. */
bool maps_read(FILE *f, struct maps *maps);

void maps_free(struct maps *maps);

/* Returns the mapping that contains an address, or NULL. */
const struct mapping *maps_at(const struct maps *maps, uint64_t addr);

/* Returns true if two mappings are of the same file. */
bool maps_same_file(const struct mapping *a, const struct mapping *b);

/*
 * Finds n regions of a memory table (sorted here by guest address) and joins those that are
 * contiguous in guest memory, in the process and in one file. Parts that are mapped but can't be
 * shared are left out: firmware, a device's own memory. Returns 0, and *found extents; -EFAULT if a
 * part is not mapped at all, or wraps around; -EINVAL if two regions overlap; -ENXIO if nothing can
 * be shared; -E2BIG if there are more than GUEST_REGIONS extents.
 */
int maps_find(const struct maps *maps, struct vhost_memory_region *region, unsigned int n,
		struct extent *extent, unsigned int *found);

#endif /* GUEST_CUSE_MAPS_H */
