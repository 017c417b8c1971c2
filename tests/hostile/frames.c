/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The frames that the tests send. See frames.h. */
#include "frames.h"

#include <string.h>

const uint8_t mac_broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

void
mac_make(uint8_t *mac, uint32_t number)
{
	mac[0] = 0x02;
	mac[1] = 0x68;
	mac[2] = (uint8_t)(number >> 24);
	mac[3] = (uint8_t)(number >> 16);
	mac[4] = (uint8_t)(number >> 8);
	mac[5] = (uint8_t)number;
}

static uint8_t
pattern(uint64_t seq, size_t at)
{
	return (uint8_t)(seq * 37 + at * 11 + (at >> 8));
}

void
frame_make(uint8_t *frame, const uint8_t *dst, const uint8_t *src, uint16_t type, uint64_t seq,
		size_t len)
{
	memcpy(frame, dst, 6);
	memcpy(frame + 6, src, 6);
	frame[12] = (uint8_t)(type >> 8);
	frame[13] = (uint8_t)type;
	for (size_t i = FRAME_HEADER; i < len; i++)
		frame[i] = pattern(seq, i);
	if (len >= FRAME_MIN)
		memcpy(frame + FRAME_HEADER, &seq, sizeof(seq));
}

uint16_t
frame_type(const uint8_t *frame)
{
	return (uint16_t)(frame[12] << 8 | frame[13]);
}

uint64_t
frame_seq(const uint8_t *frame)
{
	uint64_t seq;

	memcpy(&seq, frame + FRAME_HEADER, sizeof(seq));
	return seq;
}

size_t
frame_damage(const uint8_t *frame, size_t len)
{
	uint64_t seq = frame_seq(frame);

	for (size_t i = FRAME_MIN; i < len; i++)
		if (frame[i] != pattern(seq, i))
			return i;
	return 0;
}
