/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Fills a guest's receive ring: see rx.h for the contract.
 *
 * Most frames, with offloads or without, fit into a single descriptor: those at the beginning of a burst are put
 * into the ring together. Later ones, long ones, and those that have to be cut are put one by one (fill.h).
 */
#include "frame/copy.h"
#include "guest/fill.h"
#include "guest/lease.h"
#include "guest/rx.h"
#include "switch/count.h"

/*
 * Number of times to try for the lock of a ring that another worker fills. A try takes up to 140 cycles
 * (PAUSE on Intel since Skylake), a burst of 64 short frames some 2,200, and frames that have to wait instead
 * more than 5,000.
 */
#define LOCK_TRIES 16

/* Prefetches descriptors and bytes for the frames after this one. */
static __rte_always_inline void
rx_look_ahead(const struct cursor *c, const struct burst *b, frame_set want, const bool packed)
{
	frame_set next = frame_set_tail(frame_set_tail(want));

	if (next != 0)
		frame_prefetch(&b->frame[frame_set_first(next)]);
	ring_prefetch(c, 4, packed);
}

/* Frames that take one buffer each, and the next chains of one descriptor, for the first n of them. */
struct run {
	frame_set frames;
	unsigned int n;
	unsigned int plain;              /* of these n, so many plain ones come first */
	struct fragment room[BURST_MAX]; /* buffers; when they were filled, the bytes in them */
	uint16_t id[BURST_MAX];          /* what returns them */
};

/*
 * Returns the frames that `want` begins with, as far as each of them, with offloads or without, goes into one
 * buffer that is long enough for any plain frame.
 */
static __rte_noinline frame_set
rx_whole(const struct virtqueue *vq, const struct burst *b, frame_set want)
{
	frame_set odd = want & ~b->plain;
	const struct frame *f;

	for (; odd != 0; odd = frame_set_tail(odd)) {
		f = &b->frame[frame_set_first(odd)];
		if (f->len > FRAME_PLAIN_MAX || fill_wants_cut(vq, f))
			return frame_set_before(want, odd);
	}
	return want;
}

/* Finds the frames that `want` begins with and that take one buffer each, and chains of the wanted kind. */
static __rte_always_inline void
rx_find_run(const struct cursor *c, const struct burst *b, frame_set want, const struct singles *s,
		struct run *r, const bool packed)
{
	frame_set odd = want & ~b->plain;

	r->n = r->plain = 0;
	r->frames = unlikely(odd != 0) ? rx_whole(c->vq, b, want) : want;
	if (unlikely(vq_logging(c->vq) || r->frames == 0))
		return;
	r->n = ring_singles(c, s, frame_set_count(r->frames), r->room, r->id, packed);
	r->plain = r->n;
	if (unlikely(odd != 0))
		r->plain = RTE_MIN(r->n, frame_set_count(frame_set_before(want, odd)));
}

/*
 * The same as rx_put_avx2() for any header, length, and kind of frames: from the k-th frame of a run on.
 * Returns how many were written, with those k.
 */
static __rte_noinline unsigned int
rx_put_each(const struct virtqueue *vq, struct filling *to, struct run *r, unsigned int k)
{
	const struct burst *b = to->b;
	frame_set left = frame_set_after(r->frames, k);
	const struct frame *f;
	struct fragment *room;
	unsigned int i;

	for (; k < r->n; k++, left = frame_set_tail(left)) {
		i = frame_set_first(left);
		f = &b->frame[i];
		room = &r->room[k];
		if (unlikely(room->len < vq->hdr_len + f->len))
			break;
		rx_put_ahead(b, i, room, r->n - k, b->cold);
		if (fill_is_plain(f)) {
			fill_put(vq, room->base, f, true);
		} else {
			fill_put(vq, room->base, f, false);
			fill_note_checksums(to, f, 1);
		}
		room->len = vq->hdr_len + f->len;
		to->tally.frags += f->nfrags - 1;
	}
	return k;
}

/* Brings the first short frames of a run, and their buffers, into the cache: rx_put_ahead() begins after them. */
static __rte_noinline void
rx_put_first(const struct burst *b, const struct run *r)
{
	const struct frame *f = &b->frame[frame_set_first(r->frames)];
	unsigned int k;

	for (k = 0; k < RTE_MIN(r->n, RX_AHEAD_SHORT) && f[k].len <= COPY_INLINE; k++) {
		frame_prefetch(&f[k]);
		copy_prefetch(r->room[k].base, f[k].len + (uint32_t)HDR_MAX);
	}
}

/* Writes the frames of a run, up to the first one that its buffer does not take. Returns how many. */
static __rte_always_inline unsigned int
rx_put_run(const struct virtqueue *vq, struct filling *to, struct run *r)
{
	unsigned int i, k = 0;

	if (unlikely(to->b->far) && r->n > 0)
		rx_put_first(to->b, r);
	if (likely(vq->avx2 && vq->hdr_len == sizeof(struct virtio_net_hdr_mrg_rxbuf)))
		k = rx_put_avx2(to->b, r->frames, r->room, r->plain);
	if (unlikely(k < r->n))
		k = rx_put_each(vq, to, r, k);
	for (i = 0; i < k; i++)
		to->tally.bytes += r->room[i].len - vq->hdr_len;
	return k;
}

/*
 * The usual case, for many frames at once: puts the first frames of `want` into the next chains, as
 * far as each takes one buffer, and the chains are singles that take them. Returns those that were taken.
 */
static __rte_always_inline frame_set
rx_fill_singles(struct cursor *c, struct filling *to, frame_set want, const bool packed)
{
	const struct singles any = {.flags = VRING_DESC_F_WRITE, .most = UINT32_MAX};
	struct virtqueue *vq = c->vq;
	unsigned int k;
	struct run r;

	rx_find_run(c, to->b, want, &any, &r, packed);
	k = rx_put_run(vq, to, &r);
	ring_put_singles(vq, r.id, r.room, k, packed);
	ring_skip(c, k, packed);
	ring_take(c);
	return r.frames & ~frame_set_after(r.frames, k);
}

static __rte_always_inline struct outcome
rx_fill_ring(struct virtqueue *vq, struct filling *to, frame_set want, const bool packed)
{
	struct cursor c = ring_begin(vq, packed);
	struct burst *const b = to->b;
	struct outcome o = {0, 0};
	enum chain_status status;
	struct frame *f;
	frame_set one;

	o.taken = rx_fill_singles(&c, to, want, packed);
	want &= ~o.taken;
	to->at = c;
	for (; want != 0 && ring_more(&c, packed); want = frame_set_tail(want)) {
		f = &b->frame[frame_set_first(want)];
		one = frame_set_head(want);
		rx_look_ahead(&c, b, want, packed);
		status = fill_one(to, &c, f, packed);
		if (unlikely(status != CHAIN_OK)) {
			if (fill_may_wait(status))
				break;
			f->reason = status == CHAIN_BAD ? DROP_RX_DESCRIPTOR : DROP_TOO_BIG;
			o.refused |= one;
			continue;
		}
		o.taken |= one;
		to->tally.bytes += f->len;
		if (unlikely(f->nfrags > 1))
			to->tally.frags += f->nfrags - 1;
	}
	return o;
}

/* Fills and publishes. Returns true if the guest is to be signalled. */
static __rte_always_inline bool
rx_deliver_into(struct virtqueue *vq, struct filling *to, frame_set want, struct outcome *o,
		const bool packed)
{
	uint16_t from = vq->last_used;

	*o = rx_fill_ring(vq, to, want, packed);
	if (unlikely(vq->known.valid) && o->taken != 0)
		vq->known.valid = false;
	if (!ring_has_put(vq, from, packed) || vq_broken(vq))
		return false;
	return ring_publish(vq, from, packed);
}

/*
 * Fills a part of the ring, with the lock released while it copies. Taking the lock again has to wait
 * for others, but while there is a lease none of them holds it for longer than it takes to begin or end one.
 * Returns true if the guest is to be signalled.
 */
static __rte_always_inline bool
rx_deliver_leased(struct virtqueue *vq, struct filling *to, frame_set want, struct outcome *o,
		const bool packed)
{
	/* Each buffer takes any frame of rx_whole(), so all that are leased are filled. */
	const struct singles any = {
			.flags = VRING_DESC_F_WRITE,
			.least = vq->hdr_len + FRAME_PLAIN_MAX,
			.most = UINT32_MAX,
	};
	struct cursor c = ring_begin(vq, packed);
	struct lease l;
	struct run r;

	rx_find_run(&c, to->b, want, &any, &r, packed);
	o->taken = r.frames & ~frame_set_after(r.frames, r.n);
	if (r.n == 0)
		return false;
	ring_skip(&c, r.n, packed);
	ring_take(&c);
	if (unlikely(vq->known.valid))
		vq->known.valid = false;
	l = lease_begin(vq, r.n, packed);
	rte_spinlock_unlock(&vq->leases.lock);
	rx_put_run(vq, to, &r);
	lease_put(vq, &l, r.id, r.room, r.n, packed);
	rte_spinlock_lock(&vq->leases.lock);
	return lease_end(vq, &l, packed);
}

/*
 * Delivers into a ring that other workers want, too. Frames that can't be leased have to wait until
 * nobody has a lease; no more begin until then.
 */
static __rte_always_inline bool
rx_deliver_contended(struct virtqueue *vq, struct filling *to, frame_set want, struct outcome *o,
		const bool packed)
{
	struct outcome rest = {0, 0};
	bool signal = false;
	struct cursor c;

	if (lease_possible(&vq->leases)) {
		signal = rx_deliver_leased(vq, to, want, o, packed);
		want &= ~o->taken;
	}
	if (want == 0)
		return signal;
	if (vq->leases.n != 0) {
		c = ring_begin(vq, packed);
		if (ring_more(&c, packed)) {
			to->b->put_off = true;
			vq->leases.contended = 0;
		}
		return signal;
	}
	signal |= rx_deliver_into(vq, to, want, &rest, packed);
	o->taken |= rest.taken;
	o->refused = rest.refused;
	return signal;
}

/* The same as rx_deliver_into(), for a ring that may be contended. */
static __rte_noinline bool
rx_deliver_beside(struct virtqueue *vq, struct filling *to, frame_set want, struct outcome *o)
{
	*o = (struct outcome){0, 0};
	return vq->packed ? rx_deliver_contended(vq, to, want, o, true)
			  : rx_deliver_contended(vq, to, want, o, false);
}

/*
 * Takes the lock of a ring that another worker holds, if it is let go soon: after a burst of short
 * frames, or when a lease was begun. From then on leases are taken.
 */
static __rte_noinline bool
rx_lock_contended(struct virtqueue *vq, struct burst *b)
{
	unsigned int i;

	for (i = 0; i < LOCK_TRIES; i++) {
		rte_pause();
		b->cost += COST_PAUSE;
		if (rte_spinlock_is_locked(&vq->leases.lock) ||
				!rte_spinlock_trylock(&vq->leases.lock))
			continue;
		/* If there are leases and no more may begin, a frame waits for their end. */
		if (vq->leases.n == 0 || vq->leases.contended != 0)
			vq->leases.contended = LEASE_BURSTS;
		return true;
	}
	return false;
}

static inline bool
rx_lock(struct virtqueue *vq, struct burst *b)
{
	return likely(rte_spinlock_trylock(&vq->leases.lock)) || rx_lock_contended(vq, b);
}

struct outcome
rx_deliver(struct virtqueue *vq, struct burst *b, frame_set want, struct port_count *count)
{
	struct filling to = {.b = b, .at.vq = vq};
	const struct tally *t = &to.tally;
	bool signal, beside;
	struct outcome o;
	uint32_t copies;
	unsigned int n;

	if (unlikely(!rx_lock(vq, b))) {
		b->put_off = true;
		return (struct outcome){0, 0};
	}
	beside = vq->leases.contended != 0 || vq->leases.n != 0;
	if (unlikely(beside))
		signal = rx_deliver_beside(vq, &to, want, &o);
	else
		signal = vq->packed ? rx_deliver_into(vq, &to, want, &o, true)
				    : rx_deliver_into(vq, &to, want, &o, false);
	rte_spinlock_unlock(&vq->leases.lock);

	b->cost += COST_DEST;
	if (o.taken != 0) {
		n = frame_set_count(o.taken);
		copies = COST_BYTES(t->bytes) + (n + t->frags) * COST_COPY;
		b->cost += unlikely(beside) ? COST_BESIDE(copies) : copies;
		count_add(&count->sent, n);
		count_add(&count->sent_bytes, t->bytes);
	}
	if (unlikely(t->checksums + t->segments != 0)) {
		count_add(&count->checksums, t->checksums);
		count_add(&count->segments, t->segments);
	}
	if (signal) {
		b->cost += b->signal;
		vq_signal(vq);
		count_add(&count->signals, 1);
	}
	return o;
}
