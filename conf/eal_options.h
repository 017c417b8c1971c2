/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Reads EAL's options, as far as the switch has to know them: EAL answers errors with a hundred
 * lines of usage, so the usual mistakes are looked for before EAL starts.
 *
 * Looks at nothing except the words; keeps no state. Main lcore, before EAL starts.
 */
#ifndef EAL_OPTIONS_H
#define EAL_OPTIONS_H

#include <stdbool.h>

/* Values point into the words; NULL: not given. */
struct eal_said {
	const char *lcores;        /* of -l or --lcores: both name CPUs */
	const char *lcores_option; /* which of the two it was */
	const char *file_prefix;
	const char *huge_dir;
	const char *pages;   /* the first option that asks for an amount of hugepages */
	const char *unknown; /* the first option that EAL does not have, by this file's table */
	const char *stray;   /* the first word that is no option and no option's value */
	bool memory;         /* the user has decided on memory */
	bool in_memory;
	bool no_huge;
	bool no_shconf;
	bool secondary; /* --proc-type is not the primary one */
	bool help;
};

/* Reads argv[1] to argv[argc - 1], the words before "--". Returns false if there is no memory. */
bool eal_options_read(struct eal_said *said, int argc, char **argv);

/* Returns true if the word is an option of EAL, written out. */
bool eal_options_has(const char *word);

#endif /* EAL_OPTIONS_H */
