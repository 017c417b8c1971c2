/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Shares of the address space: what greedy guests leave to others. */
#include <rte_common.h>

#include "guest/message.h"
#include "guest/space.h"
#include "unit.h"

#define GUESTS 256
#define GIB (UINT64_C(1) << 30)

static struct message
table(uint64_t size, uint64_t offset)
{
	struct message m = {.request = MSG_SET_MEM_TABLE};

	m.payload.memory.nregions = 1;
	m.payload.memory.region[0].size = size;
	m.payload.memory.region[0].mmap_offset = offset;
	return m;
}

static struct message
log_of(uint64_t size)
{
	struct message m = {.request = MSG_SET_LOG_BASE};

	m.payload.log.mmap_size = size;
	return m;
}

static void
test_share(void **state)
{
	const uint64_t most = SPACE_ALL / SPACE_SHARE;
	struct message m = table(most, 0);
	struct spaces all = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct space s = {0};
	uint64_t share;

	RTE_SET_USED(state);
	assert_true(space_table(&all, &s, &m, &share));
	assert_int_equal(share, most);
	/* A new size replaces the last one; it is not added. */
	assert_true(space_table(&all, &s, &m, &share));
	m = table(most, 1);
	assert_false(space_table(&all, &s, &m, &share));
	/* A refused size changes nothing: the old one counts. */
	m = log_of(1);
	assert_false(space_log(&all, &s, &m, &share));
	m = table(most - GIB, 0);
	assert_true(space_table(&all, &s, &m, &share));
	m = log_of(GIB);
	assert_true(space_log(&all, &s, &m, &share));
	m = log_of(GIB + 1);
	assert_false(space_log(&all, &s, &m, &share));
	space_release(&all, &s);
	m = table(most, 0);
	assert_true(space_table(&all, &s, &m, &share));
	space_release(&all, &s);
}

/* Each guest takes all that it may; the last one still has enough, and all is given back. */
static void
test_greedy(void **state)
{
	struct spaces all = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct space s[GUESTS] = {{0}};
	struct message m = table(UINT64_C(1) << 47, 0);
	uint64_t share, first;
	unsigned int i;

	RTE_SET_USED(state);
	assert_false(space_table(&all, &s[0], &m, &first));
	for (i = 0; i < GUESTS; i++) {
		m = table(UINT64_C(1) << 47, 0);
		assert_false(space_table(&all, &s[i], &m, &share));
		assert_true(share >= 32 * GIB);
		m = table(share, 0);
		assert_true(space_table(&all, &s[i], &m, &share));
	}
	for (i = 0; i < GUESTS; i++)
		space_release(&all, &s[i]);
	m = table(first, 0);
	assert_true(space_table(&all, &s[0], &m, &share));
	space_release(&all, &s[0]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_share),
			cmocka_unit_test(test_greedy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
