/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Messages of a front end in an order of its own, as a text.
 *
 *	"mem num+base+addr+call+kick enable"
 *
 * Words are done one after the other. What is joined by '+' is done for each ring in turn, all of it for one
 * ring before the next. Of the device: mem, features, owner, reset_owner, sync. Of each ring: num, base, addr, call,
 * kick, err, enable, disable, get_base.
 */
#ifndef DRIVER_ORDER_H
#define DRIVER_ORDER_H

#include "device.h"

/* Returns 0, a negative errno of the message that failed, or -EINVAL for an unknown word. */
int vu_order(struct vu_dev *dev, const char *order);

#endif
