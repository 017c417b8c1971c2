/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The texts of fault reasons: see fault_reason.h, which has them. */
#include "guest/fault_reason.h"

#define FAULT_TEXT(name, text, doc) [FAULT_##name] = text,
const char *
fault_name(enum fault_reason reason)
{
	static const char *const names[] = {FAULT_REASONS(FAULT_TEXT)};

	return reason < FAULT_MAX ? names[reason] : "unknown";
}
