# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""What a log may not hold."""

import re

BAD = re.compile(r"\b(error|err|fail(ed|ure|s)?|cannot|could not|unable|invalid|panic|abort(ed|ing)?|assert\w*"
                 r"|segmentation|overflow|corrupt\w*|leak\w*|refused|bad)\b", re.I)
SANITIZER = re.compile(r"Sanitizer|runtime error:|SUMMARY: ")
# Lines that look bad but say what is expected on any machine; each with its reason.
HARMLESS = (
    r"EAL: VFIO support",
    # net_tap on a kernel without the multiq qdisc, which only its flow rules need
    r"tap_nl_dump_ext_ack\(\)|qdisc_create_multiq\(\)|eth_dev_tap_create\(\): .*(multiq|Disabling rte flow)",
    # net_tap in a process that can have no secondary ones (--in-memory)
    r"tap_mp_req_on_rxtx\(\): Failed to send (start|stop) req to secondary",
    # a peer that goes away while librte_vhost talks to it
    r"VHOST_CONFIG: .*(vhost peer closed|recvmsg failed|vhost read message failed|"
    r"sendmsg error on fd \d+ \(Broken pipe\))",
)
HARMLESS_LINE = re.compile("|".join(HARMLESS))


def check(log, allow=()):
    """Asserts that nothing went wrong; `allow` holds patterns of lines that this test provokes."""
    report = SANITIZER.search(log)
    assert not report, "sanitizer report:\n" + log[max(0, report.start() - 500):report.start() + 5000]
    allowed = [re.compile(pattern) for pattern in allow]
    bad = [line for line in log.splitlines()
           if BAD.search(line) and not HARMLESS_LINE.search(line)
           and not any(pattern.search(line) for pattern in allowed)]
    assert not bad, "the log says:\n" + "\n".join(bad)
