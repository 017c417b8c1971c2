/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* Which frames are of one flow, and how flows are spread over rings. */
#include <netinet/in.h>

#include <rte_common.h>

#include "frame/flow.h"
#include "switch/port.h"
#include "unit.h"

#define MAC 12 /* bytes of the two addresses */
#define LONGEST 128

/* A frame under construction: in memory of exactly its length, so that a sanitizer sees what goes beyond. */
struct built {
	uint8_t bytes[LONGEST];
	uint32_t len;
};

static void
add(struct built *b, const void *bytes, uint32_t n)
{
	memcpy(b->bytes + b->len, bytes, n);
	b->len += n;
}

static void
add16(struct built *b, uint16_t value)
{
	const uint8_t bytes[2] = {value >> 8, value};

	add(b, bytes, 2);
}

static void
begin(struct built *b)
{
	static const uint8_t mac[MAC] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};

	b->len = 0;
	add(b, mac, MAC);
}

/* An IPv4 header and ports; `words` of options. */
static void
add_ipv4(struct built *b, uint32_t from, uint16_t fragment, uint8_t protocol, unsigned int words,
		uint16_t port)
{
	uint8_t ip[60] = {0x45 + words, 0, 0, 100, 7, 7, fragment >> 8, fragment, 64, protocol, 0,
			0, 10, 0, from >> 8, from, 10, 1, 0, 1};

	memset(ip + 20, 1, 40);
	add(b, ip, 20 + 4 * words);
	add16(b, port);
	add16(b, 53);
}

static void
add_ipv6(struct built *b, uint16_t from, uint8_t protocol, uint16_t port)
{
	uint8_t ip[40] = {0x60, 0, 0, 0, 0, 60, protocol, 64, 0xfd};

	ip[22] = from >> 8;
	ip[23] = from;
	ip[24] = 0xfe;
	add(b, ip, sizeof(ip));
	add16(b, port);
	add16(b, 443);
}

/* Returns its class when it is in `fragments` fragments, of which all except the last have `cut` bytes. */
static unsigned int
class_of(const struct built *b, unsigned int frags, uint32_t cut)
{
	uint8_t *copy = malloc(b->len);
	struct fragment frag[4];
	struct frame f = {.frag = frag, .nfrags = frags, .len = b->len};
	unsigned int i, class;

	memcpy(copy, b->bytes, b->len);
	for (i = 0; i < frags; i++)
		frag[i] = (struct fragment){copy + i * cut, i + 1 < frags ? cut : b->len - i * cut};
	memcpy(&f.eth, copy, sizeof(f.eth));
	class = flow_of(&f);
	assert_in_range(class, 0, FLOWS - 1);
	free(copy);
	return class;
}

static unsigned int
udp4(uint32_t from, uint16_t port)
{
	struct built b;

	begin(&b);
	add16(&b, 0x0800);
	add_ipv4(&b, from, 0, IPPROTO_UDP, 0, port);
	return class_of(&b, 1, 0);
}

static unsigned int
udp6(uint16_t from, uint16_t port)
{
	struct built b;

	begin(&b);
	add16(&b, 0x86dd);
	add_ipv6(&b, from, IPPROTO_UDP, port);
	return class_of(&b, 1, 0);
}

/* How many different classes n calls return. */
#define CLASSES(n, call) \
	__extension__({ \
		uint64_t seen = 0; \
		unsigned int i; \
		for (i = 0; i < (n); i++) \
			seen |= UINT64_C(1) << (call); \
		(unsigned int)__builtin_popcountll(seen); \
	})

static void
test_what_counts(void **state)
{
	(void)state;
	assert_true(CLASSES(500, udp4(1, i)) > 60);
	assert_true(CLASSES(500, udp4(i, 7)) > 60);
	assert_true(CLASSES(500, udp6(1, i)) > 60);
	assert_true(CLASSES(500, udp6(i, 7)) > 60);
	assert_int_equal(CLASSES(500, udp4(1, 7)), 1);
}

static unsigned int
by_mac(unsigned int i, bool source)
{
	struct built b;

	begin(&b);
	b.bytes[source ? 11 : 5] = i;
	b.bytes[source ? 10 : 4] = i >> 8;
	add16(&b, 0x88b5);
	return class_of(&b, 1, 0);
}

static unsigned int
by_payload(unsigned int i, uint16_t type)
{
	struct built b;

	begin(&b);
	add16(&b, type);
	add16(&b, i);
	while (b.len < 60)
		add16(&b, i * 7);
	return class_of(&b, 1, 0);
}

static void
test_addresses(void **state)
{
	(void)state;
	assert_true(CLASSES(500, by_mac(i, false)) > 60);
	assert_true(CLASSES(500, by_mac(i, true)) > 60);
	/* In a frame that is not understood nothing else counts; the same holds for a broken IP header. */
	assert_int_equal(CLASSES(500, by_payload(i, 0x88b5)), 1);
	assert_int_equal(CLASSES(0x4000, by_payload(i, 0x0800)), 1);
	assert_int_equal(CLASSES(0x4000, by_payload(i, 0x86dd)), 1);
}

/* What is between the addresses and the ports does not count. */
static unsigned int
tagged(unsigned int tags, uint16_t tci, bool six)
{
	struct built b;
	unsigned int i;

	begin(&b);
	for (i = 0; i < tags; i++) {
		add16(&b, i == 0 && tags == 2 ? 0x88a8 : 0x8100);
		add16(&b, tci);
	}
	add16(&b, six ? 0x86dd : 0x0800);
	if (six)
		add_ipv6(&b, 3, IPPROTO_TCP, 99);
	else
		add_ipv4(&b, 3, 0, IPPROTO_TCP, 0, 99);
	return class_of(&b, 1, 0);
}

static unsigned int
with_options(unsigned int words, uint16_t port)
{
	struct built b;

	begin(&b);
	add16(&b, 0x0800);
	add_ipv4(&b, 3, 0, IPPROTO_TCP, words, port);
	return class_of(&b, 1, 0);
}

static void
test_inside(void **state)
{
	unsigned int six;

	(void)state;
	for (six = 0; six < 2; six++) {
		assert_int_equal(CLASSES(3, tagged(i, 5, six)), 1);
		assert_int_equal(CLASSES(500, tagged(1, i, six)), 1);
		assert_int_equal(CLASSES(500, tagged(2, i, six)), 1);
		/* A third tag ends it. */
		assert_int_equal(CLASSES(500, tagged(3, i, six)), 1);
	}
	assert_int_equal(CLASSES(11, with_options(i, 5)), 1);
	assert_int_equal(with_options(7, 99), tagged(0, 0, false));
	assert_true(CLASSES(500, with_options(10, i)) > 60);
}

static unsigned int
fragment(uint16_t flags_and_offset, uint16_t port)
{
	struct built b;

	begin(&b);
	add16(&b, 0x0800);
	add_ipv4(&b, 3, flags_and_offset, IPPROTO_UDP, 0, port);
	return class_of(&b, 1, 0);
}

static unsigned int
protocol4(uint8_t protocol, uint16_t port)
{
	struct built b;

	begin(&b);
	add16(&b, 0x0800);
	add_ipv4(&b, 3, 0, protocol, 0, port);
	return class_of(&b, 1, 0);
}

static unsigned int
protocol6(uint8_t protocol, uint16_t port)
{
	struct built b;

	begin(&b);
	add16(&b, 0x86dd);
	add_ipv6(&b, 3, protocol, port);
	return class_of(&b, 1, 0);
}

/*
 * Bytes that only look like ports do not count: all fragments of a datagram go one way, and so does
 * ICMP to a host.
 */
static void
test_no_ports(void **state)
{
	(void)state;
	assert_int_equal(CLASSES(500, fragment(0x2000, i)), 1);
	assert_int_equal(CLASSES(500, fragment(0x2001 + i, 5)), 1);
	assert_int_equal(fragment(0x2000, 1), fragment(0x00b9, 2));
	assert_true(CLASSES(500, fragment(0x4000, i)) > 60); /* don't fragment: a whole one */
	assert_int_equal(CLASSES(500, protocol4(IPPROTO_ICMP, i)), 1);
	assert_int_equal(CLASSES(500, protocol4(IPPROTO_GRE, i)), 1);
	assert_int_equal(CLASSES(500, protocol6(IPPROTO_FRAGMENT, i)), 1);
	assert_int_equal(CLASSES(500, protocol6(IPPROTO_ICMPV6, i)), 1);
	assert_true(CLASSES(500, protocol4(IPPROTO_SCTP, i)) > 60);
	assert_true(CLASSES(500, protocol6(IPPROTO_TCP, i)) > 60);
}

/* A frame that is truncated anywhere: what is left counts, and nothing past its end is read. */
static void
test_short(void **state)
{
	struct built b;
	uint32_t len, k;

	(void)state;
	for (k = 0; k < 4; k++) {
		begin(&b);
		if (k % 2) {
			add16(&b, 0x8100);
			add16(&b, 5);
		}
		add16(&b, k < 2 ? 0x0800 : 0x86dd);
		if (k < 2)
			add_ipv4(&b, 3, 0, IPPROTO_TCP, 10, 99);
		else
			add_ipv6(&b, 3, IPPROTO_TCP, 99);
		for (len = b.len; b.len >= sizeof(struct rte_ether_hdr); b.len--)
			class_of(&b, 1, 0);
		/* A header that claims to be longer than the frame. */
		b.len = len - 4;
		class_of(&b, 1, 0);
	}
}

/* However a frame is cut into fragments, it is of the same flow. */
static void
test_frags(void **state)
{
	struct built b;
	unsigned int k, frags, whole;
	uint32_t cut;

	(void)state;
	for (k = 0; k < 2; k++) {
		begin(&b);
		add16(&b, 0x8100);
		add16(&b, 5);
		add16(&b, k == 0 ? 0x0800 : 0x86dd);
		if (k == 0)
			add_ipv4(&b, 3, 0, IPPROTO_TCP, 10, 99);
		else
			add_ipv6(&b, 3, IPPROTO_TCP, 99);
		whole = class_of(&b, 1, 0);
		for (frags = 2; frags <= 4; frags++)
			for (cut = 1; cut * (frags - 1) < b.len; cut++)
				assert_int_equal(class_of(&b, frags, cut), whole);
	}
}

/* The bytes are read once: a guest that changes them later does not change the flow of a frame that waits. */
static void
test_once(void **state)
{
	struct built b;
	struct fragment frag = {b.bytes, 0};
	struct frame f = {.frag = &frag, .nfrags = 1};
	unsigned int class, i;

	(void)state;
	begin(&b);
	add16(&b, 0x0800);
	add_ipv4(&b, 3, 0, IPPROTO_UDP, 0, 99);
	frag.len = f.len = b.len;
	memcpy(&f.eth, b.bytes, sizeof(f.eth));
	class = flow_of(&f);
	for (i = 0; i < 256; i++) {
		memset(b.bytes, i, b.len);
		assert_int_equal(flow_of(&f), class);
	}
	f.flow = 0; /* another frame in its place */
	memset(&f.eth, 7, sizeof(f.eth));
	i = flow_of(&f);
	f.flow = 0;
	assert_int_equal(flow_of(&f), i);
}

/* Each number of rings gets all of the flows, each ring its share, and a flow always the same ring. */
static void
test_rings(void **state)
{
	unsigned int n, class, ring, last, share[QUEUE_PAIRS_MAX];
	struct frame f = {0};

	(void)state;
	for (n = 1; n <= QUEUE_PAIRS_MAX; n++) {
		memset(share, 0, sizeof(share));
		last = 0;
		for (class = 0; class < FLOWS; class ++) {
			f.flow = class + 1;
			ring = flow_ring(&f, n);
			assert_in_range(ring, last, n - 1);
			share[ring]++;
			last = ring;
		}
		for (ring = 0; ring < n; ring++)
			assert_in_range(share[ring], FLOWS / n, FLOWS / n + 1);
	}
}

/* Many flows, as a server has them: no class is much more crowded than another. */
static void
test_spread(void **state)
{
	unsigned int i, count[2][FLOWS] = {{0}};

	(void)state;
	for (i = 0; i < 64000; i++) {
		count[0][udp4(i % 50, 30000 + i / 50)]++;
		count[1][udp6(i % 50, 30000 + i / 50)]++;
	}
	for (i = 0; i < FLOWS; i++) {
		assert_in_range(count[0][i], 800, 1200);
		assert_in_range(count[1][i], 800, 1200);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_what_counts),
			cmocka_unit_test(test_addresses),
			cmocka_unit_test(test_inside),
			cmocka_unit_test(test_no_ports),
			cmocka_unit_test(test_short),
			cmocka_unit_test(test_frags),
			cmocka_unit_test(test_once),
			cmocka_unit_test(test_rings),
			cmocka_unit_test(test_spread),
	};

	return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
