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

#define VECTOR ((uint32_t)sizeof(__m256i))

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

/* Zeroes, as many bytes of ones, and zeroes: a vector of each. */
static const int64_t sum_masks[12] = {[4] = -1, [5] = -1, [6] = -1, [7] = -1};

static SIMD_AVX2 inline __m256i
sum_mask_avx2(uint32_t skip)
{
	return _mm256_loadu_si256((const __m256i *)((const uint8_t *)sum_masks + skip));
}

/* Returns a vector of the first `n` bytes of v, or of its last n, and of zeroes; n is 32 at most. */
static SIMD_AVX2 inline __m256i
sum_first_avx2(__m256i v, uint32_t n)
{
	return _mm256_and_si256(v, sum_mask_avx2(2 * sizeof(v) - n));
}

static SIMD_AVX2 inline __m256i
sum_last_avx2(__m256i v, uint32_t n)
{
	return _mm256_and_si256(v, sum_mask_avx2(n));
}

/* Loads a vector, and stores it if `to` is not NULL. */
static SIMD_AVX2 inline __m256i
sum_take_avx2(uint8_t *to, const uint8_t *from, uint32_t at)
{
	__m256i v = _mm256_loadu_si256((const __m256i *)(from + at));

	if (to != NULL)
		_mm256_storeu_si256((__m256i *)(to + at), v);
	return v;
}

/*
 * Also copies the bytes, if `to` is not NULL, which is known at compile time. Where that can be, vectors are
 * aligned in the copy: of others each second one is in two cache lines, which took 10 cycles more for 1460 bytes. So
 * the first vector and the last one overlap with others, and only those of their bytes are added that are in no other.
 */
static SIMD_AVX2 __rte_always_inline uint64_t
sum_any_avx2(uint8_t *to, const uint8_t *from, uint32_t len)
{
	const uint32_t whole = len & ~1u; /* words */
	uint32_t at = -(uintptr_t)(to != NULL ? to : from) % VECTOR, added;
	__m256i a, b = _mm256_setzero_si256();
	uint64_t sum;

	if (unlikely(len < 2 * VECTOR))
		return sum_words(0, to, from, len);
	if (unlikely(at & 1))
		at = 0;
	added = 2 * VECTOR + (whole - at) / VECTOR * VECTOR;
	a = sum_add_avx2(b, sum_first_avx2(sum_take_avx2(to, from, 0), at));
	for (; at + 2 * VECTOR <= whole; at += 2 * VECTOR) {
		a = sum_add_avx2(a, sum_take_avx2(to, from, at));
		b = sum_add_avx2(b, sum_take_avx2(to, from, at + VECTOR));
	}
	if (at + VECTOR <= whole) {
		a = sum_add_avx2(a, sum_take_avx2(to, from, at));
		at += VECTOR;
	}
	b = sum_add_avx2(b, sum_last_avx2(sum_take_avx2(to, from, whole - VECTOR), whole - at));
	sum = sum_of_avx2(_mm256_add_epi32(a, b), added);
	return sum_rest(sum, to != NULL ? to + whole : NULL, from + whole, len - whole);
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
