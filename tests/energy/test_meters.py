import json
import time

import pytest

from paribus.energy import meters
from paribus.energy.choice import Meters
from paribus.energy.meters import (
    WATTS_PER_CORE,
    Load,
    Metering,
    ModelledMeter,
    NodeLoad,
    bounds,
    modelled_j,
    watts_per_core,
)
from paribus.errors import UserError


def test_the_model_is_processor_time_and_memory_times_stated_watts():
    assert modelled_j(cpu_s=10, wall_s=5, memory_gib=2) == pytest.approx(10 * 12 + 5 * 2 * 0.3725)
    with Metering(ModelledMeter()) as metering:
        deadline = time.process_time() + 0.05
        while time.process_time() < deadline:
            pass
    usage = metering.usage
    assert usage.tag == "modelled"
    assert usage.method["watts_per_core"] == 12
    assert "Green Algorithms" in usage.method["source"]
    memory_j = usage.wall_s * usage.method["memory_gib"] * usage.method["watts_per_gib"]
    assert usage.energy_j == pytest.approx(12 * usage.cpu_s + memory_j, rel=0.05)


def test_usage_is_that_so_far_within_the_block_and_final_after_it():
    with Metering(ModelledMeter()) as metering:
        first = metering.usage
        time.sleep(0.01)
        assert metering.usage.wall_s > first.wall_s
    ended = metering.usage
    time.sleep(0.01)
    assert metering.usage == ended
    assert ended.wall_s >= 0.01
    assert ended.started_at.endswith("+00:00")
    json.dumps(dict(ended.method))


def test_usage_ends_when_its_work_fails():
    metering = Metering(ModelledMeter())

    def fail():
        with metering:
            raise RuntimeError("work failed")

    with pytest.raises(RuntimeError, match="work failed"):
        fail()
    ended = metering.usage
    assert metering.usage == ended


def test_the_user_may_name_the_watts_of_a_core(monkeypatch, tmp_path):
    monkeypatch.delenv("PARIBUS_WATTS_PER_CORE", raising=False)
    assert watts_per_core() == meters.WATTS_PER_CORE
    monkeypatch.setenv("PARIBUS_WATTS_PER_CORE", "4.5")
    with Metering(Meters(powercap=tmp_path).of(Load())) as metering:
        pass
    assert metering.usage.method["watts_per_core"] == 4.5
    assert metering.usage.method["source"] == "PARIBUS_WATTS_PER_CORE"


@pytest.mark.parametrize("text", ["much", "-3", "0", "nan", "inf", "1e6"])
def test_senseless_watts_are_refused(text, monkeypatch):
    monkeypatch.setenv("PARIBUS_WATTS_PER_CORE", text)
    with pytest.raises(UserError, match="PARIBUS_WATTS_PER_CORE: must be a number of watts"):
        watts_per_core()


def test_a_modelled_figure_has_the_range_of_the_models_that_were_compared_with_counters():
    with Metering(ModelledMeter()) as metering:
        pass
    method = metering.usage.method
    assert "RAPL" in method["deviations_source"]
    low, high = bounds(290.0, method)
    assert (low, high) == (pytest.approx(100.0), pytest.approx(725.0))  # 2.9 times too much, 0.4 times
    assert bounds(290.0, {"meter": "rapl"}) == (290.0, 290.0)


class _Cluster(Load):
    """Workers on nodes, as a test says."""

    def __init__(self):
        self.now = {}

    @property
    def nodes(self):
        return dict(self.now)


def test_a_node_counts_for_what_it_took_since_the_start():
    """One that was lost before has no part; one that is lost meanwhile keeps the most that it held."""
    load = _Cluster()
    meter = ModelledMeter(load=load)
    load.now = {"lost": NodeLoad(0, 50.0, 0.0), "old": NodeLoad(1, 10.0, 0.5)}
    meter.start()
    load.now = {**load.now, "old": NodeLoad(2, 16.0, 0.75), "new": NodeLoad(1, 4.0, 0.25)}
    meter.read()
    load.now = {**load.now, "old": NodeLoad(0, 17.0, 0.0)}
    found = meter.read().method["nodes"]
    assert {name: (one["workers"], one["cpu_s"], one["memory_gib"]) for name, one in found.items()} == {
        "old": (2, 7.0, 0.75),
        "new": (1, 4.0, 0.25),
    }
    assert found["old"]["energy_j"] == pytest.approx(7.0 * WATTS_PER_CORE, abs=0.1)
    meter.start()
    assert meter.read().method["nodes"].keys() == {"new"}
