/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What the switch under test has counted, from its tables and by telemetry. See subject.h. */
#define _GNU_SOURCE
#include "subject.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vhost_user.h"

#define TELEMETRY_ROOM 16384 /* the longest answer of rte_telemetry */
#define POLL_MS 2            /* between two looks at something that is waited for */

static enum drop_reason
reason_named(const char *name, size_t len)
{
	for (unsigned i = 0; i < DROP_MAX; i++)
		if (strlen(drop_text(i)) == len && memcmp(drop_text(i), name, len) == 0)
			return i;
	return DROP_MAX;
}

/* Adds up the counters of "NAME: reason 1, reason 2". */
static void
read_reasons(const char *line, struct totals *t)
{
	const char *p = strchr(line, ':') + 1;
	char name[64];
	unsigned long long n;
	int used;

	while (sscanf(p, " %63[a-z_0-9] %llu%n", name, &n, &used) == 2) {
		enum drop_reason r = reason_named(name, strlen(name));

		if (r < DROP_MAX)
			t->drop[r] += n;
		p += used;
		if (*p == ',')
			p++;
	}
}

/* The columns are found by their headings, so more of them can be added. */
static void
read_total(const char *head, const char *line, struct totals *t)
{
	const struct {
		const char *name;
		uint64_t *to;
	} column[] = {
			{"received", &t->received},
			{"delivered", &t->delivered},
			{"dropped", &t->dropped},
			{"sent", &t->sent},
			{"flooded", &t->flooded},
	};
	char names[512], *name, *save;
	unsigned long long n;
	int used;

	snprintf(names, sizeof(names), "%s", head);
	line += strcspn(line, "0123456789");
	name = strtok_r(names, " \t", &save); /* the heading of the column of names */
	while ((name = strtok_r(NULL, " \t", &save)) != NULL) {
		if (sscanf(line, "%llu%n", &n, &used) != 1)
			return;
		line += used;
		for (unsigned i = 0; i < sizeof(column) / sizeof(column[0]); i++)
			if (strcmp(column[i].name, name) == 0)
				*column[i].to = n;
	}
}

static void
read_table(char *text, struct totals *t)
{
	char *line, *save, head[512] = "";

	memset(t, 0, sizeof(*t));
	for (line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		line += strspn(line, " ");
		if (strstr(line, "received") != NULL && strstr(line, "delivered") != NULL)
			snprintf(head, sizeof(head), "%s", line);
		else if (strncmp(line, "total", 5) == 0 && strchr(line, ':') == NULL)
			read_total(head, line, t);
		else if (strchr(line, ':') != NULL && strncmp(line, "total", 5) != 0 &&
				strncmp(line, "vhost-switch", 12) != 0)
			read_reasons(line, t);
	}
}

bool
subject_last_table(struct subject *s, struct totals *t)
{
	static const char mark[] = "vhost-switch statistics";
	char *text = NULL, *p, *last = NULL;
	size_t len = 0;
	FILE *f = fopen(s->table_path, "re");

	if (f != NULL && getdelim(&text, &len, '\0', f) > 0)
		for (p = text; (p = strstr(p, mark)) != NULL; p++)
			last = p;
	if (f != NULL)
		fclose(f);
	if (last != NULL)
		read_table(last, t);
	free(text);
	return last != NULL;
}

bool
subject_telemetry(struct subject *s)
{
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	char hello[TELEMETRY_ROOM];

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/dpdk/%s/dpdk_telemetry.v2", s->dir,
			strrchr(s->dir, '/') + 1);
	s->telemetry = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	return s->telemetry >= 0 &&
			connect(s->telemetry, (struct sockaddr *)&un, sizeof(un)) == 0 &&
			recv(s->telemetry, hello, sizeof(hello), 0) > 0;
}

/* Reads the answer to a command, as text. Returns false if there is none in time. */
static bool
ask(struct subject *s, const char *command, char *answer)
{
	struct pollfd p = {.fd = s->telemetry, .events = POLLIN};
	ssize_t n;

	if (send(s->telemetry, command, strlen(command), MSG_NOSIGNAL) < 0 ||
			poll(&p, 1, PATIENCE_MS) != 1)
		return false;
	n = recv(s->telemetry, answer, TELEMETRY_ROOM - 1, 0);
	answer[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* Returns the number in "name":123 of an answer; -1 if it is not there. */
static int64_t
number_of(const char *answer, const char *name)
{
	char text[64];
	const char *p;

	snprintf(text, sizeof(text), "\"%s\":", name);
	p = strstr(answer, text);
	return p == NULL ? -1 : strtoll(p + strlen(text), NULL, 10);
}

bool
subject_counters(struct subject *s, int device, struct totals *t)
{
	char command[48], answer[TELEMETRY_ROOM];

	memset(t, 0, sizeof(*t));
	if (device == SUBJECT_UPLINK)
		snprintf(command, sizeof(command), "/vhost_switch/port,uplink");
	else
		snprintf(command, sizeof(command), "/vhost_switch/port,%d", device);
	if (!ask(s, command, answer) || number_of(answer, "received") < 0)
		return false;
	t->received = (uint64_t)number_of(answer, "received");
	t->delivered = (uint64_t)number_of(answer, "delivered");
	t->dropped = (uint64_t)number_of(answer, "dropped");
	t->sent = (uint64_t)number_of(answer, "sent");
	t->flooded = (uint64_t)number_of(answer, "flooded");
	for (unsigned i = DROP_NONE + 1; i < DROP_MAX; i++)
		t->drop[i] = (uint64_t)number_of(answer, drop_text(i));
	return true;
}

bool
subject_counted(struct subject *s, int device, uint64_t received, struct totals *t)
{
	int64_t deadline = vu_now_ms() + PATIENCE_MS;

	while (subject_counters(s, device, t)) {
		if (t->received == received && t->received == t->delivered + t->dropped)
			return true;
		if (vu_now_ms() > deadline)
			break;
		poll(NULL, 0, POLL_MS);
	}
	return false;
}

int64_t
subject_stopped(struct subject *s)
{
	char answer[TELEMETRY_ROOM];

	return ask(s, "/vhost_switch/switch", answer) ? number_of(answer, "devices_stopped") : -1;
}

int64_t
subject_buffers_free(struct subject *s)
{
	char answer[TELEMETRY_ROOM];

	return ask(s, "/vhost_switch/switch", answer) ? number_of(answer, "buffers_free") : -1;
}

const char *
subject_totals_wrong(const struct totals *t)
{
	static char text[160];
	uint64_t reasons = 0;

	for (unsigned i = 0; i < DROP_MAX; i++)
		reasons += t->drop[i];
	if (t->received != t->delivered + t->dropped)
		snprintf(text, sizeof(text), "received %ju is not delivered %ju + dropped %ju",
				(uintmax_t)t->received, (uintmax_t)t->delivered,
				(uintmax_t)t->dropped);
	else if (t->sent != t->delivered + t->flooded)
		snprintf(text, sizeof(text), "sent %ju is not delivered %ju + flooded %ju",
				(uintmax_t)t->sent, (uintmax_t)t->delivered, (uintmax_t)t->flooded);
	else if (reasons != t->dropped)
		snprintf(text, sizeof(text), "dropped %ju, but the reasons make %ju",
				(uintmax_t)t->dropped, (uintmax_t)reasons);
	else
		return NULL;
	return text;
}
