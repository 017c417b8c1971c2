/* SPDX-License-Identifier: BSD-3-Clause
 * Copyright (c) 2026 vhost-switch contributors
 */
/*
 * Signals a guest: the only system call of the fast path, which never waits.
 *
 * A guest is signalled by write(2) to its eventfd. That is made non-blocking, but the flag is
 * shared with the guest's owner, who can clear it and fill the counter: then the write waits. So a
 * thread checks every SIGNAL_LOOK ms if a thread is in the same call as at its last look, and
 * interrupts it. The guest is stopped for that. For SIGNAL_CAREFUL seconds after that no flag is
 * trusted: the kernel signals guests, as the notification of an asynchronous read of /dev/null
 * (io_submit(2), IOCB_FLAG_RESFD), which adds to a counter without ever waiting. That costs 650 ns
 * instead of the 310 of write(2), so it is not done always.
 *
 * Any thread that signals guests calls it. The state of a call belongs to the thread: two threads may signal one ring
 * at the same time. The watching thread reads it, and so it is atomic.
 */
#ifndef GUEST_SIGNAL_H
#define GUEST_SIGNAL_H

#include <signal.h>
#include <stdbool.h>

#include "base/limits.h"

/*
 * Milliseconds from one look to the next. A call waits for two looks at most, which is half of the 10 ms for
 * which a guest may delay a thread.
 */
#define SIGNAL_LOOK 2

/*
 * Milliseconds to the next look after one that found no call. 500 looks a second would be all that an idle switch
 * with --idle-sleep does, and 1 % of a CPU. A call that begins now waits for this and one more look:
 * still less than those 10 ms.
 */
#define SIGNAL_LOOK_IDLE 6

/*
 * Seconds for which all guests are signalled carefully. One wait of some milliseconds a minute is less than a
 * thousandth of a worker's time.
 */
#define SIGNAL_CAREFUL 60

/*
 * Starts the watching thread, which ends with the process. Returns false with errno set if that
 * fails. Main lcore, before workers run.
 */
bool signal_start(void);

/*
 * Signals a guest by its eventfd. Returns false if the eventfd was made to block; stop the guest
 * then. Any thread; SIGNAL_THREADS of them are watched.
 */
bool signal_guest(int fd);

/* Besides the workers there are the main lcore, the cuse thread, librte_vhost's (two with --client), and helpers. */
#define SIGNAL_THREADS (WORKER_MAX + 16)

/* Interrupts the system call of a thread, and does nothing else. */
#define SIGNAL_INTERRUPT SIGUSR1

/* Must have returned true before SIGNAL_INTERRUPT is sent; without that it ends the process. */
bool signal_allow_interrupts(void);

/*
 * Signals User Mode Linux by its socket (fds_is_socket()), which gets the eight bytes that an
 * eventfd would get. Never waits, by a flag of the call, which nobody else can change. A full
 * socket has signals that the guest has not read. Any thread.
 */
void signal_socket(int fd);

#endif /* GUEST_SIGNAL_H */
