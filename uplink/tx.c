/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames out of the uplink: each is copied into an mbuf, with the sender's tag.
 *
 * Called by any worker, for its own struct uplink_tx. What the port does not
 * take now is offered again later from where it lies: the mbuf is given back.
 */
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "copy.h"
#include "stats.h"
#include "uplink/uplink.h"
#include "uplink/uplink_priv.h"

/* Frames on the wire are never shorter, checksum aside (IEEE 802.3 clause 3.2.8). */
#define WIRE_MIN (RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN)

/* Writes the frame with the tag between its addresses and its type. */
static uint8_t *
fill_tagged(uint8_t *to, const struct frame *f, uint16_t vlan)
{
	struct rte_ether_hdr *eth = (struct rte_ether_hdr *)to;
	struct rte_vlan_hdr *tag = (struct rte_vlan_hdr *)(eth + 1);

	frame_copy(to + sizeof(*tag), f);
	*eth = f->eth;
	eth->ether_type = RTE_BE16(RTE_ETHER_TYPE_VLAN);
	tag->vlan_tci = rte_cpu_to_be_16(vlan);
	tag->eth_proto = f->eth.ether_type;
	return to + sizeof(*tag) + f->len;
}

static void
fill(const struct uplink *u, struct rte_mbuf *m, const struct frame *f, uint16_t vlan)
{
	uint8_t *start = rte_pktmbuf_mtod(m, uint8_t *), *end;

	if (frame_own_tag(f))
		vlan = 0; /* it keeps that */
	else if (u->nic_tags && f->tagged)
		vlan = f->tci;
	if (vlan != 0 && !u->insert_hw) {
		end = fill_tagged(start, f, vlan);
	} else {
		frame_copy(start, f);
		end = start + f->len;
		if (vlan != 0) {
			m->ol_flags |= RTE_MBUF_F_TX_VLAN;
			m->vlan_tci = vlan;
		}
	}
	if (end - start < WIRE_MIN) {
		/* Zeroes: what an earlier frame left in the mbuf is not for the wire. */
		memset(end, 0, WIRE_MIN - (end - start));
		end = start + WIRE_MIN;
	}
	m->data_len = m->pkt_len = end - start;
}

static uint16_t
transmit(struct uplink *u, struct uplink_tx *tx, struct rte_mbuf **m, uint16_t n)
{
	uint16_t sent;

	if (tx->shared != NULL)
		rte_spinlock_lock(tx->shared);
	sent = rte_eth_tx_burst(u->port, tx->queue, m, n);
	if (tx->shared != NULL)
		rte_spinlock_unlock(tx->shared);
	return sent;
}

/*
 * Transmits mbufs made of frames. What the port leaves is to be offered again. A
 * frame longer than the port promises to carry it may never take (net_tap) or
 * just not now (net_af_packet, which takes more than it says): it waits like any
 * other, but those behind it do not wait for it.
 */
static struct outcome
transmit_all(struct uplink *u, struct uplink_tx *tx, struct rte_mbuf **m, const struct burst *b,
		uint64_t want)
{
	unsigned int n = __builtin_popcountll(want), i = 0, sent;
	struct outcome o = {0, 0};

	while (i < n) {
		sent = transmit(u, tx, m + i, n - i);
		for (i += sent; sent > 0; sent--, want &= want - 1)
			o.taken |= want & -want;
		if (i == n)
			break;
		tx->reason = DROP_UPLINK_FULL;
		if (b->frame[__builtin_ctzll(want)].len <= u->carries)
			break;
		want &= want - 1;
		rte_pktmbuf_free(m[i++]);
	}
	rte_pktmbuf_free_bulk(m + i, n - i);
	return o;
}

struct outcome
uplink_deliver(struct uplink *u, unsigned int id, const struct burst *b, uint64_t want,
		uint16_t vlan, struct port_count *count)
{
	struct uplink_tx *tx = &u->tx[id];
	struct outcome o = {0, 0};
	struct rte_mbuf *m[BURST_MAX];
	unsigned int n = __builtin_popcountll(want), i = 0;
	uint64_t left, bytes = 0;

	if (rte_pktmbuf_alloc_bulk(u->mbufs, m, n) != 0) {
		tx->reason = DROP_NO_MBUF;
		return o;
	}
	for (left = want; left != 0; left &= left - 1)
		/* rte_pktmbuf_alloc_bulk() has set as many as there are bits. NOLINTNEXTLINE */
		fill(u, m[i++], &b->frame[__builtin_ctzll(left)], vlan);
	o = transmit_all(u, tx, m, b, want);
	for (left = o.taken; left != 0; left &= left - 1)
		bytes += b->frame[__builtin_ctzll(left)].len;
	count_add(&count->sent, __builtin_popcountll(o.taken));
	count_add(&count->sent_bytes, bytes);
	return o;
}

enum drop_reason
uplink_reason(const struct uplink *u, unsigned int id)
{
	return u->tx[id].reason;
}
