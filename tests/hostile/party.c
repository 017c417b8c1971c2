/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The guests of the cases. See hostile.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "hostile.h"

#define MAC_BASE 0x02000000
#define HELLO_LEN 120
#define POLL_NS 20000

struct nic_opts
party_opts(void)
{
	return (struct nic_opts){
			.dev =
					{
							.features = VU_F_VERSION_1 |
									VU_F_INDIRECT_DESC |
									VU_F_PROTOCOL_FEATURES,
							.protocol = VU_PROTOCOL_REPLY_ACK,
							/*
							 * The first page of each region is free,
							 * for buffers that begin in the region
							 * before.
							 */
							.mem = {.n_regions = 2,
									.region_size = 512 << 10,
									.gpa = 0x100000,
									.skew = 4096},
					},
			.tx_buf_size = BUF_ROOM,
			.rx_buf_size = BUF_ROOM,
			.rx_bufs = 32,
			.tx_bufs = 8,
	};
}

static int
connect_to(struct hostile *h, const char *path)
{
	int sock = vu_connect(path, PATIENCE_MS);

	if (sock < 0)
		fail(h, "connect: %s", strerror(-sock));
	return sock;
}

int
party_socket(struct hostile *h)
{
	return connect_to(h, h->subject.socket);
}

static struct party *
open_at(struct hostile *h, const char *path, const struct nic_opts *opts)
{
	struct party *p = h->party;
	int sock, err;

	while (p < h->party + PARTIES_MAX && p->open)
		p++;
	if (p == h->party + PARTIES_MAX) {
		fail(h, "a case opened more than %d guests", PARTIES_MAX);
		return NULL;
	}
	memset(p, 0, sizeof(*p));
	p->h = h;
	p->device = -1;
	p->opts = opts != NULL ? *opts : party_opts();
	p->opts.dev.features |= h->features;
	mac_make(p->mac, MAC_BASE + ++h->macs);
	sock = connect_to(h, path);
	if (sock < 0)
		return NULL;
	err = nic_open(&p->nic, sock, &p->opts);
	if (err < 0) {
		fail(h, "a guest could not start: %s", strerror(-err));
		return NULL;
	}
	p->open = true;
	if (++h->open > h->greedy)
		h->greedy = h->open;
	return p;
}

struct party *
party_open(struct hostile *h, const struct nic_opts *opts)
{
	return open_at(h, h->subject.socket, opts);
}

struct party *
party_open_uml(struct hostile *h, const struct nic_opts *opts)
{
	return open_at(h, h->subject.uml_socket, opts);
}

void
party_close(struct party *p)
{
	if (!p->open)
		return;
	nic_close(&p->nic);
	p->open = false;
	p->h->open--;
}

/* Hangs up with frames under way: see party_deaths(). */
static void
party_dies(struct party *p, struct party *peer, unsigned n, size_t len)
{
	uint8_t frame[FRAME_ROOM];

	for (unsigned i = 0; i < n; i++) {
		p->nic.tx_pair = i % p->nic.n_pairs;
		frame_make(frame, peer->mac, p->mac, TYPE_CASE, ++p->h->seq, len);
		nic_queue(&p->nic, NULL, frame, len, NULL);
		frame_make(frame, p->mac, peer->mac, TYPE_CASE, ++p->h->seq, len);
		nic_queue(&peer->nic, NULL, frame, len, NULL);
	}
	nic_flush(&peer->nic);
	nic_flush(&p->nic);
	party_close(p);
	while (nic_recv(&peer->nic, frame, sizeof(frame)) > 0)
		continue;
	nic_reclaim(&peer->nic);
}

void
party_deaths(struct hostile *h, const struct nic_opts *opts, unsigned times, unsigned n, size_t len)
{
	struct party *p, *peer = party_open(h, NULL);

	if (peer == NULL)
		return;
	h->drops_any = true;
	for (unsigned i = 0; i < times && !h->failed; i++) {
		p = party_open(h, opts);
		if (p == NULL)
			return;
		party_dies(p, peer, n, len);
	}
}

void
party_close_all(struct hostile *h)
{
	for (unsigned i = 0; i < PARTIES_MAX; i++)
		party_close(&h->party[i]);
}

/* Like nic_recv_wait() and nic_drain(), but sleeps in between, which leaves the CPUs to the switch. */
static int
receive(struct party *p, uint8_t *frame, size_t room)
{
	int64_t deadline = vu_now_ms() + PATIENCE_MS;
	int n;

	while ((n = nic_recv(&p->nic, frame, room)) == 0 && vu_now_ms() < deadline)
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	return n == 0 ? -ETIMEDOUT : n;
}

int
party_drain(struct party *p)
{
	int64_t deadline = vu_now_ms() + PATIENCE_MS;
	int n;

	while ((n = nic_reclaim(&p->nic)) >= 0 && nic_in_flight(&p->nic) > 0) {
		if (vu_now_ms() > deadline)
			return -ETIMEDOUT;
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	}
	return n < 0 ? n : 0;
}

bool
party_hears(struct party *p, const uint8_t *frame, size_t len)
{
	uint8_t got[FRAME_ROOM];
	int n = receive(p, got, sizeof(got));

	if (n < 0)
		return fail(p->h, "no frame came: %s", strerror(-n));
	if ((size_t)n != len || memcmp(got, frame, len) != 0)
		return fail(p->h,
				"another frame came: %d bytes of type %04x, number %ju; "
				"%zu bytes of number %ju were sent",
				n, frame_type(got), (uintmax_t)frame_seq(got), len,
				(uintmax_t)frame_seq(frame));
	return true;
}

bool
party_hears_nothing(struct party *p)
{
	uint8_t got[FRAME_ROOM];
	int n = nic_recv(&p->nic, got, sizeof(got));

	return EXPECT(p->h, n == 0, "a frame came that must not (%d bytes, type %04x)", n,
			n > FRAME_MIN ? frame_type(got) : 0);
}

bool
party_says(struct party *from, struct party *to)
{
	uint8_t frame[HELLO_LEN];
	int err;

	frame_make(frame, to->mac, from->mac, TYPE_CASE, ++from->h->seq, sizeof(frame));
	err = nic_send(&from->nic, frame, sizeof(frame), NULL);
	if (err < 0)
		return fail(from->h, "a frame could not be sent: %s", strerror(-err));
	if (!party_hears(to, frame, sizeof(frame)))
		return false;
	err = party_drain(from);
	return EXPECT(from->h, err == 0, "a frame's buffer did not come back: %s", strerror(-err));
}

/* The switch has learned its address: "VHOST_DATA: (N) MAC_ADDRESS ...". */
static bool
learned(struct party *p)
{
	if (p->device < 0)
		p->device = subject_device(&p->h->subject, p->h->log_mark, p->mac);
	return EXPECT(p->h, p->device >= 0, "the log has no line for guest %td", p - p->h->party);
}

bool
party_talk(struct party *a, struct party *b, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (!party_says(a, b) || !party_says(b, a))
			return false;
	return true;
}

bool
party_set_base(struct party *p, uint32_t base)
{
	for (unsigned ring = 0; ring < 2; ring++) {
		struct vu_msg msg = vu_msg_state(VU_SET_VRING_BASE, ring, base);

		vu_dev_setup_ring(&p->nic.dev, ring);
		vu_dev_request(&p->nic.dev, &msg);
		vu_dev_set_vring_addr(&p->nic.dev, ring);
		vu_dev_set_vring_enable(&p->nic.dev, ring, true);
	}
	return vu_dev_sync(&p->nic.dev) == 0;
}

bool
party_meet(struct party *a, struct party *b)
{
	/*
	 * If b is a newcomer too, the first frame may be flooded; the neighbours accept frames of
	 * this type. b answers when a is known.
	 */
	return party_says(a, b) && learned(a) && party_says(b, a) && learned(b);
}

bool
party_pair(struct hostile *h, struct party **bad, struct party **peer)
{
	*bad = party_open(h, NULL);
	*peer = *bad != NULL ? party_open(h, NULL) : NULL;
	return *peer != NULL && party_meet(*bad, *peer);
}

bool
party_restart(struct party *p)
{
	int err = nic_reboot(&p->nic, p->nic.dev.features, &p->opts);

	return EXPECT(p->h, err == 0, "the device could not be set up again: %s", strerror(-err));
}

bool
party_recovers(struct party *p, struct party *peer)
{
	return party_restart(p) && party_talk(p, peer, 1);
}

bool
party_newcomers(struct hostile *h, int64_t most_ms)
{
	int64_t begin = vu_now_ms(), took;
	struct party *a = party_open(h, NULL), *b = a != NULL ? party_open(h, NULL) : NULL;
	bool ok = b != NULL && party_meet(a, b);

	took = vu_now_ms() - begin;
	if (ok)
		EXPECT(h, took < most_ms, "others waited for %jd ms", (intmax_t)took);
	if (a != NULL)
		party_close(a);
	if (b != NULL)
		party_close(b);
	return ok;
}
