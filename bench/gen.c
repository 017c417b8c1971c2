/* SPDX-License-Identifier: BSD-3-Clause */
/* The load generator's guests. See gen.h. */
#define _GNU_SOURCE
#include "gen.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE		64
#define HDR_LEN		12	/* VERSION_1 is always negotiated */
#define ETHERTYPE_TEACH	0x88b5	/* for local experiments */

#define CONNECT_MS	20000	/* a switch with much memory takes seconds to start */
#define REACH_MS	10000
#define QUIET_MS	20

void
gen_mac(unsigned g, uint8_t *mac)
{
	const uint8_t m[6] = { 0x02, 0x00, 0x5e, 0x10, (uint8_t)(g >> 8), (uint8_t)g };

	memcpy(mac, m, sizeof(m));
}

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void
gen_frame(uint8_t *frame, unsigned len, const uint8_t *dst, const uint8_t *src)
{
	uint8_t *ip = frame + 14, *udp = ip + 20;
	uint32_t sum = 0;

	memset(frame, 0, len);
	memcpy(frame, dst, 6);
	memcpy(frame + 6, src, 6);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, len - 14);
	ip[8] = 64;
	ip[9] = 17;
	memcpy(ip + 12, (const uint8_t[]){ 10, 0, src[4], src[5] }, 4);
	memcpy(ip + 16, (const uint8_t[]){ 10, 0, dst[4], dst[5] }, 4);
	for (unsigned i = 0; i < 20; i += 2)
		sum += (uint32_t)ip[i] << 8 | ip[i + 1];
	while (sum > 0xffff)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(ip + 10, ~sum & 0xffff);
	put16(udp, 1024);
	put16(udp + 2, 9);	/* discard; a UDP checksum of 0 says that there is none */
	put16(udp + 4, len - 34);
}

int
gen_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return 0;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) < 0 ? -errno : 0;
}

double
gen_calibrate(void)
{
	struct timespec a, b;
	uint64_t t0, t1;

	clock_gettime(CLOCK_MONOTONIC, &a);
	t0 = gen_now();
	do {
		clock_gettime(CLOCK_MONOTONIC, &b);
		t1 = gen_now();
	} while ((b.tv_sec - a.tv_sec) * 1000000000L + b.tv_nsec - a.tv_nsec < 50000000L);
	return (double)(t1 - t0) /
		((double)(b.tv_sec - a.tv_sec) + (double)(b.tv_nsec - a.tv_nsec) * 1e-9);
}

/*
 * Room for one frame. An odd number of cache lines: with a power of two the first lines of all
 * buffers would fall into a few sets of the cache, which no real guest's buffers do.
 */
static uint32_t
stride_of(const struct gen_conf *conf)
{
	unsigned len = conf->headroom + HDR_LEN + (conf->size > 1518 ? conf->size : 2000);

	return ((len + LINE - 1) / LINE | 1) * LINE;
}

/*
 * Guests begin on different pages, as scattered as a real guest's pages are: else the indices
 * of all rings would share one set of the cache.
 */
static size_t
skew_of(unsigned g)
{
	return (size_t)(g * 29 % 64) * 4096;
}

static void
fill_options(struct vu_dev_opts *o, const struct gen_conf *conf, unsigned g)
{
	memset(o, 0, sizeof(*o));
	o->features = conf->features | VU_F_VERSION_1 | VU_F_PROTOCOL_FEATURES;
	o->protocol = VU_PROTOCOL_REPLY_ACK;
	o->rx_size = o->tx_size = (uint16_t)conf->ring;
	o->mem.hugetlb = true;
	o->mem.skew = skew_of(g);
	o->mem.region_size = o->mem.skew + (size_t)conf->ring * (2 * stride_of(conf) + 64) + 65536;
}

/* Buffer i at descriptor i at slot i, for good. */
static int
lay_out(struct guest *g, const struct gen_conf *conf)
{
	uint64_t tx_gpa, rx_gpa;

	g->tx = vu_dev_tx(&g->dev, 0);
	g->rx = vu_dev_rx(&g->dev, 0);
	g->size = (uint16_t)conf->ring;
	g->stride = stride_of(conf);
	g->tx_buf = vu_mem_alloc(&g->dev.mem, 0, (size_t)g->size * g->stride, LINE);
	g->rx_buf = vu_mem_alloc(&g->dev.mem, 0, (size_t)g->size * g->stride, LINE);
	if (g->tx_buf == NULL || g->rx_buf == NULL)
		return -ENOMEM;
	g->tx_buf += conf->headroom;
	g->rx_buf += conf->headroom;
	tx_gpa = vu_mem_gpa(&g->dev.mem, g->tx_buf);
	rx_gpa = vu_mem_gpa(&g->dev.mem, g->rx_buf);
	for (uint16_t i = 0; i < g->size; i++) {
		vr_raw_desc(g->tx, i, tx_gpa + (uint64_t)i * g->stride, HDR_LEN + ETHER_MIN, 0, 0);
		vr_raw_desc(g->rx, i, rx_gpa + (uint64_t)i * g->stride,
				g->stride - conf->headroom, VR_DESC_WRITE, 0);
		vr_raw_avail(g->tx, i, i);
		vr_raw_avail(g->rx, i, i);
	}
	/* The generator polls: no calls. It never kicks after the start: the switch polls too. */
	g->tx->avail->flags = g->rx->avail->flags = VR_AVAIL_NO_INTERRUPT;
	vr_raw_avail_idx(g->rx, g->size);
	g->tx_used = g->tx->used;
	g->rx_used = g->rx->used;
	g->tx_avail = g->tx->avail;
	g->rx_avail = g->rx->avail;
	return 0;
}

static void
choose_flows(struct gen *gen)
{
	for (unsigned i = 0; i < gen->n; i++) {
		struct guest *g = &gen->guest[i];

		gen_mac(i, g->mac);
		g->peer = (i + 1) % gen->n;
		switch (gen->conf->flows) {
		case GEN_ONE:
			g->sends = i == 0;
			break;
		case GEN_BOTH:
			g->sends = i < 2;
			g->peer = i == 1 ? 0 : 1;
			break;
		case GEN_PAIRS:
			g->sends = i % 2 == 0 && i + 1 < gen->n;
			break;
		case GEN_RING:
		case GEN_OUT:
		case GEN_LOOP:
			g->sends = true;
			break;
		case GEN_IN:
			break;
		}
		gen->n_flows += g->sends;
	}
}

static int
connect_guest(struct gen *gen, unsigned i, const int *listener)
{
	const struct gen_conf *conf = gen->conf;
	struct guest *g = &gen->guest[i];
	struct vu_dev_opts opts;
	int sock, err;

	sock = conf->listen ? vu_accept(listener[i % conf->n_sockets], CONNECT_MS) :
		vu_connect(conf->socket[i % conf->n_sockets], CONNECT_MS);
	if (sock < 0)
		return sock;
	fill_options(&opts, conf, i);
	err = vu_dev_open(&g->dev, sock, &opts);
	if (err < 0)
		return err;
	gen->n++;
	if ((g->dev.features & VU_F_VERSION_1) == 0)
		return -ENOTSUP;
	err = lay_out(g, conf);
	if (err == 0)
		err = vu_dev_start(&g->dev);
	if (err < 0)
		return err;
	vr_kick_always(g->rx);
	vr_kick_always(g->tx);
	gen->huge = gen->huge && vu_mem_huge(&g->dev.mem);
	return 0;
}

/* One frame, in the next slot. */
static void
post_one(struct guest *g, const uint8_t *frame, unsigned len)
{
	uint16_t idx = g->tx_avail->idx;
	uint8_t *buf = gen_tx_buf(g, idx);

	memset(buf, 0, HDR_LEN);
	memcpy(buf + HDR_LEN, frame, len);
	g->tx->desc[idx & (g->size - 1)].len = HDR_LEN + len;
	gen_store(&g->tx_avail->idx, (uint16_t)(idx + 1));
}

/* To whom a guest's frames go. */
static void
destination(const struct gen *gen, const struct guest *g, uint8_t *mac)
{
	gen_mac(gen_uplink(gen->conf) ? 1 : g->peer, mac);
}

/* Frames on the way end, one way or another: poll until nothing has moved for a while. */
void
gen_settle(struct gen *gen)
{
	int64_t deadline = vu_now_ms() + REACH_MS, quiet = vu_now_ms() + QUIET_MS;

	while (vu_now_ms() < quiet && vu_now_ms() < deadline) {
		for (unsigned i = 0; i < gen->n; i++) {
			struct guest *g = &gen->guest[i];

			if (gen_poll_tx(g) + gen_poll_rx(g) > 0 || g->tx_seen != g->tx_avail->idx)
				quiet = vu_now_ms() + QUIET_MS;
		}
		gen_pause();
	}
}

static unsigned
bad_entries(const struct vr_used *used, unsigned size, unsigned len)
{
	unsigned bad = 0;

	for (unsigned i = 0; i < size; i++)
		bad += used->ring[i].id != i || (len != 0 && used->ring[i].len != len);
	return bad;
}

unsigned
gen_bad_used(const struct gen *gen)
{
	unsigned bad = 0, len = HDR_LEN + gen->conf->size - ETHER_FCS;

	for (unsigned i = 0; i < gen->n; i++) {
		const struct guest *g = &gen->guest[i];

		/* The device does not have to tell how much it wrote where it only reads. */
		if (g->sends && g->sent > 2u * g->size)
			bad += bad_entries(g->tx_used, g->size, 0);
		if (g->received > 2u * g->size)
			bad += bad_entries(g->rx_used, g->size, len);
	}
	return bad;
}

/* Whether one frame on each flow arrives where it belongs, and nowhere else. */
static bool
probe(struct gen *gen)
{
	uint64_t before[GEN_GUESTS_MAX] = { 0 };
	uint8_t frame[ETHER_MIN], dst[6];
	bool good = true;

	for (unsigned i = 0; i < gen->n; i++)
		before[i] = gen->guest[i].received;
	for (unsigned i = 0; i < gen->n; i++) {
		struct guest *g = &gen->guest[i];

		if (!g->sends)
			continue;
		destination(gen, g, dst);
		gen_frame(frame, sizeof(frame), dst, g->mac);
		post_one(g, frame, sizeof(frame));
		before[g->peer] += gen->conf->flows != GEN_OUT;
	}
	gen_settle(gen);
	for (unsigned i = 0; i < gen->n; i++)
		good = good && gen->guest[i].received == before[i];
	return good;
}

/* A guest says hello to everybody from the address of number `as`. */
static void
hello(struct guest *g, unsigned as)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
	uint8_t frame[ETHER_MIN], mac[6];

	gen_mac(as, mac);
	gen_frame(frame, sizeof(frame), all, mac);
	put16(frame + 12, ETHERTYPE_TEACH);
	post_one(g, frame, sizeof(frame));
}

/* The uplink never rests: whether the guest was heard, and hears. */
static int
teach_in(struct guest *g)
{
	int64_t deadline = vu_now_ms() + REACH_MS;

	hello(g, 0);
	while (vu_now_ms() < deadline) {
		gen_poll_tx(g);
		gen_poll_rx(g);
		if (g->tx_seen == g->tx_avail->idx && g->received > g->size)
			return 0;
	}
	return -EHOSTUNREACH;
}

/* Each guest says hello to everybody, until the switch knows them all. */
static int
teach(struct gen *gen)
{
	int64_t deadline = vu_now_ms() + REACH_MS;

	if (gen->conf->flows == GEN_IN)
		return teach_in(gen->guest);
	do {
		for (unsigned i = 0; i < gen->n; i++)
			hello(&gen->guest[i], i);
		if (gen->conf->flows == GEN_LOOP)
			hello(gen->guest, 1);
		gen_settle(gen);
		if (probe(gen))
			return 0;
	} while (vu_now_ms() < deadline);
	return -EHOSTUNREACH;
}

/* The frames of the measurement, in every slot. */
static void
make_frames(struct gen *gen)
{
	unsigned len = gen->conf->size - ETHER_FCS;

	for (unsigned i = 0; i < gen->n; i++) {
		struct guest *g = &gen->guest[i];

		for (uint16_t k = 0; k < g->size; k++) {
			uint8_t *buf = gen_tx_buf(g, k), dst[6];

			memset(buf, 0, HDR_LEN);
			destination(gen, g, dst);
			gen_frame(buf + HDR_LEN, len, dst, g->mac);
			g->tx->desc[k].len = HDR_LEN + len;
		}
	}
}

static int
gen_alloc(struct gen *gen, const struct gen_conf *conf)
{
	memset(gen, 0, sizeof(*gen));
	gen->conf = conf;
	gen->huge = true;
	gen->guest = aligned_alloc(LINE, (conf->n_guests * sizeof(struct guest) + LINE - 1) / LINE *
			LINE);
	if (gen->guest == NULL)
		return -ENOMEM;
	memset(gen->guest, 0, conf->n_guests * sizeof(struct guest));
	return 0;
}

int
gen_open(struct gen *gen, const struct gen_conf *conf)
{
	int listener[GEN_SOCKETS_MAX];
	unsigned n_listeners = 0;
	int err;

	err = gen_alloc(gen, conf);
	for (unsigned i = 0; err == 0 && conf->listen && i < conf->n_sockets; i++) {
		listener[i] = vu_listen(conf->socket[i]);
		if (listener[i] < 0)
			err = listener[i];
		else
			n_listeners++;
	}
	for (unsigned i = 0; err == 0 && i < conf->n_guests; i++)
		err = connect_guest(gen, i, listener);
	while (n_listeners > 0) {
		close(listener[--n_listeners]);
		unlink(conf->socket[n_listeners]);
	}
	if (err < 0) {
		fprintf(stderr, "loadgen: guest %u cannot connect: %s\n", gen->n, strerror(-err));
		goto fail;
	}
	choose_flows(gen);
	err = teach(gen);
	if (err < 0) {
		fprintf(stderr, "loadgen: frames do not arrive where they belong\n");
		goto fail;
	}
	make_frames(gen);
	if (!gen->huge)
		fprintf(stderr, "loadgen: no huge pages left, guest memory is on ordinary pages\n");
	gen->hz = gen_calibrate();
	return 0;
fail:
	gen_close(gen);
	return err;
}

int
gen_open_unconnected(struct gen *gen, const struct gen_conf *conf)
{
	struct vu_dev_opts opts;
	int err;

	err = gen_alloc(gen, conf);
	for (unsigned i = 0; err == 0 && i < conf->n_guests; i++) {
		struct guest *g = &gen->guest[i];

		fill_options(&opts, conf, i);
		err = vu_dev_open_unconnected(&g->dev, &opts);
		if (err == 0) {
			gen->n++;
			err = lay_out(g, conf);
			gen->huge = gen->huge && vu_mem_huge(&g->dev.mem);
		}
	}
	if (err < 0) {
		gen_close(gen);
		return err;
	}
	choose_flows(gen);
	make_frames(gen);
	gen->hz = gen_calibrate();
	return 0;
}

void
gen_close(struct gen *gen)
{
	for (unsigned i = 0; gen->guest != NULL && i < gen->n; i++)
		vu_dev_close(&gen->guest[i].dev);
	free(gen->guest);
	gen->guest = NULL;
	gen->n = 0;
}
