/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Asks EAL whether it takes the options: see eal_ask.h for the contract. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_log.h>

#include "conf/eal_args.h"
#include "run/eal_ask.h"

void
eal_ask_trim(char *to, size_t size, const char *text, size_t len)
{
	const char *colon = memchr(text, ':', len), *space = memchr(text, ' ', len);

	/* A prefix is one word: "EAL: ", "ARGPARSE: ". */
	if (colon != NULL && space == colon + 1) {
		len -= space + 1 - text;
		text = space + 1;
	}
	while (len > 0 && strchr("\n.!", text[len - 1]) != NULL)
		len--;
	snprintf(to, size, "%.*s", (int)len, text);
}

/* In the child stderr is the pipe: errors go there, and nothing else that EAL logs. */
static ssize_t
eal_ask_log(void *cookie, const char *text, size_t size)
{
	RTE_SET_USED(cookie);
	if (rte_log_cur_msg_loglevel() == (int)RTE_LOG_ERR && write(STDERR_FILENO, text, size) < 0)
		return -1;
	return size;
}

/* Has EAL read the options, and ends with what it said. This is all that the child does. */
static __rte_noreturn void
eal_ask_child(const struct eal_args *args, int pipe)
{
	static const cookie_io_functions_t errors = {.write = eal_ask_log};
	static char name[] = "EAL"; /* with which getopt_long() begins its lines */
	static char help[] = "--help";
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC), i, argc = args->argc;
	FILE *log = fopencookie(NULL, "w", errors);

	if (nowhere < 0 || log == NULL || dup2(nowhere, STDOUT_FILENO) < 0 ||
			dup2(pipe, STDERR_FILENO) < 0)
		_exit(EXIT_SUCCESS); /* nothing is known: as if EAL took them */
	rte_openlog_stream(log);
	args->argv[0] = name;
	/* Twice, as the last option may be one that EAL gives a value to. */
	for (i = 0; i < EAL_ARGS_SPARE; i++)
		args->argv[argc++] = help;
	_exit(rte_eal_init(argc, args->argv) < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
}

/* Reads what the child prints, to its end, and keeps the first line. */
static void
eal_ask_read(int fd, char *why, size_t size)
{
	FILE *from = fdopen(fd, "r");
	char line[512], rest[512];

	if (from == NULL) {
		close(fd);
		return;
	}
	if (fgets(line, sizeof(line), from) != NULL)
		eal_ask_trim(why, size, line, strcspn(line, "\n"));
	while (fgets(rest, sizeof(rest), from) != NULL)
		;
	fclose(from);
}

bool
eal_ask(const struct eal_args *args, char *why, size_t size)
{
	int ends[2], status = 0;
	pid_t child, ended;

	why[0] = '\0';
	if (pipe2(ends, O_CLOEXEC) != 0)
		return true;
	fflush(NULL); /* or the child would print it, too */
	child = fork();
	if (child == 0)
		eal_ask_child(args, ends[1]);
	close(ends[1]);
	eal_ask_read(ends[0], why, size);
	do
		ended = child > 0 ? waitpid(child, &status, 0) : -1;
	while (ended < 0 && errno == EINTR);
	return ended != child || status == 0;
}
