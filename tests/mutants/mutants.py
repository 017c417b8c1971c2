# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The mutants of tests/mutants/run."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Mutant:
    """`text` of `file` becomes `instead`; then `case` of tests/unit/test_TEST.c must fail."""

    name: str
    says: str
    file: str
    text: str
    instead: str
    test: str
    case: str = ""
    dies: bool = False  # a test that hangs or crashes has found it, too
    tsan: bool = False  # ThreadSanitizer must report a race, in its build
    alone: bool = False  # the failure shows only while two threads run at the same time
    check: bool = True  # make check has time for it


MUTANTS = (
    Mutant("rx-lock", "a receive ring's lock is not taken", "guest/rx.c",
           "likely(rte_spinlock_trylock(&vq->leases.lock))", "rte_spinlock_trylock(&vq->leases.lock) >= 0",
           "forward", "test_ring_in_use"),
    Mutant("rx-lock-race", "the same; a race that ThreadSanitizer must see", "guest/rx.c",
           "likely(rte_spinlock_trylock(&vq->leases.lock))", "rte_spinlock_trylock(&vq->leases.lock) >= 0",
           "threads", tsan=True),
    Mutant("lease-order", "a lease is shown before an earlier one", "guest/lease.h",
           "if (all->first != l->slot)", "if (all->first > LEASES_MAX)", "lease", "test_order"),
    Mutant("rx-set-grace", "a set of receive rings is written again while workers may read it", "guest/guest.c",
           "\tif (g->set_in_use)\n\t\tguest_quiesce(g);\n", "", "guest", "test_grace"),
    Mutant("pause-grace", "a ring is taken from workers without waiting for them", "guest/guest.c",
           "\tguest_quiesce(g);\n\tRING_SET_FOREACH", "\tRING_SET_FOREACH",
           "guest", "test_grace"),
    Mutant("resume-signal", "no signal after a pause", "guest/guest.c",
           "if (g->ring[i].callfd >= 0)", "if (g->ring[i].callfd >= 1 << 30)", "guest", "test_signal_after_pause"),
    Mutant("signal-stuck", "nobody sees that a thread waits in a signal", "guest/signal.c",
           "if ((calls & 1) && calls == seen[c - callers])", "if ((calls & 1) && calls == 0)",
           "signal", "test_two_wait", dies=True),
    Mutant("signal-careful", "descriptors are trusted after one was made to block", "guest/signal.c",
           "if (unlikely(interrupted))", "if (false)", "signal", "test_careful"),
    Mutant("epoch", "a request to learn outlives its tenant", "run/control.c",
           "p->ports->port[r->port].epoch != r->epoch ||", "r->port == PORT_MAX ||", "loop", "test_epoch"),
    Mutant("dirty-last", "the last page of a long write is not noted", "guest/dirty_log.c",
           "if (page > last)", "if (page >= last)", "dirty_log", "test_whole_regions"),
    Mutant("dirty-end", "a page past the log is noted", "guest/dirty_log.c",
           "if (unlikely(last >> 3 >= m->log_size))", "if (unlikely(last >> 3 > m->log_size))",
           "dirty_log", "test_whole_regions"),
    Mutant("barrier-split", "no barrier before the look whether the driver sleeps", "guest/split.h",
           "\trte_smp_mb();\n", "", "threads", "test_sleeper_split", alone=True),
    Mutant("barrier-packed", "the same with packed rings", "guest/packed.h",
           "\trte_smp_mb();\n", "", "threads", "test_sleeper_packed", alone=True),
    Mutant("chain-length", "a chain may be one longer than the ring", "guest/split.h",
           "steps++ == RTE_MIN(t.n, CHAIN_MAX)", "steps++ == RTE_MIN(t.n, CHAIN_MAX) + 1", "split", "test_chain_max",
           check=False),
    Mutant("avail-overrun", "more may be available than the ring has", "guest/split.h",
           "if (unlikely(n > vq->size)) {", "if (unlikely(n > vq->size + 1)) {", "split", "test_available",
           check=False),
    Mutant("isolation", "isolated ports reach each other", "switch/port.h",
           "return port_policy(&p->port[a]) & port_policy(&p->port[b]) & PORT_ISOLATED;",
           "return a > PORT_MAX && b > PORT_MAX;", "policy", "test_isolated"),
    Mutant("own-macs", "a port may use addresses that are not its own", "switch/route.c",
           "if ((policy & PORT_MACS) && !route_may_send(", "if ((policy & 0) && !route_may_send(",
           "policy", "test_macs"),
    Mutant("link-local", "01-80-C2-00-00-0F is forwarded", "switch/route.c",
           "to[RTE_ETHER_ADDR_LEN - 1] <= LINK_LOCAL_LAST", "to[RTE_ETHER_ADDR_LEN - 1] < LINK_LOCAL_LAST",
           "route", "test_link_local"),
    Mutant("share", "nobody waits for others, however much was done for it", "switch/share.h",
           "if (likely(ahead < SHARE_AHEAD))", "if (likely(ahead < INT64_MAX / 4))",
           "share", "test_equal", check=False),
    Mutant("rx-useless", "chains that take no frame stop no device", "guest/room.h",
           "if (++vq->useless == RX_USELESS_MAX)", "if (++vq->useless == 0)", "rx", "test_useless"),
    Mutant("fdb-grace", "a position of the table is used again at once", "switch/fdb.c",
           "if (!grace_over(t->qsbr, done.token))", "if (done.token == 0)", "fdb", "test_grace_period"),
    Mutant("uplink-hold", "a frame that comes back takes its sender's address to the wire", "switch/fdb.c",
           "(port == PORT_UPLINK && !fdb_idle(t, e))", "(port == PORT_UPLINK && !t)",
           "fdb", "test_uplink_takes_nothing_in_use"),
    Mutant("space-log", "a log may take more addresses than the share", "guest/space.c",
           "ok = memory <= *share && log <= *share - memory;", "ok = memory <= *share;", "space", "test_share"),
)
