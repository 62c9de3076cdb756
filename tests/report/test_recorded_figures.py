"""What training records of single examples is what the report reads."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from paribus.report.blocks import Chart, Table, within
from paribus.report.held_out import sections
from paribus.store.records import Artifact
from paribus.training.cpu.engine import CompiledEngine
from paribus.training.evaluation import Snapshot, measure_run, measure_snapshot
from tests.analysis.conftest import steady_curves
from tests.analysis.made_outputs import RULE, classifiers
from tests.training.test_regions import points


def test_a_report_shows_what_was_recorded_of_a_run():
    spec, splits, weights = points()
    named = replace(splits, dataset=replace(splits.dataset, feature_names=("width", "height")))
    maker = classifiers(named.dataset.classes, replicates=1)
    maker.dataset = named.dataset
    parts = (
        measure_run(spec, named),
        measure_snapshot(spec, named, Snapshot(RULE, 1, weights), CompiledEngine(), None),
    )
    kept = {
        (rule, name): Artifact(rule, name, maker.keep(**arrays)) for p in parts for rule, name, arrays in p.artifacts
    }
    maker.run("one", 0, curves=steady_curves(), artifacts=list(kept.values()))
    found = {section.slug: section for section in sections(maker.results()) if section is not None}
    assert set(found) == {"regions", "classes", "confidence", "examples"}
    picture = next(block for block in within(found["regions"].blocks) if isinstance(block, Chart))
    assert len(picture.data["points"]) == len(splits.validation)
    rows = [row for row in picture.data["points"] if row["wrong"]]
    pool, labels = splits.validation.pool, ("left", "right")
    for row in picture.data["points"]:
        assert (row["x"], row["y"]) == tuple(pool.values[row["row"]].tolist())
        assert row["class"] == labels[pool.labels[row["row"]]]
    examples = next(b for b in within(found["examples"].blocks) if isinstance(b, Table) and b.name == "hard-examples-0")
    assert 0 < len(examples.records) <= 24
    assert {record["row"] for record in examples.records} <= {row["row"] for row in rows}
    for record in examples.records:
        assert np.allclose((record["width"], record["height"]), pool.values[record["row"]])
