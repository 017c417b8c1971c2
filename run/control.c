/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The main lcore's loop: see control.h for the contract. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <rte_cycles.h>

#include "base/atomic.h"
#include "base/log.h"
#include "base/mac.h"
#include "base/output.h"
#include "base/wake.h"
#include "conf/conf.h"
#include "guest/fd_gate.h"
#include "guest/fault.h"
#include "guest/guests.h"
#include "guest/slot.h"
#include "run/addresses.h"
#include "run/change.h"
#include "run/control.h"
#include "run/load.h"
#include "run/notify.h"
#include "run/parts.h"
#include "run/reload.h"
#include "run/rpc.h"
#include "run/rpc_events.h"
#include "run/stats.h"
#include "run/watch.h"
#include "switch/fdb.h"
#include "switch/lanes.h"
#include "switch/learn.h"
#include "switch/port.h"
#include "uplink/link.h"
#include "uplink/uplink.h"

/* How many moved addresses are logged in a second; the others are summed up. */
#define MOVES_LOGGED 10

/*
 * How long the main lcore learns, or assigns filters, without a pause: a call to a NIC's driver may
 * take a millisecond. Then it handles signals, timers and guests that leave.
 */
#define STRETCH_MS 5

/* The loop's own state. */
struct control {
	const struct parts *parts;
	int epoll, timer;
	int signals; /* that end the switch */
	int hups;    /* SIGHUP */
	int link;    /* uplink_event_fd(); -1: none */
	struct watch watch;
	unsigned int guests;   /* number of guests that the service manager was told */
	const char *link_text; /* state of the link that the service manager was told */
	bool told;             /* the service manager has taken both */
	uint32_t seconds;      /* since start */
	unsigned int moves;    /* moved addresses in this second */
	unsigned int skipped;  /* tables left out since the last one */
	bool there[GUEST_MAX]; /* a guest is in the slot, as was told last */
	bool stop;
};

/*
 * SIGHUP has a file descriptor of its own: of several signals the kernel hands out the one with the lowest number, so
 * whoever sends SIGHUP again and again would keep SIGTERM waiting.
 */
static void
control_watched_signals(sigset_t *set, bool hups)
{
	sigemptyset(set);
	if (hups) {
		sigaddset(set, SIGHUP);
	} else {
		sigaddset(set, SIGINT);
		sigaddset(set, SIGTERM);
	}
}

static int
control_open_signals(bool hups)
{
	sigset_t set;

	control_watched_signals(&set, hups);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void
control_block_signals(void)
{
	sigset_t set;

	control_watched_signals(&set, false);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	control_watched_signals(&set, true);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	/* A guest's socket that closes while we write must not end the process. */
	signal(SIGPIPE, SIG_IGN);
}

static uint64_t
control_stretch(void)
{
	return rte_get_tsc_hz() / 1000 * STRETCH_MS;
}

/* Assigns free filters to addresses that have none. */
static void
control_use_filters(const struct parts *p)
{
	const uint64_t begin = rte_get_tsc_cycles();
	uint32_t at = 0;
	uint16_t port;
	uint64_t key;

	/* Addresses that are left are handled a second later. */
	while (uplink_has_room(p->uplink) && rte_get_tsc_cycles() - begin < control_stretch()) {
		key = fdb_unfiltered(p->fdb, &at, &port);
		if (key == 0)
			break;
		addresses_let_in(p, key, port, port);
	}
}

/* Has the uplink look at its link, and tells those who watch what changed. */
static void
control_on_link(const struct parts *p, void (*look)(struct uplink *u))
{
	const char *before = uplink_link_text(p->uplink), *now;

	look(p->uplink);
	now = uplink_link_text(p->uplink);
	if (now != before)
		rpc_event(p->rpc, uplink_is_up(p->uplink) ? "link.up" : "link.down", "{s:s, s:s}",
				"port", "uplink", "link", now);
}

/* Tells those who watch that an address is at a port now. */
static void
control_tell_address(
		const struct parts *p, const char *event, uint64_t key, uint16_t from, uint16_t to)
{
	char text[MAC_TEXT_MAX], before[SLOT_NAME_MAX], name[SLOT_NAME_MAX];
	struct rte_ether_addr mac = fdb_mac(key);

	if (!rpc_has_listeners(p->rpc))
		return;
	snprintf(text, sizeof(text), MAC_FORMAT, MAC_BYTES(mac));
	rpc_event(p->rpc, event, "{s:s, s:s, s:s*}", "mac", text, "port",
			slot_name(p->ports, to, name), "from",
			from != to ? slot_name(p->ports, from, before) : NULL);
}

static void
control_log_move(unsigned int *moves, uint64_t key, uint16_t from, uint16_t to)
{
	struct rte_ether_addr mac = fdb_mac(key);

	if (++*moves > MOVES_LOGGED)
		return;
	if (from == PORT_UPLINK)
		say(NOTICE, MAC_FORMAT " moved from the uplink to device %u\n", MAC_BYTES(mac), to);
	else if (to == PORT_UPLINK)
		say(NOTICE, MAC_FORMAT " moved from device %u to the uplink\n", MAC_BYTES(mac),
				from);
	else
		say(NOTICE, MAC_FORMAT " moved from device %u to device %u\n", MAC_BYTES(mac), from,
				to);
}

/* Logs the line that existing test suites wait for: once, at a device's first address. */
static void
control_log_registered(const struct parts *p, uint64_t key, uint16_t port)
{
	struct rte_ether_addr mac = fdb_mac(key);

	if (p->ports->port[port].registered)
		return;
	p->ports->port[port].registered = true;
	rte_log(RTE_LOG_INFO, log_data,
			"VHOST_DATA: (%u) MAC_ADDRESS " MAC_FORMAT " and VLAN_TAG %u registered\n",
			port, MAC_BYTES(mac), p->ports->port[port].vlan);
}

static void
control_learn_one(const struct parts *p, unsigned int *moves, const struct learn_request *r)
{
	uint16_t old = PORT_UPLINK;
	enum fdb_verdict verdict;

	/* Its guest is gone, or the settings have changed since. */
	if (p->ports->port[r->port].epoch != r->epoch || !addresses_allowed(p, r->key, r->port))
		return;
	verdict = fdb_learn(p->fdb, r->key, r->port, &old);
	if (verdict != FDB_ADDED && verdict != FDB_MOVED)
		return;
	if (verdict == FDB_MOVED)
		control_log_move(moves, r->key, old, r->port);
	control_tell_address(p, verdict == FDB_MOVED ? "address.moved" : "address.added", r->key,
			verdict == FDB_MOVED ? old : r->port, r->port);
	if (r->port == PORT_UPLINK) {
		if (verdict == FDB_MOVED)
			addresses_let_go(p, r->key);
		return;
	}
	addresses_let_in(p, r->key, old, r->port);
	control_log_registered(p, r->key, r->port);
}

/* Tells those who watch which guests have come and gone. */
static void
control_tell_guest(struct control *c, unsigned int slot, bool there)
{
	const struct parts *p = c->parts;
	char name[SLOT_NAME_MAX];

	if (there == c->there[slot])
		return;
	c->there[slot] = there;
	if (there)
		addresses_return(p, slot, p->changes == NULL || !changes_busy(p->changes));
	rpc_event(p->rpc, there ? "guest.connected" : "guest.disconnected", "{s:s, s:i}", "port",
			slot_name(p->ports, slot, name), "device", (int)slot);
}

static void
control_tell_guests(struct control *c)
{
	const struct ports *all = c->parts->ports;
	unsigned int i;

	for (i = 0; i < ports_used(all); i++)
		control_tell_guest(c, i, port_state(&all->port[i]) == PORT_USED);
}

/*
 * A worker may have looked up an address of the last guest, and be about to park the frame. It notes the
 * slot's epoch with that: so the epoch is counted after the worker's burst, or the frame would wait for
 * the next guest. (A frame that waits already, and is just offered: see guest_take_slot().)
 */
bool
control_free_slots(const struct parts *p, const uint16_t *slot, unsigned int n)
{
	struct port *port;
	unsigned int i;

	if (n != 0 && !lanes_wait(p->lanes, control_stretch()))
		return false;
	for (i = 0; i < n; i++) {
		port = &p->ports->port[slot[i]];
		stats_log_departed(p, slot[i]);
		stats_retire(p, slot[i]);
		port->registered = false;
		store_relaxed(&port->epoch, port->epoch + 1);
		store_release(&port->state, PORT_FREE);
	}
	return true;
}

/* Clears the slots whose guests have left, for the next guests. */
static void
control_clear_ports(struct control *c)
{
	const struct parts *p = c->parts;
	uint16_t left[GUEST_MAX];
	unsigned int i, n = 0;

	for (i = 0; i < ports_used(p->ports); i++) {
		if (port_state(&p->ports->port[i]) != PORT_LEAVING)
			continue;
		control_tell_guest(c, i, false); /* it may have left since control_tell_guests() */
		addresses_forget_port(p, i);
		left[n++] = i;
	}
	if (!control_free_slots(p, left, n))
		wake_up(p->wake); /* again, after other events */
}

static void
control_check_guests(const struct parts *p)
{
	struct guest *g;
	unsigned int i;

	for (i = 0; i < ports_used(p->ports); i++) {
		g = load_acquire(&p->guests->by_slot[i]);
		if (g != NULL)
			guest_check(g);
	}
}

void
control_learn(const struct parts *p, unsigned int *moves, uint64_t cycles)
{
	const uint64_t begin = rte_get_tsc_cycles();
	struct learn_request r;

	while (learn_take(p->learn, &r)) {
		control_learn_one(p, moves, &r);
		if (rte_get_tsc_cycles() - begin >= cycles) {
			wake_up(p->wake); /* the rest, after other events */
			break;
		}
	}
}

static void
control_on_wake(struct control *c)
{
	wake_take(c->parts->wake);
	control_learn(c->parts, &c->moves, control_stretch());
	control_tell_guests(c);
	control_clear_ports(c);
	changes_work(c->parts->changes);
	rpc_work(c->parts->rpc);
}

/* Tells the service manager what `systemctl status` shows. */
static void
control_tell_status(struct control *c)
{
	const struct parts *p = c->parts;
	const char *link = uplink_link_text(p->uplink);
	unsigned int i, guests = 0;
	char text[80];

	for (i = 0; i < ports_used(p->ports); i++)
		guests += port_state(&p->ports->port[i]) == PORT_USED;
	if (c->told && guests == c->guests && link == c->link_text)
		return;
	c->guests = guests;
	c->link_text = link;
	snprintf(text, sizeof(text), "STATUS=guests: %u, workers: %u, uplink: %s", guests,
			p->lanes->n, link);
	c->told = notify_send(p->notify, text); /* if not, it is told in the next second */
}

/* The watchdog is told only while all workers work, so that it ends a switch that hangs. */
static void
control_tell_manager(struct control *c, bool work)
{
	if (work && c->parts->notify->watchdog_us != 0)
		notify_send(c->parts->notify, "WATCHDOG=1");
	control_tell_status(c);
}

bool
control_table(const struct parts *p)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	bool ok;

	if (out == NULL)
		return false;
	stats_print(p, out);
	ok = fclose(out) == 0 && output_put(OUTPUT_TABLE, text, len);
	free(text);
	return ok;
}

/* No table is printed while nobody has read the one before. */
static void
control_print_table(struct control *c)
{
	if (!output_idle(OUTPUT_TABLE) || !control_table(c->parts)) {
		c->skipped++;
	} else if (c->skipped != 0) {
		say(NOTICE, "%u statistics tables were left out, as nobody read stdout\n",
				c->skipped);
		c->skipped = 0;
	}
}

static void
control_on_second(struct control *c)
{
	const struct parts *p = c->parts;
	uint64_t n;
	bool work;

	if (read(c->timer, &n, sizeof(n)) != sizeof(n))
		return;
	c->seconds += n;
	work = watch_workers(&c->watch, p->lanes);
	if (c->moves > MOVES_LOGGED)
		say(NOTICE, "%u more addresses moved in this second\n", c->moves - MOVES_LOGGED);
	c->moves = 0;
	if (work)
		addresses_tick(p); /* once, however late it is */
	loads_sample(p->loads, p->lanes, rte_get_tsc_cycles());
	if (p->uplink != NULL) {
		control_use_filters(p);
		control_on_link(p, uplink_tick);
	}
	control_check_guests(p);
	control_tell_manager(c, work);
	control_tell_guests(c);
	changes_work(p->changes);
	reload_tick(p->reload);
	rpc_tick(p->rpc);
	fd_gate_tick();
	if (p->conf->stats != 0 && c->seconds % p->conf->stats < n)
		control_print_table(c);
	log_tick();
}

static bool
control_took_signal(int fd)
{
	struct signalfd_siginfo signal;

	return read(fd, &signal, sizeof(signal)) == sizeof(signal);
}

/* SIGHUP comes from a closed terminal, or from somebody who wants the file read again. Guests keep their network. */
static void
control_on_hup(const struct control *c)
{
	if (!control_took_signal(c->hups))
		return;
	if (c->parts->conf->file[0] != '\0')
		reload_file(c->parts->reload);
	else
		say(NOTICE,
				"SIGHUP: there is no file to read again (--config), so nothing changes; "
				"SIGTERM ends the switch\n");
}

static bool
control_watch(int epoll, int fd)
{
	struct epoll_event e = {.events = EPOLLIN, .data.fd = fd};

	return fd >= 0 && epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) == 0;
}

static bool
control_open(struct control *c, const struct parts *p)
{
	const struct itimerspec second = {{1, 0}, {1, 0}};
	c->parts = p;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->signals = control_open_signals(false);
	c->hups = control_open_signals(true);
	c->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	c->link = p->uplink != NULL ? uplink_event_fd(p->uplink) : -1;
	if (control_watch(c->epoll, c->signals) && control_watch(c->epoll, c->hups) &&
			control_watch(c->epoll, c->timer) && control_watch(c->epoll, p->wake->fd) &&
			(c->link < 0 || control_watch(c->epoll, c->link)) &&
			(p->rpc == NULL || control_watch(c->epoll, rpc_fd(p->rpc))) &&
			timerfd_settime(c->timer, 0, &second, NULL) == 0)
		return true;
	say_error("can't wait for events: %s", strerror(errno));
	return false;
}

bool
control_run(const struct parts *p)
{
	struct control c = {.epoll = -1, .timer = -1, .signals = -1, .hups = -1, .link = -1};
	bool ok = control_open(&c, p);
	struct epoll_event e;

	while (ok && !c.stop) {
		if (epoll_wait(c.epoll, &e, 1, -1) != 1)
			continue; /* EINTR */
		if (e.data.fd == c.signals)
			c.stop = control_took_signal(c.signals);
		else if (e.data.fd == c.hups)
			control_on_hup(&c);
		else if (e.data.fd == c.timer)
			control_on_second(&c);
		else if (e.data.fd == c.link)
			control_on_link(p, uplink_on_event);
		else if (e.data.fd == rpc_fd(p->rpc))
			rpc_work(p->rpc);
		else
			control_on_wake(&c);
	}
	close(c.timer);
	close(c.hups);
	close(c.signals);
	close(c.epoll);
	return ok;
}
