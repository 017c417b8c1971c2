/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/* The settings of ports (--port), their names and their tags: what is taken, and what is refused. */
#include <rte_common.h>

#include "conf_line.h"

static void
test_port(void **state)
{
	const struct conf_port *p;

	RTE_SET_USED(state);
	accept("-- --port vm1,socket=/run/vm1.sock");
	p = &conf.port[0];
	assert_int_equal(conf.nports, 1); /* and no ./usvhost */
	assert_string_equal(p->name, "vm1");
	assert_string_equal(p->socket, "/run/vm1.sock");
	assert_int_equal(p->role, ROLE_SERVER);
	assert_int_equal(p->guests, 1);
	assert_false(p->vlan_given);
	accept("-- --port vm-1_x.y,vlan=10,guests=256,socket=a,role=server --socket-file b");
	assert_int_equal(conf.nports, 2);
	assert_string_equal(p->name, "vm-1_x.y");
	assert_int_equal(p->guests, 256);
	assert_true(p->vlan_given);
	assert_int_equal(p->vlan, 10);
	assert_int_equal(conf.port[1].guests, 64);
	/* Who listens: as --client says, also when that comes later. */
	accept("-- --port a,socket=a --port b,socket=b,role=server --client");
	assert_int_equal(conf.port[0].role, ROLE_CLIENT);
	assert_int_equal(conf.port[1].role, ROLE_SERVER);
	accept("-- --port a,socket=a,role=client,vlan=4094");
	assert_int_equal(p->role, ROLE_CLIENT);
	assert_int_equal(p->vlan, 4094);
}

static void
test_port_wrong(void **state)
{
	char line[200], name[PORT_NAME_MAX + 2];

	RTE_SET_USED(state);
	refused("-- --port", "--port", "needs a value", "--help");
	refused("-- --port ''", "--port", "letters, digits", "");
	refused("-- --port socket=a", "--port socket=a", "letters, digits", "");
	refused("-- --port ,socket=a", "--port", "letters, digits", "");
	refused("-- --port a/b,socket=a", "--port a/b", "letters, digits", "");
	refused("-- --port 12,socket=a", "--port 12", "number", "");
	refused("-- --port uplink,socket=a", "--port uplink", "taken", "");
	refused("-- --port a", "--port a", "socket=PATH", "");
	refused("-- --port a,vlan=1", "--port a", "socket=PATH", "");
	refused("-- --port a,socket=", "--port a", "socket=", "path");
	refused("-- --port a,socket", "--port a", "socket: must be key=value", "guests=");
	refused("-- --port a,socket=b,sock=c", "--port a", "sock: no such key", "socket= role=");
	refused("-- --port a,socket=b,vlan=4095", "--port a", "vlan=4095", "0 to 4094");
	refused("-- --port a,socket=b,vlan=", "--port a", "vlan=", "0 to 4094");
	refused("-- --port a,socket=b,vlan=x", "--port a", "vlan=x", "0 to 4094");
	refused("-- --port a,socket=b,guests=0", "--port a", "guests=0", "1 to 256");
	refused("-- --port a,socket=b,guests=257", "--port a", "guests=257", "1 to 256");
	refused("-- --port a,socket=b,role=both", "--port a", "role=both", "server or client");
	refused("-- --port a,socket=b,role=client,guests=2", "--port a", "guests=2", "client");
	refused("-- --port a,socket=b --port a,socket=c", "--port a", "twice", "");
	refused("-- --port a,socket=b --port c,socket=b", "--port c", "b", "twice");
	refused("-- --socket-file b --port c,socket=b", "--port c", "b", "twice");
	/* The tag that another port has by its index. */
	refused("-- --port a,socket=a,vlan=1001 --port b,socket=b", "--port a", "vlan=1001",
			"port b");
	accept("-- --port a,socket=a,vlan=1001 --port b,socket=b,vlan=1000");
	accept("-- --port a,socket=a,vlan=1001 --port b,socket=b,vlan=1001");
	accept("-- --port a,socket=a,vlan=1001 --port b,socket=b --vlan-base 0");
	memset(name, 'n', sizeof(name));
	name[PORT_NAME_MAX] = '\0';
	snprintf(line, sizeof(line), "-- --port %s,socket=a", name);
	accept(line);
	name[PORT_NAME_MAX] = 'n';
	name[PORT_NAME_MAX + 1] = '\0';
	snprintf(line, sizeof(line), "-- --port %s,socket=a", name);
	refused(line, "--port", name, "1 to 47");
}

static void
test_port_policy(void **state)
{
	const struct conf_port *p = &conf.port[0];
	struct rte_ether_addr mac;
	char line[400];
	int n, i;

	RTE_SET_USED(state);
	accept("-- --port a,socket=a");
	assert_false(p->isolated);
	assert_int_equal(p->nmacs, 0);
	rte_ether_unformat_addr("02:00:00:00:00:01", &mac);
	assert_false(conf_mac_named(&conf, &mac));
	accept("-- --port a,socket=a,isolated=yes,mac=02:00:00:00:00:03+02:00:00:00:00:0A "
	       "--port b,socket=b,isolated=no,mac=02:00:00:00:00:01,mac=02:00:00:00:00:02");
	assert_true(p->isolated);
	assert_int_equal(p->nmacs, 2);
	assert_int_equal(p->mac[1].addr_bytes[5], 10);
	assert_false(conf.port[1].isolated);
	assert_int_equal(conf.port[1].nmacs, 2);
	for (i = 0; i < 12; i++) {
		mac.addr_bytes[5] = i;
		assert_int_equal(
				conf_mac_named(&conf, &mac), i == 1 || i == 2 || i == 3 || i == 10);
	}
	refused("-- --port a,socket=b,isolated=1", "--port a", "isolated=1", "yes or no");
	assert_false(p->no_own_tags);
	accept("-- --port a,socket=a,own-tags=drop --port b,socket=b,own-tags=keep");
	assert_true(p->no_own_tags);
	assert_false(conf.port[1].no_own_tags);
	assert_false(p->uml);
	accept("-- --port a,socket=a,uml=yes --port b,socket=b,uml=no");
	assert_true(p->uml);
	assert_false(conf.port[1].uml);
	refused("-- --port a,socket=b,uml=1", "--port a", "uml=1", "yes or no");
	refused("-- --port a,socket=b,own-tags=yes", "--port a", "own-tags=yes", "keep or drop");
	refused("-- --port a,socket=b,own_tags=drop", "--port a", "own_tags", "own-tags=");
	refused("-- --port a,socket=b,mac=", "--port a", "mac=", "unicast");
	refused("-- --port a,socket=b,mac=x", "--port a", "mac=x", "unicast");
	refused("-- --port a,socket=b,mac=01:00:00:00:00:01", "--port a", "01:", "unicast");
	refused("-- --port a,socket=b,mac=00:00:00:00:00:00", "--port a", "00:", "unicast");
	refused("-- --port a,socket=b,mac=02:00:00:00:00:01:02", "--port a", ":02", "unicast");
	refused("-- --port a,socket=b,mac=02:00:00:00:00:01x", "--port a", ":01x", "unicast");
	refused("-- --port a,socket=b,mac=0200:0000:0001", "--port a", ":0001", "unicast");
	n = snprintf(line, sizeof(line), "-- --port a,socket=b,mac=02:00:00:00:00:00");
	for (i = 1; i < 16; i++)
		n += snprintf(line + n, sizeof(line) - n, "+02:00:00:00:00:%02x", i);
	accept(line);
	assert_int_equal(p->nmacs, 16);
	snprintf(line + n, sizeof(line) - n, ",mac=02:00:00:00:00:10");
	refused(line, "--port a", "mac=02:00:00:00:00:10", "at most 16");
}

static void
test_port_offers(void **state)
{
	const struct conf_port *a = &conf.port[0], *b = &conf.port[1];

	RTE_SET_USED(state);
	accept("-- --port a,socket=a");
	assert_true(a->csum == CHOICE_NO && a->tso == CHOICE_NO && a->mergeable == CHOICE_NO);
	assert_int_equal(a->mtu, 1500);
	assert_int_equal(a->queues, 16);
	assert_false(a->owned || a->mode_given);
	/* The global options hold for ports that say nothing, wherever the options are. */
	accept("-- --port a,socket=a --port b,socket=b,tso=no,csum=no,mergeable=no --tso 1 --mergeable 1");
	assert_true(a->csum == CHOICE_YES && a->tso == CHOICE_YES && a->mergeable == CHOICE_YES);
	assert_true(b->csum == CHOICE_NO && b->tso == CHOICE_NO && b->mergeable == CHOICE_NO);
	assert_int_equal(a->mtu, 9000);
	assert_int_equal(b->mtu, 1500);
	accept("-- --port a,socket=a,csum=no --tso 1");
	assert_true(a->csum == CHOICE_NO && a->tso == CHOICE_NO);
	/* The switch is ready for what any one port offers. */
	accept("-- --port a,socket=a,tso=yes,mergeable=yes --port b,socket=b,mtu=1400,queues=2");
	assert_true(a->csum == CHOICE_YES && b->csum == CHOICE_NO && b->tso == CHOICE_NO);
	assert_true(conf.offers.tso && conf.offers.csum && conf.offers.mergeable);
	assert_int_equal(conf_frame_max(&conf), 9022);
	assert_int_equal(b->mtu, 1400);
	assert_int_equal(b->queues, 2);
	accept("-- --port a,socket=a,owner=64055:108,mode=0660");
	assert_true(a->owned && a->mode_given);
	assert_int_equal(a->uid, 64055);
	assert_int_equal(a->gid, 108);
	assert_int_equal(a->mode, 0660);
	accept("-- --port a,socket=a,mtu=9000,mergeable=yes");
	refused("-- --port a,socket=a,mtu=1501", "--port a", "mtu=1501", "mergeable=yes");
	refused("-- --port a,socket=a,mtu=67", "--port a", "mtu=67", "68 to 9000");
	refused("-- --port a,socket=a,mtu=9001", "--port a", "mtu=9001", "68 to 9000");
	refused("-- --port a,socket=a,queues=0", "--port a", "queues=0", "1 to 16");
	refused("-- --port a,socket=a,queues=17", "--port a", "queues=17", "1 to 16");
	refused("-- --port a,socket=a,tso=yes,csum=no", "--port a", "csum=no", "tso=yes");
	refused("-- --port a,socket=a,csum=1", "--port a", "csum=1", "yes or no");
	refused("-- --port a,socket=a,tso=on", "--port a", "tso=on", "yes or no");
	refused("-- --port a,socket=a,mergeable=", "--port a", "mergeable=", "yes or no");
	refused("-- --port a,socket=a,owner=root", "--port a", "owner=root", "user:group");
	refused("-- --port a,socket=a,mode=888", "--port a", "mode=888", "octal");
	refused("-- --port a,socket=a,role=client,mode=0660", "--port a", "mode=", "QEMU");
	refused("-- --port a,socket=a,owner=0:0 --client", "--port a", "owner=", "QEMU");
}

/* A port that is given no name has that of its socket. */
static void
test_port_names(void **state)
{
	RTE_SET_USED(state);
	accept("-- --socket-file /run/a.sock --dev-basename b");
	assert_string_equal(conf.port[0].name, "a.sock");
	assert_string_equal(conf.port[1].name, "b");
	assert_int_equal(conf.port[1].guests, 256);
	accept("-- --socket-file x/a --socket-file y/a --socket-file z/a --port a-2,socket=a");
	assert_string_equal(conf.port[0].name, "a");
	assert_string_equal(conf.port[1].name, "a-3");
	assert_string_equal(conf.port[2].name, "a-4");
	assert_string_equal(conf.port[3].name, "a-2");
	accept("-- --socket-file a=b --socket-file 12");
	assert_string_equal(conf.port[0].name, "a_b");
	assert_string_equal(conf.port[1].name, "port12");
	accept("--");
	assert_string_equal(conf.port[0].name, "usvhost");
}

static void
test_tags(void **state)
{
	RTE_SET_USED(state);
	accept("--");
	assert_true(conf.tagged);
	assert_int_equal(conf_tag_owner(&conf, 0), TAG_NOBODY);
	assert_int_equal(conf_tag_owner(&conf, 999), TAG_NOBODY);
	assert_int_equal(conf_tag_owner(&conf, 1000), 0);
	assert_int_equal(conf_tag_owner(&conf, 1255), 255);
	assert_int_equal(conf_tag_owner(&conf, 1256), TAG_NOBODY);
	assert_int_equal(conf_tag_owner(&conf, 4095), TAG_NOBODY);
	accept("-- --port a,socket=a,vlan=10 --port b,socket=b --port c,socket=c,vlan=20,guests=2 "
	       "--port d,socket=d,vlan=1005 --port e,socket=e,vlan=30 --port f,socket=f,vlan=30 "
	       "--port g,socket=g,vlan=0");
	assert_int_equal(conf_tag_owner(&conf, 10), 0);
	assert_int_equal(conf_tag_owner(&conf, 1000), TAG_NOBODY); /* device 0 has 10 */
	assert_int_equal(conf_tag_owner(&conf, 1001), 1);
	assert_int_equal(conf_tag_owner(&conf, 20), TAG_SHARED); /* two guests */
	assert_int_equal(conf_tag_owner(&conf, 1005), 3);        /* and not of device 5 */
	assert_int_equal(conf_tag_owner(&conf, 30), TAG_SHARED); /* two ports */
	assert_int_equal(conf_tag_owner(&conf, 0), 6);
	assert_int_equal(conf_tag_owner(&conf, 1007), 7);
	/* No tags at all; then one port that has a tag all the same. */
	accept("-- --vlan-base 0");
	assert_false(conf.tagged);
	accept("-- --vlan-base 0 --port a,socket=a,vlan=10 --socket-file b");
	assert_true(conf.tagged);
	assert_int_equal(conf_tag_owner(&conf, 10), 0);
	assert_int_equal(conf_tag_owner(&conf, 0), TAG_SHARED);
	accept("-- -p 1 --vmdq 1 --vlan-base 0 --port a,socket=a,vlan=10");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
			cmocka_unit_test(test_port),
			cmocka_unit_test(test_port_wrong),
			cmocka_unit_test(test_port_policy),
			cmocka_unit_test(test_port_offers),
			cmocka_unit_test(test_port_names),
			cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests_name("conf_port", tests, NULL, conf_line_end);
}
