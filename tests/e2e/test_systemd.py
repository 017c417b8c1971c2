# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""The systemd unit and its files of settings, without a systemd that runs (see tests/vm/test_systemd.py)."""

import os
import re
import shlex

import pytest

from lib import proc
from lib.switch import ROOT, Switch, binary

UNIT = os.path.join(ROOT, "contrib", "vhost-switch.service")
CUSE = os.path.join(ROOT, "contrib", "cuse.conf")
MODULE = os.path.join(ROOT, "eventfd_link", "eventfd_link.h")
DEFAULTS = os.path.join(ROOT, "contrib", "vhost-switch.default")
CONFIG = os.path.join(ROOT, "contrib", "vhost-switch.conf")
COMMAND = "vhost-switch $EAL_OPTIONS -- --control control $OPTIONS"
# Of 10; systemd calls up to 5 "OK". With all but hardware and sockets taken away the unit has 3.3.
EXPOSURE = 3.5


def read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


@pytest.fixture
def unit(box):
    """The unit with this build in place of an installed one."""
    text = read(UNIT)
    assert text.count(f"ExecStart={COMMAND}\n") == 1
    path = box.path("vhost-switch.service")
    with open(path, "w", encoding="ascii") as f:
        f.write(text.replace("ExecStart=vhost-switch", f"ExecStart={binary()}"))
    return path


def test_unit_is_valid(unit):
    _, out, err = proc.run(["systemd-analyze", "verify", "--man=no", unit])
    assert out + err == ""


def test_invalid_unit_is_noticed(unit):
    with open(unit, "a", encoding="ascii") as f:
        f.write("[Service]\nProtectSystem=somewhat\n")
    _, out, err = proc.run(["systemd-analyze", "verify", "--man=no", unit], check=False)
    # The wording of systemd 252 and 257 differs.
    said = out + err
    assert re.search(r"vhost-switch\.service:\d+: Failed to parse (protect system value|ProtectSystem=)", said), said


def drop_in(unit, text):
    os.mkdir(unit + ".d")
    with open(unit + ".d/cuse.conf", "w", encoding="ascii") as f:
        f.write(text)


def test_drop_in_for_cuse_is_valid(unit):
    text = read(CUSE)
    assert text.count(f"\nExecStart={COMMAND}\n".replace("vhost-switch", "vhost-switch-cuse")) == 1
    program = os.path.join(ROOT, "build-cuse", "vhost-switch")
    drop_in(unit, text.replace("ExecStart=vhost-switch-cuse", f"ExecStart={program}"))
    _, out, err = proc.run(["systemd-analyze", "verify", "--man=no", unit])
    assert out + err == ""


def test_drop_in_for_cuse_allows_the_module_for_old_kernels():
    """The unit lets it open no device that is not named; no test runs the service on a kernel that needs this one."""
    device = re.search(r'^#define EVENTFD_LINK_DEVICE "(.*?)"', read(MODULE), re.M)[1]
    assert re.search(r"^DevicePolicy=closed$", read(UNIT), re.M)
    assert f"DeviceAllow=/dev/{device} rw" in read(CUSE).splitlines()


def test_drop_in_is_looked_at(unit):
    """As it is delivered, it names a program that is not installed here."""
    drop_in(unit, read(CUSE))
    _, out, err = proc.run(["systemd-analyze", "verify", "--man=no", unit], check=False)
    assert "vhost-switch-cuse is not executable" in out + err


def test_unit_is_hardened(unit):
    _, out, err = proc.run(["systemd-analyze", "security", "--offline=true", "--no-pager", unit])
    exposure = re.search(r"exposure level for vhost-switch.service: ([\d.]+)", out)
    assert exposure and float(exposure[1]) <= EXPOSURE, out + err


def assignments(text):
    """An environment file's variables."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return dict(shlex.split(line)[0].split("=", 1) for line in lines)


def test_defaults_are_those_of_the_unit():
    """Without the file, the service does the same as with the delivered file."""
    environment = re.search(r"^Environment=(.*)$", read(UNIT), re.M)[1]
    assert dict(word.split("=", 1) for word in shlex.split(environment)) == assignments(read(DEFAULTS))


EXAMPLES = re.findall(r"^#(OPTIONS=.*)$", read(DEFAULTS), re.M)


def without_worker(box, *options):
    """What a switch says that has read its options, and then has no lcore for a worker."""
    status, _, err = proc.run([binary(), "-l", "0", "--in-memory", "--no-pci", "--", *options], check=False,
                              env={"RUNTIME_DIRECTORY": box.directory})
    assert status == 1
    return err.splitlines()[-1]


@pytest.mark.parametrize("line", EXAMPLES)
def test_examples_of_options_are_understood(box, line):
    (_, options), = assignments(line).items()
    assert without_worker(box, *options.split()).startswith("vhost-switch: too few lcores")


def example_of_config(box, turned_on):
    """The example and its sockets, in the test's folder; perhaps with the settings that are commented out."""
    text = re.sub(r"^#(?=\[|\w+(?:-\w+)* = )", "", read(CONFIG), flags=re.M) if turned_on else read(CONFIG)
    path = box.path("vhost-switch.conf")
    with open(path, "w", encoding="ascii") as f:
        f.write(text.replace("/run/vhost-switch", box.directory))
    return path, re.findall(r"^socket = .*/(.*)$", text, re.M)


def test_example_of_a_configuration_file_makes_its_ports(box):
    path, sockets = example_of_config(box, False)
    with Switch(box, ["--config", path]) as switch:
        assert sockets and set(sockets) <= set(switch.sockets())


def test_settings_that_the_example_has_as_comments_are_understood(box):
    _, before = example_of_config(box, False)
    path, sockets = example_of_config(box, True)
    assert len(sockets) > len(before)
    assert without_worker(box, "--config", path).startswith("vhost-switch: too few lcores")
    with open(path, "a", encoding="ascii") as f:
        f.write("guests = many\n")
    assert "guests=many" in without_worker(box, "--config", path)
