/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* What the port carries now: see link.h for the contract. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_kvargs.h>

#include "base/atomic.h"
#include "base/number.h"
#include "conf/conf.h"
#include "uplink/link.h"
#include "uplink/uplink_priv.h"

/*
 * net_af_packet shares a ring of slots with the kernel, by default of 2 KiB. In a slot for
 * receiving the kernel uses 66 bytes before the frame (TPACKET2_HDRLEN and an Ethernet header,
 * aligned so that the payload is aligned), and truncates a frame that does not fit into the rest;
 * the driver passes it on as if it were whole. In a slot for sending 32 bytes precede the frame;
 * the driver frees a longer frame and reports it as sent.
 */
#define SLOT_SIZE 2048
#define SLOT_RX_FRONT 66
#define SLOT_TX_FRONT 32

/*
 * Milliseconds between checks of a NIC's link. Its queue holds the frames that are sent until then.
 */
#define ASK_MS 100

/* Drivers of the kernel's interfaces, and how they treat frames. */
static const struct {
	const char *name;
	bool slots;    /* of a fixed size, as above */
	bool sends_by; /* the interface's MTU limits its frames */
	bool packet; /* sends by a packet socket, which allows 4 bytes beyond the MTU for a tag of 802.1Q only */
	bool raw; /* passes on frames as the kernel has them, also without checksums or uncut */
} drivers[] = {
		{"net_af_packet", .slots = true, .sends_by = true, .packet = true, .raw = true},
		{"net_af_xdp", .sends_by = true, .raw = true},
		{"net_pcap", .sends_by = true, .packet = true, .raw = true},
		/* A tap asks for no offload, so the kernel completes and cuts its frames. */
		{"net_tap", .raw = false},
};

/*
 * Returns the index of the port's driver in that table, or -1 if the port is no interface of the
 * kernel.
 */
static int
link_driver_of(const struct rte_eth_dev_info *info)
{
	size_t i;

	for (i = 0; info->if_index != 0 && i < RTE_DIM(drivers); i++)
		if (strcmp(info->driver_name, drivers[i].name) == 0)
			return i;
	return -1;
}

static int
link_read_size(const char *key, const char *value, void *arg)
{
	uint64_t size;

	RTE_SET_USED(key);
	if (number_parse(value, 10, UINT32_MAX, &size))
		*(uint32_t *)arg = size;
	return 0;
}

/* Returns the value of framesz= among the port's arguments. */
static uint32_t
link_slot_size(const struct rte_eth_dev_info *info)
{
	struct rte_kvargs *list = uplink_arguments(info);
	uint32_t size = SLOT_SIZE;

	if (list != NULL)
		rte_kvargs_process(list, "framesz", link_read_size, &size);
	rte_kvargs_free(list);
	return RTE_MAX(size, (uint32_t)SLOT_RX_FRONT + RTE_ETHER_MIN_LEN);
}

uint32_t
link_payload(const struct rte_eth_dev_info *info)
{
	int i = link_driver_of(info);

	return i >= 0 && drivers[i].slots
			? link_slot_size(info) - SLOT_RX_FRONT - 1 - RTE_ETHER_HDR_LEN
			: 0;
}

/* Publishes the state to workers. */
static void
link_publish(struct uplink *u)
{
	const struct uplink_link *l = &u->link;
	uint32_t limit = l->whole;

	if (l->driver >= 0 && drivers[l->driver].sends_by)
		limit = RTE_MIN(limit, l->state.mtu + RTE_ETHER_HDR_LEN);
	store_relaxed(&u->limit, l->up ? limit : 0);
}

/* Logs what has changed of the interface. */
static void
link_say_netdev(const struct uplink *u, const struct netdev_state *new)
{
	const struct uplink_link *l = &u->link;
	const struct netdev_state *old = &l->state;

	if (!old->there)
		return;
	if (!new->there) {
		say(WARNING,
				"port %u: its interface %s is gone: nothing passes until the switch "
				"is started again\n",
				u->port, old->name);
		return;
	}
	if (strcmp(old->name, new->name) != 0)
		say(NOTICE, "port %u: its interface %s is %s now\n", u->port, old->name, new->name);
	if (old->mtu != new->mtu && drivers[l->driver].sends_by)
		say(NOTICE, "port %u: takes frames with %u bytes of payload at most now\n", u->port,
				RTE_MIN(new->mtu, l->whole - RTE_ETHER_HDR_LEN));
}

/* An interface that comes back is another one, which a driver finds when it starts. */
static void
link_look_for_another(struct uplink *u)
{
	struct uplink_link *l = &u->link;
	bool there = netdev_exists(l->state.name);

	if (there && !l->again)
		say(WARNING,
				"port %u: there is an interface %s again, which is not the one that was "
				"removed: start the switch again to use it\n",
				u->port, l->state.name);
	l->again = there;
}

/* Asks the kernel. Returns true if the link is up. */
static bool
link_ask_kernel(struct uplink *u)
{
	struct uplink_link *l = &u->link;
	struct netdev_state new;

	if (l->gone) {
		link_look_for_another(u);
		return false;
	}
	if (!netdev_ask(l->netdev.index, &new)) {
		if (!l->silent)
			say(WARNING,
					"port %u: the kernel does not tell the state of its "
					"interface: %s; it is asked again\n",
					u->port, strerror(errno));
		l->silent = true;
		return l->state.up;
	}
	l->silent = false;
	link_say_netdev(u, &new);
	if (new.there)
		l->state = new;
	else
		store_relaxed(&l->gone, true); /* it keeps its name */
	return new.up;
}

/* Asks the driver. The link of a driver that does not tell counts as up. */
static bool
link_ask_driver(const struct uplink *u)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(u->port, &link) != 0 || link.link_status == RTE_ETH_LINK_UP;
}

static void
link_check(struct uplink *u)
{
	struct uplink_link *l = &u->link;
	bool was = l->up;

	l->up = l->driver >= 0 ? link_ask_kernel(u) : link_ask_driver(u);
	/*
	 * Otherwise the driver's first call would fail with an old error, and its frames would
	 * wait.
	 */
	if (l->up && !was && l->driver >= 0)
		netdev_clear_errors(l->netdev.index);
	link_publish(u);
	if (l->up != was)
		say(NOTICE, "port %u: its link is %s\n", u->port, l->up ? "up" : "down");
}

int
uplink_event_fd(const struct uplink *u)
{
	return u->link.timer >= 0 ? u->link.timer : u->link.netdev.events;
}

void
uplink_on_event(struct uplink *u)
{
	uint64_t times;

	if (u->link.timer < 0)
		netdev_drain(&u->link.netdev);
	else if (read(u->link.timer, &times, sizeof(times)) < 0)
		return; /* the clock was set */
	link_check(u);
}

bool
uplink_is_up(const struct uplink *u)
{
	return load_relaxed(&u->limit) != 0;
}

const char *
uplink_link_text(const struct uplink *u)
{
	if (u == NULL)
		return "none";
	if (uplink_is_up(u))
		return "up";
	return load_relaxed(&u->link.gone) ? "down (interface removed)" : "down";
}

/* Lists the offloads as ethtool's options, or in words. */
static void
link_list(char *text, size_t size, unsigned int on, bool options)
{
	static const struct {
		unsigned int bit;
		const char *option, *what;
	} all[] = {
			{NETDEV_TX_CSUM, " tx off", "checksums left undone"},
			{NETDEV_TSO, " tso off", "TCP left unsegmented"},
			{NETDEV_GRO, " gro off", "merged frames"},
			{NETDEV_LRO, " lro off", "merged by the NIC"},
	};
	size_t i, at = 0;

	text[0] = '\0';
	for (i = 0; i < RTE_DIM(all) && at < size; i++)
		if (on & all[i].bit)
			at += snprintf(text + at, size - at, "%s%s", options || at == 0 ? "" : ", ",
					options ? all[i].option : all[i].what);
}

/* Warns of offloads that an interface has switched on and the port can't convey. */
static void
link_warn_of(const struct uplink *u, const char *name, unsigned int on)
{
	char what[128], options[64];

	if (on == 0)
		return;
	link_list(what, sizeof(what), on, false);
	link_list(options, sizeof(options), on, true);
	say(WARNING,
			"port %u: %s may send it what it can't convey to guests (%s): ping works "
			"then, and TCP does not; run: ethtool -K %s%s\n",
			u->port, name, what, name, options);
}

/* Checks the interface whose frames this driver passes on as the kernel has them. */
static void
link_warn_of_offloads(const struct uplink *u)
{
	const struct uplink_link *l = &u->link;
	const struct netdev_state *s = &l->state;
	struct netdev_state from;

	if (!s->there || !drivers[l->driver].raw)
		return;
	link_warn_of(u, s->name, netdev_offloads(s->name) & (NETDEV_GRO | NETDEV_LRO));
	if (s->link == 0)
		return;
	if (s->pair && s->link_away)
		say(NOTICE,
				"port %u: the peer of %s is in another network namespace: make sure "
				"that it leaves nothing to it, by ethtool -K NAME tx off tso off there\n",
				u->port, s->name);
	else if (!s->link_away && netdev_ask(s->link, &from) && from.there)
		link_warn_of(u, from.name,
				netdev_offloads(from.name) &
						(s->pair ? NETDEV_TX_CSUM | NETDEV_TSO
							 : NETDEV_GRO | NETDEV_LRO));
}

/* Returns a timer for a link that must be polled, or -1 after an error was logged. */
static int
link_make_timer(const struct uplink *u)
{
	const struct itimerspec every = {{0, ASK_MS * 1000000}, {0, ASK_MS * 1000000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

	if (fd < 0 || timerfd_settime(fd, 0, &every, NULL) != 0)
		say(WARNING, "port %u: its link is not watched: %s\n", u->port, strerror(errno));
	return fd;
}

/* Sets how long frames may be with this driver, whatever the interface says. */
static void
link_set_lengths(struct uplink *u, const struct rte_eth_dev_info *info)
{
	struct uplink_link *l = &u->link;
	uint32_t slot, sends = u->carries;

	/*
	 * An mbuf holds a frame of this length, and its tag (port.c). A port that came since the start may
	 * have guests with longer frames.
	 */
	u->rx_max = l->whole = u->frame_max;
	if (l->driver < 0)
		return;
	if (drivers[l->driver].slots) {
		slot = link_slot_size(info);
		sends = slot - SLOT_TX_FRONT - RTE_VLAN_HLEN;
		u->rx_max = RTE_MIN(u->rx_max, slot - SLOT_RX_FRONT - 1);
	}
	l->whole = RTE_MIN(l->whole, sends);
	/* Longer frames are never offered to it. */
	u->carries = UINT32_MAX;
}

void
link_start(struct uplink *u, const struct rte_eth_dev_info *info)
{
	struct uplink_link *l = &u->link;

	l->driver = link_driver_of(info);
	u->counts_88a8 = l->driver >= 0 && drivers[l->driver].packet;
	l->timer = l->netdev.events = -1;
	link_set_lengths(u, info);
	if (l->driver < 0 || !netdev_open(&l->netdev, info->if_index))
		l->timer = link_make_timer(u);
	/* So it counts until the kernel answers. */
	l->up = l->state.up = true;
	l->state.mtu = l->whole;
	link_check(u);
	if (l->driver >= 0)
		link_warn_of_offloads(u);
}

void
link_tick(struct uplink *u)
{
	if (u->link.silent)
		link_check(u);
}

void
link_stop(struct uplink *u)
{
	netdev_close(&u->link.netdev);
	if (u->link.timer >= 0)
		close(u->link.timer);
}
