/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Memory tables that a client of a vhost-net node may not set; and functions that all hostile cases use. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hostile.h"

int
owned(const char *node)
{
	int fd = open(node, O_RDWR | O_CLOEXEC);

	CHECK(fd >= 0);
	CHECK_IS(vhostnet_ioctl(fd, VHOST_SET_OWNER, NULL), 0);
	return fd;
}

void
refused(int ret, const char *what, unsigned row)
{
	switch (ret) {
	case -EBADF:
	case -EFAULT:
	case -EINVAL:
	case -ENOBUFS:
	case -ENXIO:
	case -EACCES:
	case -E2BIG:
	case -EOPNOTSUPP:
	case -EMEDIUMTYPE: /* a file that its owner could withhold */
		return;
	}
	printf("# %s, row %u: %d (%s)\n", what, row, ret, ret < 0 ? strerrorname_np(-ret) : "");
	exit(1);
}

uint8_t *
shared(unsigned pages, int *file)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC);
	void *at;

	CHECK(fd >= 0 && ftruncate(fd, (off_t)(pages * PAGE)) == 0);
	at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(at != MAP_FAILED);
	if (file != NULL)
		*file = fd;
	return at;
}

static int
set_table(int fd, const struct table *t)
{
	return vhostnet_ioctl(fd, VHOST_SET_MEM_TABLE, t);
}

static void
name_mapping(struct vhost_memory_region *r, void *at, unsigned pages)
{
	CHECK(at != MAP_FAILED);
	r->userspace_addr = (uintptr_t)at;
	r->memory_size = pages * PAGE;
}

/* Rows 11 to 14 of bend(): has the region name a mapping of a file that must not be taken. */
static void
bend_file(struct vhost_memory_region *r, unsigned row)
{
	int file = open("/etc/passwd", O_RDONLY), own;
	void *at;

	switch (row) {
	case 11: /* a file that it may only read */
		name_mapping(r, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0), 1);
		break;
	case 12: /* the same, privately writable */
		name_mapping(r, mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0), 1);
		break;
	case 13: /* a file that ends before its mapping */
		CHECK((at = shared(4, &own)) != NULL && ftruncate(own, PAGE) == 0);
		name_mapping(r, at, 4);
		break;
	case 14: /* a device */
		at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, open("/dev/mem", O_RDWR),
				0xb8000);
		name_mapping(r, at, 1);
		break;
	}
	close(file);
}

/* Makes a table that must be refused of one whose region[0] is good. */
static void
bend(struct table *t, unsigned row, uint8_t *good)
{
	struct vhost_memory_region *r = t->region;

	switch (row) {
	case 0:
		t->head.nregions = REGIONS + 1;
		break;
	case 1:
		t->head.nregions = UINT32_MAX;
		break;
	case 2:
		t->head.padding = 1;
		break;
	case 3:
		t->head.nregions = 0;
		break;
	case 4: /* there is nothing */
		r->userspace_addr = 0;
		break;
	case 5:
		CHECK(munmap(good + PAGE, PAGE) == 0);
		break;
	case 6:
		r->memory_size = 1UL << 40;
		break;
	case 7: /* it ends past the last address */
		r->memory_size = UINT64_MAX - r->userspace_addr + 2;
		break;
	case 8:
		r->guest_phys_addr = UINT64_MAX - PAGE + 1;
		break;
	case 9:
		r->userspace_addr = UINT64_MAX - PAGE + 1;
		break;
	case 10: /* its stack, which nobody else can map */
		name_mapping(r, (void *)((uintptr_t)t & ~(PAGE - 1)), 1);
		break;
	case 15: /* two at one guest address */
		t->head.nregions = 2;
		r[1] = r[0];
		r[1].userspace_addr = (uintptr_t)shared(4, NULL);
		break;
	default:
		bend_file(r, row);
	}
}
#define TABLES 16

void
memory_tables(const char *node)
{
	for (unsigned row = 0; row < TABLES; row++) {
		struct table t = {.head.nregions = 1};
		uint8_t *good = shared(4, NULL);
		int fd = owned(node);

		t.region[0].userspace_addr = (uintptr_t)good;
		t.region[0].memory_size = 4 * PAGE;
		CHECK_IS(set_table(fd, &t), 0);
		bend(&t, row, good);
		refused(set_table(fd, &t), "table", row);
		close(fd);
	}
}

/* Sets more regions than are allowed, even after joining, and exactly as many. */
void
many_pieces(const char *node)
{
	struct table t = {.head.nregions = REGIONS};
	uint8_t *whole = shared(REGIONS, NULL);
	int fd = owned(node);

	for (unsigned i = 0; i < REGIONS; i++) {
		t.region[i].userspace_addr = (uintptr_t)(whole + i * PAGE);
		t.region[i].guest_phys_addr = i * PAGE;
		t.region[i].memory_size = PAGE;
	}
	CHECK_IS(set_table(fd, &t), 0); /* they join to one */
	for (unsigned i = 0; i < REGIONS; i++)
		t.region[i].guest_phys_addr = 2 * i * PAGE;
	t.head.nregions = 8;
	CHECK_IS(set_table(fd, &t), 0);
	t.head.nregions = 9;
	CHECK_IS(set_table(fd, &t), -E2BIG);
}
