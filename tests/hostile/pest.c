/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A process that misbehaves until it is killed. See pest.h. */
#define _GNU_SOURCE
#include "pest.h"

#include <poll.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostile.h"
#include "odd_messages.h"

#define MAC_BASE 0x06000000
#define PACE_MS 4 /* between two acts: it must disturb, and not take a CPU */
#define LEN 120
#define FRAMES 16
#define HALF 7 /* bytes of a message's header */
#define MESSAGES 20
#define ROUNDS 30
#define LEARN 4 /* one frame of so many has a new source address */

struct pest {
	const char *socket;
	uint64_t random;
	uint32_t macs;
};

static uint64_t
draw(struct pest *p, uint64_t below)
{
	return (odd_number(&p->random) >> 8) % below;
}

static void
pace(void)
{
	poll(NULL, 0, PACE_MS);
}

/* Connects, sends nothing or half a message, and closes. */
static void
be_silent(struct pest *p)
{
	struct vu_msg msg = vu_msg_new(VU_GET_FEATURES);
	int sock = vu_connect(p->socket, PATIENCE_MS);

	if (sock < 0)
		return;
	if (draw(p, 2) == 0)
		vu_send_bytes(sock, &msg, HALF, NULL, 0);
	pace();
	close(sock);
}

static void
send_messages(struct pest *p)
{
	int sock = vu_connect(p->socket, PATIENCE_MS);
	struct vu_msg msg;
	int err = sock < 0 ? sock : 0;

	for (unsigned i = 0; i < MESSAGES && err == 0; i++) {
		struct odd_message odd = odd_random(&p->random);

		odd_make(&msg, &odd);
		err = vu_send(sock, &msg);
		odd_free(&msg);
	}
	pace();
	if (sock >= 0)
		close(sock);
}

/* Frames to its own peer alone, which the switch knows by then: nobody else may get them. */
static void
send_frames(struct pest *p, struct nic *nic, const uint8_t *mac, const uint8_t *peer)
{
	uint8_t frame[LEN], other[6];

	for (unsigned i = 0; i < FRAMES; i++) {
		mac_make(other, MAC_BASE + (uint32_t)draw(p, 1 << 20));
		frame_make(frame, peer, draw(p, LEARN) == 0 ? other : mac, TYPE_MOVER, i,
				sizeof(frame));
		nic_queue(nic, NULL, frame, sizeof(frame), NULL);
	}
	nic_flush(nic);
	nic_reclaim(nic);
}

/* Writes a descriptor that no driver writes, into a ring that the switch uses. */
static void
spoil(struct pest *p, struct vr_ring *vr)
{
	const uint16_t i = (uint16_t)draw(p, vr->size);

	switch (draw(p, 5)) {
	case 0:
		vr_raw_desc(vr, i, odd_number(&p->random), LEN, 0, 0);
		break;
	case 1:
		vr->desc[i].len = (uint32_t)odd_number(&p->random);
		break;
	case 2:
		vr->desc[i].flags ^= VR_DESC_WRITE;
		break;
	case 3: /* a loop */
		vr->desc[i].flags |= VR_DESC_NEXT;
		vr->desc[i].next = i;
		break;
	default:
		vr_raw_avail_idx(vr, (uint16_t)odd_number(&p->random));
		break;
	}
}

/* Two guests: one sends to the other, corrupts its rings or the other's, and hangs up at some time. */
static void
be_guests(struct pest *p)
{
	struct nic_opts opts = party_opts();
	struct nic nic[2];
	uint8_t mac[2][6], frame[FRAME_ROOM];
	unsigned n, rounds = (unsigned)draw(p, ROUNDS);
	int sock;

	for (n = 0; n < 2; n++) {
		mac_make(mac[n],
				MAC_BASE + (1u << 20) + (uint32_t)getpid() % 1024 * 1024 +
						p->macs++ % 1024);
		sock = vu_connect(p->socket, PATIENCE_MS);
		if (sock < 0 || nic_open(&nic[n], sock, &opts) < 0)
			break;
	}
	for (unsigned i = 0; i < rounds && n == 2; i++) {
		send_frames(p, &nic[i % 2], mac[i % 2], mac[(i + 1) % 2]);
		pace();
		while (nic_recv(&nic[i % 2], frame, sizeof(frame)) > 0)
			;
		if (i + 1 == rounds)
			spoil(p, draw(p, 2) == 0 ? nic[0].tx : nic[1].rx);
	}
	pace();
	while (n > 0)
		nic_close(&nic[--n]);
}

int
pest_run(const char *arg)
{
	static void (*const ways[])(struct pest *) = {
			be_silent, send_messages, be_guests, be_guests};
	struct pest p = {.socket = strchr(arg, ':')};

	if (p.socket == NULL)
		return 2;
	p.socket++;
	p.random = strtoull(arg, NULL, 16) | 1;
	for (;;) {
		ways[draw(&p, 4)](&p);
		pace();
	}
}
