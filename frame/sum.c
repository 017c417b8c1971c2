/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The ways to add up bytes: see sum.h for the contract.
 *
 * The switch is compiled for any CPU of its architecture, so each function with vector
 * instructions names those that it needs, and is called only where they are there. Two sums are kept,
 * so that additions need not wait for each other.
 */
#include "base/simd.h"
#include "frame/sum.h"

static uint64_t
sum_bytes_plain(const uint8_t *p, uint32_t len)
{
	return sum_words(0, NULL, p, len);
}

/* The C library's copy and a pass over bytes in the cache take half the time of one loop of both. */
static uint64_t
sum_copy_plain(uint8_t *to, const uint8_t *from, uint32_t len)
{
	memcpy(to, from, len);
	return sum_words(0, NULL, from, len);
}

struct sum_ops sum_ops = {sum_bytes_plain, sum_copy_plain};

#ifdef SIMD_AVX2

#include <immintrin.h>

/*
 * One instruction adds two signed words of 16 bits into one of 32, so words are made signed: 0x8000 is
 * subtracted from each, and in the end added back.
 */
static SIMD_AVX2 inline __m256i
sum_add_avx2(__m256i sum, __m256i words)
{
	const __m256i bias = _mm256_set1_epi16(INT16_MIN), ones = _mm256_set1_epi16(1);

	return _mm256_add_epi32(sum, _mm256_madd_epi16(_mm256_xor_si256(words, bias), ones));
}

/* Returns the sum of `n` bytes. */
static SIMD_AVX2 inline uint64_t
sum_of_avx2(__m256i sum, uint32_t n)
{
	__m128i s = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));

	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0x4e));
	s = _mm_add_epi32(s, _mm_shuffle_epi32(s, 0xb1));
	return (int64_t)_mm_cvtsi128_si32(s) + n / 2 * INT64_C(0x8000);
}

/* Also copies the bytes, if `to` is not NULL, which is known at compile time. */
static SIMD_AVX2 __rte_always_inline uint64_t
sum_any_avx2(uint8_t *to, const uint8_t *from, uint32_t len)
{
	__m256i a = _mm256_setzero_si256(), b = a, v, w;
	uint32_t at;

	for (at = 0; at + 64 <= len; at += 64) {
		v = _mm256_loadu_si256((const __m256i *)(from + at));
		w = _mm256_loadu_si256((const __m256i *)(from + at + 32));
		if (to != NULL) {
			_mm256_storeu_si256((__m256i *)(to + at), v);
			_mm256_storeu_si256((__m256i *)(to + at + 32), w);
		}
		a = sum_add_avx2(a, v);
		b = sum_add_avx2(b, w);
	}
	if (at + 32 <= len) {
		v = _mm256_loadu_si256((const __m256i *)(from + at));
		if (to != NULL)
			_mm256_storeu_si256((__m256i *)(to + at), v);
		a = sum_add_avx2(a, v);
		at += 32;
	}
	return sum_words(sum_of_avx2(_mm256_add_epi32(a, b), at), to != NULL ? to + at : NULL,
			from + at, len - at);
}

static SIMD_AVX2 uint64_t
sum_bytes_avx2(const uint8_t *p, uint32_t len)
{
	return sum_any_avx2(NULL, p, len);
}

static SIMD_AVX2 uint64_t
sum_copy_avx2(uint8_t *to, const uint8_t *from, uint32_t len)
{
	return sum_any_avx2(to, from, len);
}

static SIMD_AVX512 inline __m512i
sum_add_avx512(__m512i sum, __m512i words)
{
	const __m512i bias = _mm512_set1_epi16(INT16_MIN), ones = _mm512_set1_epi16(1);

	return _mm512_add_epi32(sum, _mm512_madd_epi16(_mm512_xor_si512(words, bias), ones));
}

/* The last bytes, fewer than a vector has, are loaded and stored under a mask. */
static SIMD_AVX512 __rte_always_inline uint64_t
sum_any_avx512(uint8_t *to, const uint8_t *from, uint32_t len)
{
	__m512i a = _mm512_setzero_si512(), b = a, v, w;
	__mmask64 rest;
	uint32_t at;

	for (at = 0; at + 128 <= len; at += 128) {
		v = _mm512_loadu_si512(from + at);
		w = _mm512_loadu_si512(from + at + 64);
		if (to != NULL) {
			_mm512_storeu_si512(to + at, v);
			_mm512_storeu_si512(to + at + 64, w);
		}
		a = sum_add_avx512(a, v);
		b = sum_add_avx512(b, w);
	}
	if (at + 64 <= len) {
		v = _mm512_loadu_si512(from + at);
		if (to != NULL)
			_mm512_storeu_si512(to + at, v);
		a = sum_add_avx512(a, v);
		at += 64;
	}
	rest = (UINT64_C(1) << (len - at)) - 1;
	v = _mm512_maskz_loadu_epi8(rest, from + at);
	if (to != NULL)
		_mm512_mask_storeu_epi8(to + at, rest, v);
	b = sum_add_avx512(b, v);
	return (int64_t)_mm512_reduce_add_epi32(_mm512_add_epi32(a, b)) +
			(at / 2 + sizeof(v) / 2) * INT64_C(0x8000);
}

static SIMD_AVX512 uint64_t
sum_bytes_avx512(const uint8_t *p, uint32_t len)
{
	return sum_any_avx512(NULL, p, len);
}

static SIMD_AVX512 uint64_t
sum_copy_avx512(uint8_t *to, const uint8_t *from, uint32_t len)
{
	return sum_any_avx512(to, from, len);
}

bool
sum_use(enum sum_way way)
{
	if (way == SUM_PLAIN)
		sum_ops = (struct sum_ops){sum_bytes_plain, sum_copy_plain};
	else if (way == SUM_AVX2 && simd_avx2())
		sum_ops = (struct sum_ops){sum_bytes_avx2, sum_copy_avx2};
	else if (way == SUM_AVX512 && simd_avx512())
		sum_ops = (struct sum_ops){sum_bytes_avx512, sum_copy_avx512};
	else
		return false;
	return true;
}

#else

bool
sum_use(enum sum_way way)
{
	sum_ops = (struct sum_ops){sum_bytes_plain, sum_copy_plain};
	return way == SUM_PLAIN;
}

#endif

void
sum_choose(void)
{
	enum sum_way way = SUM_WAYS;

	while (!sum_use(--way))
		;
}
