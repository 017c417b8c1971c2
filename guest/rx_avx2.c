/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Writes plain frames into buffers by AVX2: see rx_put_avx2() in rx.h for the contract. */
#include "base/simd.h"
#include "frame/copy.h"
#include "guest/rx.h"

#ifdef SIMD_AVX2

#include <immintrin.h>

#define VECTOR ((uint32_t)sizeof(__m256i))

/*
 * Shorter frames are left to the plain code: the vectors at the front and at the end of such a frame would
 * overlap in its Ethernet header, which has to be the private copy.
 */
#define FRAME_LEAST (VECTOR + (uint32_t)sizeof(struct rte_ether_hdr))

/* The header of virtio 1, for a frame in one buffer that asks for nothing. */
#define VNET_LEN ((uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf))

/*
 * Writes header and frame. The Ethernet header goes into the first vector before that is stored. The
 * virtio-net header is stored together with the first 4 bytes of the frame.
 */
SIMD_AVX2 static inline void
rx_put_one(uint8_t *to, const struct frame *f)
{
	const __m256i ether = _mm256_setr_epi64x(-1, (int64_t)(UINT64_MAX >> 16), 0, 0);
	const __m128i vnet = _mm_setr_epi32(0, 0, 1 << 16, 0); /* num_buffers */
	const uint8_t *from = f->frag->base;
	__m128i eth = _mm_load_si128((const __m128i *)&f->eth);
	__m256i front = _mm256_loadu_si256((const __m256i *)from), back;
	uint32_t len = f->len;

	front = _mm256_blendv_epi8(front, _mm256_castsi128_si256(eth), ether);
	_mm_storeu_si128((__m128i *)to, _mm_or_si128(vnet, _mm_slli_si128(eth, VNET_LEN)));
	to += VNET_LEN;
	_mm256_storeu_si256((__m256i *)to, front);
	if (len <= 2 * VECTOR) {
		back = _mm256_loadu_si256((const __m256i *)(from + len - VECTOR));
		_mm256_storeu_si256((__m256i *)(to + len - VECTOR), back);
	} else {
		copy_bytes(to + VECTOR, from + VECTOR, len - VECTOR);
	}
}

SIMD_AVX2 unsigned int
rx_put_avx2(const struct burst *b, frame_set run, struct fragment *to, unsigned int n)
{
	const bool cold = b->cold;
	const struct frame *f;
	unsigned int k, i;

	for (k = 0; k < n; k++, run = frame_set_tail(run)) {
		i = frame_set_first(run);
		f = &b->frame[i];
		if (unlikely(f->len < FRAME_LEAST || to[k].len < VNET_LEN + f->len))
			break;
		rx_put_ahead(b, i, &to[k], n - k, cold);
		rx_put_one(to[k].base, f);
		to[k].len = VNET_LEN + f->len;
	}
	return k;
}

#endif /* SIMD_AVX2 */
