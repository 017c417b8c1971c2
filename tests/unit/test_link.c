/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The uplink's link and lengths: frames that a port does not get because it is down, or because
 * they are too long for it. The port is one of net_ring, whose link can be switched.
 */
#include <poll.h>
#include <stdio.h>

#include <rte_ethdev.h>

#include "uplink/link.h"
#include "wire.h"

/* Longer than any look at the link takes to come. */
#define PATIENCE_MS 30000

/* Offers frames of these lengths, with a tag of their own or none. Returns what became of them. */
static struct outcome
offer(struct wire *w, const uint32_t *len, unsigned int n, bool tagged)
{
	struct frame *f;
	unsigned int i;

	for (i = 0; i < n; i++) {
		f = &w->burst.frame[i];
		*f = (struct frame){.len = len[i], .frag = &w->burst.frag[i], .nfrags = 1};
		f->frag[0] = (struct fragment){w->bytes[0], len[i]};
		f->eth.ether_type = tagged ? RTE_BE16(RTE_ETHER_TYPE_VLAN) : RTE_BE16(0x88b5);
	}
	return uplink_deliver(w->u, 0, &w->burst, (UINT64_C(1) << n) - 1, 1001, &w->count);
}

/* Waits until the switch has seen this state of the link. */
static void
wait_link(struct wire *w, bool up)
{
	struct pollfd p = {.fd = uplink_event_fd(w->u), .events = POLLIN};

	while (uplink_is_up(w->u) != up) {
		assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
		uplink_on_event(w->u);
	}
}

static unsigned int
on_wire(struct wire *w)
{
	struct rte_mbuf *m[BURST_MAX];
	unsigned int n = rte_eth_rx_burst(w->u->port, 0, m, BURST_MAX);

	rte_pktmbuf_free_bulk(m, n);
	return n;
}

static void
test_link(void **state)
{
	static const uint32_t len[] = {60, 1514, 60};
	struct wire *w = *state;
	struct outcome o;
	unsigned int i;

	assert_true(uplink_is_up(w->u));
	assert_int_equal(rte_eth_dev_set_link_down(w->u->port), 0);
	wait_link(w, false);
	o = offer(w, len, 3, false);
	assert_int_equal(o.taken, 0);
	assert_int_equal(o.refused, 7);
	for (i = 0; i < 3; i++)
		assert_int_equal(w->burst.frame[i].reason, DROP_LINK_DOWN);
	assert_int_equal(w->count.sent, 0);
	assert_int_equal(on_wire(w), 0);
	assert_int_equal(rte_eth_dev_set_link_up(w->u->port), 0);
	wait_link(w, true);
	assert_int_equal(offer(w, len, 3, false).taken, 7);
	assert_int_equal(on_wire(w), 3);
}

/* Segments that wait do not make others wait for a link that is down. */
static void
test_link_with_segments(void **state)
{
	static const uint32_t len[] = {60};
	struct wire *w = *state;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->u->mbufs);

	w->u->tx[0].pending = &m;
	w->u->tx[0].npending = 1;
	w->u->limit = 0;
	assert_int_equal(offer(w, len, 1, false).refused, 1);
	assert_int_equal(w->burst.frame[0].reason, DROP_LINK_DOWN);
	w->u->tx[0].pending = NULL;
}

static void
test_lengths(void **state)
{
	static const uint32_t len[] = {100, 101, 60, 104, 105};
	struct wire *w = *state;
	struct outcome o;

	w->u->limit = 100;
	o = offer(w, len, 5, false);
	assert_int_equal(o.taken, 1 << 0 | 1 << 2);
	assert_int_equal(o.refused, 1 << 1 | 1 << 3 | 1 << 4);
	assert_int_equal(w->burst.frame[1].reason, DROP_LONG);
	assert_int_equal(on_wire(w), 2);
	o = offer(w, len, 5, true); /* the first tag does not count */
	assert_int_equal(o.refused, 1 << 4);
	assert_int_equal(on_wire(w), 4);
	assert_int_equal(w->count.sent, 6);
	assert_int_equal(w->count.sent_bytes, 100 + 60 + 100 + 101 + 60 + 104);
}

/* For a frame that is to be segmented, the lengths of its segments count. */
static void
test_lengths_of_segments(void **state)
{
	static const uint32_t len[] = {4000};
	struct wire *w = *state;
	struct frame *f = &w->burst.frame[0];
	struct outcome o;

	w->u->limit = 1514;
	offer(w, len, 0, false);
	*f = (struct frame){.len = len[0],
			.frag = w->burst.frag,
			.nfrags = 1,
			.headers = &w->headers,
			.offload = OFFLOAD_CSUM | OFFLOAD_TSO4};
	f->frag[0] = (struct fragment){w->bytes[0], len[0]};
	w->headers.len = 66;
	f->vnet.gso_size = 1449;
	o = uplink_deliver(w->u, 0, &w->burst, 1, 1001, &w->count);
	assert_int_equal(o.refused, 1);
	assert_int_equal(f->reason, DROP_LONG);
	assert_int_equal(on_wire(w), 0);
}

/* Worker 0 calls a port now and then if the port does work of its own in such calls. */
static void
test_calls(void **state)
{
	struct wire *w = *state;
	uint64_t first;

	uplink_work(w->u, 0);
	assert_int_equal(w->u->call_at, 0);
	w->u->call_time = rte_get_tsc_hz() / 1000;
	uplink_work(w->u, 1);
	assert_int_equal(w->u->call_at, 0);
	uplink_work(w->u, 0);
	first = w->u->call_at;
	assert_true(first >= rte_rdtsc());
	while (rte_rdtsc() < first)
		;
	uplink_work(w->u, 0);
	assert_true(w->u->call_at >= first + w->u->call_time);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, wire_setup, wire_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_link),
			TEST(test_link_with_segments),
			TEST(test_lengths),
			TEST(test_lengths_of_segments),
			TEST(test_calls),
	};

	return cmocka_run_group_tests_name("link", tests, unit_eal, unit_eal_end);
}
