/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Frames that wait for room in a full receive ring.
 *
 * A frame that a destination had no room for is parked with its source: its
 * descriptor stays unconsumed there, and the source goes on with other frames.
 * Every --rx-retry-delay the waiting frames are offered again, oldest first; a
 * frame whose time (--rx-retry-num delays) is over is dropped and counted.
 * Later frames for a port that others wait for queue up behind them, so a pair
 * of ports never sees its frames reordered. Where a source's frames go to a port by
 * flow (flow.h), that holds for those of one flow: one full ring holds up only its own.
 *
 * A destination may hold a share of the places, which shrinks as they become fewer: so
 * many that are full, for however long, leave some for frames to others.
 *
 * What waits are errands, one for each copy that is still owed: a flooded frame
 * has as many as there are full rings. A frame is given back to its source
 * when its last errand is done.
 *
 * A park belongs to its source, and so to one worker. No locks, no allocation
 * after park_create().
 */
#ifndef PARK_H
#define PARK_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/frame.h"
#include "switch/port.h"

/*
 * Frames that a source may have waiting: at the default retry time of 60 us,
 * what arrives at 8.5 million frames/s. With all of them taken the source is
 * not fetched from, which delays that source alone. One destination takes 409 at most.
 */
#define PARK_FRAMES 512

/*
 * Copies that may be owed, several a flooded frame. A copy beyond that is
 * dropped at once.
 */
#define PARK_ERRANDS 2048

/*
 * Copies that one destination may be owed: as many times the places that are free. So k
 * of them that are full leave 1 / (4k + 1) of the places, and a single one can use four
 * fifths. A copy beyond that is dropped at once, too.
 */
#define PARK_SHARE 4

/*
 * Fragments a parked frame may have: a header, a head and the fragments of a Linux socket
 * buffer, which are 17 in most kernels and can be configured to be 45. A frame in more
 * fragments does not wait.
 */
#define PARK_FRAGS 48

struct parked {
	struct frame frame;
	struct fragment frag[PARK_FRAGS];
	struct headers headers; /* if the frame has offloads */
	uint64_t deadline;      /* TSC */
	uint16_t errands;       /* not done yet */
	bool sent;              /* one copy at least was delivered */
};

struct errand {
	uint32_t epoch; /* of the port: a later tenant gets nothing */
	uint16_t slot;  /* of the frame */
	uint16_t port;
	bool idle; /* not offered in this pass, as it is behind another */
};

/* Flows of ports: bit i of a port's word is class i of flow.h. */
struct flow_set {
	struct port_set port;    /* those with a bit */
	uint64_t flow[PORT_MAX]; /* only of those: 0 is never stored */
};

static inline void
flow_set_clear(struct flow_set *s)
{
	port_set_clear(&s->port);
}

/* The flows of a port that are in the set. */
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
	struct flow_set blocked;            /* what errands wait for */
	struct port_set put_off;            /* in this pass: ports that may have room */
	uint16_t owed[PORT_MAX];            /* errands of each port */
	struct errand errand[PARK_ERRANDS]; /* oldest first */
	uint16_t free[PARK_FRAMES];
	struct parked slot[PARK_FRAMES];
};

/* Makes an empty park. NULL without memory. Any thread. */
struct park *park_create(void);

/* Ends a park; frames in it must be given back before. NULL is fine. */
void park_destroy(struct park *p);

/* Frames that may still be parked: no more may be fetched. */
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
 * Parks a frame until `deadline`, with no errand yet. `sent`: it was delivered
 * somewhere already. Returns its slot, or -1 when there is no room for it.
 */
int park_add(struct park *p, const struct frame *f, bool sent, uint64_t deadline);

/*
 * Adds an errand of the frame in `slot`, which holds up `flows` of the port. False: no
 * room, or the port has its share of it.
 */
bool park_errand(struct park *p, unsigned int slot, uint16_t port, uint32_t epoch, uint64_t flows);

/* An errand is done. Returns whether it was the last one of its frame. */
static inline bool
park_done(struct park *p, const struct errand *e)
{
	p->owed[e->port]--;
	return --p->slot[e->slot].errands == 0;
}

/* Frees a slot whose errands are done. */
void park_remove(struct park *p, unsigned int slot);

#endif /* PARK_H */
