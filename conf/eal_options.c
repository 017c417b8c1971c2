/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The words that EAL understands: see eal_options.h for the contract. */
#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_version.h>

#include "conf/eal_options.h"

/* The long options; one that is a letter as well has the letter as its value. */
enum {
	OPT_OTHER = 256, /* of no interest here */
	OPT_FILE_PREFIX,
	OPT_HUGE_DIR,
	OPT_IN_MEMORY,
	OPT_LIST,      /* each of its values counts, not only the last */
	OPT_LOG_LEVEL, /* a list, too */
	OPT_MEMORY,    /* decides on memory, and so needs no hugepages */
	OPT_NO_HUGE,
	OPT_NO_SHCONF,
	OPT_PAGES, /* asks for an amount of hugepages */
	OPT_PROC_TYPE,
};

/*
 * EAL's options on Linux, of DPDK 22.11 to 26.07. With a release that has more of them the switch
 * still works. With "-" getopt_long() leaves the words in their order, and reports those that are
 * no options as option 1.
 */
static const char short_options[] = "-:a:b:c:d:hl:m:n:r:R::s:S:v";

/* Up to 24.07 the value is a facility of syslog. Later ones let it be left out, so it has to be in the same word. */
#if RTE_VERSION < RTE_VERSION_NUM(24, 11, 0, 0)
#define SYSLOG_ARGUMENT required_argument
#else
#define SYSLOG_ARGUMENT optional_argument
#endif

static const struct option long_options[] = {
		{"allow", required_argument, NULL, 'a'},
		{"base-virtaddr", required_argument, NULL, OPT_OTHER},
		{"block", required_argument, NULL, 'b'},
		{"coremask", required_argument, NULL, 'c'},
		{"create-uio-dev", no_argument, NULL, OPT_OTHER},
		{"driver-path", required_argument, NULL, 'd'},
		{"file-prefix", required_argument, NULL, OPT_FILE_PREFIX},
		{"force-max-simd-bitwidth", required_argument, NULL, OPT_OTHER},
		{"help", no_argument, NULL, 'h'},
		{"huge-dir", required_argument, NULL, OPT_HUGE_DIR},
		{"huge-unlink", optional_argument, NULL, OPT_MEMORY},
		{"huge-worker-stack", optional_argument, NULL, OPT_OTHER},
		{"in-memory", no_argument, NULL, OPT_IN_MEMORY},
		{"iova-mode", required_argument, NULL, OPT_OTHER},
		{"lcores", required_argument, NULL, 'l'},
		{"legacy-mem", no_argument, NULL, OPT_MEMORY},
		{"log-color", optional_argument, NULL, OPT_OTHER},
		{"log-level", required_argument, NULL, OPT_LOG_LEVEL},
		{"log-timestamp", optional_argument, NULL, OPT_OTHER},
		{"main-lcore", required_argument, NULL, OPT_OTHER},
		{"match-allocations", no_argument, NULL, OPT_OTHER},
		{"mbuf-pool-ops-name", required_argument, NULL, OPT_OTHER},
		{"memory-channels", required_argument, NULL, 'n'},
		{"memory-ranks", required_argument, NULL, 'r'},
		{"memory-size", required_argument, NULL, 'm'},
		{"no-hpet", no_argument, NULL, OPT_OTHER},
		{"no-huge", no_argument, NULL, OPT_NO_HUGE},
		{"no-pci", no_argument, NULL, OPT_OTHER},
		{"no-shconf", no_argument, NULL, OPT_NO_SHCONF},
		{"no-telemetry", no_argument, NULL, OPT_OTHER},
		{"numa-limit", required_argument, NULL, OPT_MEMORY},
		{"numa-mem", required_argument, NULL, OPT_PAGES},
		{"proc-type", required_argument, NULL, OPT_PROC_TYPE},
		{"remap-lcore-ids", optional_argument, NULL, 'R'},
		{"service-corelist", required_argument, NULL, 'S'},
		{"service-coremask", required_argument, NULL, 's'},
		{"single-file-segments", no_argument, NULL, OPT_OTHER},
		{"socket-limit", required_argument, NULL, OPT_MEMORY},
		{"socket-mem", required_argument, NULL, OPT_PAGES},
		{"syslog", SYSLOG_ARGUMENT, NULL, OPT_OTHER},
		{"telemetry", no_argument, NULL, OPT_OTHER},
		{"trace", required_argument, NULL, OPT_LIST},
		{"trace-bufsz", required_argument, NULL, OPT_OTHER},
		{"trace-dir", required_argument, NULL, OPT_OTHER},
		{"trace-mode", required_argument, NULL, OPT_OTHER},
		{"vdev", required_argument, NULL, OPT_LIST},
		{"version", no_argument, NULL, 'v'},
		{"vfio-intr", required_argument, NULL, OPT_OTHER},
		{"vfio-vf-token", required_argument, NULL, OPT_OTHER},
		{"vmware-tsc-map", no_argument, NULL, OPT_OTHER},
		{NULL, 0, NULL, 0},
};

static_assert(RTE_DIM(long_options) <= EAL_OPTIONS_MAX, "more options than EAL_OPTIONS_MAX");

/* Returns the index in the table of what getopt_long() found, or -1 if that is no option of it. */
static int
eal_options_index(int opt, int index)
{
	size_t i;

	if (index >= 0 || opt >= OPT_OTHER || opt == '?' || opt == ':' || opt == 1)
		return index;
	for (i = 0; long_options[i].name != NULL; i++)
		if (long_options[i].val == opt)
			return i;
	return -1;
}

/* getopt_long() takes what is short for several options of one value for the first of them. */
static bool
eal_options_is_ambiguous(const char *word)
{
	const char *name = word + 2;
	size_t i, len = strcspn(name, "=");
	int n = 0;

	for (i = 0; long_options[i].name != NULL; i++) {
		if (strncmp(name, long_options[i].name, len) != 0)
			continue;
		if (long_options[i].name[len] == '\0')
			return false;
		n++;
	}
	return n > 1;
}

void
eal_options_first(void)
{
	optind = 0; /* 0, not 1: glibc then starts again */
}

bool
eal_options_next(struct eal_option *o, int argc, char **argv)
{
	const int at = optind > 0 ? optind : 1;
	int index = -1;

	o->opt = getopt_long(argc, argv, short_options, long_options, &index);
	if (o->opt == -1)
		return false;
	/* getopt_long() stays at a word of several letters until the last of them. */
	o->word = argv[at];
	if (index >= 0 && eal_options_is_ambiguous(o->word))
		o->opt = '?';
	o->value = optarg;
	o->is_letter = index < 0;
	o->index = eal_options_index(o->opt, o->opt == '?' || o->opt == ':' ? -1 : index);
	o->letter = o->opt == '?' ? optopt : o->opt;
	o->name = o->index >= 0 ? long_options[o->index].name : NULL;
	o->joined = o->index >= 0 && long_options[o->index].has_arg == optional_argument;
	o->list = o->opt == OPT_LIST || o->opt == OPT_LOG_LEVEL || o->opt == 'a' || o->opt == 'b' ||
			o->opt == 'd';
	return true;
}

/* Returns true if EAL finds a level in a value of --log-level: a name, or the beginning of one, or a number. */
static bool
eal_options_has_level(const char *value)
{
	static const char *const names[] = {"emergency", "alert", "critical", "error", "warning",
			"notice", "info", "debug"};
	const char *level = strchr(value, ',');
	char *end;
	size_t i;

	if (level == NULL)
		level = strchr(value, ':');
	level = level != NULL ? level + 1 : value;
	for (i = 0; i < RTE_DIM(names); i++)
		if (level[0] != '\0' && strncmp(names[i], level, strlen(level)) == 0)
			return true;
	errno = 0;
	(void)strtoul(level, &end, 0);
	return end != level && *end == '\0' && errno == 0;
}

/* Notes an option of memory. */
static void
eal_options_note_memory(struct eal_said *s, const struct eal_option *o)
{
	switch (o->opt) {
	case 'm':
	case OPT_PAGES:
		s->memory = s->pages = o->is_letter ? "-m" : o->word;
		s->amount = o->value;
		break;
	case OPT_HUGE_DIR:
		s->huge_dir = o->value;
		s->memory = o->word;
		break;
	case OPT_NO_HUGE:
		s->no_huge = true;
		s->memory = o->word;
		break;
	case OPT_MEMORY:
		s->memory = o->word;
		break;
	case OPT_IN_MEMORY:
		s->in_memory = true;
		break;
	}
}

/* Notes an option that decides what EAL prints. "help" prints the levels, and ends the process. */
static void
eal_options_note_log(struct eal_said *s, const struct eal_option *o)
{
	if (o->opt == 'h')
		s->help = true;
	if (o->opt != OPT_LOG_LEVEL)
		return;
	s->log_level = true;
	if (strcmp(o->value, "help") == 0)
		s->help = true;
	else if (s->level == NULL && !eal_options_has_level(o->value))
		s->level = o->value;
}

/* Notes the first word of each kind that EAL does not take. */
static void
eal_options_note_wrong(struct eal_said *s, const struct eal_option *o)
{
	switch (o->opt) {
	case ':':
		s->bare = s->bare != NULL ? s->bare : o->word;
		break;
	case '?':
		s->unknown = s->unknown != NULL ? s->unknown : o->word;
		break;
	case 1:
		s->stray = s->stray != NULL ? s->stray : o->word;
		break;
	}
}

static void
eal_options_note(struct eal_said *s, const struct eal_option *o)
{
	switch (o->opt) {
	case 'l':
		s->lcores = o->value;
		s->lcores_option = o->is_letter ? "-l" : "--lcores";
		break;
	case 'n':
		s->channels = o->value;
		break;
	case 'r':
		s->ranks = o->value;
		break;
	case OPT_FILE_PREFIX:
		s->file_prefix = o->value;
		break;
	case OPT_NO_SHCONF:
		s->no_shconf = true;
		break;
	case OPT_PROC_TYPE:
		s->secondary = strcmp(o->value, "primary") != 0;
		break;
	}
	eal_options_note_memory(s, o);
	eal_options_note_log(s, o);
	eal_options_note_wrong(s, o);
}

void
eal_options_read(struct eal_said *said, int argc, char **argv)
{
	struct eal_option option;

	memset(said, 0, sizeof(*said));
	eal_options_first();
	while (eal_options_next(&option, argc, argv))
		eal_options_note(said, &option);
}

bool
eal_options_has(const char *word)
{
	size_t i, len = strcspn(word, "=");

	if (word[0] == '-' && word[1] != '-' && word[1] != '\0')
		return word[1] != ':' && strchr(short_options, word[1]) != NULL;
	for (i = 0; long_options[i].name != NULL; i++)
		if (strncmp(word, "--", 2) == 0 && strlen(long_options[i].name) == len - 2 &&
				strncmp(word + 2, long_options[i].name, len - 2) == 0)
			return true;
	return false;
}
