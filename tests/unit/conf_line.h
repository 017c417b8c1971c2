/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Command lines given to conf_parse(), and what it made of them. In a header, as each program has
 * the options of its own build (see unit.mk).
 */
#ifndef UNIT_CONF_LINE_H
#define UNIT_CONF_LINE_H

#include <stdio.h>
#include <unistd.h>

#include "conf/conf_parse.h"
#include "unit.h"

#define ARGS_MAX 600

static struct conf conf;
static char *err, *out; /* what the last call said */

/* Calls conf_parse() with a command line whose words are given, up to NULL. */
static enum conf_result
parse_words(char **word)
{
	struct capture cap_err, cap_out;
	enum conf_result result;
	int argc = 0;

	while (word[argc] != NULL)
		argc++;
	free(err);
	free(out);
	memset(&conf, 0xa5, sizeof(conf));
	capture_begin(&cap_err, STDERR_FILENO);
	capture_begin(&cap_out, STDOUT_FILENO);
	result = conf_parse(&conf, argc, word);
	out = capture_end(&cap_out);
	err = capture_end(&cap_err);
	return result;
}

/* The same, of one string: words between blanks, '' for an empty one. */
static enum conf_result
parse(const char *line)
{
	char copy[1024], *word[ARGS_MAX] = {"vhost-switch"}, *next, *save = NULL;
	unsigned int n = 1;

	assert_true(snprintf(copy, sizeof(copy), "%s", line) < (int)sizeof(copy));
	for (next = strtok_r(copy, " ", &save); next != NULL; next = strtok_r(NULL, " ", &save))
		word[n++] = strcmp(next, "''") == 0 ? "" : next;
	word[n] = NULL;
	return parse_words(word);
}

static void
accept(const char *line)
{
	if (parse(line) != CONF_RUN)
		fail_msg("refused: %s\n%s", line, err);
	assert_string_equal(err, "");
	assert_string_equal(out, "");
}

/* Refused, with one line that names the program and each of the words. */
static void
refused(const char *line, const char *word1, const char *word2, const char *word3)
{
	if (parse(line) != CONF_ERROR)
		fail_msg("taken: %s", line);
	assert_string_equal(out, "");
	if (strncmp(err, "vhost-switch: ", 14) != 0 || strchr(err, '\n') != err + strlen(err) - 1 ||
			!strstr(err, word1) || !strstr(err, word2) || !strstr(err, word3))
		fail_msg("%s\nsays: %s\nand not: %s, %s, %s", line, err, word1, word2, word3);
}

/* Group fixture: the end. */
static int
conf_line_end(void **state)
{
	(void)state;
	free(err);
	free(out);
	return 0;
}

#endif /* UNIT_CONF_LINE_H */
