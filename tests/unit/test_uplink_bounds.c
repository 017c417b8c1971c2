/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What a guest's frames may take of the uplink: no more than an mbuf holds, and no more than a visit's time. */
#include <rte_ethdev.h>

#include "frame/cost.h"
#include "packet.h"
#include "wire.h"

#define CUT 8        /* frames in a burst */
#define SEGMENTS 200 /* what each of them is cut into */

static struct packet packet;
static struct headers headers[CUT];

static int
setup_tso(void **state)
{
	char *words[] = {"vhost-switch", "--", "-p1", "--tso", "1", NULL};

	return wire_open(state, words, 5);
}

/* A port that came since the start has guests with jumbo frames, for which the uplink has no room. */
static void
test_longer_than_mbufs(void **state)
{
	static uint8_t bytes[9022];
	struct wire *w = *state;
	struct frame *f = &w->burst.frame[0];
	struct outcome o;

	assert_true(sizeof(bytes) > rte_pktmbuf_data_room_size(w->u->mbufs));
	wire_guest_frame(w, 0, 60, 0);
	f->len = f->frag->len = sizeof(bytes);
	f->frag->base = bytes;
	o = uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count);
	assert_int_equal(o.taken, 0);
	assert_int_equal(o.refused, 1);
	assert_int_equal(f->reason, DROP_LONG);
	wire_assert_empty(w);
}

/* Makes frame i of the burst one that is to be cut into SEGMENTS. */
static void
make_cut(struct wire *w, unsigned int i)
{
	const struct packet_spec spec = {.payload = SEGMENTS, .gso_size = 1, .seed = i};
	struct frame *f = &w->burst.frame[i];

	packet_make(&packet, &spec);
	memcpy(w->bytes[i], packet.bytes, packet.len);
	wire_guest_frame(w, i, packet.len, 0);
	w->burst.plain &= ~frame_set_one(i);
	assert_int_equal(offload_check(f, &packet.vnet, &headers[i], OFFLOAD_CSUM | OFFLOAD_TSO4,
					 w->u->frame_max),
			DROP_NONE);
	assert_int_equal(offload_frames(f), SEGMENTS);
}

/* Frames that become many: a visit ends when it has cost enough, and the others wait for the next one. */
static void
test_visit_ends(void **state)
{
	struct wire *w = *state;
	uint32_t one = SEGMENTS * COST_SEGMENT;
	struct outcome o;
	unsigned int i;

	for (i = 0; i < CUT; i++)
		make_cut(w, i);
	assert_true(CUT * one > COST_VISIT_MAX + 2 * one);
	o = uplink_deliver(w->u, 0, &w->burst, frame_set_of(CUT), 0, &w->count);
	assert_int_equal(o.refused, 0);
	assert_int_equal(o.taken, frame_set_of(COST_VISIT_MAX / one + 1));
	assert_true(w->burst.put_off);
	assert_in_range(w->burst.cost, COST_VISIT_MAX, COST_VISIT_MAX + 2 * one);
	assert_int_equal(w->count.segments, frame_set_count(o.taken) * SEGMENTS);
}

#define TEST(name, setup) cmocka_unit_test_setup_teardown(name, setup, wire_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_longer_than_mbufs, wire_setup),
			TEST(test_visit_ends, setup_tso),
	};

	return cmocka_run_group_tests_name("uplink_bounds", tests, unit_eal, unit_eal_end);
}
