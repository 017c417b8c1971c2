/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Cutting frames: see gso.h for the contract. */
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "frame/checksum.h"
#include "frame/gso.h"
#include "frame/sum.h"

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

static void
gso_patch_ipv4(struct headers *h, uint32_t len, uint16_t nth)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(h->bytes + h->l3);

	ip->total_length = rte_cpu_to_be_16(len - h->l3);
	ip->packet_id = rte_cpu_to_be_16(rte_be_to_cpu_16(ip->packet_id) + nth);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = ~sum_bytes((const uint8_t *)ip, h->l4 - h->l3);
}

static void
gso_patch_ipv6(struct headers *h, uint32_t len)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(h->bytes + h->l3);

	ip->payload_len = rte_cpu_to_be_16(len - h->l3 - sizeof(*ip));
}

static void
gso_patch_tcp(struct headers *h, uint32_t offset, bool first, bool last)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(h->bytes + h->l4);

	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + offset);
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

/*
 * Corrects the sum of the pseudo header, which covers the length of the whole frame: as in RFC
 * 1624, one number is subtracted from a sum and another one added.
 */
static void
gso_patch_pseudo_sum(struct gso *gso)
{
	struct headers *h = &gso->headers;
	uint32_t at = checksum_at(gso->whole);
	uint16_t before = rte_cpu_to_be_16(gso->whole->len - h->l4);
	uint16_t now = rte_cpu_to_be_16(gso->frame.len - h->l4);
	uint16_t sum;

	memcpy(&sum, h->bytes + at, sizeof(sum));
	sum = sum_add(sum_add(sum, ~before), now);
	memcpy(h->bytes + at, &sum, sizeof(sum));
}

/* Makes the headers of a segment that begins `offset` bytes into the payload, from the copy. */
static void
gso_patch_headers(struct gso *gso, uint32_t offset)
{
	bool first = gso->i == 0, last = gso->i == gso->n - 1;
	struct headers *h = &gso->headers;

	if (h->ipv6)
		gso_patch_ipv6(h, gso->frame.len);
	else
		gso_patch_ipv4(h, gso->frame.len, gso->i);
	if (h->tcp)
		gso_patch_tcp(h, offset, first, last);
	else
		gso_patch_udp(h, gso->frame.len);
}

void
gso_begin(struct gso *gso, const struct frame *f)
{
	const struct headers *h = f->headers;

	gso->whole = f;
	gso->n = offload_frames(f);
	gso->i = 0;
	gso->rest = f->len - h->len;
	gso->from = f->frag;
	gso->skip = h->len;
	while (gso->skip >= gso->from->len && gso->from < f->frag + f->nfrags - 1) {
		gso->skip -= gso->from->len;
		gso->from++;
	}
	gso->frag[0] = (struct fragment){.base = gso->headers.bytes, .len = h->len};
	gso->frame = *f;
	gso->frame.frag = gso->frag;
	memcpy(&gso->headers, h, offsetof(struct headers, bytes));
	gso->headers.held = h->len;
	gso->frame.headers = &gso->headers;
	gso->frame.offload = OFFLOAD_CSUM;
	gso->frame.vnet = (struct virtio_net_hdr){
			.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
			.csum_start = f->vnet.csum_start,
			.csum_offset = f->vnet.csum_offset,
	};
}

const struct frame *
gso_next(struct gso *gso)
{
	const struct frame *whole = gso->whole;

	if (gso->i == gso->n)
		return NULL;
	gso->frame.len = gso_len(gso, gso->i);
	gso->frame.nfrags = 1;
	gso_take_payload(gso, gso->frame.len - whole->headers->len);
	memcpy(gso->headers.bytes, whole->headers->bytes, whole->headers->len);
	gso_patch_headers(gso, gso->i * whole->vnet.gso_size);
	gso_patch_pseudo_sum(gso);
	gso->i++;
	return &gso->frame;
}
