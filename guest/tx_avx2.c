/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Sets frames by AVX2: see tx_set_avx2() in tx.h for the contract. */
#include <stddef.h>

#include "base/simd.h"
#include "guest/tx.h"

#ifdef SIMD_AVX2

#include <immintrin.h>

/* The size of a vector. A frame begins with two of them. */
#define HALF sizeof(__m128i)
static_assert(offsetof(struct frame, nfrags) == HALF - 2, "Ethernet header, nfrags");
static_assert(offsetof(struct frame, len) == HALF, "len, id, ndesc, tci");
static_assert(offsetof(struct frame, id) == HALF + 4, "len, id, ndesc, tci");
static_assert(offsetof(struct frame, ndesc) == HALF + 6, "len, id, ndesc, tci");
static_assert(offsetof(struct frame, vnet.gso_type) == 2 * HALF - 1, "tagged to vnet.flags are 0");

/* Flags and gso_type of a virtio-net header, as offload_asked() looks at them. */
#define ASKED (0xff00 | VIRTIO_NET_HDR_F_NEEDS_CSUM)

SIMD_AVX2 frame_set
tx_set_avx2(struct burst *b, const uint16_t *id, unsigned int n, uint32_t skip)
{
	const __m128i nfrags = _mm_setr_epi16(0, 0, 0, 0, 0, 0, 0, 1);
	const __m128i ndesc = _mm_setr_epi16(0, 0, 0, 1, 0, 0, 0, 0);
	frame_set asked = 0;
	struct fragment *p;
	struct frame *f;
	unsigned int i;
	uint16_t vnet;
	__m128i v;

	for (i = 0; i < n; i++) {
		f = &b->frame[i];
		p = &b->frag[i];
		v = _mm_loadu_si128((const __m128i *)p->base);
		_mm_store_si128((__m128i *)f, _mm_blend_epi16(v, nfrags, 1 << 7));
		v = _mm_insert_epi16(_mm_cvtsi32_si128((int)p->len), id[i], 2);
		_mm_store_si128((__m128i *)f + 1, _mm_or_si128(v, ndesc));
		f->frag = p;
		memcpy(&vnet, p->base - skip, sizeof(vnet));
		if (unlikely(vnet & ASKED))
			asked |= frame_set_one(i);
	}
	return asked;
}

#endif /* SIMD_AVX2 */
