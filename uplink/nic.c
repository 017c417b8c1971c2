/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Offloads of the uplink's NIC: see nic.h for the contract. */
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "conf/conf.h"
#include "frame/offload.h"
#include "uplink/nic.h"

#define RX_CHECKSUMS \
	(RTE_ETH_RX_OFFLOAD_IPV4_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM | \
			RTE_ETH_RX_OFFLOAD_TCP_CKSUM)
#define TX_CHECKSUMS \
	(RTE_ETH_TX_OFFLOAD_IPV4_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM | \
			RTE_ETH_TX_OFFLOAD_TCP_CKSUM)
#define TX_SEGMENTS (RTE_ETH_TX_OFFLOAD_TCP_TSO | RTE_ETH_TX_OFFLOAD_MULTI_SEGS)

/*
 * net_tap cuts in software, by rte_gso: only IPv4, into as many segments as it has room for mbufs.
 * With their Ethernet headers these may not be longer than the MTU.
 */
#define TAP_DRIVER "net_tap"
#define TAP_SEGMENTS 64

void
nic_choose(struct uplink_nic *nic, const struct conf *c, const struct rte_eth_dev_info *info,
		struct rte_eth_conf *conf)
{
	*nic = (struct uplink_nic){
			.mbufs_max = info->tx_desc_lim.nb_seg_max,
			.segments_max = UINT16_MAX,
			.segment_max = UINT16_MAX,
	};
	if (nic->mbufs_max == 0) /* it does not tell */
		nic->mbufs_max = UINT16_MAX;
	if (c->offers.csum && (info->rx_offload_capa & RX_CHECKSUMS) == RX_CHECKSUMS) {
		nic->verifies = true;
		conf->rxmode.offloads |= RX_CHECKSUMS;
	}
	if (!c->offers.csum || (info->tx_offload_capa & TX_CHECKSUMS) != TX_CHECKSUMS)
		return;
	nic->offloads = OFFLOAD_CSUM;
	conf->txmode.offloads |= TX_CHECKSUMS;
	if (!c->offers.tso || (info->tx_offload_capa & TX_SEGMENTS) != TX_SEGMENTS)
		return;
	nic->offloads |= OFFLOAD_TSO4 | OFFLOAD_TSO6;
	conf->txmode.offloads |= TX_SEGMENTS;
	if (strcmp(info->driver_name, TAP_DRIVER) == 0) {
		nic->offloads &= ~OFFLOAD_TSO6;
		nic->segments_max = TAP_SEGMENTS;
		nic->segment_max = conf->rxmode.mtu;
	}
}

bool
nic_takes(const struct uplink_nic *nic, const struct frame *f, uint16_t mbufs)
{
	/* NICs know TCP and UDP, in IPv6 only without extension headers. */
	if ((f->offload & ~nic->offloads) != 0 || f->headers->extended || f->headers->generic)
		return false;
	if (!(f->offload & OFFLOAD_GSO))
		return true;
	return mbufs <= nic->mbufs_max && offload_frames(f) <= nic->segments_max &&
			f->headers->len + RTE_VLAN_HLEN + f->vnet.gso_size <= nic->segment_max;
}

void
nic_mark(struct rte_mbuf *m, const struct frame *f, uint16_t tag)
{
	const struct headers *h = f->headers;

	m->l2_len = h->l3 + tag;
	m->l3_len = h->l4 - h->l3;
	m->l4_len = h->len - h->l4;
	m->ol_flags |= h->ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4;
	m->ol_flags |= h->tcp ? RTE_MBUF_F_TX_TCP_CKSUM : RTE_MBUF_F_TX_UDP_CKSUM;
	if (!(f->offload & OFFLOAD_GSO))
		return;
	m->tso_segsz = f->vnet.gso_size;
	m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
	if (!h->ipv6) /* each segment's differs */
		m->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM;
}
