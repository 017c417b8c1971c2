/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Live migration's messages: dirty logs, RARP, MTU. See cases.h. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cases.h"
#include "odd_messages.h"
#include "raw.h"

#define LEN 200
#define PAGE 4096UL
#define TOGGLES 400
#define STORM 3000
#define RARPS_A_SECOND 100 /* of one guest that reach the others, at most */

static struct nic_opts
log_opts(void)
{
	struct nic_opts opts = party_opts();

	opts.dev.features |= VU_F_LOG_ALL;
	opts.dev.protocol |= VU_PROTOCOL_LOG_SHMFD | VU_PROTOCOL_RARP | VU_PROTOCOL_NET_MTU;
	return opts;
}

/* Two guests that have met. One of them can be migrated; its log is not on yet. */
static bool
log_pair(struct hostile *h, struct party **p, struct party **peer)
{
	struct nic_opts opts = log_opts();

	opts.dev.features &= ~VU_F_LOG_ALL;
	*p = party_open(h, &opts);
	*peer = *p != NULL ? party_open(h, NULL) : NULL;
	return *peer != NULL && party_meet(*p, *peer);
}

/* Bytes of a log that has a bit for each page of the guest's memory. */
static uint64_t
log_size(const struct party *p)
{
	const struct vu_region *r = &p->nic.dev.mem.region[p->nic.dev.mem.n - 1];

	return (r->gpa + r->size) / PAGE / 8 + 1;
}

/* *fd_kept is the log's file; if fd_kept is NULL, the file is closed. */
static int
set_log(struct party *p, uint64_t file, uint64_t size, uint64_t offset, int *fd_kept)
{
	int fd, err = vu_dev_set_log(&p->nic.dev, file, size, offset, &fd);

	if (fd_kept != NULL)
		*fd_kept = fd;
	else if (fd >= 0)
		close(fd);
	return err;
}

static bool
logging(struct party *p, bool on)
{
	uint64_t features = p->nic.dev.features | (on ? VU_F_LOG_ALL : 0);
	int err = vu_dev_set_features(&p->nic.dev, features);

	if (err == 0)
		err = vu_dev_sync(&p->nic.dev);
	return EXPECT(p->h, err == 0, "logging could not be switched: %s", strerror(-err));
}

/* A log that makes no sense: the connection is closed. */
struct odd_log {
	uint64_t file, size, offset;
	uint32_t payload; /* bytes of the message; 0: the right number */
	unsigned n_fds;
};

static void
run_odd(struct hostile *h, const void *arg)
{
	const struct odd_log *o = arg;
	struct party *p, *peer;
	struct vu_msg msg = vu_msg_new(VU_SET_LOG_BASE);
	int fd = memfd_create("log", MFD_CLOEXEC);

	if (!log_pair(h, &p, &peer))
		return;
	MUST(h, fd >= 0 && ftruncate(fd, (off_t)o->file) == 0, "no file");
	msg.payload.log = (struct vu_log){o->size, o->offset};
	msg.size = o->payload != 0 ? o->payload : sizeof(msg.payload.log);
	msg.n_fds = (int)o->n_fds;
	for (unsigned i = 0; i < o->n_fds; i++)
		msg.fd[i] = fd;
	vu_send(p->nic.dev.sock, &msg);
	close(fd);
	EXPECT(h, vu_wait_hangup(p->nic.dev.sock, PATIENCE_MS) == 0, "it was taken");
	party_close(p);
	p = party_open(h, NULL);
	if (p != NULL)
		party_meet(p, peer);
}

/* A log that lacks bits for some of the memory: the device is stopped when the log is used first. */
static void
run_short(struct hostile *h, const void *arg)
{
	uint64_t size = *(const uint64_t *)arg;
	struct party *p, *peer;

	if (!log_pair(h, &p, &peer))
		return;
	MUST(h, set_log(p, PAGE, size, 0, NULL) == 0, "the log was refused");
	if (!party_talk(p, peer, 3) || !logging(p, true))
		return;
	if (expect_stop(h, p, FAULT_LOG)) {
		raw_untouched(p, peer);
		party_recovers(p, peer);
	}
}

/* LOG_ALL without a log: served, and nothing is logged. A log that comes later has all bits set. */
static void
run_no_log(struct hostile *h, const void *arg)
{
	struct party *p, *peer;
	const struct vu_region *r;
	uint64_t page;
	uint8_t *log;
	int fd = -1;

	(void)arg;
	if (!log_pair(h, &p, &peer) || !logging(p, true) || !party_talk(p, peer, 20))
		return;
	MUST(h, set_log(p, PAGE, log_size(p), 0, &fd) == 0, "the log was refused");
	/* The answer comes before the bits are set: librte_vhost answers before it calls the hook. */
	MUST(h, vu_dev_sync(&p->nic.dev) == 0, "no answer");
	log = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	MUST(h, log != MAP_FAILED, "no memory");
	for (r = p->nic.dev.mem.region; r < p->nic.dev.mem.region + p->nic.dev.mem.n; r++)
		for (page = r->gpa / PAGE; page < (r->gpa + r->size) / PAGE; page++)
			EXPECT(h, log[page / 8] >> (page % 8) & 1, "page %#jx has no bit",
					(uintmax_t)(page * PAGE));
	munmap(log, PAGE);
	party_talk(p, peer, 20);
}

/* The log's file is truncated while its bits are set: that guest is stopped, and no other. */
static void
run_truncated(struct hostile *h, const void *arg)
{
	struct party *p, *peer, *next;
	int fd = -1;

	(void)arg;
	if (!log_pair(h, &p, &peer))
		return;
	MUST(h, set_log(p, PAGE, log_size(p), 0, &fd) == 0, "the log was refused");
	if (!logging(p, true) || !party_talk(p, peer, 5))
		return;
	MUST(h, ftruncate(fd, 0) == 0, "ftruncate");
	close(fd);
	h->drops_any = true;
	for (unsigned i = 0; i < 4; i++) {
		uint8_t frame[LEN];

		frame_make(frame, p->mac, peer->mac, TYPE_CASE, ++h->seq, LEN);
		nic_send(&peer->nic, frame, LEN, NULL);
	}
	if (!expect_stop(h, p, FAULT_MEMORY))
		return;
	party_close(p);
	next = party_open(h, NULL);
	if (next != NULL && party_meet(next, peer))
		party_says(peer, next);
}

/* Logging is switched on and off, and the log replaced, under traffic: bits are set, and nothing is lost. */
static void
run_toggled(struct hostile *h, const void *arg)
{
	struct party *p, *peer;
	int fd = -1;
	uint64_t size;
	uint8_t *log, *zero, none = 0;

	(void)arg;
	if (!log_pair(h, &p, &peer))
		return;
	size = log_size(p);
	for (unsigned i = 0; i < TOGGLES && !h->failed; i++) {
		if (i % 40 == 0) {
			if (fd >= 0)
				close(fd);
			MUST(h, set_log(p, PAGE, size, 0, &fd) == 0, "log %u was refused", i);
		}
		if (!logging(p, i % 2 == 0) || !party_talk(p, peer, 1))
			break;
	}
	zero = calloc(1, size);
	log = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	if (EXPECT(h, zero != NULL && log != MAP_FAILED, "no memory")) {
		for (uint64_t i = 0; i < size; i++)
			none |= log[i];
		EXPECT(h, none != 0, "no page was logged");
		munmap(log, PAGE);
	}
	free(zero);
	close(fd);
}

/* RESET_OWNER unmaps a log: nothing is written where it was, even after all was set up again with LOG_ALL. */
static void
run_reset(struct hostile *h, const void *arg)
{
	struct vu_msg msg = vu_msg_new(VU_RESET_OWNER);
	struct party *p, *peer;

	(void)arg;
	if (!log_pair(h, &p, &peer))
		return;
	h->drops_any = true;
	MUST(h, set_log(p, PAGE, log_size(p), 0, NULL) == 0, "the log was refused");
	if (!logging(p, true) || !party_talk(p, peer, 3))
		return;
	MUST(h, vu_dev_request(&p->nic.dev, &msg) == 0 && vu_dev_sync(&p->nic.dev) == 0,
			"RESET_OWNER failed");
	MUST(h,
			nic_reboot(&p->nic,
					p->nic.dev.offered & (p->nic.dev.features | VU_F_LOG_ALL),
					&p->opts) == 0,
			"it could not be set up again");
	party_talk(p, peer, 20);
}

/* Announcements without end: a bounded number of them reaches the others, and nothing stalls. */
static void
run_rarps(struct hostile *h, const void *arg)
{
	uint8_t frame[FRAME_ROOM];
	struct party *p, *peer;
	unsigned heard = 0;
	int64_t begin = vu_now_ms(), ms;
	int n;

	(void)arg;
	if (!log_pair(h, &p, &peer))
		return;
	h->drops_any = true;
	for (unsigned i = 0; i < STORM && !h->failed; i++) {
		struct vu_msg msg = vu_msg_u64(VU_SEND_RARP, 0);

		memcpy(&msg.payload.u64, p->mac, 6);
		MUST(h, vu_dev_request(&p->nic.dev, &msg) == 0, "RARP %u was refused", i);
		while (nic_recv(&peer->nic, frame, sizeof(frame)) > 0)
			heard += frame_type(frame) == TYPE_RARP;
	}
	/* The last one leaves before what the guest itself sends then. */
	frame_make(frame, peer->mac, p->mac, TYPE_CASE, ++h->seq, LEN);
	MUST(h, vu_dev_sync(&p->nic.dev) == 0 && nic_send(&p->nic, frame, LEN, NULL) == 0,
			"no answer");
	do {
		n = nic_recv_wait(&peer->nic, frame, sizeof(frame), PATIENCE_MS);
		heard += n > 0 && frame_type(frame) == TYPE_RARP;
	} while (n > 0 && frame_type(frame) == TYPE_RARP);
	EXPECT(h, n == LEN && party_drain(p) == 0, "the guest's own frame did not arrive");
	ms = vu_now_ms() - begin;
	EXPECT(h, heard > 0 && heard <= 2 + RARPS_A_SECOND * (ms / 1000 + 1),
			"%u announcements in %jd ms", heard, (intmax_t)ms);
	remark("%u announcements were heard, of %u in %jd ms", heard, STORM, (intmax_t)ms);
	party_talk(p, peer, 3);
}

/* Announcements of addresses that nobody has. */
static void
run_rarp_odd(struct hostile *h, const void *arg)
{
	static const uint64_t macs[] = {0, UINT64_MAX, 0x000000000001, 0x5e0001};
	struct party *p, *peer = party_open(h, NULL);
	struct nic_opts opts = log_opts();

	(void)arg;
	for (unsigned i = 0; i < 5 && peer != NULL && !h->failed; i++) {
		struct vu_msg msg = vu_msg_u64(VU_SEND_RARP, i < 4 ? macs[i] : 2);

		p = party_open(h, &opts);
		if (p == NULL)
			return;
		if (i == 4)
			msg.size = 4;
		if (i == 3)
			msg.payload.u64 |= 1;
		vu_send(p->nic.dev.sock, &msg);
		EXPECT(h, vu_wait_hangup(p->nic.dev.sock, PATIENCE_MS) == 0, "number %u was taken",
				i);
		party_close(p);
	}
	if (peer != NULL)
		party_hears_nothing(peer);
}

static void
run_mtu(struct hostile *h, const void *arg)
{
	uint64_t most = h->subject.mergeable ? 9000 : 1500;
	const struct {
		uint64_t mtu;
		bool good;
	} asks[] = {
			{0, false},
			{67, false},
			{68, true},
			{1500, true},
			{most, true},
			{most + 1, false},
			{65535, false},
			{65536, false},
			{UINT64_MAX, false},
			{1ULL << 32 | 1500, false},
	};
	struct nic_opts opts = log_opts();
	struct party *p, *peer;

	(void)arg;
	opts.dev.features = (opts.dev.features & ~VU_F_LOG_ALL) | VU_F_MTU;
	p = party_open(h, &opts);
	peer = p != NULL ? party_open(h, NULL) : NULL;
	if (peer == NULL || !party_meet(p, peer))
		return;
	for (unsigned i = 0; i < 10 && !h->failed; i++) {
		struct vu_msg msg = vu_msg_u64(VU_NET_SET_MTU, asks[i].mtu);
		int err = vu_dev_request(&p->nic.dev, &msg);

		EXPECT(h, err == (asks[i].good ? 0 : -EREMOTEIO), "MTU %ju: %s",
				(uintmax_t)asks[i].mtu, err == 0 ? "taken" : strerror(-err));
		party_talk(p, peer, 1);
	}
	EXPECT(h, subject_log_count(&h->subject, h->log_mark, " refused, as ") == 1,
			"it was not said once");
}

/* The file descriptor by which an error in logging is signalled (SET_LOG_FD). */
static void
run_log_fds(struct hostile *h, const void *arg)
{
	struct party *p, *peer;

	(void)arg;
	if (!log_pair(h, &p, &peer))
		return;
	for (unsigned i = 0; i < 200 && !h->failed; i++) {
		struct vu_msg msg = vu_msg_new(VU_SET_LOG_FD);

		msg.fd[0] = memfd_create("log-fd", MFD_CLOEXEC);
		msg.n_fds = 1;
		EXPECT(h, vu_dev_request(&p->nic.dev, &msg) == 0, "number %u was refused", i);
		close(msg.fd[0]);
	}
	party_talk(p, peer, 3);
}

#define ODD(name, says, ...) \
	{ \
		"log-" name, says, run_odd, &(const struct odd_log){__VA_ARGS__}, 0 \
	}

const struct hcase cases_log[] = {
		ODD("offset", "a log at an offset: closed", 65536, 4096, 4096, 0, 1),
		ODD("offset-huge", "a log at an offset of 2^63: closed", 65536, 4096, 1ULL << 63, 0,
				1),
		ODD("empty", "a log of no bytes: closed", 65536, 0, 0, 0, 1),
		ODD("huge", "a log of 2^60 bytes: closed", 65536, 1ULL << 60, 0, 0, 1),
		ODD("payload", "a log's message that is too short: closed", 65536, 4096, 0, 8, 1),
		ODD("no-fd", "a log without its file descriptor: closed", 65536, 4096, 0, 0, 0),
		ODD("two-fds", "a log with two file descriptors: closed", 65536, 4096, 0, 0, 2),
		{"log-short", "a log shorter than the memory: stopped once it is used", run_short,
				&(const uint64_t){16}},
		{"log-one", "a log of one byte: stopped once it is used", run_short,
				&(const uint64_t){1}},
		{"log-none", "pages to be logged, and no log: served; all bits of one that comes late",
				run_no_log},
		{"log-truncated", "the log's file truncated while it is used: stopped",
				run_truncated},
		{"log-toggled", "logging on and off 400 times under traffic: nothing lost",
				run_toggled},
		{"log-reset", "RESET_OWNER, and on without the log: nothing is written to it",
				run_reset},
		{"log-fds", "200 file descriptors for the log's errors: none stays open",
				run_log_fds},
		{"rarp-storm", "3000 announcements: at most 100 a second are heard", run_rarps,
				.modes = IN(0)},
		{"rarp-odd", "announcements of addresses that are nobody's: closed", run_rarp_odd},
		{"mtu-odd", "MTUs from 0 to 2^64: the impossible ones refused", run_mtu},
		{.name = NULL},
};
