# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The members of answers, events and telemetry are those that the guide's chapter "Interfaces for programs" has.

A table there follows a comment `.. members: METHOD...`. A member may be missing if its text begins with "Only".
"""

import os
import re
from collections import defaultdict

from lib import guide, proc
from lib.control import Control
from lib.frames import BROADCAST, frame
from lib.room import room
from lib.switch import TWO_WORKERS
from lib.telemetry import Telemetry
from lib.uplink import TAP
from lib.wait import wait_for

TABLE = re.compile(r"^ *\.\. members: (?P<names>.+)\n\n(?P<rows>=+ +=+\n(?:.+\n)+)?", re.M)
ROW = re.compile(r"^``(?P<member>[^`]+)`` *(?P<text>.*)$", re.M)
CHANGES = "port.add port.set port.del config.apply config.check".split()
# What the scene does not bring about: changes that end with a warning, a client that is too slow.
RARE = {(name, "warning") for name in CHANGES} | {("event", "count")}
STATIC = "02:00:00:00:00:42"


def page(name):
    with open(os.path.join(guide.DOC, name), encoding="utf-8") as f:
        return f.read()


def tables(text):
    """{name: {member: True if it may be missing}}, by the text of the chapter."""
    found = {}
    for table in TABLE.finditer(text):
        rows = {row["member"]: row["text"].startswith("Only ") for row in ROW.finditer(table["rows"] or "")}
        found.update((name, rows) for name in table["names"].split())
    return found


def documented():
    """tables() of the chapter, with a row for each counter and each drop reason."""
    found = tables(page("programs.rst"))
    several = {"COUNTER": list(found.pop("COUNTER")),
               "REASON": re.findall(r"^``(\w+)``$", re.search(r"\.\. list DROP_REASONS\n(.*?)\.\. end", page(
                   "running.rst"), re.S)[1], re.M)}
    assert len(found) > 20 and all(len(names) > 10 for names in several.values())

    def spread(rows):
        for member, optional in rows.items():
            before, _, last = member.rpartition(".")
            for name in several.get(last, [last]):
                yield f"{before}.{name}".lstrip("."), optional
    return {name: dict(spread(rows)) for name, rows in found.items()}


def members(value, at=""):
    """The members of an answer, as the chapter writes them."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from members(inner, f"{at}.{key}".lstrip("."))
    elif isinstance(value, list):
        if not any(isinstance(item, dict) for item in value):
            yield f"{at}[]"
        for item in value:
            yield from members(item, f"{at}[]") if isinstance(item, dict) else ()
    else:
        yield at


def differences(rows, shown, name=""):
    """Sentences about what a table has and no answer, or an answer and no table."""
    keys = re.findall(r"^    ``([\w-]+)=", page("options.inc.rst"), re.M)
    shown = {re.sub(rf"(?<=\.settings\.)(?:{'|'.join(keys)})$", "KEY", member) for member in shown}
    for member in sorted(shown):
        if member not in rows and not any(row.startswith(f"{member}.") for row in rows):
            yield f"{name}: {member} is in no table"
    for row, optional in rows.items():
        seen = row in shown or any(member.startswith(f"{row}.") for member in shown)
        if not seen and not (optional and (name, row) in RARE):
            yield f"{name}: {row} is in no answer"


def test_members_are_those_of_the_guide(box):
    seen = defaultdict(set)
    with room(box, uplink=TAP, ports=("a", "b,guests=2"), lcores=TWO_WORKERS, introduce=False) as r, \
            Control(r.switch) as control, Control(r.switch) as watcher, Telemetry(r.switch) as telemetry:
        one, two = r.guests

        def note(name, answer):
            seen[name].update(members(answer))
            return answer

        def ask(method, **params):
            return note(method, control.ask(method, **params))

        def until(event):
            while note("event", watcher.read()["params"])["event"] != event:
                pass

        note("events.subscribe", watcher.ask("events.subscribe"))
        r.introduce(one, two)
        until("address.added")
        one.port.send(frame(BROADCAST, two.mac))
        until("address.moved")
        methods = ask("hello")["methods"]
        ask("fdb.add", mac=STATIC, port="a")
        for method in ("port.list", "fdb.list", "worker.list", "stats", "config.save"):
            ask(method)
        ask("explain", **{"from": "a", "to": BROADCAST})
        for port in ("0", "b.0", "uplink"):
            note("/vhost_switch/port", telemetry.ask(f"/vhost_switch/port,{port}"))
        for command in ("/vhost_switch/departed", "/vhost_switch/switch"):
            note(command, telemetry.ask(command))
        loads = telemetry.ask("/vhost_switch/workers")
        assert sorted(loads) == ["0", "1"]
        note("/vhost_switch/workers", {"0": loads["0"]})
        (worker,) = control.port("a")["guests"][0]["workers"]
        ask("worker.move", port="a", worker=1 - worker)
        ask("worker.rebalance")
        seen["worker.rebalance"] |= seen["worker.move"]  # it may have had nothing to move
        ask("log.set", level="info")
        new = f"[port c]\nsocket = {box.path('c')}\n"
        ask("config.check", text=new)
        ask("config.apply", text=new)
        ask("port.add", name="d", socket=box.path("d"))
        ask("port.del", name="d")
        until("port.removed")
        proc.run(["ip", "link", "set", r.uplink.near, "down"], ns=r.uplink.ns)
        until("link.down")
        assert ask("port.set", name="a", mtu=1400)["reconnects"] == ["a"]
        until("guest.disconnected")
        wait_for(lambda: any("waits" in entry for entry in ask("fdb.list")["entries"]), what="a static address waits")
        ask("fdb.del", mac=STATIC)
        ask("fdb.flush")
    tables_of = documented()
    assert {name for name in tables_of if name != "event" and not name.startswith("/")} == set(methods)
    wrong = [line for name, rows in tables_of.items() for line in differences(rows, seen[name], name)]
    assert not wrong, "\n".join(wrong)


def test_members_that_differ_are_noticed():
    (rows,) = tables(".. members: x\n\n====  ====\n``a``  one\n``b[].c``  Only at times\n====  ====\n").values()
    assert rows == {"a": False, "b[].c": True} and set(members({"a": 1, "b": [{"c": None}]})) == set(rows)
    assert list(differences(rows, {"a", "b[].c"}, "x")) == []
    assert list(differences(rows, {"a", "b[]", "b[].c"}, "x")) == []
    assert list(differences(rows, {"b[].c", "d"}, "x")) == ["x: d is in no table", "x: a is in no answer"]
    assert list(differences({"warning": True}, set(), "port.add")) == []
    assert list(differences({"warning": False}, set(), "port.add")) == ["port.add: warning is in no answer"]
