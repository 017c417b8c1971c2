/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A guest's transmit ring as a source of frames: see tx.c. */
#ifndef GUEST_TX_H
#define GUEST_TX_H

#include "switch/source.h"

/* For the `source` of a struct virtqueue. */
extern const struct source_ops tx_source_ops;

#endif /* GUEST_TX_H */
