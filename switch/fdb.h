/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Forwarding table: (MAC address, VLAN domain) -> port.
 *
 * rte_hash maps a key to a position; entry[position] has the data. Lookups are lock-free and take
 * constant time. A direct-mapped array of hints for each worker remembers positions, and so answers
 * most lookups with two loads. A stale hint does no harm: the entry's own key decides.
 *
 * One writer: the main lcore (fdb_learn(), fdb_forget_port(), fdb_tick()). Any number of
 * readers: workers, registered with the RCU variable that is given at creation and quiescent
 * between bursts. A removed position is reused only after a grace period. The `seen` stamp is the
 * one field readers write.
 */
#ifndef FDB_H
#define FDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <rte_branch_prediction.h>
#include <rte_ether.h>

#include "base/atomic.h"
#include "switch/port.h"

struct rte_hash;
struct rte_rcu_qsbr;

/* Addresses of one guest: its own, and those of containers that it has. 256 guests can fill 65,536 entries. */
#define FDB_PER_GUEST 256
/* Addresses beyond the uplink: as many as a common access switch holds. */
#define FDB_PER_UPLINK 8192
/* Room for every port's quota, so that no port can take another's. */
#define FDB_SIZE (GUEST_MAX * FDB_PER_GUEST + FDB_PER_UPLINK)

/*
 * For so many ticks of the clock, a second each, a guest keeps its address after its last use. If
 * the address is seen at the uplink before that, the guest's own frame came back, which takes
 * milliseconds; later, the address has moved there. So a moved address is followed when it was idle
 * for one second, and after two seconds at the latest.
 */
#define FDB_HOLD 2

/* Number of a worker's hints: 16 KiB, a sixteenth of an L2 cache of 256 KiB. */
#define FDB_HINTS 4096

/* How the uplink receives frames for a guest's address. */
enum filter_state {
	FILTER_NONE, /* not at all, or by promiscuous mode */
	FILTER_PORT, /* by a filter of the port */
	FILTER_POOL, /* by a filter that sorts them into the device's pool */
};

struct fdb_entry {
	uint64_t key;  /* 0: free */
	uint32_t seen; /* clock when last used as a source */
	uint16_t port;
	uint8_t filter; /* enum filter_state */
	bool is_static; /* it was not learned: it neither ages nor moves; main lcore's */
};

struct fdb_hints {
	uint32_t position[FDB_HINTS];
	uint32_t searches; /* look-ups in the table itself: those that no hint answered */
};

/* Positions removed, waiting for a grace period. */
struct fdb_grave {
	uint64_t token;
	uint32_t n;
	uint32_t *position;
};

struct fdb {
	struct rte_hash *hash;
	struct fdb_entry *entry;
	uint32_t positions; /* length of entry[] */
	uint32_t clock;     /* seconds since start, but see fdb_tick() */
	uint32_t used;      /* entries in use */
	uint32_t aging;     /* seconds; 0: never */
	uint32_t count[PORT_MAX];
	struct rte_rcu_qsbr *qsbr;
	struct fdb_grave waiting, filling;
};

enum fdb_verdict {
	FDB_ADDED, /* a new address */
	FDB_SAME,  /* known at this port */
	FDB_MOVED, /* it was another port's, which is in *old */
	FDB_KEPT,  /* the uplink may not take a guest's address that is in use */
	FDB_FULL,  /* the port has its quota of addresses already */
};

/* All guests are one broadcast domain. */
#define FDB_DOMAIN 0

/* Set in every key, so that none is 0, which marks a free entry. */
#define FDB_KEY_USED (UINT64_C(1) << 63)

/*
 * Returns the key of an address in a VLAN domain. Today all guests are in domain 0; there is room
 * for 32,768.
 */
static inline uint64_t
fdb_key(const struct rte_ether_addr *mac, uint16_t domain)
{
	uint32_t low;
	uint16_t high;

	memcpy(&low, mac->addr_bytes, sizeof(low));
	memcpy(&high, mac->addr_bytes + sizeof(low), sizeof(high));
	return (uint64_t)low | (uint64_t)high << 32 | (uint64_t)domain << 48 | FDB_KEY_USED;
}

/* Returns the address in a key. */
static inline struct rte_ether_addr
fdb_mac(uint64_t key)
{
	struct rte_ether_addr mac = {{0}};
	uint32_t low = key;
	uint16_t high = key >> 32;

	memcpy(mac.addr_bytes, &low, sizeof(low));
	memcpy(mac.addr_bytes + sizeof(low), &high, sizeof(high));
	return mac;
}

/* Returns the position of a key's hint; any multiplicative hash will do. */
static inline uint32_t
fdb_hint(uint64_t key)
{
	return (key * UINT64_C(0x9e3779b97f4a7c15)) >> 52;
}

/*
 * Looks up a key whose hint missed, and renews the hint. Returns the entry, or NULL if the table
 * lacks the key.
 */
struct fdb_entry *fdb_lookup_slow(const struct fdb *t, struct fdb_hints *h, uint64_t key);

/*
 * Returns the entry of a key, or NULL. Workers only: the entry is valid until the worker's next
 * quiescent state.
 */
static inline struct fdb_entry *
fdb_lookup(const struct fdb *t, struct fdb_hints *h, uint64_t key)
{
	struct fdb_entry *e = &t->entry[h->position[fdb_hint(key)]];

	if (likely(load_acquire(&e->key) == key))
		return e;
	return fdb_lookup_slow(t, h, key);
}

/* Returns the port of an entry, which may change at any time. */
static inline uint16_t
fdb_port(const struct fdb_entry *e)
{
	return load_relaxed(&e->port);
}

static inline bool
fdb_pooled(const struct fdb_entry *e)
{
	return load_relaxed(&e->filter) == FILTER_POOL;
}

/* Returns how many addresses one port may have in the table. */
static inline uint32_t
fdb_share(uint16_t port)
{
	return port == PORT_UPLINK ? FDB_PER_UPLINK : FDB_PER_GUEST;
}

/* Returns how many addresses a port has in the table. Any thread; it may change at once. */
static inline uint32_t
fdb_count(const struct fdb *t, uint16_t port)
{
	return load_relaxed(&t->count[port]);
}

/* Returns the number of addresses in the table. Any thread; it may change at once. */
static inline uint32_t
fdb_used(const struct fdb *t)
{
	return load_relaxed(&t->used);
}

static inline bool
fdb_full(const struct fdb *t, uint16_t port)
{
	return fdb_count(t, port) >= fdb_share(port);
}

/* Returns true if a guest has not used its address for so long that it may move to the uplink. */
static inline bool
fdb_idle(const struct fdb *t, const struct fdb_entry *e)
{
	uint32_t now = load_relaxed(&t->clock);

	return now - load_relaxed(&e->seen) >= FDB_HOLD;
}

/* Marks an entry as in use, so that it does not age. */
static inline void
fdb_touch(const struct fdb *t, struct fdb_entry *e)
{
	uint32_t now = load_relaxed(&t->clock);

	if (unlikely(load_relaxed(&e->seen) != now))
		store_relaxed(&e->seen, now);
}

/* Lets the uplink have an address as if its guest had not used it for long. Any worker. */
static inline void
fdb_expire(const struct fdb *t, struct fdb_entry *e)
{
	store_relaxed(&e->seen, load_relaxed(&t->clock) - FDB_HOLD);
}

/*
 * Makes an empty table of FDB_SIZE entries.
 *   aging: seconds until an idle address is forgotten, 0: never
 *   qsbr:  the workers' RCU variable; must outlive the table
 * Returns NULL without memory. Main lcore.
 */
struct fdb *fdb_create(uint32_t aging, struct rte_rcu_qsbr *qsbr);

/* Frees a table that no worker uses any more. NULL is allowed. Main lcore. */
void fdb_destroy(struct fdb *t);

/*
 * Notes that `key` was seen as a source at `port`. Guests take addresses from
 * one another and from the uplink; the uplink takes one from a guest that has not used
 * it for a while (fdb_idle()). *old is set to the former port with FDB_MOVED. Main lcore.
 */
enum fdb_verdict fdb_learn(struct fdb *t, uint64_t key, uint16_t port, uint16_t *old);

/*
 * Puts an address at a port, and keeps it there: until it is forgotten, no other port gets it. *old is set
 * to the port that had it, or to this port if it is new. Main lcore.
 */
enum fdb_verdict fdb_add_static(struct fdb *t, uint64_t key, uint16_t port, uint16_t *old);

/*
 * Copies the next entry in use from position *at on, and moves *at past it. Returns false if there is
 * none. Main lcore.
 */
bool fdb_next(const struct fdb *t, uint32_t *at, struct fdb_entry *e);

/*
 * Returns a table for look-ups alone, with copies of the entries of `n` keys, as far as they are in t. What a
 * reader writes into it does not reach t. It is valid until t changes. Returns NULL without memory. Main
 * lcore.
 */
struct fdb *fdb_excerpt(const struct fdb *t, const uint64_t *key, unsigned int n);

void fdb_excerpt_free(struct fdb *t);

/* Notes which filter the uplink has for an address, if that is there. Main lcore. */
void fdb_set_filter(struct fdb *t, uint64_t key, enum filter_state filter);

/*
 * Returns the next address of a guest without a filter, from position *at on, and moves *at past
 * it. Returns 0 if there is none. Main lcore.
 */
uint64_t fdb_unfiltered(const struct fdb *t, uint32_t *at, uint16_t *port);

/* Called for an address that leaves the table. */
typedef void (*fdb_gone_fn)(void *arg, uint64_t key, uint16_t port);

/* Forgets all addresses of a port. `gone` may be NULL. Main lcore. */
void fdb_forget_port(struct fdb *t, uint16_t port, fdb_gone_fn gone, void *arg);

/* Called for each address; returns true if it is to leave the table. */
typedef bool (*fdb_unwanted_fn)(void *arg, uint64_t key, uint16_t port);

/*
 * Forgets the addresses that `unwanted` chooses, which gets `arg`, and calls `gone` for each with
 * `gone_arg`. Returns their number. Main lcore.
 */
uint32_t
fdb_forget_if(struct fdb *t, fdb_unwanted_fn unwanted, void *arg, fdb_gone_fn gone, void *gone_arg);

/*
 * Advances the clock by a second, forgets idle addresses and reclaims positions whose grace period is over.
 * Main lcore, once a second. Seconds in which it could not call this, or in which a worker's bursts did not end, must
 * be left out, not made up for: all addresses would look idle that workers have used meanwhile, or that
 * nobody could use, as the worker or the whole process stood still.
 */
void fdb_tick(struct fdb *t, fdb_gone_fn gone, void *arg);

#endif /* FDB_H */
