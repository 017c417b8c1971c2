/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Adapting EAL's options: see eal_args.h for the contract. */
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "conf/eal_args.h"
#include "conf/hugepages.h"
#include "base/log.h"

/*
 * MiB of ordinary pages: the forwarding table, the workers and an mbuf pool for
 * jumbo frames take 60; guests' structures, 256 of them, 5.
 */
#define NO_HUGE_MIB "512"

/*
 * EAL refuses --in-memory together with ordinary pages, which are never in files anyway. This
 * option has the rest of its meaning: nothing is shared with other processes.
 */
static char *
eal_args_without_hugepages(char *word)
{
	static char no_shconf[] = "--no-shconf";

	return strcmp(word, "--in-memory") == 0 ? no_shconf : word;
}

bool
eal_args_make(struct eal_args *a, int argc, char **argv)
{
	static const char *const ordinary[] = {"--no-huge", "-m", NO_HUGE_MIB};
	int own, i;

	for (own = 1; own < argc && strcmp(argv[own], "--") != 0; own++)
		;
	a->argv = calloc(own + RTE_DIM(ordinary) + 1, sizeof(*a->argv));
	if (a->argv == NULL || !eal_options_read(&a->said, own, argv)) {
		say_error("no memory for the command line");
		return false;
	}
	a->no_huge = !a->said.memory && !hugepages_free();
	for (i = 0; i < own; i++)
		a->argv[i] = a->no_huge ? eal_args_without_hugepages(argv[i]) : argv[i];
	a->argc = own;
	if (a->no_huge) {
		memcpy(&a->argv[a->argc], ordinary, sizeof(ordinary));
		a->argc += RTE_DIM(ordinary);
	}
	return true;
}

void
eal_args_free(struct eal_args *a)
{
	free(a->argv);
	a->argv = NULL;
}
