/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What a command line says to EAL, and the CPUs that it names. */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_version.h>

#include "conf/cpus.h"
#include "conf/eal_args.h"
#include "conf/eal_options.h"
#include "unit.h"

#define WORDS_MAX 16

static struct eal_said said;

/* Reads the words of a line, which must stay as they are. */
static void
read_line(const char *line)
{
	static char copy[256];
	char *word[WORDS_MAX] = {"vhost-switch"}, *before[WORDS_MAX], *next, *save = NULL;
	int n = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (next = strtok_r(copy, " ", &save); next != NULL; next = strtok_r(NULL, " ", &save))
		word[n++] = next;
	word[n] = NULL;
	memcpy(before, word, sizeof(word));
	eal_options_read(&said, n, word);
	assert_memory_equal(before, word, (n + 1) * sizeof(*word));
}

static void
test_nothing(void **state)
{
	static const struct eal_said nothing;

	RTE_SET_USED(state);
	read_line("");
	assert_memory_equal(&said, &nothing, sizeof(said));
	read_line("--no-pci --vdev net_tap0 --main-lcore=1");
	assert_memory_equal(&said, &nothing, sizeof(said));
}

static void
test_values(void **state)
{
	RTE_SET_USED(state);
	read_line("-l 0,1 --file-prefix a --huge-dir=/mnt --proc-type primary");
	assert_string_equal(said.lcores, "0,1");
	assert_string_equal(said.lcores_option, "-l");
	assert_string_equal(said.file_prefix, "a");
	assert_string_equal(said.huge_dir, "/mnt");
	assert_true(said.memory != NULL && !said.secondary && !said.in_memory);
	read_line("--lcores=0@1,1@1 --proc-type=auto -l2");
	assert_string_equal(said.lcores, "2"); /* the last one counts */
	assert_true(said.secondary);
	read_line("--lcor 0@1 --file a"); /* getopt_long's abbreviations */
	assert_string_equal(said.lcores, "0@1");
	assert_string_equal(said.lcores_option, "--lcores");
	assert_string_equal(said.file_prefix, "a");
	read_line("-n4 -n 2 --memory-ranks=8 --numa-mem=64,1 -m 32");
	assert_string_equal(said.channels, "2");
	assert_string_equal(said.ranks, "8");
	assert_string_equal(said.pages, "-m");
	assert_string_equal(said.amount, "32");
}

static void
test_memory(void **state)
{
	static const struct {
		const char *line;
		bool memory, in_memory, no_huge, no_shconf;
		const char *pages;
	} cases[] = {
			{"-m 512", true, false, false, false, "-m"},
			{"-m512", true, false, false, false, "-m"},
			{"--socket-mem 512", true, false, false, false, "--socket-mem"},
			{"--socket-mem=512", true, false, false, false, "--socket-mem=512"},
			{"--numa-mem 512", true, false, false, false, "--numa-mem"},
			{"--socket-limit 512", true, false, false, false, NULL},
			{"--legacy-mem", true, false, false, false, NULL},
			{"--huge-unlink", true, false, false, false, NULL},
			{"--huge-unlink=never", true, false, false, false, NULL},
			{"--no-huge -m 64", true, false, true, false, "-m"},
			{"--in-memory", false, true, false, false, NULL},
			{"--no-shconf", false, false, false, true, NULL},
	};
	size_t i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(cases); i++) {
		read_line(cases[i].line);
		assert_int_equal(said.memory != NULL, cases[i].memory);
		assert_int_equal(said.in_memory, cases[i].in_memory);
		assert_int_equal(said.no_huge, cases[i].no_huge);
		assert_int_equal(said.no_shconf, cases[i].no_shconf);
		assert_int_equal(said.pages == NULL, cases[i].pages == NULL);
		if (said.pages != NULL)
			assert_string_equal(said.pages, cases[i].pages);
	}
}

static void
test_strangers(void **state)
{
	RTE_SET_USED(state);
	read_line("-l 0,1 --nonsense=5 -x");
	assert_string_equal(said.unknown, "--nonsense=5");
	read_line("-l 0,1 -x --nonsense");
	assert_string_equal(said.unknown, "-x");
	read_line("-vx");
	assert_string_equal(said.unknown, "-vx");
	read_line("-l 0, 1 --no-pci");
	assert_null(said.unknown);
	assert_string_equal(said.stray, "1");
	read_line("-v -h");
	assert_true(said.help);
	assert_null(said.unknown);
	read_line("--no-pci -x --trace- dir"); /* --trace-bufsz, -dir or -mode? */
	assert_string_equal(said.unknown, "-x");
	read_line("--trace- dir");
	assert_string_equal(said.unknown, "--trace-");
	read_line("--no-pci --file-prefix");
	assert_null(said.file_prefix);
	assert_string_equal(said.bare, "--file-prefix");
	read_line("--log-level=lib.eal:8");
	assert_true(said.log_level && !said.help);
	assert_null(said.level);
	read_line("--log-level help");
	assert_true(said.help);
	assert_null(said.level);
}

/* EAL goes on with its own level, after two lines on stderr, if a value has none. */
static void
test_levels(void **state)
{
	static const char *const good[] = {"debug", "8", "0x8", "lib.eal:info", "lib.*,err", "w",
			"lib.vhost,notice", "a:b,2"};
	static const char *const bad[] = {
			"x", "lib.eal:", "lib.eal:loud", "debugg", "8x", ",", "info:z"};
	char line[64];
	size_t i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(good); i++) {
		snprintf(line, sizeof(line), "--log-level %s", good[i]);
		read_line(line);
		assert_null(said.level);
	}
	for (i = 0; i < RTE_DIM(bad); i++) {
		snprintf(line, sizeof(line), "--log-level=debug --log-level=%s", bad[i]);
		read_line(line);
		assert_string_equal(said.level, bad[i]);
	}
}

/* Releases before 24.11 want a facility; later ones take a value in the same word alone. */
static void
test_syslog(void **state)
{
	RTE_SET_USED(state);
	read_line("--syslog daemon --no-pci");
#if RTE_VERSION < RTE_VERSION_NUM(24, 11, 0, 0)
	assert_null(said.stray);
	read_line("--no-pci --syslog");
	assert_string_equal(said.bare, "--syslog");
#else
	assert_string_equal(said.stray, "daemon");
	read_line("--syslog=both --no-pci");
	assert_null(said.stray);
#endif
}

/* What EAL gets is the same for all spellings, and has nothing twice. */
static void
test_plain(void **state)
{
	static const struct {
		const char *line, *plain;
	} cases[] = {
			{"--no-huge", "--no-huge"},
			{"--no-huge --file-prefix a -l 0,1", "--no-huge --file-prefix a -l 0,1"},
			{"--file-prefix a --no-huge --file=b", "--no-huge --file-prefix b"},
			{"--no-huge --no-huge --no-pci", "--no-huge --no-pci"},
			{"--lcor 0@1 --no-huge -l2", "--no-huge -l 2"},
			{"-l2 --no-huge --lcores=0@1", "--no-huge --lcores 0@1"},
			{"-vn4 -m64", "-v -n 4 -m 64"},
			{"-m 64 -vx -R5 -R", "-m 64 -v -vx --remap-lcore-ids"},
			{"-m 64 -R5", "-m 64 --remap-lcore-ids=5"},
			{"-m 64 --memory-size 32", "--memory-size 32"},
			{"--huge-unlink=never --no-huge", "--huge-unlink=never --no-huge"},
			{"--no-huge --huge-u", "--no-huge --huge-unlink"},
			/* Each of these counts. */
			{"-m 1 -a 1 --allow 2 -a3", "-m 1 -a 1 --allow 2 -a 3"},
			{"-m 1 --vdev x --vdev=x", "-m 1 --vdev x --vdev x"},
			{"-m 1 --log-level=a:1 --log-level b:2",
					"-m 1 --log-level a:1 --log-level b:2"},
			/* EAL is to judge what is not in the table. */
			{"-m 1 --new 5 --new=6 -m 2", "--new 5 --new=6 -m 2"},
			{"-m 1 --no-pci=5 --no-pci", "-m 1 --no-pci=5 --no-pci"},
	};
	char plain[256], line[256], *word[WORDS_MAX], *save = NULL;
	struct eal_args args;
	size_t i, len;
	int n, k;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(cases); i++) {
		memset(&args, 0, sizeof(args));
		snprintf(line, sizeof(line), "vhost-switch %s", cases[i].line);
		for (n = 0; (word[n] = strtok_r(n == 0 ? line : NULL, " ", &save)) != NULL; n++)
			;
		assert_true(eal_args_make(&args, n, word));
		assert_false(args.no_huge);
		assert_string_equal(args.argv[0], "vhost-switch");
		for (k = 1, len = 0, plain[0] = '\0'; k < args.argc; k++)
			len += snprintf(plain + len, sizeof(plain) - len, "%s%s", k > 1 ? " " : "",
					args.argv[k]);
		assert_string_equal(plain, cases[i].plain);
		eal_args_free(&args);
	}
}

static void
test_has(void **state)
{
	RTE_SET_USED(state);
	assert_true(eal_options_has("-l"));
	assert_true(eal_options_has("--lcores"));
	assert_true(eal_options_has("--lcores=0@1"));
	assert_false(eal_options_has("--lcore"));
	assert_false(eal_options_has("--"));
	assert_false(eal_options_has("-"));
	assert_false(eal_options_has("-:"));
	assert_false(eal_options_has("-p"));
	assert_false(eal_options_has("-P"));
	assert_false(eal_options_has("lcores"));
	assert_false(eal_options_has("--stats"));
}

/* A set of CPUs, up to -1. */
static cpu_set_t
cpus(const int *cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (; *cpu >= 0; cpu++)
		CPU_SET(*cpu, &set);
	return set;
}

static void
test_missing(void **state)
{
	static const struct {
		const char *lcores;
		int missing; /* of the CPUs 1, 2, 3 and 1023 */
	} cases[] = {
			{"1,2", -1},
			{"1-3", -1},
			{"3,1", -1},
			{"0,1", 0},
			{"1,0", 0},
			{"1-4", 4},
			{"2-4,0", 4},
			{"1023", -1},
			{"1024", 1024},
			{"1,99999", 99999},
			{"0@1,1@1", -1},
			{"0@1,1@0", 0},
			{"1@1,2", -1},
			{"0@(1-3)", -1},
			{"0@(0-3)", 0},
			{"(0-9)@2", -1},
			{"(1,2)", -1},
			{"(1,7)", 7},
			{"0@(1,2),(5,6)@(2,9)", 9},
			/* No valid list: that is left for EAL to report. */
			{"", -1},
			{"x", -1},
			{"0x3", 0},
			{"3-1", -1},
			{"-1", -1},
			{"(0", -1},
			{"0@", -1},
			{"1,", -1},
			{"1,,0", -1},
	};
	static const int some[] = {1, 2, 3, 1023, -1};
	const cpu_set_t set = cpus(some);
	size_t i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(cases); i++)
		if (cpus_missing(cases[i].lcores, &set) != cases[i].missing)
			fail_msg("%s: %d, not %d", cases[i].lcores,
					cpus_missing(cases[i].lcores, &set), cases[i].missing);
}

static void
test_text(void **state)
{
	static const struct {
		int cpu[8];
		const char *text, *example;
	} cases[] = {
			{{0, 1, -1}, "0-1", "-l 0,1"},
			{{1, -1}, "1", "--lcores 0@1,1@1"},
			{{0, -1}, "0", "--lcores 0@0,1@0"},
			{{1, 2, 3, 6, 8, 9, -1}, "1-3,6,8-9", "-l 1,2"},
			{{5, 1023, -1}, "5,1023", "-l 5,1023"},
	};
	char text[64], small[4];
	cpu_set_t set;
	size_t i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(cases); i++) {
		set = cpus(cases[i].cpu);
		cpus_text(&set, text, sizeof(text));
		assert_string_equal(text, cases[i].text);
		cpus_text(&set, small, sizeof(small));
		assert_memory_equal(small, cases[i].text, strnlen(cases[i].text, 3));
		cpus_example(&set, text, sizeof(text));
		assert_string_equal(text, cases[i].example);
	}
}

/* The CPUs that the process may use are found, and do not change. */
static void
test_find(void **state)
{
	struct cpus found;
	cpu_set_t before, after, one;
	int cpu = 0;

	RTE_SET_USED(state);
	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	while (!CPU_ISSET(cpu, &before))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_int_equal(sched_setaffinity(0, sizeof(one), &one), 0);
	assert_true(cpus_find(&found));
	assert_int_equal(sched_getaffinity(0, sizeof(after), &after), 0);
	assert_true(CPU_EQUAL(&after, &one));
	assert_true(CPU_EQUAL(&found.allowed, &one));
	/* A mask that was set with taskset is no limit. */
	CPU_AND(&after, &found.usable, &before);
	assert_true(CPU_EQUAL(&after, &before));
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_nothing),
			cmocka_unit_test(test_values),
			cmocka_unit_test(test_memory),
			cmocka_unit_test(test_strangers),
			cmocka_unit_test(test_levels),
			cmocka_unit_test(test_syslog),
			cmocka_unit_test(test_plain),
			cmocka_unit_test(test_has),
			cmocka_unit_test(test_missing),
			cmocka_unit_test(test_text),
			cmocka_unit_test(test_find),
	};

	return cmocka_run_group_tests_name("eal_options", tests, NULL, NULL);
}
