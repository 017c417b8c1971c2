/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Completing checksums and cutting frames: see finish.h for the contract. */
#include <string.h>

#include <rte_byteorder.h>
#include <rte_ip.h>
#include <rte_tcp.h>
#include <rte_udp.h>

#include "forward/finish.h"

/* The sum of RFC 1071 with one more number, folded to 16 bits. */
static uint16_t
sum_add(uint16_t sum, uint16_t more)
{
	uint32_t s = (uint32_t)sum + more;

	return s + (s >> 16);
}

/* ... with the bytes at p, which stand an `odd` number of bytes behind the first. */
static uint16_t
sum_bytes(uint16_t sum, const uint8_t *p, uint32_t len, bool odd)
{
	uint16_t s = rte_raw_cksum(p, len);

	return sum_add(sum, odd ? rte_bswap16(s) : s);
}

/* Lists the next `len` bytes of payload as pieces of the frame, after those that it has. */
static void
take_payload(struct finish *fin, uint32_t len)
{
	struct piece *p = &fin->piece[fin->frame.npieces];
	uint32_t n;

	for (; len != 0; len -= n) {
		n = RTE_MIN(fin->from->len - fin->skip, len);
		if (n != 0)
			*p++ = (struct piece){.base = fin->from->base + fin->skip, .len = n};
		fin->skip += n;
		if (fin->skip == fin->from->len) {
			fin->from++;
			fin->skip = 0;
		}
	}
	fin->frame.npieces = p - fin->piece;
}

/* The same of the checksum itself, which is copied, as it is to be changed. */
static void
take_field(struct finish *fin)
{
	unsigned int i, n = fin->frame.npieces;
	uint32_t done = 0;

	take_payload(fin, sizeof(fin->field));
	for (i = n; i < fin->frame.npieces; done += fin->piece[i].len, i++)
		memcpy(fin->field + done, fin->piece[i].base, fin->piece[i].len);
	fin->piece[n] = (struct piece){.base = fin->field, .len = sizeof(fin->field)};
	fin->frame.npieces = n + 1;
}

/* Whether the checksum, at `at`, is after the headers. */
static bool
is_far(const struct finish *fin, uint16_t at)
{
	return at >= fin->whole->headers->len;
}

static void
patch_ipv4(struct headers *h, uint32_t len, uint16_t nth)
{
	struct rte_ipv4_hdr *ip = (struct rte_ipv4_hdr *)(h->bytes + h->l3);

	ip->total_length = rte_cpu_to_be_16(len - h->l3);
	ip->packet_id = rte_cpu_to_be_16(rte_be_to_cpu_16(ip->packet_id) + nth);
	ip->hdr_checksum = 0;
	ip->hdr_checksum = ~rte_raw_cksum(ip, h->l4 - h->l3);
}

static void
patch_ipv6(struct headers *h, uint32_t len)
{
	struct rte_ipv6_hdr *ip = (struct rte_ipv6_hdr *)(h->bytes + h->l3);

	ip->payload_len = rte_cpu_to_be_16(len - h->l3 - sizeof(*ip));
}

static void
patch_tcp(struct headers *h, uint32_t ahead, bool first, bool last)
{
	struct rte_tcp_hdr *tcp = (struct rte_tcp_hdr *)(h->bytes + h->l4);

	tcp->sent_seq = rte_cpu_to_be_32(rte_be_to_cpu_32(tcp->sent_seq) + ahead);
	if (!last)
		tcp->tcp_flags &= ~(RTE_TCP_FIN_FLAG | RTE_TCP_PSH_FLAG);
	if (!first)
		tcp->tcp_flags &= ~RTE_TCP_CWR_FLAG;
}

static void
patch_udp(struct headers *h, uint32_t len)
{
	struct rte_udp_hdr *udp = (struct rte_udp_hdr *)(h->bytes + h->l4);

	udp->dgram_len = rte_cpu_to_be_16(len - h->l4);
}

/* The frame's checksum, as it stands in its headers. */
static uint16_t
checksum_get(const struct headers *h, uint16_t at)
{
	uint16_t value;

	memcpy(&value, h->bytes + at, sizeof(value));
	return value;
}

static void
checksum_set(struct headers *h, uint16_t at, uint16_t value)
{
	memcpy(h->bytes + at, &value, sizeof(value));
}

/*
 * The sum of the pseudo header covers a length: what stands there is for the whole frame
 * (as in RFC 1624, one number is taken out of a sum and another put in).
 */
static void
patch_pseudo_sum(struct finish *fin, uint16_t at)
{
	struct headers *h = &fin->headers;
	uint16_t before = rte_cpu_to_be_16(fin->whole->len - h->l4);
	uint16_t now = rte_cpu_to_be_16(fin->frame.len - h->l4);
	uint16_t sum = checksum_get(h, at);

	checksum_set(h, at, sum_add(sum_add(sum, ~before), now));
}

/* Makes headers of their copy, for a frame that begins `ahead` bytes into the payload. */
static void
patch_headers(struct finish *fin, uint32_t ahead)
{
	bool first = fin->i == 0, last = fin->i == fin->n - 1;
	struct headers *h = &fin->headers;

	if (h->ipv6)
		patch_ipv6(h, fin->frame.len);
	else
		patch_ipv4(h, fin->frame.len, fin->i);
	if (h->tcp)
		patch_tcp(h, ahead, first, last);
	else
		patch_udp(h, fin->frame.len);
}

/* The sum of the frame's bytes from `start` on. Its headers may end at an odd byte of them. */
static uint16_t
sum_from(const struct finish *fin, uint32_t start)
{
	const struct piece *p, *end = fin->piece + fin->frame.npieces;
	uint32_t at = 0, skip, done = 0;
	uint16_t sum = 0;

	for (p = fin->piece; p < end; at += p->len, p++) {
		skip = start > at ? start - at : 0;
		if (skip >= p->len)
			continue;
		sum = sum_bytes(sum, p->base + skip, p->len - skip, done & 1);
		done += p->len - skip;
	}
	return sum;
}

/*
 * Completes the checksum: of TCP's or UDP's header, with the pseudo header's sum in it, and the
 * payload; or of whatever begins at l4.
 */
static void
complete(struct finish *fin, uint16_t at)
{
	struct headers *h = &fin->headers;
	uint16_t sum = ~sum_from(fin, h->l4);

	/* In UDP 0 says that there is no checksum (RFC 768); elsewhere 0xffff says the same as 0. */
	if (sum == 0 && !h->tcp)
		sum = 0xffff;
	if (is_far(fin, at))
		memcpy(fin->field, &sum, sizeof(sum));
	else
		checksum_set(h, at, sum);
}

void
finish_begin(struct finish *fin, const struct frame *f, uint8_t takes)
{
	const struct headers *h = f->headers;

	fin->whole = f;
	fin->n = offload_frames(f);
	fin->i = 0;
	fin->rest = f->len - h->len;
	fin->partial = takes & OFFLOAD_CSUM;
	fin->from = f->piece;
	fin->skip = h->len;
	while (fin->skip >= fin->from->len && fin->from < f->piece + f->npieces - 1) {
		fin->skip -= fin->from->len;
		fin->from++;
	}
	fin->piece[0] = (struct piece){.base = fin->headers.bytes, .len = h->len};
	fin->frame = *f;
	fin->frame.piece = fin->piece;
	fin->frame.headers = NULL;
	fin->frame.offload = 0;
	fin->frame.vnet = (struct virtio_net_hdr){0};
	if (fin->partial) {
		fin->frame.vnet.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		fin->frame.vnet.csum_start = f->vnet.csum_start;
		fin->frame.vnet.csum_offset = f->vnet.csum_offset;
	}
}

const struct frame *
finish_next(struct finish *fin)
{
	const struct frame *whole = fin->whole;
	uint16_t at = whole->vnet.csum_start + whole->vnet.csum_offset;
	uint32_t len;

	if (fin->i == fin->n)
		return NULL;
	fin->frame.len = finish_len(fin, fin->i);
	len = fin->frame.len - whole->headers->len;
	fin->frame.npieces = 1;
	if (unlikely(is_far(fin, at))) {
		take_payload(fin, at - whole->headers->len);
		take_field(fin);
		len -= at - whole->headers->len + sizeof(fin->field);
	}
	take_payload(fin, len);
	memcpy(&fin->headers, whole->headers, offsetof(struct headers, bytes));
	memcpy(fin->headers.bytes, whole->headers->bytes, whole->headers->len);
	if (whole->offload & OFFLOAD_GSO) {
		patch_headers(fin, fin->i * whole->vnet.gso_size);
		patch_pseudo_sum(fin, at);
	}
	if (!fin->partial)
		complete(fin, at);
	fin->i++;
	return &fin->frame;
}
