/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Bursts of chains of one descriptor: what is taken, where a burst ends, and that vector code and
 * its twin in plain C never differ. Buffers are just as long as what is written to them, and bytes
 * around them must not change.
 */
#include <signal.h>

#include <sys/mman.h>
#include <unistd.h>

#include <rte_vhost.h>

#include "guest/ring.h"
#include "guest/rx.h"
#include "guest/tx.h"
#include "ring.h"
#include "run/stats.h"

#define SIZE 64 /* entries of a ring */
#define ROUNDS 20000
#define HDR ((uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf))

struct found {
	unsigned int n;
	struct fragment to[BURST_MAX];
	uint16_t id[BURST_MAX];
};

static struct found
look(struct ring *r, const struct singles *s, unsigned int max, bool avx2)
{
	struct found f = {.n = 0};
	struct cursor c;

	r->vq.avx2 = avx2;
	c = ring_begin(&r->vq, r->vq.packed);
	f.n = r->vq.packed ? ring_singles(&c, s, max, f.to, f.id, true)
			   : ring_singles(&c, s, max, f.to, f.id, false);
	return f;
}

static void
assert_same(const struct found *a, const struct found *b)
{
	unsigned int i;

	assert_int_equal(a->n, b->n);
	for (i = 0; i < a->n; i++) {
		assert_ptr_equal(a->to[i].base, b->to[i].base);
		assert_int_equal(a->to[i].len, b->to[i].len);
		assert_int_equal(a->id[i], b->id[i]);
	}
}

/* An address and a length that are mostly good, and else just beyond what is. */
static void
draw(uint64_t *seed, uint64_t *gpa, uint32_t *len)
{
	static const uint64_t edge[] = {RING_GPA, RING_GPA - 1, RING_SEAM - 64, RING_SEAM - 63,
			RING_SEAM - 1, RING_SEAM, RING_END - 64, RING_END - 1, RING_END, 0,
			UINT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 31};
	uint32_t kind = unit_random(seed) % 64;

	*gpa = RING_GPA + unit_random(seed) % (RING_BYTES - 2048);
	*len = 64 + unit_random(seed) % 1400;
	if (kind == 0) {
		*gpa = edge[unit_random(seed) % RTE_DIM(edge)];
		*len = unit_random(seed) % 2 ? 64 : unit_random(seed) % 130;
	} else if (kind == 1) {
		*len = unit_random(seed) % 2 ? UINT32_MAX - unit_random(seed) % 64
					     : unit_random(seed) % 64;
	}
}

/* Offers some chains, most of which are singles of the wanted kind, and in a split ring some of no descriptor. */
static void
offer(struct ring *r, uint64_t *seed, uint16_t flags)
{
	static const uint16_t other[] = {0, WRITE, INDIRECT, WRITE | INDIRECT, NEXT};
	unsigned int i, n = unit_random(seed) % (SIZE + 1);
	uint16_t head, use;
	uint32_t len;
	uint64_t gpa;

	for (i = 0; i < n; i++) {
		draw(seed, &gpa, &len);
		use = unit_random(seed) % 64 == 0 ? other[unit_random(seed) % RTE_DIM(other)]
						  : flags;
		if (r->vq.packed) {
			const struct vr_packed_desc d[2] = {
					{gpa, len, 0, use & ~NEXT}, {gpa, len, 0, 0}};

			if ((use & NEXT) && ++i == n)
				break;
			ring_chain(r, (uint16_t)unit_random(seed), d, use & NEXT ? 2 : 1);
			continue;
		}
		ring_desc(r, i, gpa, len, use, 0);
		head = unit_random(seed) % 64 == 0 ? SIZE + unit_random(seed) % 3 * 30000 : i;
		vr_raw_post(&r->vr, &head, 1);
	}
}

/* Rings at any place, with anything in them: both find the same, and no more than there is. */
static void
check_random(bool packed, uint16_t flags)
{
	struct singles s = {.flags = flags, .most = UINT32_MAX};
	struct ring *r = packed ? ring_create_packed(SIZE, 0) : ring_create(SIZE, 0);
	unsigned int i, max, full = 0, some = 0;
	struct found plain, vector;
	uint64_t seed = 1 + packed * 2 + flags;

	for (i = 0; i < ROUNDS; i++) {
		ring_reset(r,
				packed ? (unit_random(&seed) % 2 ? VR_PACKED_START : 0) |
								unit_random(&seed) % SIZE
				       : unit_random(&seed));
		offer(r, &seed, flags);
		s.skip = flags == 0 ? HDR : 0;
		s.least = s.skip + (flags == 0 ? TX_SET_LEAST : 0);
		s.most = flags == 0 ? 1600 : UINT32_MAX;
		max = 1 + unit_random(&seed) % BURST_MAX;
		plain = look(r, &s, max, false);
		vector = look(r, &s, max, unit_avx2());
		assert_same(&plain, &vector);
		assert_true(plain.n <= max);
		full += plain.n == max;
		some += plain.n != 0 && plain.n < max;
	}
	/* Both ways to end are met often: the burst is full, or a chain has another shape. */
	assert_true(full > ROUNDS / 10 && some > ROUNDS / 10);
	ring_destroy(r);
}

static void
test_random_split(void **state)
{
	(void)state;
	check_random(false, 0);
	check_random(false, WRITE);
}

static void
test_random_packed(void **state)
{
	(void)state;
	check_random(true, 0);
	check_random(true, WRITE);
}

/* A burst finds what a walk from chain to chain finds. */
static void
test_same_as_one_by_one(void **state)
{
	const struct singles s = {.flags = WRITE, .most = UINT32_MAX};
	struct ring *r = ring_create(SIZE, 65500);
	struct fragment one;
	struct found f;
	struct cursor c;
	unsigned int i;

	(void)state;
	for (i = 0; i < SIZE; i++)
		ring_one(r, i, RING_GPA + i * 2048, 100 + i, WRITE);
	f = look(r, &s, SIZE, unit_avx2());
	assert_int_equal(f.n, SIZE);
	c = ring_begin(&r->vq, false);
	for (i = 0; i < SIZE; i++) {
		one = ring_single(&c, WRITE, 0, false);
		assert_ptr_equal(f.to[i].base, one.base);
		assert_int_equal(f.to[i].len, one.len);
		assert_int_equal(f.id[i], c.used.id);
	}
	ring_destroy(r);
}

/* A guest without memory, whose map had some before. */
static void
test_no_memory(void **state)
{
	const struct singles s = {.most = UINT32_MAX};
	struct ring *r = ring_create(SIZE, 0);
	struct rte_vhost_memory *none = unit_zalloc(sizeof(*none));
	struct guest_region region[2] = {r->mem.region[0], r->mem.region[1]};
	struct found f;
	unsigned int i;

	(void)state;
	for (i = 0; i < SIZE; i++)
		ring_one(r, i, RING_GPA, 100, 0);
	guest_mem_set(&r->mem, none);
	f = look(r, &s, SIZE, unit_avx2());
	assert_int_equal(f.n, 0);
	memcpy(r->mem.region, region, sizeof(region)); /* which ring_destroy() frees */
	free(none);
	ring_destroy(r);
}

/* A page whose first write makes the only descriptor of a ring available for the next wrap. */
static struct {
	void *page;
	size_t size;
	uint16_t *flags;
} next_wrap;

static void
on_write(int signal)
{
	(void)signal;
	*next_wrap.flags ^= PACKED_AVAIL | PACKED_USED;
	mprotect(next_wrap.page, next_wrap.size, PROT_READ | PROT_WRITE);
}

/*
 * A guest may make descriptors available once more while a burst reads them. No more are taken than
 * the ring has, or its position would not be in the ring any more.
 */
static void
test_next_wrap(void **state)
{
	const struct sigaction act = {.sa_handler = on_write};
	const struct singles any = {.most = UINT32_MAX};
	struct ring *r = ring_create_packed(1, 0);
	struct sigaction before;
	uint16_t id[BURST_MAX];
	struct cursor c;
	unsigned int n;

	(void)state;
	r->vq.avx2 = unit_avx2();
	ring_one(r, 0, RING_GPA, 100, 0);
	next_wrap.flags = &r->vq.ring[0].flags;
	next_wrap.size = sysconf(_SC_PAGESIZE);
	next_wrap.page = mmap(NULL, next_wrap.size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(next_wrap.page, MAP_FAILED);
	assert_int_equal(sigaction(SIGSEGV, &act, &before), 0);
	c = ring_begin(&r->vq, true);
	n = ring_singles(&c, &any, BURST_MAX, next_wrap.page, id, true);
	assert_int_equal(sigaction(SIGSEGV, &before, NULL), 0);
	ring_skip(&c, n, true);
	assert_int_equal(c.at, 0);
	assert_int_equal(n, 1);
	assert_true(packed_is_available(&r->vq, 0, c.wrap));
	munmap(next_wrap.page, next_wrap.size);
	ring_destroy(r);
}

/* Frames of all lengths, into buffers just as long, between bytes that must stay as they are. */
static void
check_put(uint32_t len)
{
	const struct rte_ether_addr to = mac_of(1, 1), from = mac_of(2, 2);
	struct rte_ether_hdr other;
	uint8_t *sent = malloc(len), *got, *put;
	struct burst *b = unit_zalloc(sizeof(*b));
	struct ring *r = ring_create(SIZE, 0);
	struct port_count *count = unit_zalloc(sizeof(*count));
	struct outcome o;
	unsigned int i;

	frame_make(sent, &to, &from, len, len);
	b->n = 5;
	b->plain = frame_set_of(b->n);
	b->clock = NULL;
	for (i = 0; i < b->n; i++) {
		b->frag[i] = (struct fragment){sent, len};
		b->frame[i] = (struct frame){.nfrags = 1, .len = len, .frag = &b->frag[i]};
		/* Receivers get the private copy of the header, whatever is in the sender's memory by now. */
		other = (struct rte_ether_hdr){.dst_addr = mac_of(3, 3), .src_addr = mac_of(4, 4)};
		b->frame[i].eth = other;
		memset(ring_at(r, RING_GPA + i * 4096, 4096), 0xa5, 4096);
		ring_one(r, i, RING_GPA + i * 4096 + 100, HDR + len, WRITE);
	}
	r->vq.hdr_len = HDR;
	o = rx_deliver(&r->vq, b, b->plain, count);
	assert_int_equal(o.taken, b->plain);
	for (i = 0; i < b->n; i++) {
		ring_expect(r, i, HDR + len);
		put = ring_at(r, RING_GPA + i * 4096, 4096);
		got = put + 100 + HDR;
		assert_int_equal(put[99], 0xa5);
		assert_memory_equal(put + 100, "\0\0\0\0\0\0\0\0\0\0\1", HDR);
		assert_memory_equal(got, &other, sizeof(other));
		assert_memory_equal(got + sizeof(other), sent + sizeof(other), len - sizeof(other));
		assert_int_equal(got[len], 0xa5);
	}
	free(sent);
	free(count);
	free(b);
	ring_destroy(r);
}

static void
test_put(void **state)
{
	uint32_t len;

	(void)state;
	for (len = sizeof(struct rte_ether_hdr); len < 300; len++)
		check_put(len);
	check_put(1514);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_random_split),
			cmocka_unit_test(test_random_packed),
			cmocka_unit_test(test_same_as_one_by_one),
			cmocka_unit_test(test_no_memory),
			cmocka_unit_test(test_next_wrap),
			cmocka_unit_test(test_put),
	};

	unit_both();
	return cmocka_run_group_tests_name("singles", tests, NULL, NULL);
}
