"""What the report shows of single held-out examples: matrices, scores by class, confidence, hard examples, regions."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import vl_convert
from sklearn.metrics import confusion_matrix, recall_score

from paribus.analysis.results import Results
from paribus.report.blocks import Chart, Fold, Gallery, Section, Table, within
from paribus.report.folder import write_pages
from paribus.report.held_out import sections
from paribus.report.page import compose, themes
from paribus.store.records import Artifact
from tests.analysis.conftest import Maker
from tests.analysis.made_outputs import RULE, add, classifiers, random_logits, regressions

FEW = ("cat", "dog", "=cow", "</script>")
EXAMPLES = 300


def study(classes: Sequence[str], *, replicates: int = 3, more: Sequence[Artifact] = (), maker: Maker | None = None):
    """Results of two classifiers, and (labels, predictions) by arm and replicate."""
    made, rng, given = maker or classifiers(classes, replicates=replicates), np.random.default_rng(5), {}
    labels = rng.integers(0, len(classes), EXAMPLES)
    for arm in ("one", "two"):
        for replicate in range(replicates):
            logits = random_logits(rng, labels, len(classes))
            add(made, logits, labels=labels, arm=arm, replicate=replicate, more=more)
            given[arm, replicate] = labels, logits.argmax(1)
    return made.results(), given


def by_slug(results: Results) -> dict[str, Section]:
    return {section.slug: section for section in sections(results) if section is not None}


def charts_of(section: Section) -> dict[str, Chart]:
    return {block.name: block for block in within(section.blocks) if isinstance(block, Chart)}


def tables_of(section: Section) -> dict[str, Table]:
    return {block.name: block for block in within(section.blocks) if isinstance(block, Table)}


def drawn(chart: Chart, only: str = "") -> str:
    """The chart as vl-convert draws it, with the arm `only` chosen."""
    text = json.dumps({**chart.spec, "width": 500, "datasets": chart.data, "config": themes()["light"]})
    return vl_convert.vegalite_to_svg(text.replace('"name": "only", "value": ""', f'"name": "only", "value": "{only}"'))


def test_the_matrix_and_the_scores_are_scikit_learns():
    results, given = study(FEW)
    section = by_slug(results)["classes"]
    charts, tables = charts_of(section), tables_of(section)
    rows = {(r["arm"], r["true"], r["predicted"]): r for r in charts["confusion"].data["confusion"]}
    for arm in ("one", "two"):
        counts = np.mean([confusion_matrix(*given[arm, r]) for r in range(3)], axis=0)
        shares = np.mean([confusion_matrix(*given[arm, r], normalize="true") for r in range(3)], axis=0)
        for t, true in enumerate(FEW):
            for p, predicted in enumerate(FEW):
                assert rows[arm, true, predicted]["count"] == pytest.approx(counts[t, p])
                assert rows[arm, true, predicted]["share"] == pytest.approx(shares[t, p])
    recalls = {(r["arm"], r["class"]): r["mean"] for r in charts["recall"].data["scores"]}
    theirs = np.mean([recall_score(*given["two", r], average=None) for r in range(3)], axis=0)
    assert [recalls["two", name] for name in FEW] == pytest.approx(theirs)
    scores = tables["class-scores"]
    assert len(scores.records) == 8
    assert scores.fold
    assert {"recall_mean", "recall_sd", "recall_low", "precision_high", "F1_mean"} <= set(scores.records[0])
    assert [heading.title for heading in tables["confused-pairs"].headings] == [
        "true class",
        "predicted as",
        "one",
        "two",
    ]


def test_replicates_that_agree_have_no_spread():
    made, rng = classifiers(FEW, replicates=2), np.random.default_rng(5)
    labels = rng.integers(0, len(FEW), EXAMPLES)
    logits = random_logits(rng, labels, len(FEW))
    for arm, replicate in itertools.product(("one", "two"), range(2)):
        add(made, logits, labels=labels, arm=arm, replicate=replicate)
    tables = tables_of(by_slug(made.results())["classes"])
    for name in ("confused-pairs", "class-scores"):
        assert not [cell.text for row in tables[name].cells for cell in row if "±" in cell.text]


def test_one_arm_at_a_time_is_drawn_and_named():
    results, _ = study(FEW)
    chart = charts_of(by_slug(results)["classes"])["confusion"]
    assert [key.label for key in chart.legend] == ["one", "two"]
    pictures = {only: drawn(chart, only) for only in ("", "a0", "a1", "a7")}
    for only, name in (("", "one"), ("a0", "one"), ("a1", "two"), ("a7", "one")):
        assert f">{name}</text>" in pictures[only], only
    assert pictures[""] == pictures["a0"] == pictures["a7"] != pictures["a1"]


def test_the_note_on_recall_tells_the_two_spreads_apart():
    results, _ = study(FEW)
    note = charts_of(by_slug(results)["classes"])["recall"].note
    assert "Circles: replicates (other networks, the same test examples)." in note
    assert "Line: 95 % Wilson interval at the mean (the same networks, other test examples)." in note
    assert "arms; the table below has all" not in note


def test_a_phone_is_too_narrow_for_the_digits():
    results, _ = study([f"class {i}" for i in range(12)])
    chart = charts_of(by_slug(results)["classes"])["confusion"]
    text = json.dumps({**chart.spec, "width": 300, "datasets": chart.data, "config": themes()["light"]})
    narrow, wide = (
        vl_convert.vegalite_to_svg(text),
        vl_convert.vegalite_to_svg(text.replace('"width": 300', '"width": 900')),
    )
    label = next(row["label"] for row in chart.data["confusion"] if row["label"])

    def opacities(svg: str) -> set[str]:
        return set(re.findall(rf'<text[^>]*opacity="([\d.]+)"[^>]*>{re.escape(label)}</text>', svg))

    assert opacities(narrow) == {"0"}
    assert "0" not in opacities(wide)


def test_of_many_classes_only_the_most_confused_pairs_are_shown():
    results, _ = study([f"class {i}" for i in range(25)])
    section = by_slug(results)["classes"]
    assert set(charts_of(section)) == {"recall"}
    assert len(tables_of(section)["confused-pairs"].records) == 15
    assert len({row["class"] for row in charts_of(section)["recall"].data["scores"]}) == 20
    assert len(tables_of(section)["class-scores"].records) == 50


def test_confidence_counts_every_example_once():
    results, given = study(FEW)
    section = by_slug(results)["confidence"]
    rows = [r for r in charts_of(section)["confidence"].data["confidence"] if r["arm"] == "one"]
    wrong = np.mean([np.mean(labels != predicted) for (arm, _), (labels, predicted) in given.items() if arm == "one"])
    assert sum(row["wrong"] for row in rows) == pytest.approx(wrong * EXAMPLES)
    assert sum(row["right"] + row["wrong"] for row in rows) == pytest.approx(EXAMPLES)
    (record, _) = tables_of(section)["calibration"].records
    assert record["accuracy_mean"] == pytest.approx(1 - wrong)
    assert record["ece_n"] == 3


@pytest.mark.parametrize("shape", [(8, 8), (3, 8, 8), (1, 8, 8), (3, 120, 40)])
def test_hard_examples_are_shown_as_images(shape):
    maker = classifiers(FEW)
    size = int(np.prod(shape))
    maker.dataset = replace(maker.dataset, shape=shape, features=size)
    rng = np.random.default_rng(0)
    values = rng.integers(0, 256, (EXAMPLES, size), np.uint8)
    arrays = {"rows": np.arange(EXAMPLES), "values": values, "divisor": np.array([255.0])}
    results, given = study(FEW, maker=maker, more=[Artifact(RULE, "hardest/test", maker.keep(**arrays))])
    section = by_slug(results)["examples"]
    every, some = [block for block in section.blocks if isinstance(block, Gallery)]
    assert every.title == "one: wrong in every replicate"
    assert some.title == "one: wrong in some replicates"
    wrong = np.sum([given["one", r][0] != given["one", r][1] for r in range(3)], axis=0)
    counted = tables_of(section)["agreement"].records[0]
    assert counted["wrong_in_every"] == (wrong == 3).sum()
    assert counted["wrong_in_some"] == ((wrong > 0) & (wrong < 3)).sum()
    assert counted["wrong_in_none"] == (wrong == 0).sum()
    for gallery, expected in ((every, r"^\d+.% · row.\d+$"), (some, r"[12].of.3 wrong")):
        assert 0 < len(gallery.pictures) <= 12
        for picture in gallery.pictures:
            assert re.search(expected, picture.faint)
            assert picture.uri.startswith("data:image/png;base64,")
    (other,) = [block for block in section.blocks if isinstance(block, Fold)]
    assert other.title.startswith("two")
    records = tables_of(section)["hard-examples-0"].records
    losses = [record["loss"] for record in records]
    assert losses == sorted(losses, reverse=True)
    assert len(records) == (wrong > 0).sum()


def test_rows_of_a_table_come_with_their_features():
    maker = classifiers(FEW, replicates=1)
    maker.dataset = replace(maker.dataset, feature_names=("width", "height"))
    values = np.arange(2 * EXAMPLES, dtype=np.float32).reshape(-1, 2)
    arrays = {"rows": np.arange(EXAMPLES), "values": values, "divisor": np.array([1.0])}
    results, _ = study(FEW, maker=maker, replicates=1, more=[Artifact(RULE, "hardest/test", maker.keep(**arrays))])
    section = by_slug(results)["examples"]
    assert not [block for block in within(section.blocks) if isinstance(block, Gallery)]
    assert "agreement" not in tables_of(section)  # one replicate cannot agree with itself
    table = tables_of(section)["hard-examples-0"]
    assert [heading.title for heading in table.headings][-2:] == ["width", "height"]
    first = table.records[0]
    assert (first["width"], first["height"]) == tuple(values[first["row"]])


@pytest.mark.parametrize("examples", [200, 3000])
def test_regression_has_predictions_and_residuals_in_units_of_the_target(examples):
    maker, rng = regressions(["price in euros", "area"]), np.random.default_rng(0)
    true = rng.normal(200, 50, (examples, 2)).astype(np.float32)
    for arm in ("one", "two"):
        for replicate in range(2):
            given = true + rng.normal(0, 5, true.shape).astype(np.float32)
            add(maker, given, numbers=true, arm=arm, replicate=replicate)
    section = by_slug(maker.results())["regression"]
    charts = charts_of(section)
    assert set(charts) == {"predicted-0", "residuals-0", "predicted-1", "residuals-1"}
    data = charts["residuals-0"].data
    if examples == 200:
        assert len(data["points"]) == 2 * examples
    else:
        assert sum(cell["count"] for cell in data["cells"]) == 2 * examples
    for chart in charts.values():
        pictures = drawn(chart), drawn(chart, "a1")
        assert pictures[0] != pictures[1]
    assert "predicted price in euros" in drawn(charts["predicted-0"])
    assert len(tables_of(section)["largest-residuals-0"].records) == 20


def regions_maker() -> Maker:
    maker = classifiers(FEW[:3])
    x, y = np.linspace(0, 1, 30), np.linspace(0, 2, 30)
    predicted = (x[None] + y[:, None]).astype(np.int16).clip(0, 2)
    arrays = maker.keep(x=x, y=y, predicted=predicted, confidence=np.full((30, 30), 0.9))
    points = maker.keep(rows=np.arange(5), values=np.full((5, 2), 0.4), labels=np.array([0, 0, 1, 2, 0]))
    more = [
        Artifact(RULE, "regions", arrays),
        Artifact("", "points/validation", points),
        Artifact(RULE, "predicted/validation", maker.keep(predicted=np.zeros(5, np.int32))),
    ]
    study(FEW[:3], maker=maker, more=more)
    return maker


def test_decision_regions_have_a_picture_for_each_arm():
    section = by_slug(regions_maker().results())["regions"]
    charts = charts_of(section)
    assert set(charts) == {"regions-0", "regions-1"}
    assert [row["wrong"] for row in charts["regions-0"].data["points"]] == [False, False, True, True, False]
    assert "2 of 5" in charts["regions-0"].alt
    assert ">feature 1</text>" in drawn(charts["regions-0"])


@pytest.mark.parametrize("name", ["confusion", "recall", "reliability", "confidence", "regions-1"])
def test_every_chart_can_be_drawn(name):
    charts = [block for s in sections(regions_maker().results()) if s for block in within(s.blocks)]
    chart = next(block for block in charts if isinstance(block, Chart) and block.name == name)
    assert "<path" in drawn(chart)


def test_a_study_without_outputs_has_none_of_the_sections():
    assert not by_slug(classifiers(FEW).results())


def test_a_network_that_is_always_right_has_no_hard_examples(tmp_path: Path):
    maker = classifiers(FEW, replicates=2)
    for replicate in range(2):
        add(maker, np.eye(4, dtype=np.float16) * 20, labels=np.arange(4), replicate=replicate)
    results = maker.results()
    assert set(by_slug(results)) == {"classes", "confidence"}
    assert "confused-pairs" not in tables_of(by_slug(results)["classes"])
    write_pages([results], tmp_path)


def test_names_of_classes_are_words_and_never_code(tmp_path: Path):
    results, _ = study(FEW)
    text = write_pages([results], tmp_path).page.read_text(encoding="utf-8")
    assert text.count("</script>") == text.count("<script")
    assert "'=cow" in (tmp_path / "tables" / "made-up-class-scores.csv").read_text(encoding="utf-8")
    assert "confusion" in {chart.name for chart in compose(results).charts}
