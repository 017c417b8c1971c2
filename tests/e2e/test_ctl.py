# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""vhost-switch-ctl: each command against a switch with guests, its exit statuses, and what monitors read."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess

from lib import proc
from lib.control import Control
from lib.frames import BROADCAST, frame
from lib.guests import Guests
from lib.room import room
from lib.switch import ROOT, Switch
from lib.telemetry import Telemetry
from lib.uplink import TAP
from lib.wait import DEADLINE, wait_for

CTL = os.path.join(ROOT, "build", "vhost-switch-ctl")


def ctl(switch, *words, status=0, text=None):
    """What the tool prints on stdout, or with a status that is not 0 its one line on stderr."""
    path = f"{switch.directory}/dpdk/{switch.prefix}/control"
    result = subprocess.run([CTL, *words], env={"VHOST_SWITCH_CONTROL": path}, input=text, capture_output=True,
                            text=True, errors="surrogateescape", timeout=60, check=False)
    assert result.returncode == status, result
    if status:
        assert re.fullmatch(r"vhost-switch-ctl: .+\n", result.stderr), result.stderr
        return result.stderr
    assert result.stderr == ""
    return result.stdout


def test_each_command(box):
    with room(box, 2, uplink=TAP) as r:
        one, two = r.guests
        switch = r.switch
        assert re.match(r"vhost-switch \S+, process \d+, interface 1\n", ctl(switch, "hello"))
        shown = ctl(switch, "show").splitlines()
        assert [line.split()[:2] for line in shown] == [["PORT", "STATE"], ["usvhost.0", "up"], ["usvhost.1", "up"],
                                                        ["uplink", "up"]]
        assert ctl(switch, "add", "b", "socket=b", "vlan=7") == "+ port b socket=b vlan=7\n"
        assert re.search(r"^b +down +waits for a guest$", ctl(switch, "show", "b"), re.M)
        assert ctl(switch, "set", "b", "vlan=8", "isolated=yes") == (
            "~ port b vlan 7 -> 8\n~ port b isolated default -> yes\n")
        assert ctl(switch, "set", "b", "isolated=", "queues=2") == (
            "~ port b isolated yes -> default\n~ port b queues default -> 2\nguests of b have to connect again\n")
        assert "[port b]\nsocket = b\nvlan = 8\nqueues = 2\n" in ctl(switch, "save")
        saved = ctl(switch, "save")
        assert ctl(switch, "apply", "--dry-run", "-", text=saved + "[port c]\nsocket=c\n") == "+ port c socket=c\n"
        assert ctl(switch, "apply", "-", text=saved) == ""
        assert ctl(switch, "del", "b") == "- port b\n"
        assert {one.mac, two.mac} <= {line.split()[0] for line in ctl(switch, "fdb").splitlines()[1:]}
        assert one.mac in ctl(switch, "fdb", "show", "usvhost.0")
        explained = ctl(switch, "explain", "from=usvhost.0", f"to={two.mac}")
        assert explained.splitlines()[0] == "delivered: usvhost.1"
        assert ctl(switch, "explain", "from=uplink", f"to={two.mac}", "vlan=99").startswith("dropped: wrong_vlan\n")
        ctl(switch, "explain", "from=usvhost.0", f"to={two.mac}", "vlan=x", status=2)
        assert ctl(switch, "fdb", "add", "02:00:00:00:00:42", "usvhost.1") == ""
        assert re.search("02:00:00:00:00:42 +usvhost.1 .*static", ctl(switch, "fdb", "show"))
        assert ctl(switch, "fdb", "del", "02:00:00:00:00:42") == ""
        assert ctl(switch, "fdb", "flush", "usvhost.0") == "1 addresses forgotten\n"
        assert re.search(r"^0 +\d+( +[\d.]+%?){4} +0 1 uplink$", ctl(switch, "workers"), re.M)
        assert sorted(ctl(switch, "set", "usvhost", "worker=0").split()) == sorted(
            ctl(switch, "workers", "move", "usvhost", "0").split())
        assert "worker 7: there are 1" in ctl(switch, "set", "usvhost", "worker=7", status=1)
        assert "worker x: must be a number" in ctl(switch, "set", "usvhost", "worker=x", status=2)
        before = ctl(switch, "save")
        assert "by a command of its own" in ctl(switch, "set", "usvhost", "vlan=9", "worker=0", status=2)
        # What a command does not have it does not ignore.
        assert "only apply has it" in ctl(switch, "--dry-run", "del", "usvhost", status=2)
        assert "only watch and events have it" in ctl(switch, "--count", "2", "show", status=2)
        for command in ("watch", "metrics"):
            assert f"--json: {command} does not have it; -j stats" in ctl(switch, "-j", command, status=2)
        assert "--count 2x: must be a number" in ctl(switch, "--count", "2x", "watch", status=2)
        assert ctl(switch, "save") == before
        assert re.search(r"^  received [1-9]", ctl(switch, "stats", "usvhost.1"), re.M)
        assert [port["name"] for port in json.loads(ctl(switch, "-j", "stats", "uplink"))["ports"]] == ["uplink"]
        assert "no guest of that name" in ctl(switch, "stats", "nobody", status=1)
        assert ctl(switch, "log", "debug") == ""
        watched = ctl(switch, "watch", "0.1", "--count", "2")
        assert len(re.findall(r"^usvhost\.0( +\d+){6}$", watched, re.M)) == 2
        for command in (["show"], ["fdb"], ["workers"], ["stats"], ["save"], ["hello"], ["apply", "-"]):
            assert isinstance(json.loads(ctl(switch, "-j", *command, text=saved)), dict), command


def test_output_that_can_not_be_written(box):
    """As on a full disk: what was saved only in part must not pass for a whole file."""
    with Switch(box, ["--port", "a,socket=a"]) as switch, Control(switch) as control:
        path = f"{switch.directory}/dpdk/{switch.prefix}/control"
        for words in (["save"], ["-j", "show"], ["metrics"], ["--help"], ["--version"], ["watch", "0.1"], ["events"]):
            with open("/dev/full", "wb") as full:
                tool = subprocess.Popen([CTL, "--socket", path, *words], stdout=full, stderr=subprocess.PIPE, text=True)
                while words == ["events"] and tool.poll() is None:
                    control.ask("port.set", name="a", isolated=True)
                    control.ask("port.set", name="a", isolated=None)
                _, said = tool.communicate(timeout=60)
            assert tool.returncode == 1, words
            assert said == "vhost-switch-ctl: the output can't be written: No space left on device\n", words


def test_file_with_a_zero_byte(box):
    """What comes before it is not taken for the file."""
    with open(box.path("conf"), "w", encoding="ascii") as f:
        f.write("[port a]\nsocket=a\n[port b]\nsocket=b\n")
    with Switch(box, ["--config", box.path("conf")]) as switch:
        saved = ctl(switch, "save")
        for number, data in enumerate((b"\0" * 4096, b"[port a]\nsocket=a\n\0[port b]\nsocket=b\n")):
            with open(box.path(f"f{number}"), "wb") as f:
                f.write(data)
            assert "has a byte of 0" in ctl(switch, "apply", box.path(f"f{number}"), status=2)
            assert "has a byte of 0" in ctl(switch, "apply", "-", text=data.decode(), status=2)
        assert ctl(switch, "save") == saved


def test_arguments_that_are_no_text(box):
    """They are refused by name. If they were left out, more would be done than was asked for."""
    no_text = "\udcff"  # the byte of that value, as Python passes it on
    with Switch(box, ["--port", "a,socket=a"]) as switch:
        saved = ctl(switch, "save")
        for words in (["show", no_text], ["add", no_text, "socket=b"], ["add", "b", f"socket={no_text}"],
                      ["set", "a", f"socket={no_text}"], ["set", "a", f"{no_text}=1"],
                      ["set", "a", f"worker={no_text}"],
                      ["del", no_text], ["fdb", "show", no_text], ["fdb", "add", no_text, "a"], ["fdb", "del", no_text],
                      ["fdb", "flush", no_text], ["explain", "from=a", f"to={no_text}"],
                      ["workers", "move", no_text, "0"], ["stats", no_text], ["log", no_text]):
            wrong, = [word for word in words if no_text in word]
            assert ctl(switch, *words, status=2) == f"vhost-switch-ctl: {wrong}: is not UTF-8\n"
        assert ctl(switch, "save") == saved
        with open(os.fsencode(box.path(no_text)), "w", encoding="ascii") as f:
            f.write(saved)
        assert ctl(switch, "apply", box.path(no_text)) == ""


def test_log_level_is_that_of_all_that_the_switch_logs(box):
    with room(box, 2, introduce=False) as r:
        for guest, level in zip(r.guests, ("error", "info")):
            assert ctl(r.switch, "log", level) == ""
            guest.port.send(frame(BROADCAST, guest.mac))
            wait_for(lambda of=guest.mac: of in ctl(r.switch, "fdb"), what="it is learned")
        r.switch.wait_output(f"MAC_ADDRESS {r.guests[1].mac}")
        assert f"MAC_ADDRESS {r.guests[0].mac}" not in r.switch.stderr


def test_events_are_followed(box):
    with Switch(box, ["--port", "a,socket=a"]) as switch, Control(switch) as control:
        path = f"{switch.directory}/dpdk/{switch.prefix}/control"
        with proc.Process([CTL, "--socket", path, "events", "--count", "2"]) as events:
            # The first event that it receives must be the first of the two.
            while events.running():
                control.ask("port.add", name="b", socket="b")
                control.ask("port.del", name="b")
            lines = events.stdout.splitlines()
        assert len(lines) == 2 and all(re.match(r"\d{4}-\S+Z port\.(added|removed) port=b$", line) for line in lines)


def test_events_come_at_once_in_a_pipe(box):
    with Switch(box, ["--port", "a,socket=a"]) as switch, Control(switch) as control:
        path = f"{switch.directory}/dpdk/{switch.prefix}/control"
        with proc.Process([CTL, "--socket", path, "-j", "events"]) as events:
            def told():
                if not events.stdout:
                    control.ask("port.add", name="b", socket="b")
                    control.ask("port.del", name="b")
                return re.search(r"^}\n\Z", events.stdout, re.M)  # nothing is held back
            wait_for(told, what="whole events of a tool that goes on")


def test_workers_names_each_ring(box):
    """However many: a worker's list has no limit."""
    rings = [{"device": device} for device in range(64) for _ in range(4)] + [{"port": "uplink"}]
    worker = {"id": 0, "lcore": 1, "busy": 0.5, "asleep": 0, "frames": 9, "cycles_per_frame": 9, "rings": rings}
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as switch:
        switch.bind(box.path("control"))
        switch.listen()
        switch.settimeout(DEADLINE)
        with proc.Process([CTL, "--socket", box.path("control"), "workers"]) as tool:
            asked, _ = switch.accept()
            with asked, asked.makefile("rw") as lines:
                request = json.loads(lines.readline())
                print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": {"workers": [worker]}}),
                      file=lines, flush=True)
                assert tool.wait() == 0
        os.unlink(box.path("control"))
        told = tool.stdout.splitlines()[1].split()
    assert told[6:] == [str(ring.get("device", "uplink")) for ring in rings]


def test_exit_statuses(box):
    with Switch(box, ["--port", "a,socket=a"]) as switch:
        assert "there is none" in ctl(switch, "show", "b", status=1)
        assert "there is a port of that name" in ctl(switch, "add", "a", "socket=b", status=1)
        assert "vlan=x: must be a number" in ctl(switch, "set", "a", "vlan=x", status=1)
        assert "there is no file to read" in ctl(switch, "apply", status=1)
        assert "text:1: the sections are" in ctl(switch, "apply", "-", text="[x]", status=1)
        assert "no such command" in ctl(switch, "dance", status=2)
        assert "no command" in ctl(switch, status=2)
        assert "usage: " in ctl(switch, "del", status=2)
        assert "must be KEY=VALUE" in ctl(switch, "set", "a", "vlan", status=2)
        assert "from 0.1 to 3600" in ctl(switch, "watch", "0", status=2)
        assert "can't be read" in ctl(switch, "apply", "/nowhere", status=2)
        assert "--socket names another" in ctl(switch, "--socket", "/nowhere", "show", status=3)
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as mute:
            mute.bind(box.path("mute"))
            mute.listen()
            mute.close()
            assert "no switch at" in ctl(switch, "--socket", box.path("mute"), "show", status=3)
            os.unlink(box.path("mute"))
        told = ctl(switch, "--help")
        assert not re.search(" $", told, re.M)
        commands = re.findall(r"^  ([a-z]+)\b.*\n      ", told, re.M)
        assert {"show", "add", "set", "del", "fdb", "apply", "metrics"} <= set(commands)
        assert "standard input if FILE is -" in told


SAMPLE = re.compile(r'^(vhost_switch_\w+)(?:\{((?:\w+="(?:[^"\\\n]|\\["\\n])*",?)+)\})? ([\d.]+)$')


# Where scripts/install-deps puts it on Debian 12, which has no package of it alone.
PROMTOOL = shutil.which("promtool") or os.path.join(ROOT, "build", "tools", "promtool")


def promtool(*arguments, text=None):
    """Runs Prometheus' own checker of metrics and alerts, which must print nothing on stderr."""
    result = subprocess.run([PROMTOOL, *arguments], input=text, capture_output=True, text=True, timeout=60,
                            check=False)
    assert result.returncode == 0 and result.stderr == "", f"{arguments}: {result}"
    return result.stdout


def metrics_of(text):
    """The samples of an OpenMetrics text, by name and labels; what promtool does not check of the format is checked."""
    assert text.endswith("# EOF\n")
    types, found, family = {}, {}, None
    for line in text.splitlines()[:-1]:
        if line.startswith("# TYPE "):
            _, _, family, kind = line.split()
            assert family not in types and kind in ("counter", "gauge", "info")
            types[family] = kind
        elif line.startswith("# HELP "):
            assert line.split()[2] == family and line.endswith(".")
        else:
            name, labels, value = SAMPLE.match(line).groups()
            assert name == family + {"counter": "_total", "info": "_info", "gauge": ""}[types[family]], line
            assert (name, labels) not in found, line
            found[name, labels] = float(value)
    return found


def test_metrics(box):
    with room(box, 2, uplink=TAP) as r:
        one, two = r.guests
        for data in (frame(BROADCAST, one.mac), frame(one.mac, one.mac)):
            r.reached(one, data)
        table = r.switch.next_table()
        samples = metrics_of(ctl(r.switch, "metrics"))
        assert samples["vhost_switch_port_received_frames_total", 'port="usvhost.0"'] == table[0].received
        assert samples["vhost_switch_port_dropped_frames_total", 'port="usvhost.0",reason="to_sender"'] == 1
        reasons = {labels for name, labels in samples if name == "vhost_switch_port_dropped_frames_total"}
        for port in ("usvhost.0", "usvhost.1", "uplink"):
            for reason in ("ring_full", "spoofed_mac", "link_down"):
                assert f'port="{port}",reason="{reason}"' in reasons
        assert samples["vhost_switch_port_up", 'port="uplink"'] == 1
        assert 0 <= samples["vhost_switch_worker_busy_ratio", 'worker="0"'] <= 1
        reply = ctl(r.switch, "metrics", "http", text="GET /metrics HTTP/1.1\r\nHost: x\r\n"
                    "accept: application/openmetrics-text\r\n\r\n")
        head, body = reply.split("\n\n", 1)
        assert head.startswith("HTTP/1.1 200 OK") and f"Content-Length: {len(body)}" in head
        assert set(metrics_of(body)) == set(samples)
        assert ctl(r.switch, "metrics", "http", text="GET / HTTP/1.1\r\n\r\n").startswith("HTTP/1.1 404 ")
        assert ctl(r.switch, "metrics", "http", text="x" * 5000).startswith("HTTP/1.1 404 ")
        absent = subprocess.run([CTL, "--socket", "/nowhere", "metrics", "http"], input="GET /metrics HTTP/1.1\r\n\r\n",
                                capture_output=True, text=True, check=True)
        assert absent.stdout.startswith("HTTP/1.1 503 ")
        exported = {name for name, _ in samples}
        with open(os.path.join(ROOT, "contrib", "alerts.yml"), encoding="utf-8") as file:
            alerts = file.read()
        with open(os.path.join(ROOT, "contrib", "grafana.json"), encoding="utf-8") as file:
            dashboard = json.dumps(json.load(file))
        for text in (alerts, dashboard):
            named = set(re.findall(r"vhost_switch_\w+", text))
            assert named and named <= exported, named - exported
        assert alerts.count("- alert: ") == 4


def test_what_guests_dropped_is_not_forgotten_when_they_leave(box):
    """It is told under names of its own, so no sum over ports has it twice."""
    def departed():
        samples = metrics_of(ctl(switch, "metrics"))
        prefix = "vhost_switch_departed_"
        return {(name[len(prefix):], labels): value for (name, labels), value in samples.items()
                if name.startswith(prefix) and value != 0}, samples

    with Switch(box) as switch:
        with Guests(box, [switch.socket()] * 2) as guests:
            one = guests.guests[0]
            for data in (frame(BROADCAST, one.mac), frame(BROADCAST, "01:00:00:00:00:01")):
                one.port.send(data)
            switch.wait_table(lambda t: t[0].dropped == 1 and t[0].received == 2)
            assert departed()[0] == {}
            assert "departed" not in ctl(switch, "stats", "usvhost.0")
        switch.wait_table(lambda t: t["departed"].received == 2 and t["departed"].sent == 1)
        told, samples = departed()
        assert told["dropped_frames_total", 'reason="bad_source"'] == 1
        assert [told[f"{key}_frames_total", None] for key in ("received", "delivered", "sent")] == [2, 1, 1]
        assert not any("port=" in (labels or "") and name.endswith("_frames_total") for name, labels in samples)
        text = ctl(switch, "stats")
        assert re.search(r"^departed\n  received 2\n(  .*\n)*  dropped, bad_source 1\n", text, re.M), text
        assert re.search(r"^the switch\n  workers 1\n(  .*\n)*  devices_stopped 0\n", text, re.M), text
        assert json.loads(ctl(switch, "-j", "stats"))["departed"]["drops"]["bad_source"] == 1
        with Telemetry(switch) as telemetry:
            told = telemetry.ask("/vhost_switch/departed")
            assert (told["received"], told["bad_source"]) == (2, 1)


def test_metrics_of_a_switch_that_does_not_answer(box):
    """A monitor gets an HTTP answer that says why, whether the switch refuses or is silent."""
    def scraped(path):
        asked = subprocess.run([CTL, "--socket", path, "metrics", "http"], input="GET /metrics HTTP/1.1\r\n\r\n",
                               capture_output=True, text=True, timeout=60, check=True)
        assert asked.stderr == ""
        head, body = asked.stdout.split("\n\n", 1)
        assert head.startswith("HTTP/1.1 503 ") and f"Content-Length: {len(body)}" in head
        return body

    with Switch(box, ["--port", "a,socket=a"]) as switch, contextlib.ExitStack() as clients:
        for _ in range(16):
            clients.enter_context(Control(switch)).ask("hello")
        path = f"{switch.directory}/dpdk/{switch.prefix}/control"
        assert "too many clients" in scraped(path)
        assert "too many clients" in ctl(switch, "metrics", status=1)
    assert "no switch at" in scraped("/nowhere")
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as silent:
        silent.bind(box.path("silent"))
        silent.listen()
        assert "does not answer" in scraped(box.path("silent"))
    os.unlink(box.path("silent"))


def test_metrics_as_prometheus_reads_them(box):
    """By its own tool, in both formats; they say the same."""
    with room(box, 2, uplink=TAP) as r:
        r.reached(r.guests[0], frame(BROADCAST, r.guests[0].mac))
        r.switch.next_table()
        ctl(r.switch, "set", "usvhost", "mac=02:00:00:00:00:01")
        older = ctl(r.switch, "metrics", "prometheus")
        text = ctl(r.switch, "metrics")
        assert promtool("check", "metrics", text=older) == ""
        # Its store takes only samples with times.
        lines = [line if line.startswith("#") else f"{line} 1700000000" for line in text.splitlines()]
        with open(box.path("timed"), "w", encoding="utf-8") as timed:
            timed.write("\n".join(lines) + "\n")
        stored = promtool("tsdb", "create-blocks-from", "openmetrics", box.path("timed"), box.path("blocks"))
        samples = metrics_of(text)
        assert sum(int(row.split()[4]) for row in stored.splitlines() if row.startswith("01")) == len(samples), stored
        # Those of workers change from one look to the next.
        assert {line for line in older.splitlines() if line[0] != "#" and "_ratio" not in line} == {
            line for line in text.splitlines() if line[0] != "#" and "_ratio" not in line}
        for accepted, kind, end in (("application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
                                     "application/openmetrics-text", "# EOF\n"), ("*/*", "text/plain", "0\n")):
            reply = ctl(r.switch, "metrics", "http", text=f"GET /metrics HTTP/1.1\r\nAccept: {accepted}\r\n\r\n")
            assert f"\nContent-Type: {kind}; version=" in reply and reply.endswith(end), reply
        ctl(r.switch, "metrics", "xml", status=2)


def test_alerts_are_raised():
    """Each is raised by the counter that it watches, and only after its time, as tests/e2e/alerts.yml says."""
    assert "SUCCESS: 4 rules found" in promtool("check", "rules", os.path.join(ROOT, "contrib", "alerts.yml"))
    assert "SUCCESS" in promtool("test", "rules", os.path.join(ROOT, "tests", "e2e", "alerts.yml"))


def completed(switch, line):
    """What bash offers to complete a line."""
    script = f"""
source {ROOT}/contrib/vhost-switch-ctl.bash
compopt() {{ :; }}
COMP_WORDS=({line} '')
[[ '{line}' == *' ' ]] || COMP_WORDS=({line})
COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
_vhost_switch_ctl
printf '%s\n' "${{COMPREPLY[@]}}"
"""
    path = f"{switch.directory}/dpdk/{switch.prefix}/control"
    environment = {"VHOST_SWITCH_CONTROL": path, "PATH": f"{os.path.dirname(CTL)}:{os.environ['PATH']}"}
    _, out, err = proc.run(["bash", "-c", script], env=environment)
    assert err == ""
    return out.split()


def test_completion_of_guests(box):
    """Their names are not that of the port."""
    with room(box, 2, introduce=False) as r:
        for command in ("stats", "fdb flush"):
            assert completed(r.switch, f"vhost-switch-ctl {command} us") == ["usvhost.0", "usvhost.1"]
        assert completed(r.switch, "vhost-switch-ctl show us") == ["usvhost"]


def test_completion(box):
    with Switch(box, ["--port", "vm1,socket=a", "--port", "vm2,socket=b"]) as switch:
        assert completed(switch, "vhost-switch-ctl sh") == ["show"]
        # The last three take no argument.
        assert {"add", "apply", "watch", "events", "save", "hello"} <= set(completed(switch, "vhost-switch-ctl "))
        assert completed(switch, "vhost-switch-ctl show ") == ["vm1", "vm2"]
        assert completed(switch, "vhost-switch-ctl -j --count 3 del vm") == ["vm1", "vm2"]
        assert completed(switch, "vhost-switch-ctl set vm1 mer") == ["mergeable="]
        assert completed(switch, "vhost-switch-ctl set vm1 wor") == ["worker="]
        assert {"socket=", "vlan=", "own-tags="} <= set(completed(switch, "vhost-switch-ctl add vm3 "))
        assert completed(switch, "vhost-switch-ctl log d") == ["debug"]
        assert completed(switch, "vhost-switch-ctl metrics p") == ["prometheus"]
        assert completed(switch, "vhost-switch-ctl fdb f") == ["flush"]
        assert completed(switch, "vhost-switch-ctl fdb show ") == []  # no guest is there
        assert completed(switch, "vhost-switch-ctl workers m") == ["move"]
