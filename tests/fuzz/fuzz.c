/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* libFuzzer's entry points: see fuzz.h. */
#include <stdio.h>

#include <rte_common.h>
#include <rte_log.h>

#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* What was freed is kept apart for a while: by default 256 MiB of it. */
const char *
__asan_default_options(void)
{
	return "quarantine_size_mb=16";
}

size_t
fuzz_take(struct input *in, void *to, size_t n)
{
	size_t got = RTE_MIN(n, in->left);

	memcpy(to, in->at, got);
	memset((uint8_t *)to + got, 0, n - got);
	in->at += got;
	in->left -= got;
	return got;
}

void *
fuzz_exact(size_t size)
{
	void *p;

	assert_int_equal(posix_memalign(&p, 64, size), 0);
	return memset(p, 0, size);
}

static void
end_eal(void)
{
	unit_eal_end(NULL);
}

void
fuzz_eal(void)
{
	FILE *nowhere = fopen("/dev/null", "we");

	assert_non_null(nowhere);
	assert_int_equal(unit_eal(NULL), 0);
	rte_openlog_stream(nowhere);
	atexit(end_eal);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	RTE_SET_USED(argc);
	RTE_SET_USED(argv);
	/* An assertion outside of cmocka's own tests then aborts, which libFuzzer sees. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	fuzz_setup();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};

	fuzz_one(&in);
	return 0;
}
