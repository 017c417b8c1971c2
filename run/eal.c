/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * EAL's start: see eal.h for the contract.
 *
 * EAL answers an unknown option with a hundred lines of usage on stdout, and many errors with
 * several lines of its log, of which the first one names the cause. So while it starts, stdout is
 * redirected, and its log is read on the way to stderr.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_version.h>

#include "conf/eal_args.h"
#include "conf/eal_check.h"
#include "run/eal.h"
#include "base/log.h"

/* The first error that EAL logged. Static, as its log may outlive the start. */
static struct {
	char first[256];
	FILE *log; /* stays open: another thread of EAL may write at any time */
} complaint;

/* Keeps a line of EAL's log without its prefix and its end. */
static void
eal_keep(const char *text, size_t size)
{
	static const char prefix[] = "EAL: ";
	const size_t skip = sizeof(prefix) - 1;

	if (size > skip && memcmp(text, prefix, skip) == 0) {
		text += skip;
		size -= skip;
	}
	while (size > 0 && (text[size - 1] == '\n' || text[size - 1] == '.'))
		size--;
	snprintf(complaint.first, sizeof(complaint.first), "%.*s", (int)size, text);
}

static ssize_t
eal_write_log(void *cookie, const char *text, size_t size)
{
	RTE_SET_USED(cookie);
	if (complaint.first[0] == '\0' && rte_log_cur_msg_logtype() == RTE_LOGTYPE_EAL &&
			rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR)
		eal_keep(text, size);
	return fwrite(text, 1, size, stderr) == size ? (ssize_t)size : -1;
}

/* Redirects stdout to nowhere. Returns a copy of the old one, or -1 if it was not redirected. */
static int
eal_put_stdout_aside(void)
{
	int saved, nowhere;

	fflush(stdout);
	saved = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (saved >= 0 && nowhere >= 0)
		dup2(nowhere, STDOUT_FILENO);
	if (nowhere >= 0)
		close(nowhere);
	return saved;
}

static void
eal_put_stdout_back(int saved)
{
	if (saved < 0)
		return;
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
}

static void
eal_say_why(const struct eal_said *said, int error)
{
	if (said->unknown != NULL)
		say_error("EAL does not start: %s: is no option of %s, or not with this value; "
			  "vhost-switch -h -- lists what it takes",
				said->unknown, rte_version());
	else if (complaint.first[0] != '\0')
		say_error("EAL does not start: %s", complaint.first);
	else if (error != 0)
		say_error("EAL does not start: %s; the lines above say what it lacks",
				rte_strerror(error));
	else
		say_error("EAL does not start; the lines above say what it lacks");
}

/* Calls rte_eal_init(), hides its usage and keeps its first error. */
static bool
eal_init(struct eal_args *args)
{
	static const cookie_io_functions_t to_stderr = {.write = eal_write_log};
	int saved = -1, rc;

	complaint.log = fopencookie(NULL, "w", to_stderr);
	if (complaint.log != NULL)
		rte_openlog_stream(complaint.log);
	if (!args->said.help)
		saved = eal_put_stdout_aside();
	rte_errno = 0;
	rc = rte_eal_init(args->argc, args->argv);
	eal_put_stdout_back(saved);
	rte_openlog_stream(NULL);
	if (rc < 0)
		eal_say_why(&args->said, rte_errno);
	return rc >= 0;
}

bool
eal_start(struct eal_args *args, int argc, char **argv)
{
	if (!eal_args_make(args, argc, argv))
		return false;
	if (args->said.help) /* EAL prints its usage, and ends the process */
		return eal_init(args);
	if (!eal_check(&args->said, args->no_huge))
		return false;
	if (args->no_huge)
		fputs("vhost-switch: no hugepages are free, so ordinary pages are used, which is "
		      "slower; to reserve some: echo 256 > /proc/sys/vm/nr_hugepages\n",
				stderr);
	return eal_init(args);
}
