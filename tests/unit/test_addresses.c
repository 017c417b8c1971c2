/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Static addresses: they leave the table with their guest, and come back with it. */
#include "conf/conf_parse.h"
#include "run/addresses.h"
#include "unit.h"
#include "world.h"

#define A 0
#define B 1

static struct conf settings, others;
static uint64_t key[3];

static void
read_settings(struct conf *c, char **words, int n)
{
	assert_int_equal(conf_parse(c, n, words), CONF_RUN);
}

/* Guests of the ports a and b, in the slots of these names. */
static int
setup(void **state)
{
	static char *words[] = {
			"vhost-switch", "--", "--port", "a,socket=a", "--port", "b,socket=b"};
	struct world *w = world_create(2);
	struct rte_ether_addr mac;
	unsigned int i;

	read_settings(&settings, words, RTE_DIM(words));
	w->parts.conf = &settings;
	for (i = 0; i < 2; i++)
		w->r->ports.port[i].settings = &settings.port[i];
	for (i = 0; i < RTE_DIM(key); i++) {
		mac = mac_of(7, i);
		key[i] = fdb_key(&mac, FDB_DOMAIN);
	}
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	world_destroy(*state);
	return 0;
}

/* Returns the port that an address is static at, or PORT_MAX. */
static uint16_t
static_at(const struct world *w, uint64_t k)
{
	struct fdb_entry e;
	uint32_t at = 0;

	while (fdb_next(w->parts.fdb, &at, &e))
		if (e.key == k && e.is_static)
			return e.port;
	return PORT_MAX;
}

static void
test_they_come_back_with_their_guest(void **state)
{
	struct world *w = *state;
	const struct parts *p = &w->parts;
	uint16_t old;

	assert_true(addresses_fix(p, key[0], A));
	assert_true(addresses_fix(p, key[1], A));
	assert_true(addresses_fix(p, key[2], B));
	addresses_forget_port(p, A);
	assert_int_equal(static_at(w, key[0]), PORT_MAX);
	assert_int_equal(static_at(w, key[2]), B);
	/* Another guest uses one of them meanwhile. */
	assert_int_equal(fdb_learn(p->fdb, key[1], B, &old), FDB_ADDED);
	addresses_return(p, B, true);
	assert_int_equal(static_at(w, key[0]), PORT_MAX);
	addresses_return(p, A, true);
	assert_int_equal(static_at(w, key[0]), A);
	assert_int_equal(static_at(w, key[1]), A);
	assert_int_equal(fdb_count(p->fdb, B), 1);
	/* Each time. */
	addresses_forget_port(p, A);
	addresses_return(p, A, true);
	assert_int_equal(static_at(w, key[0]), A);
}

static void
test_the_last_owner_has_it(void **state)
{
	struct world *w = *state;
	const struct parts *p = &w->parts;

	assert_true(addresses_fix(p, key[0], A));
	assert_true(addresses_fix(p, key[0], B));
	assert_true(addresses_fix(p, key[1], A));
	addresses_forget_port(p, A);
	assert_true(addresses_fix(p, key[1], PORT_UPLINK));
	addresses_return(p, A, true);
	assert_int_equal(static_at(w, key[0]), B);
	assert_int_equal(static_at(w, key[1]), PORT_UPLINK);
	assert_int_equal(fdb_count(p->fdb, A), 0);
}

static void
test_deleted_ones_stay_away(void **state)
{
	struct world *w = *state;
	const struct parts *p = &w->parts;

	assert_true(addresses_fix(p, key[0], A));
	assert_true(addresses_fix(p, key[1], A));
	assert_true(addresses_fix(p, key[2], B));
	addresses_forget_port(p, A);
	assert_int_equal(addresses_forget_static(p, key[0], PORT_MAX), 1);
	assert_int_equal(addresses_forget_static(p, key[0], PORT_MAX), 0);
	assert_int_equal(addresses_forget_static(p, 0, B), 0); /* B is there, so nothing waits */
	addresses_return(p, A, true);
	assert_int_equal(static_at(w, key[0]), PORT_MAX);
	assert_int_equal(static_at(w, key[1]), A);
	addresses_forget_port(p, A);
	addresses_forget_port(p, B);
	assert_int_equal(addresses_forget_static(p, 0, PORT_MAX), 1);
	addresses_return(p, A, true);
	addresses_return(p, B, true);
	assert_int_equal(fdb_used(p->fdb), 0);
}

/* Settings that allow A one address, which is none of those here. */
static void
take_addresses_of_a(struct world *w)
{
	static char *macs[] = {"vhost-switch", "--", "--port", "a,socket=a,mac=02:00:00:00:00:99",
			"--port", "b,socket=b"};

	read_settings(&others, macs, RTE_DIM(macs));
	w->parts.conf = &others;
	w->r->ports.port[A].settings = &others.port[A];
	w->r->ports.port[A].policy = PORT_MACS;
}

/*
 * Settings that no longer allow an address to its port, or lack the port, end it, whether it is in
 * the table or waits.
 */
static void
test_settings_end_them(void **state)
{
	static char *one[] = {"vhost-switch", "--", "--port", "b,socket=b"};
	struct world *w = *state;
	struct parts *p = &w->parts;

	assert_true(addresses_fix(p, key[0], A));
	assert_true(addresses_fix(p, key[1], B));
	addresses_forget_port(p, A);
	take_addresses_of_a(w);
	addresses_commit(p);
	addresses_return(p, A, true);
	assert_int_equal(static_at(w, key[0]), PORT_MAX);
	assert_int_equal(w->statics.n, 1);
	read_settings(&others, one, RTE_DIM(one));
	addresses_commit(p);
	assert_int_equal(w->statics.n, 1);
	addresses_forget_port(p, B);
	p->conf = &settings;
	memset(&settings.port[B], 0, sizeof(settings.port[B]));
	addresses_commit(p);
	assert_int_equal(w->statics.n, 0);
}

/* A change that takes an address from its port may be taken back. */
static void
test_they_wait_for_the_end_of_a_change(void **state)
{
	struct world *w = *state;
	struct parts *p = &w->parts;

	assert_true(addresses_fix(p, key[0], A));
	addresses_forget_port(p, A);
	take_addresses_of_a(w);
	addresses_return(p, A, false);
	assert_int_equal(static_at(w, key[0]), PORT_MAX);
	p->conf = &settings;
	w->r->ports.port[A].settings = &settings.port[A];
	w->r->ports.port[A].policy = 0;
	addresses_commit(p);
	assert_int_equal(static_at(w, key[0]), A);
}

/* An address that another port can't have stays as it was. */
static void
test_refused_move(void **state)
{
	struct world *w = *state;
	const struct parts *p = &w->parts;
	struct rte_ether_addr mac;
	unsigned int i;
	uint16_t old;

	assert_true(addresses_fix(p, key[0], B));
	for (i = 0; i < FDB_PER_GUEST; i++) {
		mac = mac_of(9, i);
		assert_true(addresses_fix(p, fdb_key(&mac, FDB_DOMAIN), A));
	}
	assert_false(addresses_fix(p, key[0], A));
	assert_int_equal(static_at(w, key[0]), B);
	assert_int_equal(fdb_learn(p->fdb, key[0], A, &old), FDB_KEPT);
}

/* Settings that do not stay, as a socket can't be made, leave static addresses waiting. */
static void
test_change_that_is_undone(void **state)
{
	static char *macs[] = {"vhost-switch", "--", "--port", "a,socket=a", "--port",
			"b,socket=b,mac=02:00:00:00:00:99"};
	struct world *w = *state;
	struct parts *p = &w->parts;
	struct rte_ether_addr mac;
	uint64_t named;

	assert_int_equal(rte_ether_unformat_addr("02:00:00:00:00:99", &mac), 0);
	named = fdb_key(&mac, FDB_DOMAIN);
	assert_true(addresses_fix(p, named, A));
	read_settings(&others, macs, RTE_DIM(macs));
	p->conf = &others;
	addresses_enforce(p);
	assert_int_equal(static_at(w, named), PORT_MAX);
	p->conf = &settings;
	addresses_commit(p);
	assert_int_equal(static_at(w, named), A);
	/* If they stay it ends. */
	p->conf = &others;
	addresses_commit(p);
	assert_int_equal(static_at(w, named), PORT_MAX);
	assert_int_equal(w->statics.n, 0);
}

static void
test_more_than_a_few(void **state)
{
	struct world *w = *state;
	const struct parts *p = &w->parts;
	struct rte_ether_addr mac;
	unsigned int i;

	for (i = 0; i < FDB_PER_GUEST; i++) {
		mac = mac_of(9, i);
		assert_true(addresses_fix(p, fdb_key(&mac, FDB_DOMAIN), A));
	}
	assert_false(addresses_fix(p, key[0], A));
	addresses_forget_port(p, A);
	assert_int_equal(fdb_count(p->fdb, A), 0);
	addresses_return(p, A, true);
	assert_int_equal(fdb_count(p->fdb, A), FDB_PER_GUEST);
	assert_int_equal(w->statics.n, FDB_PER_GUEST);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)
	const struct CMUnitTest tests[] = {
			TEST(they_come_back_with_their_guest),
			TEST(the_last_owner_has_it),
			TEST(deleted_ones_stay_away),
			TEST(settings_end_them),
			TEST(they_wait_for_the_end_of_a_change),
			TEST(refused_move),
			TEST(change_that_is_undone),
			TEST(more_than_a_few),
	};

	return cmocka_run_group_tests_name("addresses", tests, unit_eal, unit_eal_end);
}
