/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Chooses the lane that polls a source: see lanes.h for the contract. */
#include <time.h>

#include <rte_cycles.h>
#include <rte_lcore.h>
#include <rte_rcu_qsbr.h>

#include "base/wake.h"
#include "switch/grace.h"
#include "switch/lane.h"
#include "switch/lanes.h"
#include "switch/place.h"
#include "switch/source.h"

/* Longest wait for a worker, milliseconds: a visit to a ring takes a fraction of one. */
#define MOVE_MS 5

static unsigned int
lanes_count_sources(const struct polled *p)
{
	unsigned int i, n = 0;

	for (i = 0; i < p->n; i++)
		n += p->source[i] != NULL;
	return n;
}

/*
 * Returns a lane as place.h needs it, for one more source of a port. Sources of the uplink never
 * leave.
 */
static struct seat
lanes_seat_of(const struct lane *l, uint16_t port)
{
	struct seat s = {
			.node = rte_lcore_to_socket_id(l->lcore),
			.same = lanes_count_sources(&l->polled[port]),
	};
	unsigned int i;

	for (i = 0; i < GUEST_MAX; i++)
		s.load += lanes_count_sources(&l->polled[i]);
	return s;
}

/* Makes the lane poll an entry, or stop polling it. */
static void
lanes_show(struct lane *l, struct polled *p)
{
	unsigned int i;

	for (i = 0; i < l->npoll && l->poll[i] != NULL; i++)
		;
	store_release(&l->poll[i], p);
	if (i == l->npoll)
		store_release(&l->npoll, i + 1);
}

static void
lanes_hide(struct lane *l, const struct polled *p)
{
	unsigned int i;

	for (i = 0; i < l->npoll; i++)
		if (l->poll[i] == p)
			store_release(&l->poll[i], NULL);
	for (i = l->npoll; i > 0 && l->poll[i - 1] == NULL; i--)
		;
	store_release(&l->npoll, i);
}

/* Wakes a worker that sleeps: its list of sources has changed. */
static void
lanes_wake(const struct lane *l)
{
	if (l->wake != NULL)
		wake_up(l->wake);
}

static void
lanes_add_source(struct lane *l, struct polled *p, struct source *s)
{
	unsigned int i;

	if (lanes_count_sources(p) == 0)
		lanes_show(l, p);
	for (i = 0; i < p->n && p->source[i] != NULL; i++)
		;
	store_release(&p->source[i], s);
	if (i == p->n)
		store_release(&p->n, i + 1);
	lanes_wake(l);
}

static void
lanes_take_away(struct lane *l, struct polled *p, const struct source *s)
{
	bool found = false;
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		if (p->source[i] != s)
			continue;
		store_release(&p->source[i], NULL);
		found = true;
	}
	for (i = p->n; i > 0 && p->source[i - 1] == NULL; i--)
		;
	store_release(&p->n, i);
	if (i == 0)
		lanes_hide(l, p);
	if (found)
		lanes_wake(l);
}

void
lanes_add(struct lanes *all, struct source *s, const void *memory)
{
	struct seat seat[WORKER_MAX];
	struct lane *l;
	unsigned int i;

	for (i = 0; i < all->n; i++)
		seat[i] = lanes_seat_of(all->lane[i], s->port);
	/* A ring that was moved stays there, also when its guest resets it or was paused. */
	i = s->moved != 0 ? s->moved - 1u
			  : place_choose(seat, all->n, place_node_of(memory), place_distance);
	l = all->lane[i];
	lanes_add_source(l, &l->polled[s->port], s);
}

void
lanes_remove(struct lanes *all, struct source *s)
{
	unsigned int i;

	for (i = 0; i < all->n; i++)
		lanes_take_away(all->lane[i], &all->lane[i]->polled[s->port], s);
}

/* Returns the lane that polls a source. NULL: none. */
static struct lane *
lanes_find(const struct lanes *all, const struct source *s)
{
	const struct polled *p;
	unsigned int i, k;

	for (i = 0; i < all->n; i++) {
		p = &all->lane[i]->polled[s->port];
		for (k = 0; k < p->n; k++)
			if (p->source[k] == s)
				return all->lane[i];
	}
	return NULL;
}

bool
lanes_wait(struct lanes *all, uint64_t most)
{
	/* A burst takes some microseconds; this thread may share a worker's CPU. */
	const struct timespec nap = {.tv_nsec = 5000};
	const uint64_t begin = rte_rdtsc();
	uint64_t token = rte_rcu_qsbr_start(all->qsbr);

	while (!grace_over(all->qsbr, token)) {
		if (rte_rdtsc() - begin > most)
			return false;
		nanosleep(&nap, NULL);
	}
	return true;
}

bool
lanes_move(struct lanes *all, struct source *s, unsigned int to)
{
	struct lane *from = lanes_find(all, s);
	bool over;

	if (from == NULL || from == all->lane[to]) {
		s->moved = to + 1;
		return true;
	}
	lanes_take_away(from, &from->polled[s->port], s);
	over = lanes_wait(all, rte_get_tsc_hz() / 1000 * MOVE_MS);
	if (over) {
		s->moved = to + 1;
		from = all->lane[to];
		/* The worker that had it may have asked to be woken, and goes on without it. */
		if (s->ops->hush != NULL)
			s->ops->hush(s, false);
	}
	lanes_add_source(from, &from->polled[s->port], s);
	return over;
}

void
lanes_add_uplink(struct lanes *all, struct source *s, unsigned int i)
{
	struct lane *l = all->lane[0];

	lanes_add_source(l, &l->polled[GUEST_MAX + i], s);
}

void
lanes_wake_all(struct lanes *all)
{
	unsigned int i;

	for (i = 0; i < all->n; i++)
		lanes_wake(all->lane[i]);
}

void
lanes_set_conf(struct lanes *all, const struct conf *c)
{
	unsigned int i;

	for (i = 0; i < all->n; i++)
		store_release(&all->lane[i]->shared.conf, c);
}

void
lanes_quiesce(struct lanes *all)
{
	lanes_wait(all, UINT64_MAX);
}
