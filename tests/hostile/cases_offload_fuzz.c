/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Offload headers at random, and headers that change while they are read. See cases.h. */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "cases.h"
#include "odd_messages.h"
#include "offload.h"
#include "raw.h"

#define FRAMES 6000 /* other ones in each mode */
#define SEED 0xc5c5c5c5ULL
#define PAYLOAD_MAX 4000
#define RACE_MS 400
#define HUNGRY_MS 20000
#define A_ROUND 8
#define OFFLOADS (VU_F_CSUM | VU_F_HOST_TSO4 | VU_F_HOST_TSO6 | VU_F_HOST_ECN | VU_F_HOST_USO)

static uint64_t
number(uint64_t *state, uint64_t below)
{
	return (odd_number(state) >> 8) % below;
}

/* Sets one field of the virtio-net header to a value that code is likely to get wrong. */
static void
bend_header(struct parcel *p, uint64_t *state)
{
	static const uint8_t flags[] = {0, 1, 2, 3, 4, 0xff};
	static const uint8_t types[] = {0, 1, 3, 4, 5, 0x80, 0x81, 0x84, 0xff};
	const uint16_t lengths[] = {
			0,
			1,
			2,
			14,
			(uint16_t)(p->l4 - 1),
			(uint16_t)p->l4,
			(uint16_t)p->headers,
			(uint16_t)(p->len - 2),
			(uint16_t)p->len,
			0x7fff,
			0xfffe,
			0xffff,
			(uint16_t)number(state, 65536),
	};
	uint16_t length = lengths[number(state, 13)];

	switch (number(state, 6)) {
	case 0:
		p->vnet.flags = flags[number(state, 6)];
		break;
	case 1:
		p->vnet.gso_type = types[number(state, 9)];
		break;
	case 2:
		p->vnet.gso_size = length;
		break;
	case 3:
		p->vnet.csum_start = length;
		break;
	case 4:
		p->vnet.csum_offset = number(state, 2) != 0 ? length : (uint16_t)number(state, 20);
		break;
	default:
		p->vnet.hdr_len = length;
	}
}

/* A packet of any kind, with up to three things wrong with it; the addresses stay. */
static void
make_any(struct parcel *p, const struct trio *t, unsigned to, uint64_t *state)
{
	struct parcel_spec s = {
			.ipv6 = number(state, 2) != 0,
			.udp = number(state, 4) == 0,
			.tags = (unsigned)number(state, 3),
			.payload = (uint32_t)number(state, PAYLOAD_MAX),
	};
	uint64_t wrongs = number(state, 4);

	s.extensions = s.ipv6 && number(state, 3) == 0 ? (unsigned)number(state, 6) : 0;
	s.gso_size = number(state, 3) != 0 ? (uint16_t)(50 + number(state, 1400)) : 0;
	parcel_make(p, &s, t->to[to]->mac, t->bad->mac, (uint32_t)number(state, 65536));
	for (; wrongs > 0; wrongs--) {
		if (number(state, 2) != 0)
			bend_header(p, state);
		else if (number(state, 8) != 0)
			p->bytes[12 + number(state, p->headers - 12)] ^=
					(uint8_t)(1 << number(state, 8));
		else
			p->len = 14 + (uint32_t)number(state, p->len - 13);
		if (p->len <= p->headers)
			break;
	}
	/* If it arrives, it is because the header says so. */
	if (!parcel_asks(p))
		return;
	p->l4 = p->vnet.csum_start;
	if (p->vnet.gso_type ==
			0) /* any protocol may be meant: bytes before the end of the checksum stay as they are */
		p->headers = p->l4 + p->vnet.csum_offset + 2U;
	else
		p->headers = p->l4 +
				(p->vnet.csum_offset == 6 ? 8
								: p->l4 + 12U < p->len
								? (p->bytes[p->l4 + 12] >> 4) * 4U
								: 20);
}

static void
run_fuzz(struct hostile *h, const void *arg)
{
	static struct parcel p;
	uint64_t state = SEED + h->features, arrived = 0, lost = 0;
	struct totals all;
	struct trio t;

	(void)arg;
	if (!trio_open(h, &t, OFFLOADS))
		return;
	h->drops_any = true;
	for (unsigned i = 0; i < FRAMES && !h->failed; i++) {
		unsigned to = i % RECEIVERS;

		make_any(&p, &t, to, &state);
		if (!trio_send(&t, &p, 1 + (i & 7)))
			break;
		if (trio_hears(&t, to, &p, true))
			arrived++;
		else
			lost++;
		if (h->failed)
			remark("frame %u: flags %02x type %02x size %u start %u offset %u hdr_len %u, "
			       "l3 %u l4 %u headers %u len %u",
					i, p.vnet.flags, p.vnet.gso_type, p.vnet.gso_size,
					p.vnet.csum_start, p.vnet.csum_offset, p.vnet.hdr_len, p.l3,
					p.l4, p.headers, p.len);
	}
	if (!EXPECT(h, subject_counters(&h->subject, t.bad->device, &all), "no telemetry"))
		return;
	EXPECT(h, all.dropped == lost, "%ju did not arrive, but %ju were dropped", (uintmax_t)lost,
			(uintmax_t)all.dropped);
	EXPECT(h,
			all.drop[DROP_OFFLOAD] + all.drop[DROP_LONG] + all.drop[DROP_TOO_BIG] +
									all.drop[DROP_RING_FULL] ==
							lost &&
					all.drop[DROP_RING_FULL] < lost / 50,
			"dropped for other reasons");
	EXPECT(h, all.drop[DROP_OFFLOAD] > FRAMES / 10 && arrived > FRAMES / 10,
			"%ju arrived, %ju had bad headers", (uintmax_t)arrived,
			(uintmax_t)all.drop[DROP_OFFLOAD]);
	remark("%ju arrived, %ju had bad headers, %ju were too long", (uintmax_t)arrived,
			(uintmax_t)all.drop[DROP_OFFLOAD], (uintmax_t)all.drop[DROP_LONG]);
}

struct race_state {
	uint8_t *header, *frame; /* in guest memory; a second thread changes them */
	const struct parcel *p;
	bool stop;
};

/* A byte that decides what is done with the frame, wrong and right by turns. */
static void *
racer(void *arg)
{
	struct race_state *r = arg;
	uint64_t state = 7;

	while (!__atomic_load_n(&r->stop, __ATOMIC_RELAXED)) {
		const uint8_t *good = (const uint8_t *)&r->p->vnet;
		uint64_t at = number(&state, 10), in = 12 + number(&state, r->p->headers - 12);

		__atomic_store_n(&r->header[at], (uint8_t)number(&state, 256), __ATOMIC_RELAXED);
		__atomic_store_n(&r->frame[in], (uint8_t)number(&state, 256), __ATOMIC_RELAXED);
		__atomic_store_n(&r->header[at], good[at], __ATOMIC_RELAXED);
		__atomic_store_n(&r->frame[in], r->p->bytes[in], __ATOMIC_RELAXED);
	}
	return NULL;
}

/* Each frame that has arrived must be sound in itself. Returns how many there were. */
static unsigned
look(struct trio *t, unsigned i)
{
	static uint8_t frame[PARCEL_MAX];
	struct party *to = t->to[i];
	unsigned n = 0;
	int len;

	while ((len = nic_recv(&to->nic, frame, sizeof(frame))) > 0) {
		const char *wrong = parcel_unsound(
				to->nic.dev.features, &to->nic.rx_hdr, (uint32_t)len);

		n++;
		EXPECT(t->h, wrong == NULL, "receiver %u: %s", i, wrong);
		EXPECT(t->h, memcmp(frame, to->mac, 6) == 0, "receiver %u: for somebody else", i);
		EXPECT(t->h, i == 0 || len <= (t->h->subject.mergeable ? 9022 : 1522),
				"receiver %u: %d bytes", i, len);
	}
	EXPECT(t->h, len == 0, "receiver %u: %s", i, strerror(-len));
	return n;
}

static void
race_with(struct trio *t, unsigned to, const struct parcel_spec *spec)
{
	static struct parcel p;
	const uint16_t heads[A_ROUND] = {0};
	struct race_state r = {.p = &p};
	struct buf b = raw_buf(t->bad, 0, 12 + 20000);
	int64_t begin = vu_now_ms();
	unsigned arrived = 0;
	pthread_t thread;

	if (b.at == NULL)
		return;
	parcel_make(&p, spec, t->to[to]->mac, t->bad->mac, to);
	r.header = b.at;
	r.frame = b.at + 12;
	memcpy(r.header, &p.vnet, 12);
	memcpy(r.frame, p.bytes, p.len);
	raw_desc(t->bad->nic.tx, 0, b.gpa, 12 + p.len, 0, 0);
	MUST(t->h, pthread_create(&thread, NULL, racer, &r) == 0, "no thread");
	while (!t->h->failed && vu_now_ms() - begin < (arrived > 0 ? RACE_MS : HUNGRY_MS)) {
		raw_post(t->bad->nic.tx, heads, A_ROUND);
		if (!raw_returned(t->bad, t->bad->nic.tx, A_ROUND, NULL))
			break;
		arrived += look(t, to);
	}
	__atomic_store_n(&r.stop, true, __ATOMIC_RELAXED);
	pthread_join(thread, NULL);
	remark("receiver %u: %u frames", to, arrived);
}

static void
run_race(struct hostile *h, const void *arg)
{
	struct trio t;

	if (!trio_open(h, &t, OFFLOADS))
		return;
	h->drops_any = true;
	for (unsigned i = 0; i < RECEIVERS && !h->failed; i++)
		race_with(&t, i, arg);
	for (unsigned i = 0; i < RECEIVERS && !h->failed; i++) {
		look(&t, i);
		party_says(t.to[i], t.bad);
	}
}

const struct hcase cases_offload_fuzz[] = {
		{"offload-fuzz",
				"6,000 packets with random headers: arrive as they must, or dropped",
				run_fuzz},
		{"offload-race-csum", "header and packet change while a checksum is done", run_race,
				&(const struct parcel_spec){.payload = 700}},
		{"offload-race-gso", "header and packet change while it is cut", run_race,
				&(const struct parcel_spec){.payload = 6000, .gso_size = 1000}},
		{"offload-race-ipv6", "the same with extension headers", run_race,
				&(const struct parcel_spec){.ipv6 = true,
						.extensions = 3,
						.payload = 6000,
						.gso_size = 1000}},
		{.name = NULL},
};
