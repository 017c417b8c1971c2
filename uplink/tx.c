/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames out of the uplink: each is copied into an mbuf, with the sender's tag.
 *
 * Called by any worker, for its own struct uplink_tx. What the port does not
 * take now is offered again later from where it lies: the mbuf is given back. Not so
 * the segments of a frame of which some are gone: those keep their mbufs, and the
 * worker's next frames wait for them.
 */
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "copy.h"
#include "finish.h"
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

/* Fills an mbuf with a frame that is ready for the wire, but for the tag. */
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

/* The same with a frame whose checksum is left to do. */
static __rte_noinline void
fill_finished(const struct uplink *u, struct rte_mbuf *m, const struct frame *f, uint16_t vlan)
{
	struct finish fin;

	finish_begin(&fin, f, 0);
	fill(u, m, finish_next(&fin), vlan);
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

/* Delivers frames that take one mbuf each. */
static uint64_t
deliver_run(struct uplink *u, struct uplink_tx *tx, const struct burst *b, uint64_t want,
		uint16_t vlan)
{
	struct rte_mbuf *m[BURST_MAX];
	unsigned int n = __builtin_popcountll(want), i = 0;
	const struct frame *f;
	uint64_t left;

	if (rte_pktmbuf_alloc_bulk(u->mbufs, m, n) != 0) {
		tx->reason = DROP_NO_MBUF;
		return 0;
	}
	for (left = want; left != 0; left &= left - 1) {
		f = &b->frame[__builtin_ctzll(left)];
		/* rte_pktmbuf_alloc_bulk() has set as many as there are bits. NOLINTBEGIN */
		if (unlikely(f->offload != 0))
			fill_finished(u, m[i++], f, vlan);
		else
			fill(u, m[i++], f, vlan);
		/* NOLINTEND */
	}
	return transmit_all(u, tx, m, b, want).taken;
}

bool
uplink_flush(struct uplink *u, unsigned int id)
{
	struct uplink_tx *tx = &u->tx[id];
	uint16_t sent;

	if (likely(tx->npending == 0))
		return true;
	sent = transmit(u, tx, tx->pending + tx->next, tx->npending);
	tx->next += sent;
	tx->npending -= sent;
	return tx->npending == 0;
}

/*
 * Cuts a frame and delivers the segments: all or, if the port takes none now, nothing.
 * Only those that it may take some day wait for it.
 */
static __rte_noinline bool
deliver_cut(struct uplink *u, struct uplink_tx *tx, const struct frame *f, uint16_t vlan,
		struct port_count *count)
{
	struct finish fin;
	unsigned int i;
	uint16_t sent;

	finish_begin(&fin, f, 0);
	if (rte_pktmbuf_alloc_bulk(u->mbufs, tx->pending, fin.n) != 0) {
		tx->reason = DROP_NO_MBUF;
		return false;
	}
	for (i = 0; i < fin.n; i++)
		fill(u, tx->pending[i], finish_next(&fin), vlan);
	sent = transmit(u, tx, tx->pending, fin.n);
	if (sent == 0 || finish_len(&fin, 0) > u->carries) {
		rte_pktmbuf_free_bulk(tx->pending + sent, fin.n - sent);
	} else {
		tx->next = sent;
		tx->npending = fin.n - sent;
	}
	if (sent == 0) {
		tx->reason = DROP_UPLINK_FULL;
		return false;
	}
	count_add(&count->checksums, fin.n);
	count_add(&count->segments, fin.n);
	return true;
}

/* Of the frames that are wanted, the first ones, up to one that is to be cut. */
static inline uint64_t
run_of(const struct burst *b, uint64_t want)
{
	uint64_t left = want;

	while (left != 0 && likely(!(b->frame[__builtin_ctzll(left)].offload & OFFLOAD_GSO)))
		left &= left - 1;
	return want & ~left;
}

struct outcome
uplink_deliver(struct uplink *u, unsigned int id, const struct burst *b, uint64_t want,
		uint16_t vlan, struct port_count *count)
{
	struct uplink_tx *tx = &u->tx[id];
	struct outcome o = {0, 0};
	uint64_t left, run, bytes = 0, checksums = 0;
	const struct frame *f;

	tx->reason = DROP_UPLINK_FULL;
	while (want != 0 && likely(uplink_flush(u, id))) {
		run = run_of(b, want);
		if (likely(run != 0)) {
			o.taken |= deliver_run(u, tx, b, run, vlan);
			if ((o.taken & run) != run)
				break;
		} else {
			run = want & -want;
			if (!deliver_cut(u, tx, &b->frame[__builtin_ctzll(want)], vlan, count))
				break;
			o.taken |= run;
		}
		want &= ~run;
	}
	for (left = o.taken; left != 0; left &= left - 1) {
		f = &b->frame[__builtin_ctzll(left)];
		bytes += f->len;
		checksums += f->offload == OFFLOAD_CSUM;
	}
	count_add(&count->sent, __builtin_popcountll(o.taken));
	count_add(&count->checksums, checksums);
	count_add(&count->sent_bytes, bytes);
	return o;
}

enum drop_reason
uplink_reason(const struct uplink *u, unsigned int id)
{
	return u->tx[id].reason;
}
