# SPDX-License-Identifier: BSD-3-Clause
"""eventfd_link compiles for the kernels of Debian 12 and of its backports."""

import pytest

from lib.proc import run
from vm import headers


@pytest.mark.parametrize("series", ["6.1", "6.12"])
def test_module_compiles(series, tmp_path):
    release = headers.newest(series)
    module = headers.build(release, tmp_path / "module")
    assert run(["modinfo", "-F", "vermagic", module])[1].startswith(f"{release} ")
    assert run(["modinfo", "-F", "license", module])[1] == "Dual BSD/GPL\n"
    assert run(["modinfo", "-F", "depends", module])[1] == "\n"


def test_header_is_complete(tmp_path):
    """Usable from user space with nothing before it."""
    for language in ("c99", "c11"):
        source = tmp_path / "use.c"
        source.write_text('#include "eventfd_link/eventfd_link.h"\n'
                          "struct eventfd_link_get get;\nunsigned long request = EVENTFD_LINK_GET;\n")
        run(["gcc", f"-std={language}", "-pedantic-errors", "-Wall", "-Werror", f"-I{headers.ROOT}",
             "-c", source, "-o", tmp_path / "use.o"])
