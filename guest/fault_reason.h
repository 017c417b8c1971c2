/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Why a guest was stopped: it broke the virtio specification, or the memory that it shares can't be used. Each
 * reason once: as in drops.h, the list feeds the enum, what is logged, and the documentation.
 *
 * X(enum name, text of the log, sentence for the documentation)
 *
 * Constants; any thread.
 */
#ifndef GUEST_FAULT_REASON_H
#define GUEST_FAULT_REASON_H

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

#define FAULT_ENUM(name, text, doc) FAULT_##name,
enum fault_reason { FAULT_REASONS(FAULT_ENUM) FAULT_MAX };
#undef FAULT_ENUM

/* Returns the text of a reason as the log shows it, never NULL. Any thread. */
const char *fault_name(enum fault_reason reason);

#endif /* GUEST_FAULT_REASON_H */
