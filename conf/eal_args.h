/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* EAL's part of the command line, adapted to machines without hugepages. Main lcore, at start and end. */
#ifndef EAL_ARGS_H
#define EAL_ARGS_H

#include <stdbool.h>

#include "conf/eal_options.h"

struct eal_args {
	int argc;
	char **argv;
	bool no_huge; /* use ordinary pages, although the user did not ask for them */
	struct eal_said said;
};

/*
 * Reads and copies the words before "--". If the user gave no option about memory and no hugepage
 * is free, adds the options for ordinary pages. Returns false, after an error was printed, if there
 * is no memory. EAL may look at the result until rte_eal_cleanup().
 */
bool eal_args_make(struct eal_args *a, int argc, char **argv);

void eal_args_free(struct eal_args *a);

#endif /* EAL_ARGS_H */
