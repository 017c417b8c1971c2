/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Guest memory: the one place where a guest's address becomes a pointer.
 *
 * Every address of a guest (of descriptors' buffers and indirect tables) goes through
 * guest_mem_at() or guest_mem_part(); the rings, which librte_vhost has translated, go through
 * guest_mem_holds(). No other code may compute a pointer into a guest. guest_mem_address() does the
 * reverse.
 *
 * librte_vhost's thread writes a map while its guest is paused, and workers read it while the guest
 * runs; pausing (guest.c) separates the two.
 */
#ifndef GUEST_MEMORY_H
#define GUEST_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <rte_branch_prediction.h>

struct rte_vhost_memory;

/* Most regions that librte_vhost takes, and that VHOST_USER_SET_MEM_TABLE can carry. */
#define GUEST_REGIONS 8

/* log2 of the sizes of hugepages that x86-64 and arm64 have, in which a guest's memory may be. */
#define GUEST_HUGEPAGE_SHIFTS 16, 21, 25, 29, 30, 34

struct guest_region {
	uint64_t gpa;  /* guest-physical address it starts at */
	uint64_t size; /* bytes */
	uint8_t *host; /* address of its mapping in this process */
};

/* A mapping of librte_vhost: a file from its beginning on, which contains a region. */
struct guest_mapping {
	uint8_t *at;
	uint64_t len;
};

struct guest_mem {
	unsigned int n;
	struct guest_region region[GUEST_REGIONS]; /* largest first */
	uint8_t *log;      /* the dirty log: the front end's bitmap; see dirty_log.h */
	uint64_t log_size; /* bytes; 0: there is none */

	/* These are for sigbus.c, which may run in a thread that works for another guest. */
	uint32_t version; /* odd while the map is written */
	unsigned int nmaps;
	struct guest_mapping map[GUEST_REGIONS];
};

/*
 * Returns a pointer to `len` bytes at guest-physical `gpa`, or NULL unless all of them are in one
 * region. len may be 0. Any thread that may read the map.
 */
static inline uint8_t *
guest_mem_at(const struct guest_mem *m, uint64_t gpa, uint64_t len)
{
	const struct guest_region *r;
	uint64_t off;

	for (r = m->region; r < m->region + m->n; r++) {
		off = gpa - r->gpa; /* wraps to a huge value below the region */
		if (likely(off < r->size && len <= r->size - off))
			return r->host + off;
	}
	return NULL;
}

/*
 * Returns a pointer to the bytes at `gpa` that are in one region: as many as *len asks for, or
 * fewer; *len is set to their number. Returns NULL if there is not one. A caller that wants more
 * continues after them, perhaps in the next region.
 */
static inline uint8_t *
guest_mem_part(const struct guest_mem *m, uint64_t gpa, uint32_t *len)
{
	const struct guest_region *r;
	uint64_t off;

	for (r = m->region; r < m->region + m->n; r++) {
		off = gpa - r->gpa;
		if (off < r->size) {
			if (*len > r->size - off)
				*len = r->size - off;
			return r->host + off;
		}
	}
	return NULL;
}

/*
 * Finds the guest-physical address of the byte at `p`; *left gets the number of bytes from there to
 * the end of its region. Returns false if it is in no region.
 */
static inline bool
guest_mem_address(const struct guest_mem *m, const void *p, uint64_t *gpa, uint64_t *left)
{
	const struct guest_region *r;
	uint64_t off;

	for (r = m->region; r < m->region + m->n; r++) {
		off = (uintptr_t)p - (uintptr_t)r->host;
		if (likely(off < r->size)) {
			*gpa = r->gpa + off;
			*left = r->size - off;
			return true;
		}
	}
	return false;
}

/* Returns true if `len` bytes at pointer `p` are within one region. */
static inline bool
guest_mem_holds(const struct guest_mem *m, const void *p, uint64_t len)
{
	uint64_t gpa, left;

	return guest_mem_address(m, p, &gpa, &left) && len <= left;
}

/*
 * Fills the map from librte_vhost's table of a device, with the largest region first (most buffers
 * are there). Regions past GUEST_REGIONS, empty ones and ones that wrap around are left out:
 * addresses in them are then invalid.
 */
void guest_mem_set(struct guest_mem *m, const struct rte_vhost_memory *table);

/* Sets the log; size 0: there is none. */
void guest_mem_set_log(struct guest_mem *m, uint8_t *log, uint64_t size);

/*
 * Forgets memory and log, which librte_vhost is about to unmap: other mappings may be there soon.
 */
void guest_mem_forget(struct guest_mem *m);

enum guest_mem_look {
	GUEST_MEM_NONE,
	GUEST_MEM_FOUND,
	GUEST_MEM_CHANGES, /* the map is being written: look again */
};

/* Finds the mapping, or the log, that contains the byte at `p`. Any thread, also in a signal handler. */
enum guest_mem_look
guest_mem_mapping(const struct guest_mem *m, const void *p, struct guest_mapping *found);

#endif /* GUEST_MEMORY_H */
