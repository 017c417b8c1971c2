/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Parcels: packets of TCP and UDP whose checksum and segmentation are left to the switch, and what
 * must become of them. All of it is written from the RFCs, and knows nothing of the switch's code.
 * No state; any thread.
 */
#ifndef HOSTILE_PARCEL_H
#define HOSTILE_PARCEL_H

#include <stdbool.h>
#include <stdint.h>

#include "vring.h"

#define PARCEL_MAX (65535 + 14 + 8)

struct parcel_spec {
	bool ipv6, udp;
	unsigned tags;       /* VLAN tags, at most 2 */
	unsigned extensions; /* IPv6: headers of 8 bytes before TCP's or UDP's */
	uint32_t payload;    /* bytes */
	uint16_t gso_size;   /* 0: not to be cut */
};

struct parcel {
	struct vr_net_hdr vnet; /* as the sender's driver fills it */
	uint32_t len;
	uint32_t l3, l4, headers; /* where they begin, and where they end */
	uint8_t bytes[PARCEL_MAX];
};

/* `seed`: of ports, sequence number and payload. */
void parcel_make(struct parcel *p, const struct parcel_spec *s, const uint8_t *dst,
		const uint8_t *src, uint32_t seed);

/* Returns true if the sender asks for an offload. */
static inline bool
parcel_asks(const struct parcel *p)
{
	return (p->vnet.flags & VR_HDR_NEEDS_CSUM) != 0 || p->vnet.gso_type != 0;
}

/*
 * Returns what is wrong with a frame that was made of `p`, whose payload begins `at` bytes into
 * p's; NULL if nothing is. `takes` are the features of the receiver; *got is the frame's bytes of
 * payload. It must be p itself if the receiver takes what is asked for. Otherwise it must be
 * finished: every length and checksum is right (given that the partial sum of the sender was
 * right).
 */
const char *parcel_wrong(const struct parcel *p, uint64_t takes, const struct vr_net_hdr *vnet,
		const uint8_t *frame, uint32_t len, uint32_t at, uint32_t *got);

/* Returns what is wrong with a frame that has arrived with this header, whatever was sent; NULL if nothing is. */
const char *parcel_unsound(uint64_t takes, const struct vr_net_hdr *vnet, uint32_t len);

#endif
