/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * One pair of movers, which exchanges numbered frames. movers.c has what is done to them. A
 * function that returns false has noted the failure. Main thread only.
 */
#ifndef HOSTILE_MOVER_H
#define HOSTILE_MOVER_H

#include "movers.h"

#define STATIONS 2
#define ENDS (MOVERS + STATIONS)
#define POLL_NS 50000
#define PATIENT_MS 30000 /* on a busy machine, beside hostile guests */

/* A guest, or a station on the wire: a packet socket on the interface of the uplink. */
struct end {
	struct end *peer;
	uint8_t mac[6];
	int wire; /* a packet socket; -1: it is a guest */
	struct nic nic;
	struct nic_opts opts;
	uint64_t sent, got; /* numbered frames to and from the peer */
	uint64_t floor;     /* earlier frames of the peer may be lost, or come late */
	uint64_t lost;      /* its numbered frames that the peer never got */
	uint64_t dropped;   /* its frames on earlier connections that the switch dropped */
	uint64_t taken;     /* frames that it sent on this connection, hellos included */
	size_t log_mark;    /* where the switch's log stood when it connected */
	bool heard;         /* a hello of the peer, since they last met */
};

struct movers {
	struct hostile *h;
	struct movers_done done;
	struct end end[ENDS];
};

/* Connects, again and again while the switch refuses: hostile guests may have all places. */
bool mover_connect(struct movers *m, struct end *e);

/* Says hello until each of a pair has heard the other: from then on the switch finds both. */
bool mover_meet(struct movers *m, struct end *a);

/* Exchanges `count` frames each way. They and all that were under way before must arrive. */
bool mover_talk(struct movers *m, struct end *a, unsigned count);

/* Sends one more numbered frame, below `until`, if the window and the ring have room; then *n is one more. */
bool mover_send_one(struct movers *m, struct end *e, uint64_t until, unsigned *n);

/* Takes all that has come, and adds its number to *n. */
bool mover_receive_all(struct movers *m, struct end *e, unsigned *n);

/* Waits until the switch has taken all that the end sent. */
bool mover_drain(struct movers *m, struct end *e);

/* The switch's counters of a guest must be what it did. None of its frames may be under way. */
bool mover_check_counters(struct movers *m, struct end *e);

/*
 * Returns how many frames of all its connections the switch has dropped, by its counters; `tell`
 * prints the reasons.
 */
uint64_t mover_dropped(struct movers *m, const struct end *e, bool tell);

#endif
