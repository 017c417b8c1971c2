/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A receiver that takes no long frames changes its descriptors while room is looked for, for all segments of
 * a frame that is cut for it. How many are read stays bounded, and the sender does not pay for them.
 */
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frame/cost.h"
#include "guest/fill.h"
#include "guest/rx.h"
#include "packet.h"
#include "ring.h"
#include "switch/count.h"

#define SIZE 1024 /* entries of the receiver's ring */
#define HDR ((uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define HEADERS 54u /* bytes of a segment's headers */
#define PART 60u    /* bytes of its payload */
#define BUFFER (HDR + HEADERS + PART)
#define ENTRY ((uint32_t)sizeof(struct vr_desc))
#define TABLE (CHAIN_MAX * ENTRY) /* bytes of the longest table */

struct way {
	struct ring *tx, *rx;
	struct burst burst;
	struct port_count count;
	struct share_clock clock;
	struct share receiver;
	struct packet packet;
};

static int
setup(void **state)
{
	struct way *w = unit_zalloc(sizeof(*w));

	w->tx = ring_create(64, 0);
	w->tx->vq.offloads = OFFLOAD_CSUM | OFFLOAD_TSO4;
	w->rx = ring_create(SIZE, 65000);
	w->burst.clock = &w->clock;
	w->burst.receiver = &w->receiver;
	*state = w;
	return 0;
}

static int
teardown(void **state)
{
	struct way *w = *state;

	ring_destroy(w->tx);
	ring_destroy(w->rx);
	free(w);
	return 0;
}

/* The sender's frame of `parts` segments is delivered. The payload of the first one ends with `last`. */
static struct outcome
deliver(struct way *w, unsigned int parts, const struct vr_desc *last)
{
	const struct packet_spec s = {.payload = parts * PART, .gso_size = PART};
	uint32_t total;
	uint64_t gpa;

	packet_make(&w->packet, &s);
	memcpy(w->packet.bytes + HEADERS + PART - ENTRY, last, ENTRY);
	gpa = ring_packet(w->tx, &w->packet, &total);
	ring_one(w->tx, 0, gpa, total, 0);
	assert_int_equal(w->tx->vq.source.ops->fetch(&w->tx->vq.source, &w->burst, 1), 1);
	assert_int_equal(w->burst.frame->reason, DROP_NONE);
	w->burst.cost = 0; /* what was fetched is not the question */
	return rx_deliver(&w->rx->vq, &w->burst, 1, &w->count);
}

/* The receiver's table with the longest chain: a buffer at its end if that is any, else no memory. */
static uint64_t
long_table(struct way *w, uint64_t table, uint64_t buffer)
{
	unsigned int i;

	for (i = 0; i < CHAIN_MAX - 1; i++)
		ring_table(w->rx, table, i, 0, 0, WRITE | NEXT, i + 1);
	ring_table(w->rx, table, i, buffer != 0 ? buffer : RING_END, BUFFER, WRITE, 0);
	return table;
}

/* The receiver got `n` buffers back with these lengths, then `last` with length 0. */
static void
expect_unused(struct way *w, unsigned int n, uint32_t last)
{
	for (; n > 0; n--)
		ring_expect(w->rx, 0, 0);
	ring_expect(w->rx, last, 0);
	ring_expect_none(w->rx);
}

/* The sender pays for 32 descriptors of each chain, also of those that are returned without a frame. */
static void
test_returned(void **state)
{
	const struct vr_desc none = {0};
	struct way *w = *state;
	uint64_t table = ring_bytes(w->rx, TABLE);

	long_table(w, table, ring_bytes(w->rx, BUFFER));
	ring_desc(w->rx, 0, table, TABLE, INDIRECT, 0);
	ring_desc(w->rx, 1, RING_END, BUFFER, WRITE, 0);
	ring_offer(w->rx, 0);
	ring_offer(w->rx, 1);
	assert_int_equal(deliver(w, 2, &none).refused, 1);
	assert_int_equal(w->burst.frame->reason, DROP_RX_DESCRIPTOR);
	expect_unused(w, 1, 1);
	assert_true(w->receiver.used > (CHAIN_MAX - 2 * RX_CHAIN_FREE) * COST_DESC);
	assert_in_range(w->burst.cost - w->burst.paid, 0,
			4 * RX_CHAIN_FREE * COST_DESC + COST_DEST + COST_SIGNAL);
}

/* A page of the receiver's; when it is read, descriptor 0 becomes the longest chain. */
static struct {
	struct ring *rx;
	uint64_t table;
	void *page;
	size_t size;
} trap;

static void
on_read(int signal)
{
	(void)signal;
	ring_desc(trap.rx, 0, trap.table, TABLE, INDIRECT, 0);
	mprotect(trap.page, trap.size, PROT_READ | PROT_WRITE);
}

/* Takes a page of guest memory, and whatever is before it. */
static uint64_t
trap_set(struct ring *rx)
{
	uintptr_t host;
	uint64_t gpa;

	trap.rx = rx;
	trap.size = sysconf(_SC_PAGESIZE);
	gpa = ring_bytes(rx, 2 * trap.size);
	host = (uintptr_t)ring_at(rx, gpa, 2 * trap.size);
	gpa += RTE_ALIGN_CEIL(host, trap.size) - host;
	trap.page = ring_at(rx, gpa, trap.size);
	return gpa;
}

/*
 * Many entries name one descriptor; when the last one is read, which is no buffer, it becomes a long chain.
 * All are returned, and are not read again.
 */
static void
test_longer_before_return(void **state)
{
	const struct sigaction act = {.sa_handler = on_read};
	const unsigned int n = SIZE - 2;
	const struct vr_desc none = {0};
	struct way *w = *state;
	struct sigaction before;
	struct outcome o;
	unsigned int i;
	uint64_t page;

	trap.table = long_table(w, ring_bytes(w->rx, TABLE), 0);
	ring_desc(w->rx, 0, ring_bytes(w->rx, BUFFER), BUFFER, WRITE, 0);
	page = trap_set(w->rx);
	ring_table(w->rx, page, 0, RING_END, BUFFER, WRITE, 0);
	ring_desc(w->rx, 1, page, ENTRY, INDIRECT, 0);
	for (i = 0; i < n; i++)
		ring_offer(w->rx, 0);
	ring_offer(w->rx, 1);
	assert_int_equal(mprotect(trap.page, trap.size, PROT_NONE), 0);
	assert_int_equal(sigaction(SIGSEGV, &act, &before), 0);
	o = deliver(w, n + 1, &none);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	assert_int_equal(o.refused, 1);
	assert_int_equal(w->burst.frame->reason, DROP_RX_DESCRIPTOR);
	assert_int_equal(w->rx->vq.desc[0].flags, INDIRECT); /* it was changed */
	expect_unused(w, n, 1);
	assert_in_range(w->burst.cost, n * COST_DESC, RX_LOOK_MAX * COST_DESC);
}

/* The first segment is written over the table that all further entries name, whose chain so becomes long. */
static void
test_longer_before_copy(void **state)
{
	const struct vr_desc longer = {.flags = WRITE | NEXT, .next = 1};
	const unsigned int n = SIZE - 2;
	struct way *w = *state;
	uint64_t table, buffer;
	uint32_t id, len;
	unsigned int i;

	ring_bytes(w->rx, BUFFER);
	table = ring_bytes(w->rx, TABLE);
	buffer = ring_bytes(w->rx, BUFFER);
	long_table(w, table, buffer);
	ring_table(w->rx, table, 0, buffer, BUFFER, WRITE, 0);
	ring_desc(w->rx, 0, table, TABLE, INDIRECT, 0);
	ring_desc(w->rx, 1, table + ENTRY - BUFFER, BUFFER, WRITE, 0);
	ring_offer(w->rx, 1);
	for (i = 0; i < n; i++)
		ring_offer(w->rx, 0);
	assert_int_equal(deliver(w, n + 1, &longer).refused, 1);
	assert_int_equal(w->burst.frame->reason, DROP_RX_DESCRIPTOR);
	assert_memory_equal(ring_at(w->rx, table, ENTRY), &longer, ENTRY); /* it was changed */
	/* The short chains, and then three long ones, of which the receiver pays most. */
	assert_in_range(w->burst.cost, RX_LOOK_STOP * COST_DESC,
			RX_LOOK_MAX * COST_DESC + COST_DEST + COST_SIGNAL);
	assert_true(w->receiver.used > (RX_LOOK_STOP - 5 * RX_CHAIN_FREE) * COST_DESC);
	for (i = 0; ring_used(w->rx, &id, &len); i++)
		assert_int_equal(len, BUFFER);
	assert_in_range(i, 2, 2 + RX_LOOK_MAX / CHAIN_MAX);
}

/*
 * Chains that are as long as they may be before the search ends, the last ones too short for a segment: for
 * all segments no more descriptors are read than for one frame.
 */
static void
test_long_chains(void **state)
{
	const struct vr_desc none = {0};
	struct way *w = *state;
	uint64_t table = ring_bytes(w->rx, 2 * TABLE), buffer = ring_bytes(w->rx, BUFFER);
	const uint64_t tables[] = {table, table + TABLE};
	unsigned int i, k;

	w->rx->vq.mergeable = true;
	for (k = 0; k < 2; k++) {
		for (i = 0; i < CHAIN_MAX - 2; i++)
			ring_table(w->rx, tables[k], i, 0, 0, WRITE | NEXT, i + 1);
		ring_table(w->rx, tables[k], i, buffer, k == 0 ? BUFFER : BUFFER / 3 + 1, WRITE, 0);
		ring_desc(w->rx, k, tables[k], TABLE - ENTRY, INDIRECT, 0);
	}
	for (i = 0; i < SIZE; i++)
		ring_offer(w->rx, i >= 4);
	assert_int_equal(deliver(w, 10, &none).refused, 1);
	assert_int_equal(w->burst.frame->reason, DROP_TOO_BIG);
	ring_expect_none(w->rx);
	assert_in_range(w->burst.cost, RX_LOOK_STOP * COST_DESC, RX_LOOK_MAX * COST_DESC);
}

/*
 * A short chain after each long one: the receiver's ring is full all the same while the receiver is ahead of
 * its share, but only for the worker whose account that is.
 */
static void
test_short_chains_between(void **state)
{
	const struct vr_desc none = {0};
	struct share other = {0};
	struct way *w = *state;
	uint64_t table = ring_bytes(w->rx, TABLE), buffer = ring_bytes(w->rx, BUFFER);
	unsigned int i;

	long_table(w, table, buffer);
	ring_desc(w->rx, 0, table, TABLE, INDIRECT, 0);
	ring_desc(w->rx, 1, buffer, BUFFER - 1, WRITE | NEXT, 2);
	ring_desc(w->rx, 2, buffer + BUFFER - 1, 1, WRITE, 0);
	for (i = 0; i < 4; i++) {
		ring_offer(w->rx, 0);
		ring_offer(w->rx, 1);
	}
	assert_int_equal(deliver(w, 2, &none).taken, 1);
	assert_true(w->receiver.used > SHARE_AHEAD);
	for (i = 0; i < 2; i++) {
		assert_int_equal(deliver(w, 2, &none).taken, 0);
		assert_int_equal(w->burst.cost, COST_DEST);
		w->burst.receiver = &other;
		assert_int_equal(deliver(w, 2, &none).taken, i == 0);
		w->burst.receiver = &w->receiver;
	}
	w->clock.now = w->receiver.used;
	assert_int_equal(deliver(w, 2, &none).taken, 1);
	assert_true(w->receiver.used > w->clock.now + SHARE_AHEAD);
}

/* Offers the next chain, of one descriptor or two, in a buffer that nobody uses. */
static void
offer_more(struct ring *rx, unsigned int chain, unsigned int descs, uint64_t buffer)
{
	unsigned int first = chain * descs;

	if (descs == 2) {
		ring_desc(rx, first, buffer, HDR, WRITE | NEXT, first + 1);
		ring_desc(rx, first + 1, buffer + HDR, BUFFER - HDR, WRITE, 0);
	} else {
		ring_desc(rx, first, buffer, BUFFER, WRITE, 0);
	}
	ring_offer(rx, first);
}

static unsigned int more_descs;

/* While the first frame is copied the driver offers one more chain. */
static void
on_copy(int signal)
{
	(void)signal;
	offer_more(trap.rx, 2, more_descs, trap.table);
	mprotect(trap.page, trap.size, PROT_READ | PROT_WRITE);
}

/*
 * A driver refills its ring while a burst is written there. A frame that is cut sees no more of the ring than
 * the rest of the burst, which must not go past what the burst has seen: there old entries name any descriptors.
 */
static void
check_refilled(struct way *w, unsigned int descs)
{
	const struct packet_spec s = {.payload = 2 * PART, .gso_size = PART};
	const struct sigaction act = {.sa_handler = on_copy};
	const struct rte_ether_addr to = mac_of(1, 0), from = mac_of(0, 0);
	struct sigaction before;
	struct outcome o;
	uint32_t total;
	uint64_t gpa;

	more_descs = descs;
	trap.table = ring_bytes(w->rx, BUFFER);
	gpa = ring_bytes(w->rx, BUFFER);
	offer_more(w->rx, 0, descs, trap_set(w->rx));
	offer_more(w->rx, 1, descs, gpa);
	ring_send(w->tx, 0, &to, &from, HEADERS, 0);
	packet_make(&w->packet, &s);
	gpa = ring_packet(w->tx, &w->packet, &total);
	ring_one(w->tx, 1, gpa, total, 0);
	ring_send(w->tx, 2, &to, &from, HEADERS, 2);
	ring_send(w->tx, 3, &to, &from, HEADERS, 3);
	assert_int_equal(w->tx->vq.source.ops->fetch(&w->tx->vq.source, &w->burst, 4), 4);
	assert_int_equal(mprotect(trap.page, trap.size, PROT_NONE), 0);
	assert_int_equal(sigaction(SIGSEGV, &act, &before), 0);
	o = rx_deliver(&w->rx->vq, &w->burst, 0xf, &w->count);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	assert_int_equal(o.taken, 1);
	assert_int_equal(o.refused, 0);
	ring_expect(w->rx, 0, HDR + HEADERS);
	ring_expect_none(w->rx);
	/* The others find the new chain later. */
	o = rx_deliver(&w->rx->vq, &w->burst, 0xe, &w->count);
	assert_int_equal(o.taken, 2);
	assert_int_equal(o.refused, 0);
	ring_expect(w->rx, descs, BUFFER);
	ring_expect(w->rx, 2 * descs, BUFFER);
	ring_expect_none(w->rx);
}

static void
test_refilled(void **state)
{
	check_refilled(*state, 1);
}

static void
test_refilled_by_chains(void **state)
{
	check_refilled(*state, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_returned),
			TEST(test_longer_before_return),
			TEST(test_longer_before_copy),
			TEST(test_long_chains),
			TEST(test_short_chains_between),
			TEST(test_refilled),
			TEST(test_refilled_by_chains),
	};

	return cmocka_run_group_tests_name("rx_changes", tests, unit_eal, unit_eal_end);
}
