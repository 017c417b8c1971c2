/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Log types and last words: see log.h. */
#include <stdarg.h>
#include <stdio.h>

#include "run/log.h"

int log_switch, log_data;

void
say_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("vhost-switch: ", stderr);
	vfprintf(stderr, format, args); /* NOLINT: va_start() is above */
	fputc('\n', stderr);
	va_end(args);
	/* What libraries say while all is taken down again is not the last word. */
	rte_log_set_global_level(RTE_LOG_EMERG);
}

bool
log_init(void)
{
	/* librte_vhost tells of every message; the user's --log-level can bring it back. */
	rte_log_set_level_pattern("lib.vhost.*", RTE_LOG_WARNING);
	log_switch = rte_log_register_type_and_pick_level("vhost-switch", RTE_LOG_INFO);
	log_data = rte_log_register_type_and_pick_level("vhost-switch.data", RTE_LOG_INFO);
	return log_switch >= 0 && log_data >= 0;
}
