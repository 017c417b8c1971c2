/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Ports: the guests' devices, by index, and the uplink.
 *
 * A slot of the table goes through these states:
 *
 *   FREE --(librte_vhost's thread: a device was set up)--> USED
 *   USED --(librte_vhost's thread: it ended)------> LEAVING
 *   LEAVING --(main lcore: addresses forgotten, a grace period, counters put away)--> FREE
 *
 * Only the owner named there writes the slot. Exception: the main lcore changes the settings of a USED
 * one (`settings`, `vlan`, `policy`), under the lock that librte_vhost's thread holds (slot.h).
 * Workers read them at any time, and `sink` (published and withdrawn by
 * librte_vhost's thread, a grace period before a ring changes), `tx_rings` (set by that thread at
 * any time) and `epoch`, which tells one tenant of a slot from the next; they alone use `learned`.
 */
#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

#include "base/atomic.h"
#include "base/limits.h"

struct conf_port;
struct sink;

enum port_state {
	PORT_FREE,
	PORT_USED,
	PORT_LEAVING,
};

/* What a port's settings require of each frame; most ports require nothing. */
#define PORT_MACS 1     /* only certain source addresses */
#define PORT_ISOLATED 2 /* nothing between two such ports */
#define PORT_NO_TAGS 4  /* frames with VLAN tags of the guest's own are dropped */

struct port {
	struct sink *sink; /* takes its frames; NULL: nothing does at present */
	uint32_t epoch;    /* counts the tenants of this slot */
	uint8_t state;     /* enum port_state */
	bool registered;   /* its first address was logged; main lcore's */
	uint16_t vlan;     /* its tag on the uplink; 0: untagged */
	uint16_t tx_rings; /* transmit rings in use, paused ones too; the uplink: 0 */
	uint8_t policy;    /* set of PORT_MACS, PORT_ISOLATED, PORT_NO_TAGS */
	uint16_t number;   /* number of the guest among those of its --port */
	uint64_t learned;  /* requests to learn that it has made; see route.c */
	const struct conf_port *settings; /* settings of the --port that it connected to */
} __rte_cache_aligned;

struct ports {
	struct port port[PORT_MAX];
	unsigned int n; /* slots ever used, without the uplink's; librte_vhost's thread adds to them */
};

/* Returns the number of slots ever used. Any thread. */
static inline unsigned int
ports_used(const struct ports *p)
{
	return load_acquire(&p->n);
}

/*
 * Returns the sink that takes a port's frames now, or NULL. Any worker; valid until it is between
 * two bursts.
 */
static inline struct sink *
port_sink(const struct port *p)
{
	return load_acquire(&p->sink);
}

/* Returns the state of a slot, which says who may write it. Any thread. */
static inline enum port_state
port_state(const struct port *p)
{
	return load_acquire(&p->state);
}

/* What a port's settings require of frames now, and its tag now. Any worker. */
static inline uint8_t
port_policy(const struct port *p)
{
	return load_acquire(&p->policy);
}

static inline uint16_t
port_vlan(const struct port *p)
{
	return load_relaxed(&p->vlan);
}

/* Returns true if a device is present and has this tag on the uplink. Any worker. */
static inline bool
port_has_tag(const struct port *p, uint16_t vid)
{
	return port_state(p) == PORT_USED && port_vlan(p) == vid;
}

/* Returns true if no frame may pass between two ports; the uplink is never isolated. Any worker. */
static inline bool
ports_isolated(const struct ports *p, uint16_t a, uint16_t b)
{
	return port_policy(&p->port[a]) & port_policy(&p->port[b]) & PORT_ISOLATED;
}

/* Returns the epoch of a slot, which the main lcore counts. Any thread. */
static inline uint32_t
port_epoch(const struct port *p)
{
	return load_relaxed(&p->epoch);
}

/* A set of ports: one bit each. */
#define PORT_WORDS ((PORT_MAX + 63) / 64)

struct port_set {
	uint64_t word[PORT_WORDS];
};

static inline void
port_set_add(struct port_set *s, uint16_t port)
{
	s->word[port / 64] |= UINT64_C(1) << (port % 64);
}

static inline int
port_set_has(const struct port_set *s, uint16_t port)
{
	return (s->word[port / 64] >> (port % 64)) & 1;
}

static inline void
port_set_clear(struct port_set *s)
{
	*s = (struct port_set){{0}};
}

#endif /* PORT_H */
