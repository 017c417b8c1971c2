/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Counters for monitors, in the OpenMetrics text format 1.0: see ctl.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

#define TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/* Longest line of a request, and most lines of it, that are read. */
#define REQUEST_MAX 1024
#define HEADERS_MAX 100

/* How long a client has for it, in seconds. */
#define REQUEST_S 5

struct metric {
	const char *key; /* as `stats` has it */
	const char *name; /* of the metric, without the prefix; counters end in _total by themselves */
	const char *help;
};

static const struct metric per_port[] = {
		{"received", "port_received_frames", "Frames taken from the port"},
		{"received_bytes", "port_received_bytes", "Bytes taken from the port"},
		{"delivered", "port_delivered_frames",
				"Received frames that reached at least one port"},
		{"sent", "port_sent_frames", "Frames that the port took"},
		{"sent_bytes", "port_sent_bytes", "Bytes that the port took"},
		{"flooded", "port_flooded_frames", "Further copies of delivered frames"},
		{"missed", "port_missed_frames", "Frames for the port that it did not take"},
		{"signals", "port_signals", "Signals to the guest"},
		{"unlearned", "port_unlearned_addresses",
				"Addresses refused as the port had its share"},
		{"checksums", "port_completed_checksums",
				"Frames whose checksum the switch completed"},
		{"segments", "port_segments", "Frames that longer ones were cut into"},
};

/* Writes a label's value: backslash, quote and newline are escaped. */
static void
metrics_label(FILE *out, const char *value)
{
	for (; *value != '\0'; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else if (*value == '"' || *value == '\\')
			fprintf(out, "\\%c", *value);
		else
			fputc(*value, out);
	}
}

static void
metrics_head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# TYPE vhost_switch_%s %s\n# HELP vhost_switch_%s %s.\n", name, type, name,
			help);
}

static void
metrics_port(FILE *out, const char *name, const json_t *port, const char *reason, json_int_t value)
{
	fprintf(out, "vhost_switch_%s{port=\"", name);
	metrics_label(out, json_string_value(json_object_get(port, "name")));
	if (reason != NULL)
		fprintf(out, "\",reason=\"%s", reason);
	fprintf(out, "\"} %" JSON_INTEGER_FORMAT "\n", value);
}

static void
metrics_counter(FILE *out, const json_t *ports, const struct metric *m)
{
	const json_t *port;
	char total[64];
	size_t i;

	metrics_head(out, m->name, "counter", m->help);
	snprintf(total, sizeof(total), "%s_total", m->name);
	json_array_foreach(ports, i, port)
		metrics_port(out, total, port, NULL,
				json_integer_value(json_object_get(port, m->key)));
}

static void
metrics_drops(FILE *out, const json_t *ports)
{
	const json_t *port, *value;
	const char *reason;
	size_t i;

	metrics_head(out, "port_dropped_frames", "counter",
			"Received frames that were dropped, by reason");
	json_array_foreach(ports, i, port) {
		json_object_foreach(json_object_get(port, "drops"), reason, value)
			metrics_port(out, "port_dropped_frames_total", port, reason,
					json_integer_value(value));
	}
}

static void
metrics_states(FILE *out, const json_t *list)
{
	const json_t *port;
	size_t i;

	metrics_head(out, "port_up", "gauge", "1 if the port works, 0 if it is down");
	json_array_foreach(list, i, port)
		metrics_port(out, "port_up", port, NULL,
				strcmp(json_string_value(json_object_get(port, "state")), "up") ==
						0);
}

/* Prints one number of each worker. */
static void
metrics_workers(FILE *out, const json_t *workers, const char *key, const char *name,
		const char *help)
{
	const json_t *worker;
	size_t i;

	metrics_head(out, name, "gauge", help);
	json_array_foreach(workers, i, worker)
		fprintf(out, "vhost_switch_%s{worker=\"%" JSON_INTEGER_FORMAT "\"} %.6f\n", name,
				json_integer_value(json_object_get(worker, "id")),
				json_number_value(json_object_get(worker, key)));
}

static void
metrics_gauge(FILE *out, const json_t *all, const char *key, const char *help)
{
	metrics_head(out, key, "gauge", help);
	fprintf(out, "vhost_switch_%s %" JSON_INTEGER_FORMAT "\n", key,
			json_integer_value(json_object_get(all, key)));
}

void
metrics_print(struct ctl *c, FILE *out)
{
	json_t *stats = ctl_ask(c, "stats", NULL), *list = ctl_ask(c, "port.list", NULL);
	json_t *hello = ctl_ask(c, "hello", NULL), *shown = ctl_ask(c, "worker.list", NULL);
	const json_t *workers = json_object_get(shown, "workers");
	const json_t *ports = json_object_get(stats, "ports"),
		     *all = json_object_get(stats, "switch");
	const json_t *port;
	size_t i;

	metrics_head(out, "build", "info", "The version that runs");
	fprintf(out, "vhost_switch_build_info{version=\"%s\"} 1\n",
			json_string_value(json_object_get(hello, "version")));
	metrics_gauge(out, all, "workers", "Workers");
	metrics_workers(out, workers, "busy", "worker_busy_ratio",
			"Share of the last second that the worker had something to do");
	metrics_workers(out, workers, "asleep", "worker_asleep_ratio",
			"Share of the last second that the worker slept");
	metrics_gauge(out, all, "addresses", "Addresses in the table");
	metrics_gauge(out, all, "buffers_free", "Free buffers of the uplink");
	metrics_head(out, "devices_stopped", "counter", "Guests stopped for breaking the rules");
	fprintf(out, "vhost_switch_devices_stopped_total %" JSON_INTEGER_FORMAT "\n",
			json_integer_value(json_object_get(all, "devices_stopped")));
	metrics_states(out, json_object_get(list, "ports"));
	metrics_head(out, "port_addresses", "gauge", "Addresses that the port has in the table");
	json_array_foreach(ports, i, port)
		metrics_port(out, "port_addresses", port, NULL,
				json_integer_value(json_object_get(port, "addresses")));
	for (i = 0; i < sizeof(per_port) / sizeof(per_port[0]); i++)
		metrics_counter(out, ports, &per_port[i]);
	metrics_drops(out, ports);
	fputs("# EOF\n", out);
	json_decref(shown);
	json_decref(hello);
	json_decref(list);
	json_decref(stats);
}

/* Reads a request to its end; a part left unread would have the kernel take the answer back. */
static void
metrics_skip_headers(void)
{
	char line[REQUEST_MAX];
	int lines = 0;

	while (lines++ < HEADERS_MAX && fgets(line, sizeof(line), stdin) != NULL &&
			strcmp(line, "\r\n") != 0 && strcmp(line, "\n") != 0)
		;
}

static int
metrics_reply(const char *status, const char *body, size_t len)
{
	printf("HTTP/1.1 %s\r\nContent-Type: " TYPE
	       "\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s",
			status, len, body);
	return CTL_OK;
}

int
metrics_serve(struct ctl *c)
{
	char line[REQUEST_MAX];
	char *body = NULL;
	size_t len = 0;
	FILE *out;

	alarm(REQUEST_S);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return CTL_USAGE;
	metrics_skip_headers();
	if (strncmp(line, "GET /metrics ", strlen("GET /metrics ")) != 0)
		return metrics_reply("404 Not Found", "", 0);
	if (!ctl_reaches(c))
		return metrics_reply("503 Service Unavailable", "", 0);
	out = open_memstream(&body, &len);
	if (out == NULL)
		ctl_die(CTL_REFUSED, "no memory");
	metrics_print(c, out);
	fclose(out);
	metrics_reply("200 OK", body, len);
	free(body);
	return CTL_OK;
}
