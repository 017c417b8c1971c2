/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What every unit test needs: see unit.h. */
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_eal.h>

#include "base/log.h"
#include "base/simd.h"
#include "unit.h"

/* A CPU that this process may use: a container need not have CPU 0. */
static unsigned int
some_cpu(void)
{
	cpu_set_t set;
	unsigned int i;

	assert_int_equal(sched_getaffinity(0, sizeof(set), &set), 0);
	for (i = 0; !CPU_ISSET(i, &set); i++)
		;
	return i;
}

int
unit_eal(void **state)
{
	static char prefix[32], lcores[32];
	static char *argv[] = {
			"unit",
			"--no-huge",
			"-m",
			"128",
			"--no-shconf",
			"--no-pci",
			"--no-telemetry",
			"--log-level",
			"error",
			"--file-prefix",
			prefix,
			"--lcores",
			lcores,
			NULL,
	};

	RTE_SET_USED(state);
	snprintf(prefix, sizeof(prefix), "unit%d", (int)getpid());
	snprintf(lcores, sizeof(lcores), "0@%u", some_cpu());
	assert_true(log_init());
	return rte_eal_init(RTE_DIM(argv) - 1, argv) >= 0 ? 0 : -1;
}

int
unit_eal_end(void **state)
{
	char folder[200];

	RTE_SET_USED(state);
	snprintf(folder, sizeof(folder), "%s", rte_eal_get_runtime_dir());
	if (rte_eal_cleanup() != 0)
		return -1;
	return rmdir(folder); /* EAL leaves it behind; it must be empty */
}

void
unit_lacks(const char *what)
{
	print_message("# skip: this machine has no %s\n", what);
	skip();
}

void
capture_begin(struct capture *c, int fd)
{
	fflush(stdout);
	c->fd = fd;
	c->before = dup(fd);
	c->file = memfd_create("capture", MFD_CLOEXEC);
	assert_true(c->before >= 0 && c->file >= 0);
	assert_int_equal(dup2(c->file, fd), fd);
}

char *
capture_end(struct capture *c)
{
	off_t size;
	char *text;

	fflush(stdout);
	dup2(c->before, c->fd);
	size = lseek(c->file, 0, SEEK_END);
	text = calloc(1, size + 1);
	assert_non_null(text);
	assert_int_equal(pread(c->file, text, size, 0), size);
	close(c->before);
	close(c->file);
	return text;
}

void *
unit_zalloc(size_t size)
{
	void *p = aligned_alloc(RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(size, RTE_CACHE_LINE_SIZE));

	assert_non_null(p);
	return memset(p, 0, size);
}

static bool plain; /* set in the child of unit_both() */

bool
unit_avx2(void)
{
#if defined(SIMD_AVX2) && !defined(__SANITIZE_THREAD__)
	return !plain && __builtin_cpu_supports("avx2");
#else
	return false;
#endif
}

void
unit_both(void)
{
	pid_t child;
	int status = 0;

	if (!unit_avx2())
		return;
	child = fork();
	plain = child == 0;
	if (plain)
		return;
	if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
		exit(EXIT_FAILURE);
}
