/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * An uplink for the subject: net_pcap, which plays a file of frames again and again. The frames are
 * for the two guests of the gauge, by turns.
 */
#ifndef HOSTILE_WIRE_H
#define HOSTILE_WIRE_H

#include <stdbool.h>

/* Writes the file. */
bool wire_write(const char *path);

#endif
