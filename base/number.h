/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Reads numbers in texts: options, lists of the kernel, parameters of telemetry. Any thread. */
#ifndef NUMBER_H
#define NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Reads all of `text` as a number of that base, up to `max`. Returns false if the text is anything
 * else: empty, with a sign, a blank or a prefix, or too large.
 */
bool number_parse(const char *text, int base, uint64_t max, uint64_t *value);

#endif /* NUMBER_H */
