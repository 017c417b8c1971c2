/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A guest with several receive rings: who gets what, who waits for whom, and order, whatever happens. */
#include "frame/flow.h"
#include "switch/forward.h"
#include "switch/park.h"
#include "room.h"

#define GUESTS 3
#define MANY 1 /* the guest with several rings */
#define RINGS 4
#define LEN 60
#define LONG 300 /* four buffers */
#define BUFFER 100

struct pairs {
	struct room *r;
	struct ring *ring[RINGS];     /* of MANY; the first is the room's own */
	uint16_t next[RINGS];         /* descriptors to offer next */
	struct rx_set other;          /* another set, to publish instead */
	bool busy[GUESTS][ROOM_RING]; /* descriptors that a guest has not got back */
};

static struct rte_ether_addr mac[GUESTS];

static void
publish(struct pairs *p, unsigned int n, struct virtqueue *const vq[])
{
	struct rx_set *set = p->r->ports.port[MANY].sink == &p->other.sink ? &p->r->set[MANY]
									   : &p->other;

	set->sink.ops = &guest_sink_ops;
	set->port = MANY;
	set->n = n;
	memcpy(set->vq, vq, n * sizeof(*vq));
	p->r->ports.port[MANY].sink = &set->sink;
}

/* All of them, and no room in any. */
static void
publish_all(struct pairs *p, unsigned int n)
{
	struct virtqueue *vq[RINGS];
	unsigned int i;

	for (i = 0; i < n; i++)
		vq[i] = &p->ring[i]->vq;
	publish(p, n, vq);
}

static int
setup(void **state)
{
	struct pairs *p = unit_zalloc(sizeof(*p));
	unsigned int i;

	p->r = room_create(GUESTS);
	for (i = 0; i < GUESTS; i++) {
		mac[i] = mac_of(i, 0);
		room_learn(p->r, i, &mac[i]);
	}
	p->ring[0] = p->r->rx[MANY];
	for (i = 1; i < RINGS; i++)
		p->ring[i] = ring_create(ROOM_RING, 65000);
	publish_all(p, RINGS);
	*state = p;
	return 0;
}

static int
teardown(void **state)
{
	struct pairs *p = *state;
	unsigned int i;

	room_destroy(p->r); /* checks that the sums agree */
	for (i = 1; i < RINGS; i++)
		ring_destroy(p->ring[i]);
	free(p);
	return 0;
}

static void
offer(struct pairs *p, unsigned int ring, unsigned int buffers)
{
	struct ring *r = p->ring[ring];

	for (; buffers > 0; buffers--) {
		r->free = RING_GPA + p->next[ring] % ROOM_RING * BUFFER;
		ring_room(r, p->next[ring]++ % ROOM_RING, BUFFER);
	}
}

/* What a frame carries: UDP of a flow, and its number in it. */
struct datagram {
	uint8_t eth[14];
	uint8_t ip[20];
	uint16_t port[2];
	uint16_t len, sum;
	uint32_t seq;
} __attribute__((packed));

static void
send_of(struct pairs *p, uint16_t from, uint16_t flow, uint32_t seq, uint32_t len)
{
	struct room *r = p->r;
	struct datagram d = {
			.ip = {0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17}, .port = {flow, 9}, .seq = seq};
	uint8_t *f;

	r->tx[from]->free = RING_GPA + r->tx_next[from] % ROOM_RING * (LONG + 12);
	f = room_send(r, from, &mac[MANY], len, 0);
	memcpy(d.eth, f, 12);
	d.eth[12] = 8;
	memcpy(f, &d, sizeof(d));
}

static void
send(struct pairs *p, uint16_t from, uint16_t flow, uint32_t seq)
{
	send_of(p, from, flow, seq, LEN);
}

/* The next frame that came in a ring, its beginning. False: there is none. */
static bool
take(struct pairs *p, unsigned int ring, struct datagram *d)
{
	struct virtio_net_hdr_mrg_rxbuf header;
	struct ring *r = p->ring[ring];
	const uint8_t *at;
	uint32_t id, len;

	if (!ring_used(r, &id, &len))
		return false;
	at = ring_at(r, r->vq.desc[id].addr, len);
	memcpy(&header, at, sizeof(header));
	memcpy(d, at + sizeof(header), sizeof(*d));
	for (; header.num_buffers > 1; header.num_buffers--)
		assert_true(ring_used(r, &id, &len));
	return true;
}

/* Where a flow of guest `from` goes among n rings. */
static unsigned int
ring_of(uint16_t from, uint16_t flow, unsigned int n)
{
	struct datagram d = {.ip = {0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17}, .port = {flow, 9}};
	struct fragment frag = {(uint8_t *)&d, sizeof(d)};
	struct frame f = {.frag = &frag, .nfrags = 1, .len = sizeof(d)};

	memcpy(d.eth, &mac[MANY], 6);
	memcpy(d.eth + 6, &mac[from], 6);
	d.eth[12] = 8;
	memcpy(&f.eth, d.eth, sizeof(f.eth));
	return flow_ring(&f, n);
}

/* A flow of guest 0 that goes to this one of RINGS; number `which` of them. */
static uint16_t
flow_to(unsigned int ring, unsigned int which)
{
	uint16_t flow = 0;

	for (;; flow++)
		if (ring_of(0, flow, RINGS) == ring && which-- == 0)
			return flow;
}

static unsigned int
parked(const struct pairs *p)
{
	return PARK_FRAMES - park_room(p->r->tx[0]->vq.source.park);
}

#define FLOWS_SENT 100

/* Frames of many flows, in one burst after another: each ring gets its flows, in order, and all arrives. */
static void
test_spread(void **state)
{
	uint32_t sent[FLOWS_SENT] = {0}, seen[FLOWS_SENT] = {0};
	struct pairs *p = *state;
	unsigned int i, ring, got, all = 0;
	uint64_t random = 5;
	struct datagram d;
	uint16_t flow;

	for (ring = 0; ring < RINGS; ring++)
		offer(p, ring, 400);
	for (i = 0; i < 800; i++) {
		flow = unit_random(&random) % FLOWS_SENT;
		send(p, 0, flow, ++sent[flow]);
	}
	for (i = 0; i < 13; i++)
		room_poll(p->r, 0);
	for (ring = 0; ring < RINGS; ring++) {
		for (got = 0; take(p, ring, &d); got++) {
			assert_int_equal(ring_of(0, d.port[0], RINGS), ring);
			assert_int_equal(d.seq, ++seen[d.port[0]]);
		}
		assert_in_range(got, 50, 400);
		all += got;
	}
	assert_int_equal(all, 800);
	assert_int_equal(room_count(p->r, MANY)->sent, 800);
	assert_int_equal(room_count(p->r, 0)->delivered, 800);
	assert_int_equal(room_owed(p->r, 0), 0);
}

/* A group frame goes to the flow's ring, and to that alone. */
static void
test_flooded(void **state)
{
	struct pairs *p = *state;
	struct datagram d;
	unsigned int ring, got = 0;

	for (ring = 0; ring < RINGS; ring++)
		offer(p, ring, 2);
	room_offer(p->r, 2, 2);
	room_send(p->r, 0, &mac_broadcast, LEN, 1);
	room_poll(p->r, 0);
	for (ring = 0; ring < RINGS; ring++)
		while (take(p, ring, &d))
			got++;
	assert_int_equal(got, 1);
	room_expect(p->r, 2, 0, &mac_broadcast, LEN, 1);
	assert_int_equal(room_count(p->r, 0)->flooded, 1);
}

/* One full ring holds up its own flows; the others go on as if nothing were. */
static void
test_one_full(void **state)
{
	static const uint32_t rest[] = {300, 1000, 1001};
	struct pairs *p = *state;
	unsigned int i, ring;
	struct datagram d;

	for (ring = 0; ring < RINGS; ring++)
		if (ring != 2)
			offer(p, ring, 600);
	for (i = 0; i < 400; i++)
		send(p, 0, flow_to(i % 100 == 0 ? 2 : i % 3 == 2 ? 3 : i % 3, i % 5), i);
	/* No more polls than without a full ring. */
	for (i = 0; i < 7; i++)
		room_poll(p->r, 0);
	assert_int_equal(parked(p), 4);
	assert_int_equal(room_count(p->r, 0)->delivered, 396);
	assert_false(take(p, 2, &d));
	/* A flow of that ring, of which none waits: it finds the ring full too, and then waits. */
	send(p, 0, flow_to(2, 7), 1000);
	room_poll(p->r, 0);
	assert_int_equal(parked(p), 5);
	offer(p, 2, 3);
	send(p, 0, flow_to(2, 0), 1001); /* behind those before it */
	room_poll(p->r, 0);
	for (i = 0; i < 3; i++) {
		assert_true(take(p, 2, &d));
		assert_int_equal(d.seq, 100 * i);
	}
	assert_false(take(p, 2, &d));
	offer(p, 2, 3);
	room_poll(p->r, 0);
	for (i = 0; i < 3; i++) {
		assert_true(take(p, 2, &d));
		assert_int_equal(d.seq, rest[i]);
	}
	assert_int_equal(parked(p), 0);
}

/* What a full ring could not take in time is lost; its own flows alone. */
static void
test_one_full_for_long(void **state)
{
	struct pairs *p = *state;
	unsigned int i;

	for (i = 0; i < 3; i++)
		offer(p, i, 10);
	for (i = 0; i < 20; i++)
		send(p, 0, flow_to(i % RINGS, 0), i);
	room_poll(p->r, 0);
	room_expire(p->r, 0);
	room_poll(p->r, 0);
	assert_int_equal(room_count(p->r, 0)->delivered, 15);
	assert_int_equal(room_count(p->r, 0)->drop[DROP_RING_FULL], 5);
	assert_int_equal(room_count(p->r, MANY)->missed, 5);
	assert_int_equal(parked(p), 0);
}

/* A ring that is paused keeps its flows: they wait, the others go on. */
static void
test_one_paused(void **state)
{
	struct pairs *p = *state;
	struct virtqueue *vq[RINGS] = {&p->ring[0]->vq, NULL, &p->ring[2]->vq, &p->ring[3]->vq};
	struct datagram d;
	unsigned int i;

	for (i = 0; i < RINGS; i++)
		offer(p, i, 10);
	publish(p, RINGS, vq);
	for (i = 0; i < 20; i++)
		send(p, 0, flow_to(i % RINGS, 0), i);
	room_poll(p->r, 0);
	assert_int_equal(parked(p), 5);
	assert_int_equal(room_count(p->r, 0)->delivered, 15);
	publish_all(p, RINGS);
	room_poll(p->r, 0);
	for (i = 0; i < 5; i++) {
		assert_true(take(p, 1, &d));
		assert_int_equal(d.seq, RINGS * i + 1);
	}
	/* Not back in time: as if the guest were gone. */
	publish(p, RINGS, vq);
	send(p, 0, flow_to(1, 0), 100);
	room_poll(p->r, 0);
	room_expire(p->r, 0);
	room_poll(p->r, 0);
	assert_int_equal(room_count(p->r, 0)->drop[DROP_GONE], 1);
	assert_int_equal(room_count(p->r, MANY)->missed, 1);
}

/* A ring whose guest broke the rules refuses its flows; the main lcore stops the others in a moment. */
static void
test_one_stopped(void **state)
{
	struct pairs *p = *state;
	unsigned int i;

	for (i = 0; i < RINGS; i++)
		offer(p, i, 10);
	p->ring[3]->vq.fault = FAULT_LOOP;
	for (i = 0; i < 20; i++)
		send(p, 0, flow_to(i % RINGS, 0), i);
	room_poll(p->r, 0);
	assert_int_equal(room_count(p->r, 0)->delivered, 15);
	assert_int_equal(room_count(p->r, 0)->drop[DROP_GONE], 5);
	assert_int_equal(room_count(p->r, MANY)->missed, 5);
	assert_int_equal(parked(p), 0);
}

/* Rings come while frames wait: nothing of a flow overtakes those, in whichever ring it is now. */
static void
test_rings_come(void **state)
{
	struct pairs *p = *state;
	struct datagram d;
	unsigned int i;

	publish_all(p, 1);
	for (i = 0; i < 4; i++)
		send(p, 0, flow_to(3, 0), i);
	room_poll(p->r, 0);
	assert_int_equal(parked(p), 4);
	publish_all(p, RINGS);
	offer(p, 3, 2);
	send(p, 0, flow_to(3, 0), 4);
	room_poll(p->r, 0);
	assert_int_equal(parked(p), 3);
	publish_all(p, 2); /* and go: the flow is the second ring's now */
	offer(p, 1, 10);
	send(p, 0, flow_to(3, 0), 5);
	room_poll(p->r, 0);
	for (i = 0; i < 6; i++) {
		assert_true(take(p, i < 2 ? 3 : 1, &d));
		assert_int_equal(d.seq, i);
	}
	assert_int_equal(parked(p), 0);
}

/* From now on frames of guest `from` come by the transmit ring of this pair, one of `rings`. */
static void
send_by(struct pairs *p, uint16_t from, unsigned int pair, unsigned int rings)
{
	p->r->ports.port[from].tx_rings = rings;
	p->r->tx[from]->vq.source.pair = pair;
}

/* Takes n frames of guest 0 with these numbers from a ring. */
static void
expect_numbers(struct pairs *p, unsigned int ring, uint32_t first, unsigned int n)
{
	struct datagram d;

	for (; n > 0; n--) {
		assert_true(take(p, ring, &d));
		assert_int_equal(d.seq, first++);
	}
	assert_false(take(p, ring, &d));
}

/* A sender with as many rings: what one of them brings goes to one, whatever the flow. */
static void
test_by_pair(void **state)
{
	struct pairs *p = *state;
	unsigned int n, pair, i;

	for (i = 0; i < RINGS; i++)
		offer(p, i, 200);
	for (n = 1; n <= RINGS; n++) {
		publish_all(p, n);
		for (pair = 0; pair < RINGS; pair++) {
			send_by(p, 0, pair, RINGS);
			for (i = 0; i < 20; i++)
				send(p, 0, i, i);
			room_poll(p->r, 0);
			expect_numbers(p, pair % n, 0, 20);
		}
	}
	/* One ring too few of them, and each flow has its own again. */
	send_by(p, 0, 0, RINGS - 1);
	for (i = 0; i < RINGS; i++)
		send(p, 0, flow_to(i, 0), i);
	room_poll(p->r, 0);
	for (i = 0; i < RINGS; i++)
		expect_numbers(p, i, i, 1);
}

/* A pair whose ring is full, or paused, waits as a whole, and holds up no other. */
static void
test_one_pair_full(void **state)
{
	struct pairs *p = *state;
	struct virtqueue *vq[RINGS] = {NULL, &p->ring[1]->vq, &p->ring[2]->vq, &p->ring[3]->vq};
	unsigned int i;

	offer(p, 2, 10);
	send_by(p, 0, 1, RINGS);
	send_by(p, 2, 2, RINGS);
	for (i = 0; i < 8; i++) {
		send(p, 0, i, i);
		send(p, 2, i, i);
	}
	room_poll(p->r, 0);
	room_poll(p->r, 2);
	assert_int_equal(parked(p), 8);
	expect_numbers(p, 2, 0, 8);
	offer(p, 1, 4);
	send(p, 0, 100, 8);
	room_poll(p->r, 0);
	expect_numbers(p, 1, 0, 4);
	offer(p, 1, 5);
	room_poll(p->r, 0);
	expect_numbers(p, 1, 4, 5);
	/* Paused, and not back in time: as if the guest were gone. */
	publish(p, RINGS, vq);
	send_by(p, 0, 0, RINGS);
	send(p, 0, 0, 9);
	room_poll(p->r, 0);
	assert_int_equal(parked(p), 1);
	room_expire(p->r, 0);
	room_poll(p->r, 0);
	assert_int_equal(room_count(p->r, 0)->drop[DROP_GONE], 1);
}

/* Publishes some of the rings, in any order, some of them paused. */
static void
publish_some(struct pairs *p, uint64_t *random)
{
	struct virtqueue *vq[RINGS];
	unsigned int i, n = 1 + unit_random(random) % RINGS, first = unit_random(random) % RINGS;

	for (i = 0; i < n; i++)
		vq[i] = unit_random(random) % 8 == 0 ? NULL : &p->ring[(first + i) % RINGS]->vq;
	publish(p, n, vq);
}

/* Guests send flows: short frames, and long ones, which may find no room where short ones do. */
static void
send_some(struct pairs *p, uint64_t *random, unsigned int from, uint32_t sent[])
{
	uint32_t id, len;
	unsigned int i;
	uint16_t flow, slot;

	while (ring_used(p->r->tx[from], &id, &len))
		p->busy[from][id] = false;
	for (i = unit_random(random) % 64; i > 0; i--) {
		slot = p->r->tx_next[from] % ROOM_RING;
		if (p->busy[from][slot])
			break;
		p->busy[from][slot] = true;
		flow = unit_random(random) % FLOWS_SENT;
		send_of(p, from, flow, ++sent[flow], unit_random(random) % 4 ? LEN : LONG);
	}
}

/*
 * At random: two guests, whose own rings come and go, send flows to one whose rings are full or
 * not, paused or not, come and go; what waits is offered again with each poll, or later. Frames
 * are lost, and none overtakes another of its flow.
 */
static void
test_order_at_random(void **state)
{
	uint32_t sent[GUESTS][FLOWS_SENT] = {{0}}, seen[GUESTS][FLOWS_SENT] = {{0}};
	unsigned int round, from, ring, taken[RINGS] = {0};
	struct pairs *p = *state;
	struct room *r = p->r;
	uint64_t random = 23;
	struct datagram d;

	for (ring = 0; ring < RINGS; ring++)
		p->ring[ring]->vq.mergeable = true;
	for (round = 0; round < 20000; round++) {
		from = unit_random(&random) % 2 ? 0 : 2;
		send_some(p, &random, from, sent[from]);
		if (unit_random(&random) % 32 == 0)
			room_expire(r, from);
		if (unit_random(&random) % 8 == 0)
			publish_some(p, &random);
		if (unit_random(&random) % 8 == 0)
			send_by(p, from, 0, unit_random(&random) % (RINGS + 1));
		r->tx[from]->vq.source.park->next_try =
				unit_random(&random) % 4 == 0 ? UINT64_MAX : 0;
		room_poll(r, from);
		for (ring = 0; ring < RINGS; ring++) {
			for (; take(p, ring, &d); taken[ring]++) {
				from = d.eth[6 + 4]; /* see mac_of() */
				assert_true(d.seq > seen[from][d.port[0]]);
				seen[from][d.port[0]] = d.seq;
			}
			if (unit_random(&random) % 4 == 0 &&
					(uint16_t)(p->ring[ring]->vq.avail->idx -
							p->ring[ring]->vq.last_avail) < 8)
				offer(p, ring, unit_random(&random) % 128);
		}
	}
	for (ring = 0; ring < RINGS; ring++)
		assert_true(taken[ring] > 5000);
	assert_true(room_count(r, 0)->drop[DROP_RING_FULL] > 1000);
	assert_true(room_count(r, 0)->drop[DROP_GONE] > 100);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_spread),
			TEST(test_flooded),
			TEST(test_one_full),
			TEST(test_one_full_for_long),
			TEST(test_one_paused),
			TEST(test_one_stopped),
			TEST(test_rings_come),
			TEST(test_by_pair),
			TEST(test_one_pair_full),
			TEST(test_order_at_random),
	};

	unit_both();
	return cmocka_run_group_tests_name("pairs", tests, unit_eal, unit_eal_end);
}
