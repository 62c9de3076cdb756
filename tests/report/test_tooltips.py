"""What charts say under the pointer: names and numbers for people, where their tables have fields for programs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from paribus.analysis.results import Results
from paribus.analysis.wording import rule_name
from paribus.report.blocks import Chart, within
from paribus.report.page import compose


def layers_of(results: Results) -> Iterator[tuple[Chart, Mapping[str, Any]]]:
    for section in compose(results).sections:
        for block in within(section.blocks):
            if isinstance(block, Chart):
                yield from ((block, layer) for layer in block.spec["layer"])


def tooltips(layer: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = layer.get("encoding", {}).get("tooltip", [])
    return found if isinstance(found, list) else [found]


def test_a_selected_epoch_has_the_name_that_the_legend_has(selection_results: Results) -> None:
    marks = [(c, layer) for c, layer in layers_of(selection_results) if layer.get("data", {}).get("name") == "marks"]
    assert len(marks) >= 2
    for chart, layer in marks:
        (tip,) = (tip for tip in tooltips(layer) if tip.get("title") == "selection rule")
        (calculated,) = layer["transform"]
        assert tip["field"] == calculated["as"]
        names = json.loads(calculated["calculate"].removeprefix("(").removesuffix(")[datum.rule]"))
        rules = {row["rule"] for row in chart.data["marks"]}
        assert names == {rule: rule_name(rule) for rule in rules}
        assert set(names.values()) <= {key.label for key in chart.legend}


def test_no_tooltip_shows_a_field_of_its_table(
    selection_results: Results, plain_results: Callable[..., Results]
) -> None:
    """An interval goes from one number to another, and a difference has few digits."""
    fields = set[str]()
    for results in (selection_results, plain_results()):
        for _, layer in layers_of(results):
            for tip in tooltips(layer):
                fields.add(tip["field"])
                assert tip["field"] != "rule"
                assert tip["field"] not in ("lo", "hi") or tip["title"] in ("from", "to")
                assert tip["field"] != "difference" or "format" in tip
    assert {"lo", "hi", "difference"} <= fields
