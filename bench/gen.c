/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The load generator's guests: memory, rings, connections. See gen.h. */
#define _GNU_SOURCE
#include "gen.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define LINE 64
#define CONNECT_MS 20000 /* a switch with much memory takes seconds to start */
#define OFFLOADS (VU_F_CSUM | VU_F_HOST_TSO4)
#define GUEST_OFFLOADS (VU_F_GUEST_CSUM | VU_F_GUEST_TSO4)

static int
compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double
gen_quantile(double *values, unsigned n, double part)
{
	qsort(values, n, sizeof(*values), compare);
	return values[(unsigned)(n * part)];
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

void
gen_prefer(void)
{
	setpriority(PRIO_PROCESS, 0, PRIO_MIN);
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
stride_of(const struct gen_conf *conf, unsigned frame)
{
	unsigned len = conf->headroom + HDR_LEN + (frame > 1514 ? frame : 2000);

	return ((len + LINE - 1) / LINE | 1) * LINE;
}

static unsigned
buffers_of(const struct gen_conf *conf)
{
	return conf->buffers != 0 && conf->buffers < conf->ring ? conf->buffers : conf->ring;
}

/*
 * Guests begin on different pages, as scattered as a real guest's pages are. Otherwise the indices
 * of all rings would share one set of the cache.
 */
static size_t
skew_of(unsigned g)
{
	return (size_t)(g * 29 % 64) * 4096;
}

static uint64_t
features_of(const struct gen_conf *conf)
{
	uint64_t f = conf->features | VU_F_VERSION_1;

	if (conf->n_pairs > 1)
		f |= VU_F_MQ;
	if (conf->frames != GEN_UDP)
		f |= OFFLOADS;
	if (conf->take)
		f |= GUEST_OFFLOADS;
	return f;
}

static void
fill_options(struct vu_dev_opts *o, const struct gen_conf *conf, unsigned g)
{
	/* Two rings take at most 52 bytes a slot, descriptors included. */
	size_t pair = (size_t)conf->ring * LINE + 8192 +
			(size_t)buffers_of(conf) *
					(stride_of(conf, gen_sent_len(conf)) +
							stride_of(conf, gen_received_len(conf)));

	memset(o, 0, sizeof(*o));
	o->features = features_of(conf) | VU_F_PROTOCOL_FEATURES;
	o->protocol = VU_PROTOCOL_REPLY_ACK | VU_PROTOCOL_MQ;
	o->n_pairs = conf->n_pairs;
	o->rx_size = o->tx_size = (uint16_t)conf->ring;
	o->mem.hugetlb = true;
	o->mem.skew = skew_of(g);
	o->mem.region_size = o->mem.skew + conf->n_pairs * pair + 65536;
}

/* Slot i always holds buffer i, or with fewer buffers than slots, buffer i modulo their number. */
static int
lay_pump(struct pump *p, struct gen_guest *g, const struct gen_conf *conf, struct vr_ring *vr,
		bool write)
{
	unsigned frame = write ? gen_received_len(conf) : gen_sent_len(conf);

	*p = (struct pump){
			.kind = (uint8_t)conf->kind,
			.write = write,
			.vr = vr,
			.mask = (uint16_t)(conf->ring - 1),
			.buf_mask = (uint16_t)(buffers_of(conf) - 1),
			.stride = stride_of(conf, frame),
			.desc = (void *)vr->desc,
			.used = vr->used,
			.avail = vr->avail,
	};
	p->buf = vu_mem_alloc(&g->dev.mem, 0, (size_t)buffers_of(conf) * p->stride, LINE);
	if (p->buf == NULL)
		return -ENOMEM;
	p->buf += conf->headroom;
	p->gpa = vu_mem_gpa(&g->dev.mem, p->buf);
	p->len = write ? p->stride - conf->headroom : HDR_LEN + ETHER_MIN;
	/* The generator polls: no calls. It never kicks after the start: the switch polls too. */
	if (conf->kind == PUMP_PACKED) {
		vr->driver_event->flags = VR_EVENT_DISABLE;
	} else {
		vr->avail->flags = VR_AVAIL_NO_INTERRUPT;
		for (unsigned i = 0; i < conf->ring; i++) {
			pump_write(p, (uint16_t)i, PUMP_FIXED);
			vr_raw_avail(vr, (uint16_t)i, (uint16_t)i);
		}
	}
	if (write)
		pump_post_any(p, conf->ring);
	return 0;
}

static int
lay_out(struct gen *gen, struct gen_guest *g)
{
	const struct gen_conf *conf = gen->conf;
	int err = 0;

	for (unsigned q = 0; q < conf->n_pairs && err == 0; q++) {
		err = lay_pump(&g->tx[q], g, conf, vu_dev_tx(&g->dev, q), false);
		if (err == 0)
			err = lay_pump(&g->rx[q], g, conf, vu_dev_rx(&g->dev, q), true);
	}
	gen->n_pumps += 2 * conf->n_pairs;
	return err;
}

static void
find_busy(struct gen *gen)
{
	for (unsigned i = 0; i < gen->n; i++) {
		const struct gen_guest *g = &gen->guest[i];

		for (unsigned q = 0; q < gen->conf->n_pairs; q++) {
			g->tx[q].on = g->sends;
			if (g->sends)
				gen->guest[g->peer].rx[q].on = true;
			if (gen_uplink(gen->conf))
				g->rx[q].on = true;
		}
	}
	for (unsigned i = 0; i < gen->n_pumps; i++)
		if (gen->pump[i].on)
			gen->busy[gen->n_busy++] = &gen->pump[i];
}

static void
choose_flows(struct gen *gen)
{
	for (unsigned i = 0; i < gen->n; i++) {
		struct gen_guest *g = &gen->guest[i];

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
		case GEN_INTO:
			g->sends = i != 0;
			g->peer = 0;
			break;
		case GEN_RING:
		case GEN_OUT:
			g->sends = true;
			break;
		case GEN_IN:
			break;
		}
		gen->n_flows += g->sends;
	}
	find_busy(gen);
}

static int
connect_guest(struct gen *gen, unsigned i, const int *listener)
{
	const struct gen_conf *conf = gen->conf;
	struct gen_guest *g = &gen->guest[i];
	struct vu_dev_opts opts;
	int sock, err;

	sock = conf->listen ? vu_accept(listener[i % conf->n_sockets], CONNECT_MS)
			    : vu_connect(conf->socket[i % conf->n_sockets], CONNECT_MS);
	if (sock < 0)
		return sock;
	fill_options(&opts, conf, i);
	err = vu_dev_open(&g->dev, sock, &opts);
	if (err < 0)
		return err;
	gen->n++;
	if ((features_of(conf) & ~g->dev.features) != 0) {
		fprintf(stderr, "loadgen: the switch does not offer features %#llx\n",
				(unsigned long long)(features_of(conf) & ~g->dev.features));
		return -ENOTSUP;
	}
	err = lay_out(gen, g);
	if (err == 0)
		err = vu_dev_start(&g->dev);
	if (err < 0)
		return err;
	for (unsigned q = 0; q < conf->n_pairs; q++) {
		vr_kick_always(g->rx[q].vr);
		vr_kick_always(g->tx[q].vr);
	}
	gen->huge = gen->huge && vu_mem_huge(&g->dev.mem);
	return 0;
}

static unsigned
bad_entries(const struct pump *p, unsigned len)
{
	unsigned bad = 0;

	for (unsigned i = 0; i <= p->mask; i++)
		bad += p->used->ring[i].id != i || (len != 0 && p->used->ring[i].len != len);
	return bad;
}

unsigned
gen_bad_used(const struct gen *gen)
{
	unsigned bad = 0, len = HDR_LEN + gen_received_len(gen->conf);

	for (unsigned i = 0; i < gen->n_pumps; i++) {
		const struct pump *p = &gen->pump[i];

		bad += (unsigned)p->bad;
		/* For a buffer that it only reads, the device need not tell a length. */
		if (p->kind != PUMP_PACKED && p->on && p->count > 2u * pump_size(p))
			bad += bad_entries(p, p->write ? len : 0);
	}
	return bad;
}

void
gen_totals(const struct gen *gen, uint64_t *sent, uint64_t *received)
{
	*sent = *received = 0;
	for (unsigned i = 0; i < gen->n_pumps; i++)
		*(gen->pump[i].write ? received : sent) += gen->pump[i].count;
}

static int
gen_alloc(struct gen *gen, const struct gen_conf *conf)
{
	size_t n = (size_t)conf->n_guests * conf->n_pairs * 2;

	memset(gen, 0, sizeof(*gen));
	gen->conf = conf;
	gen->huge = true;
	gen->guest = calloc(conf->n_guests, sizeof(*gen->guest));
	gen->pump = aligned_alloc(_Alignof(struct pump), n * sizeof(*gen->pump));
	gen->busy = calloc(n, sizeof(*gen->busy));
	if (gen->guest == NULL || gen->pump == NULL || gen->busy == NULL) {
		gen_close(gen);
		return -ENOMEM;
	}
	memset(gen->pump, 0, n * sizeof(*gen->pump));
	for (unsigned i = 0; i < conf->n_guests; i++) {
		gen->guest[i].tx = gen->pump + (size_t)i * conf->n_pairs * 2;
		gen->guest[i].rx = gen->guest[i].tx + conf->n_pairs;
	}
	return 0;
}

static int
connect_all(struct gen *gen)
{
	const struct gen_conf *conf = gen->conf;
	int listener[GEN_SOCKETS_MAX], err = 0;
	unsigned n_listeners = 0;

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
	if (err < 0)
		fprintf(stderr, "loadgen: guest %u cannot connect: %s\n", gen->n, strerror(-err));
	return err;
}

int
gen_open(struct gen *gen, const struct gen_conf *conf)
{
	int err;

	err = gen_alloc(gen, conf);
	if (err < 0)
		return err;
	err = connect_all(gen);
	if (err == 0) {
		choose_flows(gen);
		err = gen_teach(gen);
	}
	if (err < 0) {
		gen_close(gen);
		return err;
	}
	gen_make_frames(gen);
	if (!gen->huge)
		fprintf(stderr, "loadgen: no huge pages left, guest memory is on ordinary pages\n");
	gen->hz = gen_calibrate();
	return 0;
}

int
gen_open_unconnected(struct gen *gen, const struct gen_conf *conf)
{
	struct vu_dev_opts opts;
	int err;

	err = gen_alloc(gen, conf);
	for (unsigned i = 0; err == 0 && i < conf->n_guests; i++) {
		struct gen_guest *g = &gen->guest[i];

		fill_options(&opts, conf, i);
		err = vu_dev_open_unconnected(&g->dev, &opts);
		if (err == 0) {
			gen->n++;
			err = lay_out(gen, g);
			gen->huge = gen->huge && vu_mem_huge(&g->dev.mem);
		}
	}
	if (err < 0) {
		gen_close(gen);
		return err;
	}
	choose_flows(gen);
	gen_make_frames(gen);
	gen->hz = gen_calibrate();
	return 0;
}

void
gen_close(struct gen *gen)
{
	for (unsigned i = 0; gen->guest != NULL && i < gen->n; i++)
		vu_dev_close(&gen->guest[i].dev);
	free(gen->guest);
	free(gen->pump);
	free(gen->busy);
	gen->guest = NULL;
	gen->pump = NULL;
	gen->busy = NULL;
	gen->n = gen->n_pumps = gen->n_busy = 0;
}
