/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Front ends other than QEMU, by the order of their messages: none is hostile, each must work. And the
 * messages that some of them send where they were not offered. See cases.h.
 *
 * Two orders can't work, as librte_vhost looks addresses up when they come, and begins with a ring at its
 * kick: memory after addresses, which ends the connection, and addresses after the kick. No front end is known
 * that has one of them; the protocol has rings start with their kicks.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"

#define TALKS 20

/* Protocol features that a front end takes; and the device's feature without which there are none. */
enum { NO_PROTOCOL, NO_ACK, ACK };

struct order {
	unsigned protocol;
	const char *messages; /* after features and owner: see order.h */
};

/* Frames go both ways; and again when the guest has hung up and another one has come. */
static void
run_order(struct hostile *h, const void *arg)
{
	const struct order *o = arg;
	struct nic_opts opts = party_opts();
	struct party *p, *peer = party_open(h, NULL);

	opts.order = o->messages;
	if (o->protocol != ACK)
		opts.dev.protocol = 0;
	if (o->protocol == NO_PROTOCOL)
		opts.dev.features &= ~VU_F_PROTOCOL_FEATURES;
	for (unsigned times = 0; times < 2 && peer != NULL; times++) {
		p = party_open(h, &opts);
		if (p == NULL || !party_meet(p, peer) || !party_talk(p, peer, TALKS))
			return;
		party_close(p);
	}
}

/* A message that was not offered ends the connection, in one line that names it. */
static void
run_not_offered(struct hostile *h, const void *arg)
{
	const uint32_t *request = arg;
	struct party *p = party_open(h, NULL);
	struct vu_msg msg = vu_msg_u64(*request, 1);
	char text[64];

	if (p == NULL)
		return;
	EXPECT(h, vu_send(p->nic.dev.sock, &msg) == 0, "not sent");
	EXPECT(h, vu_wait_hangup(p->nic.dev.sock, PATIENCE_MS) == 0, "it stays connected");
	snprintf(text, sizeof(text), "sent message %u, which", *request);
	EXPECT(h, subject_log_wait(&h->subject, h->log_mark, text, PATIENCE_MS) != NULL,
			"the log does not name the message");
	EXPECT(h, subject_log_count(&h->subject, h->log_mark, text) == 1,
			"the log names it more than once");
}

#define ORDER(name, protocol, messages) \
	{ \
		"order-" name, "front end's order: " messages, run_order, \
				&(const struct order){protocol, messages}, 0 \
	}
#define RING "num+base+addr+call+kick"
#define NOT_OFFERED(name, request) \
	{ \
		"order-" name, "message that was not offered: disconnected, by name", \
				run_not_offered, &(const uint32_t){request}, 0 \
	}

const struct hcase cases_order[] = {
		ORDER("qemu", ACK, "call err features mem num+base+addr+kick+call enable"),
		ORDER("virtio-user", ACK, "call features mem num+base+addr+kick enable"),
		ORDER("cloud-hypervisor", ACK, "mem num addr+base+call+kick enable"),
		ORDER("crosvm", NO_ACK, "mem num+addr+base+call+kick+enable"),
		ORDER("firecracker", NO_ACK, "mem num addr+base+call+kick enable"),
		ORDER("uml", ACK, "mem call+num+base+addr kick+enable"),
		ORDER("no-protocol", NO_PROTOCOL, "mem " RING),
		ORDER("enable-first", ACK, "enable mem " RING),
		ORDER("enable-before-kick", ACK, "mem num+base+addr+call+enable+kick"),
		ORDER("enable-twice", NO_ACK, "mem " RING " enable enable"),
		ORDER("off-and-on", ACK, "mem " RING " enable disable enable"),
		ORDER("memory-twice", NO_ACK, "mem " RING " enable mem"),
		ORDER("features-again", ACK, "mem " RING " features enable"),
		ORDER("owner-again", ACK, "owner mem " RING " enable"),
		ORDER("reset", ACK,
				"mem " RING
				" enable disable get_base reset_owner owner features mem " RING
				" enable"),
		ORDER("reset-at-once", NO_ACK,
				"mem " RING " enable reset_owner owner features mem " RING
				" enable"),
		ORDER("stop", ACK, "mem " RING " enable get_base " RING),
		NOT_OFFERED("get-config", VU_GET_CONFIG),
		NOT_OFFERED("set-config", VU_SET_CONFIG),
		NOT_OFFERED("reset-device", VU_RESET_DEVICE),
		NOT_OFFERED("set-status", VU_SET_STATUS),
		NOT_OFFERED("get-status", VU_GET_STATUS),
		{.name = NULL},
};
