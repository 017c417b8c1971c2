/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Files that the tool reads and writes: see ctl.h for the contract. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ctl.h"

char *
ctl_read_file(const char *name)
{
	FILE *file = strcmp(name, "-") == 0 ? stdin : fopen(name, "r");
	char *text = NULL;
	size_t size = 0;
	ssize_t n;

	if (file == NULL)
		ctl_die(CTL_USAGE, "%s: can't be read: %s", name, strerror(errno));
	n = getdelim(&text, &size, '\0', file);
	if (ferror(file)) /* there may be some text all the same */
		ctl_die(CTL_USAGE, "%s: can't be read: %s", name, strerror(errno));
	if (n > 0 && text[n - 1] == '\0')
		ctl_die(CTL_USAGE, "%s: is no text: it has a byte of 0 in it", name);
	if (file != stdin)
		fclose(file);
	return text != NULL ? text : strdup("");
}

void
ctl_written(void)
{
	errno = 0;
	if (fflush(stdout) != 0 || ferror(stdout))
		ctl_die(CTL_REFUSED, "the output can't be written: %s",
				errno != 0 ? strerror(errno) : "it is not complete");
}
