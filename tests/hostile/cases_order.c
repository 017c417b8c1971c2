/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Front ends other than QEMU, by the order of their messages: none is hostile, and each must work.
 * Also messages that some of them send although they were not offered. See cases.h.
 *
 * Two orders can't work, as librte_vhost looks up addresses when they come, and starts a ring at
 * its kick: memory after addresses, which closes the connection, and addresses after the kick. No
 * front end is known that has one of them; in the protocol, rings start with their kicks.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cases.h"

#define TALKS 20

/* What a front end does about the protocol's features. */
enum protocol {
	NO_PROTOCOL, /* the device's feature for them is not negotiated */
	UNSET,       /* it is negotiated, and SET_PROTOCOL_FEATURES never comes */
	NO_ACK,      /* acknowledgements are not among them */
	QUIET,       /* they are, and no message asks for an acknowledgement */
	ACK,         /* messages without an answer of their own ask for an acknowledgement */
	ACK_ALL,     /* all messages ask for an acknowledgement */
};

struct order {
	enum protocol protocol;
	bool uml; /* on a port with uml=yes: the switch alone offers features for the device */
	const char *messages; /* after features and owner: see order.h */
};

static void
set_protocol(struct vu_dev_opts *o, enum protocol protocol)
{
	if (protocol < QUIET)
		o->protocol = 0;
	if (protocol == NO_PROTOCOL)
		o->features &= ~VU_F_PROTOCOL_FEATURES;
	o->unset = protocol == UNSET;
	if (protocol == QUIET)
		o->acks = VU_ACK_NEVER;
	if (protocol != ACK_ALL)
		return;
	/* What rust-vmm's front ends negotiate; they ask for the number of queues, too. */
	o->acks = VU_ACK_ALL;
	o->owner_first = true;
	o->features |= VU_F_MQ;
	o->protocol |= VU_PROTOCOL_MQ;
}

/* Frames go both ways, and do so again after the guest has hung up and another one has come. */
static void
run_order(struct hostile *h, const void *arg)
{
	const struct order *o = arg;
	struct nic_opts opts = party_opts();
	struct party *p, *peer = party_open(h, NULL);

	opts.order = o->messages;
	set_protocol(&opts.dev, o->protocol);
	for (unsigned times = 0; times < 2 && peer != NULL; times++) {
		p = o->uml ? party_open_uml(h, &opts) : party_open(h, &opts);
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
				&(const struct order){protocol, false, messages}, 0 \
	}
#define ORDER_UML(name, protocol, messages) \
	{ \
		"order-" name, "front end's order on a port with uml=yes: " messages, run_order, \
				&(const struct order){protocol, true, messages}, 0 \
	}
#define RING "num+base+addr+call+kick"
#define RUST "mem num addr+base+call+kick enable"
#define CROSVM "mem num+addr+base+call+kick+enable"
#define NOT_OFFERED(name, request) \
	{ \
		"order-" name, "message that was not offered: disconnected, by name", \
				run_not_offered, &(const uint32_t){request}, 0 \
	}

const struct hcase cases_order[] = {
		ORDER("qemu", ACK, "call err features mem num+base+addr+kick+call enable"),
		ORDER("virtio-user", ACK, "call features mem num+base+addr+kick enable"),
		ORDER("cloud-hypervisor", ACK_ALL, RUST),
		ORDER("cloud-hypervisor-pause", ACK_ALL, RUST " disable enable"),
		ORDER("cloud-hypervisor-reset", ACK_ALL, RUST " disable features " RUST),
		ORDER("crosvm", QUIET, CROSVM),
		ORDER_UML("crosvm-sleep", QUIET, CROSVM " disable+get_base " CROSVM),
		ORDER("firecracker", NO_ACK, RUST),
		ORDER("uml", ACK, "mem call+num+base+addr kick+enable"),
		ORDER("no-protocol", NO_PROTOCOL, "mem " RING),
		ORDER("protocol-unset", UNSET, "mem " RING " enable"),
		ORDER("enable-first", ACK, "enable mem " RING),
		ORDER("enable-before-kick", ACK, "mem num+base+addr+call+enable+kick"),
		ORDER("enable-twice", NO_ACK, "mem " RING " enable enable"),
		ORDER("off-and-on", ACK_ALL, "mem " RING " enable disable enable"),
		ORDER("memory-twice", NO_ACK, "mem " RING " enable mem"),
		ORDER("features-again", ACK, "mem " RING " features enable"),
		ORDER("owner-again", ACK, "owner mem " RING " enable"),
		ORDER("reset", ACK_ALL,
				"mem " RING
				" enable disable get_base reset_owner owner features mem " RING
				" enable"),
		ORDER("reset-at-once", NO_ACK,
				"mem " RING " enable reset_owner owner features mem " RING
				" enable"),
		ORDER("stop", ACK_ALL, "mem " RING " enable get_base " RING),
		NOT_OFFERED("get-config", VU_GET_CONFIG),
		NOT_OFFERED("set-config", VU_SET_CONFIG),
		NOT_OFFERED("reset-device", VU_RESET_DEVICE),
		NOT_OFFERED("set-status", VU_SET_STATUS),
		NOT_OFFERED("get-status", VU_GET_STATUS),
		{.name = NULL},
};
