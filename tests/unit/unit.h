/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What every unit test needs: cmocka, EAL without hugepages or devices, and the
 * output of the code under test.
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* cmocka 2 wants other names for assert_in_range() and the like, which cmocka 1.1 lacks. */
#define CMOCKA_DISABLE_DEPRECATION_WARNINGS
#include <cmocka.h>

/* Group fixtures: EAL on ordinary pages, without devices; and its end. */
int unit_eal(void **state);
int unit_eal_end(void **state);

/*
 * For a program whose tests meet vector code and its twin in plain C (base/simd.h): the group of
 * tests that follows runs twice. A child of this process runs it with plain C, then the process
 * itself with vectors. Does nothing without AVX2.
 */
void unit_both(void);

/* Returns true if rings are to be read with AVX2 now. */
bool unit_avx2(void);

/*
 * Skips the running test, as the machine lacks what the test needs, not what the code under test needs:
 * `what` completes "this machine has no ...". Call it only for the error with which the kernel answers that
 * very call where it has none such. tests/run shows the skip with its reason.
 */
void unit_lacks(const char *what);

#define WAIT_S 30 /* generous, as the machine may be busy */

/* Looks once a millisecond. What is so then is for the test to say. */
#define WAIT_WHILE(condition) \
	for (unsigned int looks = 0; looks < WAIT_S * 1000 && (condition); looks++) \
	usleep(1000)

/* Captures what the process writes to a file descriptor (1 or 2). */
struct capture {
	int fd;
	int before; /* where the output went */
	int file;   /* where the output goes meanwhile */
};

void capture_begin(struct capture *c, int fd);

/* Ends the capture. Returns the text: free() it. */
char *capture_end(struct capture *c);

/* Zeroed memory at cache line boundaries, as the switch's structs want it: free() it. */
void *unit_zalloc(size_t size);

/* A sequence of numbers that is the same in each run. */
static inline uint32_t
unit_random(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return *state >> 33;
}

#endif /* UNIT_H */
