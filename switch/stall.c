/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Time that guests' memory takes: see stall.h for the contract. */
#include <sys/resource.h>

#include <rte_cycles.h>

#include "frame/cost.h"
#include "switch/lane.h"
#include "switch/source.h"
#include "switch/stall.h"

/*
 * Looks a second at whether work takes longer than it costs. An attack is noticed after two such looks, or
 * after the visit in which the second ends. To ask the kernel then takes 0.3 us: 0.03 % of the time.
 */
#define STALL_LOOKS 1000

/*
 * This many page faults between two looks are an attack, or a guest that has just begun. Fewer take at most 3 % of the
 * time, unless they take long: then work takes longer than the time between two looks, or costs an eighth less.
 */
#define STALL_MANY 16
#define STALL_LATE(period) ((period) / 2)
#define STALL_LOST(period) ((period) / 8)

/*
 * Looks for which visits stay timed, and a guest's visits examined, after the last reason for it. They are few: each
 * guest touches its memory once, and examining costs a tenth of the speed, or more where page faults are short, because
 * the kernel is asked more often. Nobody pays for the first slow visit, which may last for 100 ms. So each time that a
 * guest gives a reason again it is examined twice as long, up to the maximum. A guest that gave none for that long
 * is treated as new.
 */
#define STALL_HOLD 50u
#define STALL_HOLD_MAX (10u * STALL_LOOKS)

/*
 * Page faults of up to STALL_FREE cycles (250 us) in a guest's visits are no reason, and after that one cycle in
 * STALL_LEAK is none. The kernel
 * takes a page of anybody's away now and then, to move or to age it: up to 0.6 % of the time where a page fault takes
 * 50 us. In all visits together that nobody paid for, so many are none, and then one in STALL_LEAK_ALL.
 */
#define STALL_FREE (UINT64_C(1) << 19)
#define STALL_LEAK 128u
#define STALL_LEAK_ALL 32u

/*
 * A part of a visit is taken to be as long as its cost says, and half a page fault longer at most (lane.c), or else the
 * kernel is asked for page faults. A visit that is not examined may take twice as long, as honest work does that
 * waits for memory: to ask about each would cost a tenth of the speed.
 */
#define STALL_USUAL 2

/* Among others the kernel is asked about one that took longer than its cost, 60 us after it was asked last. */
#define STALL_SAMPLE (UINT64_C(1) << 17)

/* Work takes a third of its cost at least. If the rest is no page fault long there was none. */
#define STALL_LEAST 3

/*
 * A cycle of a stall costs three times as much as a cycle of work, because work whose memory is in the cache takes a
 * third to a half of the cycles that it costs. No guest is to gain by page faults. Sanitizers make work take far
 * longer than it costs, and have page faults of their own: then it is not known what is the guest's, and nothing is
 * charged.
 */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define STALL_PRICE 0
#else
#define STALL_PRICE 3
#endif

/*
 * Most cycles that are charged. A worker may lose its CPU, to another thread or to another virtual machine, just when
 * a guest that did nothing wrong takes page faults, as each does when it begins. If another thread had the CPU, each
 * page fault is taken to last as long as those of the guest did when none had: at first 7 us at 2.3 GHz, five times
 * what one of 4 KiB takes, so that a ring of 1024 is within STALL_CREDIT. If no other thread had the CPU, a page fault
 * lasts half a millisecond at most: twice what is needed to clear a hugepage of 2 MiB. But the kernel tells if it let
 * the worker sleep, because a page was read from a disk or was just being punched out: then it is a tenth of a
 * second for all.
 */
#define STALL_UNSURE (UINT32_C(1) << 14)
#define STALL_CLEAR (UINT64_C(1) << 20)
#define STALL_SLEEP (UINT64_C(1) << 28)

/*
 * How far a receiver may be ahead of its share, in units of cost: nearly ten milliseconds of page faults. Frames for it
 * wait while it is further ahead, and may be dropped. So guests that begin lose nothing: nobody has touched most of
 * their buffers, but a ring of them, or 70 hugepages, take less.
 */
#define STALL_CREDIT (UINT64_C(1) << 26)

/* What stalls may cost in a visit of a slow guest: half of what a visit may cost, so that frames get on. */
#define STALL_VISIT (COST_VISIT_MAX / 2)

/*
 * Most cycles for touching pages at a time: those of a frame of 64 KiB in receive buffers of 1.5 KiB that are all
 * new, 88 of 4 KiB, take half as long. Three hugepages take longer.
 */
#define STALL_TOUCH (4 * COST_VISIT_MAX)

/* So many pages are touched between two looks at the time: fewer if page faults are to be expected. */
#define STALL_TOUCHES 16
#define STALL_TOUCHES_SLOW 2

/* Asks the kernel what has happened to this thread. */
static struct stall_seen
stall_see(void)
{
	struct rusage use = {0};

	getrusage(RUSAGE_THREAD, &use);
	return (struct stall_seen){
			.faults = (uint64_t)use.ru_minflt + (uint64_t)use.ru_majflt,
			.sleeps = (uint64_t)use.ru_nvcsw,
			.switches = (uint64_t)use.ru_nivcsw,
	};
}

uint64_t
stall_trust(struct share *share, uint64_t took, struct stall_seen before, struct stall_seen now)
{
	uint64_t faults = now.faults - before.faults;

	took = RTE_MIN(took, STALL_SLEEP);
	if (now.switches != before.switches)
		return RTE_MIN(took, faults * RTE_MAX(share->fault, STALL_UNSURE));
	if (now.sleeps != before.sleeps)
		return took;
	took = RTE_MIN(took, faults * STALL_CLEAR);
	share->fault = took / faults;
	return took;
}

/* Asks the kernel. Returns true if there were page faults since it was asked last. */
static bool
stall_ask(struct stall *s)
{
	uint64_t before = s->seen.faults;

	s->unasked = false;
	s->seen = stall_see();
	return s->seen.faults != before;
}

static uint64_t
stall_looks(unsigned int n)
{
	return n * (rte_get_tsc_hz() / STALL_LOOKS);
}

/* Notes how long page faults just took. Returns true if they were more than a few of late. */
static bool
stall_is_much(uint64_t *calm, uint64_t now, uint64_t took, uint64_t leak)
{
	*calm = RTE_MIN(RTE_MAX(*calm, now) + took * leak, now + 2 * STALL_FREE * leak);
	return *calm >= now + STALL_FREE * leak;
}

/*
 * Starts to examine the visited guest, or goes on with it, unless page faults were few of late. They just took `took`
 * cycles; `paid`: somebody is charged for these.
 */
static void
stall_examine(struct stall *s, uint64_t now, uint64_t took, bool paid)
{
	struct share *k = s->visit;
	bool much = !paid && stall_is_much(&s->calm, now, took, STALL_LEAK_ALL);

	if (!stall_is_much(&k->calm, now, took, STALL_LEAK) && !much)
		return;
	if (now >= k->until)
		k->hold = now < k->until + stall_looks(STALL_HOLD_MAX) && k->hold != 0
				? RTE_MIN(2 * k->hold, STALL_HOLD_MAX)
				: STALL_HOLD;
	k->until = now + stall_looks(k->hold);
	s->until = RTE_MAX(s->until, k->until);
}

/*
 * Returns true if page faults took much of the time since the last look: they were many, or few long ones, which
 * show as time that no work was done in.
 */
static bool
stall_is_slow(struct stall *s, uint64_t busy, uint64_t period)
{
	uint64_t faults = s->seen.faults;
	bool asked = s->asked;

	s->asked = busy > s->worked;
	if (!s->asked || !stall_ask(s))
		return false;
	faults = s->seen.faults - faults;
	return busy > period + STALL_LATE(period) ||
			(asked && (faults >= STALL_MANY || busy - s->worked >= STALL_LOST(period)));
}

void
stall_look(struct lane *l)
{
	const uint64_t period = stall_looks(1);
	struct stall *s = &l->stall;
	uint64_t now = l->load.last;

	/* At the first look nothing is known of the time before. */
	if (stall_is_slow(s, l->load.busy - s->busy, period) && s->next != 0)
		s->until = RTE_MAX(s->until, now + stall_looks(STALL_HOLD));
	s->timed = now < s->until;
	s->worked = 0;
	s->busy = l->load.busy;
	s->next = now + period;
}

void
stall_begin(struct lane *l, const struct source *s, struct share *share)
{
	struct stall *k = &l->stall;

	k->visit = share;
	k->payer = s->port == PORT_UPLINK ? NULL : share;
	k->cost = k->owed = l->burst.cost = 0;
	k->mark = rte_rdtsc();
	l->burst.touch.on = k->mark < share->until;
	if (unlikely(l->burst.touch.on && k->unasked)) {
		/* Page faults of other visits are not this guest's. */
		stall_ask(k);
		k->mark = rte_rdtsc();
	}
}

/*
 * Allows for touching pages from now on. The time does not begin with the visit: whatever else took long, the pages
 * of the first frame can be touched.
 */
static void
stall_allow(struct burst *b, uint64_t now, uint16_t look)
{
	b->touch.look = look;
	b->touch.end = now + STALL_TOUCH;
}

/*
 * Ends a part of a visit that is examined, in which n frames were handled and whose cost is not complete: `more` is
 * missing. Begins the next. Returns what is to be charged to this share, if its guest's memory was slow. NULL: the
 * memory is our own.
 */
static uint32_t
stall_lap(struct lane *l, struct share *share, uint32_t more, unsigned int n)
{
	struct stall *s = &l->stall;
	uint64_t now = rte_rdtsc(), took = now - s->mark;
	struct stall_seen before = s->seen;
	uint32_t cost = l->burst.cost - s->cost + more;
	bool faults;

	s->mark = now;
	s->cost = l->burst.cost;
	if (share != NULL)
		share->slow /= 2;
	if (likely(took <= cost / STALL_LEAST + s->slack))
		return 0;
	/* A page fault of this part is not the next one's, whoever pays. */
	faults = stall_ask(s);
	s->mark = rte_rdtsc(); /* nobody's memory is slow for that */
	if (!faults || share == NULL || took <= cost + s->slack)
		return 0;
	took = stall_trust(share, took - cost, before, s->seen);
	stall_examine(s, now, took, true);
	share->slow = took * STALL_PRICE / RTE_MAX(n, 1u);
	return took * STALL_PRICE;
}

/* Ends a visit that is not examined: whose memory was slow is not known. */
static void
stall_end_usual(struct stall *s, uint64_t cost)
{
	struct stall_seen before = s->seen;
	struct share unknown;
	uint64_t now = rte_rdtsc(), took = now - s->mark;

	if (likely(took <= cost / STALL_LEAST + s->slack))
		return;
	s->unasked = true;
	if (likely(took <= cost + s->slack ||
			    (took <= STALL_USUAL * cost + s->slack && now < s->sample)))
		return;
	s->sample = now + STALL_SAMPLE;
	if (!stall_ask(s))
		return;
	unknown = *s->visit;
	stall_examine(s, now, stall_trust(&unknown, took - cost, before, s->seen), false);
}

uint32_t
stall_end(struct lane *l, uint32_t cost)
{
	struct stall *s = &l->stall;

	if (l->burst.touch.on) {
		l->burst.touch.on = false;
		return s->owed + stall_lap(l, s->payer, 0, l->burst.n);
	}
	stall_end_usual(s, cost);
	return 0;
}

bool
stall_has_work(struct lane *l, struct share *share, const struct source *s)
{
	struct stall *k = &l->stall;
	struct stall_seen seen = k->seen;
	struct share unknown;
	uint64_t before, took;
	bool work, others = k->unasked; /* there may have been page faults of others */

	if (s->bell == NULL || !share_may(&l->clock, share))
		return true;
	before = rte_rdtsc();
	work = source_has_work(s);
	took = rte_rdtsc() - before;
	if (likely(took <= k->slack) || !stall_ask(k))
		return work;
	k->visit = share;
	unknown = *share;
	took = stall_trust(others ? &unknown : share, took, seen, k->seen);
	stall_examine(k, before, took, !others);
	if (!others)
		share_visited(&l->clock, share, took * STALL_PRICE);
	return work;
}

/* Returns how many frames of a guest may be handled at a time. */
static unsigned int
stall_frames(const struct share *share)
{
	if (likely(share == NULL || share->slow <= STALL_VISIT / BURST_MAX))
		return BURST_MAX;
	return RTE_MAX(STALL_VISIT / share->slow, 1u);
}

unsigned int
stall_most(const struct lane *l)
{
	return stall_frames(l->stall.payer);
}

/* Touches a frame whose Ethernet header was just read: the rest of it, which mostly is in the same page. */
static inline bool
stall_touch_rest(struct burst *b, const struct frame *f)
{
	const struct fragment *p = f->frag;

	if (unlikely(f->nfrags == 0))
		return true;
	return touch_range(&b->touch, touch_next(p->base), p->base + p->len) &&
			burst_touch(b, p + 1, f->nfrags - 1);
}

unsigned int
stall_touch(struct lane *l, bool fresh)
{
	struct burst *b = &l->burst;
	const struct frame *f, *end = b->frame + (l->stall.payer != NULL ? b->n : 0);
	uint32_t cost;
	unsigned int n;

	stall_allow(b, rte_rdtsc(),
			stall_frames(l->stall.payer) == BURST_MAX ? STALL_TOUCHES
								  : STALL_TOUCHES_SLOW);
	for (f = b->frame; f < end; f++) {
		b->cost += (f->nfrags + f->len / TOUCH_PAGE) * COST_TOUCH;
		if (!(fresh ? stall_touch_rest(b, f) : burst_touch(b, f->frag, f->nfrags)))
			break;
	}
	n = f < end ? (unsigned int)(f - b->frame) : b->n;
	l->stall.touched = frame_set_of(n);
	/* What forward_poll() adds at the end is spent by now. */
	cost = stall_lap(l, l->stall.payer, COST_VISIT + 2 * b->n * COST_FRAME, b->n);
	/* Waiting frames end the visit. Those that were just fetched go on: some frames can't wait. */
	if (fresh)
		l->stall.owed = cost;
	else
		b->cost += cost;
	l->stall.cost = b->cost;
	return n;
}

/* Returns whom copies into a port's memory are charged to; NULL: nobody. */
static struct share *
stall_receiver_of(struct lane *l, uint16_t to)
{
	return to == PORT_UPLINK ? NULL : &l->polled[to].share;
}

frame_set
stall_limit(struct lane *l, uint16_t to, frame_set want)
{
	const struct share *share = stall_receiver_of(l, to);
	unsigned int most = stall_frames(share);

	want &= l->stall.touched;
	if (unlikely(share != NULL && share->used >= l->clock.now + STALL_CREDIT))
		return 0;
	if (unlikely(frame_set_count(want) > most))
		want &= ~frame_set_after(want, most);
	stall_allow(&l->burst, l->stall.mark, STALL_TOUCHES_SLOW);
	return want;
}

void
stall_receiver(struct lane *l, uint16_t to, unsigned int n)
{
	struct share *share = stall_receiver_of(l, to);
	struct burst *b = &l->burst;
	uint32_t cost = stall_lap(l, share, COST_DEST, n);

	if (cost == 0)
		return;
	b->cost += cost;
	b->paid += cost;
	l->stall.cost = b->cost;
	share_charge(&l->clock, share, cost);
}
