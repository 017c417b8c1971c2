/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Completes checksums: see checksum.h for the contract. */
#include "frame/checksum.h"
#include "frame/copy.h"
#include "frame/sum.h"

/* Returns the checksum, from the sum of all bytes that it covers. */
static inline uint16_t
checksum_from(const struct frame *f, uint16_t sum)
{
	sum = ~sum;
	/*
	 * In UDP 0 means that there is no checksum (RFC 768); in other protocols 0xffff and 0 are
	 * equal.
	 */
	return sum == 0 && !f->headers->tcp ? 0xffff : sum;
}

/*
 * Adds the frame's bytes from `at` on, which are not in the copy of its headers, to `sum`, the sum of
 * its bytes from `start` to `at`. Copies them to their place in `to`, if that is not NULL.
 */
static __rte_always_inline uint16_t
checksum_add_rest(uint8_t *to, const struct frame *f, uint32_t start, uint32_t at, uint16_t sum)
{
	const struct fragment *p = f->frag;
	uint32_t skip = at, n;
	uint16_t more;

	for (; skip >= p->len && at < f->len; p++)
		skip -= p->len;
	for (; at < f->len; at += n, skip = 0, p++) {
		n = RTE_MIN(p->len - skip, f->len - at);
		more = to != NULL ? sum_copy(to + at, p->base + skip, n)
				  : sum_bytes(p->base + skip, n);
		sum = sum_add(sum, sum_from_odd(more, (at - start) & 1));
	}
	return sum;
}

uint16_t
checksum_of(const struct frame *f)
{
	const struct headers *h = f->headers;
	uint32_t start = h->l4, end = frame_is_held(f) ? f->len : h->len;
	uint16_t sum = start < end ? sum_bytes(h->bytes + start, end - start) : 0;

	return checksum_from(f, checksum_add_rest(NULL, f, start, RTE_MAX(start, end), sum));
}

void
checksum_copy(uint8_t *to, const struct frame *f)
{
	const struct headers *h = f->headers;
	uint16_t sum;

	if (likely(frame_is_held(f))) {
		sum = checksum_from(f, sum_bytes(h->bytes + h->l4, f->len - h->l4));
		copy_bytes(to, h->bytes, f->len);
	} else if (likely(h->l4 < h->len)) {
		sum = sum_bytes(h->bytes + h->l4, h->len - h->l4);
		sum = checksum_from(f, checksum_add_rest(to, f, h->l4, h->len, sum));
		copy_bytes(to, h->bytes, h->len);
	} else {
		sum = checksum_of(f);
		frame_copy(to, f);
	}
	memcpy(to + checksum_at(f), &sum, sizeof(sum));
}

void
checksum_put(uint8_t *copy, const struct frame *f)
{
	uint32_t start = f->headers->l4;
	uint16_t sum = checksum_from(f, sum_bytes(copy + start, f->len - start));

	memcpy(copy + checksum_at(f), &sum, sizeof(sum));
}
