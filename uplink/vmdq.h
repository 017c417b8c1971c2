/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * VMDq: what a NIC calls its pools, and which of them is a device's.
 *
 * A NIC with VMDq sorts what comes from the wire by MAC address and VLAN tag into
 * pools, each with receive queues of its own. The pool of device i is fixed: ethdev
 * takes the tags of the pools with the port's configuration, when it is known which tag
 * names device i alone (conf_tag_owner()). A tag that several devices may have leads to
 * no device's pool.
 *
 * What the NIC finds no pool for is sorted in software: one pool is kept for it,
 * on most NICs pool 0, the default pool. So strangers' frames land in nobody's
 * pool, and devices beyond the last pool are served all the same.
 *
 * A plan is made once, from what the driver says of the port, and read-only then.
 */
#ifndef UPLINK_VMDQ_H
#define UPLINK_VMDQ_H

#include <stdbool.h>
#include <stdint.h>

struct conf;
struct rte_eth_conf;
struct rte_eth_dev_info;

struct vmdq_plan {
	/* Of the driver. */
	uint16_t kept;       /* pools for software, in front of the devices' */
	uint16_t tags;       /* VLAN filters: registers that the driver fills */
	bool loopback;       /* its enable_loop_back does what it says */
	bool software_twice; /* what a pool gets may come to the software's queue too */
	bool short_frames;   /* its pools take no jumbo frames */
	bool hashes_groups;  /* pools take group frames by the NIC's table of hashes */
	/* Of the port. */
	uint16_t devices;     /* that have a pool: index 0 and on */
	uint16_t rx_queues;   /* of the port, in all */
	uint16_t pool_queues; /* of a pool */
	uint16_t pools;       /* that the port is configured with */
	uint16_t queue_base;  /* first receive queue of pool 0 */
	uint16_t pool_step;   /* from a pool's first queue to the next one's */
	uint16_t queue_step;  /* from one queue of a pool to its next */
	uint16_t mac_base;    /* pool 0 as rte_eth_dev_mac_addr_add() numbers it */
};

/* Receive queues first, first + step, ... (n of them), and where MAC filters point. */
struct vmdq_pool {
	uint16_t first, step, n;
	uint16_t mac;
};

/*
 * Fills *plan for a port. False: the port has no VMDq, or its driver numbers
 * pools in a way that is not known here; *plan is then undefined.
 */
bool vmdq_make_plan(struct vmdq_plan *plan, const struct rte_eth_dev_info *info);

/* Pool of device `index` < plan->devices. */
struct vmdq_pool vmdq_pool(const struct vmdq_plan *plan, uint16_t index);

/* Where what no pool takes is received. */
struct vmdq_pool vmdq_software(const struct vmdq_plan *plan);

/* Adds pools, their tags and --vm2vm 2 to the port's settings. */
void vmdq_configure(const struct vmdq_plan *plan, const struct conf *c, struct rte_eth_conf *eth);

#endif /* UPLINK_VMDQ_H */
