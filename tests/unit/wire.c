/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* An uplink on a port of net_ring: see wire.h. */
#include <stdio.h>

#include <rte_dev.h>
#include <rte_ethdev.h>

#include "conf/conf_parse.h"
#include "wire.h"

#define TAG RTE_BE16(RTE_ETHER_TYPE_VLAN)

int
wire_open(void **state, char **words, int n)
{
	static unsigned int serial;
	struct wire *w = unit_zalloc(sizeof(*w));
	char name[32];

	assert_int_equal(conf_parse(&w->conf, n, words), CONF_RUN);
	snprintf(name, sizeof(name), "net_ring%u", serial++);
	assert_int_equal(rte_eal_hotplug_add("vdev", name, ""), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name(name, &w->conf.port_id), 0);
	w->u = uplink_open(&w->conf, &w->ports, 1);
	assert_non_null(w->u);
	*state = w;
	return 0;
}

int
wire_setup(void **state)
{
	char *words[] = {"vhost-switch", "--", "-p1", NULL};

	return wire_open(state, words, 3);
}

int
wire_teardown(void **state)
{
	struct wire *w = *state;

	uplink_stop(w->u, &w->count);
	uplink_free(w->u);
	free(w);
	return 0;
}

uint32_t
wire_tagged(uint8_t *buf, const uint16_t *tci, uint32_t len, uint32_t seed)
{
	const struct rte_ether_addr to = mac_of(1, 0), from = mac_of(2, 0);
	uint32_t at = 12;
	uint16_t be;

	frame_make(buf, &to, &from, len, seed);
	for (; *tci != 0; tci++, at += 4, len += 4) {
		memmove(buf + at + 4, buf + at, len - at);
		be = TAG;
		memcpy(buf + at, &be, 2);
		be = rte_cpu_to_be_16(*tci);
		memcpy(buf + at + 2, &be, 2);
	}
	return len;
}

void
wire_guest_frame(struct wire *w, unsigned int i, uint32_t len, uint32_t cut)
{
	struct frame *f = &w->burst.frame[i];

	*f = (struct frame){.len = len, .frag = &w->burst.frag[2 * i], .nfrags = 1 + (cut != 0)};
	f->frag[0] = (struct fragment){w->bytes[i], cut != 0 ? cut : len};
	f->frag[1] = (struct fragment){w->bytes[i] + cut, len - cut};
	memcpy(&f->eth, w->bytes[i], sizeof(f->eth));
	w->burst.plain &= ~frame_set_one(i);
	if (cut == 0 && len <= FRAME_PLAIN_MAX)
		w->burst.plain |= frame_set_one(i);
}

void
wire_assert(struct wire *w, const uint8_t *want, uint32_t len)
{
	struct rte_mbuf *m;

	assert_int_equal(rte_eth_rx_burst(w->u->port, 0, &m, 1), 1);
	assert_int_equal(m->nb_segs, 1);
	assert_int_equal(m->pkt_len, len);
	assert_int_equal(m->data_len, len);
	assert_memory_equal(rte_pktmbuf_mtod(m, uint8_t *), want, len);
	rte_pktmbuf_free(m);
}

void
wire_assert_empty(struct wire *w)
{
	struct rte_mbuf *m;

	assert_int_equal(rte_eth_rx_burst(w->u->port, 0, &m, 1), 0);
}

void
wire_put(struct wire *w, const uint8_t *bytes, uint32_t len, uint32_t segment, uint64_t flags,
		uint16_t tci)
{
	struct rte_mbuf *m = NULL, *s;
	uint32_t at, n;

	for (at = 0; at < len; at += n) {
		n = segment == 0 ? len : RTE_MIN(segment, len - at);
		s = rte_pktmbuf_alloc(w->u->mbufs);
		assert_non_null(s);
		memcpy(rte_pktmbuf_append(s, n), bytes + at, n);
		if (at == 0)
			m = s;
		else
			assert_int_equal(rte_pktmbuf_chain(m, s), 0);
	}
	assert_non_null(m);
	m->ol_flags |= flags;
	m->vlan_tci = tci;
	assert_int_equal(rte_eth_tx_burst(w->u->port, 0, &m, 1), 1);
}
