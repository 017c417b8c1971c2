/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Frames that wait: their copies, and how many of them there may be. */
#include <rte_common.h>

#include "frame/flow.h"
#include "switch/park.h"
#include "unit.h"

static int
setup(void **state)
{
	*state = park_create();
	return *state == NULL;
}

static int
teardown(void **state)
{
	park_destroy(*state);
	return 0;
}

static void
test_empty(void **state)
{
	struct park *p = *state;

	assert_true(park_empty(p));
	assert_int_equal(park_room(p), PARK_FRAMES);
	park_destroy(NULL);
}

/* A parked frame keeps its own list of fragments: the burst's is used again. */
static void
test_copy(void **state)
{
	struct park *p = *state;
	struct fragment frag[PARK_FRAGS];
	struct frame f = {.nfrags = PARK_FRAGS, .len = 77, .id = 9, .frag = frag};
	const struct parked *s;
	unsigned int i;
	int slot;

	for (i = 0; i < PARK_FRAGS; i++)
		frag[i] = (struct fragment){(uint8_t *)(uintptr_t)(i + 1), i};
	memset(&f.eth, 0x5a, sizeof(f.eth));
	slot = park_add(p, &f, true, 1234);
	assert_in_range(slot, 0, PARK_FRAMES - 1);
	memset(frag, 0, sizeof(frag));
	s = &p->slot[slot];
	assert_ptr_equal(s->frame.frag, s->frag);
	for (i = 0; i < PARK_FRAGS; i++) {
		assert_ptr_equal(s->frag[i].base, (uint8_t *)(uintptr_t)(i + 1));
		assert_int_equal(s->frag[i].len, i);
	}
	assert_int_equal(s->frame.id, 9);
	assert_int_equal(s->frame.len, 77);
	assert_memory_equal(&s->frame.eth, &f.eth, sizeof(f.eth));
	assert_int_equal(s->deadline, 1234);
	assert_true(s->sent);
	assert_int_equal(s->errands, 0);
	/* No errand: nobody waits yet, and removing it is all there is to do. */
	assert_true(park_empty(p));
	park_remove(p, slot);
	assert_int_equal(park_room(p), PARK_FRAMES);
}

static void
test_too_many_frags(void **state)
{
	struct fragment frag[PARK_FRAGS + 1] = {{NULL, 0}};
	struct frame f = {.nfrags = PARK_FRAGS + 1, .frag = frag};
	struct park *p = *state;

	assert_int_equal(park_add(p, &f, false, 0), -1);
	assert_int_equal(park_room(p), PARK_FRAMES);
}

static void
test_full_of_frames(void **state)
{
	bool seen[PARK_FRAMES] = {false};
	struct park *p = *state;
	struct fragment frag = {NULL, 0};
	struct frame f = {.nfrags = 1, .frag = &frag};
	unsigned int i;
	int slot;

	for (i = 0; i < PARK_FRAMES; i++) {
		assert_int_equal(park_room(p), PARK_FRAMES - i);
		slot = park_add(p, &f, false, i);
		assert_in_range(slot, 0, PARK_FRAMES - 1);
		assert_false(seen[slot]);
		seen[slot] = true;
	}
	assert_int_equal(park_room(p), 0);
	assert_int_equal(park_add(p, &f, false, 0), -1);
	park_remove(p, 17);
	assert_int_equal(park_room(p), 1);
	assert_int_equal(park_add(p, &f, false, 0), 17);
	assert_int_equal(park_add(p, &f, false, 0), -1);
}

static void
test_errands(void **state)
{
	struct park *p = *state;
	struct fragment frag = {NULL, 0};
	struct frame f = {.nfrags = 1, .frag = &frag};
	int a = park_add(p, &f, false, 0), b = park_add(p, &f, true, 0);
	unsigned int i;

	assert_true(park_errand(p, a, 3, 7, FLOWS_ALL));
	assert_true(park_errand(p, a, PORT_UPLINK, 8, FLOWS_ALL));
	assert_true(park_errand(p, b, 3, 7, FLOWS_ALL));
	assert_false(park_empty(p));
	assert_int_equal(p->nerrands, 3);
	assert_int_equal(p->slot[a].errands, 2);
	assert_int_equal(p->slot[b].errands, 1);
	assert_int_equal(p->errand[1].port, PORT_UPLINK);
	assert_int_equal(p->errand[1].slot, a);
	assert_int_equal(p->errand[1].epoch, 8);
	for (i = 0; i < PORT_MAX; i++)
		assert_int_equal(!!port_set_has(&p->blocked.port, i), i == 3 || i == PORT_UPLINK);
}

/* Flows of ports: a port that was cleared has no flow of its former tenant. */
static void
test_flows(void **state)
{
	struct park *p = *state;
	struct flow_set *s = &p->blocked;

	assert_true(flow_set_get(s, 3) == 0);
	flow_set_add(s, 3, 1);
	flow_set_add(s, 3, UINT64_C(1) << 63);
	flow_set_add(s, PORT_UPLINK, FLOWS_ALL);
	assert_true(flow_set_get(s, 3) == (UINT64_C(1) << 63 | 1));
	assert_true(flow_set_get(s, 2) == 0);
	assert_true(flow_set_get(s, PORT_UPLINK) == FLOWS_ALL);
	flow_set_clear(s);
	assert_true(flow_set_get(s, 3) == 0 && flow_set_get(s, PORT_UPLINK) == 0);
	flow_set_add(s, 3, 4);
	assert_true(flow_set_get(s, 3) == 4);
}

static void
test_full_of_errands(void **state)
{
	struct park *p = *state;
	struct fragment frag = {NULL, 0};
	struct frame f = {.nfrags = 1, .frag = &frag};
	int a = park_add(p, &f, false, 0);
	unsigned int i, n = 0;

	for (i = 0; i < PARK_ERRANDS; i++)
		n += park_errand(p, a, i % 100, n, FLOWS_ALL);
	/* A hundred ports have what is theirs, and there is some left for one more. */
	assert_true(n > PARK_ERRANDS * 98 / 100 && n < PARK_ERRANDS);
	assert_false(park_errand(p, a, 7, 0, FLOWS_ALL));
	for (; n < PARK_ERRANDS; n++)
		assert_true(park_errand(p, a, 100 + n % 150, n, FLOWS_ALL));
	assert_false(park_errand(p, a, 250, 0, FLOWS_ALL));
	assert_int_equal(p->nerrands, PARK_ERRANDS);
	assert_int_equal(p->slot[a].errands, PARK_ERRANDS);
	assert_false(port_set_has(&p->blocked.port, 250));
	for (i = 0; i < PARK_ERRANDS; i++)
		assert_int_equal(p->errand[i].epoch, i);
	/* A copy that was delivered is no longer owed. */
	for (i = 0; i < PARK_ERRANDS - 1; i++)
		assert_false(park_done(p, &p->errand[i]));
	assert_true(park_done(p, &p->errand[i]));
	for (i = 0; i < PORT_MAX; i++)
		assert_int_equal(p->owed[i], 0);
}

/* However many ports are full for ever, they leave some places free. */
static void
test_share(void **state)
{
	struct park *p = *state;
	struct fragment frag = {NULL, 0};
	struct frame f = {.nfrags = 1, .frag = &frag};
	unsigned int port, n, most = PARK_FRAMES;
	int slot;

	for (port = 0; port < 20; port++) {
		for (n = 0;; n++) {
			slot = park_add(p, &f, false, 0);
			assert_true(slot >= 0);
			if (!park_errand(p, slot, port, 0, FLOWS_ALL))
				break;
		}
		park_remove(p, slot);
		assert_int_equal(p->owed[port], n);
		assert_true((n >= 1 || park_room(p) == 1) && n <= most &&
				n <= PARK_QUOTA * park_room(p));
		most = n;
		if (port == 0)
			assert_int_equal(n, PARK_FRAMES * PARK_QUOTA / (PARK_QUOTA + 1));
	}
	assert_true(park_room(p) > 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test_setup_teardown(test_empty, setup, teardown),
			cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
			cmocka_unit_test_setup_teardown(test_too_many_frags, setup, teardown),
			cmocka_unit_test_setup_teardown(test_full_of_frames, setup, teardown),
			cmocka_unit_test_setup_teardown(test_errands, setup, teardown),
			cmocka_unit_test_setup_teardown(test_flows, setup, teardown),
			cmocka_unit_test_setup_teardown(test_full_of_errands, setup, teardown),
			cmocka_unit_test_setup_teardown(test_share, setup, teardown),
	};

	return cmocka_run_group_tests_name("park", tests, NULL, NULL);
}
