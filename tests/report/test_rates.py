import math

import pytest

from paribus.analysis.answers import answer
from paribus.analysis.rates import rate_sweeps
from paribus.report import choice, rates
from paribus.report.blocks import Chart, Table, within
from tests.analysis.made_sweep import made_sweep


@pytest.fixture(scope="module")
def results():
    return made_sweep("one-standard-error")


def test_every_sweep_has_a_chart_of_its_runs(results):
    small, large = (block for block in within([rates.hero(results)]) if isinstance(block, Chart))
    assert small.title == "Reconstruction error against the learning rate: hidden 4"
    assert len(small.data["runs"]) == 10
    assert [row["mean"] for row in large.data["means"]] == pytest.approx([0.022, 0.00594, 0.0055, 0.011, 0.0275])
    assert small.data["marks"] == [{"rate": 1e-4, "label": "chosen: 0.0001"}]
    assert small.data["bounds"][0]["value"] == 0.005
    assert small.spec["layer"]


def test_regions_are_shaded_to_halfway_to_the_next_rate(results):
    sweep, _ = rate_sweeps(results)
    unstable, collapsed = rates.region_bands(sweep)
    assert (unstable["kind"], collapsed["kind"]) == ("unstable", "collapsed")
    assert unstable["low"] == pytest.approx(math.sqrt(0.1 * 0.01))
    assert unstable["high"] == pytest.approx(0.1 * math.sqrt(10))
    assert (collapsed["low"], collapsed["high"]) == pytest.approx((1e-5 / math.sqrt(10), math.sqrt(1e-5 * 1e-4)))


def test_the_rule_and_the_thresholds_are_said(results):
    words = " ".join(rates.section(results).lead)
    assert "Rule: An arm is eligible if all replicates ended well and none has collapsed networks." in " ".join(
        choice.section(results).lead
    )
    assert "the training loss of some epoch is more than 2 times the lowest loss before it" in words
    assert "The rule chooses 0.0001 for hidden 4" in words


def test_every_candidate_is_in_the_table_of_the_choice(results):
    section = choice.section(results)
    (table,) = (block for block in section.blocks if isinstance(block, Table))
    assert len(table.records) == 10
    assert [row["arm"] for row in table.records if row["chosen"]] == ["hidden=4, lr=0.0001", "hidden=8, lr=0.0001"]
    assert next(row["excluded"] for row in table.records) == "collapsed networks in 2 of 2"
    assert "`paribus confirm sweep`" in section.lead[2]


def test_other_studies_have_no_such_sections(selection_results):
    assert rates.section(selection_results) is None
    assert choice.section(selection_results) is None


def test_a_study_that_chooses_is_answered_by_its_choice(results):
    found = answer(results)
    assert found.headline == (
        "hidden=4, lr=0.0001 is chosen where network.hidden = [4], of 4 eligible arms: reconstruction error 0.01188 "
        "(sd 0.001527, n = 2)."
    )
    assert found.points[0].startswith("hidden=8, lr=0.0001 is chosen where network.hidden = [8], of 4 eligible arms:")
