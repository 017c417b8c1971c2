/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The kernel's interface under a port: see netdev.h for the contract. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/ethtool.h>
#include <linux/if_link.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>

#include "base/number.h"
#include "conf/conf.h"
#include "uplink/netdev.h"

/* Room for an answer about one interface. The kernel's may be 8 KiB; a longer one has MSG_TRUNC. */
#define ANSWER_SIZE 16384

/* Opens an rtnetlink socket for these groups. Returns -1 with errno set if that fails. */
static int
netdev_open_socket(uint32_t groups, int flags)
{
	struct sockaddr_nl addr = {.nl_family = AF_NETLINK, .nl_groups = groups};
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | flags, NETLINK_ROUTE);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&addr, sizeof(addr)) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool
netdev_open(struct netdev *d, int index)
{
	d->index = index;
	d->events = netdev_open_socket(RTMGRP_LINK, SOCK_NONBLOCK);
	return d->events >= 0;
}

void
netdev_close(struct netdev *d)
{
	if (d->events >= 0)
		close(d->events);
}

void
netdev_drain(const struct netdev *d)
{
	char bytes[ANSWER_SIZE];

	/* ENOBUFS means that some were lost; others follow. */
	while (recv(d->events, bytes, sizeof(bytes), 0) >= 0 || errno == ENOBUFS || errno == EINTR)
		;
}

static uint32_t
netdev_number_of(const struct rtattr *a)
{
	uint32_t value = 0;

	memcpy(&value, RTA_DATA(a),
			RTA_PAYLOAD(a) < sizeof(value) ? RTA_PAYLOAD(a) : sizeof(value));
	return value;
}

/* Returns true if the attributes of an interface say that it is one of a pair. */
static bool
netdev_is_pair(struct rtattr *info)
{
	int left = RTA_PAYLOAD(info);
	struct rtattr *a;

	for (a = RTA_DATA(info); RTA_OK(a, left); a = RTA_NEXT(a, left))
		if (a->rta_type == IFLA_INFO_KIND)
			return strncmp(RTA_DATA(a), "veth", RTA_PAYLOAD(a)) == 0 ||
					strncmp(RTA_DATA(a), "netkit", RTA_PAYLOAD(a)) == 0;
	return false;
}

static void
netdev_read_link(const struct nlmsghdr *h, struct netdev_state *state)
{
	const struct ifinfomsg *info = NLMSG_DATA(h);
	int left = IFLA_PAYLOAD(h);
	struct rtattr *a;

	state->there = true;
	state->up = (info->ifi_flags & IFF_UP) && (info->ifi_flags & IFF_LOWER_UP);
	for (a = IFLA_RTA(info); RTA_OK(a, left); a = RTA_NEXT(a, left)) {
		switch (a->rta_type) {
		case IFLA_IFNAME:
			memcpy(state->name, RTA_DATA(a),
					RTA_PAYLOAD(a) < IFNAMSIZ ? RTA_PAYLOAD(a) : IFNAMSIZ - 1);
			break;
		case IFLA_MTU:
			state->mtu = netdev_number_of(a);
			break;
		case IFLA_LINK:
			state->link = netdev_number_of(a);
			break;
		case IFLA_LINK_NETNSID:
			state->link_away = true;
			break;
		case IFLA_LINKINFO:
			state->pair = netdev_is_pair(a);
			break;
		default:
			break;
		}
	}
}

/* Reads the only answer. Returns false with errno set if there is none. */
static bool
netdev_read_answer(int fd, struct netdev_state *state)
{
	char bytes[ANSWER_SIZE] __attribute__((aligned(NLMSG_ALIGNTO)));
	ssize_t n = recv(fd, bytes, sizeof(bytes), 0);
	const struct nlmsghdr *h = (const struct nlmsghdr *)bytes;
	const struct nlmsgerr *e;

	if (n < 0)
		return false;
	if (!NLMSG_OK(h, n)) {
		errno = EPROTO;
		return false;
	}
	if (h->nlmsg_type == RTM_NEWLINK) {
		netdev_read_link(h, state);
		return true;
	}
	e = NLMSG_DATA(h);
	errno = h->nlmsg_type == NLMSG_ERROR && h->nlmsg_len >= NLMSG_LENGTH(sizeof(*e)) ? -e->error
											 : EPROTO;
	return errno == ENODEV; /* there is no such interface, which is an answer */
}

bool
netdev_ask(int index, struct netdev_state *state)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg info;
	} ask = {
			.h = {.nlmsg_len = sizeof(ask),
					.nlmsg_type = RTM_GETLINK,
					.nlmsg_flags = NLM_F_REQUEST},
			.info = {.ifi_index = index},
	};
	int fd = netdev_open_socket(0, 0);
	bool ok;

	*state = (struct netdev_state){.there = false};
	if (fd < 0)
		return false;
	ok = send(fd, &ask, sizeof(ask), 0) == sizeof(ask) && netdev_read_answer(fd, state);
	close(fd);
	return ok;
}

bool
netdev_exists(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq r = {0};
	bool found;

	if (fd < 0)
		return false;
	memcpy(r.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	found = ioctl(fd, SIOCGIFINDEX, &r) == 0;
	close(fd);
	return found;
}

void
netdev_clear_errors(int index)
{
	DIR *folder = opendir("/proc/self/fd");
	const struct dirent *entry;
	struct sockaddr_ll addr = {0};
	socklen_t len;
	uint64_t fd;
	int error;

	while (folder != NULL && (entry = readdir(folder)) != NULL) {
		len = sizeof(addr);
		if (!number_parse(entry->d_name, 10, INT_MAX, &fd) ||
				getsockname(fd, (struct sockaddr *)&addr, &len) != 0 ||
				addr.sll_family != AF_PACKET || addr.sll_ifindex != index)
			continue;
		len = sizeof(error);
		(void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
	}
	if (folder != NULL)
		closedir(folder);
}

/* Returns the value of one of ethtool's oldest settings, which work alike for every interface. */
static uint32_t
netdev_setting(int fd, const char *name, uint32_t cmd)
{
	struct ethtool_value value = {.cmd = cmd};
	struct ifreq r = {.ifr_data = (char *)&value};

	memcpy(r.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	return ioctl(fd, SIOCETHTOOL, &r) == 0 ? value.data : 0;
}

unsigned int
netdev_offloads(const char *name)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	unsigned int on = 0;

	if (fd < 0)
		return 0;
	on |= netdev_setting(fd, name, ETHTOOL_GTXCSUM) ? NETDEV_TX_CSUM : 0;
	on |= netdev_setting(fd, name, ETHTOOL_GTSO) ? NETDEV_TSO : 0;
	on |= netdev_setting(fd, name, ETHTOOL_GGRO) ? NETDEV_GRO : 0;
	on |= netdev_setting(fd, name, ETHTOOL_GFLAGS) & ETH_FLAG_LRO ? NETDEV_LRO : 0;
	close(fd);
	return on;
}
