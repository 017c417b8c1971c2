/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Answers as tables for people: see ctl.h. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

#define COLUMNS_MAX 10 /* show_ports() has the most: 9 */

/* A table whose cells are printed once the width of each column is known. */
struct table {
	unsigned int columns, rows, room;
	char **cell;
};

static char **
table_cell(struct table *t, unsigned int row, unsigned int column)
{
	return &t->cell[row * t->columns + column];
}

static void *
table_alloc(void *memory)
{
	if (memory == NULL)
		ctl_die(CTL_REFUSED, "no memory");
	return memory;
}

/* Adds a row of t->columns texts. */
static void
table_add(struct table *t, const char *const *text)
{
	unsigned int i;

	if (t->rows == t->room) {
		t->room = 2 * t->room + 16;
		t->cell = table_alloc(
				realloc(t->cell, (size_t)t->room * t->columns * sizeof(*t->cell)));
	}
	for (i = 0; i < t->columns; i++)
		*table_cell(t, t->rows, i) = table_alloc(strdup(text[i] != NULL ? text[i] : ""));
	t->rows++;
}

/* Prints and frees a table. No line ends with spaces. */
static void
table_print(struct table *t)
{
	unsigned int width[COLUMNS_MAX] = {0}, row, i, len;

	for (row = 0; row < t->rows; row++) {
		for (i = 0; i < t->columns; i++) {
			len = strlen(*table_cell(t, row, i));
			width[i] = len > width[i] ? len : width[i];
		}
	}
	for (row = 0; row < t->rows; row++) {
		for (i = 0; i + 1 < t->columns; i++)
			printf("%-*s  ", (int)width[i], *table_cell(t, row, i));
		printf("%s\n", *table_cell(t, row, i));
	}
	for (i = 0; i < t->rows * t->columns; i++)
		free(t->cell[i]);
	free(t->cell);
}

static const char *
show_text(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text != NULL ? text : "";
}

static const char *
show_number(const json_t *o, const char *key, char text[24])
{
	const json_t *value = json_object_get(o, key);

	snprintf(text, 24, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	return json_is_integer(value) ? text : "";
}

/* Adds the row of a guest, or of a port without one. */
static void
show_add_row(struct table *t, const json_t *port, const json_t *of)
{
	const char *why = show_text(of, "why");
	char device[24], vlan[24], received[24], sent[24], dropped[24], missed[24];
	const char *const row[] = {
			show_text(of, "name"),
			why[0] == '\0' && strcmp(show_text(port, "state"), "up") == 0 ? "up"
										      : "down",
			show_number(of, "device", device),
			show_number(of, "vlan", vlan),
			show_number(of, "received", received),
			show_number(of, "sent", sent),
			show_number(of, "dropped", dropped),
			show_number(of, "missed", missed),
			why,
	};

	table_add(t, row);
}

/* Prints all settings of a port, and its drops by reason. */
static void
show_details(const json_t *port)
{
	const json_t *value, *guest;
	const char *key;
	size_t i;

	json_object_foreach(json_object_get(port, "settings"), key, value)
		printf("  %s=%s\n", key, json_string_value(value));
	json_array_foreach(json_object_get(port, "guests"), i, guest) {
		json_object_foreach(json_object_get(guest, "drops"), key, value)
			if (json_integer_value(value) != 0)
				printf("  %s dropped %s: %" JSON_INTEGER_FORMAT "\n",
						show_text(guest, "name"), key,
						json_integer_value(value));
	}
	json_object_foreach(json_object_get(port, "drops"), key, value)
		if (json_integer_value(value) != 0)
			printf("  dropped %s: %" JSON_INTEGER_FORMAT "\n", key,
					json_integer_value(value));
}

void
show_nothing(const json_t *result)
{
	(void)result;
}

void
show_ports(const json_t *result)
{
	static const char *const head[] = {"PORT", "STATE", "DEVICE", "VLAN", "RECEIVED", "SENT",
			"DROPPED", "MISSED", "WHY"};
	struct table t = {.columns = sizeof(head) / sizeof(head[0])};
	const json_t *ports = json_object_get(result, "ports"), *port, *guests, *guest;
	size_t i, k;

	table_add(&t, head);
	json_array_foreach(ports, i, port) {
		guests = json_object_get(port, "guests");
		if (json_array_size(guests) == 0)
			show_add_row(&t, port, port);
		json_array_foreach(guests, k, guest)
			show_add_row(&t, port, guest);
	}
	table_print(&t);
}

void
show_port(const json_t *result)
{
	show_ports(result);
	show_details(json_array_get(json_object_get(result, "ports"), 0));
}

void
show_fdb(const json_t *result)
{
	static const char *const head[] = {"ADDRESS", "PORT", "AGE", "FILTER", ""};
	struct table t = {.columns = sizeof(head) / sizeof(head[0])};
	const json_t *e;
	char age[24];
	size_t i;

	table_add(&t, head);
	json_array_foreach(json_object_get(result, "entries"), i, e) {
		const char *const row[] = {show_text(e, "mac"), show_text(e, "port"),
				show_number(e, "age", age), show_text(e, "filter"),
				json_is_true(json_object_get(e, "waits"))
						? "static, its guest is away"
						: json_is_true(json_object_get(e, "static"))
						? "static"
						: ""};

		table_add(&t, row);
	}
	table_print(&t);
}

void
show_flushed(const json_t *result)
{
	printf("%" JSON_INTEGER_FORMAT " addresses forgotten\n",
			json_integer_value(json_object_get(result, "flushed")));
}

/* Writes a ratio as a percentage. */
static const char *
show_percent(const json_t *o, const char *key, char text[24])
{
	snprintf(text, 24, "%.1f%%", 100 * json_real_value(json_object_get(o, key)));
	return text;
}

void
show_moved(const json_t *result)
{
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(result, "moved"), i, one) {
		printf("%s -> worker %" JSON_INTEGER_FORMAT "\n", show_text(one, "port"),
				json_integer_value(json_object_get(one, "worker")));
	}
}

/* Returns the devices of a worker's rings, which the caller frees. */
static char *
show_rings(const json_t *worker)
{
	const json_t *ring;
	char device[24], *text;
	size_t i, size;
	FILE *f = table_alloc(open_memstream(&text, &size));

	json_array_foreach(json_object_get(worker, "rings"), i, ring)
		fprintf(f, "%s%s", i == 0 ? "" : " ",
				json_object_get(ring, "device") != NULL
						? show_number(ring, "device", device)
						: "uplink");
	fclose(f);
	return table_alloc(text);
}

void
show_workers(const json_t *result)
{
	static const char *const head[] = {
			"WORKER", "LCORE", "BUSY", "ASLEEP", "FRAMES/S", "CYCLES", "RINGS"};
	struct table t = {.columns = sizeof(head) / sizeof(head[0])};
	const json_t *worker;
	char id[24], lcore[24], busy[24], asleep[24], frames[24], cycles[24];
	char *rings;
	size_t i;

	table_add(&t, head);
	json_array_foreach(json_object_get(result, "workers"), i, worker) {
		const char *row[7];

		rings = show_rings(worker);
		row[0] = show_number(worker, "id", id);
		row[1] = show_number(worker, "lcore", lcore);
		row[2] = show_percent(worker, "busy", busy);
		row[3] = show_percent(worker, "asleep", asleep);
		row[4] = show_number(worker, "frames", frames);
		row[5] = show_number(worker, "cycles_per_frame", cycles);
		row[6] = rings;
		table_add(&t, row);
		free(rings);
	}
	table_print(&t);
}

/* Prints all counters of something, and its drops by reason. */
static void
show_counters(const char *name, const json_t *of)
{
	const json_t *value, *drop;
	const char *key, *reason;

	printf("%s\n", name);
	json_object_foreach((json_t *)(uintptr_t)of, key, value) {
		if (json_is_integer(value))
			printf("  %s %" JSON_INTEGER_FORMAT "\n", key, json_integer_value(value));
		json_object_foreach((json_t *)(uintptr_t)value, reason, drop)
			if (json_integer_value(drop) != 0)
				printf("  dropped, %s %" JSON_INTEGER_FORMAT "\n", reason,
						json_integer_value(drop));
	}
}

void
show_port_stats(const json_t *result)
{
	const json_t *port;
	size_t i;

	json_array_foreach(json_object_get(result, "ports"), i, port)
		show_counters(show_text(port, "name"), port);
}

/* No port is called as the other two: `departed` is refused as a name, and none has a space. */
void
show_stats(const json_t *result)
{
	show_port_stats(result);
	show_counters("departed", json_object_get(result, "departed"));
	show_counters("the switch", json_object_get(result, "switch"));
}

void
show_explanation(const json_t *result)
{
	const char *reason = show_text(result, "reason");
	const json_t *item;
	size_t i;

	printf("%s%s%s", show_text(result, "verdict"), reason[0] != '\0' ? ": " : "", reason);
	json_array_foreach(json_object_get(result, "ports"), i, item)
		printf("%s %s", i == 0 ? ":" : "", json_string_value(item));
	putchar('\n');
	json_array_foreach(json_object_get(result, "steps"), i, item)
		printf("  %s\n", json_string_value(item));
}

void
show_event(const json_t *event)
{
	const json_t *params = json_object_get(event, "params"), *value;
	const char *key;

	printf("%s %s", show_text(params, "time"), show_text(params, "event"));
	json_object_foreach((json_t *)(uintptr_t)params, key, value) {
		if (strcmp(key, "time") == 0 || strcmp(key, "event") == 0)
			continue;
		if (json_is_string(value))
			printf(" %s=%s", key, json_string_value(value));
		else
			printf(" %s=%" JSON_INTEGER_FORMAT, key, json_integer_value(value));
	}
	putchar('\n');
}

void
show_file(const json_t *result)
{
	fputs(show_text(result, "text"), stdout);
}

void
show_switch(const json_t *result)
{
	printf("vhost-switch %s, process %" JSON_INTEGER_FORMAT ", interface %" JSON_INTEGER_FORMAT
	       "\n",
			show_text(result, "version"),
			json_integer_value(json_object_get(result, "pid")),
			json_integer_value(json_object_get(result, "api")));
}
