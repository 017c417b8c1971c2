/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Well-behaved clients of a vhost-net node, which do what QEMU does.
 *
 * 	client NODE		cases, in TAP: frames between openers, interrupts, restarts
 * 	client NODE echo MAC	sends back what comes for it, until its stdin ends
 * 	client NODE stream	frames between two openers all the time, until its stdin ends;
 * 				then it tells how many there were. Loses none, or fails
 */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cases.h"
#include "vhostnet.h"

#define FEATURES (VU_F_VERSION_1 | VU_F_EVENT_IDX | VU_F_INDIRECT_DESC | VU_F_MRG_RXBUF)
#define PATIENCE_MS 60000 /* the machine is emulated, and others use the one that emulates it */
#define FRAMES 200
#define FRAME_MAX 1514
#define WINDOW 32 /* under a ring's size: nothing is lost */

static const struct nic_opts one_region = {.dev = {.features = FEATURES}};
/* Several files, on hugepages, each used from the middle on, with holes between. */
static const struct nic_opts many_regions = {
		.dev = {.features = FEATURES & ~VU_F_EVENT_IDX,
				.mem = {.n_regions = 5,
						.region_size = 4 << 20,
						.gpa = 1 << 20,
						.gpa_gap = 16 << 20,
						.fd_offset = 2 << 20,
						.hugetlb = true}},
};

struct card {
	struct vhostnet v;
	uint8_t mac[6];
};

static void
card_open(struct card *c, const char *node, const struct nic_opts *opts, uint8_t number)
{
	const uint8_t mac[6] = {0xcc, 0xbb, 0, 0, 0, number};

	memcpy(c->mac, mac, sizeof(mac));
	CHECK_IS(vhostnet_open(&c->v, node, opts), 0);
	CHECK_IS(vhostnet_start(&c->v), 0);
	c->v.nic.wants_calls = true;
	vr_call_enable(c->v.nic.rx, true);
}

/* Makes a frame with this number, from which its size and content follow. */
static size_t
make_frame(uint8_t *f, const uint8_t *dst, const uint8_t *src, uint32_t number)
{
	size_t size = 60 + number * 37 % (FRAME_MAX - 60 + 1);

	memcpy(f, dst, 6);
	memcpy(f + 6, src, 6);
	f[12] = 0x88; /* for local experiments */
	f[13] = 0xb5;
	memcpy(f + 14, &number, sizeof(number));
	for (size_t i = 18; i < size; i++)
		f[i] = (uint8_t)(number + i * 7);
	return size;
}

static void
send_frame(struct card *c, const struct card *to, uint32_t number)
{
	const struct nic_layout how = {.descs = number % 3, .indirect = number % 2};
	uint8_t frame[FRAME_MAX];
	size_t size = make_frame(frame, to->mac, c->mac, number);

	CHECK_IS(nic_send(&c->v.nic, frame, size, &how), 0);
}

/* Checks that the next frame is this one, and that an interrupt announced it. Returns how many interrupts came. */
static uint64_t
expect_frame(struct card *c, const struct card *from, uint32_t number)
{
	uint8_t due[FRAME_MAX], got[FRAME_MAX + 100];
	size_t size = make_frame(due, c->mac, from->mac, number);
	uint64_t calls = 0;
	int n;

	do {
		while ((n = nic_recv(&c->v.nic, got, sizeof(got))) == 0) {
			CHECK_IS(vr_wait_call(c->v.nic.rx, PATIENCE_MS), 0);
			calls += vr_calls(c->v.nic.rx);
		}
	} while (n >= 60 &&
			memcmp(got + 6, from->mac, 6) != 0); /* a flooded frame of another sender */
	CHECK_IS(n, size);
	CHECK(memcmp(got, due, size) == 0);
	return calls;
}

/* The switch learns a card's address by a frame; all others see that. */
static void
introduce(struct card *c, struct card *other)
{
	send_frame(c, other, 0);
	expect_frame(other, c, 0);
}

static void
exchange(struct card *a, struct card *b, uint32_t first, uint32_t n)
{
	uint64_t calls_a = 0, calls_b = 0;

	for (uint32_t i = first; i < first + n; i++) {
		send_frame(a, b, i);
		calls_b += expect_frame(b, a, i);
		send_frame(b, a, i);
		calls_a += expect_frame(a, b, i);
	}
	printf("# interrupts: %lu and %lu for %u frames\n", calls_a, calls_b, n);
	CHECK(calls_a > 0 && calls_b > 0);
}

/* Cases. */

static void
two_opens(const char *node)
{
	int before = open_fds();
	struct card a, b;

	card_open(&a, node, &one_region, 1);
	card_open(&b, node, &many_regions, 2);
	CHECK((a.v.offered & FEATURES & ~VU_F_MRG_RXBUF) == (FEATURES & ~VU_F_MRG_RXBUF));
	CHECK((a.v.offered & (VU_F_LOG_ALL | VU_F_IOMMU_PLATFORM | VU_F_RING_PACKED)) == 0);
	introduce(&a, &b);
	introduce(&b, &a);
	exchange(&a, &b, 1, FRAMES);
	vhostnet_close(&a.v);
	vhostnet_close(&b.v);
	CHECK_IS(open_fds(), before);
}

static void
two_processes(const char *node)
{
	struct card a, b = {.mac = {0xcc, 0xbb, 0, 0, 0, 4}};
	pid_t child;
	int status;

	card_open(&a, node, &one_region, 3);
	child = fork();
	if (child == 0) {
		struct card own;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		/* What the parent opened works for the parent alone. */
		CHECK_IS(vhostnet_set_mem(&a.v), -EPERM);
		card_open(&own, node, &one_region, 4);
		send_frame(&own, &a, 0);
		for (uint32_t i = 1; i < FRAMES; i++) {
			expect_frame(&own, &a, i);
			send_frame(&own, &a, i);
		}
		exit(0);
	}
	expect_frame(&a, &b, 0);
	for (uint32_t i = 1; i < FRAMES; i++) {
		send_frame(&a, &b, i);
		expect_frame(&a, &b, i);
	}
	CHECK(waitpid(child, &status, 0) == child && status == 0);
}

/* The guest reboots: everything is set up again. Then it is paused: everything goes on where it was. */
static void
stop_and_start(const char *node)
{
	uint16_t base[VHOSTNET_RINGS];
	struct card a, b;

	card_open(&a, node, &one_region, 5);
	card_open(&b, node, &one_region, 6);
	introduce(&a, &b);
	introduce(&b, &a);
	for (uint32_t i = 1; i <= 10; i++) {
		exchange(&a, &b, 100 * i, 10);
		CHECK_IS(vhostnet_stop(&a.v, base), 0);
		CHECK_IS(base[0], vr_raw_used_idx(a.v.nic.rx));
		CHECK_IS(base[1], vr_raw_used_idx(a.v.nic.tx));
		CHECK_IS(vhostnet_start(&a.v), 0);
		vr_kick_always(a.v.nic.rx);
	}
	exchange(&a, &b, 5000, 10);
}

/* Its memory changes while frames are on their way: a part comes and goes. */
static void
memory_changes(const char *node)
{
	struct card a, b;

	card_open(&a, node, &one_region, 7);
	card_open(&b, node, &one_region, 8);
	introduce(&a, &b);
	introduce(&b, &a);
	for (uint32_t i = 0; i < 10; i++) {
		struct vu_mem *mem = &a.v.nic.dev.mem;
		int added = vu_mem_add(mem, 1UL << 32, 2 << 20, 0, i % 2);

		CHECK(added > 0);
		for (uint32_t k = 1; k <= WINDOW; k++)
			send_frame(&b, &a, k);
		CHECK_IS(vhostnet_set_mem(&a.v), 0);
		vu_mem_remove(mem, (unsigned)added);
		CHECK_IS(vhostnet_set_mem(&a.v), 0);
		for (uint32_t k = 1; k <= WINDOW; k++)
			expect_frame(&a, &b, k);
	}
}

/* The index is asked for without stopping the ring: as with vhost-net, the device goes on. */
static void
asks_for_the_index(const char *node)
{
	struct vhost_vring_state state = {.index = 0};
	struct card a, b;

	card_open(&a, node, &one_region, 9);
	card_open(&b, node, &one_region, 10);
	introduce(&a, &b);
	introduce(&b, &a);
	CHECK_IS(vhostnet_ioctl(a.v.fd, VHOST_GET_VRING_BASE, &state), 0);
	CHECK_IS(state.num, vr_raw_used_idx(a.v.nic.rx));
	exchange(&a, &b, 1, 10);
}

static const struct test_case cases[] = {
		{"frames between two opens of one process", two_opens},
		{"frames between two processes; an open serves its owner alone", two_processes},
		{"stop and start, index kept", stop_and_start},
		{"memory changes under traffic", memory_changes},
		{"a running ring is asked for its index", asks_for_the_index},
};

/* The other modes. */

static bool
stdin_ended(void)
{
	struct pollfd p = {.fd = 0, .events = POLLIN};

	return poll(&p, 1, 0) != 0;
}

static int
echo(const char *node, const char *mac)
{
	static const uint8_t everybody[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
	uint8_t frame[FRAME_MAX + 4], *m;
	struct card c;
	int n;

	card_open(&c, node, &one_region, 0);
	m = c.mac;
	CHECK(sscanf(mac, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &m[0], &m[1], &m[2], &m[3], &m[4],
			      &m[5]) == 6);
	n = (int)make_frame(frame, everybody, c.mac, 0);
	CHECK_IS(nic_send(&c.v.nic, frame, (size_t)n, NULL), 0);
	while (!stdin_ended()) {
		vr_wait_call(c.v.nic.rx, 10);
		vr_calls(c.v.nic.rx);
		while ((n = nic_recv(&c.v.nic, frame, sizeof(frame))) > 0) {
			memcpy(frame, frame + 6, 6);
			memcpy(frame + 6, c.mac, 6);
			CHECK_IS(nic_send(&c.v.nic, frame, (size_t)n, NULL), 0);
		}
		CHECK_IS(n, 0);
	}
	vhostnet_close(&c.v);
	return 0;
}

static int
stream(const char *node)
{
	uint32_t sent = 0, got = 0;
	struct card a, b;

	card_open(&a, node, &one_region, 0x81);
	card_open(&b, node, &many_regions, 0x82);
	introduce(&a, &b);
	introduce(&b, &a);
	printf("streaming\n");
	fflush(stdout);
	for (bool more = true; more; more = !stdin_ended()) {
		while (sent < got + WINDOW)
			send_frame(&a, &b, ++sent);
		expect_frame(&b, &a, ++got);
	}
	while (got < sent)
		expect_frame(&b, &a, ++got);
	printf("%u frames\n", got);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 2 || (argc == 3 && strcmp(argv[2], "stream") == 0) ||
			(argc == 4 && strcmp(argv[2], "echo") == 0)) {
		if (argc == 2)
			return RUN_CASES(cases, argv[1]);
		return argc == 3 ? stream(argv[1]) : echo(argv[1], argv[3]);
	}
	fprintf(stderr, "usage: %s NODE [stream | echo MAC]\n", argv[0]);
	return 2;
}
