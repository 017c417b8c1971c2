/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Guests whose memory takes page faults: it is they who pay for the time. The faults are real. */
#include <sys/mman.h>

#include <rte_cycles.h>

#include "base/kernel.h"
#include "frame/cost.h"
#include "frame/touch.h"
#include "rig.h"
#include "switch/round.h"
#include "switch/stall.h"

#define FRAMES 32
#define PAGE 4096
#define HEAD \
	64 /* bytes of a sent frame, with its virtio-net header, that are in a page that stays */
#define LEN 300
#define SPACE 1600
#define QUICK 50                  /* cycles: no page fault of any machine is shorter */
#define MUCH (UINT32_C(64) << 20) /* page faults of all of it take milliseconds */
#define FROM 0
#define TO 1

struct test {
	struct rig *r;
	uint64_t gpa[2]; /* of FROM's and TO's buffers: page i * 2 stays, and i * 2 + 1 can be given back */
	uint16_t next;
};

/* The guest's first address that is the beginning of a page here, too. */
static uint64_t
first_page(struct ring *r)
{
	uint64_t gpa = RING_GPA;

	return gpa + (PAGE - (uintptr_t)ring_at(r, gpa, 1) % PAGE) % PAGE;
}

static int
setup(void **state)
{
	struct test *t = unit_zalloc(sizeof(*t));
	struct rte_ether_addr from = mac_of(FROM, 0), to = mac_of(TO, 0);
	struct rig *r = t->r = rig_create_known(2);
	uint8_t frame[LEN];
	unsigned int i;

	lanes_add(&r->lanes, &r->tx[FROM]->vq.source, r->tx[FROM]);
	t->gpa[FROM] = first_page(r->tx[FROM]);
	t->gpa[TO] = first_page(r->rx[TO]);
	frame_make(frame, &to, &from, LEN, 0);
	for (i = 0; i < FRAMES; i++)
		memcpy(ring_at(r->tx[FROM], t->gpa[FROM] + i * 2 * PAGE + PAGE - HEAD + 12, LEN),
				frame, LEN);
	*state = t;
	return 0;
}

static int
teardown(void **state)
{
	struct test *t = *state;

	lanes_remove(&t->r->lanes, &t->r->tx[FROM]->vq.source);
	rig_destroy(t->r);
	free(t);
	return 0;
}

/* Gives the pages back to the kernel that a frame, or a buffer, ends in. */
static void
forget(struct ring *r, uint64_t gpa)
{
	unsigned int i;

	for (i = 0; i < FRAMES; i++)
		assert_int_equal(madvise(ring_at(r, gpa + (i * 2 + 1) * PAGE, PAGE), PAGE,
						 MADV_DONTNEED),
				0);
}

/* FROM sends frames to TO, whose memory is not there if so wanted; then there is a round. */
static void
go_round(struct test *t, bool source, bool target)
{
	struct ring *tx = t->r->tx[FROM], *rx = t->r->rx[TO];
	unsigned int i;
	uint32_t id, len;

	for (i = 0; i < FRAMES; i++, t->next++) {
		ring_one(tx, t->next % RIG_RING, t->gpa[FROM] + i * 2 * PAGE + PAGE - HEAD,
				12 + LEN, 0);
		ring_one(rx, t->next % RIG_RING, t->gpa[TO] + (i * 2 + 1) * PAGE, SPACE, WRITE);
	}
	if (source)
		forget(tx, t->gpa[FROM]);
	if (target)
		forget(rx, t->gpa[TO]);
	lane_round(t->r->lane);
	while (ring_used(tx, &id, &len))
		;
	while (ring_used(rx, &id, &len))
		;
}

/* Rounds without work, until all frames have arrived and the clock has passed all accounts. */
static void
rest(struct test *t)
{
	struct lane *l = t->r->lane;
	uint32_t id, len;

	while (rig_owed(t->r, FROM) != 0 || l->polled[FROM].share.used > l->clock.now ||
			l->polled[TO].share.used > l->clock.now)
		lane_round(l);
	while (ring_used(t->r->tx[FROM], &id, &len))
		;
	while (ring_used(t->r->rx[TO], &id, &len))
		;
}

/* Has visits examined, also after one that was slow. */
static void
suspect(struct test *t)
{
	struct lane *l = t->r->lane;

	rest(t);
	l->polled[FROM].share.until = l->stall.until = UINT64_MAX;
	l->polled[FROM].share.hold = UINT32_MAX;
	l->stall.timed = true;
	l->stall.next = UINT64_MAX;
}

/* By how much a port's account is ahead of the clock after a round. */
static uint64_t
pays(struct test *t, uint16_t port, bool source, bool target)
{
	struct lane *l = t->r->lane;
	uint64_t now;

	rest(t);
	/* What is under test is this round alone: a visit as long as for somebody new. */
	l->polled[FROM].share.slow = l->polled[TO].share.slow = 0;
	now = l->clock.now;
	go_round(t, source, target);
	return l->polled[port].share.used > now ? l->polled[port].share.used - now : 0;
}

/* Memory that is there takes no timing, however long the work takes; memory that goes away does, until it stays. */
static void
test_noticed(void **state)
{
	struct test *t = *state;
	struct lane *l = t->r->lane;
	unsigned int i;

	t->r->lane->stall.next = 0;
	for (i = 0; i < 10; i++)
		go_round(t, false, false);
	while (!l->stall.timed) {
		go_round(t, true, false);
		rest(t);
	}
	while (l->polled[FROM].share.until == 0)
		go_round(t, true, false);
	while (l->stall.timed)
		go_round(t, false, false);
	assert_true(rte_rdtsc() >= l->polled[FROM].share.until);
	rest(t);
}

/* A sender pays for pages of its frames, and nobody else does. */
static void
test_source(void **state)
{
	struct test *t = *state;
	uint64_t usual;

	go_round(t, false, false);
	suspect(t);
	usual = pays(t, FROM, false, false);
	assert_true(usual > 0 && usual < 100000);
	assert_true(pays(t, FROM, true, false) > usual + FRAMES * 250);
	assert_int_equal(pays(t, TO, true, false), 0);
}

/* A receiver pays for pages of its buffers. The sender pays as usual. */
static void
test_target(void **state)
{
	struct test *t = *state;

	go_round(t, false, false);
	suspect(t);
	assert_true(pays(t, TO, false, true) > FRAMES * 250);
	assert_true(pays(t, FROM, false, true) < 100000);
	assert_int_equal(pays(t, TO, false, false), 0);
}

/* Frames for a receiver that has had more than its share wait. They are not lost. */
static void
test_debt(void **state)
{
	struct test *t = *state;
	struct lane *l = t->r->lane;

	go_round(t, false, false);
	suspect(t);
	share_charge(&l->clock, &l->polled[TO].share, UINT32_C(1) << 30);
	go_round(t, false, false);
	assert_int_equal(rig_owed(t->r, FROM), FRAMES);
	assert_int_equal(rig_parked(t->r, FROM), FRAMES);
	rest(t);
	assert_int_equal(rig_count(t->r, FROM)->delivered, 2 * FRAMES);
}

/* Whoever is slow has shorter visits: what is not touched in time waits. */
static void
test_short(void **state)
{
	struct test *t = *state;
	struct lane *l = t->r->lane;
	uint64_t before;

	go_round(t, false, false);
	suspect(t);
	l->polled[FROM].share.slow = UINT32_MAX;
	before = rig_count(t->r, FROM)->received;
	go_round(t, false, false);
	assert_int_equal(rig_count(t->r, FROM)->received, before + 1);
	rest(t);
}

/*
 * A frame whose pages take too long is offered to nobody: its receiver would pay for them. It is further on the next
 * time.
 */
static void
test_untouched(void **state)
{
	struct test *t = *state;
	struct lane *l = t->r->lane;
	uint8_t *pages = mmap(NULL, MUCH, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct fragment few = {.base = (uint8_t *)l, .len = 1}, many = {.base = pages, .len = MUCH};

	assert_true(pages != MAP_FAILED && madvise(pages, MUCH, MADV_NOHUGEPAGE) == 0);
	l->burst.n = 2;
	l->burst.frame[0] = (struct frame){.frag = &few, .nfrags = 1, .len = few.len};
	l->burst.frame[1] = (struct frame){.frag = &many, .nfrags = 1, .len = many.len};
	l->stall.payer = l->stall.visit = &l->polled[FROM].share;
	assert_int_equal(stall_touch(l, false), 1);
	assert_int_equal(stall_limit(l, TO, frame_set_of(2)), frame_set_of(1));
	while (stall_touch(l, false) == 1)
		;
	assert_int_equal(stall_limit(l, TO, frame_set_of(2)), frame_set_of(2));
	munmap(pages, MUCH);
}

/* A guest that does nothing pays if the look at its ring takes a page fault, and then is not looked at. */
static void
test_bell(void **state)
{
	struct test *t = *state;
	struct lane *l = t->r->lane;
	struct source *s = &t->r->tx[FROM]->vq.source;
	const uint16_t *usual = s->bell;
	uint16_t *bell = mmap(
			NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint64_t now;

	assert_true(bell != MAP_FAILED);
	suspect(t);
	l->stall.slack = QUICK;
	now = l->clock.now;
	s->bell = bell;
	s->bell_value = 0;
	lane_round(l);
	assert_true(l->polled[FROM].share.used > now + 1000);
	assert_true(l->polled[TO].share.used <= now);
	*bell = 1;
	share_charge(&l->clock, &l->polled[FROM].share, SHARE_AHEAD);
	assert_true(stall_has_work(l, &l->polled[FROM].share, s));
	*bell = 0;
	assert_true(stall_has_work(l, &l->polled[FROM].share, s));
	s->bell = usual;
	rest(t);
	assert_int_equal(munmap(bell, PAGE), 0);
}

/* A worker that lost its CPU while a guest was new does not charge it for more than it may owe. */
static void
test_trust(void **state)
{
	const struct stall_seen before = {.faults = 5, .sleeps = 6, .switches = 7};
	const uint64_t hours = UINT64_C(1) << 45;
	struct stall_seen now = before;
	struct share s = {0};

	(void)state;
	now.faults += 256;
	now.switches++;
	assert_in_range(stall_trust(&s, hours, before, now), 256 * 10000, 1 << 24);
	assert_int_equal(stall_trust(&s, 7000, before, now), 7000);
	now.sleeps++;
	assert_in_range(stall_trust(&s, hours, before, now), 256 * 10000, 1 << 24);
	/* It slept, or had to clear pages. */
	now.switches--;
	assert_int_equal(stall_trust(&s, hours, before, now), 1 << 28);
	assert_int_equal(stall_trust(&s, 1 << 27, before, now), 1 << 27);
	now.sleeps--;
	assert_int_equal(stall_trust(&s, hours, before, now), 1 << 28);
	now.faults = before.faults + 2;
	assert_int_equal(stall_trust(&s, hours, before, now), 2 << 20);
	assert_int_equal(stall_trust(&s, 400000, before, now), 400000);
	/* Now it is known how long such a page takes. */
	now.switches++;
	assert_int_equal(stall_trust(&s, hours, before, now), 400000);
	/* However many there are, the charge fits into a cost. */
	now.faults += 100000;
	assert_int_equal(stall_trust(&s, hours, before, now), 1 << 28);
}

/* A guest that begins again is examined twice as long. */
static void
test_again(void **state)
{
	struct test *t = *state;
	struct lane *l = t->r->lane;
	struct share *s = &l->polled[FROM].share;
	unsigned int i, tries = 0;
	uint64_t begin;

	l->stall.next = UINT64_MAX;
	go_round(t, false, false);
	for (i = 0; i < 3; i++) {
		do { /* until the CPU was not lost in the middle */
			rest(t);
			l->stall.timed = true;
			s->hold = i == 0 ? 0 : 25 << i;
			begin = rte_rdtsc();
			s->until = i == 0 ? 0 : begin - 1;
			go_round(t, true, false);
		} while ((s->until < begin || rte_rdtsc() > begin + rte_get_tsc_hz() / 100) &&
				tries++ < 100);
		assert_int_equal(s->hold, 50 << i);
		assert_true(l->stall.until >= s->until);
	}
	rest(t);
}

/* One page fault is no reason to examine a guest, which would cost more. After many each is one. */
static void
test_few(void **state)
{
	struct test *t = *state;
	struct lane *l = t->r->lane;
	struct share *s = &l->polled[FROM].share;
	struct source *source = &t->r->tx[FROM]->vq.source;
	const uint16_t *usual = source->bell;
	uint16_t *bell = mmap(
			NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;
	uint64_t before;

	assert_true(bell != MAP_FAILED);
	l->stall.timed = true;
	l->stall.next = UINT64_MAX;
	l->stall.slack = QUICK;
	source->bell = bell;
	source->bell_value = 0;
	/* Another virtual machine may have the CPU just then, for as long as many of them would take. */
	for (i = 0; i == 0 || (s->until != 0 && i < 20); i++) {
		rest(t);
		s->calm = s->until = l->stall.calm = 0;
		assert_int_equal(madvise(bell, PAGE, MADV_DONTNEED), 0);
		before = rte_rdtsc();
		lane_round(l);
		assert_true(s->calm > before);
	}
	assert_int_equal(s->until, 0);
	rest(t);
	s->calm = UINT64_MAX / 2;
	assert_int_equal(madvise(bell, PAGE, MADV_DONTNEED), 0);
	before = rte_rdtsc();
	lane_round(l);
	assert_true(s->until > before);
	source->bell = usual;
	rest(t);
	assert_int_equal(munmap(bell, PAGE), 0);
}

/* A visit takes so many cycles. */
static void
spin(const struct lane *l, uint64_t cycles)
{
	while (rte_rdtsc() < l->stall.mark + cycles)
		;
}

/* A page fault that nobody asked for is not the next guest's, though its visit takes longer than its cost. */
static void
test_unasked(void **state)
{
	struct test *t = *state;
	struct lane *l = t->r->lane;
	struct share *s = &l->polled[FROM].share;
	int unasked;

	s->until = UINT64_MAX;
	for (unasked = 0; unasked <= 1; unasked++) {
		l->stall.seen.faults--;
		l->stall.unasked = unasked;
		stall_begin(l, &t->r->tx[FROM]->vq.source, s);
		spin(l, l->stall.slack + 1000);
		assert_int_equal(stall_end(l, 0) == 0, unasked);
	}
}

/* A visit with a page fault that is short for its cost: it is asked about now and then. */
static void
test_sample(void **state)
{
	struct test *t = *state;
	struct lane *l = t->r->lane;
	struct share *s = &l->polled[FROM].share;
	const uint32_t cost = 1000000;
	int due;

	for (due = 0; due <= 1; due++) {
		do { /* until the CPU was not lost in the middle */
			l->stall.seen.faults--;
			l->stall.sample = due ? 0 : UINT64_MAX;
			s->calm = s->until = l->stall.calm = 0;
			stall_begin(l, &t->r->tx[FROM]->vq.source, s);
			spin(l, cost + l->stall.slack + 1000);
			stall_end(l, cost);
		} while (rte_rdtsc() > l->stall.mark + 2 * cost);
		assert_int_equal(l->stall.unasked, !due);
		assert_int_equal(s->calm != 0, due);
	}
	assert_true(l->stall.sample != 0);
}

/* Half of this machine's page faults, and what it takes to signal a guest. */
static void
test_measure(void **state)
{
	struct test *t = *state;
	struct lane *l = t->r->lane;
	uint64_t fault = kernel_page_fault(), signal = kernel_signal();

	print_message("a page fault takes %ju cycles, a signal %ju\n", (uintmax_t)fault,
			(uintmax_t)signal);
	assert_in_range(fault, 100, rte_get_tsc_hz() / 1000);
	assert_in_range(signal, 50, rte_get_tsc_hz() / 1000);
	assert_in_range(l->stall.slack, RTE_MIN(RTE_MAX(fault / 8, 512u), 16384u),
			RTE_MAX(2 * fault, 512u));
	assert_in_range(l->burst.signal, COST_SIGNAL, RTE_MAX(8 * signal, COST_SIGNAL));
}

/* Touching ends when its time is over, and not before. */
static void
test_touch(void **state)
{
	struct touch t = {.look = 2, .end = UINT64_MAX};
	uint8_t *pages = unit_zalloc(8 * PAGE), *at = pages + 100;

	(void)state;
	assert_true(touch_range(&t, at, at + 5 * PAGE));
	t = (struct touch){.look = 2};
	assert_true(touch_range(&t, at, at + 1));
	assert_int_equal(t.touched, 1);
	assert_false(touch_range(&t, at, at + 1));
	assert_true(touch_range(&t, at, at));
	free(pages);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_noticed),
			TEST(test_source),
			TEST(test_target),
			TEST(test_debt),
			TEST(test_short),
			TEST(test_untouched),
			TEST(test_bell),
			TEST(test_again),
			TEST(test_few),
			TEST(test_unasked),
			TEST(test_sample),
			TEST(test_measure),
			cmocka_unit_test(test_touch),
			cmocka_unit_test(test_trust),
	};

	return cmocka_run_group_tests_name("stall", tests, unit_eal, unit_eal_end);
}
