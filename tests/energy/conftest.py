from __future__ import annotations

import pytest


@pytest.fixture
def powercap(tmp_path):
    """Two packages, a memory zone, and two zones that are counted within others."""

    def put(zone, name, energy_uj):
        folder = tmp_path / zone
        folder.mkdir(exist_ok=True)
        (folder / "name").write_text(name + "\n")
        (folder / "energy_uj").write_text(f"{energy_uj}\n")
        (folder / "max_energy_range_uj").write_text("1000000000\n")

    put("intel-rapl:0", "package-0", 100_000_000)
    put("intel-rapl:0:0", "core", 50_000_000)
    put("intel-rapl:0:1", "dram", 999_000_000)
    put("intel-rapl:1", "package-1", 200_000_000)
    put("intel-rapl:2", "psys", 900_000_000)
    return tmp_path
