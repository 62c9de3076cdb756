from __future__ import annotations

import math

from scipy import stats

from paribus.analysis.results import Results
from paribus.report import published
from paribus.report.blocks import Table, within


def table(results: Results) -> Table:
    section = published.section(results)
    assert section is not None
    return next(block for block in within(section.blocks) if isinstance(block, Table))


def test_equal_values_have_no_spread_and_no_signed_zero(noisy_results: Results) -> None:
    found = table(noisy_results)
    heads = [heading.title for heading in found.headings]
    (row,) = (
        cells
        for record, cells in zip(found.records, found.cells, strict=True)
        if (record["arm"], record["rule"], record["metric"]) == ("plain", "last", "epoch")
    )
    ours, difference = row[heads.index("ours")], row[heads.index("difference")]
    assert (ours.text, ours.faint) == ("290", "")
    assert (difference.text, difference.faint) == ("0", "")


def test_differences_of_accuracies_are_points(selection_results: Results) -> None:
    found = table(selection_results)
    at = [heading.title for heading in found.headings].index("difference")
    for record, cells in zip(found.records, found.cells, strict=True):
        assert cells[at].faint == ("points" if record["metric"].endswith("accuracy") else "")


def test_the_note_says_how_far_the_interval_reaches(selection_results: Results) -> None:
    n = selection_results.study.replicates.count
    reach = stats.t.ppf(0.975, n - 1) * math.sqrt(1 + 1 / n)
    assert f"the mean ± {reach:.1f} standard deviations (n = {n})" in table(selection_results).note


def test_an_interval_ends_where_values_are_impossible(selection_results: Results) -> None:
    found = table(selection_results)
    at = [heading.title for heading in found.headings].index("one further run of ours")
    below = 0
    for record, cells in zip(found.records, found.cells, strict=True):
        if record["metric"] == "epoch" and (record["band_low"] or 0) < 0:
            below += 1
            assert cells[at].text.startswith("0 to ")
    assert below
