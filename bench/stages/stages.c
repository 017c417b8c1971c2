/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Where the cycles of a frame go: one thread plays two guests and their worker, and reads the time stamp
 * counter between the stages of each burst. Rings, lane and table are those of the unit tests. Guest
 * memory stays in this CPU's cache as far as it fits, so this measures the switch's own work. Only
 * `make bench` shows what it costs to share rings with another CPU.
 *
 *	stages [--plain] [--csum]
 *
 * --plain: the code without vectors (base/simd.h). --csum: frames whose checksum the switch completes. It prints
 * what the fastest tenth of the bursts take at most, because other load makes bursts slower and never faster. Pin
 * it: taskset -c 0.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <rte_cycles.h>

#include "frame/offload.h"
#include "frame/sum.h"
#include "guest/rx.h"
#include "packet.h"
#include "rig.h"
#include "run/stats.h"
#include "switch/forward.h"
#include "switch/route.h"

#define BURSTS 8000
#define HDR ((uint32_t)sizeof(struct virtio_net_hdr_mrg_rxbuf))
/* Distance of buffers: that of DPDK's mbufs, which spreads them over the sets of the cache. */
#define STRIDE 2304
#define HUGE_PAGE (UINT64_C(2) << 20)

enum { FETCH, ROUTE, DELIVER, RETIRE, WHOLE, STAGES };

static bool plain, csum;

struct stand {
	struct rig *rig;
	struct ring *tx, *rx;
	struct port_count count;
	uint64_t cycles[STAGES][BURSTS];
};

/* Gives each of a ring's `entries` a descriptor with a buffer in memory of large pages. */
static void
lay_out(struct ring *r, unsigned int entries, uint32_t len, uint16_t flags)
{
	size_t n = RTE_ALIGN_CEIL((size_t)entries * STRIDE, HUGE_PAGE);
	uint8_t *host = aligned_alloc(HUGE_PAGE, n);
	unsigned int i;

	assert_non_null(host);
	madvise(host, n, MADV_HUGEPAGE);
	memset(host, 0, n);
	free(r->mem.region[0].host);
	r->mem.region[0] = (struct guest_region){.gpa = RING_GPA, .size = n, .host = host};
	r->mem.n = 1;
	for (i = 0; i < entries && !r->vq.packed; i++)
		ring_desc(r, i, RING_GPA + (uint64_t)i * STRIDE, len, flags, 0);
}

static void
offer(struct ring *r, unsigned int first, unsigned int entries, uint32_t len, uint16_t flags)
{
	unsigned int i, at;

	for (i = 0; i < BURST_MAX; i++) {
		at = (first + i) % entries;
		if (r->vq.packed)
			ring_one(r, at, RING_GPA + (uint64_t)at * STRIDE, len, flags);
		else
			ring_offer(r, at);
	}
}

static void
take_back(struct ring *r, uint32_t len)
{
	uint32_t id, got;
	unsigned int i;

	for (i = 0; i < BURST_MAX; i++) {
		assert_true(ring_used(r, &id, &got));
		assert_int_equal(got, len);
	}
}

/* One burst, stage by stage. */
static void
by_stages(struct stand *st, unsigned int k)
{
	struct lane *l = st->rig->lane;
	struct source *s = &st->tx->vq.source;
	struct outcome o;
	uint64_t at[STAGES];

	l->burst.cost = 0;
	at[FETCH] = rte_rdtsc_precise();
	assert_int_equal(s->ops->fetch(s, &l->burst, BURST_MAX), BURST_MAX);
	at[ROUTE] = rte_rdtsc_precise();
	route_burst(l, s, &l->burst);
	at[DELIVER] = rte_rdtsc_precise();
	o = rx_deliver(&st->rx->vq, &l->burst, l->dests.want[0], &st->count);
	at[RETIRE] = rte_rdtsc_precise();
	s->ops->retire(s, l->burst.frame, o.taken, &st->count);
	at[WHOLE] = rte_rdtsc_precise();
	for (unsigned int i = 0; i < WHOLE; i++)
		st->cycles[i][k] = at[i + 1] - at[i];
}

/* One burst as a worker forwards it. */
static void
as_a_whole(struct stand *st, unsigned int k)
{
	uint64_t begin = rte_rdtsc_precise();

	forward_poll(st->rig->lane, &st->tx->vq.source);
	st->cycles[WHOLE][k] = rte_rdtsc_precise() - begin;
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Writes a frame of TCP that leaves its checksum to the switch. */
static void
write_csum(struct rig *r, uint8_t *to, uint32_t len)
{
	struct packet_spec s = {.payload = 0};
	struct packet *p = unit_zalloc(sizeof(*p));

	packet_make(p, &s);
	s.payload = len - p->headers;
	packet_make(p, &s);
	assert_int_equal(p->len, len);
	memcpy(to, &p->vnet, sizeof(p->vnet));
	memcpy(to + HDR, p->bytes, len);
	memcpy(to + HDR, &r->mac[1], RTE_ETHER_ADDR_LEN);
	memcpy(to + HDR + RTE_ETHER_ADDR_LEN, &r->mac[0], RTE_ETHER_ADDR_LEN);
	free(p);
}

static struct stand *
stand_make(bool packed, uint32_t len, unsigned int entries)
{
	uint8_t *host;
	struct stand *st = unit_zalloc(sizeof(*st));
	unsigned int i;

	st->rig = rig_create_known(2);
	st->tx = packed ? ring_create_packed(entries, 0) : ring_create(entries, 0);
	st->rx = packed ? ring_create_packed(entries, 0) : ring_create(entries, 0);
	st->tx->vq.source.park = st->rig->tx[0]->vq.source.park;
	st->tx->vq.source.port = 0;
	st->rig->set[1].vq[0] = &st->rx->vq;
	lay_out(st->tx, entries, HDR + len, 0);
	lay_out(st->rx, entries, STRIDE, WRITE);
	host = st->tx->mem.region[0].host;
	for (i = 0; i < entries; i++, host += STRIDE) {
		if (csum)
			write_csum(st->rig, host, len);
		else
			frame_make(host + HDR, &st->rig->mac[1], &st->rig->mac[0], len, i);
	}
	st->tx->vq.offloads = OFFLOAD_CSUM;
	if (plain)
		st->tx->vq.avx2 = st->rx->vq.avx2 = false;
	return st;
}

static void
stand_end(struct stand *st)
{
	st->tx->vq.source.park = NULL; /* the rig's */
	st->rig->set[1].vq[0] = &st->rig->rx[1]->vq;
	memset(st->rig->lane->count, 0, sizeof(st->rig->lane->count));
	rig_destroy(st->rig);
	ring_destroy(st->tx);
	ring_destroy(st->rx);
	free(st);
}

static void
measure(bool packed, uint32_t len, unsigned int entries, bool shown)
{
	struct stand *st = stand_make(packed, len, entries);
	unsigned int k, i;

	for (k = 0; k < 2 * BURSTS; k++) {
		offer(st->tx, k * BURST_MAX, entries, HDR + len, 0);
		offer(st->rx, k * BURST_MAX, entries, STRIDE, WRITE);
		if (k % 2 == 0)
			by_stages(st, k / 2);
		else
			as_a_whole(st, k / 2);
		take_back(st->tx, 0);
		take_back(st->rx, HDR + len);
	}
	if (shown)
		printf("%-8s%6u%8u", packed ? "packed" : "split", len + 4, entries);
	for (i = 0; i < STAGES; i++) {
		qsort(st->cycles[i], BURSTS, sizeof(uint64_t), compare);
		if (shown)
			printf("%10.1f", (double)st->cycles[i][BURSTS / 10] / BURST_MAX);
	}
	if (shown)
		printf("\n");
	stand_end(st);
}

int
main(int argc, char **argv)
{
	static const uint32_t sizes[] = {60, 252, 1514};
	void *state = NULL;
	unsigned int i, packed;

	for (i = 1; i < (unsigned int)argc; i++) {
		plain = plain || strcmp(argv[i], "--plain") == 0;
		csum = csum || strcmp(argv[i], "--csum") == 0;
	}
	if (unit_eal(&state) != 0)
		return EXIT_FAILURE;
	if (!plain)
		sum_choose();
	printf("cycles a frame, %s, %.1f GHz TSC\n", plain || !unit_avx2() ? "plain C" : "AVX2",
			(double)rte_get_tsc_hz() * 1e-9);
	printf("%-8s%6s%8s%10s%10s%10s%10s%10s\n", "rings", "bytes", "entries", "fetch", "route",
			"deliver", "retire", "whole");
	/* The first measurement only warms up: until the CPU has its clock rate. */
	measure(false, sizes[0], 256, false);
	for (packed = 0; packed < 2; packed++) {
		for (i = 0; i < RTE_DIM(sizes); i++)
			measure(packed, sizes[i], 256, true);
		for (i = 0; i < RTE_DIM(sizes); i++)
			measure(packed, sizes[i], 1024, true);
	}
	return unit_eal_end(&state) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
