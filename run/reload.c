/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Reads the file again: see reload.h for the contract. */
#include <string.h>

#include "base/log.h"
#include "run/change.h"
#include "run/reload.h"

static void
reload_postpone(struct reload *r, const char *why)
{
	if (!r->waits)
		say(NOTICE, "reload: not yet: %s\n", why);
	r->due = r->waits = true;
}

/* Logs how the change ended. */
static void
reload_done(void *arg, const struct change_result *result)
{
	struct reload *r = arg;
	const char *line = result->diff;
	size_t len;

	if (result->busy) {
		reload_postpone(r, CHANGE_HELD);
		return;
	}
	r->waits = false;
	for (; result->ok && line[0] != '\0'; line += len + 1) {
		len = strcspn(line, "\n");
		say(NOTICE, "%.*s\n", (int)len, line);
	}
	if (result->error[0] != '\0')
		say(ERR, "reload: %s%s\n", result->ok ? "" : "nothing is changed: ", result->error);
	else
		say(NOTICE, "reload: done\n");
}

void
reload_file(struct reload *r)
{
	char error[512];
	struct change_result wrong = {.error = error, .diff = ""};
	struct conf *draft;

	if (changes_busy(r->changes)) {
		reload_postpone(r, CHANGE_BUSY);
		return;
	}
	r->due = false;
	say_error_into(error, sizeof(error));
	draft = changes_read(r->changes, NULL, 0);
	say_error_into(NULL, 0);
	if (draft != NULL)
		changes_propose(r->changes, draft, false, reload_done, r);
	else
		reload_done(r, &wrong);
}

void
reload_tick(struct reload *r)
{
	if (r->due && !changes_busy(r->changes))
		reload_file(r);
}
