/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What the fuzz targets share: libFuzzer's two entry points, and how an input is read.
 *
 * An input is a program: bytes are taken from its front, and say what is done next. When
 * there are none left, all further ones are 0 and fuzz_more() is false. Its length says in which way
 * checksums are added up (frame/sum.h), as far as the CPU has it. What a target does
 * depends on nothing else, so that a file that failed fails again.
 *
 * A target fails as unit tests do, by cmocka's assert_..., which abort here; or by a report of
 * AddressSanitizer or UBSan. One thread, libFuzzer's.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "unit.h"

struct input {
	const uint8_t *at;
	size_t left;
};

/* Each target has these two: one is called once, before the first input, the other with each input. */
void fuzz_setup(void);
void fuzz_one(struct input *in);

/* Starts EAL as unit tests do; it ends at exit. The switch's log lines are formatted and thrown away. */
void fuzz_eal(void);

/* Copies up to `n` bytes, and zeroes for those that are missing. Returns how many there were. */
size_t fuzz_take(struct input *in, void *to, size_t n);

static inline bool
fuzz_more(const struct input *in)
{
	return in->left != 0;
}

static inline uint8_t
fuzz_u8(struct input *in)
{
	uint8_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

static inline uint16_t
fuzz_u16(struct input *in)
{
	uint16_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

static inline uint32_t
fuzz_u32(struct input *in)
{
	uint32_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

static inline uint64_t
fuzz_u64(struct input *in)
{
	uint64_t v;

	fuzz_take(in, &v, sizeof(v));
	return v;
}

/*
 * Returns zeroed memory of just this size at a 64-byte boundary: ASan sees an access to the first byte
 * after it. free() it.
 */
void *fuzz_exact(size_t size);

#endif /* FUZZ_H */
