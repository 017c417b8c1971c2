/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Adapting EAL's options: see eal_args.h for the contract. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/eal_args.h"
#include "conf/hugepages.h"
#include "base/log.h"

/*
 * MiB of ordinary pages: the forwarding table, the workers and an mbuf pool for
 * jumbo frames take 60; guests' structures, 256 of them, 5.
 */
#define NO_HUGE_MIB "512"
#define EAL_ARGS_ADDED 3 /* words for ordinary pages */

/* Adds a word: of a format, so that a name and a value can be joined. */
__attribute__((format(printf, 2, 3))) static void
eal_args_add(struct eal_args *a, const char *format, ...)
{
	va_list list;
	char *word;

	va_start(list, format);
	if (vasprintf(&word, format, list) < 0)
		word = NULL;
	va_end(list);
	a->no_memory |= word == NULL;
	a->word[a->argc] = a->argv[a->argc] = word;
	a->argc++;
}

/*
 * EAL refuses --in-memory together with ordinary pages, which are never in files anyway.
 * --no-shconf has the rest of its meaning: nothing is shared with other processes.
 */
static bool
eal_args_add_instead(struct eal_args *a, const struct eal_option *o)
{
	if (!a->no_huge || o->name == NULL || strcmp(o->name, "in-memory") != 0)
		return false;
	if (!a->said.no_shconf)
		eal_args_add(a, "--no-shconf");
	return true;
}

static void
eal_args_add_option(struct eal_args *a, const struct eal_option *o)
{
	if (o->name == NULL) {
		eal_args_add(a, "%s", o->word);
		return;
	}
	if (o->joined) {
		eal_args_add(a, o->value != NULL ? "--%s=%s" : "--%s", o->name, o->value);
		return;
	}
	if (o->is_letter)
		eal_args_add(a, "-%c", o->letter);
	else
		eal_args_add(a, "--%s", o->name);
	if (o->value != NULL)
		eal_args_add(a, "%s", o->value);
}

/* Copies the options that count. */
static void
eal_args_copy(struct eal_args *a, int argc, char **argv)
{
	int last[EAL_OPTIONS_MAX], n;
	struct eal_option o;

	eal_options_first();
	for (n = 0; eal_options_next(&o, argc, argv); n++)
		if (o.index >= 0)
			last[o.index] = n;
	eal_options_first();
	for (n = 0; eal_options_next(&o, argc, argv); n++)
		if ((o.index < 0 || o.list || last[o.index] == n) && !eal_args_add_instead(a, &o))
			eal_args_add_option(a, &o);
}

/*
 * Makes room for the words. They are not more than the bytes: an option of one word has a letter, and
 * a value that becomes a word has a byte, if only its end.
 */
static bool
eal_args_alloc(struct eal_args *a, int argc, char **argv)
{
	size_t room = EAL_ARGS_ADDED + EAL_ARGS_SPARE + 1;
	int i;

	for (i = 0; i < argc; i++)
		room += strlen(argv[i]) + 1;
	a->argv = calloc(room, sizeof(*a->argv));
	a->word = calloc(room, sizeof(*a->word));
	return a->argv != NULL && a->word != NULL;
}

bool
eal_args_make(struct eal_args *a, int argc, char **argv)
{
	int own;

	for (own = 1; own < argc && strcmp(argv[own], "--") != 0; own++)
		;
	eal_options_read(&a->said, own, argv);
	a->no_huge = a->said.memory == NULL && !hugepages_free(&a->said);
	if (eal_args_alloc(a, own, argv)) {
		eal_args_add(a, "%s", argv[0]);
		eal_args_copy(a, own, argv);
		if (a->no_huge) {
			eal_args_add(a, "--no-huge");
			eal_args_add(a, "-m");
			eal_args_add(a, NO_HUGE_MIB);
		}
		if (!a->no_memory)
			return true;
	}
	say_error("no memory for the command line");
	return false;
}

void
eal_args_free(struct eal_args *a)
{
	int i;

	for (i = 0; a->word != NULL && i < a->argc; i++)
		free(a->word[i]);
	free(a->word);
	free(a->argv);
	a->word = NULL;
	a->argv = NULL;
}
