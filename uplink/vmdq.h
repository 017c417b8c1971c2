/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * VMDq: how a NIC numbers its pools, and which pool belongs to which device.
 *
 * A NIC with VMDq sorts received frames by MAC address and VLAN tag into pools, each with its own
 * receive queues. The pool of device i is fixed: ethdev takes the tags of the pools with the port's
 * configuration, when it is known which tag names device i alone (conf_tag_owner()). A tag that
 * several devices may have leads to no device's pool.
 *
 * Frames for which the NIC finds no pool are sorted in software: one pool is kept for them, on most
 * NICs pool 0, the default pool. So frames for unknown addresses reach no device's pool, and
 * devices without a pool are served as well.
 *
 * The main lcore makes a plan once, in struct uplink, from what the driver says about the port. After that it is
 * read-only, and any thread may read it.
 */
#ifndef UPLINK_VMDQ_H
#define UPLINK_VMDQ_H

#include <stdbool.h>
#include <stdint.h>

struct conf;
struct rte_eth_conf;
struct rte_eth_dev_info;

struct vmdq_plan {
	/* These follow from the driver. */
	uint16_t kept;       /* pools for software, before those of devices */
	uint16_t tags;       /* VLAN filters: registers that the driver fills */
	bool loopback;       /* its enable_loop_back works */
	bool software_twice; /* frames of a pool may also be received in software's queue */
	bool short_frames;   /* its pools take no jumbo frames */
	bool hashes_groups;  /* pools take group frames by the NIC's table of hashes */
	/* These follow from the port and its configuration. */
	uint16_t devices;     /* number of devices with a pool, from device 0 on */
	uint16_t rx_queues;   /* receive queues of the port, in all */
	uint16_t pool_queues; /* receive queues of each pool */
	uint16_t pools;       /* number of pools that the port is configured with */
	uint16_t queue_base;  /* first receive queue of pool 0 */
	uint16_t pool_step;   /* from a pool's first queue to the next one's */
	uint16_t queue_step;  /* from one queue of a pool to its next */
	uint16_t mac_base;    /* pool 0 as rte_eth_dev_mac_addr_add() numbers it */
};

/*
 * The receive queues first, first + step, ... (n of them), and the pool's number for MAC filters.
 */
struct vmdq_pool {
	uint16_t first, step, n;
	uint16_t mac;
};

/*
 * Fills *plan for a port. Returns false if the port has no VMDq, or if its driver's numbering of
 * pools is not known here; *plan is then undefined.
 */
bool vmdq_make_plan(struct vmdq_plan *plan, const struct rte_eth_dev_info *info);

/* Returns the pool of device `index` < plan->devices. */
struct vmdq_pool vmdq_pool(const struct vmdq_plan *plan, uint16_t index);

/* Returns the pool for frames that no other pool takes. */
struct vmdq_pool vmdq_software(const struct vmdq_plan *plan);

/* Adds pools, their tags and --vm2vm 2 to the port's settings. */
void vmdq_configure(const struct vmdq_plan *plan, const struct conf *c, struct rte_eth_conf *eth);

#endif /* UPLINK_VMDQ_H */
