/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The rings of a hostile guest in the packed format: see rings.h. */
#include "rings.h"

void
fuzz_setup(void)
{
	rings_setup();
}

void
fuzz_one(struct input *in)
{
	rings_one(in, true);
}
