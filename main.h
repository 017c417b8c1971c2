/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * The switch as main() makes it: the one object of each part. Only main.c includes this file; it gives
 * each part what that works on.
 */
#ifndef MAIN_H
#define MAIN_H

#include "base/wake.h"
#include "conf/conf.h"
#include "guest/guests.h"
#include "run/notify.h"
#include "run/load.h"
#include "run/parts.h"
#include "run/reload.h"
#include "run/statics.h"
#include "run/stats.h"
#include "run/worker.h"
#include "switch/lanes.h"
#include "switch/learn.h"
#include "switch/port.h"

struct cuse;
struct fdb;
struct uplink;

struct whole {
	int argc; /* the command line */
	char **argv;
	struct conf given; /* the settings as given */
	struct conf *conf; /* as resolved at start; parts.conf has the present ones */
	struct wake wake;
	struct ports ports;
	struct fdb *fdb;
	struct learn_queue learn;
	struct lanes lanes;
	struct workers workers;
	struct uplink *uplink; /* NULL: none */
	struct guests guests;
	struct cuse *cuse; /* NULL: no device node is served */
	struct statics statics;
	struct stats stats;
	struct loads loads;
	struct notify notify;
	struct reload reload;
	struct parts parts;
};

#endif /* MAIN_H */
