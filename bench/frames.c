/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The frames that the load generator sends, and the check of those that arrive. See gen.h. */
#include "gen.h"

#include <string.h>

#include "../tests/driver/inet.h"

#define ETHER_LEN 14
#define IP_LEN 20
#define UDP_LEN 8
#define TCP_LEN 20
#define HEADERS (ETHER_LEN + IP_LEN + TCP_LEN)
#define TCP_CSUM 16 /* offset of the checksum in TCP's header */
#define SEGMENTS 44 /* of 1460 bytes: as many as one IPv4 packet holds */
#define FLOWS 64    /* of a queue pair: enough for any hash to use all queues */
#define PORT_FIRST 1024
#define PORT_DISCARD 9

void
gen_mac(unsigned g, uint8_t *mac)
{
	const uint8_t m[6] = {0x02, 0x00, 0x5e, 0x10, (uint8_t)(g >> 8), (uint8_t)g};

	memcpy(mac, m, sizeof(m));
}

void
gen_destination(const struct gen *gen, const struct gen_guest *g, uint8_t *mac)
{
	gen_mac(gen_uplink(gen->conf) ? 1 : g->peer, mac);
}

static void
put_ip(uint8_t *frame, unsigned len, uint8_t protocol, const uint8_t *dst, const uint8_t *src)
{
	uint8_t *ip = frame + ETHER_LEN;

	memset(frame, 0, len);
	memcpy(frame, dst, 6);
	memcpy(frame + 6, src, 6);
	put16(frame + 12, 0x0800);
	ip[0] = 0x45;
	put16(ip + 2, len - ETHER_LEN);
	ip[8] = 64;
	ip[9] = protocol;
	memcpy(ip + 12, (const uint8_t[]){10, 0, src[4], src[5]}, 4);
	memcpy(ip + 16, (const uint8_t[]){10, 0, dst[4], dst[5]}, 4);
	put16(ip + 10, ~inet_sum(0, ip, IP_LEN) & 0xffff);
	put16(ip + IP_LEN, PORT_FIRST);
	put16(ip + IP_LEN + 2, PORT_DISCARD);
}

void
gen_frame(uint8_t *frame, unsigned len, const uint8_t *dst, const uint8_t *src)
{
	put_ip(frame, len, 17, dst, src);
	/* A checksum of 0 says that there is none. */
	put16(frame + ETHER_LEN + IP_LEN + 4, len - ETHER_LEN - IP_LEN);
}

/* Returns the sum of addresses, protocol and length, which a sender leaves in the checksum's field. */
static uint32_t
pseudo_sum(const uint8_t *frame, unsigned len)
{
	return inet_sum(6 + len - ETHER_LEN - IP_LEN, frame + ETHER_LEN + 12, 8);
}

/* Writes a TCP frame as a guest sends it that leaves the checksum to the switch. */
static void
tcp_frame(uint8_t *frame, unsigned len, const uint8_t *dst, const uint8_t *src)
{
	uint8_t *tcp = frame + ETHER_LEN + IP_LEN;

	put_ip(frame, len, 6, dst, src);
	tcp[12] = TCP_LEN / 4 << 4;
	tcp[13] = 0x10; /* ACK */
	put16(tcp + 14, 0xffff);
	put16(tcp + TCP_CSUM, pseudo_sum(frame, len));
	for (unsigned i = HEADERS; i < len; i++)
		frame[i] = (uint8_t)(i * 167 + i / 251);
}

static struct vr_net_hdr
header(const struct gen_conf *conf)
{
	struct vr_net_hdr h = {.gso_type = VR_HDR_GSO_NONE};

	if (conf->frames != GEN_UDP) {
		h.flags = VR_HDR_NEEDS_CSUM;
		h.csum_start = ETHER_LEN + IP_LEN;
		h.csum_offset = TCP_CSUM;
	}
	if (conf->frames == GEN_TSO) {
		h.gso_type = VR_HDR_GSO_TCPV4;
		h.gso_size = (uint16_t)(conf->size - ETHER_FCS - HEADERS);
		h.hdr_len = HEADERS;
	}
	return h;
}

unsigned
gen_sent_len(const struct gen_conf *conf)
{
	unsigned len = conf->size - ETHER_FCS;

	return conf->frames == GEN_TSO ? HEADERS + SEGMENTS * (len - HEADERS) : len;
}

unsigned
gen_received_len(const struct gen_conf *conf)
{
	return conf->take ? gen_sent_len(conf) : conf->size - ETHER_FCS;
}

unsigned
gen_arrivals(const struct gen_conf *conf)
{
	return conf->frames == GEN_TSO && !conf->take ? SEGMENTS : 1;
}

static void
make_pump(struct pump *p, const struct gen *gen, const struct gen_guest *g, unsigned pair)
{
	const struct gen_conf *conf = gen->conf;
	struct vr_net_hdr h = header(conf);
	unsigned len = gen_sent_len(conf);
	uint8_t dst[6];

	gen_destination(gen, g, dst);
	for (unsigned i = 0; i <= p->buf_mask; i++) {
		uint8_t *frame = pump_buf(p, (uint16_t)i) + HDR_LEN;

		memcpy(frame - HDR_LEN, &h, HDR_LEN);
		if (conf->frames == GEN_UDP)
			gen_frame(frame, len, dst, g->mac);
		else
			tcp_frame(frame, len, dst, g->mac);
		/* The checksum needs no change: UDP's is absent, and TCP's does not cover the ports yet. */
		if (conf->n_pairs > 1)
			put16(frame + ETHER_LEN + IP_LEN, PORT_FIRST + pair * FLOWS + i % FLOWS);
	}
	p->len = HDR_LEN + len;
	if (p->kind == PUMP_FIXED)
		for (unsigned i = 0; i <= p->mask; i++)
			pump_write(p, (uint16_t)i, PUMP_FIXED);
}

void
gen_make_frames(struct gen *gen)
{
	for (unsigned i = 0; i < gen->n; i++)
		for (unsigned q = 0; q < gen->conf->n_pairs; q++)
			make_pump(&gen->guest[i].tx[q], gen, &gen->guest[i], q);
}

/* Returns true if a receiver's buffer holds a complete frame, or one whose header says what is left to do. */
static bool
good_frame(const struct gen_conf *conf, const uint8_t *buf)
{
	const uint8_t *frame = buf + HDR_LEN, *ip = frame + ETHER_LEN;
	unsigned len = gen_received_len(conf);
	struct vr_net_hdr h, wanted = header(conf);

	memcpy(&h, buf, sizeof(h));
	if (!conf->take)
		wanted = (struct vr_net_hdr){.gso_type = VR_HDR_GSO_NONE};
	if (h.flags != wanted.flags || h.gso_type != wanted.gso_type ||
			get16(ip + 2) != len - ETHER_LEN || inet_sum(0, ip, IP_LEN) != 0xffff)
		return false;
	if (conf->frames == GEN_UDP)
		return true;
	if (conf->take)
		return h.gso_size == wanted.gso_size && h.csum_start == wanted.csum_start &&
				h.csum_offset == wanted.csum_offset;
	return inet_sum(pseudo_sum(frame, len), ip + IP_LEN, len - ETHER_LEN - IP_LEN) == 0xffff;
}

struct gen_look
gen_look_at_frames(const struct gen *gen)
{
	struct gen_look look = {0, 0};

	for (unsigned i = 0; i < gen->n_pumps; i++) {
		const struct pump *p = &gen->pump[i];

		/* Otherwise some buffers may not have been written to since the measurement began. */
		if (!p->write || p->count <= pump_size(p) + p->buf_mask + 1u)
			continue;
		for (unsigned k = 0; k <= p->buf_mask; k++)
			look.bad += !good_frame(gen->conf, pump_buf(p, (uint16_t)k));
		look.at += p->buf_mask + 1u;
	}
	return look;
}
