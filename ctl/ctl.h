/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * vhost-switch-ctl: asks a running switch, by its control socket, and changes it.
 *
 * One process for one command, one thread. ctl.c reads the command line; command.c has the table of commands; ask.c
 * speaks JSON-RPC; io.c reads files and looks after the output; the other files print answers for people (show.c,
 * watch.c) and for monitors (metrics.c).
 */
#ifndef CTL_H
#define CTL_H

#include <stdbool.h>
#include <stdio.h>

#include <jansson.h>

/* Exit statuses. */
enum {
	CTL_OK = 0,
	CTL_REFUSED = 1, /* the switch refused, and said why; or the output can't be written */
	CTL_USAGE = 2,
	CTL_ABSENT = 3, /* no switch answers */
};

/* How this program was called. */
struct ctl {
	const char *path;      /* path of the control socket */
	bool json;             /* print results as they came */
	int count;             /* how many times watch looks; 0: until it is interrupted */
	bool dry;              /* apply: only check */
	FILE *socket;          /* for reading; open once something was asked */
	unsigned int patience; /* how many seconds the switch has for an answer */
	int status;            /* why ctl_try() failed: the exit status */
	char error[1024];      /* why ctl_try() failed, in words */
};

/* Seconds that the switch has for an answer. A change may wait 2 s for guests to be disconnected. */
#define CTL_PATIENCE_S 15

/* Carries out a command of n words, at least one. Returns the exit status. */
int ctl_run(struct ctl *c, int n, char **word);

/* Prints a help text for each command. */
void ctl_print_commands(void);

/* Returns a number that somebody wrote; `what` says in the error what it is. If it is none, prints that and exits. */
json_int_t ctl_number(const char *what, const char *text);

/*
 * Asks the switch. Takes `params`, an empty object if there are none. Returns the result, which the caller frees. If
 * there is no switch, or if it refuses, this prints why and exits.
 */
json_t *ctl_ask(struct ctl *c, const char *method, json_t *params);

/*
 * Asks as ctl_ask() does, but if there is no switch, or if it refuses, returns NULL, and leaves why in c->status and
 * c->error. Then nothing more can be asked.
 */
json_t *ctl_try(struct ctl *c, const char *method, json_t *params);

/* Returns true if there is a switch to ask. */
bool ctl_reaches(struct ctl *c);

/* From now on ctl_read() waits without a limit. */
void ctl_wait_for_ever(const struct ctl *c);

/* Reads one line that the switch sends by itself. NULL: it has hung up. */
json_t *ctl_read(struct ctl *c);

/* Prints a line on stderr, and exits with a status. */
__attribute__((noreturn, format(printf, 2, 3))) void ctl_die(int status, const char *format, ...);

/* Returns what a file holds; "-": stdin. If that is no text, or can't be read, this prints why and exits. */
char *ctl_read_file(const char *name);

/*
 * Writes out what was printed. If that fails, this prints why and exits: a file that was saved on a full disk must not
 * pass for a whole one.
 */
void ctl_written(void);

/* Print results for people. */
void show_nothing(const json_t *result); /* the exit status says that it was done */
void show_ports(const json_t *result);
void show_port(const json_t *result); /* of one port, with all details */
void show_fdb(const json_t *result);
void show_flushed(const json_t *result);
void show_explanation(const json_t *result);
void show_workers(const json_t *result);
void show_moved(const json_t *result);
void show_stats(const json_t *result);
void show_port_stats(const json_t *result); /* of one port, without what is not its own */
void show_event(const json_t *event);
void show_file(const json_t *result);
void show_switch(const json_t *result);

enum metrics_format {
	METRICS_OPENMETRICS, /* the OpenMetrics text format 1.0 */
	METRICS_PROMETHEUS,  /* the text format of Prometheus, 0.0.4 */
};

/* Prints counters. Returns false as ctl_try() does. */
bool metrics_print(struct ctl *c, enum metrics_format format, FILE *out);

/*
 * Answers one HTTP request on stdin and stdout with the metrics, in OpenMetrics if it accepts that. Returns the exit
 * status.
 */
int metrics_serve(struct ctl *c);

/* Shows rates, again and again. Returns the exit status. */
int watch_run(struct ctl *c, double seconds);

#endif /* CTL_H */
