/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Flows to a guest with several receive rings: see flows.h. */
#include "frame/flow.h"
#include "flows.h"

#define BUFFER 100

void
flows_publish(struct flows *p, unsigned int n, struct virtqueue *const vq[])
{
	struct rx_set *set = p->r->ports.port[MANY].sink == &p->other.sink ? &p->r->set[MANY]
									   : &p->other;

	set->sink.ops = &guest_sink_ops;
	set->slot = MANY;
	set->n = n;
	memcpy(set->vq, vq, n * sizeof(*vq));
	p->r->ports.port[MANY].sink = &set->sink;
}

void
flows_publish_all(struct flows *p, unsigned int n)
{
	struct virtqueue *vq[RINGS];
	unsigned int i;

	for (i = 0; i < n; i++)
		vq[i] = &p->ring[i]->vq;
	flows_publish(p, n, vq);
}

int
flows_setup(void **state)
{
	struct flows *p = unit_zalloc(sizeof(*p));
	unsigned int i;

	p->r = rig_create_known(GUESTS);
	p->ring[0] = p->r->rx[MANY];
	for (i = 1; i < RINGS; i++)
		p->ring[i] = ring_create(RIG_RING, 65000);
	flows_publish_all(p, RINGS);
	*state = p;
	return 0;
}

int
flows_teardown(void **state)
{
	struct flows *p = *state;
	unsigned int i;

	rig_destroy(p->r); /* checks that the sums agree */
	for (i = 1; i < RINGS; i++)
		ring_destroy(p->ring[i]);
	free(p);
	return 0;
}

void
flows_offer(struct flows *p, unsigned int ring, unsigned int buffers)
{
	struct ring *r = p->ring[ring];

	for (; buffers > 0; buffers--) {
		r->free = RING_GPA + p->next[ring] % RIG_RING * BUFFER;
		ring_room(r, p->next[ring]++ % RIG_RING, BUFFER);
	}
}

void
flows_send_len(struct flows *p, uint16_t from, uint16_t flow, uint32_t seq, uint32_t len)
{
	struct rig *r = p->r;
	struct datagram d = {
			.ip = {0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17}, .port = {flow, 9}, .seq = seq};
	uint8_t *f;

	r->tx[from]->free = RING_GPA + r->tx_next[from] % RIG_RING * (LONG + 12);
	f = rig_send(r, from, &p->r->mac[MANY], len, 0);
	memcpy(d.eth, f, 12);
	d.eth[12] = 8;
	memcpy(f, &d, sizeof(d));
}

void
flows_send(struct flows *p, uint16_t from, uint16_t flow, uint32_t seq)
{
	flows_send_len(p, from, flow, seq, SHORT);
}

void
flows_send_by(struct flows *p, uint16_t from, unsigned int pair, unsigned int rings)
{
	p->r->ports.port[from].tx_rings = rings;
	p->r->tx[from]->vq.source.pair = pair;
}

bool
flows_take(struct flows *p, unsigned int ring, struct datagram *d)
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

unsigned int
flows_ring(const struct flows *p, uint16_t from, uint16_t flow, unsigned int n)
{
	struct datagram d = {.ip = {0x45, 0, 0, 46, 0, 0, 0, 0, 64, 17}, .port = {flow, 9}};
	struct fragment frag = {(uint8_t *)&d, sizeof(d)};
	struct frame f = {.frag = &frag, .nfrags = 1, .len = sizeof(d)};

	memcpy(d.eth, &p->r->mac[MANY], 6);
	memcpy(d.eth + 6, &p->r->mac[from], 6);
	d.eth[12] = 8;
	memcpy(&f.eth, d.eth, sizeof(f.eth));
	return flow_ring(&f, n);
}

uint16_t
flows_number(const struct flows *p, unsigned int ring, unsigned int which)
{
	uint16_t flow = 0;

	for (;; flow++)
		if (flows_ring(p, 0, flow, RINGS) == ring && which-- == 0)
			return flow;
}
