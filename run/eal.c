/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * EAL's start: see eal.h for the contract.
 *
 * EAL answers many errors with several lines of its log, of which the first one names the cause, and some
 * releases with a hundred lines of usage on stdout as well. What it does not take is found before it
 * starts (eal_check.h, eal_ask.h). For the rest stdout is redirected while it starts, and its log is read
 * on the way to stderr.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_version.h>

#include "conf/eal_args.h"
#include "conf/eal_check.h"
#include "run/eal.h"
#include "run/eal_ask.h"
#include "base/log.h"

/*
 * What EAL logs while it starts. Static, as its log may outlive the start.
 *
 * The lines are held back for as long as they are few: if EAL does not start because of an
 * option, the switch's own line says all of it. With --log-level they are printed at once.
 */
static struct {
	char first[256]; /* the first error */
	char held[4096];
	size_t n;    /* bytes held */
	bool passes; /* no longer held back */
	FILE *log; /* stays open: EAL's threads may write at any time, and its lock guards the rest */
	FILE *to; /* where it goes: stderr as it was before EAL started */
} complaint;

/* Prints what was held back. From now on nothing is. Also called if EAL ends the process. */
static void
eal_let_pass(void)
{
	if (complaint.log == NULL)
		return;
	flockfile(complaint.log);
	complaint.passes = true;
	fwrite(complaint.held, 1, complaint.n, complaint.to);
	complaint.n = 0;
	funlockfile(complaint.log);
}

static ssize_t
eal_write_log(void *cookie, const char *text, size_t size)
{
	const int level = rte_log_cur_msg_loglevel();

	RTE_SET_USED(cookie);
	/* Levels above that are no errors: the version, if -v asks for it. */
	if (complaint.first[0] == '\0' && rte_log_cur_msg_logtype() == RTE_LOGTYPE_EAL &&
			level == (int)RTE_LOG_ERR)
		eal_ask_trim(complaint.first, sizeof(complaint.first), text, size);
	/* A panic is critical, and ends the process at once. */
	if (level == (int)RTE_LOG_CRIT || size > sizeof(complaint.held) - complaint.n)
		eal_let_pass();
	if (complaint.passes)
		return fwrite(text, 1, size, complaint.to) == size ? (ssize_t)size : -1;
	memcpy(complaint.held + complaint.n, text, size);
	complaint.n += size;
	return size;
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

/* Returns true if the text has the words, with spaces or as they are: "--iova-mode", "iova mode". */
static bool
eal_names(const char *text, const char *words, size_t len)
{
	const char *at;
	size_t i;

	for (at = text; len > 0 && *at != '\0'; at++) {
		if (at > text && isalnum((unsigned char)at[-1]))
			continue;
		for (i = 0; i < len && (at[i] == words[i] || (at[i] == ' ' && words[i] == '-'));
				i++)
			;
		if (i == len && !isalnum((unsigned char)at[i]) && at[i] != '-')
			return true;
	}
	return false;
}

/*
 * Prints the error, and returns true, if EAL's words name an option or the value of one. Alone they are
 * no line of ours: most have either the one or the other, and each release has its own.
 */
static bool
eal_say_option(const struct eal_args *args, const char *why)
{
	const char *name, *value;
	size_t len;
	int i;

	for (i = 1; i < args->argc; i++) {
		name = args->word[i];
		if (name[0] != '-')
			continue;
		len = strcspn(name, "=");
		value = name[len] == '='             ? name + len + 1
				: i + 1 < args->argc ? args->word[i + 1]
						     : "";
		if (value[0] == '-')
			value = "";
		/* A short value, as a number, may be in any text. */
		if (!(name[1] == '-' && eal_names(why, name + 2, len - 2)) &&
				!(strlen(value) > 2 && eal_names(why, value, strlen(value))))
			continue;
		say_error("EAL does not start: %.*s%s%s: %s; vhost-switch -h -- lists what %s takes",
				(int)len, name, *value != '\0' ? " " : "", value, why,
				rte_version());
		return true;
	}
	return false;
}

static void
eal_say_why(const struct eal_args *args, int error)
{
	if (complaint.first[0] != '\0' && eal_say_option(args, complaint.first)) {
		complaint.n = 0; /* says no more */
		return;
	}
	/* An option is at fault, or what it names. Else EAL met a fault of the machine, and all that it said counts. */
	if (complaint.first[0] != '\0' && (error == EINVAL || error == ENODEV)) {
		complaint.n = 0;
		say_error("EAL does not start: %s; vhost-switch -h -- lists what %s takes, "
			  "--log-level=lib.eal:8 shows all that it says",
				complaint.first, rte_version());
		return;
	}
	eal_let_pass();
	if (complaint.first[0] != '\0')
		say_error("EAL does not start: %s", complaint.first);
	else if (error != 0)
		say_error("EAL does not start: %s; the lines above say what it lacks",
				rte_strerror(error));
	else
		say_error("EAL does not start; the lines above say what it lacks");
}

/* Prints an error, and nothing else, if EAL does not take the options. */
static bool
eal_takes(const struct eal_args *args)
{
	char why[256];

	if (eal_ask(args, why, sizeof(why)))
		return true;
	if (args->said.unknown != NULL)
		say_error("EAL does not start: %s: is no option of %s, or not with this value; "
			  "vhost-switch -h -- lists what it takes",
				args->said.unknown, rte_version());
	else if (why[0] == '\0' || !eal_say_option(args, why))
		say_error("EAL does not start: %s; vhost-switch -h -- lists what %s takes",
				why[0] != '\0' ? why : "it refuses an option", rte_version());
	return false;
}

/* Calls rte_eal_init(), hides its usage, holds its log back and keeps its first error. */
static bool
eal_init(struct eal_args *args)
{
	static const cookie_io_functions_t to_stderr = {.write = eal_write_log};
	int saved = -1, rc;

	complaint.to = stderr;
	complaint.log = fopencookie(NULL, "w", to_stderr);
	complaint.passes = args->said.help || args->said.log_level || atexit(eal_let_pass) != 0;
	if (complaint.log != NULL) {
		setvbuf(complaint.log, NULL, _IOLBF, 0);
		rte_openlog_stream(complaint.log);
		/* Of some errors EAL prints a line past its log. In glibc stderr is a variable. */
		stderr = complaint.log;
	}
	if (!args->said.help)
		saved = eal_put_stdout_aside();
	rte_errno = 0;
	rc = rte_eal_init(args->argc, args->argv);
	eal_put_stdout_back(saved);
	stderr = complaint.to;
	rte_openlog_stream(NULL);
	if (rc < 0)
		eal_say_why(args, rte_errno);
	else
		eal_let_pass();
	return rc >= 0;
}

bool
eal_start(struct eal_args *args, int argc, char **argv)
{
	if (!eal_args_make(args, argc, argv))
		return false;
	if (args->said.help) /* EAL prints its usage, and ends the process */
		return eal_init(args);
	if (!eal_check(&args->said, args->no_huge) || !eal_takes(args))
		return false;
	if (args->no_huge)
		fputs("vhost-switch: no hugepages are free, so ordinary pages are used, which is "
		      "slower; to reserve some: echo 256 > /proc/sys/vm/nr_hugepages\n",
				stderr);
	return eal_init(args);
}
