/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The words that EAL understands: see eal_options.h for the contract. */
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "conf/eal_options.h"

enum {
	OPT_OTHER = 256, /* of no interest here */
	OPT_FILE_PREFIX,
	OPT_HUGE_DIR,
	OPT_HELP,
	OPT_IN_MEMORY,
	OPT_LCORES,
	OPT_MEMORY, /* decides on memory, and so needs no hugepages */
	OPT_NO_HUGE,
	OPT_NO_SHCONF,
	OPT_PAGES, /* asks for an amount of hugepages */
	OPT_PROC_TYPE,
};

/*
 * EAL's options on Linux, of DPDK 22.11 to 26.07. With a release that has more of them the switch
 * still works.
 */
static const char short_options[] = ":a:b:c:d:hl:m:n:r:R::s:S:v";

static const struct option long_options[] = {
		{"allow", required_argument, NULL, OPT_OTHER},
		{"base-virtaddr", required_argument, NULL, OPT_OTHER},
		{"block", required_argument, NULL, OPT_OTHER},
		{"coremask", required_argument, NULL, OPT_OTHER},
		{"create-uio-dev", no_argument, NULL, OPT_OTHER},
		{"driver-path", required_argument, NULL, OPT_OTHER},
		{"file-prefix", required_argument, NULL, OPT_FILE_PREFIX},
		{"force-max-simd-bitwidth", required_argument, NULL, OPT_OTHER},
		{"help", no_argument, NULL, OPT_HELP},
		{"huge-dir", required_argument, NULL, OPT_HUGE_DIR},
		{"huge-unlink", optional_argument, NULL, OPT_MEMORY},
		{"huge-worker-stack", optional_argument, NULL, OPT_OTHER},
		{"in-memory", no_argument, NULL, OPT_IN_MEMORY},
		{"iova-mode", required_argument, NULL, OPT_OTHER},
		{"lcores", required_argument, NULL, OPT_LCORES},
		{"legacy-mem", no_argument, NULL, OPT_MEMORY},
		{"log-color", optional_argument, NULL, OPT_OTHER},
		{"log-level", required_argument, NULL, OPT_OTHER},
		{"log-timestamp", optional_argument, NULL, OPT_OTHER},
		{"main-lcore", required_argument, NULL, OPT_OTHER},
		{"match-allocations", no_argument, NULL, OPT_OTHER},
		{"mbuf-pool-ops-name", required_argument, NULL, OPT_OTHER},
		{"memory-channels", required_argument, NULL, OPT_OTHER},
		{"memory-ranks", required_argument, NULL, OPT_OTHER},
		{"memory-size", required_argument, NULL, OPT_PAGES},
		{"no-hpet", no_argument, NULL, OPT_OTHER},
		{"no-huge", no_argument, NULL, OPT_NO_HUGE},
		{"no-pci", no_argument, NULL, OPT_OTHER},
		{"no-shconf", no_argument, NULL, OPT_NO_SHCONF},
		{"no-telemetry", no_argument, NULL, OPT_OTHER},
		{"numa-limit", required_argument, NULL, OPT_MEMORY},
		{"numa-mem", required_argument, NULL, OPT_PAGES},
		{"proc-type", required_argument, NULL, OPT_PROC_TYPE},
		{"remap-lcore-ids", optional_argument, NULL, OPT_OTHER},
		{"service-corelist", required_argument, NULL, OPT_OTHER},
		{"service-coremask", required_argument, NULL, OPT_OTHER},
		{"single-file-segments", no_argument, NULL, OPT_OTHER},
		{"socket-limit", required_argument, NULL, OPT_MEMORY},
		{"socket-mem", required_argument, NULL, OPT_PAGES},
		{"syslog", optional_argument, NULL, OPT_OTHER},
		{"telemetry", no_argument, NULL, OPT_OTHER},
		{"trace", required_argument, NULL, OPT_OTHER},
		{"trace-bufsz", required_argument, NULL, OPT_OTHER},
		{"trace-dir", required_argument, NULL, OPT_OTHER},
		{"trace-mode", required_argument, NULL, OPT_OTHER},
		{"vdev", required_argument, NULL, OPT_OTHER},
		{"version", no_argument, NULL, OPT_OTHER},
		{"vfio-intr", required_argument, NULL, OPT_OTHER},
		{"vfio-vf-token", required_argument, NULL, OPT_OTHER},
		{"vmware-tsc-map", no_argument, NULL, OPT_OTHER},
		{NULL, 0, NULL, 0},
};

/* Returns the option that getopt_long() is at: a letter, or the word in which it found a name. */
static const char *
eal_options_spelling(int opt, const char *word)
{
	return opt == 'l' ? "-l" : opt == 'm' ? "-m" : word;
}

static void
eal_options_note(struct eal_said *s, int opt, const char *word)
{
	switch (opt) {
	case 'l':
	case OPT_LCORES:
		s->lcores = optarg;
		s->lcores_option = opt == 'l' ? "-l" : "--lcores";
		break;
	case 'm':
	case OPT_PAGES:
		s->memory = true;
		s->pages = s->pages != NULL ? s->pages : eal_options_spelling(opt, word);
		break;
	case OPT_FILE_PREFIX:
		s->file_prefix = optarg;
		break;
	case OPT_HUGE_DIR:
		s->huge_dir = optarg;
		s->memory = true;
		break;
	case OPT_MEMORY:
		s->memory = true;
		break;
	case OPT_NO_HUGE:
		s->memory = s->no_huge = true;
		break;
	case OPT_IN_MEMORY:
		s->in_memory = true;
		break;
	case OPT_NO_SHCONF:
		s->no_shconf = true;
		break;
	case OPT_PROC_TYPE:
		s->secondary = strcmp(optarg, "primary") != 0;
		break;
	case 'h':
	case OPT_HELP:
		s->help = true;
		break;
	case '?':
		s->unknown = s->unknown != NULL ? s->unknown : word;
		break;
	}
}

bool
eal_options_read(struct eal_said *said, int argc, char **argv)
{
	/* getopt_long() sorts the words, and the caller's must stay in their order. */
	char **word = calloc(argc + 1, sizeof(*word));
	int opt, at;

	memset(said, 0, sizeof(*said));
	if (word == NULL)
		return false;
	memcpy(word, argv, argc * sizeof(*word));
	optind = 0; /* 0, not 1: glibc then starts again */
	for (;;) {
		at = optind > 0 ? optind : 1;
		opt = getopt_long(argc, word, short_options, long_options, NULL);
		if (opt == -1)
			break;
		/* getopt_long() stays at a word of several letters until the last of them. */
		eal_options_note(said, opt,
				optind > at ? word[optind - 1 - (optarg == word[optind - 1])]
					    : word[at]);
	}
	said->stray = word[optind];
	free(word);
	return true;
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
