/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What comes in by the uplink: whose tag a frame has, and lengths that are refused. */
#include "conf/conf_parse.h"
#include "switch/source.h"
#include "wire.h"

static int
setup_keep(void **state)
{
	char *words[] = {"vhost-switch", "--", "-p1", "--vlan-strip=0", NULL};

	return wire_open(state, words, 4);
}

static int
setup_untagged(void **state)
{
	char *words[] = {"vhost-switch", "--", "-p1", "--vlan-base=0", NULL};

	return wire_open(state, words, 4);
}

static int
setup_untagged_keep(void **state)
{
	char *words[] = {"vhost-switch", "--", "-p1", "--vlan-base=0", "--vlan-strip=0", NULL};

	return wire_open(state, words, 5);
}

static struct frame *
fetch_one(struct wire *w)
{
	assert_int_equal(w->u->pool[0].source.ops->fetch(
					 &w->u->pool[0].source, &w->burst, BURST_MAX),
			1);
	return w->burst.frame;
}

static void
retire_one(struct wire *w)
{
	w->u->pool[0].source.ops->retire(&w->u->pool[0].source, w->burst.frame, 1, &w->count);
}

/* Fetches one frame, and compares what guests get of it, copied as forwarding does. */
static void
assert_fetched(struct wire *w, const uint8_t *want, uint32_t len, int tci)
{
	struct frame *f = fetch_one(w);
	uint8_t got[2048];
	uint32_t at = 0, i;

	assert_int_equal(f->reason, DROP_NONE);
	assert_int_equal(f->len, len);
	assert_int_equal(f->tagged, tci >= 0);
	if (tci >= 0)
		assert_int_equal(f->tci, tci);
	for (i = 0; i < f->nfrags; at += f->frag[i].len, i++)
		memcpy(got + at, f->frag[i].base, f->frag[i].len);
	memcpy(got, &f->eth, sizeof(f->eth));
	assert_int_equal(at, len);
	assert_memory_equal(got, want, len);
	retire_one(w);
}

static void
test_strip(void **state)
{
	static const uint16_t none[] = {0}, one[] = {0xa000 | 1001, 0}, two[] = {1001, 77, 0},
			      inner[] = {77, 0};
	struct wire *w = *state;
	uint8_t in[2048], want[2048];
	uint32_t segment;

	for (segment = 0; segment <= 70; segment += 35) {
		wire_put(w, in, wire_tagged(in, one, 100, 1), segment, 0, 0);
		assert_fetched(w, want, wire_tagged(want, none, 100, 1), 0xa000 | 1001);
		/* The outer one alone is the switch's. */
		wire_put(w, in, wire_tagged(in, two, 100, 2), segment, 0, 0);
		assert_fetched(w, want, wire_tagged(want, inner, 100, 2), 1001);
		wire_put(w, in, wire_tagged(in, none, 100, 3), segment, 0, 99);
		assert_fetched(w, in, 100, -1);
	}
	/* The port has stripped the tag: a tag that is left in the frame is the guest's. */
	wire_put(w, in, wire_tagged(in, inner, 100, 4), 0,
			RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED, 1002);
	assert_fetched(w, in, 104, 1002);
	/* A tag that is truncated does not count as one. */
	wire_tagged(in, one, 100, 5);
	wire_put(w, in, 17, 0, 0, 0);
	assert_fetched(w, in, 17, -1);
}

static void
test_keep(void **state)
{
	static const uint16_t one[] = {1001, 0}, two[] = {1001, 77, 0};
	struct wire *w = *state;
	uint8_t in[2048];
	uint32_t len;

	len = wire_tagged(in, one, 100, 1);
	wire_put(w, in, len, 0, 0, 0);
	assert_fetched(w, in, len, 1001);
	len = wire_tagged(in, two, 100, 1);
	wire_put(w, in, len, 40, 0, 0);
	assert_fetched(w, in, len, 1001);
}

/* Some NICs strip tags that guests are to see; the frame is as it was on the wire. */
static void
test_keep_stripped(void **state)
{
	static const uint16_t none[] = {0}, one[] = {0x2000 | 1001, 0};
	struct wire *w = *state;
	uint8_t in[2048], want[2048];
	uint32_t len;

	wire_tagged(in, none, 300, 1);
	len = wire_tagged(want, one, 300, 1);
	wire_put(w, in, 300, 0, RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED, 0x2000 | 1001);
	assert_fetched(w, want, len, 0x2000 | 1001);
}

/* With an untagged uplink every tag is the guests' own, if it names a VLAN. */
static void
test_untagged(void **state)
{
	static const uint16_t one[] = {1001, 0};
	struct wire *w = *state;
	uint8_t in[2048];
	uint32_t len = wire_tagged(in, one, 100, 1);

	wire_put(w, in, len, 0, 0, 0);
	assert_fetched(w, in, len, 1001);
}

/* Priority tags on an untagged uplink: stripped like any other tag of the uplink, or kept. */
static void
untagged_priority(struct wire *w, bool stripped)
{
	static const uint16_t none[] = {0}, inner[] = {77, 0};
	uint16_t one[] = {0x999, 0}, two[] = {0x999, 77, 0};
	uint8_t in[2048], want[2048];
	uint32_t len, segment;

	for (segment = 0; segment <= 35; segment += 35) {
		len = wire_tagged(in, one, 100, 1);
		in[14] = 0xa0;
		in[15] = 0;
		wire_put(w, in, len, segment, 0, 0);
		if (stripped)
			assert_fetched(w, want, wire_tagged(want, none, 100, 1), 0xa000);
		else
			assert_fetched(w, in, len, 0xa000);
		len = wire_tagged(in, two, 100, 1);
		in[14] = 0xa0;
		in[15] = 0;
		wire_put(w, in, len, segment, 0, 0);
		if (stripped)
			assert_fetched(w, want, wire_tagged(want, inner, 100, 1), 0xa000);
		else
			assert_fetched(w, in, len, 0xa000);
	}
}

static void
test_untagged_priority(void **state)
{
	untagged_priority(*state, true);
}

static void
test_untagged_priority_kept(void **state)
{
	untagged_priority(*state, false);
}

static void
test_length(void **state)
{
	static const uint16_t none[] = {0};
	struct wire *w = *state;
	uint8_t in[2048];

	wire_tagged(in, none, 1600, 1);
	wire_put(w, in, 1522, 0, 0, 0);
	assert_int_equal(fetch_one(w)->reason, DROP_NONE);
	retire_one(w);
	wire_put(w, in, 1523, 700, 0, 0);
	assert_int_equal(fetch_one(w)->reason, DROP_LONG);
	retire_one(w);
	wire_put(w, in, 13, 0, 0, 0);
	assert_int_equal(fetch_one(w)->reason, DROP_SHORT);
	retire_one(w);
}

#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, wire_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_strip, wire_setup),
			TEST(test_keep, setup_keep),
			TEST(test_keep_stripped, setup_keep),
			TEST(test_untagged, setup_untagged),
			TEST(test_untagged_priority, setup_untagged),
			TEST(test_untagged_priority_kept, setup_untagged_keep),
			TEST(test_length, wire_setup),
	};

	return cmocka_run_group_tests_name("uplink_rx", tests, unit_eal, unit_eal_end);
}
