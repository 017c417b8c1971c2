/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * UDP datagrams in bursts that the sending kernel is given as one piece (UDP_SEGMENT, GSO). Looks at each datagram that
 * comes.
 *
 *	bursts serve PORT
 *	bursts send ADDRESS PORT LENGTH SEGMENTS BURSTS
 *
 * The server answers when all datagrams of a burst have come, each unchanged; only then the sender sends the next
 * burst, so that no ring runs over. A burst that nobody answers for a second is sent again. The sender prints how many
 * bursts the kernel took as one piece ("pieces N"; without checksum offload, Linux 6.1 takes none, and each datagram
 * is sent by itself) and how many were sent again ("again N"). Status 1 if a datagram came changed, or if nothing
 * gets through. One thread each.
 */

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LARGEST 65507
#define MOST 64     /* what Linux takes at once */
#define PATIENCE 60 /* seconds without an answer */
#define DAMAGED UINT32_MAX

struct head {
	uint32_t burst, number, of, length;
};

static uint8_t
pattern(const struct head *h, size_t i)
{
	return (uint8_t)(h->burst * 31 + h->number * 7 + i * 13 + i / 251);
}

static _Noreturn void
give_up(const char *what)
{
	fprintf(stderr, "bursts: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void
fill(uint8_t *datagram, const struct head *h)
{
	memcpy(datagram, h, sizeof(*h));
	for (size_t i = sizeof(*h); i < h->length; i++)
		datagram[i] = pattern(h, i);
}

static bool
unchanged(const uint8_t *datagram, size_t length, struct head *h)
{
	if (length < sizeof(*h))
		return false;
	memcpy(h, datagram, sizeof(*h));
	if (h->length != length || h->of < 1 || h->of > MOST || h->number >= h->of)
		return false;
	for (size_t i = sizeof(*h); i < length; i++)
		if (datagram[i] != pattern(h, i))
			return false;
	return true;
}

static int
serve(const char *port)
{
	static uint8_t datagram[LARGEST];
	struct sockaddr_in6 own = {.sin6_family = AF_INET6,
					    .sin6_port = htons((uint16_t)atoi(port))},
			    peer;
	uint32_t burst = DAMAGED;
	uint64_t came = 0;
	int fd = socket(AF_INET6, SOCK_DGRAM, 0), off = 0;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
			bind(fd, (struct sockaddr *)&own, sizeof(own)))
		give_up("cannot serve");
	for (;;) {
		socklen_t size = sizeof(peer);
		struct head h;
		ssize_t length = recvfrom(
				fd, datagram, sizeof(datagram), 0, (struct sockaddr *)&peer, &size);
		if (length < 0)
			give_up("cannot receive");
		uint32_t answer = DAMAGED;
		if (unchanged(datagram, (size_t)length, &h)) {
			came = (h.burst == burst ? came : 0) | UINT64_C(1) << h.number;
			burst = h.burst;
			if (came != UINT64_MAX >> (MOST - h.of))
				continue;
			answer = burst;
		}
		sendto(fd, &answer, sizeof(answer), 0, (struct sockaddr *)&peer, size);
	}
}

static int
connected(const char *address, const char *port)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM,
					.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV},
			*found;

	if (getaddrinfo(address, port, &hints, &found))
		give_up("no such address");
	int fd = socket(found->ai_family, SOCK_DGRAM, 0);
	if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen))
		give_up("cannot connect");
	freeaddrinfo(found);
	return fd;
}

/* Sends a burst. Returns true if the kernel took it as one piece. */
static bool
send_burst(int fd, const uint8_t *data, int length, int segments)
{
	setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &length, sizeof(length));
	if (send(fd, data, (size_t)length * (size_t)segments, 0) >= 0)
		return true;
	int off = 0;
	setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof(off));
	for (int i = 0; i < segments; i++)
		send(fd, data + (size_t)i * (size_t)length, (size_t)length,
				0); /* a burst that fails is sent again */
	return false;
}

/* Waits a second for the answer. Returns true if it came. */
static bool
answered(int fd, uint32_t burst)
{
	struct pollfd p = {fd, POLLIN, 0};
	uint32_t answer;

	while (poll(&p, 1, 1000) > 0) {
		if (recv(fd, &answer, sizeof(answer), 0) != sizeof(answer))
			continue; /* an ICMP error: nobody serves yet */
		if (answer == DAMAGED) {
			fprintf(stderr, "bursts: a datagram of burst %u came changed\n", burst);
			exit(1);
		}
		if (answer == burst)
			return true;
	}
	return false;
}

static int
transmit(int fd, int length, int segments, uint32_t bursts)
{
	static uint8_t data[LARGEST + 1];
	unsigned int pieces = 0, again = 0;

	if (length < (int)sizeof(struct head) || segments < 1 || segments > MOST ||
			length * segments > LARGEST) {
		fprintf(stderr, "bursts: %d datagrams of %d bytes do not fit\n", segments, length);
		return 1;
	}
	for (uint32_t burst = 0; burst < bursts; burst++) {
		for (int i = 0; i < segments; i++)
			fill(data + i * length,
					&(struct head){burst, (uint32_t)i, (uint32_t)segments,
							(uint32_t)length});
		int tries = 0;
		do {
			if (tries++ == PATIENCE) {
				fprintf(stderr, "bursts: burst %u has no answer\n", burst);
				return 1;
			}
			pieces += send_burst(fd, data, length, segments);
		} while (!answered(fd, burst));
		again += (unsigned int)tries - 1;
	}
	printf("pieces %u\nagain %u\n", pieces, again);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		return serve(argv[2]);
	if (argc == 7 && strcmp(argv[1], "send") == 0)
		return transmit(connected(argv[2], argv[3]), atoi(argv[4]), atoi(argv[5]),
				(uint32_t)atoi(argv[6]));
	fprintf(stderr, "usage: bursts serve PORT, or: bursts send ADDRESS PORT LENGTH SEGMENTS BURSTS\n");
	return 1;
}
