/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What the uplink's NIC does of a frame's offloads, so that the switch need not. The files
 * of the uplink share it; nobody else includes it.
 *
 * Chosen once, when the port is set up; read-only then.
 */
#ifndef UPLINK_NIC_H
#define UPLINK_NIC_H

#include <stdbool.h>
#include <stdint.h>

#include "frame/frame.h"

struct conf;
struct rte_eth_conf;
struct rte_eth_dev_info;
struct rte_mbuf;

struct uplink_nic {
	uint8_t offloads;      /* enum offload: what it does when it transmits */
	bool verifies;         /* it looks at checksums when it receives */
	uint16_t mbufs_max;    /* of a frame that it is to cut */
	uint16_t segments_max; /* that it cuts a frame into */
	uint16_t segment_max;  /* bytes of one, with all headers */
};

/* Chooses from what the port offers and the options ask for, and adds that to its settings. */
void nic_choose(struct uplink_nic *nic, const struct conf *c, const struct rte_eth_dev_info *info,
		struct rte_eth_conf *conf);

/* Whether the NIC does what there is left to do for a frame, of so many mbufs with its tag. */
bool nic_takes(const struct uplink_nic *nic, const struct frame *f, uint16_t mbufs);

/* Tells it what there is to do; `tag`: bytes of the VLAN tag that was put in front. */
void nic_mark(struct rte_mbuf *m, const struct frame *f, uint16_t tag);

#endif /* UPLINK_NIC_H */
