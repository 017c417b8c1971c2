/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Settings as texts: see conf_text.h. */
#include <stdio.h>

#include "conf/conf_diff.h"
#include "conf/conf_file.h"
#include "conf_text.h"
#include "unit.h"

char *
conf_text(const struct conf *c, const struct conf *next)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	if (next != NULL)
		conf_diff_print(out, c, next);
	else
		conf_file_write(out, c);
	fclose(out);
	return text;
}
