/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Reads EAL's options, as far as the switch has to know them. The usual mistakes are found before EAL
 * starts; run/eal.c says what EAL itself would answer.
 *
 * Looks at nothing except the words; its only state is getopt's. Main lcore, before EAL starts.
 */
#ifndef EAL_OPTIONS_H
#define EAL_OPTIONS_H

#include <stdbool.h>

/* Values point into the words; NULL: not given. */
struct eal_said {
	const char *lcores;        /* of -l or --lcores: both name CPUs */
	const char *lcores_option; /* the option that gave `lcores`: -l or --lcores */
	const char *file_prefix;
	const char *huge_dir;
	const char *memory; /* the last option by which the user decides on memory */
	const char *pages;  /* the last option that asks for an amount of memory */
	const char *amount; /* value of the option `pages`, in MiB: a number, or one for each NUMA node */
	const char *channels, *ranks; /* of -n and -r: what the machine's memory has */
	const char *level;            /* the first value of --log-level that has no level */
	const char *unknown; /* the first option that EAL does not have, by this file's table */
	const char *bare;    /* the first option that lacks its value */
	const char *stray;   /* the first word that is no option and no option's value */
	bool in_memory;
	bool no_huge;
	bool no_shconf;
	bool secondary; /* --proc-type is not the primary one */
	bool log_level; /* the user wants more of EAL's lines, or less */
	bool help;
};

/* Reads argv[1] to argv[argc - 1], the words before "--". */
void eal_options_read(struct eal_said *said, int argc, char **argv);

/* More than EAL has long options. */
#define EAL_OPTIONS_MAX 64

/* What eal_options_next() found. */
struct eal_option {
	const char *word; /* the word that it is in */
	const char *name; /* written out, without "--"; NULL: a stray, or not in this file's table */
	const char *value; /* NULL: none. A stray's is the word. */
	int index;      /* below EAL_OPTIONS_MAX, the same for all spellings; -1: as for the name */
	int opt;        /* what getopt_long() returned */
	char letter;    /* letter of the option, if is_letter */
	bool is_letter; /* not given by its long name */
	bool joined;    /* a value may be left out, and so has to be in the same word */
	bool list;      /* each of its values counts, not only the last */
};

/* Starts again at the first word. */
void eal_options_first(void);

/* Returns false if there is no further option. */
bool eal_options_next(struct eal_option *option, int argc, char **argv);

/* Returns true if the word is an option of EAL, written out. */
bool eal_options_has(const char *word);

#endif /* EAL_OPTIONS_H */
