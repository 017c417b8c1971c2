/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The one table of vhost-user messages: for each of them what it is about, who may send it, what is done
 * before librte_vhost acts on it and after, and how it is answered or refused. No other file tells messages
 * apart by their numbers, except the cuse back end, which makes some (scripts/check-names).
 *
 * guest.c and vhost_user.c use it before and after each message. The table is constant; librte_vhost's
 * thread calls its functions.
 */
#ifndef GUEST_DISPATCH_H
#define GUEST_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "guest/message.h"

struct guest;

/* What a message is about: the rings that are paused while librte_vhost acts on it. */
enum message_scope {
	/*
	 * All rings. GET_VRING_BASE counts as such a message: librte_vhost stops the
	 * device before it.
	 */
	SCOPE_DEVICE,
	SCOPE_RING, /* the one that payload.state names; librte_vhost touches no other ring's state */
	SCOPE_RING_FD, /* the one of message_ring_of_fd() */
	SCOPE_TX,      /* all transmit rings, by one of which the guest is announced */
	SCOPE_NOTHING, /* it is a question, or changes nothing that workers use */
};

struct message_kind {
	enum message_scope scope;
	/* False: it was never offered. librte_vhost carries out such messages all the same. */
	bool offered;
	bool for_uml; /* offered to User Mode Linux alone (uml=yes) */
	/* librte_vhost does not act on it: it refuses it by itself, and closes what came with it. */
	bool unknown;
	/* Returns true if it is well formed, for a device of so many rings. NULL: it always is. */
	bool (*valid)(const struct message *m, unsigned int rings);
	/*
	 * Decides before anything is paused, and may change the message. Returns false, after the reason was
	 * logged, if the connection must end. NULL: the message is allowed.
	 */
	bool (*allow)(struct guest *g, struct message *m);
	/* Returns true if it changes nothing but the log of a running device (STEP_LOG). NULL: it never does. */
	bool (*only_log)(const struct guest *g, const struct message *m);
	/* With STEP_LOG librte_vhost need not see it. */
	bool log_alone;
	/* Returns the rings whose use it ends, which librte_vhost tells late or not at all. NULL: none. */
	uint32_t (*ends)(const struct guest *g, const struct message *m);
	/*
	 * Notes it, or prepares for it: its rings, if it is about any, are paused, or used without a log
	 * (STEP_LOG). NULL: nothing to do.
	 */
	void (*before)(struct guest *g, const struct message *m);
	/*
	 * Returns what is answered in librte_vhost's place, if no file came with the message. NULL: librte_vhost
	 * acts on it.
	 */
	uint64_t (*answer)(const struct guest *g);
	/* The features that librte_vhost offers are added to the answer. */
	bool adds_theirs;
	/* Notes its result, before its rings are used again. NULL: nothing to do. */
	void (*after)(struct guest *g, const struct message *m);
	/*
	 * Changes the message so that librte_vhost refuses it without harm, and closes the file descriptors
	 * that came with it. Returns false if librte_vhost must not see the message at all. NULL: it does so
	 * without a change.
	 */
	bool (*spoil)(struct message *m);
};

/* Returns the row of a message. Messages that librte_vhost does not know have rows, too. */
const struct message_kind *message_kind(const struct message *m);

/* Returns the rings that a well formed message is about, as bits. */
uint32_t message_rings(const struct message *m);

/* Returns true if the guest may send such a message. */
bool message_wanted(const struct guest *g, const struct message *m);

/*
 * Changes a message so that librte_vhost ends the connection. Returns false if it must not see the
 * message at all, as it would do harm.
 */
bool message_doom(struct message *m);

#endif /* GUEST_DISPATCH_H */
