/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Looks at every frame that comes in by an interface, and computes its checksums.
 *
 *	inspect INTERFACE
 *
 * Prints "ready" when it listens. On SIGTERM it looks at what is left, and prints one line a fact:
 *
 *	frames N	that came
 *	tcp4 N, udp4 N, tcp6 N, udp6 N, other N
 *	longest N	bytes, from the destination address on, tag included
 *	partial N	whose checksum the sender left to whoever sends it on, with the right sum to begin with
 *	wrong N		any other wrong checksum, length or header; the first is shown
 *	missed N	that the kernel had no room for here
 *
 * One thread. Runs in test guests and on the wire beyond an uplink. IPv4: RFC 791; IPv6: RFC 8200; TCP: RFC 9293;
 * UDP: RFC 768 (a frame without a checksum counts as wrong: no system here sends one); sums: RFC 1071.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../driver/inet.h"

#define LARGEST 70000 /* an IP packet's 65,535 bytes and its headers */
#define RECEIVE_BUFFER (64 << 20)
#define SHOWN 96

enum kind { TCP4, UDP4, TCP6, UDP6, OTHER, KINDS };

static const char *const kind_names[KINDS] = {"tcp4", "udp4", "tcp6", "udp6", "other"};

struct counts {
	unsigned long frames, kind[KINDS], longest, partial, wrong;
	char first_wrong[512];
};

/* A frame from its first header that has not been read yet. */
struct rest {
	const uint8_t *at;
	size_t left;
};

struct verdict {
	enum kind kind;
	bool partial;
	const char *wrong; /* NULL: nothing is */
};

/* Returns where a protocol keeps its checksum, or -1 if that is not known here. */
static int
checksum_offset(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return 16;
	case IPPROTO_UDP:
		return 6;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		return 2;
	default:
		return -1;
	}
}

/* Checks TCP and UDP; `pseudo` is the sum of the pseudo header. */
static void
check_transport(struct rest r, uint8_t protocol, uint32_t pseudo, bool left_open, struct verdict *v)
{
	int offset = checksum_offset(protocol);

	if (offset < 0)
		return;
	if (r.left < (size_t)offset + 2) {
		v->wrong = "transport header cut off";
		return;
	}
	if (left_open) {
		/* Equal in ones' complement, where 0 has two forms. */
		v->partial = get16(r.at + offset) % 0xffff == pseudo % 0xffff;
		v->wrong = v->partial ? NULL : "sum to begin with";
	} else if (protocol == IPPROTO_UDP && get16(r.at + offset) == 0) {
		v->wrong = "no UDP checksum";
	} else if (inet_sum(pseudo, r.at, r.left) != 0xffff) {
		v->wrong = "transport checksum";
	}
}

static void
check_ipv4(struct rest r, bool left_open, struct verdict *v)
{
	size_t header = r.left < 20 ? 0 : (size_t)(r.at[0] & 15) * 4;
	size_t length = r.left < 20 ? 0 : get16(r.at + 2);

	if (header < 20 || length < header || length > r.left) {
		v->wrong = "IPv4 lengths";
		return;
	}
	if (inet_sum(0, r.at, header) != 0xffff) {
		v->wrong = "IPv4 header checksum";
		return;
	}
	uint8_t protocol = r.at[9];
	v->kind = protocol == IPPROTO_TCP ? TCP4 : protocol == IPPROTO_UDP ? UDP4 : OTHER;
	if (get16(r.at + 6) & (IP_MF | IP_OFFMASK)) {
		/* No test sends datagrams that do not fit: a fragment would be some other frame, damaged. */
		v->wrong = "fragment";
		return;
	}
	struct rest inner = {r.at + header, length - header};
	uint32_t pseudo = protocol == IPPROTO_ICMP
			? 0
			: inet_sum(protocol + (uint32_t)inner.left, r.at + 12, 8);
	check_transport(inner, protocol, pseudo, left_open, v);
}

static void
check_ipv6(struct rest r, bool left_open, struct verdict *v)
{
	size_t length = r.left < 40 ? 0 : get16(r.at + 4);

	if (r.left < 40 || length > r.left - 40) {
		v->wrong = "IPv6 lengths";
		return;
	}
	uint8_t protocol = r.at[6];
	struct rest inner = {r.at + 40, length};
	if (protocol == IPPROTO_HOPOPTS &&
			length >= 8) { /* multicast listeners' reports have options */
		size_t options = ((size_t)inner.at[1] + 1) * 8;
		if (options > length) {
			v->wrong = "IPv6 options";
			return;
		}
		protocol = inner.at[0];
		inner = (struct rest){inner.at + options, length - options};
	}
	v->kind = protocol == IPPROTO_TCP ? TCP6 : protocol == IPPROTO_UDP ? UDP6 : OTHER;
	check_transport(inner, protocol, inet_sum(protocol + (uint32_t)inner.left, r.at + 8, 32),
			left_open, v);
}

static struct verdict
check_frame(const uint8_t *frame, size_t length, bool left_open)
{
	struct verdict v = {.kind = OTHER};
	struct rest r = {frame + ETH_HLEN, length - ETH_HLEN};

	if (length < ETH_HLEN) {
		v.wrong = "no Ethernet header";
		return v;
	}
	uint16_t type = get16(frame + 12);
	while ((type == ETHERTYPE_VLAN || type == 0x88a8) && r.left >= 4) {
		type = get16(r.at + 2);
		r = (struct rest){r.at + 4, r.left - 4};
	}
	if (type == ETHERTYPE_IP)
		check_ipv4(r, left_open, &v);
	else if (type == ETHERTYPE_IPV6)
		check_ipv6(r, left_open, &v);
	return v;
}

static void
describe(const uint8_t *frame, size_t length, const char *what, char *text, size_t size)
{
	int n = snprintf(text, size, "%s, %zu bytes:", what, length);

	for (size_t i = 0; i < length && i < SHOWN; i++)
		n += snprintf(text + n, size - (size_t)n, "%s%02x", i % 2 ? "" : " ", frame[i]);
}

static void
count(struct counts *c, const uint8_t *frame, size_t length, size_t tag, bool left_open)
{
	struct verdict v = check_frame(frame, length, left_open);

	c->frames++;
	c->kind[v.kind]++;
	c->partial += v.partial;
	if (length + tag > c->longest)
		c->longest = length + tag;
	if (v.wrong && !c->wrong++)
		describe(frame, length, v.wrong, c->first_wrong, sizeof(c->first_wrong));
}

/* Reads and counts one frame. Returns false if there is none. */
static bool
receive(int fd, struct counts *c)
{
	static uint8_t frame[LARGEST];
	union {
		struct cmsghdr head;
		uint8_t room[CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	} control;
	struct iovec piece = {frame, sizeof(frame)};
	struct msghdr message = {.msg_iov = &piece,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control)};
	ssize_t length = recvmsg(fd, &message, MSG_DONTWAIT);

	if (length < 0)
		return errno == EINTR || errno == ENETDOWN; /* the interface may go and come */
	uint32_t status = 0;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); h; h = CMSG_NXTHDR(&message, h)) {
		if (h->cmsg_level != SOL_PACKET || h->cmsg_type != PACKET_AUXDATA)
			continue;
		struct tpacket_auxdata auxiliary;
		memcpy(&auxiliary, CMSG_DATA(h), sizeof(auxiliary));
		status = auxiliary.tp_status;
	}
	/* The kernel takes the outermost tag out of the frame. */
	count(c, frame, (size_t)length, status & TP_STATUS_VLAN_VALID ? 4 : 0,
			status & TP_STATUS_CSUMNOTREADY);
	return true;
}

static int
listen_at(const char *interface)
{
	int fd = socket(AF_PACKET, SOCK_RAW, 0), on = 1, room = RECEIVE_BUFFER;
	struct sockaddr_ll address = {.sll_family = AF_PACKET,
			.sll_protocol = htons(ETH_P_ALL),
			.sll_ifindex = (int)if_nametoindex(interface)};

	if (fd < 0 || !address.sll_ifindex ||
			setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)) ||
			setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof(on)) ||
			setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
			bind(fd, (struct sockaddr *)&address, sizeof(address))) {
		fprintf(stderr, "inspect: cannot listen at '%s': %s\n", interface, strerror(errno));
		exit(1);
	}
	return fd;
}

static void
show(int fd, const struct counts *c)
{
	struct tpacket_stats statistics = {0};
	socklen_t size = sizeof(statistics);

	getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size);
	printf("frames %lu\n", c->frames);
	for (int i = 0; i < KINDS; i++)
		printf("%s %lu\n", kind_names[i], c->kind[i]);
	printf("longest %lu\npartial %lu\nwrong %lu\nmissed %u\n", c->longest, c->partial, c->wrong,
			statistics.tp_drops);
	if (c->wrong)
		printf("first wrong: %s\n", c->first_wrong);
}

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: inspect INTERFACE\n");
		return 1;
	}
	struct counts c = {0};
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	struct pollfd fds[] = {
			{listen_at(argv[1]), POLLIN, 0}, {signalfd(-1, &ends, 0), POLLIN, 0}};

	puts("ready");
	fflush(stdout);
	while (!(fds[1].revents & POLLIN)) {
		poll(fds, 2, -1);
		while (receive(fds[0].fd, &c))
			;
	}
	while (receive(fds[0].fd, &c))
		;
	show(fds[0].fd, &c);
	return 0;
}
