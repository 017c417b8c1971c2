/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Ports: the guests' devices, by index, and the uplink.
 *
 * The table is an array in struct vswitch. A slot goes round in a circle:
 *
 *   FREE --(librte_vhost's thread: a connection)--> USED
 *   USED --(librte_vhost's thread: it ended)------> LEAVING
 *   LEAVING --(main lcore: addresses forgotten, counters put away)--> FREE
 *
 * Only the owner named there writes the slot. Workers read `rx` (published and
 * withdrawn by librte_vhost's thread, a grace period before the ring changes)
 * and `epoch`, which tells one tenant of a slot from the next.
 */
#ifndef PORT_H
#define PORT_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>

struct virtqueue;

/*
 * Devices at a time. librte_vhost serves 1024; each costs every worker 300
 * bytes of counters, and a poll. Tags --vlan-base + index stay below 4095.
 */
#define GUEST_MAX 256

/* Port numbers: a guest's is its device index. */
#define PORT_UPLINK GUEST_MAX
#define PORT_MAX (GUEST_MAX + 1)
#define PORT_WORDS ((PORT_MAX + 63) / 64)

enum port_state {
	PORT_FREE,
	PORT_USED,
	PORT_LEAVING,
};

struct port {
	struct virtqueue *rx; /* receive ring to fill; NULL: none, or paused */
	uint32_t epoch;       /* counts the tenants of this slot */
	uint8_t state;        /* enum port_state */
	bool registered;      /* its first address was logged; main lcore's */
	uint16_t vlan;        /* its tag on the uplink; 0: untagged */
} __rte_cache_aligned;

/* A set of ports: one bit each. */
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
