/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The tables of cases; each ends with an entry without a name. */
#ifndef HOSTILE_CASES_H
#define HOSTILE_CASES_H

#include "hostile.h"

extern const struct hcase cases_tx[];       /* frames as they are sent */
extern const struct hcase cases_rx[];       /* buffers to receive into */
extern const struct hcase cases_ring[];     /* indices and chains */
extern const struct hcase cases_indirect[]; /* indirect tables */
extern const struct hcase cases_race[];     /* memory that changes while it is read */
extern const struct hcase
		cases_packed[]; /* packed rings: descriptors that split ones do not have */
extern const struct hcase
		cases_packed_ring[]; /* packed rings: sizes, positions, wraps, event areas */
extern const struct hcase cases_packed_race[];   /* packed rings that change while they are read */
extern const struct hcase cases_pairs[];         /* queue pairs: messages about their rings */
extern const struct hcase cases_pairs_traffic[]; /* queue pairs under traffic */
extern const struct hcase cases_pairs_storm[];   /* queue pairs: masses of messages and signals */
extern const struct hcase cases_offload[];       /* offload headers */
extern const struct hcase
		cases_offload_fuzz[];      /* offload headers at random, and while they are read */
extern const struct hcase cases_log[];     /* live migration */
extern const struct hcase cases_address[]; /* source and destination addresses */
extern const struct hcase cases_life[];    /* reboots, pauses, sudden death */
extern const struct hcase cases_memory[];  /* memory tables and their files */
extern const struct hcase cases_vring[];   /* the set-up of rings */
extern const struct hcase cases_fds[];     /* eventfds */
extern const struct hcase cases_files[];   /* files whose owner can make others wait */
extern const struct hcase cases_stuck[];   /* pipes that can't be closed */
extern const struct hcase cases_share[];   /* more than a share of the workers' time */
extern const struct hcase cases_fresh[];   /* pages that are made again each time */
extern const struct hcase cases_uplink[];  /* more than a share of what the uplink brings */
extern const struct hcase cases_order[];   /* other front ends, none of them hostile */
extern const struct hcase cases_message[]; /* single malformed messages */
extern const struct hcase cases_storm[];   /* masses of messages, and what one may cost */

/* A guest that sends as fast as it can until it is killed: run as a child of cases_life.c. */
int victim_run(const char *socket);

#endif
