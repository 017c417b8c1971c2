/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Filters for guests' addresses: shares, what happens when a port is full, and back. */
#include <rte_bus_vdev.h>
#include <rte_ethdev.h>

#include "ring.h"
#include "uplink/uplink.h"
#include "uplink/uplink_priv.h"
#include "unit.h"

#define SECONDS 5  /* that all must fit */
#define REFUSED 10 /* seconds after which the driver is asked again */

/* A port of DPDK with a table of addresses: net_bonding's, of no members. */
struct nic {
	struct uplink u;
	struct conf conf;
	uint32_t room;
};

static struct rte_ether_addr lost;

static int
setup(void **state)
{
	struct rte_ether_addr own = mac_of(999, 0);
	struct nic *n = unit_zalloc(sizeof(*n));
	struct rte_eth_dev_info info;

	assert_int_equal(rte_vdev_init("net_bonding_f", "mode=1"), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name("net_bonding_f", &n->u.port), 0);
	assert_int_equal(rte_eth_dev_info_get(n->u.port, &info), 0);
	assert_int_equal(rte_eth_dev_default_mac_addr_set(n->u.port, &own), 0);
	n->room = info.max_mac_addrs - 1;
	assert_true(n->room >= 8 && n->room < 100);
	n->u.conf = &n->conf;
	assert_true(filter_init(&n->u.filters, n->room));
	*state = n;
	return 0;
}

static int
teardown(void **state)
{
	struct nic *n = *state;

	filter_free(&n->u.filters);
	assert_int_equal(rte_vdev_uninit("net_bonding_f"), 0);
	free(n);
	return 0;
}

static enum filter_state
add(struct nic *n, uint16_t device, uint16_t i)
{
	const struct rte_ether_addr mac = mac_of(device, i);

	return uplink_add_mac(&n->u, &mac, device, 1000 + device, &lost);
}

static void
drop(struct nic *n, uint16_t device, uint16_t i)
{
	const struct rte_ether_addr mac = mac_of(device, i);

	uplink_remove_mac(&n->u, &mac);
}

/* How many of a device's addresses the port itself has. */
static unsigned int
in_port(const struct nic *n, uint16_t device)
{
	struct rte_ether_addr all[100], mac;
	unsigned int i, k, found = 0;
	int count = rte_eth_macaddrs_get(n->u.port, all, RTE_DIM(all));

	assert_true(count > 0);
	for (i = 0; i < 64; i++) {
		mac = mac_of(device, i);
		for (k = 0; k < (unsigned int)count; k++)
			found += rte_is_same_ether_addr(&all[k], &mac);
	}
	return found;
}

static void
ticks(struct nic *n, unsigned int seconds)
{
	for (; seconds > 0; seconds--)
		uplink_tick(&n->u);
}

static void
test_room(void **state)
{
	struct nic *n = *state;
	struct rte_ether_addr mac;
	uint32_t i;

	for (i = 0; i < n->room; i++)
		assert_int_equal(add(n, 0, i), FILTER_PORT);
	assert_false(n->u.promiscuous);
	assert_int_equal(in_port(n, 0), n->room);
	assert_int_equal(add(n, 0, i), FILTER_NONE);
	assert_true(n->u.promiscuous);
	assert_true(rte_is_zero_ether_addr(&lost));
	assert_false(uplink_has_room(&n->u));
	/* Promiscuous until the last one is gone, and some seconds more. */
	ticks(n, 3 * SECONDS);
	assert_true(n->u.promiscuous);
	drop(n, 0, 0);
	assert_true(uplink_has_room(&n->u));
	ticks(n, 3 * SECONDS);
	assert_true(n->u.promiscuous);
	mac = mac_of(0, i); /* the one that has none is tried again */
	assert_int_equal(uplink_move_mac(&n->u, &mac, 0, 1000, &lost), FILTER_PORT);
	assert_false(uplink_has_room(&n->u));
	ticks(n, SECONDS - 1);
	assert_true(n->u.promiscuous);
	ticks(n, 1);
	assert_false(n->u.promiscuous);
	assert_int_equal(rte_eth_promiscuous_get(n->u.port), 0);
}

/* One more in between: the seconds are counted from there. */
static void
test_room_again(void **state)
{
	struct nic *n = *state;
	uint32_t i;

	for (i = 0; i <= n->room; i++)
		add(n, 0, i);
	drop(n, 0, n->room); /* the one that has no filter */
	assert_int_equal(in_port(n, 0), n->room);
	ticks(n, SECONDS - 1);
	assert_int_equal(add(n, 0, n->room), FILTER_NONE);
	drop(n, 0, n->room);
	ticks(n, SECONDS - 1);
	assert_true(n->u.promiscuous);
	ticks(n, 1);
	assert_false(n->u.promiscuous);
	/* Everything fits again. */
	assert_int_equal(add(n, 0, n->room), FILTER_NONE);
	assert_true(n->u.promiscuous);
}

/* A driver refuses one, though it has room: that is tried again, and says nothing of later ones. */
static void
test_refused(void **state)
{
	const struct rte_ether_addr none = {{0}}; /* DPDK refuses it */
	struct nic *n = *state;
	uint32_t i;

	assert_int_equal(add(n, 0, 0), FILTER_PORT);
	assert_int_equal(uplink_add_mac(&n->u, &none, 1, 1001, &lost), FILTER_NONE);
	assert_int_equal(add(n, 0, 1), FILTER_NONE);
	assert_false(uplink_has_room(&n->u));
	ticks(n, REFUSED);
	assert_true(uplink_has_room(&n->u));
	ticks(n, 1); /* nobody tried */
	assert_false(uplink_has_room(&n->u));
	ticks(n, REFUSED);
	assert_true(uplink_has_room(&n->u));
	for (i = 2; i < n->room + 1; i++)
		assert_int_equal(add(n, 0, i), FILTER_PORT);
	assert_int_equal(in_port(n, 0), n->room);
	assert_false(uplink_has_room(&n->u));
}

/* A driver refuses promiscuous mode: it is asked again, not left without what has no filter. */
static void
test_promiscuous_refused(void **state)
{
	struct nic *n = *state;
	uint16_t port = n->u.port;
	uint32_t i;

	for (i = 0; i < n->room; i++)
		add(n, 0, i);
	n->u.port = RTE_MAX_ETHPORTS; /* DPDK refuses it */
	assert_int_equal(add(n, 0, i), FILTER_NONE);
	n->u.port = port;
	ticks(n, REFUSED - 1);
	assert_int_equal(rte_eth_promiscuous_get(port), 0);
	ticks(n, 1);
	assert_int_equal(rte_eth_promiscuous_get(port), 1);
	/* It is switched off as ever. */
	drop(n, 0, i);
	ticks(n, SECONDS);
	assert_int_equal(rte_eth_promiscuous_get(port), 0);
}

/* A device with all filters gives up some to those that come later. */
static void
test_shares(void **state)
{
	struct nic *n = *state;
	struct rte_ether_addr mac;
	uint32_t i;

	for (i = 0; i < n->room; i++)
		add(n, 0, i);
	for (i = 0; i < n->room / 2; i++) {
		assert_int_equal(add(n, 1, i), FILTER_PORT);
		/* It is known whose filter it was, and the port receives the address all the same. */
		assert_int_equal(in_port(n, 0), n->room - 1 - i);
		assert_true(n->u.promiscuous);
		mac = mac_of(0, lost.addr_bytes[5]);
		assert_true(rte_is_same_ether_addr(&lost, &mac));
	}
	assert_int_equal(in_port(n, 1), n->room / 2);
	/* Not more than its share. */
	assert_int_equal(add(n, 1, i), FILTER_NONE);
	assert_true(rte_is_zero_ether_addr(&lost));
	assert_int_equal(in_port(n, 1), n->room / 2);
	assert_int_equal(add(n, 0, 60), FILTER_NONE);
	assert_int_equal(add(n, 2, 0), FILTER_PORT);
	assert_int_equal(in_port(n, 2), 1);
	/* The first one leaves: all others have room. */
	for (i = 0; i < n->room; i++)
		drop(n, 0, i);
	drop(n, 0, 60);
	assert_true(uplink_has_room(&n->u));
	assert_int_equal(n->u.filters.without, 1); /* device 1's last */
}

/* From one device to another; both with a filter and with none. */
static void
test_move(void **state)
{
	const struct rte_ether_addr mac = mac_of(0, 0), none = mac_of(0, 63);
	struct nic *n = *state;
	uint32_t i;

	add(n, 0, 0);
	assert_int_equal(uplink_move_mac(&n->u, &mac, 1, 1001, &lost), FILTER_PORT);
	assert_int_equal(n->u.filters.of[0], 0);
	assert_int_equal(n->u.filters.of[1], 1);
	assert_int_equal(in_port(n, 0), 1);
	for (i = 1; i < n->room; i++)
		add(n, 1, i);
	assert_int_equal(uplink_add_mac(&n->u, &none, 1, 1001, &lost), FILTER_NONE);
	assert_int_equal(n->u.filters.without, 1);
	assert_int_equal(uplink_move_mac(&n->u, &none, 2, 1002, &lost), FILTER_PORT);
	assert_int_equal(n->u.filters.without, 1); /* another's */
	assert_false(rte_is_zero_ether_addr(&lost));
}

/* -P: no filters, and promiscuous for good. */
static void
test_promiscuous(void **state)
{
	struct nic *n = *state;

	n->conf.promiscuous = n->u.promiscuous = true;
	assert_int_equal(add(n, 0, 0), FILTER_NONE);
	drop(n, 0, 0);
	ticks(n, 2 * SECONDS);
	assert_true(n->u.promiscuous);
	assert_int_equal(in_port(n, 0), 0);
	assert_false(uplink_has_room(&n->u));
}

/* A port that takes none at all stays promiscuous: it would change with each guest. */
static void
test_no_filters(void **state)
{
	struct nic *n = *state;

	n->u.filters.most = 0;
	assert_int_equal(add(n, 0, 0), FILTER_NONE);
	assert_true(n->u.promiscuous);
	drop(n, 0, 0);
	ticks(n, 2 * SECONDS);
	assert_true(n->u.promiscuous);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
			TEST(test_room),
			TEST(test_room_again),
			TEST(test_refused),
			TEST(test_promiscuous_refused),
			TEST(test_shares),
			TEST(test_move),
			TEST(test_promiscuous),
			TEST(test_no_filters),
	};

	return cmocka_run_group_tests_name("filter", tests, unit_eal, unit_eal_end);
}
