/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The counters: sums over workers, tenants that left, and the printed table. */
#include <inttypes.h>

#include <rte_common.h>

#include "guest/fault_reason.h"
#include "guest/guests.h"
#include "run/parts.h"
#include "run/stats.h"
#include "uplink/uplink_priv.h"
#include "unit.h"
#include "switch/lane.h"
#include "switch/lanes.h"

/* Two lanes, of which nothing but the counters is in use. */
struct counted {
	struct lanes lanes;
	struct ports ports;
	struct guests guests;
	struct stats stats;
	struct parts parts;
};

static int
setup(void **state)
{
	struct counted *c = unit_zalloc(sizeof(*c));

	c->lanes.n = 2;
	c->lanes.lane[0] = unit_zalloc(sizeof(struct lane));
	c->lanes.lane[1] = unit_zalloc(sizeof(struct lane));
	c->parts = (struct parts){
			.lanes = &c->lanes,
			.ports = &c->ports,
			.guests = &c->guests,
			.stats = &c->stats,
	};
	*state = c;
	return 0;
}

static int
teardown(void **state)
{
	struct counted *c = *state;

	free(c->lanes.lane[0]);
	free(c->lanes.lane[1]);
	free(c);
	return 0;
}

/* Gives each counter of c a value of its own. Returns how many there are. */
static unsigned int
number(struct port_count *c, uint64_t base)
{
	uint64_t *v = (uint64_t *)c;
	unsigned int i, n = offsetof(struct port_count, drop) / sizeof(*v) + DROP_MAX;

	for (i = 0; i < n; i++)
		v[i] = base * (i + 1);
	return n;
}

static void
assert_numbered(const struct port_count *c, uint64_t base)
{
	struct port_count want = {0};
	const uint64_t *is = (const uint64_t *)c, *due = (const uint64_t *)&want;
	unsigned int i, n = number(&want, base);

	for (i = 0; i < n; i++)
		assert_int_equal(is[i], due[i]);
}

static void
test_names(void **state)
{
	unsigned int i, k;

	RTE_SET_USED(state);
	for (i = 0; i < DROP_MAX; i++) {
		assert_string_not_equal(drop_name(i), "unknown");
		for (k = 0; k < i; k++)
			assert_string_not_equal(drop_name(i), drop_name(k));
	}
	for (i = 0; i < FAULT_MAX; i++) {
		assert_string_not_equal(fault_name(i), "unknown");
		for (k = 0; k < i; k++)
			assert_string_not_equal(fault_name(i), fault_name(k));
	}
	assert_string_equal(drop_name(DROP_MAX), "unknown");
	assert_string_equal(fault_name(FAULT_MAX), "unknown");
	assert_string_equal(drop_name(DROP_RING_FULL), "ring_full");
}

static void
test_count_add(void **state)
{
	uint64_t n = UINT64_C(0xffffffff);

	RTE_SET_USED(state);
	count_add(&n, 2);
	assert_true(n == UINT64_C(0x100000001));
}

static void
test_dropped(void **state)
{
	struct port_count c = {.received = 100, .missed = 50, .unlearned = 60};
	unsigned int i;
	uint64_t want = 0;

	RTE_SET_USED(state);
	assert_int_equal(count_dropped(&c), 0);
	for (i = 0; i < DROP_MAX; i++) {
		c.drop[i] = i + 5;
		want += i + 5;
	}
	assert_int_equal(count_dropped(&c), want);
}

static void
test_sum(void **state)
{
	struct counted *all = *state;
	struct port_count sum;

	memset(&sum, 0xa5, sizeof(sum));
	number(&all->lanes.lane[0]->count[3], 1);
	number(&all->lanes.lane[1]->count[3], 100);
	number(&all->stats.outside[3], 10000);
	number(&all->lanes.lane[0]->count[4], 7);
	stats_port(&all->parts, 3, &sum);
	assert_numbered(&sum, 10101);
	stats_port(&all->parts, 4, &sum);
	assert_numbered(&sum, 7);
	stats_port(&all->parts, PORT_UPLINK, &sum);
	assert_numbered(&sum, 0);
}

/* A slot's next tenant starts at zero; what went before is kept, once. */
static void
test_retire(void **state)
{
	struct counted *all = *state;
	struct port_count sum;

	number(&all->lanes.lane[0]->count[3], 1);
	number(&all->lanes.lane[1]->count[3], 10);
	number(&all->stats.outside[3], 100);
	stats_retire(&all->parts, 3);
	assert_numbered(&all->stats.departed, 111);
	stats_port(&all->parts, 3, &sum);
	assert_numbered(&sum, 0);
	number(&all->lanes.lane[0]->count[3], 4); /* the next tenant: 3 more of each */
	stats_port(&all->parts, 3, &sum);
	assert_numbered(&sum, 3);
	stats_retire(&all->parts, 3);
	assert_numbered(&all->stats.departed, 114);
	stats_port(&all->parts, 3, &sum);
	assert_numbered(&sum, 0);
	/* Leaving without a frame changes nothing. */
	stats_retire(&all->parts, 3);
	assert_numbered(&all->stats.departed, 114);
	number(&all->lanes.lane[1]->count[5], 1000);
	stats_retire(&all->parts, 5);
	assert_numbered(&all->stats.departed, 1114);
	memset(&sum, 0xa5, sizeof(sum));
	stats_departed(&all->parts, &sum);
	assert_numbered(&sum, 1114);
}

/* The table as text: free() it. */
static char *
printed(const struct parts *p)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	stats_print(p, out);
	assert_int_equal(fclose(out), 0);
	return text;
}

static void
test_table(void **state)
{
	static const char want[] =
			"vhost-switch statistics\n"
			"device          received      delivered      dropped           sent      flooded       missed\n"
			"0                1000000         999990           10         500000            3            7\n"
			"2                      5              5            0              6            0            0\n"
			"uplink      123456789012   123456789012            0              0            0            0\n"
			"departed               9              0            9              0            0            0\n"
			"total       123457789026   123457789007           19         500006            3            7\n"
			"the uplink's link is up\n"
			"dropped, by reason:\n"
			"device 0: ring_full 8, destination_gone 2\n"
			"device 2: addresses not learned 4\n"
			"departed: bad_source 9, addresses not learned 1\n"
			"devices stopped for breaking the rules: 11\n"
			"\n";
	static struct uplink uplink = {.limit = 1514};
	struct counted *all = *state;
	struct port_count *c = all->lanes.lane[0]->count;
	char *text;

	all->ports.n = 3;
	all->ports.port[0].state = PORT_USED;
	all->ports.port[1].state = PORT_FREE;
	all->ports.port[2].state = PORT_LEAVING; /* still the guest's, until the slot is cleared */
	all->parts.uplink = &uplink;
	all->guests.faults = 11;
	c[0] = (struct port_count){.received = 1000000,
			.delivered = 999990,
			.sent = 500000,
			.flooded = 3,
			.missed = 7,
			.drop = {[DROP_RING_FULL] = 8, [DROP_GONE] = 2}};
	c[1].received = 77;
	all->stats.retired[1].received = 77;
	c[2] = (struct port_count){.received = 5, .delivered = 5, .sent = 6, .unlearned = 4};
	c[3].received = 1; /* past the slots in use */
	c[PORT_UPLINK] = (struct port_count){.received = 123456789012, .delivered = 123456789012};
	all->stats.departed = (struct port_count){
			.received = 9, .unlearned = 1, .drop = {[DROP_SOURCE] = 9}};
	text = printed(&all->parts);
	assert_string_equal(text, want);
	free(text);
}

static void
test_empty_table(void **state)
{
	static const char want[] =
			"vhost-switch statistics\n"
			"device          received      delivered      dropped           sent      flooded       missed\n"
			"departed               0              0            0              0            0            0\n"
			"total                  0              0            0              0            0            0\n"
			"dropped, by reason:\n"
			"devices stopped for breaking the rules: 0\n"
			"\n";
	const struct counted *all = *state;
	char *text = printed(&all->parts);

	assert_string_equal(text, want);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_names),
			cmocka_unit_test(test_count_add),
			cmocka_unit_test(test_dropped),
			cmocka_unit_test_setup_teardown(test_sum, setup, teardown),
			cmocka_unit_test_setup_teardown(test_retire, setup, teardown),
			cmocka_unit_test_setup_teardown(test_table, setup, teardown),
			cmocka_unit_test_setup_teardown(test_empty_table, setup, teardown),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
