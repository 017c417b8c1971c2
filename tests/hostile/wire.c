/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Frames that an uplink brings. See wire.h. */
#include "wire.h"

#include <stdint.h>
#include <stdio.h>

#include "frames.h"
#include "gauge.h"

#define MAC 0x05000000
#define COUNT 64 /* frames: a burst of the switch; net_pcap holds them in mbufs */
#define LEN 60

/* The file's header (draft-ietf-opsawg-pcap), and what is before each frame. */
static const uint32_t file_header[] = {0xa1b2c3d4, 2 | 4 << 16, 0, 0, 65535, 1};
static const uint32_t frame_header[] = {0, 0, LEN, LEN};

bool
wire_write(const char *path)
{
	FILE *f = fopen(path, "we");
	uint8_t frame[LEN], to[6], from[6];
	bool written;

	if (f == NULL)
		return false;
	written = fwrite(file_header, sizeof(file_header), 1, f) == 1;
	mac_make(from, MAC);
	for (unsigned i = 0; i < COUNT; i++) {
		mac_make(to, GAUGE_MAC + i % 2);
		frame_make(frame, to, from, TYPE_CASE, 0, LEN);
		written = written && fwrite(frame_header, sizeof(frame_header), 1, f) == 1 &&
				fwrite(frame, LEN, 1, f) == 1;
	}
	return fclose(f) == 0 && written;
}
