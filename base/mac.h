/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Writes Ethernet addresses in small letters, as Linux's tools do, and reads them. Any thread. */
#ifndef MAC_H
#define MAC_H

#include <stdbool.h>
#include <string.h>

#include <rte_ether.h>

#define MAC_FORMAT "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_BYTES(m) \
	(m).addr_bytes[0], (m).addr_bytes[1], (m).addr_bytes[2], (m).addr_bytes[3], \
			(m).addr_bytes[4], (m).addr_bytes[5]

/* Room for one, with its end. */
#define MAC_TEXT_MAX sizeof("00:00:00:00:00:00")

/* Reads the whole of `text` as one address: six bytes between colons. Returns false if it is none. */
static inline bool
mac_parse(const char *text, struct rte_ether_addr *mac)
{
	return strlen(text) == MAC_TEXT_MAX - 1 && rte_ether_unformat_addr(text, mac) == 0;
}

#endif /* MAC_H */
