/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A set of a burst's frames: bit i is frame i, and 0 is the empty set. Union, intersection and comparison
 * are the operators of integers; this file has the other operations.
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

/* Returns the set of the first `n` frames, at most BURST_MAX. */
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

/* Returns the set of frame `i` alone. */
static inline frame_set
frame_set_one(unsigned int i)
{
	return UINT64_C(1) << i;
}

/* Returns true if frame `i` is in a set. */
static inline bool
frame_set_has(frame_set s, unsigned int i)
{
	return s >> i & 1;
}

/* Returns the number of the first frame of a set that is not empty. */
static inline unsigned int
frame_set_first(frame_set s)
{
	return __builtin_ctzll(s);
}

/* Returns the set of a set's first frame, or the empty set. */
static inline frame_set
frame_set_head(frame_set s)
{
	return s & -s;
}

/* Returns a set without its first frame, or the empty set. */
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

/* Returns a set without its first n frames. It must have as many. */
static inline frame_set
frame_set_after(frame_set s, unsigned int n)
{
	if (n == frame_set_count(s))
		return 0;
	while (n-- > 0)
		s = frame_set_tail(s);
	return s;
}

/* Returns the frames of a set before the first one of another; all of them if that is empty. */
static inline frame_set
frame_set_before(frame_set s, frame_set other)
{
	return s & (frame_set_head(other) - 1);
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
