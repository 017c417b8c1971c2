/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Numbers in network byte order, and the sum of RFC 1071: for code that makes frames by hand and
 * checks those that arrive. It shares nothing with the switch, which it is to judge.
 *
 * No state; any thread.
 */
#ifndef INET_H
#define INET_H

#include <stdint.h>

static inline void
put16(uint8_t *at, uint32_t v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static inline void
put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v);
}

static inline uint32_t
get16(const uint8_t *at)
{
	return (uint32_t)at[0] << 8 | at[1];
}

static inline uint32_t
get32(const uint8_t *at)
{
	return get16(at) << 16 | get16(at + 2);
}

/* Returns the sum of `from` and 16-bit words, folded to 16 bits. An odd last byte is padded with a zero. */
static inline uint32_t
inet_sum(uint32_t from, const uint8_t *at, uint32_t len)
{
	uint64_t s = from;

	for (; len >= 2; at += 2, len -= 2)
		s += get16(at);
	if (len != 0)
		s += (uint32_t)at[0] << 8;
	while (s >> 16 != 0)
		s = (s & 0xffff) + (s >> 16);
	return (uint32_t)s;
}

#endif /* INET_H */
