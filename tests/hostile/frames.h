/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The frames that the tests send: a sequence number and a pattern that follows from it. A frame
 * that arrives shows by itself which one it is and whether it is whole. No state; any thread.
 */
#ifndef HOSTILE_FRAMES_H
#define HOSTILE_FRAMES_H

#include <stddef.h>
#include <stdint.h>

/* EtherTypes for local experiments (IEEE 802). They tell who sent the frame. */
#define TYPE_NEIGHBOUR 0x88b5
#define TYPE_CASE 0x88b6
#define TYPE_MOVER 0x88b7

#define TYPE_RARP 0x8035 /* announcements, which go to everybody */

#define FRAME_HEADER 14
#define FRAME_MIN (FRAME_HEADER + 8) /* with room for the sequence number */
#define FRAME_ROOM 9216              /* of any frame: with mergeable buffers 9,022 bytes arrive */
#define BUF_ROOM 2048                /* of a buffer of a guest */

extern const uint8_t mac_broadcast[6];

/* Makes address number `number` of a range of our own (locally administered). */
void mac_make(uint8_t *mac, uint32_t number);

/* `len` is at least FRAME_HEADER; a frame shorter than FRAME_MIN carries no sequence number. */
void frame_make(uint8_t *frame, const uint8_t *dst, const uint8_t *src, uint16_t type, uint64_t seq,
		size_t len);

uint16_t frame_type(const uint8_t *frame);

uint64_t frame_seq(const uint8_t *frame);

/* Returns where the pattern is broken, or 0. For frames of FRAME_MIN bytes and more. */
size_t frame_damage(const uint8_t *frame, size_t len);

#endif
