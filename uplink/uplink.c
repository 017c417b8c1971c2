/* SPDX-License-Identifier: BSD-3-Clause */
/* Setting the uplink's port up and ending it: see uplink.h for the contract. */
#include <stdlib.h>
#include <string.h>

#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>

#include "forward.h"
#include "park.h"
#include "uplink/uplink.h"
#include "uplink/uplink_priv.h"

/* Descriptors a queue: what most NICs' drivers are tuned for; the port may want other. */
#define RX_DESCRIPTORS 1024
#define TX_DESCRIPTORS 1024

/* mbufs each lcore keeps at hand (rte_mempool's per-lcore cache). */
#define MBUF_CACHE 256

/* Whole frames in one mbuf; NICs count receive buffers in KiB. */
static uint16_t
mbuf_room(const struct conf *c)
{
	return RTE_PKTMBUF_HEADROOM + RTE_ALIGN_CEIL(conf_frame_max(c), 1024);
}

/* mbufs that can be in use at once: in queues, waiting, in bursts, in caches. */
static uint32_t
mbufs_needed(const struct conf *c, unsigned int nworkers)
{
	if (c->total_num_mbufs != 0)
		return c->total_num_mbufs;
	return RX_DESCRIPTORS + nworkers * TX_DESCRIPTORS + PARK_FRAMES + nworkers * BURST_MAX +
			(nworkers + 1) * 2 * MBUF_CACHE;
}

static bool
make_pool(struct uplink *u, const struct conf *c, unsigned int nworkers)
{
	uint32_t n = mbufs_needed(c, nworkers);
	uint32_t least = RX_DESCRIPTORS + PARK_FRAMES + BURST_MAX;

	if (n < least) {
		say_error("--total-num-mbufs %u: port %u needs at least %u for its receive queue",
				n, u->port, least);
		return false;
	}
	u->pool = rte_pktmbuf_pool_create("uplink", n, RTE_MIN(MBUF_CACHE, (int)n / 8), 0,
			mbuf_room(c), rte_eth_dev_socket_id(u->port));
	if (u->pool == NULL)
		say_error("no memory for %u mbufs of %u bytes: reserve more hugepages, "
			  "or lower --total-num-mbufs",
				n, mbuf_room(c));
	return u->pool != NULL;
}

/*
 * Longest payload that the port takes. Some drivers know no limit for it, but
 * one for the whole frame, which rte_eth_dev_configure() then goes by.
 */
static uint32_t
port_mtu(const struct rte_eth_dev_info *info)
{
	uint32_t around = RTE_ETHER_HDR_LEN + RTE_ETHER_CRC_LEN;

	if (info->max_mtu != UINT16_MAX && info->max_mtu < info->max_rx_pktlen)
		around = info->max_rx_pktlen - info->max_mtu;
	return RTE_MIN((uint32_t)info->max_mtu, info->max_rx_pktlen - around);
}

/* Chooses the port's settings from what it offers. */
static void
choose(struct uplink *u, const struct conf *c, const struct rte_eth_dev_info *info,
		struct rte_eth_conf *conf)
{
	uint32_t mtu = c->mergeable ? 9000 : RTE_ETHER_MTU, most = port_mtu(info);

	memset(conf, 0, sizeof(*conf));
	if (mtu > most) {
		say(NOTICE,
				"port %u takes frames with %u bytes of payload at most: longer ones "
				"stay between guests\n",
				u->port, most);
		mtu = most;
	}
	conf->rxmode.mtu = mtu;
	u->carries = mtu + RTE_ETHER_HDR_LEN + RTE_VLAN_HLEN;
	u->strip = c->vlan_strip && c->vlan_base != 0;
	u->strip_hw = u->strip && (info->rx_offload_capa & RTE_ETH_RX_OFFLOAD_VLAN_STRIP);
	u->insert_hw = info->tx_offload_capa & RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
	if (u->strip_hw)
		conf->rxmode.offloads |= RTE_ETH_RX_OFFLOAD_VLAN_STRIP;
	if (u->insert_hw)
		conf->txmode.offloads |= RTE_ETH_TX_OFFLOAD_VLAN_INSERT;
}

/* Shares out the transmit queues among the workers. */
static void
share_queues(struct uplink *u, unsigned int nworkers, uint16_t ntx)
{
	unsigned int i;

	rte_spinlock_init(&u->lock);
	for (i = 0; i < nworkers; i++) {
		u->tx[i].queue = i % ntx;
		u->tx[i].shared = nworkers > ntx ? &u->lock : NULL;
	}
}

/* Configures the port with one receive and `ntx` transmit queues. 0, or -errno. */
static int
configure(struct uplink *u, const struct rte_eth_conf *conf, uint16_t ntx)
{
	uint16_t nrxd = RX_DESCRIPTORS, ntxd = TX_DESCRIPTORS, q;
	int socket = rte_eth_dev_socket_id(u->port);
	int rc = rte_eth_dev_configure(u->port, 1, ntx, conf);

	if (rc == 0)
		rc = rte_eth_dev_adjust_nb_rx_tx_desc(u->port, &nrxd, &ntxd);
	if (rc == 0)
		rc = rte_eth_rx_queue_setup(u->port, 0, nrxd, socket, NULL, u->pool);
	for (q = 0; rc == 0 && q < ntx; q++)
		rc = rte_eth_tx_queue_setup(u->port, q, ntxd, socket, NULL);
	return rc;
}

static void
set_promiscuous(struct uplink *u)
{
	int rc = rte_eth_promiscuous_enable(u->port);

	u->promiscuous = true;
	if (rc != 0 && rc != -ENOTSUP)
		say(WARNING, "port %u does not become promiscuous: %s\n", u->port,
				rte_strerror(-rc));
}

/* Configures and starts the port. 0, or -errno. */
static int
start(struct uplink *u, const struct conf *c, unsigned int nworkers)
{
	struct rte_eth_dev_info info;
	struct rte_eth_conf conf;
	uint16_t ntx;
	int rc;

	rc = rte_eth_dev_info_get(u->port, &info);
	if (rc != 0)
		return rc;
	choose(u, c, &info, &conf);
	ntx = RTE_MIN(nworkers, (unsigned int)info.max_tx_queues);
	rc = configure(u, &conf, ntx);
	/* Some ports (net_tap) want as many transmit queues as receive queues: one. */
	if (rc != 0 && ntx > 1)
		rc = configure(u, &conf, ntx = 1);
	if (rc == 0)
		rc = rte_eth_dev_start(u->port);
	if (rc != 0)
		return rc;
	u->started = true;
	share_queues(u, nworkers, ntx);
	rte_eth_allmulticast_enable(u->port);
	if (c->promiscuous)
		set_promiscuous(u);
	say(INFO, "uplink is port %u (%s), VLAN tags %s%s\n", u->port, info.driver_name,
			u->insert_hw ? "added by the port" : "added in software",
			!u->strip                     ? ""
					: u->strip_hw ? ", stripped by the port"
						      : ", stripped in software");
	return 0;
}

struct uplink *
uplink_open(const struct conf *c, unsigned int nworkers)
{
	struct uplink *u;
	int rc;

	if (!rte_eth_dev_is_valid_port(c->port_id)) {
		say_error("-p: there is no DPDK port %u; bind a NIC to a DPDK driver, or create "
			  "one with --vdev (DPDK sees %u)",
				c->port_id, rte_eth_dev_count_avail());
		return NULL;
	}
	u = rte_zmalloc("uplink", sizeof(*u), RTE_CACHE_LINE_SIZE);
	if (u == NULL) {
		say_error("no memory for the uplink: reserve more hugepages");
		return NULL;
	}
	u->port = c->port_id;
	u->frame_max = conf_frame_max(c);
	u->source.ops = &uplink_source_ops;
	u->source.port = PORT_UPLINK;
	u->source.park = park_create();
	if (u->source.park == NULL || !make_pool(u, c, nworkers)) {
		uplink_free(u);
		return NULL;
	}
	rc = start(u, c, nworkers);
	if (rc == 0)
		return u;
	say_error("port %u does not start: %s; is it in use elsewhere, or bound to another "
		  "driver?",
			c->port_id, rte_strerror(-rc));
	uplink_free(u);
	return NULL;
}

void
uplink_stop(struct uplink *u, struct port_count *count)
{
	if (u == NULL || !u->started)
		return;
	forward_release(&u->source, count);
	rte_eth_dev_stop(u->port);
}

void
uplink_free(struct uplink *u)
{
	if (u == NULL)
		return;
	rte_eth_dev_close(u->port);
	rte_mempool_free(u->pool);
	park_destroy(u->source.park);
	rte_free(u);
}

struct source *
uplink_source(struct uplink *u)
{
	return &u->source;
}

void
uplink_add_mac(struct uplink *u, const struct rte_ether_addr *mac)
{
	struct rte_ether_addr copy = *mac;

	if (u->promiscuous || rte_eth_dev_mac_addr_add(u->port, &copy, 0) == 0)
		return;
	/* Filters are full, or the port has none: let everything in, and sort it. */
	say(INFO,
			"port %u has no room for the addresses of guests: promiscuous from here "
			"on\n",
			u->port);
	set_promiscuous(u);
}

void
uplink_remove_mac(struct uplink *u, const struct rte_ether_addr *mac)
{
	struct rte_ether_addr copy = *mac;

	if (!u->promiscuous)
		rte_eth_dev_mac_addr_remove(u->port, &copy);
}
