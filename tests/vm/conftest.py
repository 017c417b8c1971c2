# SPDX-License-Identifier: BSD-3-Clause
"""Fixtures of the virtual machine tests."""

import pytest

from vm import image as images


@pytest.fixture(scope="session")
def image(tmp_path_factory):
    """What Linux guests boot from."""
    return images.make(tmp_path_factory.mktemp("image") / "initramfs", ["virtio_pci", "virtio_net"])
