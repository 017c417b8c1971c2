/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What the table of vhost-user messages says about each: its rings, if it is offered, how it is refused. */
#include <rte_common.h>

#include "guest/device.h"
#include "guest/dispatch.h"
#include "guest/message.h"
#include "world.h"

/* Which rings a message is about. */
static void
test_message_rings(void **state)
{
	struct message m = {0};
	unsigned int request, i;

	(void)state;
	for (request = 0; request < 64; request++) {
		for (i = 0; i < RINGS_MAX; i++) {
			m.request = request;
			m.payload.state.index = i;
			switch (request) {
			case 8:
			case 9:
			case 10:
			case 12:
			case 13:
			case 14:
			case 18:
				assert_int_equal(message_rings(&m), UINT32_C(1) << i);
				break;
			case MSG_SEND_RARP: /* any ring that may announce, whatever it carries */
				assert_int_equal(message_rings(&m), RINGS_TX);
				break;
			case MSG_GET_FEATURES:
			case MSG_GET_PROTOCOL_FEATURES:
			case MSG_GET_QUEUE_NUM:
			case MSG_NET_SET_MTU: /* nothing that workers use */
				assert_int_equal(message_rings(&m), 0);
				break;
			default: /* GET_VRING_BASE, 11, among them */
				assert_int_equal(message_rings(&m), RINGS_ALL);
			}
		}
	}
	m.request = MSG_SET_VRING_KICK;
	m.payload.u64 = MSG_NO_FD | 31;
	assert_int_equal(message_rings(&m), UINT32_C(1) << 31);
}

/* Which messages are offered, by number, and which of those a bad index or content makes wrong. */
static void
test_messages_wanted(void **state)
{
	static const uint32_t any[] = {1, 2, 3, 4, 5, 7, 15, 16, 17, 20};
	static const uint32_t of_ring[] = {8, 9, 10, 11, 12, 13, 14, 18};
	struct world *w = world_create(0);
	uint64_t offered = 0;
	struct message m;
	struct guest g = {.all = &w->guests};
	unsigned int i, rings = 2 * guest_settings(&g)->queues;

	(void)state;
	for (i = 0; i < RTE_DIM(any); i++) {
		m = (struct message){.request = any[i], .payload.u64 = UINT64_MAX};
		assert_true(message_wanted(&g, &m));
		offered |= UINT64_C(1) << any[i];
	}
	for (i = 0; i < RTE_DIM(of_ring); i++) {
		m = (struct message){.request = of_ring[i], .payload.state.index = rings - 1};
		assert_true(message_wanted(&g, &m));
		m.payload.state.index = rings;
		assert_false(message_wanted(&g, &m));
		offered |= UINT64_C(1) << of_ring[i];
	}
	/* A log of some size, from the beginning of its file; an address that is one guest's. */
	m = (struct message){.request = MSG_SET_LOG_BASE,
			.size = sizeof(m.payload.log),
			.payload.log = {.mmap_size = 4096}};
	assert_true(message_wanted(&g, &m));
	m.payload.log.mmap_offset = 4096;
	assert_false(message_wanted(&g, &m));
	m = (struct message){.request = MSG_SEND_RARP, .size = 8, .payload.u64 = 0x020000000002};
	assert_true(message_wanted(&g, &m));
	m.payload.u64 = 1; /* a group's */
	assert_false(message_wanted(&g, &m));
	offered |= UINT64_C(1) << MSG_SET_LOG_BASE | UINT64_C(1) << MSG_SEND_RARP;
	for (i = 0; i < 64; i++) {
		m = (struct message){.request = i, .size = 8};
		if (!(offered >> i & 1))
			assert_false(message_wanted(&g, &m));
	}
	m.request = UINT32_MAX;
	assert_false(message_wanted(&g, &m));
	/* For User Mode Linux alone. */
	m.request = MSG_SET_BACKEND_REQ_FD;
	w->r->conf.port[0].uml = true;
	assert_true(message_wanted(&g, &m));
	world_destroy(w);
}

/* Messages that librte_vhost itself refuses; for others the hook that follows ends the connection. */
static void
test_messages_unknown(void **state)
{
	struct message m = {0};
	bool unknown;

	(void)state;
	for (m.request = 0; m.request < 256; m.request++) {
		unknown = m.request == 0 || m.request == 23 || m.request == 26 || m.request == 27 ||
				(m.request >= 33 && m.request <= 38) || m.request > 40;
		assert_int_equal(message_kind(&m)->unknown, unknown);
	}
}

/* A refused message is made harmless, and asks for no answer. */
static void
test_messages_doomed(void **state)
{
	struct message m = {.request = MSG_SET_MEM_TABLE, .flags = MSG_VERSION | MSG_NEED_REPLY};

	(void)state;
	assert_true(message_doom(&m));
	assert_int_equal(m.flags, MSG_VERSION);
	assert_true(m.payload.memory.nregions > GUEST_REGIONS);
	m = (struct message){.request = MSG_SET_LOG_BASE, .size = 16};
	assert_true(message_doom(&m));
	assert_int_equal(m.size, 0);
	m = (struct message){.request = MSG_SET_INFLIGHT_FD, .payload.inflight.nrings = 8};
	assert_true(message_doom(&m));
	assert_int_equal(m.payload.inflight.nrings, 0);
	m.request = MSG_POSTCOPY_ADVISE;
	assert_false(message_doom(&m));
	m.request = UINT32_MAX;
	assert_true(message_doom(&m));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_message_rings),
			cmocka_unit_test(test_messages_wanted),
			cmocka_unit_test(test_messages_unknown),
			cmocka_unit_test(test_messages_doomed),
	};

	return cmocka_run_group_tests_name("message", tests, unit_eal, unit_eal_end);
}
