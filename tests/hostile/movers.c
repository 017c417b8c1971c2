/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Honest guests that come and go: what is done to them. See movers.h. */
#define _GNU_SOURCE
#include "movers.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "mover.h"
#include "odd_messages.h"

#define MAC_BASE 0x04000000
#define TALK 100 /* frames each way, before and after whatever is done */
#define SOME 8   /* frames under way while it is done */
#define PAGE 4096UL
#define STATION_ROOM (8 << 20) /* bytes that a station's socket holds: others use the wire too */

/* Switches the logging of its pages on. *fd is the log. */
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

/* Traffic while pages are logged; the last frames are still in its rings when these are stopped. */
static bool
last_round(struct movers *m, struct end *e)
{
	unsigned n = 0;

	if (!mover_talk(m, e, TALK))
		return false;
	for (unsigned i = 0; i < SOME; i++)
		if (!mover_send_one(m, e, e->sent + 1, &n) ||
				(e->peer->wire < 0 &&
						!mover_send_one(m, e->peer, e->peer->sent + 1, &n)))
			return false;
	/* The switch drops what it holds for a guest that is gone, so it must have taken the peer's frames. */
	return mover_drain(m, e->peer);
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

/*
 * Goes on at a new connection with a copy of the memory. The old connection is closed after that,
 * or before (`early`).
 */
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

/* A migration: its pages are logged, it is stopped with frames under way, and another connection takes over. */
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

	/*
	 * Posts buffers again that were filled before. The guest itself writes to its memory then,
	 * which no log has.
	 */
	ok = log_on(m, e, size, &fd) && mover_receive_all(m, e, &n);
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
	e->dropped = mover_dropped(m, e, false);
	return ok && take_over(m, e, (r & 1) != 0) && mover_meet(m, e) && mover_talk(m, e, TALK);
}

/* An orderly end, and a new connection, as if a guest were shut down and started. */
static bool
act_reconnect(struct movers *m, struct end *e, uint64_t r)
{
	if (!mover_talk(m, e, TALK) || !mover_drain(m, e) || !mover_check_counters(m, e))
		return false;
	if ((r & 1) != 0 && !stop(m, e))
		return false;
	e->dropped = mover_dropped(m, e, false);
	nic_close(&e->nic);
	m->done.reconnects++;
	return mover_connect(m, e) && mover_meet(m, e) && mover_talk(m, e, TALK);
}

/* Killed with frames under way in both directions: those alone may be lost. */
static bool
act_die(struct movers *m, struct end *e, uint64_t r)
{
	struct end *peer = e->peer;
	unsigned n = 0;

	(void)r;
	if (!mover_talk(m, e, TALK))
		return false;
	for (unsigned i = 0; i < SOME; i++)
		if (!mover_send_one(m, e, e->sent + 1, &n) ||
				!mover_send_one(m, peer, peer->sent + 1, &n))
			return false;
	e->dropped = mover_dropped(m, e, false);
	nic_close(&e->nic);
	m->done.deaths++;
	if (!mover_drain(m, peer) || !mover_connect(m, e))
		return false;
	e->got = e->floor = peer->sent;
	peer->got = peer->floor = e->sent;
	return mover_meet(m, e) && mover_talk(m, e, TALK);
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

	if (!mover_talk(m, e, TALK) || !mover_drain(m, e))
		return false;
	err = nic_reboot(&e->nic, want, &e->opts);
	m->done.reboots++;
	if (!EXPECT(m->h, err == 0, "mover %td could not reboot: %s", e - m->end, strerror(-err)))
		return false;
	return mover_meet(m, e) && mover_talk(m, e, TALK);
}

bool
movers_act(struct movers *m, uint64_t *random)
{
	static const struct {
		const char *name;
		bool (*run)(struct movers *m, struct end *e, uint64_t r);
	} acts[] = {
			{"migration", act_move},
			{"reconnect", act_reconnect},
			{"death", act_die},
			{"reboot", act_reboot},
	};
	uint64_t r = odd_number(random) >> 8;

	m->done.act = acts[r % 4].name;
	m->done.mover = r / 4 % MOVERS;
	return acts[r % 4].run(m, &m->end[m->done.mover], r / 16);
}

bool
movers_settle(struct movers *m)
{
	for (unsigned i = 0; i < MOVERS; i++) {
		struct end *e = &m->end[i];

		if (!mover_talk(m, e, TALK) || !mover_drain(m, e) || !mover_check_counters(m, e))
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
		m->end[i].opts.dev.features |= h->features;
		m->end[i].opts.dev.protocol |= VU_PROTOCOL_LOG_SHMFD;
	}
	for (unsigned i = 0; i < ENDS && ok; i++)
		ok = i < MOVERS ? mover_connect(m, &m->end[i]) : open_station(m, &m->end[i]);
	for (unsigned i = 0; i < MOVERS && ok; i++)
		ok = mover_meet(m, &m->end[i]);
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
