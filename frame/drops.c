/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The names of drop reasons: see drops.h, which has them. */
#include "frame/drops.h"

#define DROP_TEXT(name, text, doc) [DROP_##name] = text,
const char *
drop_name(enum drop_reason reason)
{
	static const char *const names[] = {DROP_REASONS(DROP_TEXT)};

	return reason < DROP_MAX ? names[reason] : "unknown";
}
