/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The options: what is taken, what is refused, and that the refusal says why. */
#include <grp.h>
#include <pwd.h>

#include <rte_common.h>

#include "conf_line.h"

/* Replaces libc's functions: the user database may be slow, and is not asked for numbers. */
struct passwd *
getpwnam(const char *name)
{
	fail_msg("asked for user %s", name);
	return NULL;
}

struct group *
getgrnam(const char *name)
{
	fail_msg("asked for group %s", name);
	return NULL;
}

static void
test_defaults(void **state)
{
	RTE_SET_USED(state);
	accept("--");
	assert_false(conf.uplink);
	assert_int_equal(conf.nports, 1);
	assert_string_equal(conf.port[0].socket, "./usvhost");
	assert_false(conf.client);
	assert_int_equal(conf.vm2vm, VM2VM_SOFTWARE);
	assert_false(conf.mergeable);
	assert_int_equal(conf.stats, 0);
	assert_true(conf.rx_retry);
	assert_int_equal(conf.rx_retry_num, 4);
	assert_int_equal(conf.rx_retry_delay, 15);
	assert_true(conf.vlan_strip);
	assert_false(conf.promiscuous);
	assert_int_equal(conf.total_num_mbufs, 0);
	assert_int_equal(conf.vlan_base, 1000);
	assert_int_equal(conf.aging, 300);
	assert_false(conf.forward_bpdu);
	/* Without "--" all is EAL's, and the same defaults hold. */
	accept("-l 0,1 --no-pci");
	assert_int_equal(conf.nports, 1);
	accept("");
	assert_int_equal(conf.nports, 1);
}

/* Each number: its limits are taken, and what lies past them is not. */
static const struct {
	const char *name, *min, *max, *below, *above, *allowed, *with;
	size_t at, size;
} numbers[] = {
#define AT(member) offsetof(struct conf, member), sizeof(conf.member)
		{"--vm2vm", "0", "1", "-1", "3", "0 to 2", "-p 1 ", AT(vm2vm)},
		{"--mergeable", "0", "1", "-1", "2", "0 to 1", "", AT(mergeable)},
		{"--stats", "0", "86400", "-1", "86401", "0 to 86400 seconds", "", AT(stats)},
		{"--rx-retry", "0", "1", "-1", "2", "0 to 1", "", AT(rx_retry)},
		{"--rx-retry-num", "0", "1000", "-1", "1001", "0 to 1000", "", AT(rx_retry_num)},
		{"--rx-retry-delay", "0", "100000", "-1", "100001", "0 to 100000 microseconds", "",
				AT(rx_retry_delay)},
		{"--vlan-strip", "0", "1", "-1", "2", "0 to 1", "", AT(vlan_strip)},
		{"--vlan-base", "0", "4094", "-1", "4095", "0 to 4094", "", AT(vlan_base)},
		{"--forward-bpdu", "0", "1", "-1", "2", "0 to 1", "", AT(forward_bpdu)},
		{"--aging", "0", "1000000", "-1", "1000001", "0 to 1000000 seconds", "", AT(aging)},
		{"--idle-sleep", "0", "1000000", "-1", "1000001", "0 to 1000000 microseconds", "",
				AT(idle_sleep)},
		{"--total-num-mbufs", "1024", "16777216", "1023", "16777217",
				"1024 to 16777216 mbufs", "-p 1 ", AT(total_num_mbufs)},
#undef AT
};

static uint64_t
value(size_t at, size_t size)
{
	uint64_t v = 0;

	memcpy(&v, (const char *)&conf + at, size); /* little-endian hosts, as virtio's */
	return v;
}

static void
test_number_limits(void **state)
{
	const char *limit[2];
	char line[200];
	size_t i, k;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(numbers); i++) {
		limit[0] = numbers[i].min;
		limit[1] = numbers[i].max;
		for (k = 0; k < 2; k++) {
			snprintf(line, sizeof(line), "-l 0,1 -- %s%s %s", numbers[i].with,
					numbers[i].name, limit[k]);
			accept(line);
			assert_int_equal(value(numbers[i].at, numbers[i].size),
					strtoul(limit[k], NULL, 10));
			snprintf(line, sizeof(line), "-- %s%s=%s", numbers[i].with, numbers[i].name,
					limit[k]);
			accept(line);
			assert_int_equal(value(numbers[i].at, numbers[i].size),
					strtoul(limit[k], NULL, 10));
		}
	}
}

static void
test_number_wrong(void **state)
{
	static const char *const never[] = {
			"x",
			"1x",
			"0x1",
			"+1",
			"1.0",
			"1e3",
			"''",
			"18446744073709551616",
			"18446744073709551615",
			"99999999999999999999999",
	};
	char line[200];
	size_t i, k;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(numbers); i++) {
		snprintf(line, sizeof(line), "-- %s %s", numbers[i].name, numbers[i].below);
		refused(line, numbers[i].name, numbers[i].below, numbers[i].allowed);
		snprintf(line, sizeof(line), "-- %s %s", numbers[i].name, numbers[i].above);
		refused(line, numbers[i].name, numbers[i].above, numbers[i].allowed);
		for (k = 0; k < RTE_DIM(never); k++) {
			snprintf(line, sizeof(line), "-- %s %s", numbers[i].name, never[k]);
			refused(line, numbers[i].name, never[k][0] == '\'' ? "" : never[k],
					numbers[i].allowed);
		}
		snprintf(line, sizeof(line), "-- %s", numbers[i].name);
		refused(line, numbers[i].name, "needs a value", "--help");
	}
}

static void
test_offloads(void **state)
{
	RTE_SET_USED(state);
	accept("--");
	assert_false(conf.tx_csum || conf.tso);
	accept("-- --tx-csum 1");
	assert_true(conf.offers.csum && !conf.offers.tso);
	/* Segments need checksums. */
	accept("-- --tso 1");
	assert_true(conf.offers.csum && conf.offers.tso);
	accept("-- --tso 1 --tx-csum 1");
	assert_true(conf.offers.csum && conf.offers.tso);
	refused("-- --tso 1 --tx-csum 0", "--tso 1", "--tx-csum 0", "--tso 0");
	refused("-- --tx-csum 0 --tso 1", "--tso 1", "--tx-csum 0", "--tso 0");
	refused("-- --tx-csum 2", "--tx-csum", "2", "0 to 1");
	refused("-- --tso 2", "--tso", "2", "0 to 1");
	accept("-- --tx-csum 0 --tso 0");
}

static void
test_vmdq(void **state)
{
	RTE_SET_USED(state);
	accept("-- -p 1");
	assert_int_equal(conf.vmdq, VMDQ_AUTO);
	accept("-- --vmdq 0");
	assert_int_equal(conf.vmdq, VMDQ_OFF);
	accept("-- -p 1 --vmdq 1");
	assert_int_equal(conf.vmdq, VMDQ_ON);
	refused("-- --vmdq 2", "--vmdq", "2", "0 to 1");
	refused("-- --vmdq 1", "--vmdq 1", "no uplink", "-p");
	refused("-- --total-num-mbufs 5000", "--total-num-mbufs", "only an uplink", "-p");
	refused("-- -p 1 --vmdq 1 --vlan-base 0", "--vmdq 1", "--vlan-base 0", "--vmdq 0");
	accept("-- -p 1 --vm2vm 2");
	assert_int_equal(conf.vm2vm, VM2VM_NIC);
	accept("-- -p 1 --vm2vm 2 --vmdq 1");
	refused("-- --vm2vm 2", "--vm2vm 2", "-p", "--vm2vm 1");
	refused("-- -p 1 --vm2vm 2 --vmdq 0", "--vm2vm 2", "--vmdq 0", "--vm2vm 1");
	refused("-- -p 1 --vm2vm 2 --vlan-base 0", "--vm2vm 2", "--vlan-base 0", "--vm2vm 1");
}

static void
test_port_mask(void **state)
{
	static const char *const wrong[] = {
			"0",
			"0x0",
			"3",
			"0x",
			"x",
			"-1",
			"1z",
			"5",
			"''",
			"10000000000000000",
			"ffffffffffffffff",
	};
	char line[100];
	size_t i;

	RTE_SET_USED(state);
	for (i = 0; i < 64; i++) {
		snprintf(line, sizeof(line), "-- -p %s%llx", i % 2 ? "0x" : "", 1ULL << i);
		accept(line);
		assert_true(conf.uplink);
		assert_int_equal(conf.port_id, i);
	}
	for (i = 0; i < RTE_DIM(wrong); i++) {
		snprintf(line, sizeof(line), "-- -p %s", wrong[i]);
		refused(line, "-p", wrong[i][0] == '\'' ? "" : wrong[i], "exactly one port");
	}
	refused("-- -p", "-p", "needs a value", "--help");
	accept("-- -P -p1");
	assert_true(conf.promiscuous);
	/* Options that make no sense without an uplink are refused, not ignored. */
	refused("-- -P", "-P", "no uplink", "-p");
	refused("-- --vm2vm 0", "--vm2vm 0", "-p", "--vm2vm 1");
}

static void
test_sockets(void **state)
{
	RTE_SET_USED(state);
	accept("-- --dev-basename other");
	assert_int_equal(conf.nports, 1);
	assert_string_equal(conf.port[0].socket, "./other");
	accept("-- --socket-file /run/a --socket-file b");
	assert_int_equal(conf.nports, 2);
	assert_string_equal(conf.port[0].socket, "/run/a");
	assert_string_equal(conf.port[1].socket, "b");
	accept("-- --socket-file /run/a --dev-basename usvhost --client");
	assert_int_equal(conf.nports, 2);
	assert_string_equal(conf.port[1].socket, "./usvhost");
	assert_true(conf.client);
	assert_int_equal(conf.port[0].role, ROLE_CLIENT);
	refused("-- --dev-basename a/b", "--dev-basename", "a/b", "--socket-file");
	refused("-- --dev-basename ''", "--dev-basename", "empty", "");
	refused("-- --socket-file ''", "--socket-file", "empty", "");
	refused("-- --socket-file a --socket-file a", "--socket-file", "a", "twice");
	refused("-- --socket-file ./a --dev-basename a", "--dev-basename", "a", "twice");
	refused("-- --socket-file", "--socket-file", "needs a value", "--help");
	refused("-- --dev-basename", "--dev-basename", "needs a value", "--help");
	refused("-- --client=1", "--client", "--help", "");
}

/* Owner and mode of the sockets. test_cuse_conf.c has the wrong values. */
static void
test_socket_owner(void **state)
{
	RTE_SET_USED(state);
	accept("--");
	assert_false(conf.node_owned || conf.node_mode_given);
	accept("-- --dev-owner 64055:108 --dev-mode 0660");
	assert_true(conf.node_owned && conf.node_mode_given);
	assert_int_equal(conf.node_uid, 64055);
	assert_int_equal(conf.node_gid, 108);
	assert_int_equal(conf.node_mode, 0660);
	refused("-- --dev-owner root", "--dev-owner", "user:group", "");
	refused("-- --dev-mode rw", "--dev-mode", "octal", "");
	refused("-- --dev-mode", "--dev-mode", "needs a value", "--help");
	refused("-- --client --dev-owner 0:0", "--dev-owner", "connects", "QEMU");
	refused("-- --dev-mode 0600 --client", "--dev-mode", "connects", "QEMU");
	refused("-- --port a,socket=/run/a,role=client --dev-mode 0600", "--dev-mode", "connects",
			"QEMU");
	accept("-- --client --port a,socket=/run/a,role=server --dev-mode 0600");
}

static void
test_socket_length(void **state)
{
	char line[300], name[200];

	RTE_SET_USED(state);
	memset(name, 'n', sizeof(name));
	name[SOCKET_PATH_MAX - 1] = '\0';
	snprintf(line, sizeof(line), "-- --socket-file %s", name);
	accept(line);
	assert_string_equal(conf.port[0].socket, name);
	name[SOCKET_PATH_MAX - 1] = 'n';
	name[SOCKET_PATH_MAX] = '\0';
	snprintf(line, sizeof(line), "-- --socket-file %s", name);
	refused(line, "--socket-file", name, "107 bytes");
	/* "./" counts too. */
	name[SOCKET_PATH_MAX - 3] = '\0';
	snprintf(line, sizeof(line), "-- --dev-basename %s", name);
	accept(line);
	name[SOCKET_PATH_MAX - 3] = 'n';
	name[SOCKET_PATH_MAX - 2] = '\0';
	snprintf(line, sizeof(line), "-- --dev-basename %s", name);
	refused(line, "--dev-basename", name, "105 bytes");
}

static void
test_socket_number(void **state)
{
	char *word[ARGS_MAX] = {"vhost-switch", "--"};
	char name[SOCKET_MAX + 1][8];
	unsigned int i, n = 2;

	RTE_SET_USED(state);
	for (i = 0; i <= SOCKET_MAX; i++) {
		snprintf(name[i], sizeof(name[i]), "s%u", i);
		word[n++] = "--socket-file";
		word[n++] = name[i];
		if (i < SOCKET_MAX - 1)
			continue;
		assert_int_equal(parse_words(word), i < SOCKET_MAX ? CONF_RUN : CONF_ERROR);
	}
	assert_non_null(strstr(err, "--socket-file s256: at most 256 sockets"));
}

static void
test_words(void **state)
{
	RTE_SET_USED(state);
	accept("-- --stat 7 --agi 8"); /* getopt_long's abbreviations */
	assert_int_equal(conf.stats, 7);
	assert_int_equal(conf.aging, 8);
	accept("-- --stats 1 --stats 2"); /* the last one counts */
	assert_int_equal(conf.stats, 2);
	refused("-- --rx 1", "--rx", "--help", ""); /* of three options */
	refused("-- --nonsense", "--nonsense", "unknown", "--help");
	refused("-- --nonsense=1", "--nonsense", "unknown", "--help");
	refused("-- -x", "-x", "unknown", "--help");
	refused("-- stray", "stray", "no option", "--help");
	refused("-- --stats 1 stray", "stray", "no option", "--help");
	refused("-- stray --stats 1", "stray", "no option", "--help");
	refused("-- -- --stats", "--stats", "no option", "--help");
	refused("-- -Px", "x", "unknown", "--help");
	/* EAL's options before "--" are not ours to judge, not even those that only a later EAL has. */
	accept("-l 0,1 -m 64 --vdev net_tap0 --a-new-one 5 -- --stats 6");
	assert_int_equal(conf.stats, 6);
}

/* An option on the wrong side of "--", in each spelling; and a word that belongs to no option. */
static void
test_sides(void **state)
{
	RTE_SET_USED(state);
	refused("--stats 5 -- --stats 6", "--stats:", "option of the switch", "after");
	refused("-l 0,1 --stats=5 --", "--stats=5:", "option of the switch", "after");
	refused("-l 0,1 --socket-file /run/a", "--socket-file:", "option of the switch", "after");
	refused("-p 1 --", "-p:", "option of the switch", "after");
	refused("-p0x1 --", "-p0x1:", "option of the switch", "after");
	refused("--no-pci -P --", "-P:", "option of the switch", "after");
	refused("-- -l 0,1", "-l:", "option of EAL", "before");
	refused("-- -l0,1", "-l:", "option of EAL", "before");
	refused("-- --stats 5 --lcores 0@0", "--lcores:", "option of EAL", "before");
	refused("-- --file-prefix=x", "--file-prefix=x:", "option of EAL", "before");
	refused("-l 0, 1 --", "1:", "no option of EAL", "join");
	refused("vm1 --", "vm1:", "no option of EAL", "leave it out");
	/* A value is no option, whatever it looks like. */
	accept("--file-prefix --stats --");
	accept("-a -P --");
	assert_false(conf.promiscuous);
}

/* When letters are written together, the message names the wrong one. */
static void
test_letters(void **state)
{
	RTE_SET_USED(state);
	accept("-- -Pp1");
	assert_true(conf.promiscuous && conf.uplink);
	refused("-- --stats 5 -Px", "x", "unknown", "--help");
	refused("-- --stats 5 -xP", "x", "unknown", "--help");
}

static void
test_help(void **state)
{
	static const char *const lines[] = {
			"-- -h",
			"-- --help",
			"-h",
			"--help",
			"-l 0,1 --help",
			"-- --stats 5 -h --nonsense",
	};
	char name[40];
	size_t i;

	RTE_SET_USED(state);
	for (i = 0; i < RTE_DIM(lines); i++) {
		assert_int_equal(parse(lines[i]), CONF_DONE);
		assert_string_equal(err, "");
		assert_non_null(strstr(out, "Usage: vhost-switch"));
		assert_non_null(strstr(out, "\n  vlan=N\n"));
	}
	for (i = 0; i < RTE_DIM(numbers); i++) {
		snprintf(name, sizeof(name), "  %s ", numbers[i].name);
		assert_non_null(strstr(out, name));
	}
	assert_int_equal(parse("-- --version"), CONF_DONE);
	assert_string_equal(out, "vhost-switch " VHOST_SWITCH_VERSION "\n");
	assert_int_equal(parse("--version"), CONF_DONE);
	/* A wrong value before --help is reported first. */
	refused("-- --stats x --help", "--stats", "x", "");
}

static void
test_derived(void **state)
{
	RTE_SET_USED(state);
	accept("--");
	assert_int_equal(conf_vlan(&conf, 0), 1000);
	assert_int_equal(conf_vlan(&conf, 255), 1255);
	assert_int_equal(conf_frame_max(&conf), 1522);
	accept("-- --vlan-base 0 --mergeable 1");
	assert_int_equal(conf_vlan(&conf, 7), 0);
	assert_int_equal(conf_frame_max(&conf), 9022);
	/* A tag past the last one must not wrap to a small one. */
	accept("-- --vlan-base 4094");
	assert_int_equal(conf_vlan(&conf, 1), 4095);
	assert_int_equal(conf_vlan(&conf, 255), 4349);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_defaults),
			cmocka_unit_test(test_number_limits),
			cmocka_unit_test(test_number_wrong),
			cmocka_unit_test(test_offloads),
			cmocka_unit_test(test_vmdq),
			cmocka_unit_test(test_port_mask),
			cmocka_unit_test(test_sockets),
			cmocka_unit_test(test_socket_owner),
			cmocka_unit_test(test_socket_length),
			cmocka_unit_test(test_socket_number),
			cmocka_unit_test(test_words),
			cmocka_unit_test(test_sides),
			cmocka_unit_test(test_letters),
			cmocka_unit_test(test_help),
			cmocka_unit_test(test_derived),
	};

	return cmocka_run_group_tests_name("conf", tests, NULL, conf_line_end);
}
