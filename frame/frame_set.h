/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A set of a burst's frames: bit i is frame i. Sets are joined, cut and compared by the
 * operators of integers, and 0 is the empty one; what is here is what those don't say.
 *
 * A value, which belongs to whoever holds it. Any thread.
 */
#ifndef FRAME_SET_H
#define FRAME_SET_H

#include <stdbool.h>
#include <stdint.h>

/* Frames handled at a time: as many as a set has bits. */
#define BURST_MAX 64

typedef uint64_t frame_set;

/* The first `n` frames, at most BURST_MAX. */
static inline frame_set
frame_set_of(unsigned int n)
{
	return n == BURST_MAX ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

/* Returns true if a set is the first frames, with none left out. */
static inline bool
frame_set_is_first(frame_set s)
{
	return (s & (s + 1)) == 0;
}

/* Frame `i` alone. */
static inline frame_set
frame_set_one(unsigned int i)
{
	return UINT64_C(1) << i;
}

/* The number of the first frame of a set that has one. */
static inline unsigned int
frame_set_first(frame_set s)
{
	return __builtin_ctzll(s);
}

/* The first frame as a set, and all but the first; of the empty set nothing. */
static inline frame_set
frame_set_head(frame_set s)
{
	return s & -s;
}

static inline frame_set
frame_set_tail(frame_set s)
{
	return s & (s - 1);
}

static inline unsigned int
frame_set_count(frame_set s)
{
	return __builtin_popcountll(s);
}

/* All but the first n frames of a set that has as many. */
static inline frame_set
frame_set_after(frame_set s, unsigned int n)
{
	if (n == frame_set_count(s))
		return 0;
	while (n-- > 0)
		s = frame_set_tail(s);
	return s;
}

/*
 * For each frame of a set in order, with its number in i, an unsigned int. The set is read
 * once, before: the loop may change the variable that it came from.
 */
#define FRAME_SET_FOREACH(i, set) \
	for (frame_set foreach_left = (set); \
			foreach_left != 0 && ((i) = frame_set_first(foreach_left), 1); \
			foreach_left = frame_set_tail(foreach_left))

#endif /* FRAME_SET_H */
