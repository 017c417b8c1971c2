/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Counters for monitors, in the OpenMetrics text format 1.0 or the older one of Prometheus (0.0.4): see
 * ctl.h. In the older one a counter's own name ends in _total, and there is no type "info" and no mark at the end.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "ctl.h"

#define OPENMETRICS "application/openmetrics-text"
#define TYPE_OPENMETRICS OPENMETRICS "; version=1.0.0; charset=utf-8"
#define TYPE_PROMETHEUS "text/plain; version=0.0.4; charset=utf-8"

/* Longest line of a request, and most lines of it, that are read. */
#define REQUEST_MAX 1024
#define HEADERS_MAX 100

/* How long a client has to send its request, and again to take the answer, in seconds. */
#define REQUEST_S 5

/* How long the switch has for each of four answers. Prometheus hangs up after 10 s for all. */
#define ANSWER_S 2

struct page {
	FILE *out;
	enum metrics_format format;
};

struct metric {
	const char *key; /* as `stats` has it */
	const char *name; /* of the metric, without the prefix: "port" or "departed"; "_total" is added */
	const char *help;
};

static const struct metric counters[] = {
		{"received", "received_frames", "Frames taken from the port"},
		{"received_bytes", "received_bytes", "Bytes taken from the port"},
		{"delivered", "delivered_frames", "Received frames that reached at least one port"},
		{"sent", "sent_frames", "Frames that the port took"},
		{"sent_bytes", "sent_bytes", "Bytes that the port took"},
		{"flooded", "flooded_frames", "Further copies of delivered frames"},
		{"missed", "missed_frames", "Frames for the port that it did not take"},
		{"signals", "signals", "Signals to the guest"},
		{"unlearned", "unlearned_addresses", "Addresses refused as the port had its quota"},
		{"checksums", "completed_checksums", "Frames whose checksum the switch completed"},
		{"segments", "segments", "Frames that longer ones were cut into"},
};

#define COUNTERS_N (sizeof(counters) / sizeof(counters[0]))

#define DROPPED "Received frames that were dropped, by reason"

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
metrics_head(const struct page *p, const char *name, const char *type, const char *help)
{
	const char *suffix = "";

	if (p->format == METRICS_PROMETHEUS && strcmp(type, "counter") == 0) {
		suffix = "_total";
	} else if (p->format == METRICS_PROMETHEUS && strcmp(type, "info") == 0) {
		suffix = "_info";
		type = "gauge";
	}
	fprintf(p->out, "# TYPE vhost_switch_%s%s %s\n# HELP vhost_switch_%s%s %s.\n", name, suffix,
			type, name, suffix, help);
}

static void
metrics_port(const struct page *p, const char *name, const json_t *port, const char *reason,
		json_int_t value)
{
	fprintf(p->out, "vhost_switch_%s{port=\"", name);
	metrics_label(p->out, json_string_value(json_object_get(port, "name")));
	if (reason != NULL)
		fprintf(p->out, "\",reason=\"%s", reason);
	fprintf(p->out, "\"} %" JSON_INTEGER_FORMAT "\n", value);
}

static void
metrics_counter(const struct page *p, const json_t *ports, const struct metric *m)
{
	const json_t *port;
	char name[64];
	size_t i;

	snprintf(name, sizeof(name), "port_%s", m->name);
	metrics_head(p, name, "counter", m->help);
	snprintf(name, sizeof(name), "port_%s_total", m->name);
	json_array_foreach(ports, i, port)
		metrics_port(p, name, port, NULL,
				json_integer_value(json_object_get(port, m->key)));
}

static void
metrics_drops(const struct page *p, const json_t *ports)
{
	const json_t *port, *value;
	const char *reason;
	size_t i;

	metrics_head(p, "port_dropped_frames", "counter", DROPPED);
	json_array_foreach(ports, i, port) {
		json_object_foreach(json_object_get(port, "drops"), reason, value)
			metrics_port(p, "port_dropped_frames_total", port, reason,
					json_integer_value(value));
	}
}

/*
 * Prints what guests that have left had counted. It has names of its own, as it is no rate of a port: all that a guest
 * ever counted is added at the moment in which it leaves, and a sum of rates over ports would have it twice.
 */
static void
metrics_departed(const struct page *p, const json_t *departed)
{
	const struct metric *m;
	const json_t *value;
	const char *reason;
	char name[64], help[128];

	for (m = counters; m < counters + COUNTERS_N; m++) {
		snprintf(name, sizeof(name), "departed_%s", m->name);
		snprintf(help, sizeof(help), "Guests that have left: %s", m->help);
		metrics_head(p, name, "counter", help);
		fprintf(p->out, "vhost_switch_departed_%s_total %" JSON_INTEGER_FORMAT "\n",
				m->name, json_integer_value(json_object_get(departed, m->key)));
	}
	metrics_head(p, "departed_dropped_frames", "counter", "Guests that have left: " DROPPED);
	json_object_foreach(json_object_get(departed, "drops"), reason, value)
		fprintf(p->out,
				"vhost_switch_departed_dropped_frames_total{reason=\"%s\"} "
				"%" JSON_INTEGER_FORMAT "\n",
				reason, json_integer_value(value));
}

static void
metrics_states(const struct page *p, const json_t *list)
{
	const json_t *port;
	size_t i;

	metrics_head(p, "port_up", "gauge", "1 if the port works, 0 if it is down");
	json_array_foreach(list, i, port)
		metrics_port(p, "port_up", port, NULL,
				strcmp(json_string_value(json_object_get(port, "state")), "up") ==
						0);
}

/* Prints one number of each worker. */
static void
metrics_workers(const struct page *p, const json_t *workers, const char *key, const char *name,
		const char *help)
{
	const json_t *worker;
	size_t i;

	metrics_head(p, name, "gauge", help);
	json_array_foreach(workers, i, worker)
		fprintf(p->out, "vhost_switch_%s{worker=\"%" JSON_INTEGER_FORMAT "\"} %.6f\n", name,
				json_integer_value(json_object_get(worker, "id")),
				json_number_value(json_object_get(worker, key)));
}

static void
metrics_gauge(const struct page *p, const json_t *all, const char *key, const char *help)
{
	metrics_head(p, key, "gauge", help);
	fprintf(p->out, "vhost_switch_%s %" JSON_INTEGER_FORMAT "\n", key,
			json_integer_value(json_object_get(all, key)));
}

/* What is printed, as the switch has answered it. */
struct answers {
	json_t *stats, *list, *hello, *shown;
};

static void
metrics_free(struct answers *a)
{
	json_decref(a->shown);
	json_decref(a->hello);
	json_decref(a->list);
	json_decref(a->stats);
}

/* Asks for all of it. Returns false as ctl_try() does. */
static bool
metrics_ask(struct ctl *c, struct answers *a)
{
	*a = (struct answers){.stats = ctl_try(c, "stats", json_object())};
	if (a->stats != NULL)
		a->list = ctl_try(c, "port.list", json_object());
	if (a->list != NULL)
		a->hello = ctl_try(c, "hello", json_object());
	if (a->hello != NULL)
		a->shown = ctl_try(c, "worker.list", json_object());
	if (a->shown == NULL)
		metrics_free(a);
	return a->shown != NULL;
}

static void
metrics_print_all(const struct page *p, const struct answers *a)
{
	const json_t *workers = json_object_get(a->shown, "workers");
	const json_t *ports = json_object_get(a->stats, "ports");
	const json_t *all = json_object_get(a->stats, "switch");
	const json_t *port;
	size_t i;

	metrics_head(p, "build", "info", "The version that runs");
	fprintf(p->out, "vhost_switch_build_info{version=\"%s\"} 1\n",
			json_string_value(json_object_get(a->hello, "version")));
	metrics_gauge(p, all, "workers", "Workers");
	metrics_workers(p, workers, "busy", "worker_busy_ratio",
			"Part of the last second in which the worker had something to do");
	metrics_workers(p, workers, "asleep", "worker_asleep_ratio",
			"Part of the last second in which the worker slept");
	metrics_gauge(p, all, "addresses", "Addresses in the table");
	metrics_gauge(p, all, "buffers_free", "Free buffers of the uplink");
	metrics_head(p, "devices_stopped", "counter", "Guests stopped for breaking the rules");
	fprintf(p->out, "vhost_switch_devices_stopped_total %" JSON_INTEGER_FORMAT "\n",
			json_integer_value(json_object_get(all, "devices_stopped")));
	metrics_states(p, json_object_get(a->list, "ports"));
	metrics_head(p, "port_addresses", "gauge", "Addresses that the port has in the table");
	json_array_foreach(ports, i, port)
		metrics_port(p, "port_addresses", port, NULL,
				json_integer_value(json_object_get(port, "addresses")));
	for (i = 0; i < COUNTERS_N; i++)
		metrics_counter(p, ports, &counters[i]);
	metrics_drops(p, ports);
	metrics_departed(p, json_object_get(a->stats, "departed"));
	if (p->format == METRICS_OPENMETRICS)
		fputs("# EOF\n", p->out);
}

bool
metrics_print(struct ctl *c, enum metrics_format format, FILE *out)
{
	const struct page page = {.out = out, .format = format};
	struct answers a;

	if (!metrics_ask(c, &a))
		return false;
	metrics_print_all(&page, &a);
	metrics_free(&a);
	return true;
}

/*
 * Reads a request to its end: if a part were left unread, closing the socket would discard the answer. Returns
 * the format that it asks for: a client that does not name OpenMetrics may not know it.
 */
static enum metrics_format
metrics_read_headers(void)
{
	enum metrics_format format = METRICS_PROMETHEUS;
	char line[REQUEST_MAX];
	int lines = 0;

	while (lines++ < HEADERS_MAX && fgets(line, sizeof(line), stdin) != NULL &&
			strcmp(line, "\r\n") != 0 && strcmp(line, "\n") != 0)
		if (strncasecmp(line, "Accept:", strlen("Accept:")) == 0 &&
				strstr(line, OPENMETRICS) != NULL)
			format = METRICS_OPENMETRICS;
	return format;
}

static int
metrics_reply(const char *status, const char *type, const char *body, size_t len)
{
	printf("HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
	       "Connection: close\r\n\r\n%s",
			status, type, len, body);
	return CTL_OK;
}

int
metrics_serve(struct ctl *c)
{
	enum metrics_format format;
	char line[REQUEST_MAX];
	char *body = NULL;
	size_t len = 0;
	bool printed;
	FILE *out;

	alarm(REQUEST_S);
	if (fgets(line, sizeof(line), stdin) == NULL)
		return CTL_USAGE;
	format = metrics_read_headers();
	if (strncmp(line, "GET /metrics ", strlen("GET /metrics ")) != 0)
		return metrics_reply("404 Not Found", TYPE_PROMETHEUS, "", 0);
	alarm(0); /* it has been sent */
	c->patience = ANSWER_S;
	out = open_memstream(&body, &len);
	if (out == NULL)
		ctl_die(CTL_REFUSED, "no memory");
	printed = metrics_print(c, format, out);
	fclose(out);
	alarm(REQUEST_S); /* to take the answer */
	if (printed)
		metrics_reply("200 OK",
				format == METRICS_OPENMETRICS ? TYPE_OPENMETRICS : TYPE_PROMETHEUS,
				body, len);
	else
		metrics_reply("503 Service Unavailable", TYPE_PROMETHEUS, c->error,
				strlen(c->error));
	free(body);
	return CTL_OK;
}
