/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A guest whose rings, both of them, are what an input says, beside two honest ones (honest.h).
 * One worker, which the target plays.
 */
#ifndef FUZZ_RINGS_H
#define FUZZ_RINGS_H

#include "fuzz.h"

void rings_setup(void);
void rings_one(struct input *in, bool packed);

#endif /* FUZZ_RINGS_H */
