/* SPDX-License-Identifier: BSD-3-Clause */
/* A network card as a well-behaved guest's driver has it. See nic.h. */
#define _GNU_SOURCE
#include "nic.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define RX_BUF_DEFAULT		1530
#define TX_BUF_DEFAULT		9216
#define TX_BUFS_MAX		256
#define BUF_ALIGN		64
#define POISON			0xa5

/* Each transmit buffer ends with room for an indirect table. */
#define TABLE_SIZE	(sizeof(struct vr_desc) * (NIC_PIECES_MAX + 1))

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

	/* Buffers go round the regions, so one may get one more than the average. */
	return rings + (rx_buffers(o, rx_size) / n + 1) * rx +
		(tx_buffers(o, tx_size) / n + 1) * tx + o->dev.mem.skew;
}

static int
post_rx(struct nic *nic, uint8_t *buf)
{
	uint64_t gpa = vu_mem_gpa(&nic->dev.mem, buf);
	struct vr_seg seg[2] = { { gpa, nic->rx_buf_size }, { 0, 0 } };
	unsigned n = 1;

	/* A header that the device did not write must not look like one that it did. */
	memset(buf, POISON, nic->hdr_len);

	if (nic->rx_header_apart) {
		seg[0].len = nic->hdr_len;
		seg[1] = (struct vr_seg){ gpa + nic->hdr_len, nic->rx_buf_size - nic->hdr_len };
		n = 2;
	}
	return vr_add(nic->rx, seg, 0, n, buf);
}

static int
make_buffers(struct nic *nic, const struct nic_opts *o)
{
	unsigned n_regions = nic->dev.mem.n, n_rx = rx_buffers(o, nic->rx->size);
	uint8_t *buf;

	nic->n_tx_bufs = tx_buffers(o, nic->tx->size);
	nic->tx_free = calloc(nic->n_tx_bufs, sizeof(*nic->tx_free));
	if (nic->tx_free == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < nic->n_tx_bufs; i++) {
		buf = vu_mem_alloc(&nic->dev.mem, i % n_regions,
				slot_size(nic->tx_buf_size + TABLE_SIZE), BUF_ALIGN);
		if (buf == NULL)
			return -ENOMEM;
		nic->tx_free[nic->n_tx_free++] = buf;
	}
	for (unsigned i = 0; i < n_rx; i++) {
		buf = vu_mem_alloc(&nic->dev.mem, i % n_regions, slot_size(nic->rx_buf_size),
				BUF_ALIGN);
		if (buf == NULL)
			return -ENOMEM;
		post_rx(nic, buf);
	}
	vr_publish(nic->rx, 0);
	return 0;
}

/* All of it that is in the guest's own memory. */
static int
lay_out(struct nic *nic, const struct nic_opts *o)
{
	int err;

	nic->hdr_len = vr_hdr_len(nic->dev.features);
	nic->rx_buf_size = or_default(o->rx_buf_size, RX_BUF_DEFAULT);
	nic->tx_buf_size = or_default(o->tx_buf_size, TX_BUF_DEFAULT);
	nic->rx_header_apart = o->rx_header_apart;
	err = make_buffers(nic, o);
	if (err < 0)
		return err;
	/* Frames that were sent are taken back when there is need; nobody waits for them. */
	vr_call_enable(nic->tx, false);
	return 0;
}

static int
bring_up(struct nic *nic, const struct nic_opts *o)
{
	int err;

	err = lay_out(nic, o);
	if (err == 0)
		err = vu_dev_start(&nic->dev);
	if (err == 0)
		vr_kick(nic->rx);
	return err;
}

/* The device's options, with what the card's say of ring and region sizes. */
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
	nic->rx = vu_dev_rx(&nic->dev, 0);
	nic->tx = vu_dev_tx(&nic->dev, 0);
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
	nic->rx = vu_dev_rx(&nic->dev, 0);
	nic->tx = vu_dev_tx(&nic->dev, 0);
	err = bring_up(nic, opts);
	if (err < 0)
		nic_close(nic);
	return err;
}

void
nic_close(struct nic *nic)
{
	free(nic->tx_free);
	nic->tx_free = NULL;
	nic->n_tx_free = 0;
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
	/* The memory is the guest's again: buffers are laid out anew behind the rings. */
	for (unsigned i = 0; i < mem->n; i++) {
		uint8_t *end = mem->region[i].base + opts->dev.mem.skew;

		for (unsigned r = i; r < nic->dev.n_rings; r += mem->n) {
			struct vring *vr = &nic->dev.ring[r];
			uint8_t *after = (uint8_t *)(vr_avail_event(vr) + 1);

			if (after > end)
				end = after;
		}
		mem->region[i].used = (size_t)(end - mem->region[i].base);
	}
	free(nic->tx_free);
	nic->tx_free = NULL;
	nic->n_tx_free = 0;
	return bring_up(nic, opts);
}

/* Cuts header and frame, which lie together at `gpa`, into pieces. */
static unsigned
cut(struct vr_seg *seg, uint64_t gpa, unsigned hdr_len, size_t len, const struct nic_layout *how)
{
	unsigned pieces = how->pieces > 1 ? how->pieces : 1, n = 0;
	size_t first = hdr_len, each, take;

	if (how->header_apart) {
		seg[n++] = (struct vr_seg){ gpa, hdr_len };
		gpa += hdr_len;
		first = 0;
	}
	if (pieces > len)
		pieces = (unsigned)len;
	each = len / (pieces > 0 ? pieces : 1);
	while (pieces-- > 0) {
		take = first + (pieces == 0 ? len : each);
		seg[n++] = (struct vr_seg){ gpa, (uint32_t)take };
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
	struct vr_seg seg[NIC_PIECES_MAX + 1];
	uint64_t gpa;
	unsigned n;
	uint8_t *buf;
	int head;

	if (how == NULL)
		how = &plain;
	if (len == 0 || how->pieces > NIC_PIECES_MAX || nic->hdr_len + len > nic->tx_buf_size)
		return -EINVAL;
	if (nic->n_tx_free == 0 || nic->tx->n_free < how->pieces + 1U) {
		head = nic_reclaim(nic);
		if (head < 0)
			return head;
		if (nic->n_tx_free == 0)
			return -ENOBUFS;
	}
	buf = nic->tx_free[nic->n_tx_free - 1];
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
		head = vr_add_indirect(nic->tx, (struct vr_desc *)(buf + at), gpa + at, seg, n, 0,
				buf);
	} else {
		head = vr_add(nic->tx, seg, n, 0, buf);
	}
	if (head < 0)
		return -ENOBUFS;
	nic->n_tx_free--;
	return 0;
}

void
nic_flush(struct nic *nic)
{
	vr_publish(nic->tx, 0);
	vr_kick(nic->tx);
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

	while ((got = vr_take_used(nic->tx, NULL, NULL, &buf)) > 0) {
		nic->tx_free[nic->n_tx_free++] = buf;
		n++;
	}
	return got < 0 ? got : n;
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
		if (nic->n_tx_free == nic->n_tx_bufs)
			return 0;
		if (vu_now_ms() > deadline)
			return -ETIMEDOUT;
		sched_yield();
	}
}

/* How many buffers the next frame takes, by its header; 0 when it is not there as a whole. */
static int
next_frame_buffers(struct nic *nic)
{
	unsigned pending = vr_used_pending(nic->rx);
	struct vr_used_elem e;
	struct vr_net_hdr hdr = { .num_buffers = 1 };

	if (pending == 0)
		return 0;
	e = nic->rx->used->ring[nic->rx->used_idx & (nic->rx->size - 1)];
	if (e.id >= nic->rx->size || nic->rx->chain[e.id] == 0 || e.len < nic->hdr_len)
		return -EPROTO;
	memcpy(&hdr, nic->rx->cookie[e.id], nic->hdr_len);
	nic->rx_hdr = hdr;
	/* VERSION_1 demands a 1 there, which not every device writes: see rx_hdr. */
	if ((nic->dev.features & VU_F_MRG_RXBUF) == 0)
		return 1;
	if (hdr.num_buffers == 0)
		return -EPROTO;
	return hdr.num_buffers <= pending ? hdr.num_buffers : 0;
}

int
nic_recv(struct nic *nic, void *frame, size_t room)
{
	size_t len = 0, skip = nic->hdr_len;
	int n = next_frame_buffers(nic);
	bool fits = true;

	if (n <= 0)
		return n;
	for (int i = 0; i < n; i++) {
		uint32_t used;
		void *buf;

		if (vr_take_used(nic->rx, NULL, &used, &buf) != 1 || used > nic->rx_buf_size ||
				used < skip)
			return -EPROTO;
		fits = fits && used - skip <= room - len;
		if (fits) {
			memcpy((uint8_t *)frame + len, (uint8_t *)buf + skip, used - skip);
			len += used - skip;
		}
		skip = 0;
		post_rx(nic, buf);
	}
	nic->rx_merged = (unsigned)n;
	vr_publish(nic->rx, 0);
	vr_kick(nic->rx);
	if (nic->wants_calls)
		vr_call_enable(nic->rx, true);
	return fits ? (int)len : -EMSGSIZE;
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
