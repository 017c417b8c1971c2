/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Rings that an input fills: see hostile_ring.h. */
#include <sys/eventfd.h>

#include <rte_common.h>

#include "guest/in_order.h"
#include "guest/tx.h"
#include "hostile_ring.h"
#include "tests/driver/vring_packed.h"

/* A log of the exact size: one bit a page, up to the end of memory. */
#define LOG_BYTES (HOSTILE_END / 4096 / 8 + 1)

void
hostile_ring_create(struct hostile_ring *h)
{
	struct ring *r = ring_create(2, 0);

	/* Its park, and no more of it. */
	h->ring.vq.source.park = r->vq.source.park;
	r->vq.source.park = NULL;
	ring_destroy(r);
	h->ring.mem.n = 2;
	h->ring.mem.region[0] =
			(struct guest_region){HOSTILE_GPA, HOSTILE_LOW, fuzz_exact(HOSTILE_LOW)};
	h->ring.mem.region[1] =
			(struct guest_region){RING_SEAM, HOSTILE_HIGH, fuzz_exact(HOSTILE_HIGH)};
	h->ring.mem.log = fuzz_exact(LOG_BYTES);
	h->ring.mem.log_size = LOG_BYTES;
	h->ring.vq.callfd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	assert_true(h->ring.vq.callfd >= 0);
}

static void
make_areas(struct virtqueue *vq, struct hostile_ring *h, const struct hostile_setup *s)
{
	uint16_t i;

	if (!s->packed) {
		vq->desc = fuzz_exact(s->size * sizeof(struct vring_desc));
		vq->avail = fuzz_exact(4 + s->size * 2 + 2);
		vq->used = fuzz_exact(4 + s->size * sizeof(struct vring_used_elem) + 2);
		vq->avail->idx = vq->used->idx = s->at;
		return;
	}
	vq->ring = fuzz_exact(s->size * sizeof(*vq->ring));
	for (i = 0; i < vq->last_avail; i++) /* used before, on this lap */
		vq->ring[i].flags = vr_packed_owner(false, true);
	h->driver = h->device = (struct vring_packed_desc_event){0, 0};
	vq->driver_event = &h->driver;
	vq->device_event = &h->device;
}

static void
free_areas(struct virtqueue *vq)
{
	free(vq->in_order);
	if (vq->packed) {
		free(vq->ring);
		return;
	}
	free(vq->desc);
	free(vq->avail);
	free(vq->used);
}

void
hostile_ring_setup(struct hostile_ring *h, const struct hostile_setup *s, struct ring *mem)
{
	struct virtqueue *vq = &h->ring.vq;
	struct park *park = vq->source.park;
	uint16_t at = s->packed ? s->at % s->size : s->at, port = vq->source.port;
	int callfd = vq->callfd;

	free_areas(vq);
	*vq = (struct virtqueue){
			.size = s->size,
			.last_avail = at,
			.last_used = at,
			.hdr_len = s->short_header ? sizeof(struct virtio_net_hdr)
						   : sizeof(struct virtio_net_hdr_mrg_rxbuf),
			.packed = s->packed,
			.avail_wrap = true,
			.used_wrap = true,
			.event_idx = s->event_idx,
			.indirect = s->indirect,
			.mergeable = s->mergeable && !s->short_header,
			.logging = s->logging,
			.offloads = s->offloads,
			.mem = mem != NULL ? &mem->mem : &h->ring.mem,
			.callfd = callfd,
			.frame_max = s->frame_max,
			.in_order = s->in_order ? in_order_create(s->size) : NULL,
			.source = {.ops = &tx_source_ops, .park = park, .port = port},
	};
	rte_spinlock_init(&vq->lock);
	make_areas(vq, h, s);
	if (!s->calls) /* it polls */
		h->driver.flags = VRING_PACKED_EVENT_FLAG_DISABLE;
	if (!s->calls && !s->packed)
		vq->avail->flags = VRING_AVAIL_F_NO_INTERRUPT;
	h->next = at;
	h->lap = true;
	memset(h->ring.mem.region[0].host, 0, HOSTILE_LOW);
	memset(h->ring.mem.region[1].host, 0, HOSTILE_HIGH);
	memset(h->ring.mem.log, 0, LOG_BYTES);
}

uint64_t
hostile_gpa(struct input *in)
{
	uint16_t v = fuzz_u16(in);

	/* Two of four quarters are memory from its beginning on; one is about its ends. */
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

/* A length: mostly small, or what is just a frame, or anything. */
static uint32_t
take_len(struct input *in)
{
	uint8_t v = fuzz_u8(in);

	if (v < 0xc0)
		return v * 8;
	return v < 0xe0 ? fuzz_u16(in) : v < 0xf0 ? 1522 + 12 + (v & 7) : fuzz_u32(in);
}

/* Descriptor `at`, or the next one of a packed ring, with the flags of one that is available. */
static void
put_desc(struct hostile_ring *h, struct input *in)
{
	struct virtqueue *vq = &h->ring.vq;
	uint16_t kind = fuzz_u16(in), at = (kind >> 3) % vq->size;
	uint16_t flags = kind & (NEXT | WRITE | INDIRECT);
	uint64_t gpa = hostile_gpa(in);
	uint32_t len = take_len(in);

	if (!vq->packed) {
		vq->desc[at] = (struct vring_desc){gpa, len, flags, fuzz_u8(in)};
		return;
	}
	vq->ring[h->next] = (struct vring_packed_desc){
			gpa, len, kind >> 3, flags | vr_packed_owner(true, h->lap)};
	if (++h->next == vq->size) {
		h->next = 0;
		h->lap = !h->lap;
	}
}

/* A whole indirect table, of entries that follow each other in memory. */
static void
put_table(struct hostile_ring *h, struct input *in)
{
	struct vring_desc d = {0};
	uint64_t table = hostile_gpa(in), gpa = hostile_gpa(in);
	uint8_t n = fuzz_u8(in), kind = fuzz_u8(in), i;
	uint32_t len = take_len(in);

	for (i = 0; i < n; i++) {
		d = (struct vring_desc){gpa, len, kind & 7, i + 1};
		if (i + 1 == n)
			d.flags &= ~NEXT;
		if (h->ring.vq.packed) /* flags stand where next does */
			d = (struct vring_desc){gpa, len, 0, d.flags};
		hostile_write(&h->ring, table + i * sizeof(d), &d, sizeof(d));
		gpa += kind & 8 ? len : 0;
	}
}

/* Heads from one on, as many as the input says. */
static void
offer(struct hostile_ring *h, struct input *in)
{
	struct virtqueue *vq = &h->ring.vq;
	uint16_t head = fuzz_u8(in), n = fuzz_u8(in);

	if (vq->packed) { /* skips, so that other places are looked at with the next */
		h->next = (h->next + n) % vq->size;
		h->lap ^= head & 1;
		return;
	}
	for (; n > 0; n--, head++)
		vq->avail->ring[vq->avail->idx++ & (vq->size - 1)] = head;
}

/* Bytes of the input at any place of one area. */
static void
put_bytes(struct hostile_ring *h, struct input *in)
{
	struct virtqueue *vq = &h->ring.vq;
	struct {
		void *at;
		size_t size;
	} areas[] = {
			{h->ring.mem.region[0].host, HOSTILE_LOW},
			{h->ring.mem.region[1].host, HOSTILE_HIGH},
			{vq->packed ? (void *)vq->ring : vq->desc, vq->size * 16u},
			{vq->packed ? (void *)&h->driver : vq->avail,
					vq->packed ? sizeof(h->driver) : 6u + vq->size * 2u},
			{vq->packed ? (void *)&h->device : vq->used,
					vq->packed ? sizeof(h->device) : 6u + vq->size * 8u},
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
