/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Why a frame was dropped, and why a guest was stopped: each reason once.
 *
 * These two lists feed the enums, the statistics table, telemetry and the
 * documentation, so that names cannot drift apart. To add a reason, add a line, and run
 * scripts/doc-lists.
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
			"longer than the largest frame that is switched (see --mergeable) or that the " \
			"uplink's port carries, or to be cut into such") \
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

/* Why a guest was stopped: it broke the virtio specification, or the memory that it shares can't be used. */
#define FAULT_REASONS(X) \
	X(NONE, "none", "not stopped") \
	X(AVAIL_OVERRUN, "available index ahead by more than the ring", \
			"the available index moved further than the ring is long") \
	X(HEAD, "descriptor index past the ring", \
			"an available entry or a chain names a descriptor that the ring lacks") \
	X(LOOP, "descriptor chain that never ends", \
			"a chain is longer than its table, or than any chain may be") \
	X(INDIRECT, "malformed indirect descriptor", \
			"an indirect table is nested, chained, empty or of an odd size") \
	X(RING_ADDRESS, "ring outside of its memory", \
			"a ring is misaligned, or does not lie within one memory region") \
	X(CALLFD, "call file descriptor that is no eventfd, or blocks", \
			"the file descriptor to signal the guest with is something else, or is made to block") \
	X(MEMORY, "memory that is not there", \
			"a page of guest memory vanished (file truncated, or no hugepage left)") \
	X(RX_USELESS, "receive buffers that no frame fits into", \
			"256 receive chains in a row could take no frame: too short, of the wrong " \
			"direction, or outside of guest memory") \
	X(LOG, "dirty log shorter than its memory", \
			"its front end migrates it with a bitmap that lacks bits for some of its pages")

#define DROP_ENUM(name, text, doc) DROP_##name,
enum drop_reason { DROP_REASONS(DROP_ENUM) DROP_MAX };
#undef DROP_ENUM

#define FAULT_ENUM(name, text, doc) FAULT_##name,
enum fault_reason { FAULT_REASONS(FAULT_ENUM) FAULT_MAX };
#undef FAULT_ENUM

/* Returns the name of a reason as the statistics show it, never NULL. Any thread. */
const char *drop_name(enum drop_reason reason);
const char *fault_name(enum fault_reason reason);

#endif /* DROPS_H */
