/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Replaces the settings: see settings.h for the contract. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_rcu_qsbr.h>

#include "base/log.h"
#include "conf/conf.h"
#include "conf/conf_diff.h"
#include "guest/socket_file.h"
#include "guest/vhost_user.h"
#include "run/addresses.h"
#include "run/parts.h"
#include "run/plan.h"
#include "run/settings.h"
#include "run/telemetry.h"
#include "switch/grace.h"
#include "switch/lanes.h"
#include "switch/port.h"
#include "uplink/uplink.h"

/* Settings that workers may still use. */
struct former {
	struct former *next;
	const struct conf *conf;
	uint64_t token; /* of the grace period after which workers do not use them */
};

/* Returns false if librte_vhost's thread is held up, or `may` returns false. */
static bool
settings_use(struct parts *p, const struct conf *next, guests_may may, void *arg)
{
	bool ok;

	telemetry_pause();
	ok = vhost_user_set_conf(p->guests, next, may, arg);
	if (ok)
		p->conf = next;
	telemetry_resume();
	return ok;
}

bool
settings_publish(struct settings *s, const struct conf *next, guests_may may, void *arg)
{
	struct parts *p = s->parts;
	const struct conf *former = p->conf;
	struct former *f = malloc(sizeof(*f));
	struct conf *copy = malloc(sizeof(*copy));

	if (copy != NULL)
		*copy = *next;
	if (f == NULL || copy == NULL || !settings_use(p, copy, may, arg)) {
		free(f);
		free(copy);
		return false;
	}
	f->conf = former;
	lanes_set_conf(p->lanes, copy);
	uplink_set_conf(p->uplink, copy);
	f->token = rte_rcu_qsbr_start(p->lanes->qsbr);
	f->next = s->former;
	s->former = f;
	return true;
}

void
settings_reclaim(struct settings *s, bool all)
{
	struct former **at = &s->former, *f;

	while ((f = *at) != NULL) {
		if (!all && !grace_over(s->parts->lanes->qsbr, f->token)) {
			at = &f->next;
			continue;
		}
		*at = f->next;
		free((void *)(uintptr_t)f->conf);
		free(f);
	}
}

/* Returns true if the tag of a port is another one now. */
static bool
settings_tag_differs(const struct conf_port *a, const struct conf_port *b)
{
	return a->vlan_given != b->vlan_given || a->vlan != b->vlan;
}

void
settings_forget(const struct parts *p, const struct conf *before, const uint8_t *kind)
{
	const struct conf_port *now;
	unsigned int i, index;

	for (i = 0; i < ports_used(p->ports); i++) {
		now = p->ports->port[i].settings;
		if (now == NULL)
			continue;
		index = now - p->conf->port;
		if (kind[index] == CHANGE_LIVE && settings_tag_differs(now, &before->port[index]))
			addresses_forget_port(p, i);
	}
	addresses_enforce(p);
}

/*
 * Gives a port's socket its owner and its mode: those of a new socket where it has none any more. Without CAP_FOWNER,
 * which a service lacks, only the owner may change the mode: the socket is taken back first.
 */
static bool
settings_own_socket(const struct conf_port *before, const struct conf_port *now)
{
	if (before->owned &&
			!socket_file_give(
					now->socket, geteuid(), socket_file_new_group(now->socket)))
		return false;
	if ((now->mode_given || before->mode_given) &&
			!socket_file_set_mode(now->socket,
					now->mode_given ? now->mode : socket_file_new_mode()))
		return false;
	return !now->owned || socket_file_give(now->socket, now->uid, now->gid);
}

/* Returns true if a port's socket stays, and is given another owner or mode. */
static bool
settings_owns(const struct conf *before, const struct conf *now, const uint8_t *kind,
		unsigned int i)
{
	const struct conf_port *p = &now->port[i];

	return kind[i] == CHANGE_LIVE && p->socket[0] != '\0' && p->role != ROLE_CLIENT &&
			plan_owner_differs(&before->port[i], p);
}

bool
settings_own(const struct conf *before, const struct conf *now, const uint8_t *kind,
		struct socket_owner *was)
{
	struct socket_owner *w;
	unsigned int i;

	memset(was, 0, SOCKET_MAX * sizeof(*was));
	for (i = 0; i < SOCKET_MAX; i++) {
		w = &was[i];
		if (!settings_owns(before, now, kind, i))
			continue;
		w->changed = socket_file_look(now->port[i].socket, &w->uid, &w->gid, &w->mode);
		if (!settings_own_socket(&before->port[i], &now->port[i])) {
			settings_disown(now, was);
			return false;
		}
	}
	return true;
}

void
settings_disown(const struct conf *now, struct socket_owner *was)
{
	struct listener before;
	char said[512] = "";
	const char *path;
	unsigned int i;

	/* Why it can't be done is told already, and what can't be taken back stays. */
	before = say_error_to((struct listener){said, sizeof(said)});
	for (i = 0; i < SOCKET_MAX; i++) {
		if (!was[i].changed)
			continue;
		path = now->port[i].socket;
		socket_file_give(path, geteuid(), socket_file_new_group(path));
		socket_file_set_mode(path, was[i].mode);
		socket_file_give(path, was[i].uid, was[i].gid);
		was[i].changed = false;
	}
	say_error_to(before);
}
