/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Rates of all ports, as top shows processes: see ctl.h. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ctl.h"

/* Clears the screen from its upper left corner on (ECMA-48, CUP and ED). */
#define CLEAR "\033[H\033[J"

static const char *const columns[] = {
		"received", "received_bytes", "sent", "sent_bytes", "dropped", "missed"};

static volatile sig_atomic_t over;

static void
watch_on_signal(int number)
{
	(void)number;
	over = 1;
}

static double
watch_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Returns a port's counters in an earlier sample, or NULL. */
static const json_t *
watch_find(const json_t *stats, const char *name)
{
	const json_t *port;
	size_t i;

	json_array_foreach(json_object_get(stats, "ports"), i, port)
		if (strcmp(json_string_value(json_object_get(port, "name")), name) == 0)
			return port;
	return NULL;
}

static void
watch_print_rate(const json_t *now, const json_t *before, const char *key, double seconds)
{
	json_int_t n = json_integer_value(json_object_get(now, key)) -
			json_integer_value(json_object_get(before, key));

	/* A guest that came back began at zero. */
	printf(" %14.0f", n < 0 ? 0 : n / seconds);
}

/* Prints the rates between two samples. */
static void
watch_print(const json_t *before, const json_t *now, double seconds)
{
	const json_t *port;
	const char *name;
	size_t i, k;

	printf("%-24s", "per second");
	for (k = 0; k < sizeof(columns) / sizeof(columns[0]); k++)
		printf(" %14s", columns[k]);
	putchar('\n');
	json_array_foreach(json_object_get(now, "ports"), i, port) {
		name = json_string_value(json_object_get(port, "name"));
		printf("%-24s", name);
		for (k = 0; k < sizeof(columns) / sizeof(columns[0]); k++)
			watch_print_rate(port, watch_find(before, name), columns[k], seconds);
		putchar('\n');
	}
	ctl_written();
}

int
watch_run(struct ctl *c, double seconds)
{
	const struct timespec nap = {.tv_sec = (time_t)seconds,
			.tv_nsec = (long)((seconds - (time_t)seconds) * 1e9)};
	json_t *before = ctl_ask(c, "stats", json_object()), *now;
	const bool screen = isatty(STDOUT_FILENO);
	double then = watch_now(), at;
	int left = c->count;

	signal(SIGINT, watch_on_signal);
	while (!over && (c->count == 0 || left-- > 0)) {
		nanosleep(&nap, NULL);
		if (over)
			break;
		now = ctl_ask(c, "stats", json_object());
		at = watch_now();
		if (screen)
			fputs(CLEAR, stdout);
		watch_print(before, now, at - then);
		json_decref(before);
		before = now;
		then = at;
	}
	json_decref(before);
	return CTL_OK;
}
