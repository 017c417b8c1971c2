/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A guest that leaves offloads to the switch. See offload.h. */
#include "offload.h"

#include <errno.h>
#include <string.h>

#include "raw.h"

#define TAKES_ALL \
	(VU_F_GUEST_CSUM | VU_F_GUEST_TSO4 | VU_F_GUEST_TSO6 | VU_F_GUEST_ECN | VU_F_GUEST_USO4 | \
			VU_F_GUEST_USO6)
#define RING 1024
#define DESCS_MAX 1024
#define ARENA (12 + PARCEL_MAX)
#define TRIES 100u /* of trio_arrives() */

bool
trio_open(struct hostile *h, struct trio *t, uint64_t features)
{
	static const uint64_t takes[RECEIVERS] = {TAKES_ALL, VU_F_GUEST_CSUM, 0};
	struct nic_opts opts = party_opts();

	*t = (struct trio){.h = h};
	opts.dev.features |= features;
	opts.dev.tx_size = opts.dev.rx_size = RING;
	opts.dev.mem.region_size = 1 << 20;
	t->bad = party_open(h, &opts);
	for (unsigned i = 0; i < RECEIVERS && t->bad != NULL; i++) {
		opts = party_opts();
		opts.dev.features |= takes[i];
		opts.dev.rx_size = RING;
		/* A guest that takes packets of 64 KiB needs room for them in one buffer, or in many. */
		if (takes[i] == TAKES_ALL && !h->subject.mergeable)
			opts.rx_buf_size = ARENA;
		else
			opts.rx_bufs = 512;
		opts.dev.mem.region_size = 2 << 20;
		t->to[i] = party_open(h, &opts);
		/* The newcomer sends first: its frame is not flooded, as the other guest is known by then. */
		if (t->to[i] == NULL ||
				!(i == 0 ? party_meet(t->bad, t->to[i])
					 : party_meet(t->to[i], t->bad)))
			return false;
		EXPECT(h, i != 0 || (t->to[i]->nic.dev.features & VU_F_GUEST_TSO4) != 0,
				"the switch offers no offloads: run this with --offload");
	}
	return t->bad != NULL && !h->failed;
}

void
trio_close(struct trio *t)
{
	party_close(t->bad);
	for (unsigned i = 0; i < RECEIVERS; i++)
		party_close(t->to[i]);
}

bool
trio_send(struct trio *t, const struct parcel *p, unsigned descs)
{
	unsigned hdr_len = t->bad->nic.hdr_len;
	uint32_t len = hdr_len + p->len, at = 0, each = len / descs;
	struct vr_seg seg[DESCS_MAX];
	struct vr_ring *tx = t->bad->nic.tx;
	/* The end of the region is free: no buffer reaches so far. */
	struct buf b = raw_end_buf(t->bad, 1, ARENA);

	memcpy(b.at, &p->vnet, hdr_len);
	memcpy(b.at + hdr_len, p->bytes, p->len);
	for (unsigned i = 0; i < descs; i++, at += each)
		seg[i] = (struct vr_seg){b.gpa + at, i + 1 < descs ? each : len - at};
	raw_chain(tx, 0, seg, descs, 0);
	raw_post_one(tx, 0);
	return raw_returned(t->bad, tx, 1, NULL);
}

bool
trio_hears(struct trio *t, unsigned i, const struct parcel *p, bool perhaps)
{
	static uint8_t frame[PARCEL_MAX];
	struct party *to = t->to[i];
	uint32_t at = 0, got, total = p->len > p->headers ? p->len - p->headers : 0;
	const char *wrong;
	unsigned n = 0;
	int len;

	while ((len = nic_recv(&to->nic, frame, sizeof(frame))) > 0) {
		wrong = parcel_wrong(p, to->nic.dev.features, &to->nic.rx_hdr, frame, (uint32_t)len,
				at, &got);
		if (wrong != NULL)
			return fail(t->h, "receiver %u, frame %u of %d bytes: %s", i, n, len,
					wrong);
		at += got;
		n++;
	}
	if (len < 0)
		return fail(t->h, "receiver %u: %s", i, strerror(-len));
	if (n == 0 && perhaps)
		return false;
	return EXPECT(t->h, n > 0 && at == total,
			"receiver %u: %u frames with %u bytes of payload came, "
			"%u were sent",
			i, n, at, total);
}

bool
trio_arrives(struct trio *t, unsigned i, const struct parcel *p, unsigned descs)
{
	for (unsigned n = 0; n < TRIES; n++) {
		if (!trio_send(t, p, descs))
			return false;
		if (trio_hears(t, i, p, true))
			return true;
		if (t->h->failed)
			return false;
		expect_drops(t->bad, DROP_RING_FULL, 1);
	}
	return fail(t->h, "receiver %u: none of %u frames came", i, TRIES);
}
