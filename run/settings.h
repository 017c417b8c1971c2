/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The settings that all threads use, and their replacement: as a whole, while all threads go on.
 *
 * Main lcore.
 */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "guest/vhost_user.h"

struct conf;
struct former;
struct parts;

/* Whose a port's socket was before a change. */
struct socket_owner {
	bool changed;
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

struct settings {
	struct parts *parts;   /* parts->conf has the present settings */
	struct former *former; /* former settings that workers may still use */
};

/*
 * Makes all threads use other settings, of which this takes a copy. The former ones are freed when no
 * worker can use them any more (settings_reclaim()); other threads use them only while they hold the
 * locks that are taken here. `may`, unless NULL, is asked once these are held. Returns false if it returns false,
 * without memory, or if a lock is not free soon, as a worker hangs.
 */
bool settings_publish(struct settings *s, const struct conf *next, guests_may may, void *arg);

/* Frees former settings that nobody uses any more; with `all`, at the end, all of them. */
void settings_reclaim(struct settings *s, bool all);

/*
 * After publishing: forgets addresses that ports may not have any more, and those of ports whose tag is
 * not the one in *before, as the uplink's filters depend on it. `kind`: how each port changed (enum
 * change).
 */
void settings_forget(const struct parts *p, const struct conf *before, const uint8_t *kind);

/*
 * Gives sockets that stay the owners and modes of *now, and the usual ones where only *before has any. What they had is
 * noted in was[SOCKET_MAX]. Returns false, after an error was printed, if that can't be done: then all is as it was.
 */
bool settings_own(const struct conf *before, const struct conf *now, const uint8_t *kind,
		struct socket_owner *was);

/* Gives sockets back the owners and modes that settings_own() noted. */
void settings_disown(const struct conf *now, struct socket_owner *was);

#endif /* SETTINGS_H */
