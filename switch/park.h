/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Frames that wait for room in a full receive ring.
 *
 * If a destination has no room for a frame, the frame is parked with its source: its descriptor is
 * not returned yet, and the source goes on with other frames. Every --rx-retry-delay the parked
 * frames are offered again, oldest first; a frame whose time (--rx-retry-num delays) is over is
 * dropped and counted. Later frames for the same port are parked after those, so the frames of a
 * pair of ports are never reordered. If a source's frames go to a port by flow (flow.h), this holds
 * for each flow: a full ring holds up only its own flows.
 *
 * A destination has a quota of the free slots. So even if many destinations are full for a
 * long time, slots remain for frames to others.
 *
 * An errand is one copy that is still owed: a flooded frame has one for each full ring. A frame is
 * given back to its source when its last errand is done.
 *
 * A park belongs to its source, and so to one worker. No locks, no allocation after park_create().
 */
#ifndef PARK_H
#define PARK_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/frame.h"
#include "switch/port.h"

/*
 * How many frames of a source may wait: as many as arrive at 8.5 million frames/s in the default
 * retry time of 60 us. If all slots are taken, the source is not fetched from, which delays only
 * that source. One destination takes 409 at most.
 */
#define PARK_FRAMES 512

/*
 * How many copies may be owed; a flooded frame has several. A copy beyond that is dropped at once.
 */
#define PARK_ERRANDS 2048

/*
 * One destination may be owed this many times as many copies as slots are free. So k full
 * destinations leave 1 / (4k + 1) of the slots, and a single one can use four fifths. A copy
 * beyond that is dropped at once, too.
 */
#define PARK_QUOTA 4

/*
 * How many fragments a parked frame may have: a header, a head and the fragments of a Linux socket
 * buffer, which are 17 in most kernels and can be configured to be 45. A frame with more fragments
 * does not wait.
 */
#define PARK_FRAGS 48

struct parked {
	struct frame frame;
	struct fragment frag[PARK_FRAGS];
	struct headers headers; /* if the frame has offloads */
	uint64_t deadline;      /* TSC */
	uint16_t errands;       /* errands that are not done yet */
	bool sent;              /* at least one copy was delivered */
};

struct errand {
	uint32_t epoch; /* epoch of the port: a later tenant of its slot gets nothing */
	uint16_t slot;  /* slot of the frame */
	uint16_t port;
	bool idle;       /* not offered in this pass, as it must not overtake another */
	uint8_t put_off; /* passes in which the port was put off, as far as they count (retry.c) */
};

/* A set of flows of ports: bit i of a port's word is class i of flow.h. */
struct flow_set {
	struct port_set port;    /* ports with a flow in the set */
	uint64_t flow[PORT_MAX]; /* valid only for those ports, and then not 0 */
};

static inline void
flow_set_clear(struct flow_set *s)
{
	port_set_clear(&s->port);
}

/* Returns the flows of a port that are in the set. */
static inline uint64_t
flow_set_get(const struct flow_set *s, uint16_t port)
{
	return port_set_has(&s->port, port) ? s->flow[port] : 0;
}

static inline void
flow_set_add(struct flow_set *s, uint16_t port, uint64_t flows)
{
	s->flow[port] = flow_set_get(s, port) | flows;
	port_set_add(&s->port, port);
}

struct park {
	unsigned int nerrands;
	unsigned int nfree;
	uint64_t next_try;                  /* TSC */
	struct flow_set blocked;            /* flows that errands wait for */
	struct port_set put_off;            /* ports that were put off in this pass */
	uint16_t owed[PORT_MAX];            /* number of errands for each port */
	struct errand errand[PARK_ERRANDS]; /* oldest first */
	uint16_t free[PARK_FRAMES];
	struct parked slot[PARK_FRAMES];
};

/* Makes an empty park. Returns NULL without memory. Any thread. */
struct park *park_create(void);

/* Frees a park, whose frames must have been given back. NULL is allowed. */
void park_destroy(struct park *p);

/* Returns how many frames may still be parked: no more may be fetched. */
static inline unsigned int
park_room(const struct park *p)
{
	return p->nfree;
}

static inline bool
park_empty(const struct park *p)
{
	return p->nerrands == 0;
}

/*
 * Parks a frame until `deadline`, with no errand yet. `sent`: a copy was delivered already. Returns
 * its slot, or -1 if there is no room for it.
 */
int park_add(struct park *p, const struct frame *f, bool sent, uint64_t deadline);

/*
 * Adds an errand of the frame in `slot`, which holds up `flows` of the port. Returns false if there
 * is no room, or if the port has used its quota.
 */
bool park_errand(struct park *p, unsigned int slot, uint16_t port, uint32_t epoch, uint64_t flows);

/* Ends an errand. Returns true if it was the last one of its frame. */
static inline bool
park_done(struct park *p, const struct errand *e)
{
	p->owed[e->port]--;
	return --p->slot[e->slot].errands == 0;
}

/* Frees a slot whose errands are done. */
void park_remove(struct park *p, unsigned int slot);

#endif /* PARK_H */
