"""What is said of regressions: lower RMSE is better, in the unit of the target, and nothing is said of accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from scipy import stats

from paribus.analysis import wording
from paribus.analysis.answers import answer
from paribus.analysis.finding_summaries import findings
from paribus.analysis.findings import findings_of
from paribus.analysis.headline import compared_metric
from paribus.analysis.labels import ranking
from paribus.analysis.references import gains, of_reference, reference_lines
from paribus.analysis.selection import gaps
from paribus.analysis.tables import rows
from paribus.analysis.undefined import undefined
from paribus.analysis.verdicts import claim_outcomes, claim_sentence
from paribus.spec.dataset import Dataset
from paribus.store.records import Artifact
from tests.analysis.conftest import Maker

HOUSES = """
format = 1
name = "houses"
question = "Does a hidden layer predict prices better?"
replicates = {replicates}
control = "linear"
deploy = "min-val-rmse"
references = ["constant", "linear"]
[data]
source = "houses.csv"
task = "regression"
target = "price"
split = {{ by = "given", validation = 0.2 }}
[network]
hidden = []
[loss]
kind = "huber"
[optimizer]
kind = "adam"
lr = 1e-3
[training]
epochs = 3
batch_size = 32
[selection]
rules = ["min-val-rmse", "last"]
[test]
read_at = ["min-val-rmse", "last"]
[[arms]]
name = "linear"
[[arms]]
name = "hidden"
network = {{ hidden = [16] }}
[[claims]]
statement = "A hidden layer helps."
metric = "test_rmse"
better = {{ arm = "hidden" }}
than = {{ arm = "linear" }}
by = 500.0
{more}
"""
TABLE = Dataset("houses.csv", 4, (4,), (), 100, 40, 40, 140, ("price",), ("a", "b", "c", "d"))


def houses(
    linear: Sequence[float], hidden: Sequence[float], reference: float | None = None, *, more: str = "", **facts: object
) -> Maker:
    """A study with the test RMSE of each replicate of its two arms, and the reference's."""
    maker = Maker(HOUSES.format(replicates=len(linear), more=more), replace(TABLE, **facts))
    for arm, errors in (("linear", linear), ("hidden", hidden)):
        for replicate, rmse in enumerate(errors):
            measured = {(rule, "test_rmse"): rmse for rule in ("min-val-rmse", "last")}
            measured |= {("min-val-rmse", "train_rmse"): rmse - 2_000, ("min-val-rmse", "train_r2"): 0.8}
            if reference is not None:
                measured["", "reference/linear/test_rmse"] = reference + replicate
            maker.run(arm, replicate, curves=curves(), measured=measured)
    return maker


def curves() -> dict[str, list[float]]:
    return {
        "train_loss": [1.0, 0.5, 0.4],
        "val_loss": [1.0, 0.6, 0.61],
        "val_rmse": [52_000.0, 44_000.0, 44_100.0],
        "lr": [1e-3, 1e-3, 1e-3],
    }


BETTER = houses([41_250.0, 41_900.0, 40_800.0], [39_000.0, 39_800.0, 38_700.0], 40_000.0)


def test_arms_are_compared_in_test_rmse_and_the_lowest_is_best() -> None:
    results = BETTER.results()
    assert compared_metric(results) == "test_rmse"
    assert [entry.arm for entry in ranking(results, "test_rmse")] == ["hidden", "linear"]
    said = " ".join(answer(results).sentences)
    assert "The test RMSE is 2,150 lower with hidden than with linear" in said
    assert "accuracy" not in said


def test_a_claim_on_rmse_is_signed_in_favour_of_the_lower_one() -> None:
    results = BETTER.results()
    (outcome,) = claim_outcomes(results)
    theirs = stats.ttest_rel([41_250.0, 41_900.0, 40_800.0], [39_000.0, 39_800.0, 38_700.0]).confidence_interval()
    assert outcome.interval is not None
    assert (outcome.interval.low, outcome.interval.high) == pytest.approx((theirs.low, theirs.high))
    assert outcome.verdict == "SUPPORTED"
    said = claim_sentence(results, outcome)
    assert said.startswith("The test RMSE is 2,150 lower with hidden than with linear (95 % CI ")
    worse = houses([39_000.0, 39_800.0, 38_700.0], [41_250.0, 41_900.0, 40_800.0]).results()
    assert claim_outcomes(worse)[0].verdict == "REFUTED"


def test_where_the_control_is_best_the_others_are_worse() -> None:
    results = houses([39_000.0, 39_800.0, 38_700.0], [41_250.0, 41_900.0, 40_800.0]).results()
    without = replace(results, study=results.study.model_copy(update={"claims": ()}))
    found = answer(without)
    assert found.headline.startswith("linear has the lowest mean test RMSE, 39,170 (sd 570, n = 3)")
    assert found.points[0] == "Worse than linear, the control: hidden (+2,150)."


def test_without_test_data_arms_are_compared_on_validation_data() -> None:
    maker = Maker(HOUSES.format(replicates=2, more="").replace('read_at = ["min-val-rmse", "last"]', ""), TABLE)
    maker.study = maker.study.model_copy(update={"claims": ()})
    for arm in ("linear", "hidden"):
        for replicate in range(2):
            maker.run(arm, replicate, curves=curves())
    results = maker.results()
    assert compared_metric(results, "regression") == "val_rmse"
    assert "has the lowest mean validation RMSE" in answer(results).headline


def test_the_gap_of_a_regression_is_in_the_unit_of_its_target() -> None:
    found = [gap for gap in gaps(BETTER.results()) if gap.metric == "rmse" and gap.arm == "hidden"]
    assert {(gap.split, gap.rule) for gap in found} == {("test", "min-val-rmse"), ("val", "min-val-rmse")}
    assert next(gap for gap in found if gap.split == "test").gap.mean == pytest.approx(2_000)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([41_250.0, 42_000.0, 40_500.0], "41,250 (sd 750, n = 3)"),
        ([0.0123, 0.0144, 0.0102], "0.0123 (sd 0.0021, n = 3)"),
        ([1_234_567.0, 1_200_000.0], "1,217,000 (sd 24,000, n = 2)"),
        ([55.31, 55.31], "55.31 (sd 0, n = 2)"),
        ([41_250.4], "41,250 (one run)"),
        ([0.012343], "0.01234 (one run)"),
    ],
)
def test_a_number_of_any_size_has_the_digits_that_its_spread_allows(values: list[float], said: str) -> None:
    from paribus.analysis.estimates import estimate

    assert wording.mean_and_sd("test_rmse", estimate(values)) == said


def test_a_reference_is_one_line_for_the_arms_that_share_their_data() -> None:
    results = BETTER.results()
    (line,) = reference_lines(results)
    assert (line.reference, line.label, line.arms) == ("linear", "linear model", ("linear", "hidden"))
    assert of_reference(results, line, "test_rmse").values == (40_000.0, 40_001.0, 40_002.0)
    by_arm = {gain.arm: gain for gain in gains(results, line, "test_rmse")}
    theirs = stats.ttest_rel([40_000.0, 40_001.0, 40_002.0], [39_000.0, 39_800.0, 38_700.0]).confidence_interval()
    interval = by_arm["hidden"].gain.interval
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((theirs.low, theirs.high))
    assert by_arm["linear"].gain.mean is not None
    assert by_arm["linear"].gain.mean < 0
    of_line = [row for row in rows(results) if row.reference]
    assert [(row.arm, row.rule, row.metric, row.mean) for row in of_line] == [("linear", "", "test_rmse", 40_001.0)]


def test_no_network_better_than_the_linear_model_is_a_finding() -> None:
    def found(reference: float, hidden: Sequence[float]) -> list[str]:
        results = houses([41_250.0, 41_900.0, 40_800.0], hidden, reference).results()
        return [entry.sentence for entry in findings(results) if entry.kind == "no-better-than-linear"]

    (sentence,) = found(39_500.0, [39_000.0, 39_800.0, 38_700.0])
    assert sentence.startswith("No network is clearly better than the linear model: test RMSE of")
    assert "the best, hidden, is 39,170 (sd 570, n = 3)" in sentence
    assert "; the improvement, paired by replicate, is +" in sentence
    (sentence,) = found(38_500.0, [39_000.0, 39_800.0, 38_700.0])
    assert "; the improvement, paired by replicate, is -" in sentence, "worse than the line"
    assert not found(45_000.0, [39_000.0, 39_800.0, 38_700.0])
    results = houses([41_250.0], [39_000.0], 30_000.0).results()
    assert not [entry for entry in findings(results) if entry.kind == "no-better-than-linear"]


def test_a_regression_that_explains_nothing_has_never_learned() -> None:
    maker = Maker(HOUSES.format(replicates=1, more=""), TABLE)
    run = maker.run(
        "hidden", 0, curves=curves(), measured={(rule, "train_r2"): 0.03 for rule in ("min-val-rmse", "last")}
    )
    assert [finding.kind for finding in findings_of(run)] == ["never-learned"]
    assert "no learning in its one run: training R² 0.03000, a constant has 0" in findings(maker.results())[0].sentence
    learned = maker.run("linear", 0, curves=curves(), measured={("last", "train_r2"): 0.3})
    assert not findings_of(learned)


def test_equal_targets_are_constant_data() -> None:
    maker = Maker(HOUSES.format(replicates=1, more=""), TABLE)
    targets = Artifact("", "targets/train", maker.keep(rows=[0, 1, 2], numbers=[[3.0], [3.0], [3.0]]))
    run = maker.run("hidden", 0, curves=curves(), artifacts=[targets], measured={("last", "train_r2"): float("nan")})
    assert [finding.kind for finding in findings_of(run)] == ["constant-data"]


def test_each_of_several_numbers_has_rows_of_its_own() -> None:
    maker = houses([40_000.0, 41_000.0], [39_000.0, 40_000.0], targets=("price", "rent"))
    for run in maker.runs:
        run.measurements["min-val-rmse", "test_rmse:rent"] = 0.02  # pyright: ignore[reportIndexIssue]
    found = {(row.arm, row.rule, row.metric): row.mean for row in rows(maker.results())}
    assert found["hidden", "min-val-rmse", "test_rmse:rent"] == 0.02
    assert wording.label("test_rmse:rent") == "test RMSE of rent"


def test_an_undefined_figure_says_why(classifiers) -> None:
    maker = classifiers(replicates=1)
    labels = Artifact("", "targets/test", maker.keep(rows=[0, 1], labels=[0, 3]))
    steady = {"train_loss": [1.0, 0.5], "val_loss": [1.0, 0.5], "val_accuracy": [0.5, 0.6]}
    nan = float("nan")
    values = {"test_auroc": nan, "val_auroc": 0.9, "val_ece": nan, "val_log_loss": 0.3, "test_macro_f1": nan,
              "test_log_loss": nan}  # fmt: skip
    measured = {("max-val-accuracy", name): value for name, value in values.items()}
    maker.run("fixed", 0, curves=steady, measured=measured, artifacts=[labels])
    results = maker.results()
    said = undefined(results, "fixed", "max-val-accuracy", "test_auroc")
    assert said == "test AUROC is undefined in fixed: the test data have no example of 1, 2, 4, 5, 6, 7, 8 and 9"
    assert undefined(results, "fixed", "max-val-accuracy", "val_auroc") == ""
    of_validation = undefined(results, "fixed", "max-val-accuracy", "val_ece")
    assert of_validation == "validation expected calibration error is undefined in fixed", "and no reason is made up"
    of_outputs = undefined(results, "fixed", "max-val-accuracy", "test_macro_f1")
    assert of_outputs == "test macro F1 is undefined in fixed: the network's outputs are not finite"
    assert undefined(results, "dropped", "max-val-accuracy", "test_auroc") == ""
