/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Adds counters up and prints them: see stats.h for the contract. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/atomic.h"
#include "base/log.h"
#include "guest/guests.h"
#include "guest/slot.h"
#include "run/parts.h"
#include "run/stats.h"
#include "switch/lane.h"
#include "switch/lanes.h"
#include "switch/port.h"
#include "uplink/link.h"
#include "uplink/uplink.h"

/*
 * A port_count has only counters; these functions treat it as an array. Another thread may read the
 * sum: see stats_retire().
 */
#define COUNTERS (offsetof(struct port_count, drop) / sizeof(uint64_t) + DROP_MAX)

static void
stats_add(struct port_count *sum, const struct port_count *c)
{
	uint64_t *to = &sum->received;
	const uint64_t *from = &c->received;
	unsigned int i;

	for (i = 0; i < COUNTERS; i++)
		store_relaxed(&to[i], to[i] + load_relaxed(&from[i]));
}

static void
stats_subtract(struct port_count *sum, const struct port_count *c)
{
	uint64_t *to = &sum->received;
	const uint64_t *from = &c->received;
	unsigned int i;

	for (i = 0; i < COUNTERS; i++)
		to[i] -= load_relaxed(&from[i]);
}

void
stats_port(const struct parts *p, uint16_t port, struct port_count *sum)
{
	unsigned int i;

	memset(sum, 0, sizeof(*sum));
	for (i = 0; i < p->lanes->n; i++)
		stats_add(sum, &p->lanes->lane[i]->count[port]);
	stats_add(sum, &p->stats->outside[port]);
	stats_subtract(sum, &p->stats->retired[port]);
}

void
stats_departed(const struct parts *p, struct port_count *sum)
{
	memset(sum, 0, sizeof(*sum));
	stats_add(sum, &p->stats->departed);
}

void
stats_show(const struct port_count *c, stats_add_fn add, void *to)
{
	add(to, "received", c->received);
	add(to, "received_bytes", c->received_bytes);
	add(to, "delivered", c->delivered);
	add(to, "dropped", count_dropped(c));
	add(to, "sent", c->sent);
	add(to, "sent_bytes", c->sent_bytes);
	add(to, "flooded", c->flooded);
	add(to, "missed", c->missed);
	add(to, "signals", c->signals);
	add(to, "unlearned", c->unlearned);
	add(to, "checksums", c->checksums);
	add(to, "segments", c->segments);
}

void
stats_show_drops(const struct port_count *c, stats_add_fn add, void *to)
{
	unsigned int i;

	for (i = DROP_NONE + 1; i < DROP_MAX; i++)
		add(to, drop_name(i), c->drop[i]);
}

void
stats_retire(const struct parts *p, uint16_t port)
{
	struct port_count sum;

	stats_port(p, port, &sum);
	stats_add(&p->stats->departed, &sum);
	stats_add(&p->stats->retired[port], &sum);
}

static void
stats_print_row(FILE *out, const char *name, const struct port_count *c)
{
	fprintf(out,
			"%-9s %14" PRIu64 " %14" PRIu64 " %12" PRIu64 " %14" PRIu64 " %12" PRIu64
			" %12" PRIu64 "\n",
			name, c->received, c->delivered, count_dropped(c), c->sent, c->flooded,
			c->missed);
}

/* Prints the drop reasons, each with its number of frames. */
static void
stats_print_reasons(FILE *out, const struct port_count *c)
{
	const char *between = "";
	unsigned int i;

	for (i = 0; i < DROP_MAX; i++) {
		if (c->drop[i] == 0)
			continue;
		fprintf(out, "%s%s %" PRIu64, between, drop_name(i), c->drop[i]);
		between = ", ";
	}
	if (c->unlearned != 0)
		fprintf(out, "%saddresses not learned %" PRIu64, between, c->unlearned);
}

static void
stats_print_drops(FILE *out, const char *name, const struct port_count *c)
{
	if (count_dropped(c) == 0 && c->unlearned == 0)
		return;
	fprintf(out, "%s%s: ", name[0] >= '0' && name[0] <= '9' ? "device " : "", name);
	stats_print_reasons(out, c);
	fputc('\n', out);
}

/* Calls print for each port in use, then for those that left. */
static void
stats_for_each(const struct parts *p, FILE *out,
		void (*print)(FILE *, const char *, const struct port_count *),
		struct port_count *total)
{
	struct port_count sum;
	unsigned int i;
	char name[32];

	memset(total, 0, sizeof(*total));
	for (i = 0; i < ports_used(p->ports); i++) {
		if (port_state(&p->ports->port[i]) == PORT_FREE)
			continue;
		stats_port(p, i, &sum);
		snprintf(name, sizeof(name), "%u", i);
		print(out, name, &sum);
		stats_add(total, &sum);
	}
	if (p->uplink != NULL) {
		stats_port(p, PORT_UPLINK, &sum);
		print(out, "uplink", &sum);
		stats_add(total, &sum);
	}
	print(out, "departed", &p->stats->departed);
	stats_add(total, &p->stats->departed);
}

/* Prints the heading of the table. */
static void
stats_print_names(const struct parts *p, FILE *out)
{
	const char *between = "names: ";
	char name[SLOT_NAME_MAX];
	unsigned int i;

	for (i = 0; i < ports_used(p->ports); i++) {
		if (port_state(&p->ports->port[i]) == PORT_FREE ||
				p->ports->port[i].settings == NULL)
			continue;
		fprintf(out, "%s%u %s", between, i, slot_name(p->ports, i, name));
		between = ", ";
	}
	if (between[0] == ',')
		fputc('\n', out);
}

void
stats_print(const struct parts *p, FILE *out)
{
	struct port_count total;

	fprintf(out, "vhost-switch statistics\n%-9s %14s %14s %12s %14s %12s %12s\n", "device",
			"received", "delivered", "dropped", "sent", "flooded", "missed");
	stats_for_each(p, out, stats_print_row, &total);
	stats_print_row(out, "total", &total);
	stats_print_names(p, out);
	if (p->uplink != NULL)
		fprintf(out, "the uplink's link is %s\n", uplink_link_text(p->uplink));
	fprintf(out, "dropped, by reason:\n");
	stats_for_each(p, out, stats_print_drops, &total);
	fprintf(out, "devices stopped for breaking the rules: %" PRIu64 "\n\n",
			load_relaxed(&p->guests->faults));
	fflush(out);
}

void
stats_log_departed(const struct parts *p, uint16_t port)
{
	struct port_count sum;
	char *reasons = NULL;
	size_t size;
	FILE *out = open_memstream(&reasons, &size);

	if (out == NULL)
		return;
	stats_port(p, port, &sum);
	stats_print_reasons(out, &sum);
	fclose(out);
	say(INFO,
			"device %u departed: received %" PRIu64 ", delivered %" PRIu64
			", dropped %" PRIu64 "%s%s%s, sent %" PRIu64 ", missed %" PRIu64 "\n",
			port, sum.received, sum.delivered, count_dropped(&sum),
			reasons[0] != '\0' ? " (" : "", reasons, reasons[0] != '\0' ? ")" : "",
			sum.sent, sum.missed);
	free(reasons);
}
