/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Singles, four descriptors at a time: see singles.h for the contract.
 *
 * One vector holds the four addresses and another one the second halves (length, id, flags), both in
 * the order 0 2 1 3. Unpacking two vectors of two descriptors gives that order, and unpacking the
 * results once more restores the order of the ring. Addresses, and offsets into a region, are compared
 * as signed numbers: no region has 2^63 bytes, and an offset that is negative is outside.
 */
#include "base/simd.h"
#include "guest/singles.h"

#ifdef SIMD_AVX2

#include <immintrin.h>

/* The largest region, and the conditions for each chain, in all four places. */
struct quad {
	__m256i gpa, host, size;
	__m256i shape, flags; /* bits of the second half that are compared, and their values */
	__m256i least, most, skip;
};

SIMD_AVX2 static inline struct quad
quad_make(const struct virtqueue *vq, const struct singles *s, uint64_t shape, uint64_t flags)
{
	const struct guest_region *r = &vq->mem->region[0];

	return (struct quad){
			.gpa = _mm256_set1_epi64x((int64_t)r->gpa),
			.host = _mm256_set1_epi64x((int64_t)(uintptr_t)r->host + s->skip),
			.size = _mm256_set1_epi64x((int64_t)r->size),
			.shape = _mm256_set1_epi64x((int64_t)shape),
			.flags = _mm256_set1_epi64x((int64_t)flags),
			.least = _mm256_set1_epi64x(s->least),
			.most = _mm256_set1_epi64x(s->most),
			.skip = _mm256_set1_epi64x(s->skip),
	};
}

/* Returns the second halves whose flags are right, as a mask. */
SIMD_AVX2 static inline __m256i
quad_is_right(const struct quad *q, __m256i rest)
{
	return _mm256_cmpeq_epi64(_mm256_and_si256(rest, q->shape), q->flags);
}

/* Finds four buffers. Returns false, and writes nothing, unless all meet the conditions. */
SIMD_AVX2 static inline bool
quad_find(const struct quad *q, __m256i addr, __m256i rest, struct fragment *to)
{
	__m256i len = _mm256_and_si256(rest, _mm256_set1_epi64x(UINT32_MAX));
	__m256i off = _mm256_sub_epi64(addr, q->gpa), left = _mm256_sub_epi64(q->size, off);
	__m256i good = quad_is_right(q, rest), bad;

	good = _mm256_and_si256(good, _mm256_cmpgt_epi64(off, _mm256_set1_epi64x(-1)));
	good = _mm256_and_si256(good, _mm256_cmpgt_epi64(q->size, off));
	bad = _mm256_cmpgt_epi64(len, left);
	bad = _mm256_or_si256(bad, _mm256_cmpgt_epi64(q->least, len));
	bad = _mm256_or_si256(bad, _mm256_cmpgt_epi64(len, q->most));
	if (unlikely(_mm256_movemask_epi8(_mm256_andnot_si256(bad, good)) != -1))
		return false;
	addr = _mm256_add_epi64(off, q->host);
	len = _mm256_sub_epi64(len, q->skip);
	_mm256_storeu_si256((__m256i *)&to[0], _mm256_unpacklo_epi64(addr, len));
	_mm256_storeu_si256((__m256i *)&to[2], _mm256_unpackhi_epi64(addr, len));
	return true;
}

/* Loads two descriptors into a vector. */
SIMD_AVX2 static inline __m256i
quad_pair(const void *first, const void *second)
{
	const __m128i *one = first, *other = second;

	return _mm256_inserti128_si256(
			_mm256_castsi128_si256(_mm_loadu_si128(one)), _mm_loadu_si128(other), 1);
}

SIMD_AVX2 unsigned int
singles_split_avx2(const struct virtqueue *vq, const struct singles *s, uint16_t at,
		unsigned int max, struct fragment *to, uint16_t *id)
{
	const struct quad q = quad_make(vq, s, UINT64_C(0xffff) << 32, (uint64_t)s->flags << 32);
	const __m128i last = _mm_set1_epi16((int16_t)(vq->size - 1));
	const uint16_t *avail = &vq->avail->ring[at & (vq->size - 1)];
	const struct vring_desc *desc = vq->desc;
	__m256i first, second;
	unsigned int i;
	__m128i head;

	max = RTE_MIN(max, (unsigned int)vq->size - (at & (vq->size - 1)));
	for (i = 0; i + 4 <= max; i += 4) {
		split_prefetch(vq, at + i + SINGLES_AHEAD);
		head = _mm_loadl_epi64((const __m128i *)&avail[i]);
		if (unlikely(_mm_cvtsi128_si64(_mm_subs_epu16(head, last)) != 0))
			break;
		first = quad_pair(&desc[_mm_extract_epi16(head, 0)],
				&desc[_mm_extract_epi16(head, 1)]);
		second = quad_pair(&desc[_mm_extract_epi16(head, 2)],
				&desc[_mm_extract_epi16(head, 3)]);
		if (!quad_find(&q, _mm256_unpacklo_epi64(first, second),
				    _mm256_unpackhi_epi64(first, second), &to[i]))
			break;
		_mm_storel_epi64((__m128i *)&id[i], head);
	}
	return i;
}

/* Returns the ids in the second halves, in order. */
SIMD_AVX2 static inline __m128i
quad_ids(__m256i rest)
{
	/* Bytes 4, 5 and 12, 13 of each half of the vector: ids 0 and 2, and 1 and 3. */
	const __m128i pick =
			_mm_setr_epi8(4, 5, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
	__m128i even = _mm_shuffle_epi8(_mm256_castsi256_si128(rest), pick);
	__m128i odd = _mm_shuffle_epi8(_mm256_extracti128_si256(rest, 1), pick);

	return _mm_unpacklo_epi16(even, odd);
}

SIMD_AVX2 unsigned int
singles_packed_avx2(const struct virtqueue *vq, const struct singles *s, uint16_t at, bool wrap,
		unsigned int max, struct fragment *to, uint16_t *id)
{
	uint64_t flags = s->flags | (wrap ? PACKED_AVAIL : PACKED_USED);
	const struct quad q = quad_make(vq, s, (uint64_t)PACKED_SINGLE << 48, flags << 48);
	const struct vring_packed_desc *ring = &vq->ring[at];
	__m256i first, second, rest;
	unsigned int i;

	max = RTE_MIN(max, (unsigned int)vq->size - at);
	for (i = 0; i + 4 <= max; i += 4) {
		packed_prefetch(vq, at + i + SINGLES_AHEAD);
		first = quad_pair(&ring[i], &ring[i + 1]);
		second = quad_pair(&ring[i + 2], &ring[i + 3]);
		rest = _mm256_unpackhi_epi64(first, second);
		if (_mm256_movemask_epi8(quad_is_right(&q, rest)) != -1)
			break;
		/*
		 * A vector load is not known to be atomic: its other bytes of a descriptor may be older
		 * than the flags. So all is read again, now that the flags were seen.
		 */
		fence_acquire();
		first = quad_pair(&ring[i], &ring[i + 1]);
		second = quad_pair(&ring[i + 2], &ring[i + 3]);
		rest = _mm256_unpackhi_epi64(first, second);
		if (!quad_find(&q, _mm256_unpacklo_epi64(first, second), rest, &to[i]))
			break;
		_mm_storel_epi64((__m128i *)&id[i], quad_ids(rest));
	}
	return i;
}

#endif /* SIMD_AVX2 */
