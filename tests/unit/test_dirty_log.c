/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The dirty log. After each burst its bits are compared with the pages of guest memory,
 * rings included, that have changed. Buffers are filled with a byte that no frame contains, so each
 * page that was written has changed.
 */
#include <rte_common.h>

#include "guest/dirty_log.h"
#include "guest/in_order.h"
#include "guest/ring.h"
#include "guest/rx.h"
#include "guest/tx.h"
#include "ring.h"
#include "run/stats.h"

#define PAGE 4096u
#define AREA_GPA UINT64_C(0x1000000)
#define AREA_BYTES (16 * PAGE)
#define MEMORY (RING_BYTES + RING_SECOND + AREA_BYTES)
#define LOG_BYTES ((AREA_GPA + AREA_BYTES) / PAGE / 8)
#define FILL 0xee
#define SPLIT 512 /* entries; a power of two */
#define PACKED 600
#define LONGEST 1500u

/* A ring of either format that lies in guest memory itself, which has a log. */
struct side {
	struct ring *r;
	uint8_t *area; /* the third region: what the ring is made of */
	uint8_t log[LOG_BYTES];
	uint8_t before[MEMORY];
	uint64_t random;
	struct burst burst;
	struct port_count count;
	uint8_t bytes[BURST_MAX][LONGEST];
};

static struct side *
side_create(bool packed)
{
	struct side *s = unit_zalloc(sizeof(*s));
	struct vr_areas in;

	s->r = packed ? ring_create_packed(PACKED, 0) : ring_create(SPLIT, 65500);
	s->random = 1;
	s->area = aligned_alloc(PAGE, AREA_BYTES);
	assert_non_null(s->area);
	memset(s->area, 0, AREA_BYTES);
	s->r->mem.region[s->r->mem.n++] = (struct guest_region){AREA_GPA, AREA_BYTES, s->area};
	in.desc = s->area;
	if (packed) {
		in.driver = s->area + 14 * PAGE;
		in.device = s->area + 14 * PAGE + 4;
		ring_lay(s->r, &in, PACKED, s->r->vr.features, VR_PACKED_START);
	} else {
		in.driver = s->area + 2 * PAGE;
		/* Its indices on one page, its entries on that and others. */
		in.device = s->area + 6 * PAGE - 64;
		ring_lay(s->r, &in, SPLIT, s->r->vr.features, 65500);
	}
	s->r->mem.log = s->log;
	s->r->mem.log_size = LOG_BYTES;
	s->r->vq.logging = true;
	return s;
}

static void
side_destroy(struct side *s)
{
	free(s->area);
	ring_destroy(s->r);
	free(s);
}

static int
setup_split(void **state)
{
	*state = side_create(false);
	return 0;
}

static int
setup_packed(void **state)
{
	*state = side_create(true);
	return 0;
}

static int
teardown(void **state)
{
	side_destroy(*state);
	return 0;
}

/* From here on changes are looked for. */
static void
watch(struct side *s)
{
	const struct guest_mem *m = &s->r->mem;
	uint8_t *to = s->before;
	unsigned int i;

	for (i = 0; i < m->n; i++) {
		memcpy(to, m->region[i].host, m->region[i].size);
		to += m->region[i].size;
	}
	memset(s->log, 0, sizeof(s->log));
}

static bool
is_marked(const struct side *s, uint64_t gpa)
{
	return s->log[gpa / PAGE / 8] >> (gpa / PAGE % 8) & 1;
}

/* Exactly the pages that have changed are marked. Returns how many those are. */
static unsigned int
expect_marks(const struct side *s)
{
	const struct guest_mem *m = &s->r->mem;
	const uint8_t *old = s->before;
	unsigned int i, marks = 0, bits = 0;
	uint64_t at;

	for (i = 0; i < m->n; i++) {
		for (at = 0; at < m->region[i].size; at += PAGE, old += PAGE) {
			bool changed = memcmp(old, m->region[i].host + at, PAGE) != 0;

			if (changed != is_marked(s, m->region[i].gpa + at))
				fail_msg("page %#lx: %s", m->region[i].gpa + at,
						changed ? "written, not marked"
							: "marked, not written");
			marks += changed;
		}
	}
	for (i = 0; i < LOG_BYTES; i++)
		bits += __builtin_popcount(s->log[i]);
	assert_int_equal(bits, marks);
	return marks;
}

/* A burst of n frames of other memory. */
static void
frames(struct side *s, unsigned int n)
{
	struct rte_ether_addr to = mac_of(1, 1), from = mac_of(2, 2);
	struct burst *b = &s->burst;
	unsigned int i, k;

	b->n = n;
	for (i = 0; i < n; i++) {
		struct frame *f = &b->frame[i];

		*f = (struct frame){.nfrags = 1,
				.frag = &b->frag[i],
				.len = sizeof(f->eth) +
						unit_random(&s->random) %
								(LONGEST - sizeof(f->eth) + 1)};
		frame_make(s->bytes[i], &to, &from, f->len, unit_random(&s->random));
		for (k = 0; k < f->len; k++)
			s->bytes[i][k] ^= s->bytes[i][k] == FILL;
		memcpy(&f->eth, s->bytes[i], sizeof(f->eth));
		b->frag[i] = (struct fragment){s->bytes[i], f->len};
	}
}

/* Somewhere in the memory for buffers, also across the seam of its two regions. */
static uint64_t
somewhere(struct side *s, uint32_t len)
{
	return RING_GPA + unit_random(&s->random) % (RING_END - RING_GPA - len);
}

/* Offers a buffer, in a single descriptor or by an indirect table of two. */
static void
offer(struct side *s, uint16_t i, uint32_t len, bool table)
{
	struct vr_packed_desc d = {.addr = somewhere(s, len), .len = len, .flags = WRITE};
	uint64_t at = AREA_GPA + 15 * PAGE + 32 * (i % 100);

	if (table && s->r->vq.packed) {
		struct vr_packed_desc two[2] = {d, d};

		two[0].len = two[1].len = len / 2;
		two[1].addr = somewhere(s, len);
		memcpy(s->area + (at - AREA_GPA), two, sizeof(two));
		d = (struct vr_packed_desc){.addr = at, .len = sizeof(two), .flags = INDIRECT};
	} else if (table) {
		struct vr_desc two[2] = {{d.addr, len / 2, WRITE | NEXT, 1},
				{somewhere(s, len), len / 2, WRITE, 0}};

		memcpy(s->area + (at - AREA_GPA), two, sizeof(two));
		d = (struct vr_packed_desc){.addr = at, .len = sizeof(two), .flags = INDIRECT};
	}
	ring_one(s->r, i, d.addr, d.len, d.flags);
}

/* The driver takes what was returned, and wipes its memory. */
static void
wipe(struct side *s)
{
	struct virtqueue *vq = &s->r->vq;
	uint32_t id, len;

	while (ring_used(s->r, &id, &len))
		;
	if (!vq->packed)
		memset(vq->used->ring, FILL, SPLIT * sizeof(vq->used->ring[0]));
	memset(s->r->mem.region[0].host, FILL, RING_BYTES);
	memset(s->r->mem.region[1].host, FILL, RING_SECOND);
}

/* Returns true if the guest offers a buffer that was not taken. */
static bool
has_room(struct virtqueue *vq)
{
	const struct cursor c = ring_begin(vq, vq->packed);

	return ring_more(&c, vq->packed);
}

/* Bursts of any frames into any buffers, many times round the ring. */
static void
deliver(struct side *s, bool mergeable)
{
	struct virtqueue *vq = &s->r->vq;
	unsigned int round, i, n, pages = 0;
	uint32_t least = vq->hdr_len + LONGEST;
	uint16_t name = 0;

	vq->mergeable = mergeable;
	for (round = 0; round < 200; round++) {
		wipe(s);
		n = 1 + unit_random(&s->random) % 30;
		frames(s, n);
		for (i = 0; i < (mergeable ? 8 * n : n); i++, name++)
			offer(s, name % SPLIT,
					mergeable ? 200 + unit_random(&s->random) % 4000
						  : 2 * least,
					unit_random(&s->random) % 4 == 0);
		watch(s);
		s->burst.cost = 0; /* as for each visit */
		assert_true(rx_deliver(vq, &s->burst, (UINT64_C(1) << n) - 1, &s->count).taken ==
				(UINT64_C(1) << n) - 1);
		pages += expect_marks(s);
		/* Buffers that are left over fit no long frame: tiny frames use them up. */
		while (has_room(vq)) {
			frames(s, BURST_MAX);
			s->burst.cost = 0;
			rx_deliver(vq, &s->burst, UINT64_MAX, &s->count);
		}
	}
	assert_true(pages > 200 * 10);
	assert_int_equal(vq->fault, FAULT_NONE);
}

static void
test_deliver(void **state)
{
	deliver(*state, false);
}

static void
test_deliver_mergeable(void **state)
{
	deliver(*state, true);
}

/* Unusable buffers go back: only the ring is written to. */
static void
test_spoilt(void **state)
{
	struct side *s = *state;

	wipe(s);
	ring_one(s->r, 3, RING_END, 2000, WRITE);
	frames(s, 1);
	watch(s);
	assert_int_equal(rx_deliver(&s->r->vq, &s->burst, 1, &s->count).refused, 1);
	assert_true(expect_marks(s) >= 1);
}

/* What a guest sends is only read; returning it writes to the ring. */
static void
send(struct side *s, bool in_order)
{
	struct source *source = &s->r->vq.source;
	struct rte_ether_addr to = mac_of(1, 1), from = mac_of(2, 2);
	unsigned int round, i, n;

	if (in_order)
		s->r->vq.in_order = in_order_create(s->r->vq.size);
	for (round = 0; round < 100; round++) {
		wipe(s);
		n = 1 + unit_random(&s->random) % BURST_MAX;
		for (i = 0; i < n; i++) {
			s->r->free = RING_GPA + i * 2048;
			ring_send(s->r, i, &to, &from, 88, i);
		}
		watch(s);
		assert_int_equal(source->ops->fetch(source, &s->burst, BURST_MAX), n);
		assert_int_equal(expect_marks(s), 0);
		/* The last one first: in order, nothing can be returned yet. */
		if (n > 1) {
			source->ops->retire(
					source, s->burst.frame, UINT64_C(1) << (n - 1), &s->count);
			assert_int_equal(expect_marks(s) == 0, in_order);
			source->ops->retire(source, s->burst.frame, (UINT64_C(1) << (n - 1)) - 1,
					&s->count);
		} else {
			source->ops->retire(source, s->burst.frame, 1, &s->count);
		}
		assert_true(expect_marks(s) >= 1);
	}
}

static void
test_send(void **state)
{
	send(*state, false);
}

static void
test_send_in_order(void **state)
{
	send(*state, true);
}

static void
test_suppress(void **state)
{
	struct side *s = *state;
	unsigned int event_idx;

	for (event_idx = 0; event_idx < 2; event_idx++) {
		s->r->vq.event_idx = event_idx;
		if (s->r->vq.packed)
			s->r->vq.device_event->flags = 0;
		else
			s->r->vq.used->flags = 0;
		watch(s);
		ring_suppress(&s->r->vq);
		assert_int_equal(expect_marks(s), 1);
	}
}

/* A packed chain of several descriptors is returned by one: those that it skips may be marked. */
static void
test_packed_chain(void **state)
{
	struct side *s = *state;
	struct vr_packed_desc d[3];
	unsigned int i, k;

	for (i = 0; i < 400; i++) {
		wipe(s);
		for (k = 0; k < 3; k++)
			d[k] = (struct vr_packed_desc){somewhere(s, 600), 600, 0, WRITE};
		ring_chain(s->r, i, d, 3);
		frames(s, 1);
		watch(s);
		s->burst.cost = 0; /* as for each visit */
		assert_int_equal(rx_deliver(&s->r->vq, &s->burst, 1, &s->count).taken, 1);
		/* On which page the chain ends is not known to the log: it may be one more. */
		for (k = 0; k < 3; k++)
			if (s->r->mem.region[2].gpa + k * PAGE < AREA_GPA + AREA_BYTES &&
					memcmp(s->area + k * PAGE,
							s->before + RING_BYTES + RING_SECOND +
									k * PAGE,
							PAGE) == 0)
				s->log[(AREA_GPA / PAGE + k) / 8] &=
						~(1u << ((AREA_GPA / PAGE + k) % 8));
		expect_marks(s);
	}
}

/* Nothing is noted while logging is off. */
static void
test_off(void **state)
{
	struct side *s = *state;
	unsigned int i;

	s->r->vq.logging = false;
	wipe(s);
	frames(s, 1);
	offer(s, 0, 2 * LONGEST, false);
	watch(s);
	assert_int_equal(rx_deliver(&s->r->vq, &s->burst, 1, &s->count).taken, 1);
	ring_suppress(&s->r->vq);
	for (i = 0; i < LOG_BYTES; i++)
		assert_int_equal(s->log[i], 0);
}

/* A log that is too short is recognised; nothing is written past its end or for addresses outside memory. */
static void
test_covers(void **state)
{
	struct side *s = *state;
	struct guest_mem *m = &s->r->mem;

	assert_true(dirty_log_covers(m));
	m->log_size--;
	assert_false(dirty_log_covers(m));
	m->log = malloc(1); /* for the sanitizer */
	m->log_size = 1;
	m->log[0] = 0;
	dirty_write(m, s->area, PAGE);
	assert_int_equal(m->log[0], 0);
	free(m->log);
	m->log = s->log;
	m->log_size = LOG_BYTES;
	watch(s);
	dirty_write(m, s, 1);              /* no guest memory */
	dirty_write(m, s->area + PAGE, 0); /* no bytes */
	assert_int_equal(expect_marks(s), 0);
	dirty_write(m, s->area + PAGE - 1, 2);
	assert_true(is_marked(s, AREA_GPA) && is_marked(s, AREA_GPA + PAGE));
	assert_false(is_marked(s, AREA_GPA + 2 * PAGE));
}

#define BOTH(test) \
	{#test ", split", test, setup_split, teardown, NULL}, \
	{ \
#test ", packed", test, setup_packed, teardown, NULL \
	}

/* All pages of a region, wherever in a word of the log it begins and ends; and no others. */
static void
test_whole_regions(void **state)
{
	enum { PAGES = 512 };
	uint64_t log[PAGES / 64];
	struct guest_mem m = {.n = 1, .log = (uint8_t *)log, .log_size = sizeof(log)};
	unsigned int first, n, page;

	RTE_SET_USED(state);
	for (first = 0; first < 130; first++) {
		for (n = 1; first + n <= PAGES; n += n < 70 ? 1 : 59) {
			memset(log, 0, sizeof(log));
			m.region[0] = (struct guest_region){first * PAGE, n * PAGE, NULL};
			dirty_all(&m);
			for (page = 0; page < PAGES; page++)
				assert_int_equal(m.log[page / 8] >> page % 8 & 1,
						page >= first && page < first + n);
		}
	}
	/* One page more than the log has: nothing. */
	memset(log, 0, sizeof(log));
	m.region[0] = (struct guest_region){0, (PAGES + 1) * PAGE, NULL};
	dirty_all(&m);
	for (page = 0; page < PAGES; page++)
		assert_int_equal(m.log[page / 8], 0);
	/* The first page after a log that is a byte shorter: nothing. */
	m.log_size--;
	m.region[0] = (struct guest_region){(PAGES - 8) * PAGE, PAGE, NULL};
	dirty_all(&m);
	assert_int_equal(log[RTE_DIM(log) - 1], 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			BOTH(test_deliver),
			BOTH(test_deliver_mergeable),
			BOTH(test_spoilt),
			BOTH(test_send),
			BOTH(test_send_in_order),
			BOTH(test_suppress),
			BOTH(test_off),
			BOTH(test_covers),
			cmocka_unit_test(test_whole_regions),
			cmocka_unit_test_setup_teardown(test_packed_chain, setup_packed, teardown),
	};

	unit_both();
	return cmocka_run_group_tests_name("dirty", tests, NULL, NULL);
}
