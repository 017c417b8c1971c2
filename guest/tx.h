/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A guest's transmit ring as a source of frames (switch/source.h).
 *
 * A fetch reads what the guest has made available, up to a burst, into views of its frames. Their chains
 * are the switch's until they are retired, which gives them back in order where the guest wants that
 * (in_order.h). A frame that can't be switched stays in the burst, with its drop reason.
 *
 * Called by the worker that polls the ring (see virtqueue.h), and by librte_vhost's thread while the
 * ring is withdrawn.
 */
#ifndef GUEST_TX_H
#define GUEST_TX_H

#include "base/simd.h"
#include "switch/burst.h"
#include "switch/source.h"

/* The `source` of each struct virtqueue has these operations. */
extern const struct source_ops tx_source_ops;

/* Shortest frame that tx_set_avx2() takes: it reads as much of each. */
#define TX_SET_LEAST 16

#ifdef SIMD_AVX2
/*
 * Sets the first n frames of a burst. Frame i is the one fragment b->frag[i], after a virtio-net header of
 * `skip` bytes in the same buffer; id[] has the frames' numbers at the source. Returns the frames whose
 * header asks for something.
 */
frame_set tx_set_avx2(struct burst *b, const uint16_t *id, unsigned int n, uint32_t skip);
#else
#define tx_set_avx2(b, id, n, skip) 0
#endif

#endif /* GUEST_TX_H */
