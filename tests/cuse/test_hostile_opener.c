/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * What a client of a vhost-net node may try, without doing harm.
 *
 *         hostile_opener NODE     cases, in TAP
 *
 * Each case is a process of its own. tests/vm/cuse_side.py checks from outside that the switch is
 * as before, and that nobody else was affected.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostile.h"

#define FEATURES (VU_F_VERSION_1 | VU_F_INDIRECT_DESC)
#define OPENS 1000
#define FRAME 64
#define FRAME_MAX 1600
#define PATIENCE_MS 60000
#define INTRODUCTIONS 20 /* the switch has learned the addresses by then */
#define KILLED 40        /* openers, each at another point of its start or its traffic */
#define RANDOM 3000

static const struct nic_opts plain = {.dev = {.features = FEATURES}};

static const unsigned long on_a_ring[] = {
		VHOST_SET_VRING_NUM,
		VHOST_SET_VRING_BASE,
		VHOST_GET_VRING_BASE,
		VHOST_SET_VRING_KICK,
		VHOST_SET_VRING_CALL,
		VHOST_SET_VRING_ERR,
		VHOST_NET_SET_BACKEND,
		VHOST_SET_VRING_ADDR,
};
#define ON_A_RING (sizeof(on_a_ring) / sizeof(on_a_ring[0]))

/* Cases. */

static void
before_set_owner(const char *node)
{
	const unsigned long requests[] = {
			VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE, VHOST_RESET_OWNER};
	int fd = open(node, O_RDWR | O_CLOEXEC);
	struct table t = {.head.nregions = 1};
	uint64_t features;

	CHECK(fd >= 0);
	for (unsigned i = 0; i < 3; i++)
		CHECK_IS(vhostnet_ioctl(fd, requests[i], &t), -EPERM);
	for (unsigned i = 0; i < ON_A_RING; i++)
		CHECK_IS(vhostnet_ioctl(fd, on_a_ring[i], &t), -EPERM);
	CHECK_IS(vhostnet_ioctl(fd, VHOST_GET_FEATURES, &features), 0);
	CHECK_IS(vhostnet_ioctl(fd, VHOST_SET_OWNER, NULL), 0);
	CHECK_IS(vhostnet_ioctl(fd, VHOST_SET_OWNER, NULL), -EBUSY);
	CHECK_IS(vhostnet_ioctl(fd, VHOST_RESET_OWNER, NULL), 0);
	CHECK_IS(vhostnet_ioctl(fd, VHOST_SET_FEATURES, &features), -EPERM);
	CHECK_IS(vhostnet_ioctl(fd, VHOST_SET_OWNER, NULL), 0);
	CHECK_IS(vhostnet_ioctl(fd, VHOST_SET_FEATURES, &features), 0);
}

static void
unknown_ioctls(const char *node)
{
	static const unsigned long known[] = {VHOST_SET_LOG_BASE, VHOST_SET_LOG_FD,
			VHOST_GET_BACKEND_FEATURES, VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
			VHOST_SET_VRING_ENDIAN, VHOST_VSOCK_SET_RUNNING};
	int fd = owned(node);
	struct table t = {0};

	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		CHECK_IS(vhostnet_ioctl(fd, known[i], &t), -ENOTTY);
	for (unsigned nr = 0x80; nr < 0x100; nr++)
		CHECK_IS(vhostnet_ioctl(fd, _IOWR(VHOST_VIRTIO, nr, struct table), &t), -ENOTTY);
	/* A known number with the size of another command. */
	CHECK_IS(vhostnet_ioctl(fd, _IOW(VHOST_VIRTIO, 0x10, uint64_t[4]), &t), -ENOTTY);
	/* (TCGETS would do for a terminal.) */
	CHECK_IS(vhostnet_ioctl(fd, 0x5401, &t), -ENOTTY);
}

static void
other_calls(const char *node)
{
	int fd = owned(node);
	char byte = 0;

	CHECK(read(fd, &byte, 1) == -1);
	CHECK(write(fd, &byte, 1) == -1);
	CHECK(mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	CHECK(ftruncate(fd, 0) == -1);
	CHECK(fsync(fd) <= 0);
	CHECK_IS(vhostnet_ioctl(fd, VHOST_RESET_OWNER, NULL), 0);
}

static void
bad_pointers(const char *node)
{
	uint8_t *last = shared(2, NULL);
	struct vhost_memory *table;
	int fd = owned(node);
	const unsigned long requests[] = {
			VHOST_GET_FEATURES, VHOST_SET_FEATURES, VHOST_SET_MEM_TABLE};
	void *bad[] = {NULL, (void *)1, (void *)(last + PAGE), (void *)UINTPTR_MAX,
			(void *)(UINTPTR_MAX - 63), (void *)0x8000000000000000UL};

	CHECK(munmap(last + PAGE, PAGE) == 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		for (unsigned k = 0; k < 3; k++)
			CHECK_IS(vhostnet_ioctl(fd, requests[k], bad[i]), -EFAULT);
		for (unsigned k = 0; k < ON_A_RING; k++)
			CHECK_IS(vhostnet_ioctl(fd, on_a_ring[k], bad[i]), -EFAULT);
	}
	/* A table whose head is readable and whose regions are not. */
	table = (void *)(last + PAGE - sizeof(*table));
	table->nregions = 1;
	CHECK_IS(vhostnet_ioctl(fd, VHOST_SET_MEM_TABLE, table), -EFAULT);
	/* An answer that can't be written. */
	CHECK(mprotect(last, PAGE, PROT_READ) == 0);
	CHECK_IS(vhostnet_ioctl(fd, VHOST_GET_FEATURES, last), -EFAULT);
	CHECK_IS(vhostnet_ioctl(fd, VHOST_RESET_OWNER, NULL), 0);
}

static void
numbers_out_of_range(const char *node)
{
	static const uint32_t rings[] = {2, 3, 255, 0x7fffffff, 0x80000000, UINT32_MAX};
	static const uint32_t sizes[] = {0, 3, 255, 65536, 65537, 0x10100, UINT32_MAX};
	struct vhost_vring_addr addr = {0};
	uint64_t features;
	int fd = owned(node);

	for (unsigned i = 0; i < sizeof(rings) / sizeof(rings[0]); i++) {
		for (unsigned k = 0; k < ON_A_RING; k++) {
			addr.index = rings[i];
			CHECK_IS(vhostnet_ioctl(fd, on_a_ring[k], &addr), -ENOBUFS);
		}
	}
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		refused(vhostnet_set_state(fd, VHOST_SET_VRING_NUM, i % 2, sizes[i]), "size", i);
	CHECK_IS(vhostnet_set_state(fd, VHOST_SET_VRING_BASE, 0, 65536), -EINVAL);
	for (unsigned bit = 0; bit < 64; bit++) {
		CHECK_IS(vhostnet_ioctl(fd, VHOST_GET_FEATURES, &features), 0);
		if (features >> bit & 1)
			continue;
		features = 1ULL << bit;
		CHECK_IS(vhostnet_ioctl(fd, VHOST_SET_FEATURES, &features), -EOPNOTSUPP);
	}
}

static void
fds(const char *node)
{
	int fd = owned(node), ends[2], table[64], n = 0, before;

	CHECK(pipe(ends) == 0);
	table[n++] = ends[0];
	table[n++] = ends[1];
	table[n++] = fd;
	table[n++] = open("/dev/null", O_RDWR);
	table[n++] = open("/dev/cuse", O_RDWR);
	table[n++] = open("/proc/self/mem", O_RDWR);
	table[n++] = memfd_create("x", 0);
	table[n++] = open("/", O_PATH);
	table[n++] = open("/dev/shm", O_TMPFILE | O_RDWR, 0600);
	table[n++] = (int)syscall(SYS_pidfd_open, getpid(), 0);
	table[n++] = 9999;
	table[n++] = INT32_MAX;
	table[n++] = -2;
	table[n++] = INT32_MIN;
	before = open_fds();
	for (int i = 0; i < n; i++) {
		CHECK(i >= n - 4 || table[i] >= 0);
		for (unsigned k = 3; k < 6; k++)
			refused(vhostnet_set_fd(fd, on_a_ring[k], k % 2, table[i]),
					"file descriptor", i);
	}
	CHECK_IS(open_fds(), before);
}

/* Sets rings where no memory is, or before there is any, and takes the steps of a start in a wrong order. */
static void
wrong_order(const char *node)
{
	struct vhost_vring_addr addr = {.index = 0};
	struct vhost_vring_state state = {.index = 0};
	struct vhostnet v;

	for (unsigned first = 0; first < ON_A_RING; first++) {
		CHECK_IS(vhostnet_open(&v, node, &plain), 0);
		for (unsigned i = 0; i < ON_A_RING; i++) {
			unsigned long request = on_a_ring[(first + i) % ON_A_RING];

			/* The addresses are nonsense, which must not kill the switch. */
			addr.desc_user_addr = addr.used_user_addr = addr.avail_user_addr = i * 16;
			if (request == VHOST_SET_VRING_ADDR)
				vhostnet_ioctl(v.fd, request, &addr);
			else if (request == VHOST_GET_VRING_BASE)
				vhostnet_ioctl(v.fd, request, &state);
			else if (request == VHOST_SET_VRING_NUM || request == VHOST_SET_VRING_BASE)
				vhostnet_set_state(v.fd, request, 0, 1U << i);
			else
				vhostnet_set_fd(v.fd, request, 0, v.masked);
		}
		vhostnet_close(&v);
	}
	CHECK_IS(vhostnet_open(&v, node, &plain), 0);
	CHECK_IS(vhostnet_start(&v), 0);
	/* These fail while it runs. */
	CHECK_IS(vhostnet_set_state(v.fd, VHOST_SET_VRING_NUM, 0, 128), -EBUSY);
	CHECK_IS(vhostnet_set_state(v.fd, VHOST_SET_VRING_BASE, 1, 7), -EBUSY);
	CHECK_IS(vhostnet_stop(&v, NULL), 0);
	CHECK_IS(vhostnet_stop(&v, NULL), 0);
	CHECK_IS(vhostnet_start(&v), 0);
	vhostnet_close(&v);
}

/* Opens that do nothing cost nothing; those that become devices are limited, and the devices are freed. */
static void
many_opens(const char *node)
{
	struct rlimit limit = {OPENS + 100, OPENS + 100};
	int fd[OPENS], taken = 0, ret = 0;

	CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	for (int i = 0; i < OPENS; i++)
		CHECK((fd[i] = open(node, O_RDWR | O_CLOEXEC)) >= 0);
	while (taken < OPENS && (ret = vhostnet_ioctl(fd[taken], VHOST_SET_OWNER, NULL)) == 0)
		taken++;
	printf("# %d of %d opens became devices\n", taken, OPENS);
	CHECK(taken > 8);
	CHECK(taken == OPENS || ret == -EBUSY);
	for (int i = 0; i < OPENS; i++)
		close(fd[i]);
}

static void
random_ioctls(const char *node)
{
	struct vhostnet v = {.fd = -1};
	unsigned seed = 1;

	for (unsigned i = 0; i < RANDOM; i++) {
		struct table t;
		uint32_t *word = (uint32_t *)&t;

		if (i % 100 == 0) {
			if (i > 0)
				vhostnet_close(&v);
			CHECK_IS(vhostnet_open(&v, node, &plain), 0);
			if (i % 200 == 0)
				CHECK_IS(vhostnet_start(&v), 0);
		}
		for (unsigned k = 0; k < sizeof(t) / 4; k++)
			word[k] = (uint32_t)(rand_r(&seed) % 4 ? rand_r(&seed) % 4 : rand_r(&seed));
		vhostnet_ioctl(v.fd, on_a_ring[rand_r(&seed) % ON_A_RING], &t);
		if (i % 10 == 0)
			vhostnet_ioctl(v.fd, VHOST_SET_MEM_TABLE, &t);
	}
	vhostnet_close(&v);
}

/* Sends a frame from one card to another, which must get it. */
static void
pass(struct vhostnet *from, struct vhostnet *to, const uint8_t *frame)
{
	uint8_t got[FRAME_MAX];

	CHECK_IS(nic_send(&from->nic, frame, FRAME, NULL), 0);
	do
		CHECK_IS(nic_recv_wait(&to->nic, got, sizeof(got), PATIENCE_MS) > 0, true);
	while (memcmp(got, frame, FRAME) != 0);
}

/*
 * Sends frames from one of its cards to the other, which takes none, for as long as it lives. It
 * does not send to everybody, as that would fill the rings of others, which is allowed.
 */
static void
traffic(struct vhostnet *a, struct vhostnet *b)
{
	uint8_t there[FRAME] = {2, 0, 0, 0, 0, 0x67, 2, 0, 0, 0, 0, 0x66, 0x88, 0xb5};
	uint8_t back[FRAME] = {2, 0, 0, 0, 0, 0x66, 2, 0, 0, 0, 0, 0x67, 0x88, 0xb5};

	for (unsigned i = 0; i < INTRODUCTIONS; i++) {
		pass(a, b, there);
		pass(b, a, back);
	}
	for (;;)
		nic_send(&a->nic, there, FRAME, NULL);
}

static void
killed(const char *node)
{
	for (unsigned i = 0; i < KILLED; i++) {
		/* From its first ioctl to the midst of its traffic: in steps of 10 ms. */
		const struct itimerval until = {.it_value.tv_usec = 1 + i * 10000};
		pid_t child = fork();
		int status;

		if (child == 0) {
			struct vhostnet a, b;

			CHECK(setitimer(ITIMER_REAL, &until, NULL) == 0);
			CHECK_IS(vhostnet_open(&a, node, &plain), 0);
			CHECK_IS(vhostnet_start(&a), 0);
			CHECK_IS(vhostnet_open(&b, node, &plain), 0);
			CHECK_IS(vhostnet_start(&b), 0);
			traffic(&a, &b);
		}
		CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
	}
}

/* A process that has the file but does not own it; and an owner that is gone. */
static void
inherited(const char *node)
{
	struct vhostnet v;
	int status;
	pid_t child;

	child = fork();
	if (child == 0)
		exit(vhostnet_open(&v, node, &plain) != 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	v.fd = open(node, O_RDWR); /* for the children too */
	CHECK(v.fd >= 0);
	child = fork();
	if (child == 0)
		exit(vhostnet_ioctl(v.fd, VHOST_SET_OWNER, NULL) != 0);
	CHECK(waitpid(child, &status, 0) == child && status == 0);
	CHECK_IS(vhostnet_ioctl(v.fd, VHOST_RESET_OWNER, NULL), -EPERM);
	CHECK_IS(vhostnet_set_state(v.fd, VHOST_SET_VRING_NUM, 0, 128), -EPERM);
	CHECK_IS(vhostnet_ioctl(v.fd, VHOST_SET_OWNER, NULL), -EBUSY);
}

static const struct test_case cases[] = {
		{"ioctls before SET_OWNER", before_set_owner},
		{"ioctls that are not vhost-net's", unknown_ioctls},
		{"calls that are not ioctl", other_calls},
		{"bad pointers", bad_pointers},
		{"numbers out of range", numbers_out_of_range},
		{"file descriptors that are no eventfds", fds},
		{"memory that is not there, or not to be had", memory_tables},
		{"memory in many pieces", many_pieces},
		{"a start in the wrong order", wrong_order},
		{"a file that another process owns", inherited},
		{"1,000 opens", many_opens},
		{"random ioctls", random_ioctls},
		{"killed in the midst", killed},
};

int
main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: %s NODE\n", argv[0]);
		return 2;
	}
	return RUN_CASES(cases, argv[1]);
}
