/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Honest guests that come and go. See movers.h. */
#define _GNU_SOURCE
#include "movers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "odd_messages.h"
#include "raw.h"

#define STATIONS 2
#define ENDS (MOVERS + STATIONS)
#define MAC_BASE 0x04000000
#define WINDOW 16 /* frames under way to one: far fewer than its 256 buffers */
#define TALK 100  /* frames each way, before and after whatever is done */
#define SOME 8    /* frames under way while it is done */
#define HELLO_LEN 60
#define HELLO (1ULL << 63) /* in the number of a frame: it may be lost, and comes again */
#define HELLO_MS 5
#define POLL_NS 50000
#define STALL_MS 1500 /* far above what a frame waits, and a worker for its CPU */
#define PAGE 4096UL
#define PATIENT_MS 30000       /* on a busy machine, beside hostile guests */
#define STATION_ROOM (8 << 20) /* bytes that a station's socket holds: others use the wire too */

/* A guest, or a station on the wire. */
struct end {
	struct end *peer;
	uint8_t mac[6];
	int wire; /* a packet socket; -1: it is a guest */
	struct nic nic;
	struct nic_opts opts;
	uint64_t sent, got; /* numbered frames to and from the peer */
	uint64_t floor;     /* frames of the peer before this one may be lost, or come late */
	uint64_t lost;      /* numbered frames that its peer never got */
	uint64_t dropped;   /* frames of its connections before this one that the switch dropped */
	uint64_t taken;     /* frames that it sent on this connection, hellos too */
	size_t log_mark;    /* where the switch's log stood when it connected */
	bool heard;         /* a hello of the peer */
};

struct movers {
	struct hostile *h;
	struct movers_done done;
	struct end end[ENDS];
};

static size_t
length_of(uint64_t seq)
{
	return 60 + seq * 211 % 1455;
}

static int
end_send(struct end *e, const uint8_t *frame, size_t len)
{
	int err;

	if (e->wire >= 0)
		return send(e->wire, frame, len, 0) == (ssize_t)len ? 0 : -errno;
	err = nic_reclaim(&e->nic);
	if (err >= 0)
		err = nic_send(&e->nic, frame, len, NULL);
	e->taken += err == 0;
	return err;
}

static int
end_receive(struct end *e, uint8_t *frame)
{
	ssize_t n;

	if (e->wire < 0)
		return nic_recv(&e->nic, frame, FRAME_ROOM);
	n = recv(e->wire, frame, FRAME_ROOM, MSG_DONTWAIT);
	return n >= 0 ? (int)n : errno == EAGAIN ? 0 : -errno;
}

/* Frames of its connections that the switch says it has dropped. */
static uint64_t
dropped(struct movers *m, const struct end *e, bool tell)
{
	struct subject *s = &m->h->subject;
	int device = subject_device(s, e->log_mark, e->mac);
	struct totals t;

	if (device < 0 || !subject_counters(s, device, &t))
		return e->dropped;
	for (unsigned r = DROP_NONE + 1; r < DROP_MAX && tell; r++)
		if (t.drop[r] != 0)
			remark("mover %td, device %d: %ju frames dropped for \"%s\"", e - m->end,
					device, (uintmax_t)t.drop[r], drop_text(r));
	return e->dropped + t.dropped;
}

/*
 * Frames of a guest are missing: the switch must have counted them as dropped. A guest's ring that
 * the other worker fills, and which has lost its CPU meanwhile, is waited for 10 ms and no more.
 */
static bool
miss(struct movers *m, struct end *from, uint64_t n)
{
	from->lost += n;
	m->done.lost += n;
	if (from->wire >= 0)
		return fail(m->h, "%ju frames of station %td were lost", (uintmax_t)n,
				from - m->end);
	return EXPECT(m->h, dropped(m, from, true) >= from->lost,
			"%ju frames of mover %td were lost, and the switch has dropped %ju",
			(uintmax_t)from->lost, from - m->end, (uintmax_t)dropped(m, from, false));
}

static bool
look_at(struct movers *m, struct end *e, const uint8_t *frame, size_t len)
{
	uint64_t seq;

	/* Until the switch knows who is where, frames of others come too. */
	if (len < FRAME_MIN || frame_type(frame) != TYPE_MOVER || memcmp(frame, e->mac, 6) != 0)
		return true;
	if (memcmp(frame + 6, e->peer->mac, 6) != 0)
		return fail(m->h, "mover %td got a frame of another than its peer", e - m->end);
	seq = frame_seq(frame);
	if ((seq & HELLO) != 0) {
		e->heard = true;
		return true;
	}
	if (seq < e->floor)
		return true;
	if (seq < e->got)
		return fail(m->h, "mover %td got frame %ju instead of %ju", e - m->end,
				(uintmax_t)seq, (uintmax_t)e->got);
	if (seq > e->got && !miss(m, e->peer, seq - e->got))
		return false;
	e->got = seq;
	if (len != length_of(seq) || frame_damage(frame, len) != 0)
		return fail(m->h, "mover %td got frame %ju damaged (%zu bytes, byte %zu)",
				e - m->end, (uintmax_t)seq, len, frame_damage(frame, len));
	e->got++;
	m->done.frames++;
	return true;
}

/* All that has come; *n: how many. */
static bool
receive_all(struct movers *m, struct end *e, unsigned *n)
{
	uint8_t frame[FRAME_ROOM];
	int len;

	while ((len = end_receive(e, frame)) > 0) {
		++*n;
		if (!look_at(m, e, frame, (size_t)len))
			return false;
	}
	return EXPECT(m->h, len == 0, "mover %td: receive ring: %s", e - m->end, strerror(-len));
}

/* One more numbered frame, if the window and the ring have room; *n: whether. */
static bool
send_one(struct movers *m, struct end *e, uint64_t until, unsigned *n)
{
	uint8_t frame[FRAME_ROOM];
	size_t len = length_of(e->sent);
	int err;

	if (e->sent >= until || e->sent - e->peer->got >= WINDOW)
		return true;
	frame_make(frame, e->peer->mac, e->mac, TYPE_MOVER, e->sent, len);
	err = end_send(e, frame, len);
	if (err == 0) {
		e->sent++;
		++*n;
	}
	return EXPECT(m->h, err == 0 || err == -ENOBUFS, "mover %td could not send: %s", e - m->end,
			strerror(-err));
}

/* Nothing has come for long: what a pair has sent and not got does not come any more. */
static bool
skip(struct movers *m, struct end *a)
{
	struct end *both[2] = {a, a->peer};

	for (unsigned i = 0; i < 2; i++) {
		struct end *to = both[i], *from = to->peer;

		/* What the sender's ring still holds may come, and what waits at the uplink. */
		if (from->sent == to->got || from->wire >= 0 || nic_in_flight(&from->nic) != 0)
			continue;
		if (!miss(m, from, from->sent - to->got))
			return false;
		to->got = from->sent;
	}
	return true;
}

/* `count` frames each way; all of them, and those that were under way before, must arrive. */
static bool
talk(struct movers *m, struct end *a, unsigned count)
{
	struct end *b = a->peer;
	uint64_t until_a = a->sent + count, until_b = b->sent + count;
	int64_t deadline = vu_now_ms() + PATIENT_MS, heard = vu_now_ms();

	while (a->got < until_b || b->got < until_a) {
		unsigned n = 0;

		if (!send_one(m, a, until_a, &n) || !send_one(m, b, until_b, &n) ||
				!receive_all(m, a, &n) || !receive_all(m, b, &n))
			return false;
		if (vu_now_ms() > deadline)
			return fail(m->h,
					"movers %td and %td: %ju and %ju frames sent, %ju and %ju "
					"arrived",
					a - m->end, b - m->end, (uintmax_t)a->sent,
					(uintmax_t)b->sent, (uintmax_t)b->got, (uintmax_t)a->got);
		if (n != 0)
			heard = vu_now_ms();
		else if (vu_now_ms() > heard + STALL_MS && !skip(m, a))
			return false;
		else
			nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	}
	return true;
}

static bool
say_hello(struct movers *m, struct end *e)
{
	uint8_t frame[HELLO_LEN];
	int err;

	frame_make(frame, e->peer->mac, e->mac, TYPE_MOVER, HELLO | e->sent, sizeof(frame));
	err = end_send(e, frame, sizeof(frame));
	return EXPECT(m->h, err == 0 || err == -ENOBUFS, "mover %td could not send: %s", e - m->end,
			strerror(-err));
}

/* Until each has heard the other: from then on the switch finds both. */
static bool
meet(struct movers *m, struct end *a)
{
	int64_t deadline = vu_now_ms() + PATIENT_MS, again = 0;
	struct end *b = a->peer;
	unsigned n = 0;

	a->heard = b->heard = false;
	while (!a->heard || !b->heard) {
		if (vu_now_ms() > deadline)
			return fail(m->h, "movers %td and %td do not hear each other", a - m->end,
					b - m->end);
		if (vu_now_ms() >= again) {
			if (!say_hello(m, a) || !say_hello(m, b))
				return false;
			again = vu_now_ms() + HELLO_MS;
		}
		if (!receive_all(m, a, &n) || !receive_all(m, b, &n))
			return false;
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	}
	return true;
}

/* Waits until the switch has taken all that it sent. */
static bool
drain(struct movers *m, struct end *e)
{
	int err = e->wire >= 0 ? 0 : nic_drain(&e->nic, PATIENT_MS);

	return EXPECT(m->h, err == 0, "mover %td: its frames were not taken: %s", e - m->end,
			strerror(-err));
}

/* The switch's counters of a guest must be what it did. Nothing of it is under way. */
static bool
check_counters(struct movers *m, struct end *e)
{
	int device = subject_device(&m->h->subject, e->log_mark, e->mac);
	struct totals t;

	if (device < 0)
		return fail(m->h, "the log does not know mover %td", e - m->end);
	if (subject_counted(&m->h->subject, device, e->taken, &t) &&
			e->dropped + t.dropped >= e->lost)
		return true;
	return fail(m->h, "mover %td sent %ju frames; received %ju, delivered %ju, dropped %ju",
			e - m->end, (uintmax_t)e->taken, (uintmax_t)t.received,
			(uintmax_t)t.delivered, (uintmax_t)t.dropped);
}

/* Connections may be refused while hostile guests have all places: it tries again. */
static bool
connect_mover(struct movers *m, struct end *e)
{
	int64_t begin = vu_now_ms(), deadline = begin + PATIENT_MS;
	int sock, err;

	subject_read_log(&m->h->subject);
	e->log_mark = m->h->subject.log_len;
	e->taken = 0;
	do {
		sock = vu_connect(m->h->subject.honest_socket, PATIENT_MS);
		err = sock < 0 ? sock : nic_open(&e->nic, sock, &e->opts);
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	} while (err == -ECONNRESET && vu_now_ms() < deadline);
	if (vu_now_ms() - begin > m->done.slowest_ms)
		m->done.slowest_ms = vu_now_ms() - begin;
	return EXPECT(m->h, err == 0, "mover %td could not connect: %s", e - m->end,
			strerror(-err));
}

/* Acts. */

/* Has its pages logged from now on; *fd: the log. */
static bool
log_on(struct movers *m, struct end *e, size_t size, int *fd)
{
	struct vu_dev *dev = &e->nic.dev;
	int err = vu_dev_set_log(dev, size, size, 0, fd);

	if (err == 0)
		err = vu_dev_set_features(dev, dev->features | VU_F_LOG_ALL);
	if (err == 0)
		err = vu_dev_sync(dev);
	m->done.logs++;
	return EXPECT(m->h, err == 0, "mover %td: no log: %s", e - m->end, strerror(-err));
}

/* Whole pages of a region that hold nothing but receive buffers: only the switch changes them. */
static void
receive_pages(const struct end *e, unsigned region, size_t *first, size_t *last)
{
	const struct vu_region *r = &e->nic.dev.mem.region[region];
	const struct vr_ring *vr = e->nic.rx;
	uint64_t low = UINT64_MAX, high = 0;

	for (unsigned i = 0; i < vr->size; i++) {
		const struct vr_desc *d = &vr->desc[i];

		if (d->len == 0 || d->addr < r->gpa || d->addr >= r->gpa + r->size)
			continue;
		low = d->addr < low ? d->addr : low;
		high = d->addr + d->len > high ? d->addr + d->len : high;
	}
	*first = low == UINT64_MAX ? 0 : (low - r->gpa + PAGE - 1) / PAGE;
	*last = high == 0 ? 0 : (high - r->gpa) / PAGE;
}

/* Each page that the switch has changed since `before` must have its bit. */
static bool
check_log(struct movers *m, struct end *e, unsigned region, const uint8_t *before,
		const uint8_t *log)
{
	const struct vu_region *r = &e->nic.dev.mem.region[region];
	size_t first, last;
	uint64_t page;

	receive_pages(e, region, &first, &last);
	for (size_t i = first; i < last; i++) {
		page = r->gpa / PAGE + i;
		if (memcmp(before + i * PAGE, r->base + i * PAGE, PAGE) != 0 &&
				(log[page / 8] >> page % 8 & 1) == 0)
			return fail(m->h, "mover %td: page %#jx was written and not logged",
					e - m->end, (uintmax_t)(page * PAGE));
	}
	return true;
}

/* Traffic while pages are logged, up to frames that lie in its rings when these are stopped. */
static bool
last_round(struct movers *m, struct end *e)
{
	unsigned n = 0;

	if (!talk(m, e, TALK))
		return false;
	for (unsigned i = 0; i < SOME; i++)
		if (!send_one(m, e, e->sent + 1, &n) ||
				(e->peer->wire < 0 && !send_one(m, e->peer, e->peer->sent + 1, &n)))
			return false;
	/* What the switch holds for a guest that is gone is dropped: this side must be through. */
	return drain(m, e->peer);
}

static bool
stop(struct movers *m, struct end *e)
{
	struct vu_dev *dev = &e->nic.dev;
	uint16_t base[2];
	int err = vu_dev_stop(dev, base);

	if (!EXPECT(m->h, err == 0, "mover %td could not stop: %s", e - m->end, strerror(-err)))
		return false;
	return EXPECT(m->h, base[0] == vr_base(e->nic.rx) && base[1] == vr_base(e->nic.tx),
			"mover %td: bases %u and %u, but %u and %u are used", e - m->end, base[0],
			base[1], vr_base(e->nic.rx), vr_base(e->nic.tx));
}

/* Goes on at a new connection with a copy of the memory; the old one ends after that, or before. */
static bool
take_over(struct movers *m, struct end *e, bool early)
{
	struct vu_dev *dev = &e->nic.dev;
	int fd[VU_REGIONS_MAX], old, sock, err;
	unsigned n = dev->mem.n;

	subject_read_log(&m->h->subject);
	e->log_mark = m->h->subject.log_len;
	if (early) {
		close(dev->sock);
		dev->sock = -1;
	}
	old = sock = vu_connect(m->h->subject.honest_socket, PATIENT_MS);
	if (!EXPECT(m->h, sock >= 0, "no connection: %s", strerror(-sock)))
		return false;
	err = vu_dev_move(dev, &old, fd);
	if (err == 0) {
		for (unsigned i = 0; i < n; i++)
			close(fd[i]);
		nic_reclaim(&e->nic);
		e->taken = nic_in_flight(&e->nic);
		err = vu_dev_start(dev);
	}
	if (old >= 0)
		close(old);
	return EXPECT(m->h, err == 0, "mover %td could not go on: %s", e - m->end, strerror(-err));
}

/* A migration: pages logged, stopped with frames under way, taken over by another connection. */
static bool
act_move(struct movers *m, struct end *e, uint64_t r)
{
	const struct vu_mem *mem = &e->nic.dev.mem;
	const struct vu_region *top = &mem->region[mem->n - 1];
	size_t size = (top->gpa + top->size) / PAGE / 8 + PAGE;
	uint8_t *before[VU_REGIONS_MAX], *log = MAP_FAILED;
	unsigned n = 0;
	bool ok;
	int fd;

	/* Buffers that were filled before are posted again now: that is the guest's own writing. */
	ok = log_on(m, e, size, &fd) && receive_all(m, e, &n);
	for (unsigned i = 0; i < mem->n; i++) {
		before[i] = malloc(mem->region[i].size);
		ok = ok && EXPECT(m->h, before[i] != NULL, "no memory");
		if (before[i] != NULL)
			memcpy(before[i], mem->region[i].base, mem->region[i].size);
	}
	ok = ok && last_round(m, e) && stop(m, e);
	if (ok) {
		log = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
		ok = EXPECT(m->h, log != MAP_FAILED, "the log can't be mapped");
	}
	for (unsigned i = 0; i < mem->n; i++) {
		ok = ok && check_log(m, e, i, before[i], log);
		free(before[i]);
	}
	if (log != MAP_FAILED)
		munmap(log, size);
	if (fd >= 0)
		close(fd);
	m->done.moves++;
	e->dropped = dropped(m, e, false);
	return ok && take_over(m, e, (r & 1) != 0) && meet(m, e) && talk(m, e, TALK);
}

/* An orderly end, and a new connection, as if a guest were shut down and started. */
static bool
act_reconnect(struct movers *m, struct end *e, uint64_t r)
{
	if (!talk(m, e, TALK) || !drain(m, e) || !check_counters(m, e))
		return false;
	if ((r & 1) != 0 && !stop(m, e))
		return false;
	e->dropped = dropped(m, e, false);
	nic_close(&e->nic);
	m->done.reconnects++;
	return connect_mover(m, e) && meet(m, e) && talk(m, e, TALK);
}

/* Killed with frames under way in both directions: those alone may be lost. */
static bool
act_die(struct movers *m, struct end *e, uint64_t r)
{
	struct end *peer = e->peer;
	unsigned n = 0;

	(void)r;
	if (!talk(m, e, TALK))
		return false;
	for (unsigned i = 0; i < SOME; i++)
		if (!send_one(m, e, e->sent + 1, &n) || !send_one(m, peer, peer->sent + 1, &n))
			return false;
	e->dropped = dropped(m, e, false);
	nic_close(&e->nic);
	m->done.deaths++;
	if (!drain(m, peer) || !connect_mover(m, e))
		return false;
	e->got = e->floor = peer->sent;
	peer->got = peer->floor = e->sent;
	return meet(m, e) && talk(m, e, TALK);
}

static bool
act_reboot(struct movers *m, struct end *e, uint64_t r)
{
	static const uint64_t features[] = {
			VU_F_VERSION_1,
			VU_F_VERSION_1 | VU_F_EVENT_IDX,
			VU_F_VERSION_1 | VU_F_INDIRECT_DESC,
			0,
	};
	uint64_t want = features[r % 4] | VU_F_PROTOCOL_FEATURES | m->h->features;
	int err;

	if (!talk(m, e, TALK) || !drain(m, e))
		return false;
	err = nic_reboot(&e->nic, want, &e->opts);
	m->done.reboots++;
	if (!EXPECT(m->h, err == 0, "mover %td could not reboot: %s", e - m->end, strerror(-err)))
		return false;
	return meet(m, e) && talk(m, e, TALK);
}

bool
movers_act(struct movers *m, uint64_t *random)
{
	static bool (*const acts[])(struct movers *, struct end *, uint64_t) = {
			act_move, act_reconnect, act_die, act_reboot};
	uint64_t r = odd_number(random) >> 8;

	return acts[r % 4](m, &m->end[r / 4 % MOVERS], r / 16);
}

bool
movers_settle(struct movers *m)
{
	for (unsigned i = 0; i < MOVERS; i++) {
		struct end *e = &m->end[i];

		if (!talk(m, e, TALK) || !drain(m, e) || !check_counters(m, e))
			return false;
	}
	return true;
}

const struct movers_done *
movers_done(const struct movers *m)
{
	return &m->done;
}

/* A packet socket on the uplink's interface. */
static bool
open_station(struct movers *m, struct end *e)
{
	struct sockaddr_ll at = {.sll_family = AF_PACKET, .sll_protocol = htons(TYPE_MOVER)};
	const int room = STATION_ROOM;

	at.sll_ifindex = (int)if_nametoindex(m->h->subject.tap);
	e->wire = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(TYPE_MOVER));
	return EXPECT(m->h,
			e->wire >= 0 &&
					setsockopt(e->wire, SOL_SOCKET, SO_RCVBUFFORCE, &room,
							sizeof(room)) == 0 &&
					bind(e->wire, (struct sockaddr *)&at, sizeof(at)) == 0,
			"no station on %s: %s", m->h->subject.tap, strerror(errno));
}

struct movers *
movers_open(struct hostile *h)
{
	static const unsigned peer[ENDS] = {1, 0, 4, 5, 2, 3};
	struct movers *m = calloc(1, sizeof(*m));
	bool ok = true;

	m->h = h;
	for (unsigned i = 0; i < ENDS; i++) {
		m->end[i].wire = m->end[i].nic.dev.sock = -1;
		m->end[i].peer = &m->end[peer[i]];
		mac_make(m->end[i].mac, MAC_BASE + i);
		m->end[i].opts = party_opts();
		m->end[i].opts.rx_bufs = 0;
		m->end[i].opts.dev.mem.region_size = 0;
		m->end[i].opts.dev.timeout_ms = PATIENT_MS;
		m->end[i].opts.dev.features |= h->features;
		m->end[i].opts.dev.protocol |= VU_PROTOCOL_LOG_SHMFD;
	}
	for (unsigned i = 0; i < ENDS && ok; i++)
		ok = i < MOVERS ? connect_mover(m, &m->end[i]) : open_station(m, &m->end[i]);
	for (unsigned i = 0; i < MOVERS && ok; i++)
		ok = meet(m, &m->end[i]);
	if (ok)
		return m;
	movers_close(m);
	return NULL;
}

void
movers_close(struct movers *m)
{
	if (m == NULL)
		return;
	for (unsigned i = 0; i < ENDS; i++) {
		if (m->end[i].wire >= 0)
			close(m->end[i].wire);
		else if (m->end[i].nic.dev.mem.n > 0)
			nic_close(&m->end[i].nic);
	}
	free(m);
}
