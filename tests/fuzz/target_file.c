/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Configuration files of any kind. What is accepted is written and read as the same, has no
 * difference from itself, can be resolved or is refused with a reason, and finds places beside
 * other settings.
 */
#include "base/log.h"
#include "conf/conf.h"
#include "conf/conf_diff.h"
#include "conf/conf_file.h"
#include "conf/conf_parse.h"
#include "conf/conf_port.h"
#include "conf_text.h"
#include "fuzz.h"

#define TEXT_MAX 1024

static struct conf one, two;
static char error[512];

void
fuzz_setup(void)
{
	fuzz_eal();
}

static bool
take(struct conf *c, const char *text, size_t len)
{
	char name[] = "vhost-switch", *word[] = {name, NULL};
	enum conf_result result;

	say_error_into(error, sizeof(error));
	result = conf_parse_with(c, 1, word, text, len);
	say_error_into(NULL, 0);
	assert_true(result == CONF_RUN || error[0] != '\0');
	conf_port_limit_clients(c, c->client);
	return result == CONF_RUN;
}

static bool
is_taken(void *arg, unsigned int index)
{
	return index % 2 == (uintptr_t)arg % 2;
}

static void
check_same(void)
{
	char *text = conf_text(&one, NULL), *again, *diff;

	if (!take(&two, text, strlen(text)))
		fail_msg("%s\n%s", error, text);
	again = conf_text(&two, NULL);
	assert_string_equal(text, again);
	diff = conf_text(&one, &two);
	assert_string_equal(diff, "");
	free(diff);
	free(again);
	free(text);
}

void
fuzz_one(struct input *in)
{
	uint8_t parity = fuzz_u8(in);
	char *text = fuzz_exact(TEXT_MAX);
	size_t len = fuzz_take(in, text, TEXT_MAX);
	bool ok;

	if (take(&one, text, len)) {
		check_same();
		say_error_into(error, sizeof(error));
		ok = conf_resolve(&two);
		assert_true(ok || error[0] != '\0');
		if (ok)
			assert_true(conf_resolve(&two));
		conf_assign_indexes(&one, &two, is_taken, (void *)(uintptr_t)parity);
		say_error_into(NULL, 0);
	}
	free(text);
}
