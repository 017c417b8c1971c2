/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Which worker polls a guest, on an invented machine and on this one. */
#include "switch/place.h"
#include "unit.h"

/* Four nodes, two a socket: 10 at home, 12 next door, 21 on the other socket. */
static int
two_sockets(int a, int b)
{
	if (a == b)
		return 10;
	return a / 2 == b / 2 ? 12 : 21;
}

static int
unknown(int a, int b)
{
	return a - a + b - b;
}

#define SEATS 4

/* Seats of a case: loads and nodes of four workers. */
struct topology {
	unsigned int load[SEATS];
	int node[SEATS];
	int guest;
	unsigned int chosen;
};

static void
assert_choice(const struct topology *t, distance_fn distance)
{
	struct seat seat[SEATS];
	unsigned int i;

	for (i = 0; i < SEATS; i++)
		seat[i] = (struct seat){.load = t->load[i], .node = t->node[i]};
	assert_int_equal(place_choose(seat, SEATS, t->guest, distance), t->chosen);
}

static void
test_near(void **state)
{
	static const struct topology cases[] = {
			{{0, 0, 0, 0}, {0, 1, 2, 3}, 0, 0},
			{{0, 0, 0, 0}, {0, 1, 2, 3}, 3, 3},
			{{3, 3, 3, 3}, {0, 1, 2, 3}, 2, 2},
			/* The less busy of two at home. */
			{{4, 5, 4, 4}, {2, 1, 1, 3}, 1, 2},
			/* Next door is nearly as good as home, and the other socket is not. */
			{{6, 4, 3, 9}, {1, 0, 2, 1}, 1, 1},
			{{5, 3, 3, 9}, {1, 0, 2, 3}, 1, 1},
			/* With twice the rings at home, the other socket is better. */
			{{0, 9, 9, 9}, {0, 2, 2, 2}, 2, 0},
			{{9, 9, 9, 9}, {0, 2, 2, 2}, 2, 1},
			{{4, 9, 9, 9}, {0, 2, 2, 2}, 2, 1},
			/* No worker at home: the least busy of those equally far. */
			{{2, 1, 1, 2}, {0, 0, 1, 1}, 2, 1},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_choice(&cases[i], two_sockets);
}

static void
test_unknown(void **state)
{
	static const struct topology least = {{2, 1, 0, 1}, {0, 1, 0, 1}, 1, 2};
	static const struct topology no_node = {{2, 1, 0, 1}, {0, 1, 0, 1}, -1, 2};
	static const struct topology no_nodes = {{2, 1, 0, 1}, {-1, -1, -1, -1}, 1, 2};

	(void)state;
	assert_choice(&least, unknown);
	assert_choice(&no_node, two_sockets);
	assert_choice(&no_nodes, two_sockets);
}

/* Guests that come one by one fill all workers of their nodes alike, then the others. */
static void
test_filling(void **state)
{
	struct seat seat[SEATS] = {{.node = 0}, {.node = 0}, {.node = 2}, {.node = 2}};
	unsigned int i;

	(void)state;
	for (i = 0; i < 8; i++)
		seat[place_choose(seat, SEATS, i % 2 == 0 ? 0 : 2, two_sockets)].load++;
	for (i = 0; i < SEATS; i++)
		assert_int_equal(seat[i].load, 2);
	for (i = 0; i < 8; i++)
		seat[place_choose(seat, SEATS, 0, two_sockets)].load++;
	assert_int_equal(seat[0].load + seat[1].load, 12);
	assert_int_equal(seat[2].load + seat[3].load, 4);
}

/* Rings of one guest go to a worker each, the best first, however busy or far; then round again. */
static void
test_spread(void **state)
{
	struct seat seat[SEATS] = {
			{.load = 9, .node = 2}, {.node = 0}, {.load = 2, .node = 2}, {.node = 2}};
	static const unsigned int due[] = {3, 1, 2, 0, 3, 2, 1, 0};
	unsigned int i, at;

	(void)state;
	for (i = 0; i < 8; i++) {
		at = place_choose(seat, SEATS, 2, two_sockets);
		assert_int_equal(at, due[i]);
		seat[at].load++;
		seat[at].same++;
	}
	/* Another guest's first ring: as if these were anybody's. Loads are 11, 2, 4, 2. */
	for (i = 0; i < SEATS; i++)
		seat[i].same = 0;
	assert_int_equal(place_choose(seat, SEATS, 0, two_sockets), 1);
	assert_int_equal(place_choose(seat, SEATS, 2, two_sockets), 3);
}

/* This machine: a page that is there is on a node, which is 10 from itself, or nothing is known. */
static void
test_here(void **state)
{
	char page[4096] = "there";
	int node = place_node_of(page);

	(void)state;
	assert_true(node >= -1);
	if (node >= 0 && place_distance(node, node) != 0)
		assert_int_equal(place_distance(node, node), 10);
	assert_int_equal(place_node_of(NULL), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_near),
			cmocka_unit_test(test_unknown),
			cmocka_unit_test(test_filling),
			cmocka_unit_test(test_spread),
			cmocka_unit_test(test_here),
	};

	return cmocka_run_group_tests_name("place", tests, NULL, NULL);
}
