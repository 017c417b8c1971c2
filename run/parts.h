/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The objects of the other floors that this one shows and maintains. main.c makes them; they
 * outlive everything that gets this struct. It is complete before the main lcore's loop begins; after that only
 * `conf` changes, until main.c takes everything apart. Main lcore; telemetry's thread reads it.
 */
#ifndef PARTS_H
#define PARTS_H

struct changes;
struct conf;
struct fdb;
struct guests;
struct lanes;
struct learn_queue;
struct loads;
struct notify;
struct ports;
struct reload;
struct rpc;
struct statics;
struct stats;
struct uplink;
struct wake;

struct parts {
	const struct conf *conf; /* replaced as a whole by settings.h */
	struct ports *ports;
	struct fdb *fdb;
	struct learn_queue *learn;
	struct lanes *lanes;
	struct guests *guests;
	struct uplink *uplink; /* NULL: none */
	struct statics *statics;
	struct stats *stats;
	struct loads *loads;
	struct notify *notify; /* the service manager */
	struct wake *wake;     /* wakes the main lcore */
	struct changes *changes;
	struct reload *reload;
	struct rpc *rpc; /* the control socket; NULL: none */
};

#endif /* PARTS_H */
