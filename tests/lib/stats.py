# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The statistics table of vhost-switch: parsing, and the sums that must agree at rest."""

import re
from dataclasses import dataclass, field

COLUMNS = ("received", "delivered", "dropped", "sent", "flooded")
HEAD = re.compile(r"^vhost-switch statistics", re.M)
ROW = re.compile(r"^\s*(?P<name>(?:device\s+)?\d+|uplink|departed|total)\b:?(?P<numbers>(?:\s+\d+)+)\s*$")
ITEM = r"[a-z_0-9 ]+ \d+"
REASONS = re.compile(rf"^\s*(?P<name>(?:device\s+)?\d+|uplink|departed|total):\s*(?P<list>{ITEM}(?:, {ITEM})*)\s*$")
END = re.compile(r"^devices stopped for breaking the rules: (\d+)\n", re.M)


@dataclass
class Row:
    received: int = 0
    delivered: int = 0
    dropped: int = 0
    sent: int = 0
    flooded: int = 0
    reasons: dict = field(default_factory=dict)
    notes: dict = field(default_factory=dict)  # what is listed with the reasons but is no drop
    others: dict = field(default_factory=dict)  # further columns


@dataclass
class Table:
    rows: dict
    stopped: int  # devices that broke the rules
    text: str

    def __getitem__(self, name):
        """table[0] is device 0; table["uplink"], table["total"], table["departed"]."""
        return self.rows.get(name, Row())

    def devices(self):
        return sorted(name for name in self.rows if isinstance(name, int))

    def check(self):
        """Every frame is delivered or counted under a named reason; nothing is counted twice."""
        assert self.stopped == 0, f"a device was stopped\n{self.text}"
        parts = [row for name, row in self.rows.items() if name != "total"]
        for name, row in self.rows.items():
            assert row.received == row.delivered + row.dropped, \
                f"{name}: received {row.received} is not delivered {row.delivered} + dropped {row.dropped}\n{self.text}"
            assert name == "total" or row.dropped == sum(row.reasons.values()), \
                f"{name}: dropped {row.dropped}, reasons {row.reasons}\n{self.text}"
        sent = sum(row.sent for row in parts)
        due = sum(row.delivered + row.flooded for row in parts)
        assert sent == due, f"sent {sent}, but delivered and flooded make {due}\n{self.text}"
        if "total" in self.rows:
            for column in COLUMNS:
                total, summed = getattr(self.rows["total"], column), sum(getattr(r, column) for r in parts)
                assert total == summed, f"total {column} says {total}, the rows make {summed}\n{self.text}"


def _name(text):
    digits = text.split()[-1]
    return int(digits) if digits.isdigit() else digits


def _parse(text):
    rows = {}
    columns = COLUMNS
    reasons = []
    for line in text.splitlines():
        words = line.split()
        if set(COLUMNS) <= set(words):
            columns = words[1:]
            continue
        match = ROW.match(line)
        if match:
            numbers = [int(n) for n in match["numbers"].split()]
            assert len(numbers) == len(columns), f"{len(columns)} columns expected: {line!r}"
            values = dict(zip(columns, numbers))
            rows[_name(match["name"])] = Row(**{c: values.pop(c) for c in COLUMNS}, others=values)
            continue
        match = REASONS.match(line)
        if match:
            reasons.append((_name(match["name"]), match["list"]))
    for name, listed in reasons:
        row = rows.setdefault(name, Row())
        for item in listed.split(", "):
            reason, count = item.rsplit(" ", 1)
            (row.notes if " " in reason else row.reasons)[reason] = int(count)
    end = END.search(text)
    return Table(rows, int(end[1]) if end else 0, text)


def begun(stdout):
    """How many tables were begun."""
    return len(HEAD.findall(stdout))


def tables(stdout):
    """Every complete table in the output, oldest first."""
    starts = [m.start() for m in HEAD.finditer(stdout)] + [len(stdout)]
    return [_parse(stdout[a:b]) for a, b in zip(starts, starts[1:]) if END.search(stdout, a, b)]
