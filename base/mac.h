/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* How an Ethernet address is written: in small letters, as Linux's tools do. */
#ifndef MAC_H
#define MAC_H

#define MAC_FORMAT "%02x:%02x:%02x:%02x:%02x:%02x"
#define MAC_BYTES(m) \
	(m).addr_bytes[0], (m).addr_bytes[1], (m).addr_bytes[2], (m).addr_bytes[3], \
			(m).addr_bytes[4], (m).addr_bytes[5]

/* Room for one, with its end. */
#define MAC_TEXT_MAX sizeof("00:00:00:00:00:00")

#endif /* MAC_H */
