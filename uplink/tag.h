/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The VLAN tag of a frame that leaves by the uplink: which one, and who writes it. Pure functions, for
 * any worker; used by tx.c alone.
 */
#ifndef UPLINK_TAG_H
#define UPLINK_TAG_H

#include <rte_byteorder.h>
#include <rte_ether.h>
#include <rte_mbuf.h>

#include "frame/frame.h"
#include "uplink/uplink.h"
#include "uplink/uplink_priv.h"

/*
 * Adds a tag to the frame with header *eth that begins 4 bytes after `to`; it then begins at `to`.
 */
static inline void
uplink_tag_put(uint8_t *to, const struct rte_ether_hdr *eth, uint16_t tci)
{
	struct rte_ether_hdr *outer = (struct rte_ether_hdr *)to;
	struct rte_vlan_hdr *tag = (struct rte_vlan_hdr *)(outer + 1);

	*outer = *eth;
	outer->ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	tag->vlan_tci = rte_cpu_to_be_16(tci);
	tag->eth_proto = eth->ether_type;
}

/* Returns the tag to add to a frame of a sender with the tag `vlan`; 0: none. */
static inline uint16_t
uplink_tag_of(const struct uplink *u, const struct frame *f, uint16_t vlan)
{
	if (frame_own_tag(f))
		return 0; /* it keeps its own tag */
	return u->nic_tags && f->tagged ? f->tci : vlan & VLAN_ID;
}

/* Returns how many bytes a tag takes in the frame itself: none if the NIC adds it. */
static inline uint32_t
uplink_tag_bytes(const struct uplink *u, uint16_t tag)
{
	return tag == 0 || u->insert_hw ? 0 : RTE_VLAN_HLEN;
}

/*
 * VLAN 0 is no VLAN (IEEE 802.1Q table 9-2): a guest's priority tag is replaced by the tag of its
 * port, with the guest's priority. So is any tag of a guest that may use none; if its port has none, a second tag
 * within, put there since the frame was looked at, gets a type that is reserved. `frame` is not in the guest's memory.
 */
static inline void
uplink_tag_replace(uint8_t *frame, uint16_t vlan)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)frame;
	struct rte_vlan_hdr *tag = (struct rte_vlan_hdr *)(eth + 1);
	uint16_t tci = rte_be_to_cpu_16(tag->vlan_tci), id = vlan & VLAN_ID;

	if ((tci & VLAN_ID) != 0 && !(vlan & UPLINK_RETAG))
		return;
	if ((vlan & UPLINK_RETAG) && id == 0 && ether_is_tag(tag->eth_proto))
		tag->eth_proto = UINT16_MAX;
	if ((tci & VLAN_ID) == 0 && id == 0) /* it is in no VLAN, and stays so */
		return;
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	tag->vlan_tci = rte_cpu_to_be_16((tci & ~VLAN_ID) | id);
}

/* Has the NIC add a tag, if it can. Returns the tag that the switch has to add, or 0. */
static inline uint16_t
uplink_tag_by_nic(const struct uplink *u, struct rte_mbuf *m, uint16_t tag)
{
	if (tag == 0 || !u->insert_hw)
		return tag;
	m->ol_flags |= RTE_MBUF_F_TX_VLAN;
	m->vlan_tci = tag;
	return 0;
}

#endif /* UPLINK_TAG_H */
