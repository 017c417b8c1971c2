/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading a guest's set-up from librte_vhost: see snapshot.h for the contract. */
#include <stdlib.h>

#include <linux/virtio_config.h>

#include <rte_vhost.h>

#include "guest/descriptors.h"
#include "guest/guest.h"
#include "guest/snapshot.h"
#include "guest/tx.h"
#include "main.h"

#define RING_SIZE_MAX 32768 /* virtio 1.2 section 2.7 */

bool
snapshot_memory(struct guest *g)
{
	struct rte_vhost_memory *table;

	if (rte_vhost_get_mem_table(g->vid, &table) != 0)
		return false;
	guest_mem_set(&g->mem, table);
	free(table);
	return true;
}

/* Whether an area of the ring is aligned and within guest memory. */
static bool
area_ok(const struct guest *g, const void *p, uint64_t len, uintptr_t align)
{
	return ((uintptr_t)p & (align - 1)) == 0 && guest_mem_holds(&g->mem, p, len);
}

/*
 * Whether all three areas may be used, with the event index that stands behind
 * the available and used rings (virtio 1.2 sections 2.7.6 and 2.7.8).
 */
static bool
areas_ok(const struct guest *g, const struct rte_vhost_vring *v)
{
	uint64_t n = v->size;

	return area_ok(g, v->desc, n * sizeof(struct vring_desc), VRING_DESC_ALIGN_SIZE) &&
			area_ok(g, v->avail, 4 + n * 2 + 2, VRING_AVAIL_ALIGN_SIZE) &&
			area_ok(g, v->used, 4 + n * sizeof(struct vring_used_elem) + 2,
					VRING_USED_ALIGN_SIZE);
}

static void
snapshot_features(struct guest *g, struct virtqueue *vq)
{
	uint64_t f = 0;

	rte_vhost_get_negotiated_features(g->vid, &f);
	vq->event_idx = f >> VIRTIO_RING_F_EVENT_IDX & 1;
	vq->indirect = f >> VIRTIO_RING_F_INDIRECT_DESC & 1;
	vq->mergeable = f >> VIRTIO_NET_F_MRG_RXBUF & 1;
	vq->hdr_len = vq->mergeable || (f >> VIRTIO_F_VERSION_1 & 1)
			? sizeof(struct virtio_net_hdr_mrg_rxbuf)
			: sizeof(struct virtio_net_hdr);
}

bool
snapshot_ring(struct guest *g, unsigned int index)
{
	struct virtqueue *vq = &g->ring[index];
	struct rte_vhost_vring v;

	if (vq->fault != FAULT_NONE || rte_vhost_get_vhost_vring(g->vid, index, &v) != 0 ||
			v.desc == NULL || v.avail == NULL || v.used == NULL)
		return false;
	if (v.size == 0 || v.size > RING_SIZE_MAX || (v.size & (v.size - 1)) != 0 ||
			!areas_ok(g, &v)) {
		vq_fault(vq, FAULT_RING_ADDRESS);
		return false;
	}
	if (v.callfd >= 0 && !descriptors_callfd(v.callfd)) {
		vq_fault(vq, FAULT_CALLFD);
		return false;
	}
	if (rte_vhost_get_vring_base(g->vid, index, &vq->last_avail, &vq->last_used) != 0)
		return false;
	vq->desc = v.desc;
	vq->avail = v.avail;
	vq->used = v.used;
	vq->size = v.size;
	vq->callfd = v.callfd;
	vq->mem = &g->mem;
	vq->frame_max = conf_frame_max(&g->sw->conf);
	vq->source.ops = &tx_source_ops;
	vq->source.port = g->port;
	snapshot_features(g, vq);
	return true;
}
