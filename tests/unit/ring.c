/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A driver's side of a split ring: see ring.h. */
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/atomic.h"
#include "guest/ring.h"
#include "guest/tx.h"
#include "switch/park.h"
#include "ring.h"

const struct rte_ether_addr mac_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

struct ring *
ring_create(unsigned int size, uint16_t index)
{
	struct ring *r = unit_zalloc(sizeof(*r));

	r->mem.n = 2;
	r->mem.region[0] = (struct guest_region){RING_GPA, RING_BYTES, malloc(RING_BYTES)};
	r->mem.region[1] = (struct guest_region){RING_SEAM, RING_SECOND, malloc(RING_SECOND)};
	assert_true(r->mem.region[0].host != NULL && r->mem.region[1].host != NULL);
	r->free = RING_GPA;
	r->taken = index;
	r->vq = (struct virtqueue){
			.desc = unit_zalloc(size * sizeof(struct vring_desc)),
			.avail = unit_zalloc(4 + size * 2 + 2),
			.used = unit_zalloc(4 + size * sizeof(struct vring_used_elem) + 2),
			.last_avail = index,
			.last_used = index,
			.size = size,
			.hdr_len = sizeof(struct virtio_net_hdr_mrg_rxbuf),
			.indirect = true,
			.mem = &r->mem,
			.callfd = -1,
			.frame_max = 1522,
			.source = {.ops = &tx_source_ops, .park = park_create()},
	};
	assert_non_null(r->vq.source.park);
	rte_spinlock_init(&r->vq.lock);
	r->vq.avail->idx = r->vq.used->idx = index;
	ring_hang_bell(&r->vq);
	return r;
}

void
ring_destroy(struct ring *r)
{
	if (r->vq.callfd >= 0)
		close(r->vq.callfd);
	park_destroy(r->vq.source.park);
	free(r->vq.desc);
	free(r->vq.avail);
	free(r->vq.used);
	free(r->mem.region[0].host);
	free(r->mem.region[1].host);
	free(r);
}

void
ring_call(struct ring *r)
{
	r->vq.callfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(r->vq.callfd >= 0);
}

uint64_t
ring_calls(struct ring *r)
{
	eventfd_t n = 0;

	return eventfd_read(r->vq.callfd, &n) == 0 ? n : 0;
}

uint64_t
ring_bytes(struct ring *r, uint32_t n)
{
	uint64_t gpa = r->free;

	r->free += n;
	assert_true(r->free <= RING_SEAM);
	return gpa;
}

uint8_t *
ring_at(struct ring *r, uint64_t gpa, uint32_t n)
{
	const struct guest_region *g = &r->mem.region[gpa >= RING_SEAM];

	assert_true(gpa >= g->gpa && gpa + n <= g->gpa + g->size);
	return g->host + (gpa - g->gpa);
}

void
ring_desc(struct ring *r, uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags, uint16_t next)
{
	assert_true(i < r->vq.size);
	r->vq.desc[i] = (struct vring_desc){gpa, len, flags, next};
}

void
ring_table(struct ring *r, uint64_t table, uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags,
		uint16_t next)
{
	const struct vring_desc d = {gpa, len, flags, next};

	memcpy(ring_at(r, table + i * sizeof(d), sizeof(d)), &d, sizeof(d));
}

void
ring_offer(struct ring *r, uint16_t head)
{
	uint16_t at = r->vq.avail->idx;

	r->vq.avail->ring[at & (r->vq.size - 1)] = head;
	store_release(&r->vq.avail->idx, at + 1);
}

bool
ring_used(struct ring *r, uint32_t *id, uint32_t *len)
{
	const struct vring_used_elem *e = &r->vq.used->ring[r->taken & (r->vq.size - 1)];

	if (r->taken == load_acquire(&r->vq.used->idx))
		return false;
	r->taken++;
	*id = e->id;
	*len = e->len;
	return true;
}

void
ring_expect(struct ring *r, uint32_t id, uint32_t len)
{
	uint32_t got_id, got_len;

	assert_true(ring_used(r, &got_id, &got_len));
	assert_int_equal(got_id, id);
	assert_int_equal(got_len, len);
}

void
ring_expect_none(struct ring *r)
{
	assert_int_equal(r->vq.used->idx, r->taken);
}

struct rte_ether_addr
mac_of(uint16_t port, uint8_t n)
{
	return (struct rte_ether_addr){{0x02, 0, 0, port >> 8, port, n}};
}

void
frame_make(uint8_t *buf, const struct rte_ether_addr *to, const struct rte_ether_addr *from,
		uint32_t len, uint32_t seed)
{
	struct rte_ether_hdr eth = {.dst_addr = *to,
			.src_addr = *from,
			.ether_type = RTE_BE16(0x88b5)}; /* for experiments, IEEE 802 */
	uint64_t random = seed;
	uint32_t i;

	for (i = 0; i < len; i++)
		buf[i] = unit_random(&random);
	memcpy(buf, &eth, sizeof(eth));
}

uint8_t *
ring_send(struct ring *r, uint16_t i, const struct rte_ether_addr *to,
		const struct rte_ether_addr *from, uint32_t len, uint32_t seed)
{
	uint64_t gpa = ring_bytes(r, r->vq.hdr_len + len);
	uint8_t *at = ring_at(r, gpa, r->vq.hdr_len + len);

	memset(at, 0, r->vq.hdr_len);
	frame_make(at + r->vq.hdr_len, to, from, len, seed);
	ring_desc(r, i, gpa, r->vq.hdr_len + len, 0, 0);
	ring_offer(r, i);
	return at + r->vq.hdr_len;
}

uint64_t
ring_room(struct ring *r, uint16_t i, uint32_t len)
{
	uint64_t gpa = ring_bytes(r, len);

	memset(ring_at(r, gpa, len), 0xee, len);
	ring_desc(r, i, gpa, len, WRITE, 0);
	ring_offer(r, i);
	return gpa;
}
