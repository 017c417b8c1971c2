/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Offload headers of any kind before frames of any kind: what is accepted is finished for a
 * receiver, and what comes out is looked at by a computation of its own.
 *
 * Each fragment of a frame is memory of its exact size, so that ASan sees its ends.
 */
#include <rte_common.h>

#include "frame/checksum.h"
#include "frame/copy.h"
#include "frame/flow.h"
#include "frame/gso.h"
#include "fuzz.h"
#include "packet.h"
#include "tests/driver/inet.h"

#define JUMBO 9022u

static struct {
	struct packet packet; /* as sent, and never again looked at by the code under test */
	struct frame frame;
	struct headers headers;
	struct fragment frag[CHAIN_MAX];
	struct gso gso;
	uint8_t out[PACKET_MAX];
} cut;

void
fuzz_setup(void)
{
	fuzz_eal();
}

static void
free_frags(void)
{
	for (; cut.frame.nfrags > 0; cut.frame.nfrags--)
		free(cut.frag[cut.frame.nfrags - 1].base);
}

/* Cuts the packet into a fragment of `first` bytes and others of `step`; the last has the rest. */
static void
make_frags(uint32_t first, uint32_t step)
{
	uint32_t at = 0, n = first;
	struct fragment *p;

	cut.frame = (struct frame){.frag = cut.frag, .len = cut.packet.len};
	for (; at < cut.packet.len; at += n, n = step) {
		if (n > cut.packet.len - at || cut.frame.nfrags == CHAIN_MAX - 1)
			n = cut.packet.len - at;
		p = &cut.frag[cut.frame.nfrags++];
		p->base = malloc(n);
		p->len = n;
		assert_non_null(p->base);
		memcpy(p->base, cut.packet.bytes + at, n);
	}
}

/* Takes a packet of TCP or UDP with some bytes changed, or bytes of any kind. */
static void
take_packet(struct input *in)
{
	struct packet *p = &cut.packet;
	uint8_t kind = fuzz_u8(in), n = fuzz_u8(in) % 8;
	const struct packet_spec s = {
			.ipv6 = kind & 1,
			.udp = kind & 2,
			.tags = kind >> 2 & 3,
			.ip_options = kind >> 4 & 1 ? 8 * (1 + n % 4) : 0,
			.tcp_options = kind >> 5 & 1 ? 12 : 0,
			.payload = fuzz_u16(in) % (65535 - 200),
			.gso_size = kind & 64 ? fuzz_u16(in) : 0,
			.seed = 1,
	};
	uint16_t at;

	packet_make(p, &s);
	if (kind & 128)
		fuzz_take(in, &p->vnet, sizeof(p->vnet));
	for (; n > 0; n--) {
		at = fuzz_u16(in);
		p->bytes[(at & 0x8000 ? at : at % 160) % p->len] = fuzz_u8(in);
	}
	if (s.payload % 7 == 0) { /* cut off anywhere */
		at = fuzz_u16(in);
		p->len = RTE_MAX(14u, RTE_MIN(p->len, (uint32_t)at));
	}
	at = RTE_MIN(in->left, p->len);
	fuzz_take(in, p->bytes, at);
}

/* Gathers the bytes of a frame, in order. */
static void
gather(const struct frame *f)
{
	uint32_t at = 0, i;

	for (i = 0; i < f->nfrags; i++) {
		assert_true(at + f->frag[i].len <= f->len);
		memcpy(cut.out + at, f->frag[i].base, f->frag[i].len);
		at += f->frag[i].len;
	}
	assert_int_equal(at, f->len);
}

/* Makes what a receiver gets, in memory of its exact size; each way to complete a checksum gives the same. */
static void
copy_out(const struct frame *f, bool partial)
{
	uint8_t *to = fuzz_exact(f->len);
	uint16_t sum;

	frame_copy(to, f);
	memcpy(cut.out, to, f->len);
	if (!partial) {
		checksum_put(to, f);
		checksum_copy(cut.out, f);
		assert_memory_equal(cut.out, to, f->len);
		memset(to, 0, f->len);
		checksum_copy(to, f);
		assert_memory_equal(cut.out, to, f->len);
		sum = checksum_of(f);
		assert_memory_equal(&sum, to + checksum_at(f), sizeof(sum));
	}
	free(to);
}

/* Checks the checksum, or the sum of the pseudo header if the rest is left to the receiver. */
static void
check_sum(const struct frame *f, bool partial)
{
	const struct headers *h = &cut.headers;
	uint32_t at = cut.frame.vnet.csum_start + cut.frame.vnet.csum_offset;
	uint32_t before = get16(cut.packet.bytes + at);

	assert_true(at + 2 <= f->len);
	/* A pseudo header's sum has a length in it: that of the frame that it is now of. */
	if (cut.frame.offload & OFFLOAD_GSO)
		before += 0xffff - (cut.packet.len - h->l4) % 0xffff + (f->len - h->l4);
	if (partial)
		assert_int_equal(get16(cut.out + at) % 0xffff, before % 0xffff);
	else if (cut.frame.vnet.csum_offset % 2 == 0)
		assert_int_equal((inet_sum(0, cut.out + h->l4, f->len - h->l4) + before) % 0xffff,
				0);
}

/* Checks that each byte is where it was, except the fields that cutting changes. */
static void
check_bytes(const struct frame *f, uint32_t payload_at)
{
	const struct headers *h = &cut.headers;
	uint32_t at = cut.frame.vnet.csum_start + cut.frame.vnet.csum_offset;
	bool far = at >= h->len; /* check_sum() has looked at it */

	assert_memory_equal(cut.out, cut.packet.bytes, h->l3);
	if (far)
		memcpy(cut.out + at, cut.packet.bytes + at, sizeof(uint16_t));
	assert_memory_equal(
			cut.out + h->len, cut.packet.bytes + h->len + payload_at, f->len - h->len);
	if (!(cut.frame.offload & OFFLOAD_GSO))
		return;
	if (h->ipv6)
		assert_int_equal(get16(cut.out + h->l3 + 4), f->len - h->l3 - 40);
	else
		assert_int_equal(get16(cut.out + h->l3 + 2), f->len - h->l3);
	if (!h->ipv6)
		assert_int_equal(inet_sum(0, cut.out + h->l3, h->l4 - h->l3), 0xffff);
}

static void
check_one(const struct frame *f, bool partial, uint32_t frame_max, uint32_t payload_at)
{
	assert_true(f->len <= frame_max && f->nfrags <= 1 + CHAIN_MAX);
	copy_out(f, partial);
	check_sum(f, partial);
	check_bytes(f, payload_at);
}

static void
finish_all(uint8_t takes, uint32_t frame_max)
{
	uint32_t n = offload_frames(&cut.frame), i, at = 0;
	bool partial = takes & OFFLOAD_CSUM;
	const struct frame *f;

	if (!(cut.frame.offload & OFFLOAD_GSO)) {
		check_one(&cut.frame, partial, frame_max, 0);
		return;
	}
	gso_begin(&cut.gso, &cut.frame);
	assert_int_equal(cut.gso.n, n);
	for (i = 0; (f = gso_next(&cut.gso)) != NULL; i++) {
		assert_true(i < n && f->len == gso_len(&cut.gso, i));
		gather(f);
		check_one(f, partial, frame_max, at);
		at += f->len - cut.headers.len;
	}
	assert_int_equal(i, n);
	assert_int_equal(at, cut.packet.len - cut.headers.len);
}

void
fuzz_one(struct input *in)
{
	uint8_t may = fuzz_u8(in), takes = fuzz_u8(in), shape = fuzz_u8(in);
	uint32_t frame_max = shape & 1 ? JUMBO : 1522, first = 1 + fuzz_u8(in);
	uint32_t step = shape & 2 ? 1 + fuzz_u8(in) : 4096;

	take_packet(in);
	make_frags(first, step);
	if (offload_check(&cut.frame, &cut.packet.vnet, &cut.headers, ~may, frame_max) ==
			DROP_NONE) {
		assert_in_range(flow_hash(&cut.frame), 1, FLOWS);
		if ((cut.frame.offload & ~takes) != 0)
			finish_all(takes, frame_max);
	}
	/* The sender's bytes are as they were. */
	gather(&cut.frame);
	assert_memory_equal(cut.out, cut.packet.bytes, cut.packet.len);
	free_frags();
}
