/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Makes changes of ports: see change.h for the contract. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/conf.h"
#include "conf/conf_diff.h"
#include "conf/conf_parse.h"
#include "guest/guests.h"
#include "guest/registrar.h"
#include "run/addresses.h"
#include "run/change.h"
#include "run/parts.h"
#include "run/plan.h"
#include "run/settings.h"
#include "switch/port.h"
#include "uplink/uplink.h"

enum step {
	STEP_IDLE,
	STEP_SERVE,   /* new sockets are being made */
	STEP_UNDO,    /* one could not be made: the others are being removed */
	STEP_REMOVE,  /* sockets are being removed */
	STEP_CLEAR,   /* slots of the guests that had them are being cleared */
	STEP_REPLACE, /* sockets are being made that were removed */
};

struct changes {
	struct parts *parts;
	struct conf *given;
	int argc; /* the command line */
	char **argv;
	struct registrar *registrar;
	struct settings settings;
	char why[SOCKET_MAX][256]; /* by port: why its socket is not served */

	/* The change that is being made: */
	enum step step;
	struct job job[SOCKET_MAX]; /* by port */
	unsigned int jobs;          /* with the registrar */
	struct conf *draft;
	struct plan plan;
	bool served[SOCKET_MAX];               /* by port: its socket was made by this change */
	struct socket_owner owner[SOCKET_MAX]; /* by port: that of its socket before this change */
	bool dry;                              /* it is only checked */
	bool again;                            /* it could not be made now */
	char *diff;
	char error[512];
	change_done done;
	void *arg;
};

struct changes *
changes_create(struct parts *parts, struct conf *given, int argc, char **argv)
{
	struct changes *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->registrar = registrar_start(parts->guests, parts->wake);
	if (c == NULL || c->registrar == NULL) {
		say_error("no thread for sockets: %s", strerror(errno));
		free(c);
		return NULL;
	}
	c->parts = parts;
	c->settings.parts = parts;
	c->given = given;
	c->argc = argc;
	c->argv = argv;
	return c;
}

/* Publishes the settings while ports go. Returns false if that can't be done now. */
static bool
changes_publish_between(struct changes *c, bool going, guests_may may)
{
	struct conf *mid = plan_between(&c->plan, going);
	bool ok = mid != NULL && settings_publish(&c->settings, mid, may, c);

	free(mid);
	return ok;
}

/* Gives the registrar a job. A port has one at a time. */
static void
changes_give(struct changes *c, bool serve, unsigned int index, const struct conf *from)
{
	struct job *j = &c->job[index];

	*j = (struct job){.serve = serve, .index = index, .port = from->port[index]};
	c->jobs++;
	registrar_give(c->registrar, j);
}

/* Frees what belongs to one change. */
static void
changes_clear(struct changes *c)
{
	plan_end(&c->plan);
	free(c->draft);
	free(c->diff);
	c->draft = NULL;
	c->diff = NULL;
	c->step = STEP_IDLE;
}

static void
changes_finish(struct changes *c, bool ok)
{
	const change_done done = c->done;
	char *reconnects = plan_reconnects(&c->plan);
	const struct change_result r = {.ok = ok,
			.busy = c->again,
			.error = c->error,
			.diff = c->diff != NULL ? c->diff : "",
			.reconnects = reconnects != NULL ? reconnects : ""};

	c->done = NULL;
	if (ok && !c->dry) {
		plan_tell(&c->plan, c->parts->rpc);
		*c->given = *c->draft;
	}
	if (done != NULL)
		done(c->arg, &r);
	free(reconnects);
	changes_clear(c);
}

static void
changes_cannot(struct changes *c)
{
	c->again = true;
	snprintf(c->error, sizeof(c->error), CHANGE_HELD ": try again");
}

/* Has the sockets made whose turn it is: with `late`, those whose paths were in use before. */
static void
changes_serve(struct changes *c, bool late)
{
	unsigned int i;

	c->step = late ? STEP_REPLACE : STEP_SERVE;
	for (i = 0; i < SOCKET_MAX; i++)
		if (plan_serves(&c->plan, i, late))
			changes_give(c, true, i, c->plan.next);
}

/* Takes back what was done before something failed. */
static void
changes_undo(struct changes *c)
{
	unsigned int i;

	c->step = STEP_UNDO;
	settings_disown(c->plan.next, c->owner);
	for (i = 0; i < SOCKET_MAX; i++) {
		if (!plan_serves(&c->plan, i, false))
			continue;
		if (c->served[i])
			changes_give(c, false, i, c->plan.next);
		c->why[i][0] = '\0';
	}
}

/*
 * Has the sockets of ports that go removed. Returns false if it is to be tried again: what was done can't be taken
 * back now, either, as that takes the same locks.
 */
static bool
changes_remove(struct changes *c)
{
	unsigned int i;

	if (!changes_publish_between(c, true, NULL))
		return false;
	c->step = STEP_REMOVE;
	for (i = 0; i < SOCKET_MAX; i++)
		if (plan_removes(&c->plan, i))
			changes_give(c, false, i, c->plan.before);
	return true;
}

/* Publishes what is to be in the end, and has the last sockets made. Returns false if it is to be tried again. */
static bool
changes_replace(struct changes *c)
{
	if (!settings_publish(&c->settings, c->plan.next, NULL, NULL))
		return false;
	addresses_commit(c->parts);
	changes_serve(c, true);
	return true;
}

/* Returns true if no guest that is connected stands in the way. */
static bool
changes_leave_guests(void *arg)
{
	struct changes *c = arg;

	if (!plan_leaves_tags(&c->plan, c->parts) || !plan_leaves_guests(&c->plan, c->parts))
		return false;
	c->again = !plan_leaves_slots(&c->plan, c->parts);
	return !c->again;
}

/*
 * Begins a change that was checked. A guest may have come since. The owner of a socket is changed first, as only the
 * kernel knows if that is allowed: if not, the rest is not done either.
 */
static void
changes_begin(struct changes *c)
{
	bool ok, owned;

	say_error_into(c->error, sizeof(c->error));
	ok = changes_publish_between(c, false, changes_leave_guests);
	owned = ok && settings_own(c->plan.before, c->plan.next, c->plan.kind, c->owner);
	say_error_into(NULL, 0);
	if (!ok) {
		if (c->error[0] == '\0')
			changes_cannot(c);
		changes_finish(c, false);
		return;
	}
	if (owned) {
		settings_forget(c->parts, c->plan.before, c->plan.kind);
		changes_serve(c, false);
	} else {
		changes_undo(c);
	}
	changes_work(c);
}

/* Notes how a job ended. */
static void
changes_note(struct changes *c, const struct job *j)
{
	c->jobs--;
	if (!j->serve) {
		c->served[j->index] = false;
		c->why[j->index][0] = '\0';
		return;
	}
	c->served[j->index] = j->ok;
	snprintf(c->why[j->index], sizeof(c->why[0]), "%s", j->error);
	if (!j->ok && c->error[0] == '\0')
		snprintf(c->error, sizeof(c->error), "port %s: %s", j->port.name, j->error);
}

/* Takes the next step, when all jobs of the last one are done. Returns true if there is another. */
static bool
changes_step(struct changes *c)
{
	switch (c->step) {
	case STEP_SERVE:
		if (c->error[0] == '\0')
			return changes_remove(c);
		changes_undo(c);
		return true;
	case STEP_UNDO:
		if (!plan_is_cleared(&c->plan, c->parts, true) ||
				!settings_publish(&c->settings, c->plan.before, NULL, NULL))
			return false; /* until it can */
		addresses_commit(c->parts);
		changes_finish(c, false);
		return false;
	case STEP_REMOVE:
		c->step = STEP_CLEAR;
		return true;
	case STEP_CLEAR:
		return plan_is_cleared(&c->plan, c->parts, false) && changes_replace(c);
	case STEP_REPLACE:
		addresses_commit(c->parts); /* of guests that have come back */
		changes_finish(c, true);
		return false;
	case STEP_IDLE:
		break;
	}
	return false;
}

void
changes_work(struct changes *c)
{
	struct job *j;

	if (c == NULL)
		return;
	do {
		while ((j = registrar_take(c->registrar)) != NULL)
			changes_note(c, j);
	} while (c->jobs == 0 && changes_step(c));
	settings_reclaim(&c->settings, false);
}

/* Prints the difference into memory. Returns NULL without any. */
static char *
changes_diff(const struct changes *c)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (out == NULL)
		return NULL;
	conf_diff_print(out, c->given, c->draft);
	return fclose(out) == 0 ? text : NULL;
}

void
changes_propose(struct changes *c, struct conf *draft, bool dry, change_done done, void *arg)
{
	const struct change_result busy = {.busy = true,
			.error = CHANGE_BUSY ": try again",
			.diff = "",
			.reconnects = ""};
	unsigned int i;
	bool ok;

	if (changes_busy(c)) {
		free(draft);
		done(arg, &busy);
		return;
	}
	c->draft = draft;
	c->done = done;
	c->arg = arg;
	c->dry = dry;
	c->again = false;
	c->error[0] = '\0';
	memset(c->served, 0, sizeof(c->served));
	c->diff = changes_diff(c);
	if (!plan_begin(&c->plan) || c->diff == NULL) {
		changes_cannot(c);
		changes_finish(c, false);
		return;
	}
	/* What was decided at start stays. */
	*c->plan.next = *c->given;
	conf_take_ports(c->plan.next, draft);
	*draft = *c->plan.next;
	*c->plan.before = *c->parts->conf;
	for (i = 0; i < SOCKET_MAX; i++)
		c->plan.down[i] = c->why[i][0] != '\0';
	say_error_into(c->error, sizeof(c->error));
	ok = conf_resolve(c->plan.next) && uplink_allows(c->parts->uplink, c->plan.next) &&
			plan_compare(&c->plan) && changes_leave_guests(c);
	say_error_into(NULL, 0);
	if (ok && !dry)
		changes_begin(c);
	else
		changes_finish(c, ok);
}

struct conf *
changes_draft(const struct changes *c)
{
	struct conf *draft = malloc(sizeof(*draft));

	if (draft != NULL)
		*draft = *c->given;
	return draft;
}

struct conf *
changes_read(const struct changes *c, const char *text, size_t len)
{
	struct conf *draft = malloc(sizeof(*draft));

	if (draft == NULL) {
		say_error("no memory for the settings");
		return NULL;
	}
	if (text == NULL && c->given->file[0] == '\0') {
		say_error("there is no file to read: start the switch with --config FILE");
	} else if (conf_parse_with(draft, c->argc, c->argv, text, len) == CONF_RUN &&
			conf_assign_indexes(draft, c->given, changes_slot_taken, c->parts)) {
		return draft;
	}
	free(draft);
	return NULL;
}

bool
changes_slot_taken(void *parts, unsigned int index)
{
	const struct parts *p = parts;

	return port_state(&p->ports->port[index]) != PORT_FREE;
}

bool
changes_busy(const struct changes *c)
{
	return c->step != STEP_IDLE;
}

const char *
changes_why(const struct changes *c, unsigned int index)
{
	return c->why[index];
}

void
changes_cancel(struct changes *c)
{
	static const struct change_result ends = {
			.error = "the switch is ending", .diff = "", .reconnects = ""};
	const change_done done = c != NULL ? c->done : NULL;

	if (done == NULL)
		return;
	c->done = NULL;
	done(c->arg, &ends);
}

void
changes_stop(struct changes *c)
{
	if (c == NULL)
		return;
	registrar_stop(c->registrar);
	c->registrar = NULL;
	changes_clear(c);
}

void
changes_destroy(struct changes *c)
{
	if (c == NULL)
		return;
	settings_reclaim(&c->settings, true);
	free(c);
}
