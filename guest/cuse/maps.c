/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Reads maps and finds regions in them: see maps.h for the contract. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <linux/vhost_types.h>

#include "guest/cuse/maps.h"

/* Reads one line. After the columns that matter comes a path, which may contain anything. */
static bool
maps_parse_line(const char *line, struct mapping *m)
{
	char perms[5];

	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %" SCNx32 ":%" SCNx32 " %" SCNu64,
			    &m->start, &m->end, perms, &m->offset, &m->major, &m->minor,
			    &m->inode) != 7 ||
			m->start >= m->end || strlen(perms) != 4)
		return false;
	m->shared = perms[0] == 'r' && perms[1] == 'w' && perms[3] == 's' && m->inode != 0;
	return true;
}

static bool
maps_append(struct maps *maps, size_t *room, const struct mapping *m)
{
	struct mapping *more;

	if (maps->n == *room) {
		*room = *room == 0 ? 256 : *room * 2;
		more = realloc(maps->m, *room * sizeof(*more));
		if (more == NULL)
			return false;
		maps->m = more;
	}
	maps->m[maps->n++] = *m;
	return true;
}

bool
maps_read(FILE *f, struct maps *maps)
{
	size_t room = 0, line_room = 0;
	char *line = NULL;
	struct mapping m;
	bool ok = true;

	memset(maps, 0, sizeof(*maps));
	while (ok && getline(&line, &line_room, f) >= 0)
		ok = maps_parse_line(line, &m) && maps_append(maps, &room, &m);
	ok = ok && !ferror(f) && maps->n > 0;
	free(line);
	if (!ok)
		maps_free(maps);
	return ok;
}

void
maps_free(struct maps *maps)
{
	free(maps->m);
	memset(maps, 0, sizeof(*maps));
}

static int
maps_compare_address(const void *key, const void *element)
{
	uint64_t addr = *(const uint64_t *)key;
	const struct mapping *m = element;

	return addr < m->start ? -1 : addr >= m->end;
}

const struct mapping *
maps_at(const struct maps *maps, uint64_t addr)
{
	return bsearch(&addr, maps->m, maps->n, sizeof(*maps->m), maps_compare_address);
}

bool
maps_same_file(const struct mapping *a, const struct mapping *b)
{
	return a->inode == b->inode && a->major == b->major && a->minor == b->minor;
}

/* Returns true if extent b continues where a ends, in guest memory, process and file. */
static bool
maps_goes_on(const struct extent *a, const struct extent *b)
{
	return a->gpa + a->size == b->gpa && a->user_addr + a->size == b->user_addr &&
			a->offset + a->size == b->offset && maps_same_file(&a->first, &b->first);
}

static int
maps_add_extent(struct extent *extent, unsigned int *found, const struct extent *p)
{
	if (*found > 0 && maps_goes_on(&extent[*found - 1], p)) {
		extent[*found - 1].size += p->size;
		return 0;
	}
	if (*found == GUEST_REGIONS)
		return -E2BIG;
	extent[(*found)++] = *p;
	return 0;
}

/* Adds the extents of one region: a hugetlbfs mapping may have one line a page. */
static int
maps_find_region(const struct maps *maps, const struct vhost_memory_region *r,
		struct extent *extent, unsigned int *found)
{
	uint64_t addr = r->userspace_addr, end = addr + r->memory_size;
	const struct mapping *m;
	struct extent p;
	int rc = 0;

	/* The end of a region at the end of the address space would be 0. */
	if (end < addr || r->guest_phys_addr + r->memory_size < r->guest_phys_addr)
		return -EFAULT;
	for (; addr < end && rc == 0; addr += p.size) {
		m = maps_at(maps, addr);
		if (m == NULL)
			return -EFAULT;
		p.gpa = r->guest_phys_addr + (addr - r->userspace_addr);
		p.size = (end < m->end ? end : m->end) - addr;
		p.user_addr = addr;
		p.offset = m->offset + (addr - m->start);
		p.first = *m;
		if (m->shared)
			rc = maps_add_extent(extent, found, &p);
	}
	return rc;
}

static int
maps_compare_gpa(const void *a, const void *b)
{
	const struct vhost_memory_region *x = a, *y = b;

	return x->guest_phys_addr < y->guest_phys_addr ? -1
						       : x->guest_phys_addr > y->guest_phys_addr;
}

int
maps_find(const struct maps *maps, struct vhost_memory_region *region, unsigned int n,
		struct extent *extent, unsigned int *found)
{
	unsigned int i;
	int rc;

	*found = 0;
	qsort(region, n, sizeof(*region), maps_compare_gpa);
	for (i = 0; i < n; i++) {
		if (i > 0 &&
				region[i].guest_phys_addr - region[i - 1].guest_phys_addr <
						region[i - 1].memory_size)
			return -EINVAL;
		rc = maps_find_region(maps, &region[i], extent, found);
		if (rc != 0)
			return rc;
	}
	return *found == 0 ? -ENXIO : 0;
}
