/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Bursts of which some frames have offloads, into rings of both formats: what takes one buffer goes
 * straight, together with plain frames, and can be leased. Every frame arrives finished, in its place.
 */
#include "frame/offload.h"
#include "guest/lease.h"
#include "guest/rx.h"
#include "packet.h"
#include "ring.h"
#include "run/stats.h"
#include "sums.h"

#define SIZE 64
#define HDR ((uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf))
#define BUFFER 1600u
#define MARK 0xa5

struct way {
	struct ring *tx, *rx;
	struct burst burst;
	struct port_count count;
	struct packet packet[SIZE];
	const struct packet_spec *spec[SIZE]; /* of the frames that were sent; NULL: plain */
	unsigned int sent, got, offered;
	uint64_t gpa[SIZE];
};

/* A checksum to complete, short and long, with a tag, over IPv6, of UDP; the last one is to be cut into two. */
static const struct packet_spec kinds[] = {
		{.payload = 6, .seed = 1},
		{.payload = 1400, .tcp_options = 12, .seed = 2},
		{.payload = 301, .ipv6 = true, .tags = 1, .seed = 3},
		{.payload = 1001, .udp = true, .seed = 4},
		{.payload = 2000, .gso_size = 1000, .seed = 5},
};
#define CUT (RTE_DIM(kinds) - 1)

static struct way *
make(bool packed)
{
	struct way *w = unit_zalloc(sizeof(*w));

	w->tx = ring_create(SIZE, 65530);
	w->tx->vq.offloads = OFFLOAD_CSUM | OFFLOAD_TSO4;
	w->rx = packed ? ring_create_packed(SIZE, SIZE - 3) : ring_create(SIZE, UINT16_MAX - 2);
	w->tx->vq.avx2 = w->rx->vq.avx2 = unit_avx2();
	return w;
}

static void
end(struct way *w)
{
	ring_destroy(w->tx);
	ring_destroy(w->rx);
	free(w);
}

/* The sender offers a frame of a kind, or a plain one of the same bytes, in descriptors of `step` bytes. */
static void
send_kind(struct way *w, const struct packet_spec *s, bool plain, uint32_t step)
{
	struct packet *p = &w->packet[w->sent];
	uint32_t total, done, n;
	uint16_t i, head = w->sent * 4;
	uint64_t gpa;

	packet_make(p, s);
	w->spec[w->sent++] = plain ? NULL : s;
	gpa = ring_packet(w->tx, p, &total);
	if (plain)
		memset(ring_at(w->tx, gpa, HDR), 0, HDR);
	for (done = i = 0; done < total; done += n, i++) {
		n = RTE_MIN(step, total - done);
		ring_desc(w->tx, head + i, gpa + done, n, done + n < total ? NEXT : 0,
				head + i + 1);
	}
	ring_offer(w->tx, head);
}

static void
fetch(struct way *w)
{
	struct source *s = &w->tx->vq.source;

	assert_int_equal(s->ops->fetch(s, &w->burst, BURST_MAX), w->sent);
	for (unsigned int i = 0; i < w->sent; i++)
		assert_int_equal(w->burst.frame[i].reason, DROP_NONE);
}

/* Offers a buffer of `len` bytes, between bytes that must not change. */
static void
offer(struct way *w, uint32_t len)
{
	unsigned int i = w->offered++;

	w->gpa[i] = ring_bytes(w->rx, len + 2) + 1;
	memset(ring_at(w->rx, w->gpa[i] - 1, len + 2), MARK, len + 2);
	ring_one(w->rx, i, w->gpa[i], len, WRITE);
}

static struct outcome
deliver(struct way *w, frame_set want)
{
	w->burst.cost = 0;
	w->burst.put_off = false;
	return rx_deliver(&w->rx->vq, &w->burst, want, &w->count);
}

/* The next buffer that came back must hold frame i, finished, or as it was sent if the guest takes it so. */
static void
expect(struct way *w, unsigned int i)
{
	const struct packet *p = &w->packet[i];
	const struct packet_spec *s = w->spec[i];
	bool carried = s != NULL && w->rx->vq.offloads != 0;
	uint32_t hdr = w->rx->vq.hdr_len;
	struct virtio_net_hdr_mrg_rxbuf want = {.num_buffers = 1};
	const uint8_t *at;
	uint32_t id, len;

	assert_true(ring_used(w->rx, &id, &len));
	assert_int_equal(id, w->got++);
	assert_int_equal(len, hdr + p->len);
	at = ring_at(w->rx, w->gpa[id] - 1, len + 2);
	assert_int_equal(at[0], MARK);
	assert_int_equal(at[1 + len], MARK);
	if (carried) {
		want.hdr = p->vnet;
		want.hdr.hdr_len = 0;
	}
	assert_memory_equal(at + 1, &want, hdr);
	if (s != NULL)
		packet_expect(p, s, at + 1 + hdr, len - hdr, 0, 0, carried);
	else
		assert_memory_equal(at + 1 + hdr, p->bytes, p->len);
}

/* Plain frames and others by turns, the first ones of them plain; `far`: some in several descriptors. */
static void
send_mixed(struct way *w, unsigned int n, bool far)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		send_kind(w, &kinds[i % CUT], i < 3 || i % 3 == 0, far && i % 2 ? 500 : UINT32_MAX);
	fetch(w);
}

/* In what test_mixed()'s cases differ. */
enum {
	PACKED = 1,
	TAKES = 2, /* the receiver takes checksums that are not complete */
	FAR = 4,
	RETRIED = 8,
	SHORT = 16, /* the virtio-net header of drivers before virtio 1 */
	BUSY = 32,  /* so many guests are busy that frames and buffers are prefetched */
	WAYS = 64,
};

static void
mixed(unsigned int way)
{
	struct way *w = make(way & PACKED);
	unsigned int i, n = 13;

	w->rx->vq.offloads = way & TAKES ? OFFLOAD_CSUM : 0;
	if (way & SHORT)
		w->rx->vq.hdr_len = sizeof(struct virtio_net_hdr);
	send_mixed(w, n, way & FAR);
	w->burst.cold = w->burst.far = way & BUSY;
	if (way & RETRIED)
		w->burst.plain = 0;
	for (i = 0; i < n; i++)
		offer(w, i % 4 == 0 ? w->rx->vq.hdr_len + w->packet[i].len : BUFFER);
	assert_int_equal(deliver(w, frame_set_of(n)).taken, frame_set_of(n));
	for (i = 0; i < n; i++)
		expect(w, i);
	ring_expect_none(w->rx);
	assert_int_equal(w->count.sent, n);
	assert_int_equal(w->count.checksums, way & TAKES ? 0 : 6);
	end(w);
}

static void
test_mixed(void **state)
{
	unsigned int way;

	(void)state;
	for (way = 0; way < WAYS; way++)
		mixed(way);
}

/* A frame whose buffer is too small waits for no other: it takes several buffers, and so its turn is kept. */
static void
test_small_buffer(void **state)
{
	struct way *w;
	unsigned int i, packed;
	uint32_t id, len;

	(void)state;
	for (packed = 0; packed < 2; packed++) {
		w = make(packed);
		w->rx->vq.mergeable = true;
		send_mixed(w, 8, false);
		for (i = 0; i < 9; i++)
			offer(w, i == 5 ? 300 : BUFFER);
		assert_int_equal(deliver(w, 0xff).taken, 0xff);
		for (i = 0; i < 5; i++)
			expect(w, i);
		assert_true(ring_used(w->rx, &id, &len) && id == 5 && len == 300);
		assert_true(ring_used(w->rx, &id, &len) && id == 6);
		assert_int_equal(300 + len, HDR + w->packet[5].len);
		w->got += 2;
		expect(w, 6);
		expect(w, 7);
		ring_expect_none(w->rx);
		end(w);
	}
}

/* A frame that has to be cut ends what goes straight; the order stays. */
static void
test_cut_between(void **state)
{
	struct way *w;
	unsigned int i, packed;

	(void)state;
	for (packed = 0; packed < 2; packed++) {
		w = make(packed);
		send_kind(w, &kinds[1], false, UINT32_MAX);
		send_kind(w, &kinds[CUT], false, UINT32_MAX);
		send_kind(w, &kinds[0], false, UINT32_MAX);
		fetch(w);
		for (i = 0; i < 4; i++)
			offer(w, BUFFER);
		assert_int_equal(deliver(w, 7).taken, 7);
		expect(w, 0);
		for (i = 0; i < 2; i++, w->got++)
			ring_expect(w->rx, w->got, HDR + w->packet[1].headers + 1000);
		expect(w, 2);
		ring_expect_none(w->rx);
		assert_int_equal(w->count.checksums, 4);
		assert_int_equal(w->count.segments, 2);
		end(w);
	}
}

/* Beside another worker's lease frames with offloads are leased, too; one that has to be cut waits. */
static void
leased(bool packed, bool takes)
{
	struct way *w = make(packed);
	struct virtqueue *vq = &w->rx->vq;
	const struct fragment other = {.len = HDR + 1};
	const uint16_t id = 0;
	struct lease l;
	unsigned int i;

	vq->offloads = takes ? OFFLOAD_CSUM : 0;
	vq->leases.contended = LEASE_BURSTS;
	for (i = 0; i < CUT; i++)
		send_kind(w, &kinds[i], i == 2, UINT32_MAX);
	send_kind(w, &kinds[CUT], false, UINT32_MAX);
	fetch(w);
	for (i = 0; i < 10; i++)
		offer(w, BUFFER);
	/* The first buffer is the other one's. */
	if (packed)
		packed_advance(vq, &vq->last_avail, &vq->avail_wrap, 1);
	else
		vq->last_avail++;
	l = packed ? lease_begin(vq, 1, true) : lease_begin(vq, 1, false);
	assert_int_equal(deliver(w, frame_set_of(CUT + 1)).taken, frame_set_of(CUT));
	assert_true(w->burst.put_off);
	ring_expect_none(w->rx);
	assert_int_equal(w->count.checksums, takes ? 0 : 3);
	if (packed) {
		lease_put(vq, &l, &id, &other, 1, true);
		lease_end(vq, &l, true);
	} else {
		lease_put(vq, &l, &id, &other, 1, false);
		lease_end(vq, &l, false);
	}
	ring_expect(w->rx, w->got++, HDR + 1);
	for (i = 0; i < CUT; i++)
		expect(w, i);
	ring_expect_none(w->rx);
	end(w);
}

static void
test_leased(void **state)
{
	unsigned int i;

	(void)state;
	for (i = 0; i < 4; i++)
		leased(i & 1, i & 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_mixed),
			cmocka_unit_test(test_small_buffer),
			cmocka_unit_test(test_cut_between),
			cmocka_unit_test(test_leased),
	};

	unit_both();
	return sums_run(tests);
}
