/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The commands: see ctl.h. */
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

/*
 * X(name, arguments, sentence for --help and the man page)
 *
 * To add a command, add a line here, and ctl_NAME() below.
 */
#define COMMANDS(X) \
	X(show, "[PORT]", "ports and their guests: state, counters and, if one is down, why") \
	X(add, "PORT socket=PATH [KEY=VALUE...]", "adds a port, with the keys of --port") \
	X(set, "PORT KEY=VALUE...", \
			"changes keys of a port; KEY= alone: back to its default. worker=N has worker N " \
			"poll the rings of the guests that it has now") \
	X(del, "PORT", "ends the guests of a port and removes it") \
	X(fdb, "[show [PORT] | add ADDRESS PORT | del ADDRESS | flush [PORT]]", \
			"learned addresses: shows, puts, forgets them") \
	X(explain, "from=PORT to=ADDRESS [vlan=N] [source=ADDRESS]", \
			"where a frame would go, and why; none is sent") \
	X(workers, "[move PORT WORKER | rebalance]", \
			"workers: their load, and the devices whose rings each of them polls; moves rings") \
	X(stats, "[PORT]", \
			"all counters: of ports, of guests that have left (departed) and of the switch") \
	X(watch, "[SECONDS]", "rates of all ports every SECONDS, like top; default 1") \
	X(events, "", "a line for each event, as it happens") \
	X(apply, "[FILE]", \
			"makes ports be as a configuration file says, or standard input if FILE is -; " \
			"without FILE: the switch's own") \
	X(save, "", "prints the present settings as a configuration file") \
	X(metrics, "[openmetrics | prometheus]", \
			"counters for monitors, in the OpenMetrics format or the older one of Prometheus") \
	X(log, "error|warning|notice|info|debug", "the least level that the switch logs") \
	X(hello, "", "the switch's version, process, and the number of its interface")

/* The words of a command, its name first. */
struct words {
	int n;
	char **word;
	const char *arguments; /* that it takes, as COMMANDS has them */
};

static __attribute__((noreturn)) void
ctl_usage(const struct words *w)
{
	ctl_die(CTL_USAGE, "usage: vhost-switch-ctl %s %s", w->word[0], w->arguments);
}

/* What is asked for is JSON. An argument that can't be a part of it must not be left out, as that may ask for more. */
static void
ctl_want_utf8(const struct words *w)
{
	json_t *text;
	int i;

	for (i = 1; i < w->n; i++) {
		text = json_string(w->word[i]);
		if (text == NULL)
			ctl_die(CTL_USAGE, "%s: is not UTF-8", w->word[i]);
		json_decref(text);
	}
}

static void
ctl_want(const struct words *w, int least, int most)
{
	if (w->n - 1 < least || w->n - 1 > most)
		ctl_usage(w);
}

/* Prints a result as it came, if that is asked for. */
static bool
ctl_printed(const struct ctl *c, const json_t *result)
{
	if (!c->json)
		return false;
	json_dumpf(result, stdout, JSON_INDENT(2));
	putchar('\n');
	return true;
}

/* Prints a result, by `show` if it is not wanted as it came, and frees it. Returns the exit status. */
static int
ctl_end(const struct ctl *c, json_t *result, void (*show)(const json_t *result))
{
	if (!ctl_printed(c, result))
		show(result);
	ctl_written(); /* events are followed as they come, also in a pipe */
	json_decref(result);
	return CTL_OK;
}

static void
ctl_print_lines(const json_t *lines)
{
	const json_t *line;
	size_t i;

	json_array_foreach(lines, i, line)
		printf("%s\n", json_string_value(line));
}

/* Prints what a change came to. */
static int
ctl_changed(const struct ctl *c, json_t *result)
{
	const char *warning = json_string_value(json_object_get(result, "warning"));
	const json_t *name;
	size_t i;

	if (!ctl_printed(c, result)) {
		ctl_print_lines(json_object_get(result, "diff"));
		json_array_foreach(json_object_get(result, "reconnects"), i, name)
			printf("guests of %s have to connect again\n", json_string_value(name));
	}
	if (warning != NULL)
		fprintf(stderr, "vhost-switch-ctl: %s\n", warning);
	ctl_written();
	json_decref(result);
	return warning != NULL ? CTL_REFUSED : CTL_OK;
}

static int
ctl_show(struct ctl *c, const struct words *w)
{
	const char *port = w->n > 1 ? w->word[1] : NULL;

	ctl_want(w, 0, 1);
	return ctl_end(c, ctl_ask(c, "port.list", json_pack("{s:s*}", "name", port)),
			port != NULL ? show_port : show_ports);
}

/* Cuts KEY=VALUE in two. Returns the value. */
static char *
ctl_value(char *word)
{
	char *equals = strchr(word, '=');

	if (equals == NULL || equals == word)
		ctl_die(CTL_USAGE, "%s: must be KEY=VALUE", word);
	*equals = '\0';
	return equals + 1;
}

json_int_t
ctl_number(const char *what, const char *text)
{
	char *end;
	long n = strtol(text, &end, 10);

	if (text[0] == '\0' || *end != '\0')
		ctl_die(CTL_USAGE, "%s %s: must be a number", what, text);
	return n;
}

/* Returns the parameters of a port: its name, and KEY=VALUE. */
static json_t *
ctl_keys(const struct words *w)
{
	json_t *params = json_pack("{s:s}", "name", w->word[1]);
	char *value;
	int i;

	for (i = 2; i < w->n; i++) {
		value = ctl_value(w->word[i]);
		if (strcmp(w->word[i], "name") == 0)
			ctl_die(CTL_USAGE, "name=%s: a port keeps its name", value);
		json_object_set_new(params, w->word[i],
				value[0] != '\0' ? json_string(value) : json_null());
	}
	return params;
}

static int
ctl_add(struct ctl *c, const struct words *w)
{
	ctl_want(w, 1, 64);
	return ctl_changed(c, ctl_ask(c, "port.add", ctl_keys(w)));
}

/* Has a worker poll the rings of a port's guests. */
static json_t *
ctl_move(struct ctl *c, const char *port, const char *worker)
{
	return ctl_ask(c, "worker.move",
			json_pack("{s:s, s:I}", "port", port, "worker",
					ctl_number("worker", worker)));
}

/* worker=N is no setting, and no key of --port: the next guest's rings are divided as ever. */
static int
ctl_set(struct ctl *c, const struct words *w)
{
	const char *number;
	json_t *keys, *worker;
	int status;

	ctl_want(w, 2, 64);
	keys = ctl_keys(w);
	worker = json_object_get(keys, "worker");
	if (worker == NULL)
		return ctl_changed(c, ctl_ask(c, "port.set", keys));
	/* Of two requests one could be refused when the other is carried out. */
	if (json_object_size(keys) > 2)
		ctl_die(CTL_USAGE,
				"worker=: is no setting: move the rings by a command of its own");
	number = json_string_value(worker);
	status = ctl_end(c, ctl_move(c, w->word[1], number != NULL ? number : ""), show_moved);
	json_decref(keys);
	return status;
}

static int
ctl_del(struct ctl *c, const struct words *w)
{
	ctl_want(w, 1, 1);
	return ctl_changed(c, ctl_ask(c, "port.del", json_pack("{s:s}", "name", w->word[1])));
}

/* Returns the whole table, or a port's part: it comes in pages. */
static json_t *
ctl_fdb_list(struct ctl *c, const char *port)
{
	json_t *all = json_array(), *page, *next = NULL;

	do {
		page = ctl_ask(c, "fdb.list",
				json_pack("{s:s*, s:o*}", "port", port, "from", next));
		json_array_extend(all, json_object_get(page, "entries"));
		next = json_incref(json_object_get(page, "next"));
		json_decref(page);
	} while (!json_is_null(next));
	return json_pack("{s:o}", "entries", all);
}

static int
ctl_fdb(struct ctl *c, const struct words *w)
{
	const char *what = w->n > 1 ? w->word[1] : "show", *first = w->n > 2 ? w->word[2] : NULL;
	json_t *params;

	if (strcmp(what, "show") == 0 && w->n <= 3)
		return ctl_end(c, ctl_fdb_list(c, first), show_fdb);
	if (strcmp(what, "add") == 0 && w->n == 4) {
		params = json_pack("{s:s, s:s}", "mac", first, "port", w->word[3]);
		return ctl_end(c, ctl_ask(c, "fdb.add", params), show_nothing);
	}
	if (strcmp(what, "del") == 0 && w->n == 3) {
		params = json_pack("{s:s}", "mac", first);
		return ctl_end(c, ctl_ask(c, "fdb.del", params), show_nothing);
	}
	if (strcmp(what, "flush") == 0 && w->n <= 3) {
		params = json_pack("{s:s*}", "port", first);
		return ctl_end(c, ctl_ask(c, "fdb.flush", params), show_flushed);
	}
	ctl_usage(w);
}

static int
ctl_explain(struct ctl *c, const struct words *w)
{
	json_t *params = json_object();
	char *value;
	int i;

	ctl_want(w, 2, 4);
	for (i = 1; i < w->n; i++) {
		value = ctl_value(w->word[i]);
		json_object_set_new(params, w->word[i],
				strcmp(w->word[i], "vlan") == 0
						? json_integer(ctl_number("vlan", value))
						: json_string(value));
	}
	return ctl_end(c, ctl_ask(c, "explain", params), show_explanation);
}

/* Moves the rings of a port's guests, or those that the switch chooses. */
static json_t *
ctl_move_rings(struct ctl *c, const struct words *w)
{
	int n;

	if (strcmp(w->word[1], "rebalance") == 0) {
		ctl_want(w, 1, 1);
		return ctl_ask(c, "worker.rebalance", json_object());
	}
	n = strcmp(w->word[1], "move") == 0 ? 3 : 0;
	ctl_want(w, n, n);
	return ctl_move(c, w->word[2], w->word[3]);
}

static int
ctl_workers(struct ctl *c, const struct words *w)
{
	if (w->n > 1)
		return ctl_end(c, ctl_move_rings(c, w), show_moved);
	return ctl_end(c, ctl_ask(c, "worker.list", json_object()), show_workers);
}

static int
ctl_stats(struct ctl *c, const struct words *w)
{
	const char *port = w->n > 1 ? w->word[1] : NULL;

	ctl_want(w, 0, 1);
	return ctl_end(c, ctl_ask(c, "stats", json_pack("{s:s*}", "port", port)),
			port != NULL ? show_port_stats : show_stats);
}

static int
ctl_watch(struct ctl *c, const struct words *w)
{
	double seconds = 1;
	char *end = NULL;

	ctl_want(w, 0, 1);
	if (w->n > 1)
		seconds = strtod(w->word[1], &end);
	if ((end != NULL && *end != '\0') || !(seconds >= 0.1 && seconds <= 3600))
		ctl_die(CTL_USAGE, "watch %s: must be from 0.1 to 3600 seconds", w->word[1]);
	return watch_run(c, seconds);
}

static int
ctl_events(struct ctl *c, const struct words *w)
{
	json_t *event;
	int left = c->count;

	ctl_want(w, 0, 0);
	json_decref(ctl_ask(c, "events.subscribe", json_object()));
	ctl_wait_for_ever(c);
	while (c->count == 0 || left-- > 0) {
		event = ctl_read(c);
		if (event == NULL)
			ctl_die(CTL_ABSENT, "the switch at %s has ended", c->path);
		ctl_end(c, event, show_event);
	}
	return CTL_OK;
}

static int
ctl_apply(struct ctl *c, const struct words *w)
{
	char *text = NULL;
	json_t *params;

	ctl_want(w, 0, 1);
	if (w->n > 1)
		text = ctl_read_file(w->word[1]);
	params = json_pack("{s:s*}", "text", text);
	if (params == NULL)
		ctl_die(CTL_USAGE, "%s: is not UTF-8", w->word[1]);
	free(text);
	return ctl_changed(c, ctl_ask(c, c->dry ? "config.check" : "config.apply", params));
}

static int
ctl_save(struct ctl *c, const struct words *w)
{
	ctl_want(w, 0, 0);
	return ctl_end(c, ctl_ask(c, "config.save", json_object()), show_file);
}

static int
ctl_metrics(struct ctl *c, const struct words *w)
{
	const char *format = w->n > 1 ? w->word[1] : "openmetrics";
	bool printed;

	ctl_want(w, 0, 1);
	if (strcmp(format, "http") == 0) /* for vhost-switch-metrics@.service */
		return metrics_serve(c);
	if (strcmp(format, "openmetrics") == 0)
		printed = metrics_print(c, METRICS_OPENMETRICS, stdout);
	else if (strcmp(format, "prometheus") == 0)
		printed = metrics_print(c, METRICS_PROMETHEUS, stdout);
	else
		ctl_usage(w);
	if (!printed)
		ctl_die(c->status, "%s", c->error);
	ctl_written();
	return CTL_OK;
}

static int
ctl_log(struct ctl *c, const struct words *w)
{
	json_t *params;

	ctl_want(w, 1, 1);
	params = json_pack("{s:s}", "level", w->word[1]);
	return ctl_end(c, ctl_ask(c, "log.set", params), show_nothing);
}

static int
ctl_hello(struct ctl *c, const struct words *w)
{
	ctl_want(w, 0, 0);
	return ctl_end(c, ctl_ask(c, "hello", json_object()), show_switch);
}

static const struct command {
	const char *name, *arguments, *help;
	int (*run)(struct ctl *c, const struct words *w);
} commands[] = {
#define COMMAND(name, arguments, help) {#name, arguments, help, ctl_##name},
		COMMANDS(COMMAND)
#undef COMMAND
};

#define COMMANDS_N (sizeof(commands) / sizeof(commands[0]))

void
ctl_print_commands(void)
{
	size_t i;

	for (i = 0; i < COMMANDS_N; i++)
		printf("  %s%s%s\n      %s\n", commands[i].name,
				*commands[i].arguments != 0 ? " " : "", commands[i].arguments,
				commands[i].help);
}

/* Refuses an option that the command does not have. If it were ignored, `--dry-run del PORT` would remove the port. */
static void
ctl_check_options(const struct ctl *c, const struct command *command)
{
	const bool counts = command->run == ctl_watch || command->run == ctl_events;

	if (c->dry && command->run != ctl_apply)
		ctl_die(CTL_USAGE, "--dry-run: only apply has it");
	if (c->count != 0 && !counts)
		ctl_die(CTL_USAGE, "--count: only watch and events have it");
	if (c->json && (command->run == ctl_watch || command->run == ctl_metrics))
		ctl_die(CTL_USAGE, "--json: %s does not have it; -j stats prints the counters",
				command->name);
}

int
ctl_run(struct ctl *c, int n, char **word)
{
	struct words w = {.n = n, .word = word};
	size_t i;

	for (i = 0; i < COMMANDS_N; i++) {
		if (strcmp(commands[i].name, w.word[0]) != 0)
			continue;
		w.arguments = commands[i].arguments;
		ctl_check_options(c, &commands[i]);
		if (commands[i].run != ctl_apply) /* which has a path, of any bytes */
			ctl_want_utf8(&w);
		return commands[i].run(c, &w);
	}
	ctl_die(CTL_USAGE, "%s: no such command; see --help", w.word[0]);
}
