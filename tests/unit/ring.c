/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* One ring: see ring.h. */
#include "guest/ring.h"
#include "guest/tx.h"
#include "switch/park.h"
#include "packet.h"
#include "ring.h"

const struct rte_ether_addr mac_broadcast = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

static struct ring *
create(uint16_t size, uint64_t features, uint16_t base)
{
	struct ring *r = unit_zalloc(sizeof(*r));

	r->mem.n = 2;
	r->mem.region[0] = (struct guest_region){RING_GPA, RING_BYTES, malloc(RING_BYTES)};
	r->mem.region[1] = (struct guest_region){RING_SEAM, RING_SECOND, malloc(RING_SECOND)};
	assert_true(r->mem.region[0].host != NULL && r->mem.region[1].host != NULL);
	r->free = RING_GPA;
	r->own = (struct vr_areas){
			.desc = unit_zalloc(vr_desc_bytes(size)),
			.driver = unit_zalloc(vr_driver_bytes(size, features)),
			.device = unit_zalloc(vr_device_bytes(size, features)),
	};
	r->vq = (struct virtqueue){
			.hdr_len = sizeof(struct virtio_net_hdr_mrg_rxbuf),
			.indirect = true,
			.mem = &r->mem,
			.callfd = -1,
			.frame_max = 1522,
			.source = {.ops = &tx_source_ops, .park = park_create()},
	};
	assert_non_null(r->vq.source.park);
	rte_spinlock_init(&r->vq.leases.lock);
	ring_lay(r, &r->own, size, features, base);
	return r;
}

struct ring *
ring_create(unsigned int size, uint16_t index)
{
	return create(size, VU_F_VERSION_1, index);
}

struct ring *
ring_create_packed(uint16_t size, uint16_t at)
{
	struct ring *r = create(size, VU_F_VERSION_1 | VU_F_RING_PACKED, VR_PACKED_START | at);

	r->chain = unit_zalloc((UINT16_MAX + 1) * sizeof(*r->chain));
	return r;
}

void
ring_lay(struct ring *r, const struct vr_areas *in, uint16_t size, uint64_t features, uint16_t base)
{
	struct virtqueue *vq = &r->vq;

	if (r->vr.size != 0)
		vr_free(&r->vr);
	assert_int_equal(vr_init_in(&r->vr, in, size, features), 0);
	vq->size = size;
	vq->avx2 = unit_avx2();
	vq->packed = (features & VU_F_RING_PACKED) != 0;
	if (vq->packed) {
		vq->ring = in->desc;
		vq->driver_event = in->driver;
		vq->device_event = in->device;
	} else {
		vq->desc = in->desc;
		vq->avail = in->driver;
		vq->used = in->device;
	}
	ring_reset(r, base);
}

void
ring_reset(struct ring *r, uint16_t base)
{
	struct vr_place at = r->vq.packed ? vr_packed_place(base) : (struct vr_place){base, false};

	vr_reset(&r->vr, base);
	r->vq.last_avail = r->vq.last_used = at.at;
	r->vq.avail_wrap = r->vq.used_wrap = at.wrap;
	ring_hang_bell(&r->vq);
}

void
ring_destroy(struct ring *r)
{
	vr_free(&r->vr);
	park_destroy(r->vq.source.park);
	free(r->vq.in_order);
	free(r->own.desc);
	free(r->own.driver);
	free(r->own.device);
	free(r->chain);
	free(r->mem.region[0].host);
	free(r->mem.region[1].host);
	free(r);
}

int
ring_teardown(void **state)
{
	ring_destroy(*state);
	return 0;
}

void
ring_call(struct ring *r)
{
	r->vq.callfd = r->vr.call_fd;
}

uint64_t
ring_calls(struct ring *r)
{
	return vr_calls(&r->vr);
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

uint64_t
ring_packet(struct ring *r, const struct packet *p, uint32_t *len)
{
	uint32_t hdr = r->vq.hdr_len;
	uint64_t gpa;
	uint8_t *at;

	*len = hdr + p->len;
	gpa = ring_bytes(r, *len);
	at = ring_at(r, gpa, *len);
	memset(at, 0, hdr);
	memcpy(at, &p->vnet, sizeof(p->vnet));
	memcpy(at + hdr, p->bytes, p->len);
	return gpa;
}

void
ring_desc(struct ring *r, uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags, uint16_t next)
{
	assert_true(i < r->vq.size);
	vr_raw_desc(&r->vr, i, gpa, len, flags, next);
}

void
ring_table(struct ring *r, uint64_t table, uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags,
		uint16_t next)
{
	const struct vr_desc d = {gpa, len, flags, next};

	memcpy(ring_at(r, table + i * sizeof(d), sizeof(d)), &d, sizeof(d));
}

void
ring_offer(struct ring *r, uint16_t head)
{
	vr_raw_post(&r->vr, &head, 1);
}

void
ring_chain(struct ring *r, uint16_t id, const struct vr_packed_desc *d, unsigned int n)
{
	vr_raw_chain(&r->vr, id, d, n);
	r->chain[id] = n;
}

void
ring_one(struct ring *r, uint16_t i, uint64_t gpa, uint32_t len, uint16_t flags)
{
	const struct vr_packed_desc d = {.addr = gpa, .len = len, .flags = flags};

	if (r->vq.packed) {
		ring_chain(r, i, &d, 1);
		return;
	}
	ring_desc(r, i, gpa, len, flags, 0);
	ring_offer(r, i);
}

bool
ring_used(struct ring *r, uint32_t *id, uint32_t *len)
{
	const struct vr_packed_desc *d = &r->vr.packed[r->vr.seen_at.at];
	struct vr_used_elem e;

	if (!vr_raw_used(&r->vr, &e))
		return false;
	*id = e.id;
	*len = e.len;
	if (!r->vq.packed) {
		vr_raw_step(&r->vr, 1);
		return true;
	}
	/* The flag says whether there is a length. */
	assert_int_equal(!!(d->flags & WRITE), d->len != 0);
	assert_true(r->chain[e.id] != 0);
	vr_raw_step(&r->vr, r->chain[e.id]);
	r->chain[e.id] = 0;
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
	uint32_t id, len;

	assert_false(ring_used(r, &id, &len));
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
	ring_one(r, i, gpa, r->vq.hdr_len + len, 0);
	return at + r->vq.hdr_len;
}

uint64_t
ring_room(struct ring *r, uint16_t i, uint32_t len)
{
	uint64_t gpa = ring_bytes(r, len);

	memset(ring_at(r, gpa, len), 0xee, len);
	ring_one(r, i, gpa, len, WRITE);
	return gpa;
}
