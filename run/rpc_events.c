/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Events and the log: see rpc_call.h and rpc_events.h for the contracts. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <rte_common.h>

#include "base/log.h"
#include "run/rpc_call.h"
#include "run/rpc_events.h"

enum rpc_end
rpc_events_subscribe(struct rpc_call *call)
{
	if (!rpc_read(call, "{}"))
		return RPC_FAILED;
	rpc_subscribe(&call->ticket);
	return RPC_DONE;
}

void
rpc_event(struct rpc *r, const char *name, const char *format, ...)
{
	char time_text[40];
	struct timespec now;
	json_t *params;
	va_list args;
	struct tm tm;
	size_t len;

	if (!rpc_has_listeners(r))
		return;
	va_start(args, format);
	params = json_vpack_ex(NULL, 0, format, args);
	va_end(args);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	len = strftime(time_text, sizeof(time_text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(time_text + len, sizeof(time_text) - len, ".%03dZ", (int)(now.tv_nsec / 1000000));
	json_object_set_new(params, "time", json_string(time_text));
	json_object_set_new(params, "event", json_string(name));
	rpc_tell(r,
			json_pack("{s:s, s:s, s:o}", "jsonrpc", "2.0", "method", "event", "params",
					params));
}

enum rpc_end
rpc_log_set(struct rpc_call *call)
{
	static const struct {
		const char *name;
		uint32_t level;
	} levels[] = {
			{"error", RTE_LOG_ERR},
			{"warning", RTE_LOG_WARNING},
			{"notice", RTE_LOG_NOTICE},
			{"info", RTE_LOG_INFO},
			{"debug", RTE_LOG_DEBUG},
	};
	const char *level;
	size_t i;

	if (!rpc_read(call, "{s:s}", "level", &level))
		return RPC_FAILED;
	for (i = 0; i < RTE_DIM(levels); i++) {
		if (strcmp(levels[i].name, level) != 0)
			continue;
		/* DPDK's own level is a limit for all. */
		rte_log_set_global_level(RTE_MAX(rte_log_get_global_level(), levels[i].level));
		rte_log_set_level(log_switch, levels[i].level);
		rte_log_set_level(log_data, levels[i].level);
		return RPC_DONE;
	}
	return rpc_fail(call, RPC_CODE_PARAMS,
			"level %s: must be error, warning, notice, info or debug", level);
}
