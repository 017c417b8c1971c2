/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Changes of ports while the switch runs.
 *
 * All of them go one way, whoever asks for them: a copy of the settings as given is changed, resolved
 * and compared with the present ones, and takes their place as a whole, or not at all. Sockets are
 * made and removed by a thread of their own (registrar.h), so a change takes some turns of the main
 * lcore's loop; one is made at a time.
 *
 *   check    resolve a copy, and ask the uplink; nothing has happened yet
 *   publish  live changes are in effect, new ports are known
 *   serve    new sockets are made; if one can't be made, all is as it was before
 *   remove   guests of removed ports, and of those that are made again, end; sockets go
 *   serve    sockets of ports that are made again
 *
 * Main lcore.
 */
#ifndef CHANGE_H
#define CHANGE_H

#include <stdbool.h>
#include <stddef.h>

struct changes;
struct conf;
struct parts;

/* Why a change is refused for now: while changes_busy(), and as something that it needs is lacking. */
#define CHANGE_BUSY "another change is being made"
#define CHANGE_HELD "no memory, or a guest is held up"

/* How a change ended, or would end. */
struct change_result {
	bool ok;
	bool busy; /* refused only for now: another change is being made, or a guest is held up */
	const char *reconnects; /* lines: names of ports whose guests have to connect again */
	const char *error;      /* why it was refused; with `ok`: "" or a warning */
	const char *diff;       /* lines; see conf_diff_print() */
};

/* Called once, when the change is in effect or was refused. */
typedef void (*change_done)(void *arg, const struct change_result *r);

/*
 * *given: the settings as given, from which the present ones come; changed with each change. Returns
 * NULL, after an error was printed, if something is lacking. The command line is read again with each
 * file. All of them must outlive it.
 */
struct changes *changes_create(struct parts *parts, struct conf *given, int argc, char **argv);

/* Tells who waits for a change that it is refused, as the switch ends. NULL is allowed. */
void changes_cancel(struct changes *c);

/* Abandons a change that is being made. Called while librte_vhost still serves sockets. */
void changes_stop(struct changes *c);

void changes_destroy(struct changes *c);

/* Returns a copy of the settings as given, to be changed and proposed, or freed. NULL: no memory. */
struct conf *changes_draft(const struct changes *c);

/*
 * Returns the settings as given by the command line and a text in the place of its file (NULL: the
 * file as it is now), to be proposed or freed. Returns NULL, after an error was printed, if they are
 * wrong.
 */
struct conf *changes_read(const struct changes *c, const char *text, size_t len);

/*
 * Returns true if a guest is in a slot, so that a new port can't have it. conf_assign_indexes() and
 * conf_port_create() call it.
 */
bool changes_slot_taken(void *parts, unsigned int index);

/* Returns true while a change is being made: others are refused. */
bool changes_busy(const struct changes *c);

/*
 * Makes `draft` the settings as given, and puts them into effect. `dry`: checks it only. Calls `done`
 * in any case, now or later. Frees the draft.
 */
void changes_propose(struct changes *c, struct conf *draft, bool dry, change_done done, void *arg);

/* Goes on with the change that is being made. Called when the main lcore is woken, and once a second; NULL: nothing. */
void changes_work(struct changes *c);

/* Returns why a port's socket is not served, or "". */
const char *changes_why(const struct changes *c, unsigned int index);

#endif /* CHANGE_H */
