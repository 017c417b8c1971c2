/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The offloads that the uplink's NIC does, so that the switch need not. Only the files of the
 * uplink include it.
 *
 * The main lcore chooses them, in struct uplink, when the port is set up. After that they are read-only, and any
 * worker may ask.
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
	uint8_t offloads;      /* set of enum offload: what it does when it transmits */
	bool verifies;         /* it verifies checksums when it receives */
	uint16_t mbufs_max;    /* most mbufs of a frame that it is to cut */
	uint16_t segments_max; /* most segments that it cuts a frame into */
	uint16_t segment_max;  /* most bytes of a segment, with all headers */
};

/* Chooses from what the port offers and the options ask for, and adds that to its settings. */
void nic_choose(struct uplink_nic *nic, const struct conf *c, const struct rte_eth_dev_info *info,
		struct rte_eth_conf *conf);

/*
 * Returns true if the NIC does what is left to do for a frame, which takes so many mbufs with its
 * tag.
 */
bool nic_takes(const struct uplink_nic *nic, const struct frame *f, uint16_t mbufs);

/*
 * Sets the mbuf's flags for what the NIC has to do. `tag`: bytes of the VLAN tag before the frame.
 */
void nic_mark(struct rte_mbuf *m, const struct frame *f, uint16_t tag);

#endif /* UPLINK_NIC_H */
