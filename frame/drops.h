/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Why a frame was dropped: each reason once.
 *
 * This list feeds the enum, the statistics table, telemetry and the documentation, so that names cannot
 * drift apart. To add a reason, add a line, and run scripts/doc-lists.
 *
 * X(enum name, name in the statistics, sentence for the documentation)
 *
 * Constants; any thread.
 */
#ifndef DROPS_H
#define DROPS_H

#define DROP_REASONS(X) \
	X(NONE, "none", "not dropped") \
	X(SHORT, "short_frame", \
			"shorter than an Ethernet header, or than the virtio-net header before it") \
	X(LONG, "long_frame", \
			"longer than its sender may send (mtu= of its port; from the uplink 1500 bytes of " \
			"payload, or 9000 if a port had mergeable=yes at the start), or than the uplink's " \
			"port or its MTU allows, or to be cut into frames that are; what is too long for a " \
			"guest's receive buffers is buffer_too_small") \
	X(DESCRIPTOR, "bad_descriptor", \
			"a transmit descriptor outside of guest memory or of the wrong direction") \
	X(OFFLOAD, "bad_offload", \
			"the virtio-net header asks for an offload that was not negotiated, or that does " \
			"not fit the frame") \
	X(SOURCE, "bad_source", "the source address is a group address, or all zeroes") \
	X(SPOOFED, "spoofed_mac", \
			"the source address is not one that the port may use, by its mac= or another's") \
	X(ISOLATED, "isolated", "sender and destination are both isolated (isolated=yes)") \
	X(OWN_TAG, "own_tag", \
			"the guest tagged the frame, and its port lets it use no VLAN (own-tags=drop)") \
	X(LINK_LOCAL, "link_local", \
			"the destination is a link-local group address (01:80:c2:00:00:00 to 0f), which " \
			"no bridge forwards; see --forward-bpdu") \
	X(TO_SENDER, "to_sender", \
			"the destination is the port that the frame came from, or that its source " \
			"address belongs to") \
	X(NO_PORT, "no_port", "there is no other port to send it to") \
	X(RING_FULL, "ring_full", \
			"the destination's receive ring stayed full for the whole retry time") \
	X(UPLINK_FULL, "uplink_full", \
			"the uplink's transmit queue stayed full for the whole retry time") \
	X(LINK_DOWN, "link_down", "the uplink's link is down") \
	X(NO_MBUF, "no_mbuf", "no mbuf was free for the uplink for the whole retry time") \
	X(TOO_BIG, "buffer_too_small", \
			"the frame does not fit into the destination's receive buffers") \
	X(RX_DESCRIPTOR, "bad_rx_descriptor", \
			"a receive descriptor outside of guest memory or of the wrong direction") \
	X(GONE, "destination_gone", \
			"the destination was stopped or disconnected before it could take the frame") \
	X(PAUSED, "source_paused", \
			"the frame waited for room when its sender was stopped or reconfigured") \
	X(VLAN, "wrong_vlan", \
			"from the uplink: the tag names no device, or not the one that has the address") \
	X(UNMATCHED, "unmatched", \
			"from the uplink: the tag names a device that does not use the address") \
	X(COPY, "pool_copy", \
			"from the uplink: a second copy of what the device's VMDq pool receives")

#define DROP_ENUM(name, text, doc) DROP_##name,
enum drop_reason { DROP_REASONS(DROP_ENUM) DROP_MAX };
#undef DROP_ENUM

/* Returns the name of a reason as the statistics show it, never NULL. Any thread. */
const char *drop_name(enum drop_reason reason);

#endif /* DROPS_H */
