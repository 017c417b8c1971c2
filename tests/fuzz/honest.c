/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Guests that keep the rules: see honest.h. */
#include <sanitizer/asan_interface.h>

#include <rte_common.h>

#include "switch/forward.h"
#include "switch/retry.h"
#include "switch/park.h"
#include "honest.h"

#define BUFFER 1600u      /* bytes of a receive buffer, of which a frame takes less */
#define GAP 64u           /* bytes between two buffers, which belong to neither */
#define FILL 0xee         /* what ring_room() writes into them */
#define BEGIN 65000u      /* where the indices begin, as rig.c has it */
#define ROUNDS 40         /* rounds of a worker, after which all is delivered */
#define PATIENT_ROUNDS 10 /* more of them: frames for a guest that takes none wait no longer */
#define OFFERED_MAX 200u  /* buffers, of which the memory holds more */
#define SENT_MAX 200u     /* frames, likewise */

static void
close_memory(struct ring *r)
{
	__asan_poison_memory_region(r->mem.region[0].host, RING_BYTES);
	__asan_poison_memory_region(r->mem.region[1].host, RING_SECOND);
}

static void
reset_ring(struct ring *r)
{
	struct virtqueue *vq = &r->vq;

	close_memory(r);
	r->free = RING_GPA;
	ring_reset(r, BEGIN);
	vq->known.valid = false;
	vq->useless = 0;
}

/* Lets the switch use the next `n` bytes of guest memory. */
static void
open_memory(struct ring *r, uint32_t n)
{
	r->free = RTE_ALIGN_CEIL(r->free, GAP) + GAP;
	__asan_unpoison_memory_region(r->mem.region[0].host + (r->free - RING_GPA), n);
}

void
honest_create(struct honest *h)
{
	uint16_t port;
	struct rte_ether_addr mac;

	h->r = rig_create(HONEST);
	for (port = 0; port <= HOSTILE_PORT; port++) {
		mac = mac_of(port, 0);
		rig_learn(h->r, port, &mac);
	}
	h->r->ports.n = HOSTILE_PORT + 1;
	h->r->ports.port[HOSTILE_PORT].state = PORT_USED;
	h->r->ports.port[HOSTILE_PORT].vlan = conf_vlan(&h->r->conf, HOSTILE_PORT);
}

void
honest_reset(struct honest *h)
{
	struct lane *l = h->r->lane;
	struct learn_request q;
	uint16_t port;

	for (port = 0; port < HONEST; port++) {
		reset_ring(h->r->tx[port]);
		reset_ring(h->r->rx[port]);
		h->r->tx_next[port] = h->r->rx_next[port] = 0;
		h->nsent[port] = h->ngot[port] = 0;
	}
	memset(&l->clock, 0, sizeof(l->clock));
	for (port = 0; port <= HOSTILE_PORT; port++)
		l->polled[port].share.used = 0;
	memset(&l->hints, 0, sizeof(l->hints));
	while (rig_request(h->r, &q)) /* requests to learn are ignored */
		;
}

void
honest_offer(struct honest *h, uint16_t port, unsigned int n)
{
	struct ring *rx = h->r->rx[port];

	/* Memory is used in a circle: the next buffer takes the place of the oldest one. */
	for (; n > 0 && (uint16_t)(rx->vr.published - rx->vr.used_idx) < OFFERED_MAX; n--) {
		if (rx->free + BUFFER + 3 * GAP > RING_SEAM)
			rx->free = RING_GPA;
		open_memory(rx, BUFFER);
		ring_room(rx, h->r->rx_next[port]++ % RIG_RING, BUFFER);
	}
}

static void
send(struct honest *h, uint16_t port, const struct rte_ether_addr *to, uint32_t len)
{
	struct ring *tx = h->r->tx[port];

	open_memory(tx, tx->vq.hdr_len + len);
	rig_send(h->r, port, to, len, len);
}

static void
send_to_other(struct honest *h, uint16_t port, uint32_t len)
{
	const struct rte_ether_addr to = mac_of(!port, 0);

	h->sent[port][h->nsent[port]++] = len;
	send(h, port, &to, len);
}

void
honest_send(struct honest *h, uint16_t port, const struct rte_ether_addr *to, uint32_t len)
{
	const struct rte_ether_addr other = mac_of(!port, 0);

	if (h->r->tx_next[port] >= SENT_MAX)
		return;
	if (!rte_is_same_ether_addr(to, &other))
		send(h, port, to, len);
	else if (h->nsent[port] < RTE_DIM(h->sent[port]) - 1) /* one more at the end */
		send_to_other(h, port, len);
}

void
honest_poll(struct honest *h, struct source *s)
{
	struct share_clock *c = &h->r->lane->clock;

	share_round(c);
	forward_poll(h->r->lane, s);
	share_round_over(c);
}

/* Returns true if it is the next frame that must come from the other guest. */
static bool
is_due(struct honest *h, uint16_t to, const uint8_t *got, uint32_t len)
{
	const struct rte_ether_addr dst = mac_of(to, 0), src = mac_of(!to, 0);
	uint16_t from = !to;
	uint8_t want[BUFFER];

	if (h->ngot[from] == h->nsent[from] || h->sent[from][h->ngot[from]] != len)
		return false;
	frame_make(want, &dst, &src, len, len);
	return memcmp(got, want, len) == 0;
}

/* Checks that there are the header of a guest that took no offload, the frame, and nothing after it. */
static void
check_frame(const struct ring *rx, const uint8_t *got, uint32_t len)
{
	struct virtio_net_hdr_mrg_rxbuf hdr;
	uint8_t fill[BUFFER];

	assert_in_range(len, sizeof(struct rte_ether_hdr), BUFFER - rx->vq.hdr_len);
	memcpy(&hdr, got - rx->vq.hdr_len, sizeof(hdr));
	assert_int_equal(hdr.hdr.flags, 0);
	assert_int_equal(hdr.hdr.gso_type, VIRTIO_NET_HDR_GSO_NONE);
	assert_int_equal(hdr.num_buffers, 1);
	memset(fill, FILL, sizeof(fill));
	assert_memory_equal(got + len, fill, BUFFER - rx->vq.hdr_len - len);
}

void
honest_take(struct honest *h)
{
	const uint8_t *got;
	uint16_t port;
	uint32_t len;

	for (port = 0; port < HONEST; port++) {
		while ((got = rig_take(h->r, port, &len)) != NULL) {
			check_frame(h->r->rx[port], got, len);
			if (is_due(h, port, got, len))
				h->ngot[!port]++;
			__asan_poison_memory_region(got - h->r->rx[port]->vq.hdr_len, BUFFER);
		}
	}
}

static bool
all_there(const struct honest *h)
{
	uint16_t port;

	for (port = 0; port < HONEST; port++)
		if (h->ngot[port] != h->nsent[port] || rig_owed(h->r, port) != 0)
			return false;
	return true;
}

/* Has all arrive that was sent, and one more frame each, with frames of the hostile guest in between. */
static void
exchange(struct honest *h, struct source *hostile)
{
	unsigned int i;
	uint16_t port;

	for (port = 0; port < HONEST; port++)
		send_to_other(h, port, 60 + port);
	for (i = 0; i < ROUNDS && !all_there(h); i++) {
		/* Both offer first: buffers that only the hostile guest's turn meets would all be taken by it. */
		for (port = 0; port < HONEST; port++)
			honest_offer(h, port, BURST_MAX);
		for (port = 0; port < HONEST; port++)
			honest_poll(h, &h->r->tx[port]->vq.source);
		honest_poll(h, hostile);
		honest_take(h);
		/* Drops what they sent to a hostile guest that takes nothing. */
		for (port = 0; port < HONEST && i > PATIENT_ROUNDS; port++)
			rig_expire(h->r, port);
	}
}

void
honest_end(struct honest *h, struct source *hostile)
{
	uint16_t port;

	exchange(h, hostile);
	retry_release(hostile, &h->r->lane->count[HOSTILE_PORT]);
	for (port = 0; port < HONEST; port++) {
		retry_release(&h->r->tx[port]->vq.source, &h->r->lane->count[port]);
		assert_int_equal(rig_owed(h->r, port), 0);
		assert_int_equal(h->ngot[port], h->nsent[port]);
		assert_int_equal(park_room(h->r->tx[port]->vq.source.park), PARK_FRAMES);
	}
	assert_int_equal(park_room(hostile->park), PARK_FRAMES);
	rig_check_sums(h->r, HOSTILE_PORT + 1);
}
