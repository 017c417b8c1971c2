/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * A load generator that plays the virtio-net drivers of many guests over vhost-user, in one
 * thread. It costs so little that what is measured is the switch between the guests. This file
 * has the options, and chooses the mode. gen.h says how a guest works.
 */
#define _GNU_SOURCE
#include "gen.h"

#include <errno.h>
#include <getopt.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
		"usage: loadgen --socket PATH [--socket PATH ...] [options]\n"
		"  --mode MODE        throughput (default), latency, verify; paced: latency at a high rate;\n"
		"                     bursts: full rings, and sleep while the switch has the CPU; or\n"
		"                     ceiling: no switch, only a thread that gives buffers back, for what\n"
		"                     generator and machine can do\n"
		"  --socket PATH      guest i connects to path i modulo their number\n"
		"  --listen           serve the sockets: the switch is the client (throughput, latency)\n"
		"  --guests N         2 to 256; default 2; with an uplink 1\n"
		"  --flows WHICH      one: guest 0 to 1, the others idle (default); both: 0 and 1 to each\n"
		"                     other; pairs: 0 to 1, 2 to 3 ...; ring: everyone to the next;\n"
		"                     into: everyone else to guest 0.\n"
		"                     One guest, and an uplink that takes what it sends (out), or\n"
		"                     brings frames for it without end (in)\n"
		"  --size N           frame size with the 4 bytes of FCS that are not in memory: 64 means\n"
		"                     60 bytes there; default 64\n"
		"  --rings KIND       fixed: split, written once, which costs the guests next to nothing\n"
		"                     (default); split and packed: each buffer is written again, as\n"
		"                     drivers do\n"
		"  --pairs N          queue pairs of each guest, 64 flows on each; default 1\n"
		"  --frames KIND      udp (default); csum: TCP whose checksum the switch has to complete;\n"
		"                     tso: 44 segments of --size in one, for the switch to cut\n"
		"  --take             receivers take csum and tso frames as they are\n"
		"  --read             receivers read every byte of each frame; bursts: after each of them\n"
		"  --buffers N        of a ring, which its slots share, a power of two; default: one each\n"
		"  --ring N           ring size, a power of two (verify: packed ones any); default\n"
		"                     1024\n"
		"  --window N         frames in flight on a sender's ring at most; default: the ring;\n"
		"                     with bursts each sender's share of it\n"
		"  --seconds S        to measure; default 2\n"
		"  --warmup S         before that; default 0.3\n"
		"  --rate N           frames/s, all senders together (latency, paced, verify); default 100000\n"
		"  --features LIST    of mrg, event, indirect, packed (as --rings packed); verify only:\n"
		"                     inorder, legacy (no VERSION_1)\n"
		"  --min-len N, --max-len N   lengths in memory (verify); default 60 to 1514\n"
		"  --layouts          cut frames into descriptors in various ways (verify)\n"
		"  --seed N           of the patterns (verify); default 1\n"
		"  --cpu N            run there\n"
		"  --peer-cpu N, --copy   ceiling: where the stand-in runs; one memcpy a frame\n"
		"  --headroom N       bytes from a cache line's start to the header; default 0\n"
		"  --gap-ns N         from one look at all rings to the next; default 0\n"
		"  --quiet-ms N       verify: how long nothing more may arrive at the end; default 50\n";

enum option_id {
	OPT_MODE = 256,
	OPT_SOCKET,
	OPT_LISTEN,
	OPT_GUESTS,
	OPT_FLOWS,
	OPT_SIZE,
	OPT_RING,
	OPT_WINDOW,
	OPT_SECONDS,
	OPT_WARMUP,
	OPT_RATE,
	OPT_FEATURES,
	OPT_MIN_LEN,
	OPT_MAX_LEN,
	OPT_LAYOUTS,
	OPT_SEED,
	OPT_CPU,
	OPT_PEER_CPU,
	OPT_COPY,
	OPT_HEADROOM,
	OPT_GAP_NS,
	OPT_QUIET_MS,
	OPT_HELP,
	OPT_RINGS,
	OPT_PAIRS,
	OPT_FRAMES,
	OPT_TAKE,
	OPT_BUFFERS,
	OPT_READ,
};

static const struct option options[] = {
		{"mode", required_argument, NULL, OPT_MODE},
		{"socket", required_argument, NULL, OPT_SOCKET},
		{"listen", no_argument, NULL, OPT_LISTEN},
		{"guests", required_argument, NULL, OPT_GUESTS},
		{"flows", required_argument, NULL, OPT_FLOWS},
		{"size", required_argument, NULL, OPT_SIZE},
		{"ring", required_argument, NULL, OPT_RING},
		{"window", required_argument, NULL, OPT_WINDOW},
		{"seconds", required_argument, NULL, OPT_SECONDS},
		{"warmup", required_argument, NULL, OPT_WARMUP},
		{"rate", required_argument, NULL, OPT_RATE},
		{"features", required_argument, NULL, OPT_FEATURES},
		{"min-len", required_argument, NULL, OPT_MIN_LEN},
		{"max-len", required_argument, NULL, OPT_MAX_LEN},
		{"layouts", no_argument, NULL, OPT_LAYOUTS},
		{"seed", required_argument, NULL, OPT_SEED},
		{"cpu", required_argument, NULL, OPT_CPU},
		{"peer-cpu", required_argument, NULL, OPT_PEER_CPU},
		{"copy", no_argument, NULL, OPT_COPY},
		{"headroom", required_argument, NULL, OPT_HEADROOM},
		{"gap-ns", required_argument, NULL, OPT_GAP_NS},
		{"quiet-ms", required_argument, NULL, OPT_QUIET_MS},
		{"rings", required_argument, NULL, OPT_RINGS},
		{"pairs", required_argument, NULL, OPT_PAIRS},
		{"frames", required_argument, NULL, OPT_FRAMES},
		{"take", no_argument, NULL, OPT_TAKE},
		{"buffers", required_argument, NULL, OPT_BUFFERS},
		{"read", no_argument, NULL, OPT_READ},
		{"help", no_argument, NULL, OPT_HELP},
		{NULL, 0, NULL, 0},
};

static _Noreturn void
die(const char *what, const char *value, const char *allowed)
{
	fprintf(stderr, "loadgen: %s '%s': %s\n", what, value, allowed);
	exit(1);
}

static unsigned
number(const char *name, const char *text, unsigned min, unsigned max)
{
	char *end, allowed[64];
	unsigned long v;

	errno = 0;
	v = strtoul(text, &end, 10);
	if (errno != 0 || end == text || *end != '\0' || *text == '-' || v < min || v > max) {
		snprintf(allowed, sizeof(allowed), "a number from %u to %u", min, max);
		die(name, text, allowed);
	}
	return (unsigned)v;
}

static double
positive(const char *name, const char *text)
{
	char *end;
	double v = strtod(text, &end);

	if (end == text || *end != '\0' || !(v > 0) || v > 1e9)
		die(name, text, "a positive number");
	return v;
}

/* The number of a word in a list. */
static unsigned
word(const char *option, const char *text, const char *const *list, unsigned n)
{
	char allowed[80] = "one of";

	for (unsigned i = 0; i < n; i++) {
		if (strcmp(text, list[i]) == 0)
			return i;
		strcat(strcat(allowed, " "), list[i]);
	}
	die(option, text, allowed);
}

static enum gen_flows
parse_flows(const char *text)
{
	static const char *const name[] = {
			[GEN_ONE] = "one",
			[GEN_BOTH] = "both",
			[GEN_PAIRS] = "pairs",
			[GEN_RING] = "ring",
			[GEN_INTO] = "into",
			[GEN_OUT] = "out",
			[GEN_IN] = "in",
	};

	return (enum gen_flows)word("--flows", text, name, sizeof(name) / sizeof(name[0]));
}

static enum pump_kind
parse_rings(const char *text)
{
	static const char *const name[] = {
			[PUMP_FIXED] = "fixed",
			[PUMP_SPLIT] = "split",
			[PUMP_PACKED] = "packed",
	};

	return (enum pump_kind)word("--rings", text, name, sizeof(name) / sizeof(name[0]));
}

static enum gen_frames
parse_frames(const char *text)
{
	static const char *const name[] = {
			[GEN_UDP] = "udp",
			[GEN_CSUM] = "csum",
			[GEN_TSO] = "tso",
	};

	return (enum gen_frames)word("--frames", text, name, sizeof(name) / sizeof(name[0]));
}

static uint64_t
parse_features(char *list)
{
	uint64_t features = VU_F_VERSION_1;
	char *name, *rest = list;

	while ((name = strsep(&rest, ",")) != NULL) {
		if (strcmp(name, "mrg") == 0)
			features |= VU_F_MRG_RXBUF;
		else if (strcmp(name, "event") == 0)
			features |= VU_F_EVENT_IDX;
		else if (strcmp(name, "indirect") == 0)
			features |= VU_F_INDIRECT_DESC;
		else if (strcmp(name, "packed") == 0)
			features |= VU_F_RING_PACKED;
		else if (strcmp(name, "inorder") == 0)
			features |= VU_F_IN_ORDER;
		else if (strcmp(name, "legacy") == 0)
			features &= ~VU_F_VERSION_1;
		else
			die("--features", name, "mrg, event, indirect, packed, inorder, legacy");
	}
	return features;
}

/* Options whose value is a number. */
static const struct number_option {
	int id;
	const char *name;
	unsigned min, max;
	size_t member; /* of struct gen_conf: an unsigned, or an int */
} numbers[] = {
		{OPT_GUESTS, "--guests", 1, GEN_GUESTS_MAX, offsetof(struct gen_conf, n_guests)},
		{OPT_SIZE, "--size", 64, 9018, offsetof(struct gen_conf, size)},
		{OPT_RING, "--ring", 64, VR_SIZE_MAX, offsetof(struct gen_conf, ring)},
		{OPT_WINDOW, "--window", 1, VR_SIZE_MAX, offsetof(struct gen_conf, window)},
		{OPT_MIN_LEN, "--min-len", ETHER_MIN, 9014, offsetof(struct gen_conf, min_len)},
		{OPT_MAX_LEN, "--max-len", ETHER_MIN, 9014, offsetof(struct gen_conf, max_len)},
		{OPT_SEED, "--seed", 0, 1u << 30, offsetof(struct gen_conf, seed)},
		{OPT_CPU, "--cpu", 0, 1023, offsetof(struct gen_conf, cpu)},
		{OPT_PEER_CPU, "--peer-cpu", 0, 1023, offsetof(struct gen_conf, peer_cpu)},
		{OPT_HEADROOM, "--headroom", 0, 256, offsetof(struct gen_conf, headroom)},
		{OPT_GAP_NS, "--gap-ns", 0, 1000000, offsetof(struct gen_conf, gap_ns)},
		{OPT_QUIET_MS, "--quiet-ms", 1, 100000, offsetof(struct gen_conf, quiet_ms)},
		{OPT_PAIRS, "--pairs", 1, GEN_PAIRS_MAX, offsetof(struct gen_conf, n_pairs)},
		{OPT_BUFFERS, "--buffers", 1, VR_SIZE_MAX, offsetof(struct gen_conf, buffers)},
};

/* Returns false if the option has no number. */
static bool
parse_number(struct gen_conf *c, int id)
{
	unsigned value;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (numbers[i].id != id)
			continue;
		value = number(numbers[i].name, optarg, numbers[i].min, numbers[i].max);
		memcpy((char *)c + numbers[i].member, &value, sizeof(value));
		return true;
	}
	return false;
}

static void
parse_option(struct gen_conf *c, int id)
{
	if (parse_number(c, id))
		return;
	switch (id) {
	case OPT_MODE:
		c->mode = optarg;
		break;
	case OPT_SOCKET:
		if (c->n_sockets == GEN_SOCKETS_MAX)
			die("--socket", optarg, "there are too many");
		c->socket[c->n_sockets++] = optarg;
		break;
	case OPT_LISTEN:
		c->listen = true;
		break;
	case OPT_FLOWS:
		c->flows = parse_flows(optarg);
		break;
	case OPT_SECONDS:
		c->seconds = positive("--seconds", optarg);
		break;
	case OPT_WARMUP:
		c->warmup = positive("--warmup", optarg);
		break;
	case OPT_RATE:
		c->rate = positive("--rate", optarg);
		break;
	case OPT_FEATURES:
		c->features = parse_features(optarg);
		break;
	case OPT_LAYOUTS:
		c->layouts = true;
		break;
	case OPT_COPY:
		c->copy = true;
		break;
	case OPT_RINGS:
		c->kind = parse_rings(optarg);
		break;
	case OPT_FRAMES:
		c->frames = parse_frames(optarg);
		break;
	case OPT_TAKE:
		c->take = true;
		break;
	case OPT_READ:
		c->read = true;
		break;
	case OPT_HELP:
		fputs(usage, stdout);
		exit(0);
	default:
		fputs(usage, stderr);
		exit(1);
	}
}

static void
check(const struct gen_conf *c)
{
	bool measures = strcmp(c->mode, "throughput") == 0 || strcmp(c->mode, "bursts") == 0;
	bool any_size = strcmp(c->mode, "verify") == 0 && c->kind == PUMP_PACKED;

	if (!any_size && (c->ring & (c->ring - 1)) != 0)
		die("--ring", "", "a power of two");
	if ((c->buffers & (c->buffers - 1)) != 0)
		die("--buffers", "", "a power of two");
	if (c->n_pairs > 1 && (gen_uplink(c) || !measures))
		die("--pairs", "",
				"1 with an uplink, and in all modes except throughput and bursts");
	if (c->frames != GEN_UDP && (gen_uplink(c) || !measures))
		die("--frames", "",
				"udp with an uplink, and in all modes except throughput and bursts");
	if (c->n_pairs > 1 && c->kind != PUMP_FIXED && strcmp(c->mode, "bursts") == 0)
		die("--rings", "",
				"fixed with several --pairs in bursts, which must begin on all rings at once");
	if (c->flows == GEN_INTO &&
			(strcmp(c->mode, "latency") == 0 || strcmp(c->mode, "verify") == 0))
		die("--flows", "into", "not with --mode latency or verify");
	if (c->flows != GEN_ONE && strcmp(c->mode, "paced") == 0)
		die("--flows", "", "one with --mode paced");
	if (c->window > c->ring)
		die("--window", "", "at most the ring size");
	if (c->min_len > c->max_len)
		die("--min-len", "", "at most --max-len");
	if (c->n_sockets == 0 && strcmp(c->mode, "ceiling") != 0)
		die("--socket", "", "at least one");
	if (c->read && (strcmp(c->mode, "verify") == 0 || c->flows == GEN_OUT))
		die("--read", "",
				"not with --mode verify, which always reads, or --flows out, where nothing arrives");
	if (c->read && c->buffers != 0 && strcmp(c->mode, "bursts") == 0)
		die("--buffers", "",
				"one a slot with --read in bursts: what is overwritten is not read");
	/* With it a device may give several buffers back by one entry, which pump.h does not know. */
	if ((c->features & VU_F_IN_ORDER) != 0 && strcmp(c->mode, "verify") != 0)
		die("--features", "inorder", "with --mode verify only");
	if ((c->n_guests == 1) != gen_uplink(c))
		die("--guests", "", "1 with --flows out or in, else at least 2");
	if (gen_uplink(c) && strcmp(c->mode, "throughput") != 0)
		die("--mode", c->mode, "throughput alone with --flows out or in");
	if (gen_uplink(c) && strcmp(c->mode, "ceiling") == 0)
		die("--mode", c->mode, "there is no uplink");
}

static int
run_fast(const struct gen_conf *conf, int (*mode)(struct gen *))
{
	struct gen gen;
	int err;

	err = gen_open(&gen, conf);
	if (err < 0)
		return err;
	/* No earlier: until all guests are connected, other threads of the switch need this CPU. */
	gen_prefer();
	err = mode(&gen);
	gen_close(&gen);
	return err;
}

int
main(int argc, char **argv)
{
	struct gen_conf conf = {
			.mode = "throughput",
			.n_guests = 2,
			.n_pairs = 1,
			.size = 64,
			.ring = 1024,
			.seconds = 2,
			.warmup = 0.3,
			.quiet_ms = 50,
			.rate = 100000,
			.features = VU_F_VERSION_1,
			.min_len = ETHER_MIN,
			.max_len = 1514,
			.cpu = -1,
			.peer_cpu = -1,
			.seed = 1,
	};
	int id, err;

	while ((id = getopt_long(argc, argv, "", options, NULL)) != -1)
		parse_option(&conf, id);
	if (optind < argc)
		die("argument", argv[optind], "not understood");
	if (conf.kind == PUMP_PACKED)
		conf.features |= VU_F_RING_PACKED;
	else if ((conf.features & VU_F_RING_PACKED) != 0)
		conf.kind = PUMP_PACKED;
	check(&conf);
	err = gen_pin(conf.cpu);
	if (err < 0)
		die("--cpu", "", strerror(-err));

	if (strcmp(conf.mode, "throughput") == 0)
		err = run_fast(&conf, mode_throughput);
	else if (strcmp(conf.mode, "latency") == 0)
		err = run_fast(&conf, mode_latency);
	else if (strcmp(conf.mode, "paced") == 0)
		err = run_fast(&conf, mode_paced);
	else if (strcmp(conf.mode, "bursts") == 0)
		err = run_fast(&conf, mode_bursts);
	else if (strcmp(conf.mode, "verify") == 0)
		err = mode_verify(&conf);
	else if (strcmp(conf.mode, "ceiling") == 0)
		err = mode_ceiling(&conf);
	else
		die("--mode", conf.mode, "throughput, latency, paced, bursts, verify or ceiling");
	return err < 0 ? 1 : 0;
}
