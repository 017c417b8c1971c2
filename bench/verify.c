/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The verifying mode: frames with sequence numbers and patterns, of random lengths, at a rate
 * that the switch must sustain without loss. Everything that arrives is checked. The guests are
 * ordinary ones (tests/driver/nic.h), so this also checks what the fast modes take for granted.
 */
#include "gen.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../tests/driver/nic.h"

#define MAGIC 0x56535721u
#define ETHERTYPE 0x88b5 /* for local experiments */
#define FRAME_ROOM 9216
#define CONNECT_MS 20000
#define REACH_MS 60000 /* the switch may get little of a CPU */
#define LATE_MS 30000  /* what has not arrived by then is lost */
#define HELLO_MS 50    /* from one round of hellos to the next */
#define MERGE_BUF 2048 /* mergeable buffers: a jumbo frame takes five */

enum kind { HELLO_ALL, HELLO_PEER, DATA };

struct tag { /* follows the Ethernet header */
	uint32_t magic;
	uint16_t kind;
	uint16_t sender;
	uint32_t len; /* of the frame */
	uint32_t padding;
	uint64_t seq;
};

struct counts {
	uint64_t sent, received, bytes;
	uint64_t lost, reordered, corrupt, strays, full;
	uint64_t bad_headers; /* virtio-net headers that break the specification */
};

struct verify {
	const struct gen_conf *conf;
	struct nic nic[GEN_GUESTS_MAX];
	unsigned n;
	unsigned n_senders;
	unsigned sender[GEN_GUESTS_MAX];
	unsigned peer[GEN_GUESTS_MAX];
	uint64_t next_seq[GEN_GUESTS_MAX]; /* of each sender */
	uint64_t expected[GEN_GUESTS_MAX]; /* the next one at its receiver */
	bool heard[GEN_GUESTS_MAX];        /* its peer got a hello that was for it alone */
	bool astray;                       /* and somebody else got one; it may come late */
	struct counts count;
	uint64_t random;
	uint8_t frame[FRAME_ROOM];
	uint8_t wanted[FRAME_ROOM];
};

static uint64_t
next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

static void
make_frame(struct verify *v, uint8_t *frame, enum kind kind, unsigned from, uint64_t seq,
		unsigned len)
{
	struct tag tag = {
			.magic = MAGIC,
			.kind = (uint16_t)kind,
			.sender = (uint16_t)from,
			.len = len,
			.seq = seq,
	};
	uint64_t x = (seq + 1) * 0x9e3779b97f4a7c15u ^ from ^ (uint64_t)v->conf->seed << 32;
	unsigned at = 14 + sizeof(tag);

	if (kind == HELLO_ALL)
		memset(frame, 0xff, 6);
	else
		gen_mac(v->peer[from], frame);
	gen_mac(from, frame + 6);
	frame[12] = ETHERTYPE >> 8;
	frame[13] = ETHERTYPE & 0xff;
	memcpy(frame + 14, &tag, sizeof(tag));
	for (; at + 8 <= len; at += 8) {
		next_random(&x);
		memcpy(frame + at, &x, 8);
	}
	next_random(&x);
	memcpy(frame + at, &x, len - at);
}

static void
check_data(struct verify *v, unsigned at, const struct tag *tag, unsigned len)
{
	unsigned from = tag->sender;

	if (v->peer[from] != at) {
		v->count.strays++;
		return;
	}
	v->count.received++;
	v->count.bytes += len;
	make_frame(v, v->wanted, DATA, from, tag->seq, tag->len <= FRAME_ROOM ? tag->len : len);
	if (tag->len != len || memcmp(v->wanted, v->frame, len) != 0)
		v->count.corrupt++;
	if (tag->seq < v->expected[from]) {
		/* It was counted as lost when the one after it came. */
		v->count.reordered++;
		v->count.lost -= v->count.lost > 0;
		return;
	}
	v->count.lost += tag->seq - v->expected[from];
	v->expected[from] = tag->seq + 1;
}

/* No offload was negotiated, so everything except the number of buffers must be zero. */
static void
check_header(struct verify *v, const struct nic *nic)
{
	const struct vr_net_hdr *h = &nic->rx_hdr;

	if (h->flags != 0 || h->gso_type != VR_HDR_GSO_NONE ||
			(nic->hdr_len == 12 && h->num_buffers != nic->rx_merged))
		v->count.bad_headers++;
}

/* Receives a frame, if there is one. Returns 1, 0 (none), or a negative errno. */
static int
receive(struct verify *v, unsigned at)
{
	struct tag tag;
	int len;

	len = nic_recv(&v->nic[at], v->frame, sizeof(v->frame));
	if (len <= 0)
		return len;
	check_header(v, &v->nic[at]);
	if ((unsigned)len < 14 + sizeof(tag)) {
		v->count.corrupt++;
		return 1;
	}
	memcpy(&tag, v->frame + 14, sizeof(tag));
	if (tag.magic != MAGIC || tag.sender >= v->n)
		v->count.corrupt++;
	else if (tag.kind == DATA)
		check_data(v, at, &tag, (unsigned)len);
	else if (tag.kind == HELLO_PEER && v->peer[tag.sender] == at)
		v->heard[tag.sender] = true;
	else if (tag.kind == HELLO_PEER)
		v->astray = true;
	return 1;
}

static int
receive_all(struct verify *v, unsigned *n)
{
	int got;

	for (unsigned i = 0; i < v->n; i++) {
		while ((got = receive(v, i)) > 0)
			++*n;
		if (got < 0) {
			fprintf(stderr, "loadgen: guest %u: the switch broke the ring's rules\n",
					i);
			return got;
		}
	}
	return 0;
}

/* Receives what is there. *now becomes the time at which this look began, *n how many frames there were. */
static int
receive_look(struct verify *v, int64_t *now, unsigned *n)
{
	int err;

	*now = vu_now_ms();
	*n = 0;
	err = receive_all(v, n);
	gen_pause();
	return err < 0 ? err : 0;
}

/*
 * Receives until all that was sent has arrived. A switch that gets no CPU for a while loses
 * nothing, so what is late is waited for: only what is really lost costs this time.
 */
static int
receive_rest(struct verify *v)
{
	int64_t now, deadline = vu_now_ms() + LATE_MS;
	unsigned n;
	int err;

	do
		err = receive_look(v, &now, &n);
	while (err == 0 && v->count.received < v->count.sent && now < deadline);
	return err;
}

/* Receives until nothing has arrived for `ms` milliseconds. */
static int
receive_until_quiet(struct verify *v, int ms)
{
	int64_t now, quiet = vu_now_ms() + ms;
	unsigned n;
	int err;

	/* The last look begins after that time: this program may not have had a CPU meanwhile. */
	do {
		err = receive_look(v, &now, &n);
		if (n > 0)
			quiet = now + ms;
	} while (err == 0 && now < quiet);
	return err;
}

static int
hello(struct verify *v, enum kind kind)
{
	int err = 0;

	for (unsigned i = 0; i < v->n && err == 0; i++) {
		make_frame(v, v->frame, kind, i, 0, 128);
		err = nic_send(&v->nic[i], v->frame, 128, NULL);
	}
	return err == 0 ? receive_until_quiet(v, HELLO_MS) : err;
}

/* Sends until the switch knows everybody: a frame for one guest arrives there, and nowhere else. */
static int
teach(struct verify *v)
{
	int64_t deadline = vu_now_ms() + REACH_MS;
	int err;

	do {
		bool all = true;

		err = hello(v, HELLO_ALL);
		if (err < 0)
			return err;
		v->astray = false;
		memset(v->heard, 0, sizeof(v->heard));
		err = hello(v, HELLO_PEER);
		if (err < 0)
			return err;
		for (unsigned i = 0; i < v->n; i++)
			all = all && v->heard[i];
		if (all && !v->astray)
			return 0;
	} while (vu_now_ms() < deadline);
	fprintf(stderr, "loadgen: frames do not arrive where they belong\n");
	return -EHOSTUNREACH;
}

static struct nic_layout
next_layout(struct verify *v)
{
	struct nic_layout how = {.descs = 1};
	uint64_t r = next_random(&v->random);

	if (v->conf->layouts) {
		how.descs = 1 + r % 4;
		how.header_apart = (r >> 8 & 1) != 0;
		how.indirect = (r >> 9 & 1) != 0 &&
				(v->nic[0].dev.features & VU_F_INDIRECT_DESC) != 0;
	}
	return how;
}

static int
send_data(struct verify *v, unsigned from)
{
	unsigned span = v->conf->max_len - v->conf->min_len + 1;
	unsigned len = v->conf->min_len + (unsigned)(next_random(&v->random) % span);
	struct nic_layout how = next_layout(v);
	int err;

	make_frame(v, v->frame, DATA, from, v->next_seq[from], len);
	err = nic_send(&v->nic[from], v->frame, len, &how);
	if (err == 0) {
		v->next_seq[from]++;
		v->count.sent++;
	} else if (err == -ENOBUFS) {
		v->count.full++; /* sent later; not lost */
		err = 0;
	}
	return err;
}

static int
run(struct verify *v)
{
	double hz = gen_calibrate(), interval = hz / v->conf->rate, next = 0;
	uint64_t start = gen_now(), end = start + (uint64_t)(v->conf->seconds * hz), now;
	unsigned turn = 0, n = 0;
	int err = 0;

	while (err == 0 && (now = gen_now()) < end) {
		if ((double)(now - start) >= next) {
			err = send_data(v, v->sender[turn++ % v->n_senders]);
			next += interval;
		}
		if (err == 0)
			err = receive_all(v, &n);
	}
	if (err == 0)
		err = receive_rest(v);
	/* What comes now came once too often, or to the wrong guest. */
	return err == 0 ? receive_until_quiet(v, (int)v->conf->quiet_ms) : err;
}

static int
open_nics(struct verify *v)
{
	const struct gen_conf *c = v->conf;
	struct nic_opts opts = {
			.dev.features = c->features | VU_F_PROTOCOL_FEATURES,
			.dev.protocol = VU_PROTOCOL_REPLY_ACK,
			.dev.rx_size = (uint16_t)c->ring,
			.dev.tx_size = (uint16_t)c->ring,
			.dev.mem.n_regions = 2,
			.dev.mem.gpa_gap = 1UL << 30,
			.rx_buf_size = c->max_len + 12,
			.tx_buf_size = c->max_len + 12,
	};
	bool huge = true;
	int sock, err = 0;

	opts.dev.mem.hugetlb = true;
	if ((c->features & VU_F_MRG_RXBUF) != 0 && opts.rx_buf_size > MERGE_BUF)
		opts.rx_buf_size = MERGE_BUF;
	for (; v->n < c->n_guests; v->n++) {
		sock = vu_connect(c->socket[v->n % c->n_sockets], CONNECT_MS);
		err = sock < 0 ? sock : nic_open(&v->nic[v->n], sock, &opts);
		if (err < 0) {
			fprintf(stderr, "loadgen: guest %u cannot connect: %s\n", v->n,
					strerror(-err));
			return err;
		}
		v->peer[v->n] = (v->n + 1) % c->n_guests;
		if (c->flows == GEN_RING || v->n == 0 || (c->flows == GEN_BOTH && v->n == 1) ||
				(c->flows == GEN_PAIRS && v->n % 2 == 0))
			v->sender[v->n_senders++] = v->n;
		huge = huge && vu_mem_huge(&v->nic[v->n].dev.mem);
	}
	if ((v->nic[0].dev.features & c->features) != c->features)
		fprintf(stderr, "loadgen: the switch does not offer all features asked for\n");
	if (!huge)
		fprintf(stderr, "loadgen: no huge pages left, guest memory is on ordinary pages\n");
	return 0;
}

static bool
report(struct verify *v)
{
	struct counts *c = &v->count;
	bool good;

	/* The last frames of a sender may be lost: no later frame showed the gap. */
	for (unsigned i = 0; i < v->n_senders; i++)
		c->lost += v->next_seq[v->sender[i]] - v->expected[v->sender[i]];
	good = c->sent > 0 && c->received == c->sent && c->lost == 0 && c->reordered == 0 &&
			c->corrupt == 0 && c->strays == 0;
	printf("mode=verify guests=%u flows=%u ring=%u features=%#" PRIx64 " min=%u max=%u"
	       " sent=%" PRIu64 " received=%" PRIu64 " bytes=%" PRIu64 " lost=%" PRIu64
	       " reordered=%" PRIu64 " corrupt=%" PRIu64 " strays=%" PRIu64 " full=%" PRIu64
	       " bad_headers=%" PRIu64 " ok=%d\n",
			v->n, v->n_senders, v->conf->ring, v->nic[0].dev.features, v->conf->min_len,
			v->conf->max_len, c->sent, c->received, c->bytes, c->lost, c->reordered,
			c->corrupt, c->strays, c->full, c->bad_headers, good);
	return good;
}

int
mode_verify(const struct gen_conf *conf)
{
	struct verify *v = calloc(1, sizeof(*v));
	int err;

	if (v == NULL)
		return -ENOMEM;
	v->conf = conf;
	v->random = conf->seed * 2654435761u + 1;
	err = open_nics(v);
	if (err == 0)
		err = teach(v);
	if (err == 0)
		err = run(v);
	if (err == 0 && !report(v))
		err = -EIO;
	for (unsigned i = 0; i < v->n; i++)
		nic_close(&v->nic[i]);
	free(v);
	return err;
}
