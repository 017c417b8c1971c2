/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Pools of the NICs that have them: see vmdq.h for the contract. */
#include <string.h>

#include <rte_common.h>
#include <rte_ethdev.h>

#include "conf/conf.h"
#include "switch/port.h"
#include "uplink/vmdq.h"

/* How a driver lays its pools out: the part of the plan that is the same for all its ports. */
struct layout {
	const char *driver;
	bool interleaved; /* queue q belongs to pool q modulo the number of pools */
	struct vmdq_plan plan;
};

static const struct layout layouts[] = {
		/*
		 * 82576, 82580, i350: 32 registers VLVF. The driver can neither set the loopback
		 * nor let long frames into pools (VMOLR.LPE). QEMU's 82576 does not implement pools
		 * that take all multicast (VMOLR.MPME).
		 */
		{.driver = "net_e1000_igb",
				.interleaved = true,
				.plan = {.kept = 1,
						.tags = 32,
						.short_frames = true,
						.hashes_groups = true}},
		/* 82599, X520, X540, X550 and alike: 64 registers. */
		{.driver = "net_ixgbe", .plan = {.kept = 1, .tags = 64, .loopback = true}},
		{.driver = "net_txgbe", .plan = {.kept = 1, .tags = 64, .loopback = true}},
		/*
		 * X710, XL710: pools are switch elements of their own. The port's main one receives
		 * the other frames in queue 0, and copies of group frames.
		 */
		{.driver = "net_i40e",
				.plan = {.tags = RTE_ETH_VMDQ_MAX_VLAN_FILTERS,
						.loopback = true,
						.software_twice = true}},
};

static const struct layout *
vmdq_find_layout(const char *driver)
{
	size_t i;

	for (i = 0; i < RTE_DIM(layouts); i++)
		if (strcmp(layouts[i].driver, driver) == 0)
			return &layouts[i];
	return NULL;
}

bool
vmdq_make_plan(struct vmdq_plan *plan, const struct rte_eth_dev_info *info)
{
	const struct layout *l = vmdq_find_layout(info->driver_name);
	uint16_t most = RTE_ETH_64_POOLS - info->vmdq_pool_base; /* mac_addr_add() takes no more */
	uint16_t pools = RTE_MIN(info->max_vmdq_pools, most);

	if (l == NULL || pools <= l->plan.kept || info->vmdq_queue_num < pools)
		return false;
	*plan = l->plan;
	plan->pools = pools;
	plan->devices = pools - plan->kept; /* there are enough tags for all pools */
	plan->pool_queues = info->vmdq_queue_num / info->max_vmdq_pools;
	plan->queue_base = info->vmdq_queue_base;
	plan->mac_base = info->vmdq_pool_base;
	plan->pool_step = l->interleaved ? 1 : plan->pool_queues;
	plan->queue_step = l->interleaved ? pools : 1;
	plan->rx_queues = plan->queue_base + pools * plan->pool_queues;
	return true;
}

/* Returns pool `n` as the NIC counts them. */
static struct vmdq_pool
vmdq_nth_pool(const struct vmdq_plan *plan, uint16_t n)
{
	return (struct vmdq_pool){
			.first = plan->queue_base + n * plan->pool_step,
			.step = plan->queue_step,
			.n = plan->pool_queues,
			.mac = plan->mac_base + n,
	};
}

struct vmdq_pool
vmdq_pool(const struct vmdq_plan *plan, uint16_t index)
{
	return vmdq_nth_pool(plan, plan->kept + index);
}

struct vmdq_pool
vmdq_software(const struct vmdq_plan *plan)
{
	/* If no pool is kept for software, it is the port's own first queue. */
	return plan->kept != 0 ? vmdq_nth_pool(plan, 0) : (struct vmdq_pool){.step = 1, .n = 1};
}

/* Lets frames with a tag, or with none, into a pool as the NIC counts them. */
static void
vmdq_admit(struct rte_eth_vmdq_rx_conf *v, const struct vmdq_plan *plan, uint16_t tag,
		uint16_t pool)
{

	if (tag == 0) {
		v->rx_mode |= RTE_ETH_VMDQ_ACCEPT_UNTAG;
		return;
	}
	if (v->nb_pool_maps == plan->tags)
		return;
	v->pool_map[v->nb_pool_maps].vlan_id = tag;
	v->pool_map[v->nb_pool_maps++].pools = UINT64_C(1) << pool;
}

void
vmdq_configure(const struct vmdq_plan *plan, const struct conf *c, struct rte_eth_conf *eth)
{
	struct rte_eth_vmdq_rx_conf *v = &eth->rx_adv_conf.vmdq_rx_conf;
	unsigned int vid;
	uint16_t owner;

	eth->rxmode.mq_mode = RTE_ETH_MQ_RX_VMDQ_ONLY;
	v->nb_queue_pools = (enum rte_eth_nb_pools)plan->pools;
	v->enable_default_pool = plan->kept != 0;
	v->default_pool = 0;
	v->enable_loop_back = c->vm2vm == VM2VM_NIC;
	v->rx_mode = RTE_ETH_VMDQ_ACCEPT_BROADCAST | RTE_ETH_VMDQ_ACCEPT_MULTICAST;
	if (plan->hashes_groups)
		v->rx_mode |= RTE_ETH_VMDQ_ACCEPT_HASH_MC;
	for (vid = 0; vid <= VLAN_LAST; vid++) {
		owner = conf_tag_owner(c, vid);
		if (owner < plan->devices)
			vmdq_admit(v, plan, vid, plan->kept + owner);
	}
	/* If no pool is kept for software, frames without a filter go to the port itself. */
	if (plan->kept == 0)
		return;
	/* Other tags lead to the software's pool, as long as there are filters left. */
	for (vid = 0; vid <= VLAN_LAST; vid++) {
		if (conf_tag_owner(c, vid) == TAG_SHARED)
			vmdq_admit(v, plan, vid, 0);
	}
	for (vid = 1; vid <= VLAN_LAST; vid++) {
		owner = conf_tag_owner(c, vid);
		if (owner >= plan->devices && owner < TAG_SHARED)
			vmdq_admit(v, plan, vid, 0);
	}
}
