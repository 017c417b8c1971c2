/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Signalling a guest: the one system call of the fast path, and how it never waits.
 *
 * A guest is signalled by write(2) to its eventfd. That is made non-blocking, but the flag is
 * shared with the guest's owner, who can undo it, and fill the counter: then the write waits.
 * So a thread of this file's own looks, every SIGNAL_LOOK ms, which thread is in the same call
 * as at its last look, and interrupts it. The guest is stopped for that. And for
 * SIGNAL_CAREFUL seconds from then on no flag is trusted: guests are signalled by the kernel,
 * as the notification of an asynchronous read of /dev/null (io_submit(2), IOCB_FLAG_RESFD), which
 * adds to a counter without ever waiting. That costs 650 ns where write(2) costs 310, hence
 * it is not the rule.
 *
 * Who is in the call is a fact of the thread: two may signal one ring at a time.
 */
#ifndef GUEST_SIGNAL_H
#define GUEST_SIGNAL_H

#include <stdbool.h>

/* A thread waits two looks at most, that is for half of the 10 ms that a guest may hold it up. */
#define SIGNAL_LOOK 2

/* One wait of some milliseconds a minute is less than a thousandth of a worker's time. */
#define SIGNAL_CAREFUL 60

/*
 * Starts the thread that looks, which ends with the process. False: it can't be; errno says
 * why. Main lcore, before workers run.
 */
bool signal_start(void);

/*
 * Signals a guest by its eventfd. False: it was made to block, and the guest is to be stopped.
 * Any thread, of which SIGNAL_THREADS are watched: all that the switch has.
 */
bool signal_guest(int fd);

#define SIGNAL_THREADS 80

/*
 * Signals User Mode Linux by its socket (fds_is_socket()), which takes the eight bytes
 * that an eventfd would be given. Never waits: that is said in the call, where nobody else can
 * change it. A full socket has signals that the guest has not looked at. Any thread.
 */
void signal_socket(int fd);

#endif /* GUEST_SIGNAL_H */
