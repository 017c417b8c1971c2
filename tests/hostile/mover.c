/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* A pair of movers that exchanges numbered frames. See mover.h. */
#define _GNU_SOURCE
#include "mover.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define WINDOW 16 /* frames under way to one: far fewer than its 256 buffers */
#define HELLO_LEN 60
#define HELLO \
	(1ULL << 63) /* a bit in a frame's number: such a frame may be lost, and is sent again */
#define HELLO_MS 5
#define STALL_MS 1500 /* far more than a frame waits in the switch */

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

uint64_t
mover_dropped(struct movers *m, const struct end *e, bool tell)
{
	struct subject *s = &m->h->subject;
	int device = e->wire >= 0 ? SUBJECT_UPLINK : subject_device(s, e->log_mark, e->mac);
	struct totals t;

	if ((device < 0 && e->wire < 0) || !subject_counters(s, device, &t))
		return e->dropped;
	for (unsigned r = DROP_NONE + 1; r < DROP_MAX && tell; r++)
		if (t.drop[r] != 0)
			remark("mover %td, device %d: %ju frames dropped for \"%s\"", e - m->end,
					device, (uintmax_t)t.drop[r], drop_text(r));
	/* The uplink also drops frames that are for nobody. */
	return e->wire >= 0 ? t.drop[DROP_RING_FULL] + t.drop[DROP_GONE] : e->dropped + t.dropped;
}

/*
 * Frames of a guest, or from the wire, are missing: the switch must have counted them as dropped. That may happen to an
 * honest guest: a worker waits 10 ms and no longer for a ring that another worker is filling, and the
 * other one may have lost its CPU for longer.
 */
static bool
miss(struct movers *m, struct end *from, uint64_t n)
{
	from->lost += n;
	m->done.lost += n;
	return EXPECT(m->h, mover_dropped(m, from, true) >= from->lost,
			"%ju frames of mover %td were lost, and the switch has dropped %ju",
			(uintmax_t)from->lost, from - m->end,
			(uintmax_t)mover_dropped(m, from, false));
}

static bool
look_at(struct movers *m, struct end *e, const uint8_t *frame, size_t len)
{
	uint64_t seq;

	/* Until the switch knows all addresses, frames for others arrive too. */
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

bool
mover_receive_all(struct movers *m, struct end *e, unsigned *n)
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

bool
mover_send_one(struct movers *m, struct end *e, uint64_t until, unsigned *n)
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

/* When something came, and for how long workers had run by then. */
struct heard {
	int64_t at; /* ms */
	uint64_t ran[CPU_TIME_WORKERS];
	bool nudged;
};

static void
note_heard(const struct movers *m, struct heard *t, bool nudged)
{
	t->nudged = nudged;
	t->at = vu_now_ms();
	cpu_time_ran(&m->h->cpu_time, t->ran);
}

/*
 * Frames from the wire may lie in the tap until the next one comes: its driver reads when a signal has told it to.
 * Sends one more. Returns false if that is not possible.
 */
static bool
nudge(struct movers *m, struct end *a, struct heard *t)
{
	struct end *station = a->wire >= 0 ? a : a->peer;

	note_heard(m, t, true);
	return station->wire < 0 || say_hello(m, station);
}

/* Returns true if nothing has come for so long that nothing will. */
static bool
is_over(const struct movers *m, const struct heard *t)
{
	return vu_now_ms() > t->at + STALL_MS && cpu_time_enough(&m->h->cpu_time, t->ran);
}

/* What a pair has sent and not got will not come any more. */
static bool
skip(struct movers *m, struct end *a)
{
	struct end *both[2] = {a, a->peer};

	for (unsigned i = 0; i < 2; i++) {
		struct end *to = both[i], *from = to->peer;

		if (from->sent == to->got)
			continue;
		/* What the sender's ring still holds may arrive. */
		if (from->wire < 0 &&
				(nic_reclaim(&from->nic) < 0 || nic_in_flight(&from->nic) != 0))
			continue;
		if (!miss(m, from, from->sent - to->got))
			return false;
		to->got = from->sent;
	}
	return true;
}

bool
mover_talk(struct movers *m, struct end *a, unsigned count)
{
	struct end *b = a->peer;
	uint64_t until_a = a->sent + count, until_b = b->sent + count;
	int64_t deadline = vu_now_ms() + PATIENT_MS;
	struct heard heard;

	note_heard(m, &heard, false);
	while (a->got < until_b || b->got < until_a) {
		unsigned n = 0;

		if (!mover_send_one(m, a, until_a, &n) || !mover_send_one(m, b, until_b, &n) ||
				!mover_receive_all(m, a, &n) || !mover_receive_all(m, b, &n))
			return false;
		if (vu_now_ms() > deadline)
			return fail(m->h,
					"movers %td and %td: %ju and %ju frames sent, %ju and %ju "
					"arrived",
					a - m->end, b - m->end, (uintmax_t)a->sent,
					(uintmax_t)b->sent, (uintmax_t)b->got, (uintmax_t)a->got);
		if (n != 0)
			note_heard(m, &heard, heard.nudged);
		else if (is_over(m, &heard) && !(heard.nudged ? skip(m, a) : nudge(m, a, &heard)))
			return false;
		else
			nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	}
	return true;
}

bool
mover_meet(struct movers *m, struct end *a)
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
		if (!mover_receive_all(m, a, &n) || !mover_receive_all(m, b, &n))
			return false;
		nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
	}
	return true;
}

bool
mover_drain(struct movers *m, struct end *e)
{
	int err = e->wire >= 0 ? 0 : nic_drain(&e->nic, PATIENT_MS);

	return EXPECT(m->h, err == 0, "mover %td: its frames were not taken: %s", e - m->end,
			strerror(-err));
}

bool
mover_check_counters(struct movers *m, struct end *e)
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

bool
mover_connect(struct movers *m, struct end *e)
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
