/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * EAL's part of the command line, adapted to machines without hugepages, and written so that each
 * release of DPDK reads it alike: EAL of 24.11 reads it by getopt_long(), that of 25.11 by a
 * parser that takes no shortened name, no letter joined with others or with its value, and no option
 * twice. Main lcore, at start and end.
 */
#ifndef EAL_ARGS_H
#define EAL_ARGS_H

#include <stdbool.h>

#include "conf/eal_options.h"

struct eal_args {
	int argc;
	char **argv; /* EAL changes the order, and repeats words */
	char **word; /* the words as allocated, to be freed */
	bool no_memory;
	bool no_huge; /* use ordinary pages, although the user did not ask for them */
	struct eal_said said;
};

/*
 * Reads and copies the words before "--": names written out, and of an option that has one value and
 * was given several times the last one. What EAL's table (eal_options.h) does not know stays as it is.
 * If the user gave no option about memory and no hugepage is free, adds the options for ordinary pages.
 * Returns false, after an error was printed, if there is no memory. EAL may look at the result until
 * rte_eal_cleanup(). There is room for EAL_ARGS_SPARE words more.
 */
#define EAL_ARGS_SPARE 2

bool eal_args_make(struct eal_args *a, int argc, char **argv);

void eal_args_free(struct eal_args *a);

#endif /* EAL_ARGS_H */
