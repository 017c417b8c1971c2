/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Completing checksums and cutting frames: see gso.h for the contract. */
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "frame/gso.h"

/* Adds a number to a sum of RFC 1071, folded to 16 bits. */
static uint16_t
gso_sum_add(uint16_t sum, uint16_t more)
{
	uint32_t s = (uint32_t)sum + more;

	return s + (s >> 16);
}

/* Adds the bytes at p to a sum, which begin after an `odd` number of bytes. */
static uint16_t
gso_sum_bytes(uint16_t sum, const uint8_t *p, uint32_t len, bool odd)
{
	uint16_t s = rte_raw_cksum(p, len);

	return gso_sum_add(sum, odd ? rte_bswap16(s) : s);
}

/* Lists the next `len` bytes of payload as fragments of the frame, after those that it has. */
static void
gso_take_payload(struct gso *gso, uint32_t len)
{
	struct fragment *p = &gso->frag[gso->frame.nfrags];
	uint32_t n;

	for (; len != 0; len -= n) {
		n = RTE_MIN(gso->from->len - gso->skip, len);
		if (n != 0)
			*p++ = (struct fragment){.base = gso->from->base + gso->skip, .len = n};
		gso->skip += n;
		if (gso->skip == gso->from->len) {
			gso->from++;
			gso->skip = 0;
		}
	}
	gso->frame.nfrags = p - gso->frag;
}

/* Lists the bytes of the checksum itself, which is copied, as it will be changed. */
static void
gso_take_field(struct gso *gso)
{
	unsigned int i, n = gso->frame.nfrags;
	uint32_t done = 0;

	gso_take_payload(gso, sizeof(gso->field));
	for (i = n; i < gso->frame.nfrags; done += gso->frag[i].len, i++)
		memcpy(gso->field + done, gso->frag[i].base, gso->frag[i].len);
	gso->frag[n] = (struct fragment){.base = gso->field, .len = sizeof(gso->field)};
	gso->frame.nfrags = n + 1;
}

/* Returns true if the checksum, at `at`, is after the headers. */
static bool
gso_is_far(const struct gso *gso, uint16_t at)
{
	return at >= gso->whole->headers->len;
}

static void
gso_patch_ipv4(struct headers *h, uint32_t len, uint16_t nth)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(h->bytes + h->l3);

	ip->total_length = rte_cpu_to_be_16(len - h->l3);
	ip->packet_id = rte_cpu_to_be_16(rte_be_to_cpu_16(ip->packet_id) + nth);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = ~rte_raw_cksum(ip, h->l4 - h->l3);
}

static void
gso_patch_ipv6(struct headers *h, uint32_t len)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(h->bytes + h->l3);

	ip->payload_len = rte_cpu_to_be_16(len - h->l3 - sizeof(*ip));
}

static void
gso_patch_tcp(struct headers *h, uint32_t ahead, bool first, bool last)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(h->bytes + h->l4);

	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + ahead);
	if (!last)
		tcp->tcp_flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (!first)
		tcp->tcp_flags &= ~RTE_TCP_CWR_FLAG;
}

static void
gso_patch_udp(struct headers *h, uint32_t len)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(h->bytes + h->l4);

	udp->dgram_len = rte_cpu_to_be_16(len - h->l4);
}

/* Returns the frame's checksum from its headers. */
static uint16_t
gso_checksum_get(const struct headers *h, uint16_t at)
{
	uint16_t value;

	memcpy(&value, h->bytes + at, sizeof(value));
	return value;
}

static void
gso_checksum_set(struct headers *h, uint16_t at, uint16_t value)
{
	memcpy(h->bytes + at, &value, sizeof(value));
}

/*
 * Corrects the sum of the pseudo header, which covers the length of the whole frame: as in RFC
 * 1624, one number is subtracted from a sum and another one added.
 */
static void
gso_patch_pseudo_sum(struct gso *gso, uint16_t at)
{
	struct headers *h = &gso->headers;
	uint16_t before = rte_cpu_to_be_16(gso->whole->len - h->l4);
	uint16_t now = rte_cpu_to_be_16(gso->frame.len - h->l4);
	uint16_t sum = gso_checksum_get(h, at);

	gso_checksum_set(h, at, gso_sum_add(gso_sum_add(sum, ~before), now));
}

/* Makes the headers of a frame that begins `ahead` bytes into the payload, from the copy. */
static void
gso_patch_headers(struct gso *gso, uint32_t ahead)
{
	bool first = gso->i == 0, last = gso->i == gso->n - 1;
	struct headers *h = &gso->headers;

	if (h->ipv6)
		gso_patch_ipv6(h, gso->frame.len);
	else
		gso_patch_ipv4(h, gso->frame.len, gso->i);
	if (h->tcp)
		gso_patch_tcp(h, ahead, first, last);
	else
		gso_patch_udp(h, gso->frame.len);
}

/*
 * Returns the sum of the frame's bytes from `start` on. Its headers may end after an odd number of
 * them.
 */
static uint16_t
gso_sum_from(const struct gso *gso, uint32_t start)
{
	const struct fragment *p, *end = gso->frag + gso->frame.nfrags;
	uint32_t at = 0, skip, done = 0;
	uint16_t sum = 0;

	for (p = gso->frag; p < end; at += p->len, p++) {
		skip = start > at ? start - at : 0;
		if (skip >= p->len)
			continue;
		sum = gso_sum_bytes(sum, p->base + skip, p->len - skip, done & 1);
		done += p->len - skip;
	}
	return sum;
}

/*
 * Completes the checksum: of TCP's or UDP's header, with the pseudo header's sum in it, and the
 * payload; or of whatever begins at l4.
 */
static void
gso_complete(struct gso *gso, uint16_t at)
{
	struct headers *h = &gso->headers;
	uint16_t sum = ~gso_sum_from(gso, h->l4);

	/*
	 * In UDP 0 means that there is no checksum (RFC 768); in other protocols 0xffff and 0 are
	 * equal.
	 */
	if (sum == 0 && !h->tcp)
		sum = 0xffff;
	if (gso_is_far(gso, at))
		memcpy(gso->field, &sum, sizeof(sum));
	else
		gso_checksum_set(h, at, sum);
}

void
gso_begin(struct gso *gso, const struct frame *f, uint8_t takes)
{
	const struct headers *h = f->headers;

	gso->whole = f;
	gso->n = offload_frames(f);
	gso->i = 0;
	gso->rest = f->len - h->len;
	gso->partial = takes & OFFLOAD_CSUM;
	gso->from = f->frag;
	gso->skip = h->len;
	while (gso->skip >= gso->from->len && gso->from < f->frag + f->nfrags - 1) {
		gso->skip -= gso->from->len;
		gso->from++;
	}
	gso->frag[0] = (struct fragment){.base = gso->headers.bytes, .len = h->len};
	gso->frame = *f;
	gso->frame.frag = gso->frag;
	gso->frame.headers = NULL;
	gso->frame.offload = 0;
	gso->frame.vnet = (struct virtio_net_hdr){0};
	if (gso->partial) {
		gso->frame.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		gso->frame.vnet.csum_start = f->vnet.csum_start;
		gso->frame.vnet.csum_offset = f->vnet.csum_offset;
	}
}

const struct frame *
gso_next(struct gso *gso)
{
	const struct frame *whole = gso->whole;
	uint16_t at = whole->vnet.csum_start + whole->vnet.csum_offset;
	uint32_t len;

	if (gso->i == gso->n)
		return NULL;
	gso->frame.len = gso_len(gso, gso->i);
	len = gso->frame.len - whole->headers->len;
	gso->frame.nfrags = 1;
	if (unlikely(gso_is_far(gso, at))) {
		gso_take_payload(gso, at - whole->headers->len);
		gso_take_field(gso);
		len -= at - whole->headers->len + sizeof(gso->field);
	}
	gso_take_payload(gso, len);
	memcpy(&gso->headers, whole->headers, offsetof(struct headers, bytes));
	memcpy(gso->headers.bytes, whole->headers->bytes, whole->headers->len);
	if (whole->offload & OFFLOAD_GSO) {
		gso_patch_headers(gso, gso->i * whole->vnet.gso_size);
		gso_patch_pseudo_sum(gso, at);
	}
	if (!gso->partial)
		gso_complete(gso, at);
	gso->i++;
	return &gso->frame;
}
