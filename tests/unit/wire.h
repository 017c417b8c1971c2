/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The real uplink on a port of net_ring, whose way out is its way in: a test puts frames on the
 * wire and takes them from it. Needs EAL.
 */
#ifndef UNIT_WIRE_H
#define UNIT_WIRE_H

#include <rte_mbuf.h>

#include "conf/conf.h"
#include "frame/offload.h"
#include "ring.h"
#include "switch/count.h"
#include "uplink/uplink.h"
#include "uplink/uplink_priv.h"

#define WIRE_FRAME 2048 /* bytes that a frame may have here */

/* An open uplink, and one burst. */
struct wire {
	struct conf conf;
	struct ports ports;
	struct uplink *u;
	struct burst burst;
	struct headers headers;
	struct port_count count;
	uint8_t bytes[BURST_MAX][WIRE_FRAME]; /* of the frames of the burst */
};

/* Fixtures of a test: an uplink with the options as by default. */
int wire_setup(void **state);
int wire_teardown(void **state);

/* The same with this command line. */
int wire_open(void **state, char **words, int n);

/* Writes a frame with these tags (outer first, 0 ends) over what frame_make() makes. Returns its length. */
uint32_t wire_tagged(uint8_t *buf, const uint16_t *tci, uint32_t len, uint32_t seed);

/* Makes frame i of the burst of bytes[i], as a guest's: in two fragments, if `cut` is where the first one ends. */
void wire_guest_frame(struct wire *w, unsigned int i, uint32_t len, uint32_t cut);

/* Takes one frame off the wire, which must be this; or the wire must be empty. */
void wire_assert(struct wire *w, const uint8_t *want, uint32_t len);
void wire_assert_empty(struct wire *w);

/* Puts a frame on the wire, in segments of `segment` bytes (0: one), with mbuf flags. */
void wire_put(struct wire *w, const uint8_t *bytes, uint32_t len, uint32_t segment, uint64_t flags,
		uint16_t tci);

#endif /* UNIT_WIRE_H */
