/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Rings that an input fills: see hostile_ring.h. */
#include <rte_common.h>

#include "guest/in_order.h"
#include "guest/tx.h"
#include "switch/park.h"
#include "hostile_ring.h"

/* A log of the exact size: one bit a page, up to the end of memory. */
#define LOG_BYTES (HOSTILE_END / 4096 / 8 + 1)

void
hostile_ring_create(struct hostile_ring *h)
{
	h->ring.vq.source.park = park_create();
	assert_non_null(h->ring.vq.source.park);
	h->ring.mem.n = 2;
	h->ring.mem.region[0] =
			(struct guest_region){HOSTILE_GPA, HOSTILE_LOW, fuzz_exact(HOSTILE_LOW)};
	h->ring.mem.region[1] =
			(struct guest_region){RING_SEAM, HOSTILE_HIGH, fuzz_exact(HOSTILE_HIGH)};
	h->ring.mem.log = fuzz_exact(LOG_BYTES);
	h->ring.mem.log_size = LOG_BYTES;
}

void
hostile_ring_setup(struct hostile_ring *h, const struct hostile_setup *s, struct ring *mem)
{
	struct virtqueue *vq = &h->ring.vq;
	struct vr_areas *own = &h->ring.own;
	struct park *park = vq->source.park;
	uint64_t features = VU_F_VERSION_1 | (s->packed ? VU_F_RING_PACKED : 0);
	uint16_t port = vq->source.port;

	free(vq->in_order);
	free(own->desc);
	free(own->driver);
	free(own->device);
	own->desc = fuzz_exact(vr_desc_bytes(s->size));
	own->driver = fuzz_exact(vr_driver_bytes(s->size, features));
	own->device = fuzz_exact(vr_device_bytes(s->size, features));
	*vq = (struct virtqueue){
			.hdr_len = s->short_header ? sizeof(struct virtio_net_hdr)
						   : sizeof(struct virtio_net_hdr_mrg_rxbuf),
			.event_idx = s->event_idx,
			.indirect = s->indirect,
			.mergeable = s->mergeable && !s->short_header,
			.logging = s->logging,
			.offloads = s->offloads,
			.mem = mem != NULL ? &mem->mem : &h->ring.mem,
			.frame_max = s->frame_max,
			.in_order = s->in_order ? in_order_create(s->size) : NULL,
			.source = {.ops = &tx_source_ops, .park = park, .port = port},
	};
	rte_spinlock_init(&vq->leases.lock);
	ring_lay(&h->ring, own, s->size, features,
			s->packed ? VR_PACKED_START | s->at % s->size : s->at);
	vq->avx2 = vq->avx2 && !s->plain;
	vq->leases.contended = s->leased ? UINT16_MAX : 0;
	ring_call(&h->ring);
	if (!s->calls) /* it polls */
		vr_call_enable(&h->ring.vr, false);
	memset(h->ring.mem.region[0].host, 0, HOSTILE_LOW);
	memset(h->ring.mem.region[1].host, 0, HOSTILE_HIGH);
	memset(h->ring.mem.log, 0, LOG_BYTES);
}

uint64_t
hostile_gpa(struct input *in)
{
	uint16_t v = fuzz_u16(in);

	/*
	 * Two quarters of the numbers are addresses from the beginning of memory on; one quarter is
	 * around its ends.
	 */
	switch (v >> 14) {
	case 0:
	case 1:
		return HOSTILE_GPA + v % (HOSTILE_LOW + HOSTILE_HIGH);
	case 2:
		return (v & 0x100                                  ? RING_SEAM
						       : v & 0x200 ? HOSTILE_END
								   : HOSTILE_GPA) +
				(int8_t)(v & 0xff);
	default:
		return v & 1 ? fuzz_u64(in) : UINT64_MAX - (v & 0xff);
	}
}

void
hostile_write(struct ring *r, uint64_t gpa, const void *bytes, uint32_t n)
{
	const uint8_t *from = bytes;
	uint32_t part = n;
	uint8_t *to;

	while (n != 0 && (to = guest_mem_part(&r->mem, gpa, &part)) != NULL) {
		memcpy(to, from, part);
		gpa += part;
		from += part;
		n -= part;
		part = n;
	}
}

/* Returns a length: mostly small, or just that of a frame, or any number. */
static uint32_t
take_len(struct input *in)
{
	uint8_t v = fuzz_u8(in);

	if (v < 0xc0)
		return v * 8;
	return v < 0xe0 ? fuzz_u16(in) : v < 0xf0 ? 1522 + 12 + (v & 7) : fuzz_u32(in);
}

/* Writes descriptor `at`, or the next one of a packed ring, with the flags of one that is available. */
static void
put_desc(struct hostile_ring *h, struct input *in)
{
	const struct virtqueue *vq = &h->ring.vq;
	struct vr_ring *vr = &h->ring.vr;
	uint16_t kind = fuzz_u16(in), at = (kind >> 3) % vq->size;
	uint16_t flags = kind & (NEXT | WRITE | INDIRECT);
	uint64_t gpa = hostile_gpa(in);
	uint32_t len = take_len(in);

	if (!vq->packed) {
		vr_raw_desc(vr, at, gpa, len, flags, fuzz_u8(in));
		return;
	}
	vr_raw_packed(vr, vr->fill_at.at, gpa, len, kind >> 3,
			flags | vr_packed_owner(true, vr->fill_at.wrap));
	vr->fill_at = vr_packed_after(vr->fill_at, vr->size, 1);
}

/* Writes a whole indirect table, of entries that follow each other in memory. */
static void
put_table(struct hostile_ring *h, struct input *in)
{
	struct vr_desc d = {0};
	uint64_t table = hostile_gpa(in), gpa = hostile_gpa(in);
	uint8_t n = fuzz_u8(in), kind = fuzz_u8(in), i;
	uint32_t len = take_len(in);

	for (i = 0; i < n; i++) {
		d = (struct vr_desc){gpa, len, kind & 7, i + 1};
		if (i + 1 == n)
			d.flags &= ~NEXT;
		if (h->ring.vq.packed) /* a packed entry has its flags in the place of `next` */
			d = (struct vr_desc){gpa, len, 0, d.flags};
		hostile_write(&h->ring, table + i * sizeof(d), &d, sizeof(d));
		gpa += kind & 8 ? len : 0;
	}
}

/* Makes heads available, from one on, as many as the input says. */
static void
offer(struct hostile_ring *h, struct input *in)
{
	struct vr_ring *vr = &h->ring.vr;
	uint16_t head = fuzz_u8(in), n = fuzz_u8(in);

	if (h->ring.vq.packed) { /* this skips places, so that the switch looks at others next */
		vr->fill_at.at = (vr->fill_at.at + n) % vr->size;
		vr->fill_at.wrap ^= head & 1;
		return;
	}
	/* It goes on from the shared index, which the input may have changed. */
	vr->published = vr->avail->idx;
	for (; n > 0; n--, head++)
		vr_raw_post(vr, &head, 1);
}

/* Writes bytes of the input at any place of one area. */
static void
put_bytes(struct hostile_ring *h, struct input *in)
{
	const struct vr_ring *vr = &h->ring.vr;
	const struct vr_areas *own = &h->ring.own;
	struct {
		void *at;
		size_t size;
	} areas[] = {
			{h->ring.mem.region[0].host, HOSTILE_LOW},
			{h->ring.mem.region[1].host, HOSTILE_HIGH},
			{own->desc, vr_desc_bytes(vr->size)},
			{own->driver, vr_driver_bytes(vr->size, vr->features)},
			{own->device, vr_device_bytes(vr->size, vr->features)},
	};
	uint8_t which = fuzz_u8(in), n = fuzz_u8(in);
	uint16_t at = fuzz_u16(in);
	uint8_t bytes[UINT8_MAX];

	which %= RTE_DIM(areas);
	at %= areas[which].size;
	n = RTE_MIN(n, areas[which].size - at);
	fuzz_take(in, bytes, n);
	memcpy((uint8_t *)areas[which].at + at, bytes, n);
}

void
hostile_ring_step(struct hostile_ring *h, uint8_t op, struct input *in)
{
	switch (op) {
	case 0:
	case 1:
		put_desc(h, in);
		break;
	case 2:
		put_table(h, in);
		break;
	case 3:
		offer(h, in);
		break;
	default:
		put_bytes(h, in);
	}
}
