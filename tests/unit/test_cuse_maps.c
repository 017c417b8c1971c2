/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Memory regions in the text of /proc/<pid>/maps: which files and parts, and joining. */
#include <errno.h>
#include <stdio.h>

#include <linux/vhost_types.h>

#include <rte_common.h>

#include "guest/cuse/maps.h"
#include "unit.h"

#define PAGE 0x1000u
#define HUGE 0x200000u
#define A UINT64_C(0x7f0000000000) /* where the lines below begin */

static struct extent extent[GUEST_REGIONS];
static unsigned int found;

static bool
read_text(const char *text, size_t len, struct maps *maps)
{
	FILE *f = fmemopen((void *)(uintptr_t)text, len, "r");
	bool ok;

	assert_non_null(f);
	ok = maps_read(f, maps);
	fclose(f);
	return ok;
}

/* Finds regions in a text; the extents are in `extent`. */
static int
find(const char *text, const struct vhost_memory_region *r, unsigned int n)
{
	struct vhost_memory_region copy[64];
	struct maps maps;
	int rc;

	assert_true(n <= RTE_DIM(copy));
	memcpy(copy, r, n * sizeof(*r));
	memset(extent, 0xa5, sizeof(extent));
	assert_true(read_text(text, strlen(text), &maps));
	rc = maps_find(&maps, copy, n, extent, &found);
	maps_free(&maps);
	return rc;
}

static int
find_one(const char *text, uint64_t gpa, uint64_t addr, uint64_t size)
{
	const struct vhost_memory_region r = {gpa, size, addr, 0};

	return find(text, &r, 1);
}

static void
is_frag(unsigned int i, uint64_t gpa, uint64_t addr, uint64_t size, uint64_t offset, uint64_t inode)
{
	assert_true(i < found);
	assert_int_equal(extent[i].gpa, gpa);
	assert_int_equal(extent[i].user_addr, addr);
	assert_int_equal(extent[i].size, size);
	assert_int_equal(extent[i].offset, offset);
	assert_int_equal(extent[i].first.inode, inode);
}

static void
test_columns(void **state)
{
	static const char text[] =
			"00400000-00401000 r-xp 00002000 fd:01 42                         /usr/bin/x\n"
			"7f0000000000-7f0000001000 rw-s 00003000 00:1a 18446744073709551615 /a b (deleted)\n"
			"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0          [vsyscall]\n";
	struct maps maps;

	RTE_SET_USED(state);
	assert_true(read_text(text, strlen(text), &maps));
	assert_int_equal(maps.n, 3);
	assert_int_equal(maps.m[0].start, 0x400000);
	assert_int_equal(maps.m[0].end, 0x401000);
	assert_int_equal(maps.m[0].offset, 0x2000);
	assert_int_equal(maps.m[0].major, 0xfd);
	assert_int_equal(maps.m[0].minor, 1);
	assert_int_equal(maps.m[0].inode, 42);
	assert_false(maps.m[0].shared);
	assert_true(maps.m[1].shared);
	assert_int_equal(maps.m[1].minor, 0x1a);
	assert_int_equal(maps.m[1].inode, UINT64_MAX);
	assert_int_equal(maps.m[2].start, UINT64_C(0xffffffffff600000));
	assert_ptr_equal(maps_at(&maps, 0x400000), &maps.m[0]);
	assert_ptr_equal(maps_at(&maps, 0x400fff), &maps.m[0]);
	assert_null(maps_at(&maps, 0x3fffff));
	assert_null(maps_at(&maps, 0x401000));
	assert_null(maps_at(&maps, UINT64_MAX));
	assert_false(maps_same_file(&maps.m[0], &maps.m[1]));
	assert_true(maps_same_file(&maps.m[1], &maps.m[1]));
	maps_free(&maps);
}

static void
test_no_maps(void **state)
{
	static const char *const wrong[] = {
			"\n",
			"nonsense\n",
			"7f0000000000-7f0000001000\n",
			"7f0000001000-7f0000000000 rw-s 00000000 00:01 7 /x\n",
			"7f0000000000-7f0000001000 rw 00000000 00:01 7 /x\n",
			"7f0000000000-7f0000001000 rw-s 00000000 00:01 7 /x\nand then\n",
	};
	struct maps maps;
	size_t i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(wrong); i++)
		assert_false(read_text(wrong[i], strlen(wrong[i]), &maps));
}

/* More lines than a first guess has room for, and a path longer than any buffer. */
static void
test_long(void **state)
{
	struct maps maps;
	char *text = NULL;
	size_t len, i;
	FILE *f = open_memstream(&text, &len);

	RTE_SET_USED(state);
	for (i = 0; i < 3000; i++)
		fprintf(f, "%zx-%zx rw-s %08zx 00:01 7 /%0*d\n", 0x10000 + i * PAGE,
				0x11000 + i * PAGE, i * PAGE, i == 1234 ? 9000 : 1, 0);
	fclose(f);
	assert_true(read_text(text, len, &maps));
	assert_int_equal(maps.n, 3000);
	assert_int_equal(maps_at(&maps, 0x10000 + 2999 * PAGE)->offset, 2999 * PAGE);
	maps_free(&maps);
	assert_int_equal(find_one(text, 0, 0x10000, 3000 * PAGE), 0);
	assert_int_equal(found, 1);
	is_frag(0, 0, 0x10000, 3000 * PAGE, 0, 7);
	free(text);
}

/* A region anywhere in a file that is mapped from anywhere. */
static void
test_offset(void **state)
{
	static const char text[] = "7f0000000000-7f0000010000 rw-s 00100000 00:01 7 /dev/shm/x\n";

	RTE_SET_USED(state);
	assert_int_equal(find_one(text, 0x40000, A, 0x10000), 0);
	assert_int_equal(found, 1);
	is_frag(0, 0x40000, A, 0x10000, 0x100000, 7);
	assert_int_equal(find_one(text, 0x40000, A + 0x3000, 0x2000), 0);
	is_frag(0, 0x40000, A + 0x3000, 0x2000, 0x103000, 7);
	assert_int_equal(find_one(text, 0x40000, A + 0xffff, 1), 0);
	is_frag(0, 0x40000, A + 0xffff, 1, 0x10ffff, 7);
	/* Before its start, past its end, around both. */
	assert_int_equal(find_one(text, 0, A - 1, 1), -EFAULT);
	assert_int_equal(find_one(text, 0, A - 1, 2), -EFAULT);
	assert_int_equal(find_one(text, 0, A + 0xffff, 2), -EFAULT);
	assert_int_equal(find_one(text, 0, A + 0x10000, 1), -EFAULT);
	assert_int_equal(find_one(text, 0, 0x1000, 0x1000), -EFAULT);
}

/* hugetlbfs has a line for each page: one extent, unless file or offset jump. */
static void
test_pages(void **state)
{
	static const char text[] =
			"7f0000000000-7f0000200000 rw-s 00000000 00:2a 70 /dev/hugepages/a b\n"
			"7f0000200000-7f0000400000 rw-s 00200000 00:2a 70 /dev/hugepages/a b\n"
			"7f0000400000-7f0000600000 rw-s 00400000 00:2a 70 /dev/hugepages/a b (deleted)\n"
			"7f0000600000-7f0000800000 rw-s 00800000 00:2a 70 /dev/hugepages/a\\012b\n"
			"7f0000800000-7f0000a00000 rw-s 00a00000 00:2a 71 /dev/hugepages/c\n"
			"7f0000a00000-7f0000c00000 rw-s 00c00000 00:2b 71 /dev/hugepages/c\n";

	RTE_SET_USED(state);
	assert_int_equal(find_one(text, 0x1000, A, 6 * HUGE), 0);
	assert_int_equal(found, 4);
	is_frag(0, 0x1000, A, 3 * HUGE, 0, 70);
	is_frag(1, 0x1000 + 3 * HUGE, A + 3 * HUGE, HUGE, 0x800000, 70);
	is_frag(2, 0x1000 + 4 * HUGE, A + 4 * HUGE, HUGE, 0xa00000, 71);
	is_frag(3, 0x1000 + 5 * HUGE, A + 5 * HUGE, HUGE, 0xc00000, 71);
	assert_int_equal(extent[3].first.minor, 0x2b);
	/* The mapping to open the file by is that of the first page. */
	assert_int_equal(extent[0].first.start, A);
	assert_int_equal(extent[0].first.end, A + HUGE);
	/* From within one page into another. */
	assert_int_equal(find_one(text, 0, A + HUGE + 5, 2 * HUGE - 5), 0);
	assert_int_equal(found, 1);
	is_frag(0, 0, A + HUGE + 5, 2 * HUGE - 5, HUGE + 5, 70);
}

/* A table's regions are joined too, in whatever order they come. */
static void
test_joined_regions(void **state)
{
	static const char text[] =
			"7f0000000000-7f0000100000 rw-s 00000000 00:01 7 /memfd:ram (deleted)\n";
	const struct vhost_memory_region split
			[] =
					{
							{0x30000, 0x10000, A + 0x30000, 0},
							{0x00000, 0x10000, A + 0x00000, 0},
							{0x20000, 0x10000, A + 0x20000, 0},
							{0x10000, 0x10000, A + 0x10000, 0},
					},
		   apart[] = {
				   /* The hole of a PC; what is contiguous for the guest alone; for the process alone. */
				   {0x00000, 0xa000, A, 0},
				   {0xc0000, 0x1000, A + 0xc000, 0},
				   {0xc1000, 0x1000, A + 0xe000, 0},
				   {0xd0000, 0x1000, A + 0xf000, 0},
		   };

	RTE_SET_USED(state);
	assert_int_equal(find(text, split, 4), 0);
	assert_int_equal(found, 1);
	is_frag(0, 0, A, 0x40000, 0, 7);
	assert_int_equal(find(text, apart, 4), 0);
	assert_int_equal(found, 4);
	is_frag(0, 0, A, 0xa000, 0, 7);
	is_frag(2, 0xc1000, A + 0xe000, 0x1000, 0xe000, 7);
}

static void
test_too_many(void **state)
{
	static const char text[] =
			"7f0000000000-7f0000100000 rw-s 00000000 00:01 7 /memfd:ram (deleted)\n";
	struct vhost_memory_region r[64];
	unsigned int i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(r); i++)
		r[i] = (struct vhost_memory_region){i * 0x2000, 0x1000, A + i * 0x2000, 0};
	assert_int_equal(find(text, r, GUEST_REGIONS), 0);
	assert_int_equal(found, GUEST_REGIONS);
	assert_int_equal(find(text, r, GUEST_REGIONS + 1), -E2BIG);
	assert_int_equal(find(text, r, RTE_DIM(r)), -E2BIG);
	/* As many regions, but all of them join. */
	for (i = 0; i < RTE_DIM(r); i++)
		r[i] = (struct vhost_memory_region){i * 0x1000, 0x1000, A + i * 0x1000, 0};
	assert_int_equal(find(text, r, RTE_DIM(r)), 0);
	assert_int_equal(found, 1);
	is_frag(0, 0, A, RTE_DIM(r) * 0x1000, 0, 7);
}

/* Private memory and what may not be written can't be shared, and are left out. */
static void
test_not_shared(void **state)
{
	static const char text[] = "7f0000000000-7f0000001000 rw-s 00000000 00:01 7 /x\n"
				   "7f0000001000-7f0000002000 rw-p 00001000 00:01 7 /x\n"
				   "7f0000002000-7f0000003000 ---p 00000000 00:00 0 \n"
				   "7f0000003000-7f0000004000 r--s 00003000 00:01 7 /x\n"
				   "7f0000004000-7f0000005000 ---s 00004000 00:01 7 /x\n"
				   "7f0000005000-7f0000006000 -w-s 00005000 00:01 7 /x\n"
				   "7f0000006000-7f0000007000 rw-p 00000000 00:00 0 [heap]\n"
				   "7f0000007000-7f0000008000 rw-s 00000000 00:00 0 [odd]\n"
				   "7f0000008000-7f0000009000 rwxs 00008000 00:01 7 /x\n";
	const struct vhost_memory_region none = {0};
	uint64_t page;

	RTE_SET_USED(state);
	for (page = 1; page < 8; page++)
		assert_int_equal(find_one(text, 0, A + page * PAGE, PAGE), -ENXIO);
	assert_int_equal(find_one(text, 0x10000, A, 9 * PAGE), 0);
	assert_int_equal(found, 2);
	is_frag(0, 0x10000, A, PAGE, 0, 7);
	is_frag(1, 0x10000 + 8 * PAGE, A + 8 * PAGE, PAGE, 8 * PAGE, 7);
	assert_int_equal(find(text, &none, 0), -ENXIO);
	assert_int_equal(find_one(text, 0, A, 0), -ENXIO);
	/* One good region does not excuse one that is missing. */
	assert_int_equal(find(text,
					 (const struct vhost_memory_region[]){{0, PAGE, A, 0},
							 {PAGE, PAGE, A + 100 * PAGE, 0}},
					 2),
			-EFAULT);
}

/* One guest address can't be in two places. */
static void
test_overlapping(void **state)
{
	static const char text[] =
			"7f0000000000-7f0000100000 rw-s 00000000 00:01 7 /memfd:ram (deleted)\n";
	struct vhost_memory_region r[] = {
			{0x2000, 0x1000, A + 0x8000, 0},
			{0x0000, 0x2000, A, 0},
	};

	RTE_SET_USED(state);
	assert_int_equal(find(text, r, 2), 0);
	assert_int_equal(found, 2);
	r[0].guest_phys_addr = 0x1fff;
	assert_int_equal(find(text, r, 2), -EINVAL);
	r[0].guest_phys_addr = 0;
	assert_int_equal(find(text, r, 2), -EINVAL);
}

static void
test_wrapped(void **state)
{
	static const char text[] = "00001000-fffffffffffff000 rw-s 00000000 00:01 7 /x\n";

	RTE_SET_USED(state);
	assert_int_equal(find_one(text, 0, 0x1000, UINT64_MAX), -EFAULT);
	assert_int_equal(find_one(text, 0, UINT64_MAX, 2), -EFAULT);
	assert_int_equal(find_one(text, UINT64_MAX, 0x1000, 2), -EFAULT);
	assert_int_equal(find_one(text, 0, 0x1000, UINT64_MAX - 0x1000), -EFAULT);
	assert_int_equal(find_one(text, UINT64_MAX - 0x2000, 0x1000, 0x1000), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_columns),
			cmocka_unit_test(test_no_maps),
			cmocka_unit_test(test_long),
			cmocka_unit_test(test_offset),
			cmocka_unit_test(test_pages),
			cmocka_unit_test(test_joined_regions),
			cmocka_unit_test(test_too_many),
			cmocka_unit_test(test_not_shared),
			cmocka_unit_test(test_overlapping),
			cmocka_unit_test(test_wrapped),
	};

	return cmocka_run_group_tests_name("cuse_maps", tests, NULL, NULL);
}
