# SPDX-License-Identifier: BSD-3-Clause
# Copyright (c) 2026 vhost-switch contributors
"""Fixtures of the virtual machine tests."""

import pytest

from lib.proc import Process
from vm import image as images
from vm.machine import Machine


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """What Linux guests boot from."""
    return images.make(tmp_path_factory.mktemp("image") / "initramfs", ["virtio_pci", "virtio_net"])


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport():
    """A machine serves many tests: one that fails shows what its console says by then."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for process in list(Process.everyone):
            if isinstance(process, Machine) and process.running():
                report.sections.append((process.name, process.tell()))
