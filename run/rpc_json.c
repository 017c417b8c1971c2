/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Requests and answers of JSON-RPC 2.0: see rpc_call.h for the contract. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>

#include "run/rpc_call.h"
#include "run/rpc_client.h"

static const struct rpc_method {
	const char *name;
	enum rpc_end (*call)(struct rpc_call *call);
} methods[] = {
#define METHOD(function, name, params, help) {name, rpc_##function},
		RPC_METHODS(METHOD)
#undef METHOD
};

enum rpc_end
rpc_fail(struct rpc_call *call, int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(call->error, sizeof(call->error), format, args);
	va_end(args);
	call->code = code;
	return RPC_FAILED;
}

bool
rpc_read(struct rpc_call *call, const char *format, ...)
{
	json_error_t error;
	va_list args;
	int rc;

	va_start(args, format);
	rc = json_vunpack_ex(call->params, &error, JSON_STRICT, format, args);
	va_end(args);
	if (rc != 0)
		rpc_fail(call, RPC_CODE_PARAMS, "params: %s", error.text);
	return rc == 0;
}

json_t *
rpc_method_names(void)
{
	json_t *names = json_array();
	size_t i;

	for (i = 0; i < RTE_DIM(methods); i++)
		json_array_append_new(names, json_string(methods[i].name));
	return names;
}

char *
rpc_text(json_t *id, json_t *result, int code, const char *error)
{
	char ascii[RPC_ERROR_MAX];
	json_t *answer;
	char *text = NULL;
	char *c;

	if (id == NULL)
		id = json_null();
	/* JSON needs UTF-8: names of files may be any bytes, and a shortened text may end within a character. */
	snprintf(ascii, sizeof(ascii), "%s", error);
	for (c = ascii; *c != '\0'; c++)
		if ((unsigned char)*c >= 0x80)
			*c = '?';
	if (result != NULL)
		answer = json_pack("{s:s, s:o, s:O}", "jsonrpc", "2.0", "result", result, "id", id);
	else
		answer = json_pack("{s:s, s:{s:i, s:s}, s:O}", "jsonrpc", "2.0", "error", "code",
				code, "message", ascii, "id", id);
	if (answer != NULL)
		text = json_dumps(answer, JSON_COMPACT | JSON_ENSURE_ASCII);
	json_decref(answer);
	if (text == NULL || strlen(text) < RPC_ANSWER_MAX)
		return text;
	free(text);
	return rpc_text(id, NULL, RPC_CODE_REFUSED, "answer: too long; ask for less");
}

/* Names the methods there are. */
static void
rpc_json_no_method(struct rpc_call *call, const char *name)
{
	size_t i, len;

	rpc_fail(call, RPC_CODE_METHOD, "method %.40s: there is none; there are", name);
	for (i = 0; i < RTE_DIM(methods); i++) {
		len = strlen(call->error);
		snprintf(call->error + len, sizeof(call->error) - len, " %s", methods[i].name);
	}
}

static enum rpc_end
rpc_json_call(struct rpc_call *call, const char *name)
{
	size_t i;

	for (i = 0; i < RTE_DIM(methods); i++)
		if (strcmp(methods[i].name, name) == 0)
			return methods[i].call(call);
	rpc_json_no_method(call, name);
	return RPC_FAILED;
}

/* Reads a request. Returns its method's name, or NULL once the call has failed. */
static const char *
rpc_json_read(struct rpc_call *call, json_t *request)
{
	const char *name = json_string_value(json_object_get(request, "method"));
	const char *version = json_string_value(json_object_get(request, "jsonrpc"));
	json_t *id = json_object_get(request, "id"), *params;

	if (json_is_array(request)) {
		rpc_fail(call, RPC_CODE_REQUEST, "batch: send one request a line");
		return NULL;
	}
	if (id != NULL && !json_is_string(id) && !json_is_number(id) && !json_is_null(id)) {
		rpc_fail(call, RPC_CODE_REQUEST, "id: must be a string, a number, or null");
		return NULL;
	}
	if (json_string_length(id) > RPC_ID_MAX) {
		rpc_fail(call, RPC_CODE_REQUEST, "id: at most %d bytes", RPC_ID_MAX);
		return NULL;
	}
	call->ticket.id = id;
	if (version == NULL || strcmp(version, "2.0") != 0 || name == NULL) {
		rpc_fail(call, RPC_CODE_REQUEST,
				"request: must be an object with \"jsonrpc\": \"2.0\" and a "
				"\"method\"");
		return NULL;
	}
	params = json_object_get(request, "params");
	if (params != NULL && !json_is_object(params)) {
		rpc_fail(call, RPC_CODE_PARAMS, "params: must be an object");
		return NULL;
	}
	call->params = params != NULL ? json_incref(params) : json_object();
	return name;
}

bool
rpc_request(struct parts *parts, const struct rpc_ticket *ticket, const char *line, size_t len,
		char **text)
{
	struct rpc_call call = {.parts = parts, .ticket = *ticket};
	enum rpc_end end = RPC_FAILED;
	json_error_t error;
	json_t *request;
	const char *name;
	bool wanted = true;

	*text = NULL;
	request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (request == NULL) {
		rpc_fail(&call, RPC_CODE_PARSE, "column %d: %s", error.column, error.text);
	} else {
		name = rpc_json_read(&call, request);
		wanted = call.ticket.id != NULL || name == NULL;
		if (name != NULL)
			end = rpc_json_call(&call, name);
	}
	if (end == RPC_DONE && call.result == NULL)
		call.result = json_object();
	if (end == RPC_DONE && wanted)
		*text = rpc_text(call.ticket.id, call.result, 0, "");
	else if (end == RPC_FAILED && wanted)
		*text = rpc_text(call.ticket.id, NULL, call.code, call.error);
	if (end != RPC_DONE || !wanted)
		json_decref(call.result);
	json_decref(call.params);
	json_decref(request);
	return end != RPC_LATER;
}
