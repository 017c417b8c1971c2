/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Settings as texts, for tests of the configuration file and the fuzz target for it. */
#ifndef UNIT_CONF_TEXT_H
#define UNIT_CONF_TEXT_H

struct conf;

/* Returns what conf_file_write() writes of *c, or conf_diff_print() of both: free() it. `next` may be NULL. */
char *conf_text(const struct conf *c, const struct conf *next);

#endif /* UNIT_CONF_TEXT_H */
