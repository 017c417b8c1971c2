/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Methods that change ports: see rpc_call.h for the contract. Each changes a draft of the settings and
 * proposes it (change.h); the answer comes when the change is in effect.
 */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "conf/conf.h"
#include "conf/conf_file.h"
#include "conf/conf_port.h"
#include "run/change.h"
#include "run/parts.h"
#include "run/rpc_call.h"
#include "run/rpc_port.h"
#include "switch/port.h"

json_t *
rpc_port_settings(const struct conf_port *p)
{
	char name[PORT_KEY_MAX], value[PORT_VALUE_MAX];
	json_t *o = json_object();
	unsigned int key;

	for (key = 0; key < conf_port_keys(); key++)
		if (conf_port_get(p, key, value)[0] != '\0')
			json_object_set_new(o, conf_port_key(key, name), json_string(value));
	return o;
}

/* Returns the lines of a text as an array. */
static json_t *
rpc_port_lines(const char *text)
{
	json_t *lines = json_array();
	size_t len;

	for (; *text != '\0'; text += len + 1) {
		len = strcspn(text, "\n");
		json_array_append_new(lines, json_stringn(text, len));
		if (text[len] == '\0')
			break;
	}
	return lines;
}

static void
rpc_port_changed(void *arg, const struct change_result *r)
{
	struct rpc_ticket *t = arg;
	json_t *result = NULL;

	if (r->ok) {
		result = json_pack("{s:o, s:o}", "diff", rpc_port_lines(r->diff), "reconnects",
				rpc_port_lines(r->reconnects));
		if (r->error[0] != '\0')
			json_object_set_new(result, "warning", json_string(r->error));
	}
	rpc_answer(t, result, r->busy ? RPC_CODE_BUSY : RPC_CODE_REFUSED, r->error);
	free(t);
}

/* Proposes a draft. The answer comes when it is in effect or was refused. */
static enum rpc_end
rpc_port_propose(struct rpc_call *call, struct conf *draft, bool dry)
{
	struct rpc_ticket *t = malloc(sizeof(*t));

	if (t == NULL) {
		free(draft);
		return rpc_fail(call, RPC_CODE_REFUSED, "no memory");
	}
	*t = call->ticket;
	json_incref(t->id);
	changes_propose(call->parts->changes, draft, dry, rpc_port_changed, t);
	return RPC_LATER;
}

/* Returns true, once the call has failed, while another change is being made. */
static bool
rpc_port_is_busy(struct rpc_call *call)
{
	if (!changes_busy(call->parts->changes))
		return false;
	rpc_fail(call, RPC_CODE_BUSY, CHANGE_BUSY ": try again");
	return true;
}

static struct conf *
rpc_port_draft(struct rpc_call *call)
{
	struct conf *draft;

	if (rpc_port_is_busy(call))
		return NULL;
	draft = changes_draft(call->parts->changes);
	if (draft == NULL)
		rpc_fail(call, RPC_CODE_REFUSED, "no memory");
	return draft;
}

/* Writes a parameter's value as the text that --port has for it. Returns false for other types. */
static bool
rpc_port_value(const json_t *value, char text[PORT_VALUE_MAX])
{
	size_t i, len = 0;
	const json_t *item;

	if (json_is_string(value))
		return snprintf(text, PORT_VALUE_MAX, "%s", json_string_value(value)) <
				PORT_VALUE_MAX;
	if (json_is_integer(value))
		return snprintf(text, PORT_VALUE_MAX, "%" JSON_INTEGER_FORMAT,
				       json_integer_value(value)) < PORT_VALUE_MAX;
	if (json_is_boolean(value))
		return snprintf(text, PORT_VALUE_MAX, json_is_true(value) ? "yes" : "no") > 0;
	text[0] = '\0';
	json_array_foreach((json_t *)(uintptr_t)value, i, item) {
		if (!json_is_string(item))
			return false;
		len += snprintf(text + len, PORT_VALUE_MAX - len, "%s%s", i == 0 ? "" : "+",
				json_string_value(item));
		if (len >= PORT_VALUE_MAX)
			return false;
	}
	return json_is_array(value);
}

/* Sets a key from a parameter. It is reset to its default first, as some keys of --port add to what is set. */
static bool
rpc_port_set_key(struct conf_port *p, const char *what, const char *key, const json_t *value)
{
	char text[PORT_VALUE_MAX];

	if (json_is_null(value))
		return conf_port_unset(p, what, key);
	if (rpc_port_value(value, text))
		return conf_port_unset(p, what, key) && conf_port_set(p, what, key, text);
	say_error("%s: %s: must be a string, a number, true, false, null, or an array of strings",
			what, key);
	return false;
}

/* Sets a port's keys from the parameters, except its name. Returns false once the call has failed. */
static bool
rpc_port_set_keys(struct rpc_call *call, const struct conf *draft, struct conf_port *p)
{
	char what[PORT_NAME_MAX + sizeof("port ")];
	const char *key;
	json_t *value;
	bool ok = true;

	snprintf(what, sizeof(what), "port %s", p->name);
	say_error_into(call->error, sizeof(call->error));
	json_object_foreach(call->params, key, value)
		if (ok && strcmp(key, "name") != 0)
			ok = rpc_port_set_key(p, what, key, value);
	call->code = ok ? RPC_CODE_REFUSED : RPC_CODE_PARAMS;
	ok = ok && conf_port_complete(draft, p);
	say_error_into(NULL, 0);
	return ok;
}

/* Returns the port of the parameter `name`, or NULL once the call has failed. */
static struct conf_port *
rpc_port_find(struct rpc_call *call, struct conf *draft)
{
	const char *name = json_string_value(json_object_get(call->params, "name"));
	unsigned int index;

	if (name == NULL) {
		rpc_fail(call, RPC_CODE_PARAMS, "name: must be a string");
		return NULL;
	}
	index = conf_find_port(draft, name);
	if (index != SOCKET_MAX)
		return &draft->port[index];
	rpc_fail(call, RPC_CODE_NONE, "port %s: there is none", name);
	return NULL;
}

/* Proposes a draft whose port `p` the parameters describe. NULL: the call has failed. */
static enum rpc_end
rpc_port_submit(struct rpc_call *call, struct conf *draft, struct conf_port *p)
{
	if (p != NULL && rpc_port_set_keys(call, draft, p))
		return rpc_port_propose(call, draft, false);
	free(draft);
	return RPC_FAILED;
}

enum rpc_end
rpc_port_add(struct rpc_call *call)
{
	const char *name = json_string_value(json_object_get(call->params, "name"));
	struct conf_port *p;
	struct conf *draft;

	if (name == NULL)
		return rpc_fail(call, RPC_CODE_PARAMS, "name: must be a string");
	draft = rpc_port_draft(call);
	if (draft == NULL)
		return RPC_FAILED;
	call->code = RPC_CODE_REFUSED;
	say_error_into(call->error, sizeof(call->error));
	p = conf_port_create(draft, name, changes_slot_taken, call->parts);
	say_error_into(NULL, 0);
	return rpc_port_submit(call, draft, p);
}

enum rpc_end
rpc_port_set(struct rpc_call *call)
{
	struct conf *draft = rpc_port_draft(call);

	return draft != NULL ? rpc_port_submit(call, draft, rpc_port_find(call, draft))
			     : RPC_FAILED;
}

enum rpc_end
rpc_port_del(struct rpc_call *call)
{
	struct conf *draft;
	struct conf_port *p;
	const char *name;

	if (!rpc_read(call, "{s:s}", "name", &name))
		return RPC_FAILED;
	draft = rpc_port_draft(call);
	if (draft == NULL)
		return RPC_FAILED;
	p = rpc_port_find(call, draft);
	if (p == NULL) {
		free(draft);
		return RPC_FAILED;
	}
	if (p->socket[0] == '\0') {
		free(draft);
		return rpc_fail(call, RPC_CODE_REFUSED,
				"port %s: is the device of --dev-basename: restart the switch without "
				"it",
				name);
	}
	conf_port_remove(draft, p);
	return rpc_port_propose(call, draft, false);
}

/* Proposes what the command line and a file say. */
static enum rpc_end
rpc_port_apply(struct rpc_call *call, bool dry)
{
	const char *text = NULL;
	struct conf *draft;
	size_t len = 0;

	if (!rpc_read(call, "{s?s%}", "text", &text, &len))
		return RPC_FAILED;
	if (rpc_port_is_busy(call))
		return RPC_FAILED;
	say_error_into(call->error, sizeof(call->error));
	draft = changes_read(call->parts->changes, text, len);
	say_error_into(NULL, 0);
	if (draft != NULL)
		return rpc_port_propose(call, draft, dry);
	call->code = RPC_CODE_REFUSED;
	return RPC_FAILED;
}

enum rpc_end
rpc_config_check(struct rpc_call *call)
{
	return rpc_port_apply(call, true);
}

enum rpc_end
rpc_config_apply(struct rpc_call *call)
{
	return rpc_port_apply(call, false);
}

enum rpc_end
rpc_config_save(struct rpc_call *call)
{
	struct conf *draft;
	char *text = NULL;
	size_t len;
	FILE *out;

	if (!rpc_read(call, "{}"))
		return RPC_FAILED;
	draft = changes_draft(call->parts->changes);
	out = draft != NULL ? open_memstream(&text, &len) : NULL;
	if (out != NULL) {
		conf_file_write(out, draft);
		fclose(out);
		call->result = json_pack("{s:s}", "text", text);
	}
	free(text);
	free(draft);
	return call->result != NULL ? RPC_DONE : rpc_fail(call, RPC_CODE_REFUSED, "no memory");
}
