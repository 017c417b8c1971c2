/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Sends frames by the uplink: each is copied into an mbuf, with the sender's tag.
 *
 * Called by any worker, for its own struct uplink_tx. A frame that the port does not take now is
 * offered again later from its source: the mbuf is freed. Exception: once a part of a frame's
 * segments was sent, the rest keep their mbufs, and the worker's next frames wait for them.
 */
#include <string.h>

#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "base/atomic.h"
#include "frame/copy.h"
#include "frame/checksum.h"
#include "frame/cost.h"
#include "frame/gso.h"
#include "frame/offload.h"
#include "switch/count.h"
#include "uplink/tag.h"
#include "uplink/uplink.h"
#include "uplink/uplink_priv.h"

/* Most mbufs of a frame that the NIC is to cut: 64 KiB and a tag, with at least 2 KiB in each. */
#define MBUFS_MAX 33

/*
 * Fills an mbuf with a frame that needs nothing except the tag. Returns the bytes that a tag takes
 * in it.
 */
static uint16_t
uplink_tx_fill(const struct uplink *u, struct rte_mbuf *m, const struct frame *f, uint16_t vlan)
{
	uint16_t tag = uplink_tag_by_nic(u, m, uplink_tag_of(u, f, vlan));
	uint16_t extra = tag != 0 ? RTE_VLAN_HLEN : 0;
	uint8_t *start = rte_pktmbuf_mtod(m, uint8_t *), *end = start + extra + f->len;

	frame_copy(start + extra, f);
	if (tag != 0)
		uplink_tag_put(start, &f->eth, tag);
	if (end - start < FRAME_MIN) {
		/* Padding is zeroed, as the bytes of an earlier frame must not be sent. */
		memset(end, 0, FRAME_MIN - (end - start));
		end = start + FRAME_MIN;
	}
	if (unlikely(frame_own_tag(f)))
		uplink_tag_replace(start, vlan);
	m->data_len = m->pkt_len = end - start;
	return extra;
}

/* Fills an mbuf with a frame whose checksum the switch completes. */
static void
uplink_tx_fill_complete(
		const struct uplink *u, struct rte_mbuf *m, const struct frame *f, uint16_t vlan)
{
	uint16_t extra = uplink_tx_fill(u, m, f, vlan);

	checksum_put(rte_pktmbuf_mtod_offset(m, uint8_t *, extra), f);
}

/* Fills an mbuf with a frame that needs a checksum. Returns true if the switch computed it. */
static __rte_noinline bool
uplink_tx_fill_offload(const struct uplink *u, struct uplink_tx *tx, struct rte_mbuf *m,
		const struct frame *f, uint16_t vlan)
{
	if (nic_takes(&u->nic, f, 1)) {
		nic_mark(m, f, uplink_tx_fill(u, m, f, vlan));
		if (rte_eth_tx_prepare(u->port, tx->queue, &m, 1) == 1)
			return false;
		m->ol_flags = 0;
	}
	uplink_tx_fill_complete(u, m, f, vlan);
	return true;
}

static uint16_t
uplink_tx_transmit(struct uplink *u, struct uplink_tx *tx, struct rte_mbuf **m, uint16_t n)
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
 * Transmits mbufs made of frames. Frames that the port does not take are offered again. If a frame
 * is longer than the port says it carries, the port may never take it (net_tap), or only not now (a
 * driver that takes more than it says): it waits like any other, but later frames do not wait for it.
 */
static struct outcome
uplink_tx_transmit_all(struct uplink *u, struct uplink_tx *tx, struct rte_mbuf **m,
		const struct burst *b, frame_set want)
{
	unsigned int n = frame_set_count(want), i = 0, sent;
	struct outcome o = {0, 0};

	while (i < n) {
		sent = uplink_tx_transmit(u, tx, m + i, n - i);
		for (i += sent; sent > 0; sent--, want = frame_set_tail(want))
			o.taken |= frame_set_head(want);
		if (i == n)
			break;
		tx->reason = DROP_UPLINK_FULL;
		if (b->frame[frame_set_first(want)].len <= u->carries)
			break;
		want = frame_set_tail(want);
		rte_pktmbuf_free(m[i++]);
	}
	rte_pktmbuf_free_bulk(m + i, n - i);
	return o;
}

/*
 * Returns the first of the wanted frames, as far as they are plain and nothing is to be done except to add
 * the sender's tag: none has one of its own, and none is too short or too long. *bytes gets the sum of their
 * lengths.
 */
static inline frame_set
uplink_tx_plain_of(const struct uplink *u, const struct burst *b, frame_set want, uint32_t limit,
		uint64_t *bytes)
{
	const struct frame *f;
	frame_set left = want;
	uint64_t sum = 0;

	if (unlikely(u->nic_tags || limit < FRAME_MIN))
		return 0;
	for (; left & b->plain & frame_set_head(left); left = frame_set_tail(left)) {
		f = &b->frame[frame_set_first(left)];
		if (unlikely(f->len - FRAME_MIN > limit - FRAME_MIN || frame_own_tag(f)))
			break;
		sum += f->len;
	}
	*bytes = sum;
	return want & ~left;
}

/*
 * Delivers such frames. An mbuf of the pool has one segment and one owner (DPDK promises it of raw mbufs), so
 * only what differs is set: rte_pktmbuf_alloc_bulk() would also write its second cache line.
 */
static frame_set
uplink_tx_deliver_plain(struct uplink *u, struct uplink_tx *tx, const struct burst *b,
		frame_set want, uint16_t vlan)
{
	struct rte_mbuf *m[BURST_MAX];
	unsigned int n = frame_set_count(want), i = 0, k;
	uint16_t tag, extra;
	const struct frame *f;
	uint8_t *to;

	if (rte_mempool_get_bulk(u->mbufs, (void **)m, n) != 0) {
		tx->reason = DROP_NO_MBUF;
		return 0;
	}
	FRAME_SET_FOREACH(k, want) {
		f = &b->frame[k];
		/* The pool has set as many mbufs as there are bits. NOLINTNEXTLINE */
		m[i]->data_off = RTE_PKTMBUF_HEADROOM;
		m[i]->ol_flags = 0;
		tag = uplink_tag_by_nic(u, m[i], vlan & VLAN_ID);
		extra = tag != 0 ? RTE_VLAN_HLEN : 0;
		to = rte_pktmbuf_mtod(m[i], uint8_t *);
		frame_copy_plain(to + extra, f);
		if (tag != 0)
			uplink_tag_put(to, &f->eth, tag);
		m[i]->data_len = m[i]->pkt_len = f->len + extra;
		i++;
	}
	return uplink_tx_transmit_all(u, tx, m, b, want).taken;
}

/* Delivers frames that take one mbuf each. */
static frame_set
uplink_tx_deliver_run(struct uplink *u, struct uplink_tx *tx, const struct burst *b, frame_set want,
		uint16_t vlan, struct port_count *count)
{
	struct rte_mbuf *m[BURST_MAX];
	unsigned int n = frame_set_count(want), i = 0, k;
	frame_set sent, done = 0;
	const struct frame *f;

	if (rte_pktmbuf_alloc_bulk(u->mbufs, m, n) != 0) {
		tx->reason = DROP_NO_MBUF;
		return 0;
	}
	FRAME_SET_FOREACH(k, want) {
		f = &b->frame[k];
		/* rte_pktmbuf_alloc_bulk() has set as many as there are bits. NOLINTBEGIN */
		if (likely(f->offload == 0))
			uplink_tx_fill(u, m[i++], f, vlan);
		else if (uplink_tx_fill_offload(u, tx, m[i++], f, vlan))
			done |= frame_set_one(k);
		/* NOLINTEND */
	}
	sent = uplink_tx_transmit_all(u, tx, m, b, want).taken;
	if (unlikely(done != 0))
		count_add(&count->checksums, frame_set_count(done & sent));
	return sent;
}

/* Offers segments that wait. Returns true if no more wait. */
static inline bool
uplink_tx_flush(struct uplink *u, struct uplink_tx *tx)
{
	uint16_t sent;

	if (likely(tx->npending == 0))
		return true;
	sent = uplink_tx_transmit(u, tx, tx->pending + tx->next, tx->npending);
	tx->next += sent;
	tx->npending -= sent;
	return tx->npending == 0;
}

bool
uplink_work(struct uplink *u, unsigned int id)
{
	bool left = !uplink_tx_flush(u, &u->tx[id]);
	uint64_t now;

	if (likely(u->call_time == 0) || id != 0)
		return left;
	now = rte_rdtsc();
	if (now < u->call_at)
		return left;
	u->call_at = now + u->call_time;
	uplink_tx_transmit(u, &u->tx[id], NULL, 0);
	return left;
}

/* Fills a chain of n mbufs, each with that much room, with a frame and its tag. */
static void
uplink_tx_fill_chain(const struct uplink *u, struct rte_mbuf **m, unsigned int n, uint32_t room,
		const struct frame *f, uint16_t vlan)
{
	uint8_t front[RTE_VLAN_HLEN + HEADERS_MAX];
	uint16_t tag = uplink_tag_by_nic(u, m[0], uplink_tag_of(u, f, vlan));
	uint32_t extra = tag != 0 ? RTE_VLAN_HLEN : 0, left = f->len + extra;
	struct fragment to[MBUFS_MAX], headers = {.base = front, .len = f->headers->len + extra};
	unsigned int i;

	m[0]->pkt_len = left;
	m[0]->nb_segs = n;
	for (i = 0; i < n; i++, left -= RTE_MIN(left, room)) {
		to[i] = (struct fragment){rte_pktmbuf_mtod(m[i], uint8_t *), room};
		m[i]->data_len = RTE_MIN(left, room);
		m[i]->next = i + 1 < n ? m[i + 1] : NULL;
	}
	frags_copy(to, extra, f->frag, f->len);
	memcpy(front + extra, f->headers->bytes, f->headers->len);
	if (tag != 0)
		uplink_tag_put(front, &f->eth, tag);
	if (frame_own_tag(f))
		uplink_tag_replace(front, vlan);
	frags_copy(to, 0, &headers, headers.len);
	nic_mark(m[0], f, extra);
}

/*
 * Gives the NIC a frame to cut. Returns false if the NIC can't cut it, or, with *full set, has no
 * room.
 */
static __rte_noinline bool
uplink_tx_deliver_whole(struct uplink *u, struct uplink_tx *tx, const struct frame *f,
		uint16_t vlan, bool *full)
{
	uint32_t room = rte_pktmbuf_data_room_size(u->mbufs) - RTE_PKTMBUF_HEADROOM;
	uint32_t len = f->len + uplink_tag_bytes(u, uplink_tag_of(u, f, vlan));
	unsigned int n = (len + room - 1) / room; /* no mbuf is empty: NICs need not take such */
	struct rte_mbuf *m[MBUFS_MAX];

	if (n > MBUFS_MAX || !nic_takes(&u->nic, f, n))
		return false;
	*full = true;
	if (rte_pktmbuf_alloc_bulk(u->mbufs, m, n) != 0) {
		tx->reason = DROP_NO_MBUF;
		return false;
	}
	uplink_tx_fill_chain(u, m, n, room, f, vlan);
	*full = rte_eth_tx_prepare(u->port, tx->queue, m, 1) == 1;
	if (*full && uplink_tx_transmit(u, tx, m, 1) == 1)
		return true;
	tx->reason = DROP_UPLINK_FULL;
	rte_pktmbuf_free(m[0]);
	return false;
}

/* Cuts a frame and delivers the segments: all of them or, if the port takes none now, none. */
static __rte_noinline bool
uplink_tx_deliver_cut(struct uplink *u, struct uplink_tx *tx, const struct frame *f, uint16_t vlan,
		struct port_count *count)
{
	struct gso gso;
	bool full = false;
	unsigned int i;
	uint16_t sent;

	if (uplink_tx_deliver_whole(u, tx, f, vlan, &full))
		return true;
	if (full)
		return false;
	gso_begin(&gso, f);
	if (rte_pktmbuf_alloc_bulk(u->mbufs, tx->pending, gso.n) != 0) {
		tx->reason = DROP_NO_MBUF;
		return false;
	}
	for (i = 0; i < gso.n; i++)
		uplink_tx_fill_complete(u, tx->pending[i], gso_next(&gso), vlan);
	sent = uplink_tx_transmit(u, tx, tx->pending, gso.n);
	if (sent == 0) {
		rte_pktmbuf_free_bulk(tx->pending, gso.n);
		tx->reason = DROP_UPLINK_FULL;
		return false;
	}
	/* The rest is no longer than what the port has just taken, so it will have that, too. */
	tx->next = sent;
	tx->npending = gso.n - sent;
	count_add(&count->checksums, gso.n);
	count_add(&count->segments, gso.n);
	return true;
}

/*
 * Returns the first of the wanted frames, up to one that has to be cut or may be too long. *bytes
 * gets the sum of their lengths.
 */
static inline frame_set
uplink_tx_run_of(const struct burst *b, frame_set want, uint32_t limit, uint64_t *bytes)
{
	const struct frame *f;
	frame_set left;
	uint64_t sum = 0;

	for (left = want; left != 0; left = frame_set_tail(left)) {
		f = &b->frame[frame_set_first(left)];
		if (unlikely((f->offload & OFFLOAD_GSO) || f->len > limit))
			break;
		sum += f->len;
	}
	*bytes = sum;
	return want & ~left;
}

static uint64_t
uplink_tx_bytes_of(const struct burst *b, frame_set frames)
{
	uint64_t sum = 0;
	unsigned int i;

	FRAME_SET_FOREACH(i, frames)
		sum += b->frame[i].len;
	return sum;
}

/* Returns true if a frame, or each of its segments, is no longer than the port takes. */
static bool
uplink_tx_fits(const struct uplink *u, const struct frame *f, uint32_t limit)
{
	uint32_t len = f->len;

	if (f->offload & OFFLOAD_GSO)
		len = RTE_MIN(len, f->headers->len + (uint32_t)f->vnet.gso_size);
	if (f->eth.ether_type == RTE_BE16(RTE_ETHER_TYPE_VLAN) ||
			(frame_own_tag(f) && !u->counts_88a8))
		len -= RTE_VLAN_HLEN;
	return len <= limit;
}

/* Delivers a frame that is cut or too long. Returns what became of it. */
static __rte_noinline struct outcome
uplink_tx_deliver_odd(struct uplink *u, struct uplink_tx *tx, struct burst *b, frame_set one,
		uint16_t vlan, uint32_t limit, struct port_count *count)
{
	struct frame *f = &b->frame[frame_set_first(one)];

	if (!uplink_tx_fits(u, f, limit)) {
		f->reason = limit == 0 ? DROP_LINK_DOWN : DROP_LONG;
		return (struct outcome){.refused = one};
	}
	if (!(f->offload & OFFLOAD_GSO))
		return (struct outcome){.taken = uplink_tx_deliver_run(u, tx, b, one, vlan, count)};
	return (struct outcome){.taken = uplink_tx_deliver_cut(u, tx, f, vlan, count) ? one : 0};
}

/* Returns the cost of offering frames of any kind. */
static uint32_t
uplink_tx_cost_of(const struct burst *b, frame_set frames)
{
	const struct frame *f;
	uint32_t cost = 0;
	unsigned int i;

	FRAME_SET_FOREACH(i, frames) {
		f = &b->frame[i];
		cost += frame_cost(f);
		if (f->offload != 0)
			cost += offload_frames(f) * COST_SEGMENT + COST_SUM(f->len);
	}
	return cost;
}

struct outcome
uplink_deliver(struct uplink *u, unsigned int id, struct burst *b, frame_set want, uint16_t vlan,
		struct port_count *count)
{
	uint32_t limit = load_relaxed(&u->limit);
	struct uplink_tx *tx = &u->tx[id];
	struct outcome all = {0, 0}, o;
	uint64_t len, bytes = 0;
	frame_set run;

	tx->reason = DROP_UPLINK_FULL;
	/* While the link is down no frame waits, not even for waiting segments. */
	while (want != 0 && (likely(uplink_tx_flush(u, tx)) || limit == 0)) {
		run = uplink_tx_plain_of(u, b, want, limit, &len);
		if (likely(run != 0)) {
			o = (struct outcome){.taken = uplink_tx_deliver_plain(u, tx, b, run, vlan)};
			b->cost += frame_set_count(run) * COST_COPY + COST_BYTES(len);
		} else {
			run = uplink_tx_run_of(b, want, limit, &len);
			if (run != 0) {
				o = (struct outcome){.taken = uplink_tx_deliver_run(
								     u, tx, b, run, vlan, count)};
			} else {
				run = frame_set_head(want);
				len = uplink_tx_bytes_of(b, run);
				o = uplink_tx_deliver_odd(u, tx, b, run, vlan, limit, count);
			}
			b->cost += uplink_tx_cost_of(b, run);
		}
		all.taken |= o.taken;
		all.refused |= o.refused;
		bytes += likely(o.taken == run) ? len : uplink_tx_bytes_of(b, o.taken);
		if ((o.taken | o.refused) != run)
			break;
		want &= ~run;
		/* One frame may be cut into more than a thousand. */
		if (unlikely(b->cost >= COST_VISIT_MAX && want != 0)) {
			b->put_off = true;
			break;
		}
	}
	b->cost += COST_DEST;
	count_add(&count->sent, frame_set_count(all.taken));
	count_add(&count->sent_bytes, bytes);
	return all;
}

enum drop_reason
uplink_reason(const struct uplink *u, unsigned int id)
{
	return u->tx[id].reason;
}
