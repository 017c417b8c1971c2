/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Pauses, reboots and sudden death. See cases.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "child.h"
#include "raw.h"

#define HDR 12
#define LEN 200
#define BATCH 8 /* frames under way around each message */
#define TOGGLES 40
#define REBOOTS 12
#define LOOKS 5     /* at the memory of a stopped device */
#define DEATHS 2000 /* sockets closed in the middle of a burst */
#define KILLS 60    /* whole processes */
#define CROWD 300   /* connections at a time: more than there are ports */

/* Formats of a child's rings, by which it is told them. */
#define VICTIM_SPLIT ':'
#define VICTIM_PACKED '+'

/* BATCH frames of `from` in descriptors 0, 1, ...: laid out, not yet posted. */
static bool
lay_batch(struct party *from, struct party *to, struct buf *f)
{
	for (uint16_t i = 0; i < BATCH; i++) {
		f[i] = raw_frame(from, to->mac, LEN);
		if (f[i].at == NULL)
			return false;
		raw_desc(from->nic.tx, i, f[i].gpa, f[i].len, 0, 0);
	}
	return true;
}

static void
post_batch(struct party *from)
{
	raw_post(from->nic.tx, (const uint16_t[BATCH]){0, 1, 2, 3, 4, 5, 6, 7}, BATCH);
}

static bool
hear_batch(struct party *to, const struct buf *f)
{
	for (unsigned i = 0; i < BATCH; i++)
		if (!party_hears(to, f[i].at + HDR, LEN))
			return false;
	return true;
}

/* The transmit ring is disabled and enabled while it holds frames: none is lost, none repeated. */
static void
run_toggle_tx(struct hostile *h, const void *arg)
{
	struct buf f[BATCH];
	struct party *p, *peer;

	(void)arg;
	if (!party_pair(h, &p, &peer) || !lay_batch(p, peer, f))
		return;
	for (unsigned i = 0; i < TOGGLES && !h->failed; i++) {
		uint16_t used;

		MUST(h,
				vu_dev_set_vring_enable(&p->nic.dev, 1, false) == 0 &&
						vu_dev_sync(&p->nic.dev) == 0,
				"disabling failed");
		used = vr_base(p->nic.tx);
		post_batch(p);
		if (!party_says(peer, p)) /* the switch has polled meanwhile */
			return;
		EXPECT(h, vr_base(p->nic.tx) == used, "a disabled ring was used");
		party_hears_nothing(peer);
		MUST(h, vu_dev_set_vring_enable(&p->nic.dev, 1, true) == 0, "enabling failed");
		if (!raw_returned(p, p->nic.tx, BATCH, NULL) || !hear_batch(peer, f))
			return;
	}
	party_hears_nothing(peer);
}

/* Frames for a disabled receive ring wait for the configured time; then they are dropped and counted. */
static void
run_toggle_rx(struct hostile *h, const void *arg)
{
	struct buf f[BATCH];
	struct party *p, *peer;

	(void)arg;
	if (!party_pair(h, &p, &peer) || !lay_batch(peer, p, f))
		return;
	for (unsigned i = 0; i < TOGGLES / 2 && !h->failed; i++) {
		MUST(h,
				vu_dev_set_vring_enable(&p->nic.dev, 0, false) == 0 &&
						vu_dev_sync(&p->nic.dev) == 0,
				"disabling failed");
		post_batch(peer);
		if (!raw_returned(peer, peer->nic.tx, BATCH, NULL))
			return;
		expect_drops(peer, DROP_GONE, BATCH);
		party_hears_nothing(p);
		MUST(h,
				vu_dev_set_vring_enable(&p->nic.dev, 0, true) == 0 &&
						vu_dev_sync(&p->nic.dev) == 0,
				"enabling failed");
		post_batch(peer);
		if (!raw_returned(peer, peer->nic.tx, BATCH, NULL) || !hear_batch(p, f))
			return;
	}
}

/* Stopped and started at the index that was handed back, as for a migration or a pause. */
static void
run_handover(struct hostile *h, const void *arg)
{
	struct buf f[BATCH];
	struct party *p, *peer;
	uint16_t base[2];

	(void)arg;
	if (!party_pair(h, &p, &peer) || !lay_batch(p, peer, f))
		return;
	for (unsigned i = 0; i < TOGGLES / 2 && !h->failed; i++) {
		/* Frames under way: the base must say which of them the switch has taken. */
		post_batch(p);
		MUST(h, vu_dev_stop(&p->nic.dev, base) == 0, "stopping failed");
		EXPECT(h, base[1] == vr_base(p->nic.tx), "transmit ring: base %u, but %u are used",
				base[1], vr_base(p->nic.tx));
		EXPECT(h, base[0] == vr_base(p->nic.rx), "receive ring: base %u, but %u are used",
				base[0], vr_base(p->nic.rx));
		MUST(h, vu_dev_start(&p->nic.dev) == 0, "starting failed");
		if (!raw_returned(p, p->nic.tx, BATCH, NULL) || !hear_batch(peer, f) ||
				!party_says(peer, p))
			return;
	}
	party_hears_nothing(peer);
}

/* Copies all memory of a device that is in use, or compares it with such a copy. Returns true if they are the same. */
static bool
memory_is(const struct vu_mem *mem, uint8_t *copy[], bool take)
{
	bool same = true;

	for (unsigned i = 0; i < mem->n; i++) {
		const struct vu_region *r = &mem->region[i];

		if (take && (copy[i] = malloc(r->used)) != NULL)
			memcpy(copy[i], r->base, r->used);
		same &= copy[i] != NULL && memcmp(copy[i], r->base, r->used) == 0;
	}
	return same;
}

/* Returns true if a device's memory stays as it is while the switch polls others, and has more frames for it. */
static bool
stays_as_it_is(struct party *p, struct party *a, struct party *b)
{
	uint8_t *copy[VU_REGIONS_MAX] = {NULL}, frame[LEN];
	bool same = memory_is(&p->nic.dev.mem, copy, true);

	for (unsigned i = 0; i < LOOKS && same; i++) {
		frame_make(frame, p->mac, a->mac, TYPE_CASE, ++p->h->seq, LEN);
		same = nic_send(&a->nic, frame, LEN, NULL) == 0 && party_says(a, b) &&
				memory_is(&p->nic.dev.mem, copy, false);
	}
	for (unsigned i = 0; i < p->nic.dev.mem.n; i++)
		free(copy[i]);
	return same;
}

/* When its rings are stopped, a guest uses the memory for something else, as a reboot does. */
static void
run_left_alone(struct hostile *h, const void *arg)
{
	struct party *p, *q, *a, *b;
	struct buf f[BATCH], g[BATCH];

	(void)arg;
	h->drops_any = true;
	if (!party_pair(h, &a, &b))
		return;
	for (unsigned i = 0; i < REBOOTS && !h->failed; i++) {
		p = party_open(h, NULL);
		q = p != NULL ? party_open(h, NULL) : NULL;
		/* Each speaks to a guest that is known: nothing is flooded, also to those who look. */
		if (q == NULL || !party_meet(p, a) || !party_meet(q, a) || !lay_batch(p, q, f) ||
				!lay_batch(q, p, g))
			return;
		/* Frames are under way in both directions. */
		post_batch(q);
		post_batch(p);
		MUST(h, vu_dev_stop(&p->nic.dev, NULL) == 0, "stopping failed");
		EXPECT(h, stays_as_it_is(p, a, b), "its memory was written to after its stop");
		party_close(p);
		party_close(q);
	}
}

/* Reboots with other features: header lengths and suppression change with them. */
static void
run_reboots(struct hostile *h, const void *arg)
{
	static const uint64_t features[] = {
			0,
			VU_F_VERSION_1,
			VU_F_EVENT_IDX,
			VU_F_VERSION_1 | VU_F_INDIRECT_DESC,
			VU_F_VERSION_1 | VU_F_EVENT_IDX | VU_F_INDIRECT_DESC,
			VU_F_INDIRECT_DESC,
	};
	struct party *p, *peer;

	(void)arg;
	if (!party_pair(h, &p, &peer))
		return;
	for (unsigned i = 0; i < REBOOTS && !h->failed; i++) {
		uint64_t want = features[i % 6] | VU_F_PROTOCOL_FEATURES | h->features;

		MUST(h, nic_reboot(&p->nic, want, &p->opts) == 0, "the reboot failed");
		EXPECT(h, p->nic.dev.features == want, "features %jx instead of %jx",
				(uintmax_t)p->nic.dev.features, (uintmax_t)want);
		if (!party_talk(p, peer, BATCH))
			return;
	}
}

/* Features that change while the device runs: they must be refused, and the old ones stay in force. */
static void
run_features_running(struct hostile *h, const void *arg)
{
	struct party *p, *peer;
	int err;

	(void)arg;
	if (!party_pair(h, &p, &peer))
		return;
	err = vu_dev_set_features(&p->nic.dev, VU_F_PROTOCOL_FEATURES);
	EXPECT(h, err == -EREMOTEIO || err == -ECONNRESET, "not refused: %d", err);
	if (err == -EREMOTEIO && vu_dev_sync(&p->nic.dev) == 0)
		party_recovers(p, peer);
	/* Features that were never offered. */
	p = party_open(h, NULL);
	if (p == NULL)
		return;
	err = vu_dev_set_features(&p->nic.dev, UINT64_MAX);
	EXPECT(h, err == -EREMOTEIO || err == -ECONNRESET, "not refused: %d", err);
}

static void
run_reset_owner(struct hostile *h, const void *arg)
{
	struct vu_msg msg = vu_msg_new(VU_RESET_OWNER);
	struct party *p, *peer;

	(void)arg;
	if (!party_pair(h, &p, &peer))
		return;
	MUST(h, vu_dev_request(&p->nic.dev, &msg) == 0 && vu_dev_sync(&p->nic.dev) == 0,
			"RESET_OWNER failed");
	/* The device is as it was before its set-up: what is posted stays in the ring. */
	raw_untouched(p, peer);
}

/* The socket is closed with frames under way in both directions. */
static void
run_deaths(struct hostile *h, const void *arg)
{
	struct nic_opts opts = party_opts();
	int64_t begin = vu_now_ms();

	(void)arg;
	opts.rx_bufs = 8;
	opts.dev.protocol = 0; /* no acknowledgements: faster */
	opts.dev.mem.region_size = 128 << 10;
	party_deaths(h, &opts, DEATHS, BATCH, LEN);
	remark("%d deaths in %jd ms", DEATHS, (intmax_t)(vu_now_ms() - begin));
}

/* Starts a child that runs victim_run(). Returns its pid once it sends, or 0 after a failure. */
static pid_t
start_victim(struct hostile *h, const struct party *peer)
{
	pid_t pid;
	char arg[160], byte;
	int out[2];
	bool sends;

	if (pipe2(out, O_CLOEXEC) < 0)
		return 0;
	snprintf(arg, sizeof(arg), "%02x%02x%c%s", peer->mac[4], peer->mac[5],
			h->features & VU_F_RING_PACKED ? VICTIM_PACKED : VICTIM_SPLIT,
			h->subject.socket);
	pid = child_start(h->self, "--victim", arg, out[1]);
	close(out[1]);
	sends = pid > 0 && read(out[0], &byte, 1) == 1;
	close(out[0]);
	if (!sends)
		fail(h, "the child did not start to send");
	return pid > 0 ? pid : 0;
}

static void
run_kills(struct hostile *h, const void *arg)
{
	struct party *peer = party_open(h, NULL), *other = party_open(h, NULL);
	uint8_t got[FRAME_ROOM];
	struct holdings before;
	uint64_t arrived = 0;

	(void)arg;
	h->drops_any = true;
	if (peer == NULL || other == NULL || !party_meet(peer, other) ||
			!subject_holdings(&h->subject, &before))
		return;
	for (unsigned i = 0; i < KILLS && !h->failed; i++) {
		pid_t pid = start_victim(h, peer);

		if (pid == 0)
			return;
		/* It is killed somewhere within its first hundreds of frames. */
		for (unsigned k = 0; k < 1 + i * 7; k++)
			arrived += nic_recv(&peer->nic, got, sizeof(got)) > 0;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	/* Until the switch has seen that the last of them are gone, it takes frames from their rings. */
	EXPECT(h, subject_wait_fds(&h->subject, before.fds, PATIENCE_MS),
			"the dead were not forgotten");
	while (nic_recv(&peer->nic, got, sizeof(got)) > 0)
		arrived++;
	remark("%ju frames arrived of %d processes", (uintmax_t)arrived, KILLS);
	party_says(other, peer);
}

/* The argument is four digits, in which the receiver's address ends, and the format of the rings. */
int
victim_run(const char *arg)
{
	struct nic_opts opts = party_opts();
	uint8_t to[6], me[6], frame[LEN];
	unsigned number;
	uint64_t seq = 0;
	struct nic nic;
	int sock;

	if (sscanf(arg, "%4x", &number) != 1)
		return 2;
	if (arg[4] == VICTIM_PACKED)
		opts.dev.features |= VU_F_RING_PACKED;
	mac_make(to, 0x02000000 + number);
	mac_make(me, 0x03000000 + (uint32_t)getpid());
	sock = vu_connect(arg + 5, PATIENCE_MS);
	if (sock < 0 || nic_open(&nic, sock, &opts) < 0)
		return 1;
	for (;;) {
		frame_make(frame, to, me, TYPE_CASE, seq, LEN);
		if (nic_send(&nic, frame, LEN, NULL) == 0 && ++seq == 1 && write(1, "x", 1) != 1)
			return 1;
		nic_reclaim(&nic);
	}
}

/* More connections than there are ports: the last ones are refused, and nothing is left of any. */
static void
run_crowd(struct hostile *h, const void *arg)
{
	int sock[CROWD];
	struct vu_msg msg = vu_msg_new(VU_GET_FEATURES), answer;
	unsigned served = 0, refused = 0, n;
	struct party *p, *peer;

	(void)arg;
	for (n = 0; n < CROWD; n++) {
		sock[n] = party_socket(h);
		if (sock[n] < 0)
			break;
	}
	for (unsigned i = 0; i < n; i++) {
		if (vu_send(sock[i], &msg) == 0 && vu_recv(sock[i], &answer, PATIENCE_MS) == 0)
			served++;
		else
			refused++;
	}
	for (unsigned i = 0; i < n; i++)
		close(sock[i]);
	remark("%u connections served at a time, %u turned away", served, refused);
	EXPECT(h, n == CROWD && served >= 64, "%u connections were served", served);
	/* The first newcomer may come before the switch has seen the last of the crowd go. */
	EXPECT(h, subject_wait_fds(&h->subject, h->base.fds + 2, PATIENCE_MS),
			"the crowd was not forgotten");
	if (party_pair(h, &p, &peer))
		party_says(p, peer);
}

const struct hcase cases_life[] = {
		{"toggle-tx", "transmit ring disabled and enabled under traffic: nothing lost",
				run_toggle_tx, NULL, 0},
		{"toggle-rx", "receive ring disabled: frames dropped and counted; enabled: they arrive",
				run_toggle_rx, NULL, 0},
		{"handover", "stopped and started under traffic: indices handed back right, nothing lost",
				run_handover, NULL, 0},
		{"left-alone", "stopped in the midst of traffic: not a byte of its memory is written then",
				run_left_alone, NULL, 0},
		{"reboots", "features renegotiated after reboots, legacy and modern", run_reboots,
				NULL, 0},
		{"features-running", "features changed while running: refused",
				run_features_running, NULL, 0},
		{"reset-owner", "RESET_OWNER under traffic", run_reset_owner, NULL, 0},
		{"deaths", "hung up in the middle of a burst, 2000 times: nothing left behind",
				run_deaths, .modes = IN(0)},
		{"kills", "killed in the middle of a burst, 60 processes: nothing left behind",
				run_kills, NULL, 0},
		{"crowd", "300 connections at once: bounded, and forgotten when they go", run_crowd,
				.modes = IN(0)},
		{.name = NULL},
};
