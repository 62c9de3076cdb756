"""`paribus lr-range`: deterministic, recorded as a study of its own, and nothing of the test set."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from paribus.analysis.range_test import RULES
from paribus.analysis.results import load
from paribus.cli import lr_range
from paribus.report.page import compose
from paribus.store.workspace import Workspace
from tests.execution.conftest import ARMS, TINY, save_digits

Paribus = Callable[..., Any]


def test_the_rules_of_the_command_are_those_that_suggest() -> None:
    assert RULES == lr_range._RULES


def test_rates_grow_and_a_rate_is_suggested_for_each_arm(paribus: Paribus) -> None:
    save_digits(Path())
    Path("tiny.toml").write_text(TINY + ARMS, encoding="utf-8")
    words = ("lr-range", "tiny.toml", "--from", "1e-3", "--to", "100", "--epochs", "26", "--json")
    first, again = paribus(*words), paribus(*words, "--workspace", "other")
    assert first.code == again.code == 0, first.err
    assert first.out == again.out
    found = {row["arm"]: row for row in json.loads(first.out)}
    assert list(found) == ["slow", "fast", "stopping"]
    slow = found["slow"]
    np.testing.assert_allclose(slow["rates"], np.geomspace(1e-3, 100, 26)[: len(slow["rates"])], rtol=1e-9)
    assert slow["unstable"] is not None  # 100 is far too high for SGD with momentum
    assert slow["decade-below"] == slow["unstable"] / 10
    assert slow["largest-stable"] < slow["unstable"]
    assert slow["suggested"] == slow["decade-below"]
    assert found["fast"]["mean"] == slow["mean"]  # they differ in the rate alone, which the test replaces

    with Workspace.open(Path("paribus-workspace")) as workspace:
        results = load(workspace, "tiny-lr-range")
        assert workspace.test_reads(results.study_id) == []
        page = compose(results)
    assert any("suggested learning rate" in sentence for sentence in page.answer)
    assert any(name.endswith("lr-range.csv") for name in page.tables())
    shown = paribus("lr-range", "tiny.toml", "--from", "1e-3", "--to", "100", "--epochs", "26", "--rule", "steepest")
    assert shown.code == 0
    assert "slow" in shown.out
    assert "(steepest)" in shown.err


def test_what_is_no_range_is_refused(paribus: Paribus, course: Path) -> None:
    for words, message in (
        (("--from", "1", "--to", "0.1"), "must be above --from (1)"),
        (("--from", "0"), "must be a number above 0"),
        (("--to", "much"), "must be a number above 0"),
        (("--epochs", "2"), "must be a whole number from 5"),
    ):
        result = paribus("lr-range", course, *words)
        assert (result.code, message in result.err) == (2, True), result.err
    assert not Path("paribus-workspace").exists()
