/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Pools: how NICs number them, one row for each; and what the port is configured with. */
#include <rte_ethdev.h>

#include "conf/conf_parse.h"
#include "uplink/vmdq.h"
#include "unit.h"

/* What drivers of DPDK 22.11 say of their ports. */
#define IGB "net_e1000_igb"
#define NIC(name, pools, queues, qbase, pbase) \
	{ \
		.driver_name = name, .max_vmdq_pools = pools, .vmdq_queue_num = queues, \
		.vmdq_queue_base = qbase, .vmdq_pool_base = pbase \
	}

static const struct row {
	const char *nic;
	struct rte_eth_dev_info info;
	uint16_t devices, rx_queues;
	bool loopback, twice;
	struct vmdq_pool software, first, last; /* of devices */
} rows[] = {
		{"82576", NIC(IGB, 8, 16, 0, 0), 7, 16, false, false, {0, 8, 2, 0}, {1, 8, 2, 1},
				{7, 8, 2, 7}},
		{"i350, 82580", NIC(IGB, 8, 8, 0, 0), 7, 8, false, false, {0, 8, 1, 0},
				{1, 8, 1, 1}, {7, 8, 1, 7}},
		{"82599, X540", NIC("net_ixgbe", 64, 128, 0, 0), 63, 128, true, false, {0, 1, 2, 0},
				{2, 1, 2, 1}, {126, 1, 2, 63}},
		{"txgbe", NIC("net_txgbe", 64, 128, 0, 0), 63, 128, true, false, {0, 1, 2, 0},
				{2, 1, 2, 1}, {126, 1, 2, 63}},
		/* Figures at run time: 64 queues of the port itself, then 34 pools of 4. */
		{"i40e", NIC("net_i40e", 34, 136, 64, 1), 34, 64 + 136, true, true, {0, 1, 1, 0},
				{64, 1, 4, 1}, {64 + 33 * 4, 1, 4, 34}},
		/* More than filters can name: 64, of which the port itself is one. */
		{"i40e, large", NIC("net_i40e", 100, 400, 192, 1), 63, 192 + 63 * 4, true, true,
				{0, 1, 1, 0}, {192, 1, 4, 1}, {192 + 62 * 4, 1, 4, 63}},
};

static void
assert_pool(struct vmdq_pool is, struct vmdq_pool wanted)
{
	assert_int_equal(is.first, wanted.first);
	assert_int_equal(is.n, wanted.n);
	assert_int_equal(is.mac, wanted.mac);
	if (wanted.n > 1)
		assert_int_equal(is.step, wanted.step);
}

static void
test_rows(void **state)
{
	struct vmdq_plan plan;
	const struct row *r;
	size_t i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(rows); i++) {
		r = &rows[i];
		print_message("%s\n", r->nic);
		assert_true(vmdq_make_plan(&plan, &r->info));
		assert_int_equal(plan.devices, r->devices);
		assert_int_equal(plan.rx_queues, r->rx_queues);
		assert_int_equal(plan.loopback, r->loopback);
		assert_int_equal(plan.software_twice, r->twice);
		assert_pool(vmdq_software(&plan), r->software);
		assert_pool(vmdq_pool(&plan, 0), r->first);
		assert_pool(vmdq_pool(&plan, plan.devices - 1), r->last);
	}
}

/* No queue belongs to two pools, and each is one that is set up. */
static void
test_queues_apart(void **state)
{
	bool used[1024];
	struct vmdq_plan plan;
	struct vmdq_pool p;
	unsigned int i, d, k, q;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(rows); i++) {
		memset(used, 0, sizeof(used));
		assert_true(vmdq_make_plan(&plan, &rows[i].info));
		for (d = 0; d <= plan.devices; d++) {
			p = d < plan.devices ? vmdq_pool(&plan, d) : vmdq_software(&plan);
			for (k = 0; k < p.n; k++) {
				q = p.first + k * p.step;
				assert_true(q < plan.rx_queues);
				assert_false(used[q]);
				used[q] = true;
			}
			assert_true(p.mac < RTE_ETH_64_POOLS);
		}
	}
}

static void
test_none(void **state)
{
	static const struct rte_eth_dev_info without[] = {
			NIC("net_tap", 0, 0, 0, 0),
			NIC(IGB, 0, 0, 0, 0),
			/* Pools of a driver whose numbering is unknown. */
			NIC("net_bnxt", 64, 128, 0, 0),
			/* Too few to keep one for strangers, or no queues to them. */
			NIC(IGB, 1, 1, 0, 0),
			NIC("net_i40e", 4, 0, 64, 1),
	};
	struct vmdq_plan plan;
	size_t i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(without); i++)
		assert_false(vmdq_make_plan(&plan, &without[i]));
}

/* The pools that a tag leads to. */
static uint64_t
pools_of(const struct rte_eth_vmdq_rx_conf *v, uint16_t tag)
{
	uint64_t pools = 0;
	unsigned int i;

	for (i = 0; i < v->nb_pool_maps; i++)
		if (v->pool_map[i].vlan_id == tag)
			pools |= v->pool_map[i].pools;
	return pools;
}

static struct rte_eth_conf
configured(const struct row *r, uint16_t vlan_base, enum vm2vm vm2vm)
{
	struct conf c = {.vlan_base = vlan_base, .vm2vm = vm2vm};
	struct rte_eth_conf eth = {.rxmode = {.mtu = 1500}};
	struct vmdq_plan plan;

	assert_true(vmdq_make_plan(&plan, &r->info));
	conf_map_tags(&c);
	vmdq_configure(&plan, &c, &eth);
	assert_int_equal(eth.rxmode.mq_mode, RTE_ETH_MQ_RX_VMDQ_ONLY);
	assert_int_equal(eth.rxmode.mtu, 1500);
	return eth;
}

static void
test_configured(void **state)
{
	struct rte_eth_conf eth = configured(&rows[0], 1000, VM2VM_SOFTWARE);
	const struct rte_eth_vmdq_rx_conf *v = &eth.rx_adv_conf.vmdq_rx_conf;

	RTE_SET_USED(state);
	/* 82576: strangers' frames and devices 7 and on go to pool 0; 32 tags in all. */
	assert_int_equal(v->nb_queue_pools, 8);
	assert_true(v->enable_default_pool);
	assert_int_equal(v->default_pool, 0);
	assert_false(v->enable_loop_back);
	assert_int_equal(v->rx_mode,
			RTE_ETH_VMDQ_ACCEPT_BROADCAST | RTE_ETH_VMDQ_ACCEPT_MULTICAST |
					RTE_ETH_VMDQ_ACCEPT_HASH_MC);
	assert_int_equal(pools_of(v, 1000), 1 << 1);
	assert_int_equal(pools_of(v, 1006), 1 << 7);
	assert_int_equal(pools_of(v, 1007), 1 << 0);
	assert_int_equal(v->nb_pool_maps, 32);
	/* 82599: bits beyond the 32nd. */
	eth = configured(&rows[2], 100, VM2VM_NIC);
	assert_true(v->enable_loop_back);
	assert_int_equal(v->rx_mode, RTE_ETH_VMDQ_ACCEPT_BROADCAST | RTE_ETH_VMDQ_ACCEPT_MULTICAST);
	assert_int_equal(v->nb_queue_pools, 64);
	assert_true(pools_of(v, 100 + 62) == UINT64_C(1) << 63);
	assert_true(pools_of(v, 100 + 31) == UINT64_C(1) << 32);
	/* i40e: pools are counted without the port's own, which takes what they do not. */
	eth = configured(&rows[4], 1, VM2VM_NIC);
	assert_false(v->enable_default_pool);
	assert_int_equal(v->nb_queue_pools, 34);
	assert_true(pools_of(v, 1) == 1);
	assert_true(pools_of(v, 34) == UINT64_C(1) << 33);
	assert_int_equal(v->nb_pool_maps, 34);
	/* Tags end at 4094. */
	eth = configured(&rows[2], 4090, VM2VM_SOFTWARE);
	assert_int_equal(v->nb_pool_maps, 5);
}

/* Tags that ports name: each leads to its device's pool, if it names one device alone. */
static void
test_ports_tags(void **state)
{
	static char *words[] = {"vhost-switch", "--", "--port", "a,socket=a,vlan=10", "--port",
			"b,socket=b", "--port", "c,socket=c,vlan=20", "--port",
			"d,socket=d,vlan=20", "--port", "e,socket=e,vlan=5,guests=2", "--port",
			"f,socket=f,vlan=0", NULL};
	static struct conf c;
	struct rte_eth_conf eth = {.rxmode = {.mtu = 1500}};
	const struct rte_eth_vmdq_rx_conf *v = &eth.rx_adv_conf.vmdq_rx_conf;
	struct vmdq_plan plan;

	RTE_SET_USED(state);
	assert_int_equal(conf_parse(&c, RTE_DIM(words) - 1, words), CONF_RUN);
	assert_true(vmdq_make_plan(&plan, &rows[0].info));
	vmdq_configure(&plan, &c, &eth);
	assert_int_equal(pools_of(v, 10), 1 << 1);
	assert_int_equal(pools_of(v, 1000), 0);
	assert_int_equal(pools_of(v, 1001), 1 << 2);
	assert_int_equal(pools_of(v, 20), 1 << 0); /* two ports: sorted in software */
	assert_int_equal(pools_of(v, 5), 1 << 0);  /* two guests */
	assert_int_equal(pools_of(v, 1006), 1 << 7);
	assert_int_equal(v->nb_pool_maps, 32);
	assert_true(v->rx_mode & RTE_ETH_VMDQ_ACCEPT_UNTAG);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_rows),
			cmocka_unit_test(test_queues_apart),
			cmocka_unit_test(test_none),
			cmocka_unit_test(test_configured),
			cmocka_unit_test(test_ports_tags),
	};

	return cmocka_run_group_tests_name("vmdq", tests, NULL, NULL);
}
