/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Which files, and which parts of them, are mapped at a process's addresses:
 * reading /proc/<pid>/maps (proc(5)), and finding a memory table's regions in it.
 *
 * A client of vhost-net names its memory by address. What is shared with it must
 * be a file (of whatever kind: hugetlbfs, memfd, tmpfs, unlinked or not) that it
 * has mapped shared and writable, so only such mappings count. Writable matters:
 * the switch opens the file anew, with its own rights, and may not get further
 * than the client itself.
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
	uint64_t offset;     /* in the file, of `start` */
	uint64_t inode;
	uint32_t major, minor; /* of the file's device */
	bool shared;           /* a file, mapped shared, to be read and written */
};

struct maps {
	struct mapping *m; /* by address, as the kernel lists them */
	size_t n;
};

/* A part of guest memory that is one stretch of one file. */
struct fragment {
	uint64_t gpa;
	uint64_t size;
	uint64_t user_addr;
	uint64_t offset;      /* in the file */
	struct mapping first; /* the mapping that it begins in */
};

/* Reads a whole maps file. False: it is none, or there is no memory. */
bool maps_read(FILE *f, struct maps *maps);

void maps_free(struct maps *maps);

/* The mapping that holds an address, or NULL. */
const struct mapping *maps_at(const struct maps *maps, uint64_t addr);

/* Whether two mappings are of one file. */
bool maps_same_file(const struct mapping *a, const struct mapping *b);

/*
 * Finds n regions of a memory table (sorted here by guest address) and joins what
 * is contiguous in guest memory, in the process and in one file. Parts that are
 * mapped, but can't be shared, are left out: firmware, a device's own memory.
 * 0, and *found fragments; -EFAULT: something is not mapped at all, or wraps around;
 * -EINVAL: two regions overlap; -ENXIO: nothing of it can be shared; -E2BIG: more
 * than GUEST_REGIONS fragments.
 */
int maps_find(const struct maps *maps, struct vhost_memory_region *region, unsigned int n,
		struct fragment *frag, unsigned int *found);

#endif /* GUEST_CUSE_MAPS_H */
