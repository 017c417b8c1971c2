/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Guest memory. See mem.h. */
#define _GNU_SOURCE
#include "mem.h"

#include <errno.h>
#include <linux/memfd.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define REGION_SIZE_DEFAULT (8UL << 20)

static size_t
round_up(size_t value, size_t align)
{
	return (value + align - 1) & ~(align - 1);
}

/* Maps `r->size` bytes at r->fd_offset of a new file; r->size and the rest are filled in. */
static int
region_map(struct vu_region *r, bool huge)
{
	unsigned flags = MFD_CLOEXEC | (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0);
	size_t page = huge ? VU_HUGE_PAGE : (size_t)sysconf(_SC_PAGESIZE);
	size_t offset = round_up(r->fd_offset, page);
	size_t size = round_up(r->size, page);
	void *base;
	int err;

	r->fd = memfd_create("guest-memory", flags);
	if (r->fd < 0)
		return -errno;
	if (ftruncate(r->fd, (off_t)(offset + size)) < 0)
		goto fail;
	/* MAP_POPULATE would only warn of missing huge pages by SIGBUS later: mmap reserves them. */
	base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, (off_t)offset);
	if (base == MAP_FAILED)
		goto fail;
	r->base = base;
	r->size = size;
	r->fd_offset = offset;
	r->huge = huge;
	return 0;
fail:
	err = -errno;
	close(r->fd);
	return err;
}

int
vu_mem_add(struct vu_mem *mem, uint64_t gpa, size_t size, size_t fd_offset, bool hugetlb)
{
	struct vu_region r = {.gpa = gpa, .size = size, .fd_offset = fd_offset};
	int err = -1;

	if (mem->n == VU_REGIONS_MAX || size == 0)
		return -EINVAL;
	if (hugetlb)
		err = region_map(&r, true);
	if (err < 0)
		err = region_map(&r, false);
	if (err < 0)
		return err;
	mem->region[mem->n] = r;
	return (int)mem->n++;
}

int
vu_mem_create(struct vu_mem *mem, const struct vu_mem_opts *opts)
{
	unsigned n = opts->n_regions > 0 ? opts->n_regions : 1;
	size_t size = opts->region_size > 0 ? opts->region_size : REGION_SIZE_DEFAULT;
	uint64_t gpa = opts->gpa;
	int r;

	memset(mem, 0, sizeof(*mem));
	for (unsigned i = 0; i < n; i++) {
		r = vu_mem_add(mem, gpa, size, opts->fd_offset, opts->hugetlb);
		if (r < 0) {
			vu_mem_destroy(mem);
			return r;
		}
		mem->region[r].used = opts->skew;
		gpa += mem->region[r].size + opts->gpa_gap;
	}
	return 0;
}

void
vu_mem_remove(struct vu_mem *mem, unsigned region)
{
	struct vu_region *r = &mem->region[region];

	munmap(r->base, r->size);
	close(r->fd);
	mem->n--;
	memmove(r, r + 1, (mem->n - region) * sizeof(*r));
}

int
vu_mem_copy(struct vu_mem *mem, unsigned region)
{
	struct vu_region *r = &mem->region[region];
	struct vu_region copy = {.size = r->size, .fd_offset = r->fd_offset};
	int err = region_map(&copy, r->huge);
	void *at;

	if (err < 0)
		return err;
	memcpy(copy.base, r->base, r->size);
	at = mremap(copy.base, r->size, r->size, MREMAP_MAYMOVE | MREMAP_FIXED, r->base);
	if (at == MAP_FAILED) {
		err = -errno;
		munmap(copy.base, copy.size);
		close(copy.fd);
		return err;
	}
	r->fd = copy.fd;
	return 0;
}

void
vu_mem_destroy(struct vu_mem *mem)
{
	while (mem->n > 0)
		vu_mem_remove(mem, mem->n - 1);
}

bool
vu_mem_huge(const struct vu_mem *mem)
{
	for (unsigned i = 0; i < mem->n; i++)
		if (!mem->region[i].huge)
			return false;
	return mem->n > 0;
}

void *
vu_mem_alloc(struct vu_mem *mem, unsigned region, size_t size, size_t align)
{
	struct vu_region *r = &mem->region[region];
	size_t start = round_up(r->used, align);

	if (region >= mem->n || start > r->size || size > r->size - start)
		return NULL;
	r->used = start + size;
	return memset(r->base + start, 0, size);
}

uint64_t
vu_mem_gpa(const struct vu_mem *mem, const void *ptr)
{
	const uint8_t *p = ptr;

	for (unsigned i = 0; i < mem->n; i++) {
		const struct vu_region *r = &mem->region[i];

		if (p >= r->base && p < r->base + r->size)
			return r->gpa + (uint64_t)(p - r->base);
	}
	return UINT64_MAX;
}

void *
vu_mem_ptr(const struct vu_mem *mem, uint64_t gpa, size_t len)
{
	for (unsigned i = 0; i < mem->n; i++) {
		const struct vu_region *r = &mem->region[i];

		if (gpa >= r->gpa && gpa - r->gpa < r->size && len <= r->size - (gpa - r->gpa))
			return r->base + (gpa - r->gpa);
	}
	return NULL;
}

struct vu_msg
vu_mem_table_msg(const struct vu_mem *mem)
{
	struct vu_msg msg = vu_msg_new(VU_SET_MEM_TABLE);
	unsigned n = mem->n < VU_TABLE_REGIONS_MAX ? mem->n : VU_TABLE_REGIONS_MAX;

	for (unsigned i = 0; i < n; i++) {
		const struct vu_region *r = &mem->region[i];

		msg.payload.mem.region[i] = (struct vu_table_region){
				.gpa = r->gpa,
				.size = r->size,
				.uva = (uint64_t)(uintptr_t)r->base,
				.mmap_offset = r->fd_offset,
		};
		msg.fd[i] = r->fd;
	}
	msg.payload.mem.n_regions = n;
	msg.n_fds = (int)n;
	msg.size = (uint32_t)(offsetof(struct vu_mem_table, region) +
			n * sizeof(struct vu_table_region));
	return msg;
}
