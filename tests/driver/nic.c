/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A network card as a well-behaved guest's driver has it. See nic.h. */
#define _GNU_SOURCE
#include "nic.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "order.h"

#define RX_BUF_DEFAULT 1530
#define TX_BUF_DEFAULT 9216
#define TX_BUFS_MAX 256
#define BUF_ALIGN 64
#define POISON 0xa5

/* Each transmit buffer ends with room for an indirect table. */
#define TABLE_SIZE (sizeof(struct vr_desc) * (NIC_DESCS_MAX + 1))

static size_t
slot_size(size_t buf)
{
	return (buf + BUF_ALIGN - 1) & ~(size_t)(BUF_ALIGN - 1);
}

static unsigned
or_default(unsigned value, unsigned def)
{
	return value != 0 ? value : def;
}

/* How many buffers a ring of `size` descriptors is given. */
static unsigned
rx_buffers(const struct nic_opts *o, unsigned size)
{
	unsigned most = o->rx_header_apart ? size / 2 : size;

	return o->rx_bufs != 0 && o->rx_bufs < most ? o->rx_bufs : most;
}

static unsigned
tx_buffers(const struct nic_opts *o, unsigned size)
{
	unsigned most = size < TX_BUFS_MAX ? size : TX_BUFS_MAX;

	return o->tx_bufs != 0 ? o->tx_bufs : most;
}

static size_t
region_size(const struct nic_opts *o, unsigned rx_size, unsigned tx_size)
{
	unsigned n = or_default(o->dev.mem.n_regions, 1);
	unsigned pairs = or_default(o->dev.n_pairs, 1);
	size_t rx = slot_size(or_default(o->rx_buf_size, RX_BUF_DEFAULT));
	size_t tx = slot_size(or_default(o->tx_buf_size, TX_BUF_DEFAULT) + TABLE_SIZE);
	size_t rings = (size_t)pairs * 32 * (rx_size + tx_size) + (size_t)pairs * 16384;

	/* Buffers of each pair go round the regions, so one may get one more than the average. */
	return rings +
			pairs *
			((rx_buffers(o, rx_size) / n + 1) * rx +
					(tx_buffers(o, tx_size) / n + 1) * tx) +
			o->dev.mem.skew;
}

static int
post_rx(struct nic *nic, struct vr_ring *vr, uint8_t *buf)
{
	uint64_t gpa = vu_mem_gpa(&nic->dev.mem, buf);
	struct vr_seg seg[2] = {{gpa, nic->rx_buf_size}, {0, 0}};
	unsigned n = 1;

	/* A header that the device did not write must not look like one that it did. */
	memset(buf, POISON, nic->hdr_len);

	if (nic->rx_header_apart) {
		seg[0].len = nic->hdr_len;
		seg[1] = (struct vr_seg){gpa + nic->hdr_len, nic->rx_buf_size - nic->hdr_len};
		n = 2;
	}
	return vr_add(vr, seg, 0, n, buf);
}

static int
make_buffers(struct nic *nic, struct nic_pair *p, const struct nic_opts *o)
{
	unsigned n_regions = nic->dev.mem.n, n_rx = rx_buffers(o, p->rx->size);
	uint8_t *buf;

	p->n_tx_bufs = tx_buffers(o, p->tx->size);
	p->tx_free = calloc(p->n_tx_bufs, sizeof(*p->tx_free));
	if (p->tx_free == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < p->n_tx_bufs; i++) {
		buf = vu_mem_alloc(&nic->dev.mem, i % n_regions,
				slot_size(nic->tx_buf_size + TABLE_SIZE), BUF_ALIGN);
		if (buf == NULL)
			return -ENOMEM;
		p->tx_free[p->n_tx_free++] = buf;
	}
	for (unsigned i = 0; i < n_rx; i++) {
		buf = vu_mem_alloc(&nic->dev.mem, i % n_regions, slot_size(nic->rx_buf_size),
				BUF_ALIGN);
		if (buf == NULL)
			return -ENOMEM;
		post_rx(nic, p->rx, buf);
	}
	vr_publish(p->rx, 0);
	/* Frames that were sent are reclaimed when their buffers are needed; nobody waits for them. */
	vr_call_enable(p->tx, false);
	return 0;
}

static void
free_buffers(struct nic *nic)
{
	for (unsigned i = 0; i < nic->n_pairs; i++) {
		free(nic->pair[i].tx_free);
		nic->pair[i].tx_free = NULL;
		nic->pair[i].n_tx_free = nic->pair[i].n_tx_bufs = 0;
	}
}

/* Makes all that is in the guest's own memory. */
static int
lay_out(struct nic *nic, const struct nic_opts *o)
{
	int err = 0;

	nic->hdr_len = vr_hdr_len(nic->dev.features);
	nic->rx_buf_size = or_default(o->rx_buf_size, RX_BUF_DEFAULT);
	nic->tx_buf_size = or_default(o->tx_buf_size, TX_BUF_DEFAULT);
	nic->rx_header_apart = o->rx_header_apart;
	nic->n_pairs = nic->dev.n_rings / 2;
	for (unsigned i = 0; i < nic->n_pairs && err == 0; i++) {
		nic->pair[i].rx = vu_dev_rx(&nic->dev, i);
		nic->pair[i].tx = vu_dev_tx(&nic->dev, i);
		err = make_buffers(nic, &nic->pair[i], o);
	}
	nic->rx = nic->pair[0].rx;
	nic->tx = nic->pair[0].tx;
	return err;
}

static int
bring_up(struct nic *nic, const struct nic_opts *o)
{
	int err;

	err = lay_out(nic, o);
	if (err == 0)
		err = o->order != NULL ? vu_order(&nic->dev, o->order) : vu_dev_start(&nic->dev);
	if (err == 0 && o->order != NULL)
		err = vu_dev_sync(&nic->dev);
	for (unsigned i = 0; i < nic->n_pairs && err == 0; i++)
		vr_kick(nic->pair[i].rx);
	return err;
}

/* Returns the device's options, with ring and region sizes as the card needs them. */
static struct vu_dev_opts
device_opts(const struct nic_opts *opts)
{
	struct vu_dev_opts dev = opts->dev;

	dev.rx_size = (uint16_t)or_default(dev.rx_size, 256);
	dev.tx_size = (uint16_t)or_default(dev.tx_size, 256);
	if (dev.mem.region_size == 0)
		dev.mem.region_size = region_size(opts, dev.rx_size, dev.tx_size);
	return dev;
}

int
nic_open_unconnected(struct nic *nic, const struct nic_opts *opts)
{
	struct vu_dev_opts dev = device_opts(opts);
	int err;

	memset(nic, 0, sizeof(*nic));
	err = vu_dev_open_unconnected(&nic->dev, &dev);
	if (err < 0)
		return err;
	err = lay_out(nic, opts);
	if (err < 0)
		nic_close(nic);
	return err;
}

int
nic_open(struct nic *nic, int sock, const struct nic_opts *opts)
{
	struct vu_dev_opts dev = device_opts(opts);
	int err;

	memset(nic, 0, sizeof(*nic));
	err = vu_dev_open(&nic->dev, sock, &dev);
	if (err < 0)
		return err;
	err = bring_up(nic, opts);
	if (err < 0)
		nic_close(nic);
	return err;
}

void
nic_close(struct nic *nic)
{
	free_buffers(nic);
	vu_dev_close(&nic->dev);
}

int
nic_reboot(struct nic *nic, uint64_t features, const struct nic_opts *opts)
{
	struct vu_mem *mem = &nic->dev.mem;
	int err;

	err = vu_dev_stop(&nic->dev, NULL);
	if (err == 0)
		err = vu_dev_renegotiate(&nic->dev, features);
	if (err < 0)
		return err;
	/* The memory is the guest's again: the buffers are laid out again after the rings. */
	for (unsigned i = 0; i < mem->n; i++) {
		uint8_t *end = mem->region[i].base + opts->dev.mem.skew;

		for (unsigned r = i; r < nic->dev.n_rings; r += mem->n) {
			struct vr_ring *vr = &nic->dev.ring[r];
			uint8_t *after = (uint8_t *)(vr_avail_event(vr) + 1);

			if (after > end)
				end = after;
		}
		mem->region[i].used = (size_t)(end - mem->region[i].base);
	}
	free_buffers(nic);
	return bring_up(nic, opts);
}

/* Cuts header and frame, which lie together at `gpa`, into descriptors. */
static unsigned
cut(struct vr_seg *seg, uint64_t gpa, unsigned hdr_len, size_t len, const struct nic_layout *how)
{
	unsigned descs = how->descs > 1 ? how->descs : 1, n = 0;
	size_t first = hdr_len, each, take;

	if (how->header_apart) {
		seg[n++] = (struct vr_seg){gpa, hdr_len};
		gpa += hdr_len;
		first = 0;
	}
	if (descs > len)
		descs = (unsigned)len;
	each = len / (descs > 0 ? descs : 1);
	while (descs-- > 0) {
		take = first + (descs == 0 ? len : each);
		seg[n++] = (struct vr_seg){gpa, (uint32_t)take};
		gpa += take;
		len -= take - first;
		first = 0;
	}
	return n;
}

int
nic_queue(struct nic *nic, const struct vr_net_hdr *hdr, const void *frame, size_t len,
		const struct nic_layout *how)
{
	static const struct nic_layout plain;
	struct nic_pair *p = &nic->pair[nic->tx_pair];
	struct vr_seg seg[NIC_DESCS_MAX + 1];
	uint64_t gpa;
	unsigned n;
	uint8_t *buf;
	int head;

	if (how == NULL)
		how = &plain;
	if (len == 0 || how->descs > NIC_DESCS_MAX || nic->hdr_len + len > nic->tx_buf_size)
		return -EINVAL;
	if (p->n_tx_free == 0 || p->tx->n_free < how->descs + 1U) {
		head = nic_reclaim(nic);
		if (head < 0)
			return head;
		if (p->n_tx_free == 0)
			return -ENOBUFS;
	}
	buf = p->tx_free[p->n_tx_free - 1];
	gpa = vu_mem_gpa(&nic->dev.mem, buf);
	if (hdr != NULL)
		memcpy(buf, hdr, nic->hdr_len);
	else
		memset(buf, 0, nic->hdr_len);
	memcpy(buf + nic->hdr_len, frame, len);
	n = cut(seg, gpa, nic->hdr_len, len, how);

	if (how->indirect) {
		size_t at = slot_size(nic->tx_buf_size + TABLE_SIZE) - TABLE_SIZE;

		/* Both terms are multiples of 16, so the table is aligned as it must be. */
		head = vr_add_indirect(p->tx, buf + at, gpa + at, seg, n, 0, buf);
	} else {
		head = vr_add(p->tx, seg, n, 0, buf);
	}
	if (head < 0)
		return -ENOBUFS;
	p->n_tx_free--;
	return 0;
}

void
nic_flush(struct nic *nic)
{
	for (unsigned i = 0; i < nic->n_pairs; i++) {
		vr_publish(nic->pair[i].tx, 0);
		vr_kick(nic->pair[i].tx);
	}
}

int
nic_send(struct nic *nic, const void *frame, size_t len, const struct nic_layout *how)
{
	int err = nic_queue(nic, NULL, frame, len, how);

	if (err == 0)
		nic_flush(nic);
	return err;
}

int
nic_reclaim(struct nic *nic)
{
	void *buf;
	int n = 0, got;

	for (unsigned i = 0; i < nic->n_pairs; i++) {
		struct nic_pair *p = &nic->pair[i];

		while ((got = vr_take_used(p->tx, NULL, NULL, &buf)) > 0) {
			p->tx_free[p->n_tx_free++] = buf;
			n++;
		}
		if (got < 0)
			return got;
	}
	return n;
}

unsigned
nic_in_flight(const struct nic *nic)
{
	unsigned n = 0;

	for (unsigned i = 0; i < nic->n_pairs; i++)
		n += nic->pair[i].n_tx_bufs - nic->pair[i].n_tx_free;
	return n;
}

int
nic_drain(struct nic *nic, int timeout_ms)
{
	int64_t deadline = vu_now_ms() + timeout_ms;
	int got;

	for (;;) {
		got = nic_reclaim(nic);
		if (got < 0)
			return got;
		if (nic_in_flight(nic) == 0)
			return 0;
		if (vu_now_ms() > deadline)
			return -ETIMEDOUT;
		sched_yield();
	}
}

/* How many buffers the next frame takes, by its header; 0 when it is not there as a whole. */
static int
next_frame_buffers(struct nic *nic, struct vr_ring *vr)
{
	unsigned pending = vr_used_pending(vr);
	struct vr_net_hdr hdr = {.num_buffers = 1};
	uint32_t len;
	void *buf;

	if (pending == 0)
		return 0;
	if (vr_peek_used(vr, NULL, &len, &buf) != 1 || len < nic->hdr_len)
		return -EPROTO;
	memcpy(&hdr, buf, nic->hdr_len);
	nic->rx_hdr = hdr;
	/* VERSION_1 demands a 1 there. Not every device writes it: see rx_hdr. */
	if ((nic->dev.features & VU_F_MRG_RXBUF) == 0)
		return 1;
	if (hdr.num_buffers == 0)
		return -EPROTO;
	return hdr.num_buffers <= pending ? hdr.num_buffers : 0;
}

/* nic_recv() on one ring. */
static int
recv_from(struct nic *nic, struct vr_ring *vr, void *frame, size_t room)
{
	size_t len = 0, skip = nic->hdr_len;
	int n = next_frame_buffers(nic, vr);
	bool fits = true;

	if (n <= 0)
		return n;
	for (int i = 0; i < n; i++) {
		uint32_t used;
		void *buf;

		if (vr_take_used(vr, NULL, &used, &buf) != 1 || used > nic->rx_buf_size ||
				used < skip)
			return -EPROTO;
		fits = fits && used - skip <= room - len;
		if (fits) {
			memcpy((uint8_t *)frame + len, (uint8_t *)buf + skip, used - skip);
			len += used - skip;
		}
		skip = 0;
		post_rx(nic, vr, buf);
	}
	nic->rx_merged = (unsigned)n;
	vr_publish(vr, 0);
	vr_kick(vr);
	if (nic->wants_calls)
		vr_call_enable(vr, true);
	return fits ? (int)len : -EMSGSIZE;
}

int
nic_recv(struct nic *nic, void *frame, size_t room)
{
	int n = 0;

	for (unsigned i = 0; i < nic->n_pairs && n == 0; i++) {
		nic->rx_pair = nic->rx_pair + 1 < nic->n_pairs ? nic->rx_pair + 1 : 0;
		n = recv_from(nic, nic->pair[nic->rx_pair].rx, frame, room);
	}
	return n;
}

int
nic_recv_wait(struct nic *nic, void *frame, size_t room, int timeout_ms)
{
	int64_t deadline = vu_now_ms() + timeout_ms;
	int n;

	for (;;) {
		n = nic_recv(nic, frame, room);
		if (n != 0)
			return n;
		if (vu_now_ms() > deadline)
			return -ETIMEDOUT;
		sched_yield();
	}
}
