/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The forwarding table: what it learns, keeps and forgets, and when positions are used again. */
#include <rte_malloc.h>
#include <rte_rcu_qsbr.h>

#include "switch/fdb.h"
#include "unit.h"

#define AGING 300

/* A table, and this thread as the one reader that it waits for. */
struct table {
	struct fdb *fdb;
	struct rte_rcu_qsbr *qsbr;
	struct fdb_hints *hints;
	unsigned int gone; /* addresses that left, */
	uint64_t key;      /* the last of them, */
	uint16_t port;     /* and whose it was */
};

static int
setup_aging(void **state, uint32_t aging)
{
	struct table *t = unit_zalloc(sizeof(*t));

	t->hints = unit_zalloc(sizeof(*t->hints));
	t->qsbr = unit_zalloc(rte_rcu_qsbr_get_memsize(1));
	rte_rcu_qsbr_init(t->qsbr, 1);
	rte_rcu_qsbr_thread_register(t->qsbr, 0);
	rte_rcu_qsbr_thread_online(t->qsbr, 0);
	t->fdb = fdb_create(aging, t->qsbr);
	*state = t;
	return t->fdb == NULL;
}

static int
setup(void **state)
{
	return setup_aging(state, AGING);
}

static int
setup_ageless(void **state)
{
	return setup_aging(state, 0);
}

static int
teardown(void **state)
{
	struct table *t = *state;

	fdb_destroy(t->fdb);
	fdb_destroy(NULL);
	free(t->qsbr);
	free(t->hints);
	free(t);
	return 0;
}

static void
gone(void *arg, uint64_t key, uint16_t port)
{
	struct table *t = arg;

	t->gone++;
	t->key = key;
	t->port = port;
}

/* Lets time pass until the table's clock shows so many seconds. */
static void
tick_to(struct table *t, uint32_t seconds)
{
	while (t->fdb->clock < seconds)
		fdb_tick(t->fdb, gone, t);
}

/* Address i of a port: all differ. */
static uint64_t
key_of(uint16_t port, uint32_t i)
{
	const struct rte_ether_addr mac = {
			{0x02, port >> 8, port, i >> 16, i >> 8, i},
	};

	return fdb_key(&mac, 0);
}

static enum fdb_verdict
learn(struct table *t, uint16_t port, uint32_t i)
{
	uint16_t old = UINT16_MAX;
	enum fdb_verdict v = fdb_learn(t->fdb, key_of(port, i), port, &old);

	assert_int_equal(old, UINT16_MAX);
	return v;
}

static void
assert_at(struct table *t, uint64_t key, uint16_t port)
{
	struct fdb_entry *e = fdb_lookup(t->fdb, t->hints, key);

	assert_non_null(e);
	assert_true(e->key == key);
	assert_int_equal(fdb_port(e), port);
}

static void
assert_unknown(struct table *t, uint64_t key)
{
	assert_null(fdb_lookup(t->fdb, t->hints, key));
}

static void
quiesce(struct table *t)
{
	rte_rcu_qsbr_quiescent(t->qsbr, 0);
}

static void
test_key(void **state)
{
	struct rte_ether_addr mac, back;
	uint64_t random = 1, key, other;
	unsigned int i, k;

	RTE_SET_USED(state);
	for (i = 0; i < 1000; i++) {
		for (k = 0; k < 6; k++)
			mac.addr_bytes[k] = unit_random(&random);
		key = fdb_key(&mac, i);
		back = fdb_mac(key);
		assert_memory_equal(&back, &mac, sizeof(mac));
		assert_true((key & ~FDB_KEY_USED) >> 48 == i);
		/* Each byte counts. */
		for (k = 0; k < 6; k++) {
			back = mac;
			back.addr_bytes[k] ^= 1 << i % 8;
			other = fdb_key(&back, i);
			assert_true(other != key);
		}
		assert_in_range(fdb_hint(key), 0, FDB_HINTS - 1);
	}
}

static void
test_learn(void **state)
{
	struct table *t = *state;

	assert_unknown(t, key_of(3, 0));
	assert_int_equal(learn(t, 3, 0), FDB_ADDED);
	assert_at(t, key_of(3, 0), 3);
	assert_int_equal(learn(t, 3, 0), FDB_SAME);
	assert_int_equal(fdb_count(t->fdb, 3), 1);
	assert_int_equal(t->fdb->used, 1);
	assert_unknown(t, key_of(3, 1));
	assert_int_equal(learn(t, PORT_UPLINK, 0), FDB_ADDED);
	assert_at(t, key_of(PORT_UPLINK, 0), PORT_UPLINK);
	/* The same address in another VLAN domain is another. */
	assert_unknown(t, key_of(3, 0) | UINT64_C(1) << 48);
}

static void
test_age(void **state)
{
	struct table *t = *state;

	tick_to(t, 10);
	learn(t, 1, 0);
	learn(t, 1, 1);
	learn(t, 1, 2);
	tick_to(t, 200);
	fdb_touch(t->fdb, fdb_lookup(t->fdb, t->hints, key_of(1, 1))); /* as workers do */
	learn(t, 1, 2);                                                /* as the main lcore */
	tick_to(t, 10 + AGING);
	assert_int_equal(t->gone, 0);
	tick_to(t, 10 + AGING + 1);
	assert_int_equal(t->gone, 1);
	assert_true(t->key == key_of(1, 0));
	assert_int_equal(t->port, 1);
	assert_unknown(t, key_of(1, 0));
	assert_at(t, key_of(1, 1), 1);
	assert_at(t, key_of(1, 2), 1);
	assert_int_equal(fdb_count(t->fdb, 1), 2);
	tick_to(t, 200 + AGING + 1);
	assert_int_equal(fdb_count(t->fdb, 1), 0);
	assert_int_equal(t->fdb->used, 0);
}

static void
test_ageless(void **state)
{
	struct table *t = *state;

	learn(t, 1, 0);
	t->fdb->clock = UINT32_MAX - 1;
	fdb_tick(t->fdb, gone, t);
	assert_int_equal(t->gone, 0);
	assert_at(t, key_of(1, 0), 1);
}

static void
test_move(void **state)
{
	struct table *t = *state;
	uint64_t key = key_of(1, 0);
	uint16_t old = 99;

	learn(t, 1, 0);
	assert_at(t, key, 1); /* its hint is set */
	fdb_set_filter(t->fdb, key, FILTER_POOL);
	tick_to(t, AGING);
	assert_int_equal(fdb_learn(t->fdb, key, 2, &old), FDB_MOVED);
	assert_int_equal(old, 1);
	assert_at(t, key, 2);
	assert_false(fdb_pooled(
			fdb_lookup(t->fdb, t->hints, key))); /* that pool is another guest's */
	assert_int_equal(fdb_count(t->fdb, 1), 0);
	assert_int_equal(fdb_count(t->fdb, 2), 1);
	assert_int_equal(t->fdb->used, 1);
	/* To move is to be used. */
	tick_to(t, AGING + 1);
	assert_int_equal(t->gone, 0);
}

static void
test_uplink_takes_nothing_in_use(void **state)
{
	struct table *t = *state;
	uint64_t guest = key_of(1, 0), host = key_of(PORT_UPLINK, 0);
	uint16_t old = 99;

	learn(t, 1, 0);
	assert_int_equal(fdb_learn(t->fdb, guest, PORT_UPLINK, &old), FDB_KEPT);
	assert_int_equal(old, 99);
	assert_at(t, guest, 1);
	assert_int_equal(fdb_count(t->fdb, PORT_UPLINK), 0);
	/* The other direction is a move: a machine migrated to this host. */
	learn(t, PORT_UPLINK, 0);
	assert_int_equal(fdb_learn(t->fdb, host, 1, &old), FDB_MOVED);
	assert_int_equal(old, PORT_UPLINK);
	assert_at(t, host, 1);
	assert_int_equal(fdb_count(t->fdb, PORT_UPLINK), 0);
}

/* An address that its guest has not used for a second: a machine migrated away. */
static void
test_uplink_takes_what_is_idle(void **state)
{
	struct table *t = *state;
	uint64_t key = key_of(1, 0);
	uint16_t old = 99;

	tick_to(t, 7);
	learn(t, 1, 0);
	assert_int_equal(fdb_learn(t->fdb, key, PORT_UPLINK, &old), FDB_KEPT);
	tick_to(t, 8); /* perhaps a moment later */
	assert_int_equal(fdb_learn(t->fdb, key, PORT_UPLINK, &old), FDB_KEPT);
	learn(t, 1, 0);
	tick_to(t, 9);
	assert_int_equal(fdb_learn(t->fdb, key, PORT_UPLINK, &old), FDB_KEPT);
	tick_to(t, 10); /* more than a second in any case */
	assert_int_equal(fdb_learn(t->fdb, key, PORT_UPLINK, &old), FDB_MOVED);
	assert_int_equal(old, 1);
	assert_at(t, key, PORT_UPLINK);
	assert_int_equal(fdb_count(t->fdb, 1), 0);
	assert_int_equal(fdb_count(t->fdb, PORT_UPLINK), 1);
	/* A guest that uses it gets it back at once. */
	assert_int_equal(fdb_learn(t->fdb, key, 1, &old), FDB_MOVED);
	assert_int_equal(old, PORT_UPLINK);
	assert_int_equal(fdb_learn(t->fdb, key, PORT_UPLINK, &old), FDB_KEPT);
	assert_at(t, key, 1);
}

/* The uplink has its share already: the guest loses its address all the same. */
static void
test_idle_while_uplink_is_full(void **state)
{
	struct table *t = *state;
	uint64_t key = key_of(1, 0);
	uint16_t old = 99;
	uint32_t i;

	for (i = 0; i < FDB_PER_UPLINK; i++)
		assert_int_equal(learn(t, PORT_UPLINK, i), FDB_ADDED);
	learn(t, 1, 0);
	tick_to(t, FDB_HOLD);
	assert_int_equal(fdb_learn(t->fdb, key, PORT_UPLINK, &old), FDB_MOVED);
	assert_int_equal(old, 1);
	assert_int_equal(fdb_count(t->fdb, 1), 0);
	assert_int_equal(fdb_count(t->fdb, PORT_UPLINK), FDB_PER_UPLINK);
	assert_null(fdb_lookup_slow(t->fdb, t->hints, key));
}

static void
test_share(void **state)
{
	struct table *t = *state;
	uint16_t old = 99;
	uint32_t i;

	for (i = 0; i < FDB_PER_GUEST; i++) {
		assert_false(fdb_full(t->fdb, 1));
		assert_int_equal(learn(t, 1, i), FDB_ADDED);
	}
	assert_true(fdb_full(t->fdb, 1));
	assert_int_equal(learn(t, 1, i), FDB_FULL);
	assert_unknown(t, key_of(1, i));
	assert_int_equal(learn(t, 1, 0), FDB_SAME);
	/* Others have theirs; and one who is full can't take an address from them. */
	assert_int_equal(learn(t, 2, 0), FDB_ADDED);
	assert_int_equal(fdb_learn(t->fdb, key_of(2, 0), 1, &old), FDB_FULL);
	assert_int_equal(old, 99);
	assert_at(t, key_of(2, 0), 2);
	/* An address that moves away makes room for one. */
	assert_int_equal(fdb_learn(t->fdb, key_of(1, 5), 2, &old), FDB_MOVED);
	assert_int_equal(learn(t, 1, i), FDB_ADDED);
	assert_int_equal(learn(t, 1, i + 1), FDB_FULL);
	assert_int_equal(fdb_count(t->fdb, 1), FDB_PER_GUEST);
}

static void
test_many_found(void **state)
{
	struct table *t = *state;
	unsigned int pass;
	uint32_t i;
	uint16_t port;

	for (port = 0; port < 64; port++)
		for (i = 0; i < FDB_PER_GUEST; i++)
			assert_int_equal(learn(t, port, i), FDB_ADDED);
	assert_int_equal(t->fdb->used, 64 * FDB_PER_GUEST);
	/* Four addresses share a hint: each order of asking finds all. */
	for (pass = 0; pass < 2; pass++)
		for (i = 0; i < FDB_PER_GUEST; i++)
			for (port = 0; port < 64; port++)
				assert_at(t, key_of(port, i), port);
	for (port = 64; port < 128; port++)
		for (i = 0; i < FDB_PER_GUEST; i++)
			assert_unknown(t, key_of(port, i));
}

/* A hint may point anywhere in the table: the entry's own key decides. */
static void
test_stale_hint(void **state)
{
	struct table *t = *state;
	uint64_t a = key_of(1, 0), b = key_of(2, 0), c = key_of(3, 0);
	uint32_t at_a, at_b;

	learn(t, 1, 0);
	learn(t, 2, 0);
	at_a = fdb_lookup(t->fdb, t->hints, a) - t->fdb->entry;
	at_b = fdb_lookup(t->fdb, t->hints, b) - t->fdb->entry;
	t->hints->position[fdb_hint(a)] = at_b;
	assert_at(t, a, 1);
	assert_int_equal(t->hints->position[fdb_hint(a)], at_a); /* renewed */
	t->hints->position[fdb_hint(c)] = at_a;
	assert_unknown(t, c);
	/* The entry that a hint leads to is forgotten, and the hint is still there. */
	fdb_forget_port(t->fdb, 1, NULL, NULL);
	t->hints->position[fdb_hint(a)] = at_a;
	assert_unknown(t, a);
}

static void
test_forget_port(void **state)
{
	struct table *t = *state;
	uint32_t i;

	for (i = 0; i < 10; i++) {
		learn(t, 1, i);
		learn(t, 2, i);
	}
	fdb_forget_port(t->fdb, 1, gone, t);
	assert_int_equal(t->gone, 10);
	assert_int_equal(t->port, 1);
	assert_int_equal(fdb_count(t->fdb, 1), 0);
	assert_int_equal(fdb_count(t->fdb, 2), 10);
	for (i = 0; i < 10; i++) {
		assert_unknown(t, key_of(1, i));
		assert_at(t, key_of(2, i), 2);
	}
	fdb_forget_port(t->fdb, 1, gone, t);
	fdb_forget_port(t->fdb, 77, gone, t);
	assert_int_equal(t->gone, 10);
	assert_int_equal(learn(t, 1, 0), FDB_ADDED);
}

/* Every port at its share: there is room for all of them, and no more. */
static void
fill(struct table *t)
{
	uint16_t port;
	uint32_t i;

	for (port = 0; port < PORT_MAX; port++)
		for (i = 0; i < fdb_share(port); i++)
			if (learn(t, port, i) != FDB_ADDED)
				fail_msg("port %u: address %u of its share was refused", port, i);
	assert_int_equal(t->fdb->used, FDB_SIZE);
}

/* A removed position is used again only when no reader can be looking at it. */
static void
test_grace_period(void **state)
{
	struct table *t = *state;
	struct fdb_entry *e;
	uint32_t i;

	fill(t);
	e = fdb_lookup(t->fdb, t->hints, key_of(9, 0));
	fdb_forget_port(t->fdb, 9, NULL, NULL);
	for (i = 0; i < 5; i++) {
		fdb_tick(t->fdb, NULL, NULL);
		assert_int_equal(learn(t, 9, 1000 + i), FDB_FULL);
		assert_true(e->key == 0);
	}
	quiesce(t);
	fdb_tick(t->fdb, NULL, NULL);
	for (i = 0; i < FDB_PER_GUEST; i++)
		assert_int_equal(learn(t, 9, 1000 + i), FDB_ADDED);
	assert_at(t, e->key, 9);
	assert_unknown(t, key_of(9, 0));
}

/* What is removed while others wait has a grace period of its own. */
static void
test_second_grace_period(void **state)
{
	struct table *t = *state;
	uint32_t i;

	fill(t);
	fdb_forget_port(t->fdb, 9, NULL, NULL);  /* waits */
	fdb_forget_port(t->fdb, 10, NULL, NULL); /* is put after it */
	quiesce(t);
	fdb_tick(t->fdb, NULL, NULL); /* frees those of 9, begins to wait for 10 */
	for (i = 0; i < FDB_PER_GUEST; i++)
		assert_int_equal(learn(t, 9, 1000 + i), FDB_ADDED);
	assert_int_equal(learn(t, 10, 1000), FDB_FULL);
	quiesce(t);
	/* Without a tick: the attempt that fails looks whether the wait is over. */
	assert_int_equal(learn(t, 10, 1000), FDB_FULL);
	for (i = 0; i < FDB_PER_GUEST; i++)
		assert_int_equal(learn(t, 10, 1000 + i), FDB_ADDED);
}

/* Addresses are learned and forgotten again and again: no position is lost. */
static void
test_churn(void **state)
{
	struct table *t = *state;
	uint32_t round, i;

	for (round = 0; round < 2 * FDB_SIZE / FDB_PER_GUEST; round++) {
		for (i = 0; i < FDB_PER_GUEST; i++)
			assert_int_equal(learn(t, 5, round * FDB_PER_GUEST + i), FDB_ADDED);
		fdb_forget_port(t->fdb, 5, NULL, NULL);
		quiesce(t);
		fdb_tick(t->fdb, NULL, NULL);
	}
	quiesce(t);
	fdb_tick(t->fdb, NULL, NULL);
	quiesce(t);
	fdb_tick(t->fdb, NULL, NULL);
	fill(t);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_key),
			TEST(test_learn),
			TEST(test_age),
			cmocka_unit_test_setup_teardown(test_ageless, setup_ageless, teardown),
			TEST(test_move),
			TEST(test_uplink_takes_nothing_in_use),
			TEST(test_uplink_takes_what_is_idle),
			TEST(test_idle_while_uplink_is_full),
			TEST(test_share),
			TEST(test_many_found),
			TEST(test_stale_hint),
			TEST(test_forget_port),
			TEST(test_grace_period),
			TEST(test_second_grace_period),
			TEST(test_churn),
	};

	return cmocka_run_group_tests_name("fdb", tests, unit_eal, unit_eal_end);
}
