/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * TCP and UDP packets, made as by a guest's stack that leaves checksum and segmentation to others,
 * and a check of what became of them. The check shares nothing with the code under test.
 */
#ifndef UNIT_PACKET_H
#define UNIT_PACKET_H

#include <linux/virtio_net.h>

#include "unit.h"

#define PACKET_MAX (65535 + 14 + 8)

struct packet_spec {
	bool ipv6, udp;
	unsigned int tags;        /* VLAN tags */
	unsigned int ip_options;  /* bytes of them, or of IPv6 extension headers: multiples of 8 */
	unsigned int tcp_options; /* bytes: multiples of 4 */
	uint32_t payload;         /* bytes */
	uint16_t gso_size;        /* 0: one frame */
	uint8_t tcp_flags;
	uint64_t seed; /* of addresses, numbers and payload */
};

struct packet {
	uint32_t len;
	uint32_t l3, l4, headers;   /* where they begin, where they end */
	struct virtio_net_hdr vnet; /* as the sender's driver fills it */
	uint8_t bytes[PACKET_MAX];
};

void packet_make(struct packet *p, const struct packet_spec *s);

/*
 * Frame number `i`, whose payload begins `at` bytes into the packet's, must be the right segment of
 * p, in every header field and every checksum. With `partial` the checksum field holds only the sum
 * of the pseudo header. Returns the length of the frame's payload.
 */
uint32_t packet_expect(const struct packet *p, const struct packet_spec *s, const uint8_t *frame,
		uint32_t len, unsigned int i, uint32_t at, bool partial);

#endif /* UNIT_PACKET_H */
