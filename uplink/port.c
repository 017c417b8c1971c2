/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The DPDK port's settings, queues and mbufs: see uplink_priv.h. Main lcore, at start. */
#include <string.h>

#include <rte_cycles.h>
#include <rte_dev.h>
#include <rte_ethdev.h>
#include <rte_kvargs.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "frame/offload.h"
#include "switch/park.h"
#include "uplink/link.h"
#include "uplink/uplink_priv.h"

/*
 * Descriptors of a queue, for which most NICs' drivers are tuned; the port may want another number.
 */
#define RX_DESCRIPTORS 1024
#define TX_DESCRIPTORS 1024

/*
 * If there are many receive queues, they share this many descriptors. Each has at least the number
 * below: 17 us of the shortest frames at 10 Gbit/s.
 */
#define RX_DESCRIPTORS_ALL 16384
#define RX_DESCRIPTORS_LEAST 256

/*
 * A bond by LACP puts its messages into a queue, and sends them in the calls that transmit frames:
 * without traffic the other end would take the link down. They are due once a second at most.
 */
#define BOND_DRIVER "net_bonding"
#define VIRTIO "net_virtio" /* the names of all virtio drivers begin with it */
#define CALL_MS 100

/* mbufs in the cache of each lcore (rte_mempool's per-lcore cache). */
#define MBUF_CACHE 256

/* Returns the size of an mbuf that holds a whole frame and the sender's tag; NICs count receive buffers in KiB. */
static uint16_t
uplink_port_mbuf_room(const struct conf *c)
{
	return RTE_PKTMBUF_HEADROOM + RTE_ALIGN_CEIL(conf_frame_max(c) + RTE_VLAN_HLEN, 1024);
}

/* Returns the number of receive queues to set up. */
static uint16_t
uplink_port_rx_queues(const struct uplink *u)
{
	return u->vmdq ? u->plan.rx_queues : 1;
}

/* Returns the number of descriptors of a receive queue that is polled. */
static uint16_t
uplink_port_rx_descriptors(const struct uplink *u)
{
	unsigned int each = RX_DESCRIPTORS_ALL / uplink_port_rx_queues(u);

	if (each < RX_DESCRIPTORS_LEAST)
		return RX_DESCRIPTORS_LEAST;
	return each < RX_DESCRIPTORS ? each : RX_DESCRIPTORS;
}

struct rte_kvargs *
uplink_arguments(const struct rte_eth_dev_info *info)
{
	const struct rte_devargs *args = rte_dev_devargs(info->device);

	return args != NULL && args->args != NULL ? rte_kvargs_parse(args->args, NULL) : NULL;
}

/*
 * Returns how many ports have the uplink's queues, each with mbufs of its own: those that a bond was made of. Its
 * driver knows them only when it is configured, so they are counted in its arguments (a link is a slave before 23.11).
 */
static uint32_t
uplink_port_links(const struct rte_eth_dev_info *info)
{
	struct rte_kvargs *list;
	uint32_t n = 0;

	if (strcmp(info->driver_name, BOND_DRIVER) != 0)
		return 1;
	list = uplink_arguments(info);
	if (list != NULL)
		n = rte_kvargs_count(list, "slave") + rte_kvargs_count(list, "member");
	rte_kvargs_free(list);
	return RTE_MAX(n, 1u);
}

/* Returns the number of transmit queues to set up. */
static uint16_t
uplink_port_tx_queues(const struct rte_eth_dev_info *info, unsigned int nworkers)
{
	return RTE_MIN(nworkers, (unsigned int)info->max_tx_queues);
}

/*
 * Returns how many mbufs the port needs: in its queues, and for frames that wait. A driver may keep those it has sent
 * until its transmit queue is full, and frees none unless there is one more to send.
 */
static uint32_t
uplink_port_mbufs_least(
		const struct uplink *u, const struct rte_eth_dev_info *info, unsigned int nworkers)
{
	uint32_t received = uplink_port_rx_queues(u) * uplink_port_rx_descriptors(u);
	uint32_t sent = uplink_port_tx_queues(info, nworkers) * TX_DESCRIPTORS;

	return uplink_port_links(info) * (received + sent) + u->npools * PARK_FRAMES +
			(nworkers + 1) * BURST_MAX;
}

bool
uplink_make_mbufs(struct uplink *u, const struct conf *c, const struct rte_eth_dev_info *info,
		unsigned int nworkers)
{
	uint32_t least = uplink_port_mbufs_least(u, info, nworkers);
	uint32_t n = c->total_num_mbufs, cached;

	if (n == 0)
		n = least + (c->offers.tso ? nworkers * OFFLOAD_SEGMENTS_MAX : 0) +
				(nworkers + 1) * 2 * MBUF_CACHE;
	if (n < least) {
		say_error("--total-num-mbufs %u: port %u needs at least %u for its queues", n,
				u->port, least);
		return false;
	}
	/* What lies in the caches of other lcores, each half as much again as its size, is not to be had. */
	cached = (n - least) / ((nworkers + 1) * 2);
	u->mbufs = rte_pktmbuf_pool_create("uplink", n, RTE_MIN(cached, (uint32_t)MBUF_CACHE), 0,
			uplink_port_mbuf_room(c), rte_eth_dev_socket_id(u->port));
	if (u->mbufs == NULL)
		say_error("no memory for %u mbufs of %u bytes: reserve more hugepages, "
			  "or lower --total-num-mbufs",
				n, uplink_port_mbuf_room(c));
	return u->mbufs != NULL;
}

/*
 * Returns the longest payload that the port takes. Some drivers have a limit only for the whole
 * frame, which rte_eth_dev_configure() then uses.
 */
static uint32_t
uplink_port_mtu_of(const struct rte_eth_dev_info *info)
{
	uint32_t around = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (info->max_mtu != UINT16_MAX && info->max_mtu < info->max_rx_pktlen)
		around = info->max_rx_pktlen - info->max_mtu;
	return RTE_MIN((uint32_t)info->max_mtu, info->max_rx_pktlen - around);
}

/*
 * Returns true if the NIC adds tags. virtio's driver offers that, too, but does it in software, in
 * rte_eth_tx_prepare(), which is not called for most frames.
 */
static bool
uplink_port_inserts(const struct rte_eth_dev_info *info)
{
	return (info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_VLAN_INSERT) != 0 &&
			strncmp(info->driver_name, VIRTIO, strlen(VIRTIO)) != 0;
}

/* Chooses the port's settings from what it offers. */
static void
uplink_port_choose(struct uplink *u, const struct conf *c, const struct rte_eth_dev_info *info,
		struct rte_eth_conf *conf)
{
	uint32_t mtu = c->offers.mergeable ? 9000 : RTE_ETHER_MTU, most = uplink_port_mtu_of(info),
		 carried;

	memset(conf, 0, sizeof(*conf));
	if (u->vmdq && u->plan.short_frames)
		most = RTE_MIN(most, (uint32_t)RTE_ETHER_MTU);
	carried = RTE_MAX(most, link_payload(info));
	if (mtu > carried)
		say(NOTICE,
				"port %u takes frames with %u bytes of payload at most: longer ones "
				"stay between guests\n",
				u->port, carried);
	mtu = RTE_MIN(mtu, most);
	conf->rxmode.mtu = mtu;
	u->carries = mtu + RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN;
	u->strip = c->vlan_strip && c->tagged;
	u->strip_priority = c->vlan_strip && !c->tagged;
	u->strip_hw = u->strip && (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_STRIP);
	u->insert_hw = uplink_port_inserts(info);
	if (u->strip_hw)
		conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
	if (u->insert_hw)
		conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
	nic_choose(&u->nic, c, info, conf);
	if (u->vmdq)
		vmdq_configure(&u->plan, c, conf);
}

/* Distributes the transmit queues among the workers. */
static void
uplink_port_share_queues(struct uplink *u, unsigned int nworkers, uint16_t ntx)
{
	unsigned int i;

	rte_spinlock_init(&u->lock);
	for (i = 0; i < nworkers; i++) {
		u->tx[i].queue = i % ntx;
		u->tx[i].shared = nworkers > ntx ? &u->lock : NULL;
	}
}

/* Returns true if receive queue q belongs to a pool that is polled. */
static bool
uplink_port_is_polled(const struct uplink *u, uint16_t q)
{
	const struct vmdq_pool *p;
	unsigned int i;

	for (i = 0; i < u->npools; i++) {
		p = &u->pool[i].queues;
		if (q >= p->first && (q - p->first) % p->step == 0 &&
				(q - p->first) / p->step < p->n)
			return true;
	}
	return false;
}

/* Sets the receive queues up. Returns 0, or -errno. */
static int
uplink_port_setup_rx(struct uplink *u, const struct rte_eth_dev_info *info)
{
	struct rte_eth_rxconf rxconf = info->default_rxconf;
	uint16_t n, q;
	int rc = 0;

	/* A queue that is full must not hold up the others. */
	rxconf.rx_drop_en = u->vmdq;
	for (q = 0; rc == 0 && q < uplink_port_rx_queues(u); q++) {
		n = uplink_port_is_polled(u, q) ? uplink_port_rx_descriptors(u)
						: info->rx_desc_lim.nb_min;
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(u->port, &n, NULL);
		if (rc == 0)
			rc = rte_eth_rx_queue_setup(u->port, q, n, rte_eth_dev_socket_id(u->port),
					u->vmdq ? &rxconf : NULL, u->mbufs);
	}
	return rc;
}

/* Configures the port with `ntx` transmit queues. Returns 0, or -errno. */
static int
uplink_port_configure(struct uplink *u, const struct rte_eth_conf *conf,
		const struct rte_eth_dev_info *info, uint16_t ntx)
{
	uint16_t n = TX_DESCRIPTORS, q;
	int rc = rte_eth_dev_configure(u->port, uplink_port_rx_queues(u), ntx, conf);

	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(u->port, NULL, &n);
	/*
	 * Transmit queues come before receive queues: since DPDK 24.11 net_tap prepares the cutting
	 * of frames only for the queue that is set up first, and refuses every long frame if that
	 * is a receive queue.
	 */
	for (q = 0; rc == 0 && q < ntx; q++)
		rc = rte_eth_tx_queue_setup(u->port, q, n, rte_eth_dev_socket_id(u->port), NULL);
	if (rc == 0)
		rc = uplink_port_setup_rx(u, info);
	return rc;
}

/*
 * Fills the port's table of multicast hashes. A hash is the last 12 bits of an address, as drivers
 * set the NIC up. So pools take every group.
 */
static void
uplink_port_accept_every_hash(struct uplink *u)
{
	static const uint32_t n = 1 << 12;
	struct rte_ether_addr *list = rte_zmalloc("hashes", n * sizeof(*list), 0);
	uint32_t i;
	int rc;

	for (i = 0; list != NULL && i < n; i++) {
		list[i].addr_bytes[0] = RTE_ETHER_GROUP_ADDR;
		list[i].addr_bytes[4] = i << 4;
		list[i].addr_bytes[5] = i >> 4;
	}
	rc = list != NULL ? rte_eth_dev_set_mc_addr_list(u->port, list, n) : -ENOMEM;
	if (rc != 0)
		say(WARNING, "port %u does not take all multicast into its pools: %s\n", u->port,
				rte_strerror(-rc));
	rte_free(list);
}

/*
 * Lets all multicast in. A driver without such a call may do so anyway; otherwise an error is
 * logged.
 */
static void
uplink_port_allow_multicast(const struct uplink *u)
{
	int rc = rte_eth_allmulticast_enable(u->port);

	if (rc != 0 && rte_eth_allmulticast_get(u->port) != 1)
		say(WARNING,
				"port %u: does not let multicast in (%s): guests get none from it, IPv6 "
				"neighbours included; start with -P\n",
				u->port, rte_strerror(-rc));
}

int
uplink_start_port(struct uplink *u, const struct conf *c, const struct rte_eth_dev_info *info,
		unsigned int nworkers)
{
	struct rte_eth_conf conf;
	uint16_t ntx = uplink_port_tx_queues(info, nworkers);
	int rc;

	uplink_port_choose(u, c, info, &conf);
	rc = uplink_port_configure(u, &conf, info, ntx);
	/* Some ports (net_tap) need as many transmit queues as receive queues: one. */
	if (rc != 0 && ntx > 1)
		rc = uplink_port_configure(u, &conf, info, ntx = 1);
	if (rc == 0)
		rc = rte_eth_dev_start(u->port);
	if (rc != 0)
		return rc;
	u->started = true;
	uplink_port_share_queues(u, nworkers, ntx);
	link_start(u, info);
	if (strcmp(info->driver_name, BOND_DRIVER) == 0)
		u->call_time = rte_get_tsc_hz() / (1000 / CALL_MS);
	uplink_port_allow_multicast(u);
	if (u->vmdq && u->plan.hashes_groups)
		uplink_port_accept_every_hash(u);
	if (c->promiscuous)
		uplink_set_promiscuous(u);
	return 0;
}
