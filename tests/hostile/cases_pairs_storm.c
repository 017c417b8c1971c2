/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Queue pairs: messages, addresses and signals in masses. See cases.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cases.h"
#include "pairs.h"
#include "raw.h"

#define LEN 60
#define MESSAGES 1000
#define ROUNDS 150
#define A_ROUND 8
#define EVENT_FULL 0xfffffffffffffffeULL

/* Messages about one ring, again and again, that change nothing; the others carry frames. */
static void
run_messages(struct hostile *h, const void *arg)
{
	unsigned ring = *(const unsigned *)arg;
	struct party *p, *peer;
	struct vu_dev *dev;
	struct vr_ring *vr;

	if (!pairs_open(h, 4, &p, &peer))
		return;
	dev = &p->nic.dev;
	vr = &dev->ring[ring];
	for (unsigned i = 0; i < MESSAGES && !h->failed; i++) {
		struct vu_msg msg = vu_msg_u64(
				i % 2 != 0 ? VU_SET_VRING_CALL : VU_SET_VRING_KICK, ring);
		int err;

		switch (i % 5) {
		case 0:
			err = vu_dev_set_vring_addr(dev, ring);
			break;
		case 1:
			msg = vu_msg_state(VU_SET_VRING_NUM, ring, vr->size);
			err = vu_dev_request(dev, &msg);
			break;
		case 2:
			err = vu_dev_set_vring_enable(dev, ring, true);
			break;
		default:
			msg.fd[0] = i % 2 != 0 ? vr->call_fd : vr->kick_fd;
			msg.n_fds = 1;
			err = vu_dev_request(dev, &msg);
		}
		/* The ring is back when the next message is answered: see vu_dev_start(). */
		if (err == 0)
			err = vu_dev_sync(dev);
		MUST(h, err == 0, "message %u: %s", i, strerror(-err));
		p->nic.tx_pair = i % 4;
		if (i % 4 == 0 && !party_talk(p, peer, 1))
			return;
	}
	pairs_say(p, peer);
}

/* Rings are enabled before there is memory; then only one ring of each pair is. */
static void
run_halves(struct hostile *h, const void *arg)
{
	unsigned side = *(const unsigned *)arg;
	struct nic_opts opts = pairs_opts(PAIRS);
	struct party *a, *b;
	struct vu_dev dev;
	int sock = party_socket(h);

	MUST(h, sock >= 0 && vu_dev_open(&dev, sock, &opts.dev) == 0, "no connection");
	for (unsigned i = 0; i < dev.n_rings; i++)
		vu_dev_set_vring_enable(&dev, i, true);
	EXPECT(h, vu_dev_set_mem(&dev) == 0, "the table was refused");
	for (unsigned i = side; i < dev.n_rings; i += 2)
		EXPECT(h, vu_dev_setup_ring(&dev, i) == 0, "ring %u was refused", i);
	EXPECT(h, vu_dev_sync(&dev) == 0, "the connection was closed");
	for (unsigned i = side; i < dev.n_rings; i += 2)
		vr_kick_always(&dev.ring[i]);
	if (party_pair(h, &a, &b))
		party_says(a, b);
	EXPECT(h, vu_dev_sync(&dev) == 0, "the connection was closed");
	vu_dev_close(&dev);
}

/* Made-up source addresses on all transmit rings: a newcomer is learned all the same. */
static void
run_sources(struct hostile *h, const void *arg)
{
	struct party *p, *peer, *a, *b;
	uint8_t frame[LEN], got[FRAME_ROOM];
	uint32_t source = 0;

	(void)arg;
	if (!pairs_open(h, PAIRS, &p, &peer))
		return;
	h->drops_any = true; /* the receiver need not keep up */
	for (unsigned i = 0; i < ROUNDS && !h->failed; i++) {
		for (unsigned k = 0; k < PAIRS * A_ROUND; k++) {
			frame_make(frame, peer->mac, p->mac, TYPE_CASE, ++h->seq, LEN);
			frame[7] = 0x78; /* an address that nobody has */
			source++;
			memcpy(frame + 8, &source, sizeof(source));
			p->nic.tx_pair = k % PAIRS;
			nic_queue(&p->nic, NULL, frame, LEN, NULL);
		}
		nic_flush(&p->nic);
		while (nic_recv(&peer->nic, got, sizeof(got)) > 0)
			continue;
		if (i % 50 == 10) {
			a = party_open(h, NULL);
			b = a != NULL ? party_open(h, NULL) : NULL;
			if (b == NULL || !party_meet(a, b) || !party_says(a, b))
				return;
			party_close(a);
			party_close(b);
		}
	}
	EXPECT(h, party_drain(p) == 0, "frames did not come back");
	/* Newcomers' first frames were flooded. */
	while (nic_recv(&peer->nic, got, sizeof(got)) > 0 ||
			nic_recv(&p->nic, got, sizeof(got)) > 0)
		continue;
	pairs_say(p, peer);
}

/* The call file descriptor of one ring among many is made blocking and full: the others go on. */
static void
run_blocking(struct hostile *h, const void *arg)
{
	unsigned pair = *(const unsigned *)arg;
	uint64_t full = EVENT_FULL, count;
	struct party *bad, *peer, *other;
	int fd = eventfd(0, EFD_CLOEXEC);
	struct vu_msg msg = vu_msg_u64(VU_SET_VRING_CALL, 2 * pair + 1);
	uint8_t frame[LEN];
	bool careful;

	if (!pairs_open(h, PAIRS, &bad, &peer))
		return;
	other = party_open(h, NULL);
	if (other == NULL || !party_meet(other, peer))
		return;
	h->drops_any = true;
	msg.fd[0] = fd;
	msg.n_fds = 1;
	MUST(h, vu_dev_request(&bad->nic.dev, &msg) == 0 && vu_dev_sync(&bad->nic.dev) == 0,
			"the message was refused");
	careful = is_careful(h);
	MUST(h, fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) == 0, "fcntl");
	while (read(fd, &count, sizeof(count)) > 0)
		continue;
	vr_call_enable(bad->nic.pair[pair].tx, true);
	MUST(h, write(fd, &full, sizeof(full)) == sizeof(full) && fcntl(fd, F_SETFL, O_RDWR) == 0,
			"the counter could not be filled");
	frame_make(frame, peer->mac, bad->mac, TYPE_CASE, ++h->seq, sizeof(frame));
	bad->nic.tx_pair = pair;
	MUST(h, nic_send(&bad->nic, frame, sizeof(frame), NULL) == 0, "no frame sent");
	party_hears(peer, frame, sizeof(frame));
	party_says(other, peer);
	party_says(peer, other);
	EXPECT(h, read(fd, &count, sizeof(count)) == sizeof(count), "read");
	close(fd);
	expect_blocked(h, bad, careful);
}

#define NUMBER(n) \
	&(const unsigned) \
	{ \
		n \
	}

const struct hcase cases_pairs_storm[] = {
		{"pairs-messages-tx", "1000 messages about ring 3 under traffic: nothing lost",
				run_messages, NUMBER(3), .modes = IN(ALL)},
		{"pairs-messages-rx", "1000 messages about ring 4 under traffic: nothing lost",
				run_messages, NUMBER(4), .modes = IN(0)},
		{"pairs-only-rx", "enabled before there is memory, receive rings alone", run_halves,
				NUMBER(0)},
		{"pairs-only-tx", "the same with transmit rings alone", run_halves, NUMBER(1)},
		{"pairs-sources", "made-up sources on 16 rings: newcomers are learned", run_sources,
				.modes = IN(0)},
		{"pairs-call-blocking",
				"call file descriptor of ring 17 made blocking, and full: others go on",
				run_blocking, NUMBER(8)},
		{.name = NULL},
};
