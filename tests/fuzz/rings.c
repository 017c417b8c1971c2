/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Hostile rings of either format: see rings.h. */
#include <rte_common.h>

#include "switch/forward.h"
#include "switch/park.h"
#include "honest.h"
#include "hostile_ring.h"
#include "packet.h"
#include "rings.h"

#define JUMBO 9022u
#define STEPS_MAX 256 /* of an input, which must not take long */
#define OFFER_MAX 64

static struct {
	struct honest honest;
	struct hostile_ring tx, rx;
	struct rx_set set;
	struct packet packet;
} all;

void
rings_setup(void)
{
	struct rig *r;

	fuzz_eal();
	honest_create(&all.honest);
	r = all.honest.r;
	hostile_ring_create(&all.tx);
	hostile_ring_create(&all.rx);
	all.tx.ring.vq.source.port = HOSTILE_PORT;
	all.set = (struct rx_set){{&guest_sink_ops}, 1, {&all.rx.ring.vq}, HOSTILE_PORT};
	r->ports.port[HOSTILE_PORT].sink = &all.set.sink;
	r->tx[HOSTILE_PORT] = &all.tx.ring;
	r->rx[HOSTILE_PORT] = &all.rx.ring;
}

static uint16_t
take_size(struct input *in, bool packed)
{
	uint16_t v = fuzz_u16(in);

	return packed ? 1 + v % 300 : 1u << v % 10;
}

/* Begins both rings: what is negotiated is the same for both, except sizes, places and offloads. */
static void
begin(struct input *in, bool packed)
{
	uint16_t bits = fuzz_u16(in);
	struct hostile_setup s = {
			.packed = packed,
			.mergeable = bits & 1,
			.event_idx = bits & 2,
			.indirect = bits & 4,
			.in_order = bits & 8,
			.logging = bits & 16,
			.calls = bits & 32,
			.short_header = bits & 64,
			.frame_max = bits & 128 ? JUMBO : 1522,
			.plain = bits & 0x8000,
			.leased = bits & 0x4000,
	};

	all.honest.r->ports.port[HOSTILE_PORT].policy = bits >> 8 & (PORT_ISOLATED | PORT_NO_TAGS);
	s.size = take_size(in, packed);
	s.at = fuzz_u16(in);
	s.offloads = fuzz_u8(in);
	hostile_ring_setup(&all.tx, &s, NULL);
	s.size = take_size(in, packed);
	s.offloads = fuzz_u8(in);
	s.in_order = false;
	hostile_ring_setup(&all.rx, &s, &all.tx.ring);
}

static struct rte_ether_addr
take_address(struct input *in)
{
	uint8_t v = fuzz_u8(in);

	if (v % 8 < HOSTILE_PORT + 1)
		return mac_of(v % 8, 0);
	/* The last one is nobody's, so the frame is flooded. */
	return v % 8 == 3 ? mac_broadcast : mac_of(v, 7);
}

/* Writes a packet with a virtio-net header that fits it, with one byte changed; or a frame of any type. */
static void
put_frame(struct input *in)
{
	uint64_t gpa = hostile_gpa(in);
	struct packet_spec s;
	struct rte_ether_addr to = take_address(in), from = take_address(in);
	uint8_t kind = fuzz_u8(in), at = fuzz_u8(in);
	struct packet *p = &all.packet;

	s = (struct packet_spec){
			.ipv6 = kind & 1,
			.udp = kind & 2,
			.tags = kind >> 2 & 3,
			.ip_options = kind & 16 ? 8 : 0,
			.tcp_options = kind & 32 ? 12 : 0,
			.payload = fuzz_u16(in) % (HOSTILE_LOW + HOSTILE_HIGH),
			.gso_size = kind & 64 ? fuzz_u16(in) : 0,
			.seed = 1,
	};
	packet_make(p, &s);
	memcpy(p->bytes, &to, sizeof(to));
	memcpy(p->bytes + sizeof(to), &from, sizeof(from));
	if (kind & 128)
		p->vnet = (struct virtio_net_hdr){0};
	if (at < sizeof(p->vnet))
		((uint8_t *)&p->vnet)[at] = fuzz_u8(in);
	else if (at < 80)
		p->bytes[at] = fuzz_u8(in);
	hostile_write(&all.tx.ring, gpa, &p->vnet, sizeof(p->vnet));
	hostile_write(&all.tx.ring, gpa + all.tx.ring.vq.hdr_len, p->bytes, p->len);
}

/* Checks that what was taken was given back, except the chains of frames that wait. */
static void
check_ring(const struct virtqueue *vq, unsigned int waiting)
{
	if (vq->packed) {
		assert_true(vq->last_avail < vq->size && vq->last_used < vq->size);
		assert_true(!vq->hidden || vq->fault != FAULT_NONE);
	} else if (vq->fault == FAULT_NONE) {
		assert_true((uint16_t)(vq->last_avail - vq->last_used) == waiting);
	}
}

static void
check_rings(void)
{
	const struct virtqueue *tx = &all.tx.ring.vq;

	if (tx->in_order == NULL)
		check_ring(tx, PARK_FRAMES - park_room(tx->source.park));
	check_ring(&all.rx.ring.vq, 0);
}

static void
honest_step(struct input *in, uint8_t op)
{
	struct honest *h = &all.honest;
	uint8_t v = fuzz_u8(in);
	uint16_t port = v & 1;
	struct rte_ether_addr to;

	if (op == 0) {
		to = take_address(in);
		honest_send(h, port, &to, 14 + fuzz_u16(in) % (1522 - 14 + 1));
	} else if (op == 1) {
		honest_poll(h, &h->r->tx[port]->vq.source);
		honest_take(h);
	} else {
		honest_offer(h, port, v % OFFER_MAX);
	}
}

static void
step(struct input *in, uint8_t op)
{
	struct honest *h = &all.honest;

	if (op < 16) {
		hostile_ring_step(op & 8 ? &all.rx : &all.tx, op % 8 % HOSTILE_STEPS, in);
	} else if (op < 20) {
		put_frame(in);
	} else if (op < 23) {
		honest_step(in, op - 20);
	} else if (op == 23) {
		rig_expire(h->r, HOSTILE_PORT);
	} else {
		honest_poll(h, &all.tx.ring.vq.source);
		honest_take(h);
	}
}

void
rings_one(struct input *in, bool packed)
{
	unsigned int i;

	honest_reset(&all.honest);
	begin(in, packed);
	for (i = 0; i < STEPS_MAX && fuzz_more(in); i++) {
		step(in, fuzz_u8(in) % 32);
		check_rings();
	}
	honest_end(&all.honest, &all.tx.ring.vq.source);
}
