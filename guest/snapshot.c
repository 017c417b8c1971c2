/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Reads a guest's state from librte_vhost: see snapshot.h for the contract. */
#include <stdlib.h>

#include <linux/vhost_types.h>
#include <linux/virtio_config.h>

#include <rte_vhost.h>

#include "base/simd.h"
#include "guest/fds.h"
#include "guest/dirty_log.h"
#include "guest/device.h"
#include "guest/in_order.h"
#include "guest/snapshot.h"
#include "guest/tx.h"
#include "guest/ring.h"
#include "frame/offload.h"

#define RING_SIZE_MAX 32768 /* virtio 1.2 sections 2.7 and 2.8 */

/*
 * The vhost-user protocol has a position in a packed ring in these bits, and its wrap counter in the
 * next one.
 */
#define PACKED_POSITION 0x7fffu
#define PACKED_WRAP 0x8000u

void
snapshot_log(struct guest *g)
{
	uint64_t base = 0, size = 0;

	/* librte_vhost (22.11) still reports the log after RESET_OWNER has unmapped it. */
	if (g->conn.log_mapped)
		rte_vhost_get_log_base(g->conn.vid, &base, &size);
	guest_mem_set_log(&g->mem, (uint8_t *)(uintptr_t)base, size);
}

bool
snapshot_memory(struct guest *g)
{
	struct rte_vhost_memory *table;

	if (rte_vhost_get_mem_table(g->conn.vid, &table) != 0)
		return false;
	guest_mem_set(&g->mem, table);
	free(table);
	snapshot_log(g);
	return true;
}

/* Returns true if an area of the ring is aligned and within guest memory. */
static bool
snapshot_area_ok(const struct guest *g, const void *p, uint64_t len, uintptr_t align)
{
	return ((uintptr_t)p & (align - 1)) == 0 && guest_mem_holds(&g->mem, p, len);
}

/*
 * Returns true if all three areas may be used. A split ring has event indices after the available
 * and used rings (virtio 1.2 sections 2.7 and 2.8).
 */
static bool
snapshot_areas_ok(const struct guest *g, const struct rte_vhost_vring *v, bool packed)
{
	uint64_t n = v->size;

	if (n == 0 || n > RING_SIZE_MAX)
		return false;
	if (packed)
		return snapshot_area_ok(g, v->desc_packed, n * sizeof(*v->desc_packed), 16) &&
				snapshot_area_ok(g, v->driver_event, sizeof(*v->driver_event), 4) &&
				snapshot_area_ok(g, v->device_event, sizeof(*v->device_event), 4);
	return (n & (n - 1)) == 0 &&
			snapshot_area_ok(g, v->desc, n * sizeof(struct vring_desc),
					VRING_DESC_ALIGN_SIZE) &&
			snapshot_area_ok(g, v->avail, 4 + n * 2 + 2, VRING_AVAIL_ALIGN_SIZE) &&
			snapshot_area_ok(g, v->used, 4 + n * sizeof(struct vring_used_elem) + 2,
					VRING_USED_ALIGN_SIZE);
}

static void
snapshot_features(struct virtqueue *vq, unsigned int index, uint64_t f)
{
	vq->packed = f >> VIRTIO_F_RING_PACKED & 1;
	vq->event_idx = f >> VIRTIO_RING_F_EVENT_IDX & 1;
	vq->indirect = f >> VIRTIO_RING_F_INDIRECT_DESC & 1;
	vq->mergeable = f >> VIRTIO_NET_F_MRG_RXBUF & 1;
	vq->hdr_len = vq->mergeable || (f >> VIRTIO_F_VERSION_1 & 1)
			? sizeof(struct virtio_net_hdr_mrg_rxbuf)
			: sizeof(struct virtio_net_hdr);
	vq->logging = (f >> VHOST_F_LOG_ALL & 1) && vq->mem->log_size != 0;
	vq->offloads = ring_is_tx(index) ? offload_may_send(f) : offload_may_receive(f);
}

/* Takes over the positions of the ring. */
static bool
snapshot_indices(struct guest *g, unsigned int index)
{
	struct virtqueue *vq = &g->ring[index];

	if (rte_vhost_get_vring_base(g->conn.vid, index, &vq->last_avail, &vq->last_used) != 0)
		return false;
	vq->hidden = false;
	vq->known.valid = false;
	vq->useless = 0;
	if (!vq->packed)
		return true;
	vq->avail_wrap = vq->last_avail & PACKED_WRAP;
	vq->used_wrap = vq->last_used & PACKED_WRAP;
	vq->last_avail &= PACKED_POSITION;
	vq->last_used &= PACKED_POSITION;
	if (vq->last_avail < vq->size && vq->last_used < vq->size)
		return true;
	vq_fault(vq, FAULT_RING_ADDRESS);
	return false;
}

/* Makes what a transmit ring needs whose chains are returned in order. */
static bool
snapshot_in_order(struct virtqueue *vq, bool wanted)
{
	free(vq->in_order);
	vq->in_order = NULL;
	if (!wanted)
		return true;
	vq->in_order = in_order_create(vq->size);
	return vq->in_order != NULL;
}

/* Takes over the parts of a ring, which were checked. */
static void
snapshot_areas(struct virtqueue *vq, const struct rte_vhost_vring *v)
{
	if (vq->packed) {
		vq->ring = v->desc_packed;
		vq->driver_event = v->driver_event;
		vq->device_event = v->device_event;
	} else {
		vq->avail = v->avail;
		vq->desc = v->desc;
		vq->used = v->used;
	}
}

bool
snapshot_ring(struct guest *g, unsigned int index)
{
	struct virtqueue *vq = &g->ring[index];
	struct rte_vhost_vring v;
	uint64_t features = 0;

	if (vq_broken(vq) || rte_vhost_get_vhost_vring(g->conn.vid, index, &v) != 0 ||
			v.desc == NULL || v.avail == NULL || v.used == NULL)
		return false;
	rte_vhost_get_negotiated_features(g->conn.vid, &features);
	vq->mem = &g->mem;
	snapshot_features(vq, index, features | g->conn.features);
	if (vq->logging && !dirty_log_covers(&g->mem)) {
		vq_fault(vq, FAULT_LOG);
		return false;
	}
	if (!snapshot_areas_ok(g, &v, vq->packed)) {
		vq_fault(vq, FAULT_RING_ADDRESS);
		return false;
	}
	vq->callsocket = guest_settings(g)->uml && v.callfd >= 0 && fds_is_socket(v.callfd);
	if (v.callfd >= 0 && !vq->callsocket && !fds_callfd(v.callfd)) {
		vq_fault(vq, FAULT_CALLFD);
		return false;
	}
	vq->size = v.size;
	if (!snapshot_indices(g, index) ||
			!snapshot_in_order(vq,
					ring_is_tx(index) && (features >> VIRTIO_F_IN_ORDER & 1)))
		return false;
	snapshot_areas(vq, &v);
	vq->avx2 = simd_avx2();
	vq->callfd = v.callfd;
	vq->kickfd = v.kickfd >= 0 && fds_is_eventfd(v.kickfd) ? v.kickfd : -1;
	vq->frame_max = conf_frame_of(guest_settings(g)->mtu);
	vq->source.ops = &tx_source_ops;
	vq->source.port = g->slot;
	vq->source.pair = index / 2;
	ring_hang_bell(vq);
	return true;
}

void
snapshot_base(struct guest *g, unsigned int index)
{
	struct virtqueue *vq = &g->ring[index];
	uint16_t avail = vq->last_avail, used = vq->last_used;

	if (vq->packed) {
		avail |= vq->avail_wrap ? PACKED_WRAP : 0;
		used |= vq->used_wrap ? PACKED_WRAP : 0;
	}
	rte_vhost_set_vring_base(g->conn.vid, index, avail, used);
}
