/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The one table of vhost-user messages: for each of them what it is about, who may send it, what is done
 * before librte_vhost acts on it and after, and how it is refused.
 *
 * guest.c goes by it, around each message. Constant. librte_vhost's thread calls what it has.
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
	SCOPE_RING_FD,  /* the one of message_ring_of_fd() */
	SCOPE_FIRST_TX, /* the first transmit ring, by which the guest is announced */
	SCOPE_NOTHING,  /* it is a question, or changes nothing that workers use */
};

struct message_kind {
	enum message_scope scope;
	/* False: never offered. librte_vhost does not ask, and carries out what was never negotiated. */
	bool offered;
	bool for_uml; /* offered to User Mode Linux alone (uml=yes) */
	/* librte_vhost does not act on it: it refuses it by itself, and closes what came with it. */
	bool unknown;
	/* Returns true if it is well formed, for a device of so many rings. NULL: it always is. */
	bool (*valid)(const struct message *m, unsigned int rings);
	/*
	 * Decides before anything is paused, and may change the message. False: the connection is to
	 * end over it, which was said. NULL: it is allowed.
	 */
	bool (*allow)(struct guest *g, struct message *m);
	/* The rings that it ends the use of, which librte_vhost tells late or not at all. NULL: none. */
	uint32_t (*ends)(const struct guest *g, const struct message *m);
	/* Prepares for it while its rings are paused. NULL: nothing to do. */
	void (*before)(struct guest *g, const struct message *m);
	/* Notes what came of it, before its rings are used again. NULL: nothing to do. */
	void (*after)(struct guest *g, const struct message *m);
	/*
	 * Makes it one that librte_vhost refuses, and does no harm by: it then closes the descriptors
	 * that came with it. False: it must not see the message at all. NULL: it is so as it stands.
	 */
	bool (*spoil)(struct message *m);
};

/* The row of a message. One that librte_vhost does not know has one, too. */
const struct message_kind *message_kind(const struct message *m);

/* The rings that a well formed message is about, as bits. */
uint32_t message_rings(const struct message *m);

/* Returns true if the guest may send such a message. */
bool message_wanted(const struct guest *g, const struct message *m);

/*
 * Makes librte_vhost end the connection over a message. False: it must not see it at all, as what
 * it would do is not harmless.
 */
bool message_doom(struct message *m);

/* Features that the switch offers and librte_vhost knows nothing of. */
uint64_t guest_features(const struct guest *g);

#endif /* GUEST_DISPATCH_H */
