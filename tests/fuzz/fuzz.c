/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* libFuzzer's entry points: see fuzz.h. */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_log.h>
#include <rte_memory.h>
#include <sanitizer/lsan_interface.h>

#include "fuzz.h"
#include "sums.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__asan_default_options(void);

/* ASan keeps freed memory in quarantine, by default 256 MiB of it. */
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

/*
 * LeakSanitizer does not know rte_malloc()'s memory, from where pointers lead to what is in use. It is
 * told in fragments as large as can be, because it looks for each in all of the process's mappings.
 */
static int
add_root(const struct rte_memseg_list *list, const struct rte_memseg *m, size_t len, void *arg)
{
	RTE_SET_USED(list);
	RTE_SET_USED(arg);
	__lsan_register_root_region(m->addr, len);
	return 0;
}

void
fuzz_eal(void)
{
	FILE *nowhere = fopen("/dev/null", "we");
	cpu_set_t cpus;

	assert_non_null(nowhere);
	assert_int_equal(sched_getaffinity(0, sizeof(cpus), &cpus), 0);
	assert_int_equal(unit_eal(NULL), 0);
	/* EAL has bound this thread to one CPU, which several targets would then share. */
	assert_int_equal(sched_setaffinity(0, sizeof(cpus), &cpus), 0);
	rte_memseg_contig_walk(add_root, NULL);
	rte_openlog_stream(nowhere);
	atexit(end_eal);
}

/*
 * An input may take so many seconds of CPU time, which is thousands of times what any takes,
 * however busy the machine is. libFuzzer's -timeout is for inputs that wait.
 */
#define CPU_SECONDS 20

static void
too_long(int sig)
{
	static const char text[] = "fuzz: this input takes too much CPU time\n";

	RTE_SET_USED(sig);
	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		_exit(1);
	abort();
}

static void
set_limit(time_t seconds)
{
	const struct itimerval t = {.it_value.tv_sec = seconds};

	setitimer(ITIMER_VIRTUAL, &t, NULL);
}

int
LLVMFuzzerInitialize(int *argc, char ***argv)
{
	RTE_SET_USED(argc);
	RTE_SET_USED(argv);
	/* An assertion outside of cmocka's own tests then aborts, which libFuzzer sees. */
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	signal(SIGVTALRM, too_long);
	fuzz_setup();
	return 0;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	enum sum_way way = size % SUM_WAYS;

	sums_use(sums_cpu_has(way) ? way : SUM_PLAIN);
	set_limit(CPU_SECONDS);
	fuzz_one(&in);
	set_limit(0);
	return 0;
}
