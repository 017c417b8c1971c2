/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The forwarding table's slow paths: see fdb.h for the contract. */
#include <stdlib.h>

#include <rte_cycles.h>
#include <rte_hash.h>
#include <rte_jhash.h>
#include <rte_malloc.h>
#include <rte_random.h>
#include <rte_rcu_qsbr.h>

#include "base/atomic.h"
#include "switch/fdb.h"
#include "switch/grace.h"

struct fdb_entry *
fdb_lookup_slow(const struct fdb *t, struct fdb_hints *h, uint64_t key)
{
	struct fdb_entry *e;
	int32_t position;

	h->searches++;
	position = rte_hash_lookup(t->hash, &key);
	if (position < 0)
		return NULL;
	e = &t->entry[position];
	/* It is being added or removed at this moment, so it is not in the table. */
	if (load_acquire(&e->key) != key)
		return NULL;
	h->position[fdb_hint(key)] = position;
	return e;
}

struct fdb *
fdb_create(uint32_t aging, struct rte_rcu_qsbr *qsbr)
{
	/*
	 * Guests can't know the seed, and buckets can be extended: no choice of addresses by one
	 * guest keeps another guest's addresses out of the table.
	 */
	struct rte_hash_parameters params = {
			.name = "fdb",
			.entries = FDB_SIZE,
			.key_len = sizeof(uint64_t),
			.hash_func = rte_jhash,
			.hash_func_init_val = (uint32_t)rte_rand(),
			.socket_id = SOCKET_ID_ANY,
			.extra_flag = RTE_HASH_EXTRA_FLAGS_RW_CONCURRENCY_LF |
					RTE_HASH_EXTRA_FLAGS_EXT_TABLE,
	};
	struct fdb *t;

	t = calloc(1, sizeof(*t));
	if (t == NULL)
		return NULL;
	t->aging = aging;
	t->qsbr = qsbr;
	t->hash = rte_hash_create(&params);
	if (t->hash == NULL)
		goto fail;
	t->positions = rte_hash_max_key_id(t->hash) + 1;
	t->entry = rte_zmalloc("fdb", t->positions * sizeof(*t->entry), RTE_CACHE_LINE_SIZE);
	t->waiting.position = calloc(t->positions, sizeof(uint32_t));
	t->filling.position = calloc(t->positions, sizeof(uint32_t));
	if (t->entry == NULL || t->waiting.position == NULL || t->filling.position == NULL)
		goto fail;
	return t;
fail:
	fdb_destroy(t);
	return NULL;
}

void
fdb_destroy(struct fdb *t)
{
	if (t == NULL)
		return;
	rte_hash_free(t->hash);
	rte_free(t->entry);
	free(t->waiting.position);
	free(t->filling.position);
	free(t);
}

/* Changes a counter of the main lcore, which other threads read. */
static void
fdb_add_to(uint32_t *count, int n)
{
	store_relaxed(count, *count + n);
}

/* Frees the positions whose grace period is over, then begins the next one. */
static void
fdb_reclaim(struct fdb *t)
{
	struct fdb_grave done = t->waiting;
	uint32_t i;

	if (done.n != 0) {
		if (!grace_over(t->qsbr, done.token))
			return;
		for (i = 0; i < done.n; i++)
			rte_hash_free_key_with_position(t->hash, done.position[i]);
		done.n = 0;
	}
	t->waiting = t->filling;
	t->filling = done;
	if (t->waiting.n != 0)
		t->waiting.token = rte_rcu_qsbr_start(t->qsbr);
}

static void
fdb_remove(struct fdb *t, struct fdb_entry *e, fdb_gone_fn gone, void *arg)
{
	uint64_t key = e->key;
	int32_t position;

	position = rte_hash_del_key(t->hash, &key);
	if (position < 0)
		return;
	store_release(&e->key, 0);
	fdb_add_to(&t->count[e->port], -1);
	fdb_add_to(&t->used, -1);
	t->filling.position[t->filling.n++] = position;
	if (gone != NULL)
		gone(arg, key, e->port);
}

static enum fdb_verdict
fdb_add(struct fdb *t, uint64_t key, uint16_t port)
{
	struct fdb_entry *e;
	int32_t position;

	if (fdb_full(t, port))
		return FDB_FULL;
	position = rte_hash_add_key(t->hash, &key);
	if (position < 0) {
		/*
		 * A removed position may be waiting for its grace period: the next try may find it
		 * free.
		 */
		fdb_reclaim(t);
		return FDB_FULL;
	}
	e = &t->entry[position];
	e->port = port;
	e->filter = FILTER_NONE;
	e->is_static = false;
	e->seen = t->clock;
	store_release(&e->key, key);
	fdb_add_to(&t->count[port], 1);
	fdb_add_to(&t->used, 1);
	return FDB_ADDED;
}

/* Moves an entry to another port, which may be full. */
static enum fdb_verdict
fdb_move(struct fdb *t, struct fdb_entry *e, uint16_t port, uint16_t *old)
{
	if (fdb_full(t, port) && port != PORT_UPLINK)
		return FDB_FULL;
	*old = e->port;
	if (fdb_full(t, port)) {
		/*
		 * The address is removed, so that frames for it are flooded and not sent to the
		 * wrong port.
		 */
		fdb_remove(t, e, NULL, NULL);
		return FDB_MOVED;
	}
	fdb_add_to(&t->count[*old], -1);
	fdb_add_to(&t->count[port], 1);
	store_relaxed(&e->seen, t->clock);
	/* If there is one, it is for the port that the address leaves. */
	store_relaxed(&e->filter, FILTER_NONE);
	store_relaxed(&e->port, port);
	return FDB_MOVED;
}

enum fdb_verdict
fdb_learn(struct fdb *t, uint64_t key, uint16_t port, uint16_t *old)
{
	int32_t position = rte_hash_lookup(t->hash, &key);
	struct fdb_entry *e;

	if (position < 0)
		return fdb_add(t, key, port);
	e = &t->entry[position];
	if (e->port == port) {
		store_relaxed(&e->seen, t->clock);
		return FDB_SAME;
	}
	if (e->is_static || (port == PORT_UPLINK && !fdb_idle(t, e)))
		return FDB_KEPT;
	return fdb_move(t, e, port, old);
}

enum fdb_verdict
fdb_add_static(struct fdb *t, uint64_t key, uint16_t port, uint16_t *old)
{
	int32_t position = rte_hash_lookup(t->hash, &key);
	enum fdb_verdict verdict = FDB_SAME;

	*old = port;
	if (position < 0) {
		verdict = fdb_add(t, key, port);
		position = rte_hash_lookup(t->hash, &key);
	} else if (t->entry[position].port != port) {
		/* Whoever has it loses it, also while it uses it. */
		verdict = fdb_full(t, port) ? FDB_FULL
					    : fdb_move(t, &t->entry[position], port, old);
	}
	if (verdict != FDB_FULL)
		t->entry[position].is_static = true;
	return verdict;
}

bool
fdb_next(const struct fdb *t, uint32_t *at, struct fdb_entry *e)
{
	while (*at < t->positions) {
		*e = t->entry[(*at)++];
		if (e->key != 0)
			return true;
	}
	return false;
}

struct fdb *
fdb_excerpt(const struct fdb *t, const uint64_t *key, unsigned int n)
{
	struct fdb *x = malloc(sizeof(*x));
	struct fdb_entry *e;
	int32_t position;
	unsigned int i;

	if (x == NULL)
		return NULL;
	*x = *t;
	/* Positions are those of the hash, which both have. */
	x->entry = calloc(t->positions, sizeof(*x->entry));
	if (x->entry == NULL) {
		free(x);
		return NULL;
	}
	for (i = 0; i < n; i++) {
		position = rte_hash_lookup(t->hash, &key[i]);
		if (position < 0)
			continue;
		e = &t->entry[position];
		x->entry[position] = (struct fdb_entry){.key = e->key,
				.seen = load_relaxed(&e->seen), /* workers write it */
				.port = e->port,
				.filter = e->filter,
				.is_static = e->is_static};
	}
	return x;
}

void
fdb_excerpt_free(struct fdb *t)
{
	if (t == NULL)
		return;
	free(t->entry);
	free(t);
}

void
fdb_set_filter(struct fdb *t, uint64_t key, enum filter_state filter)
{
	int32_t position = rte_hash_lookup(t->hash, &key);

	if (position >= 0)
		store_relaxed(&t->entry[position].filter, filter);
}

uint64_t
fdb_unfiltered(const struct fdb *t, uint32_t *at, uint16_t *port)
{
	const struct fdb_entry *e;

	while (*at < t->positions) {
		e = &t->entry[(*at)++];
		if (e->key == 0 || e->port == PORT_UPLINK || e->filter != FILTER_NONE)
			continue;
		*port = e->port;
		return e->key;
	}
	return 0;
}

void
fdb_forget_port(struct fdb *t, uint16_t port, fdb_gone_fn gone, void *arg)
{
	uint32_t i;

	for (i = 0; i < t->positions && t->count[port] != 0; i++)
		if (t->entry[i].key != 0 && t->entry[i].port == port)
			fdb_remove(t, &t->entry[i], gone, arg);
	fdb_reclaim(t);
}

uint32_t
fdb_forget_if(struct fdb *t, fdb_unwanted_fn unwanted, void *arg, fdb_gone_fn gone, void *gone_arg)
{
	const uint32_t before = t->used;
	struct fdb_entry *e;
	uint32_t i;

	for (i = 0; i < t->positions; i++) {
		e = &t->entry[i];
		if (e->key != 0 && unwanted(arg, e->key, e->port))
			fdb_remove(t, e, gone, gone_arg);
	}
	fdb_reclaim(t);
	return before - t->used;
}

void
fdb_tick(struct fdb *t, fdb_gone_fn gone, void *arg)
{
	const uint32_t now = t->clock + 1;
	struct fdb_entry *e;
	uint32_t i, left;

	store_relaxed(&t->clock, now);
	left = t->aging == 0 ? 0 : t->used;
	for (i = 0; i < t->positions && left != 0; i++) {
		e = &t->entry[i];
		if (e->key == 0)
			continue;
		left--;
		if (!e->is_static && now - load_relaxed(&e->seen) > t->aging)
			fdb_remove(t, e, gone, arg);
	}
	fdb_reclaim(t);
}
