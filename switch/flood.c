/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Frames that go to many ports: see flood.h for the contract. */
#include "frame/cost.h"
#include "frame/frame.h"
#include "switch/flood.h"
#include "switch/lane.h"
#include "switch/sink.h"
#include "switch/source.h"

/* Adds a frame of the burst to a part. */
static void
flood_add_part(struct parted *p, uint16_t of, const struct lane *l, const struct frame *f)
{
	unsigned int i;

	for (i = 0; i < p->n && p->part[i].of != of; i++)
		;
	if (i == p->n) {
		p->part[i].of = of;
		p->part[i].frames = 0;
		p->n++;
	}
	p->part[i].frames |= frame_set_one(f - l->burst.frame);
}

void
flood_to_tag(struct lane *l, const struct frame *f, uint16_t vid)
{
	flood_add_part(&l->dests.tags, vid, l, f);
}

void
flood_but(struct lane *l, const struct frame *f, uint16_t port)
{
	flood_add_part(&l->dests.reflected, port, l, f);
}

/* Returns true if flooded frames go to a port: also if it is paused for a moment. */
static inline bool
flood_reaches(const struct ports *all, unsigned int port)
{
	const struct sink *k = port_sink(&all->port[port]);

	return k != NULL && k->ops->is_open(k);
}

/* Notes that flooded frames go to so many ports. */
static void
flood_count(struct lane *l, frame_set frames, unsigned int ports)
{
	unsigned int i;

	l->dests.flood |= frames;
	l->dests.nflood = RTE_MAX(l->dests.nflood, ports);
	FRAME_SET_FOREACH(i, ports == 0 ? frames : 0)
		l->burst.frame[i].reason = DROP_NO_PORT;
}

/* Adds every port that takes frames (also paused ones), except the sender's. */
static void
flood_add_all(struct lane *l, const struct source *s, frame_set frames)
{
	const struct ports *all = l->shared.ports;
	unsigned int i, ports = 0, n = ports_used(all);

	l->burst.cost += n * COST_FLOOD;
	for (i = 0; i < n; i++) {
		if (i == s->port || !flood_reaches(all, i) || ports_isolated(all, s->port, i))
			continue;
		dests_add(&l->dests, i, frames);
		ports++;
	}
	if (s->port != PORT_UPLINK && flood_reaches(all, PORT_UPLINK)) {
		dests_add(&l->dests, PORT_UPLINK, frames);
		ports++;
	}
	flood_count(l, frames, ports);
}

/* Adds the devices with a tag. */
static void
flood_add_tag(struct lane *l, frame_set frames, uint16_t vid)
{
	const struct ports *all = l->shared.ports;
	unsigned int i, ports = 0, n = ports_used(all);

	l->burst.cost += n * COST_OTHERS;
	for (i = 0; i < n; i++) {
		if (!port_has_tag(&all->port[i], vid))
			continue;
		l->burst.cost += COST_FLOOD;
		if (!flood_reaches(all, i))
			continue;
		dests_add(&l->dests, i, frames);
		ports++;
	}
	flood_count(l, frames, ports);
}

/* Takes the ports away that frames must not go to. A frame that has no other is a hairpin. */
static void
flood_leave_out(struct lane *l)
{
	struct dests *d = &l->dests;
	frame_set taken = 0, left = 0;
	unsigned int i, at;

	for (i = 0; i < d->reflected.n; i++) {
		at = d->slot[d->reflected.part[i].of];
		if (at >= d->n || d->port[at] != d->reflected.part[i].of)
			continue;
		taken |= d->want[at] & d->reflected.part[i].frames;
		d->want[at] &= ~d->reflected.part[i].frames;
		if (d->want[at] == 0)
			dests_drop(d, at);
	}
	for (i = 0; i < d->n; i++)
		left |= d->want[i];
	FRAME_SET_FOREACH(i, taken & ~left)
		l->burst.frame[i].reason = DROP_TO_SENDER;
}

void
flood_burst(struct lane *l, const struct source *s, frame_set all)
{
	unsigned int i;

	if (all != 0)
		flood_add_all(l, s, all);
	for (i = 0; i < l->dests.tags.n; i++)
		flood_add_tag(l, l->dests.tags.part[i].frames, l->dests.tags.part[i].of);
	if (l->dests.reflected.n != 0)
		flood_leave_out(l);
}
