"""Candidates that cannot be built or trained: they are named with the reason, and the others are compared."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from paribus.analysis.results import load
from paribus.analysis.search_outcome import search_outcome, search_sentences
from paribus.errors import UserError
from paribus.report.page import compose
from paribus.searching.driver import prepare_search, run_search
from paribus.spec.study import Study, parse
from paribus.store.verify import verify
from paribus.store.workspace import Workspace

NETS = """
import torch
from torch import nn


class Heads(nn.Module):
    def __init__(self, width=4, heads=2):
        super().__init__()
        if width % heads:
            raise ValueError(f"width {width} must be a multiple of {heads}")
        self.first, self.last = nn.Linear(16, width), nn.Linear(width, 3)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))
        self.width = width

    def forward(self, x):
        self.steps += self.training
        if self.width in (6, 10) and self.steps > 4:
            raise RuntimeError("lost its way")
        return self.last(torch.tanh(self.first(x.flatten(1))))
"""
TEXT = """
name = "widths"
question = "Which width?"
replicates = 1
data = { source = "digits.npz", split = "given" }
network = { kind = "module", module = "nets.py:Heads" }
optimizer = { kind = "sgd", lr = 0.1 }
training = { epochs = 3, batch_size = 20 }
selection = { rules = ["min-val-loss"] }

[search]
sampler = "random"
candidates = 6
batch = 6
objective = "min-val-loss"
halving = { grace = 1, factor = 2 }

[search.space]
"network.arguments.width" = { integer = [4, 8] }
"""


def study(data: Path, folder: Path, **changes: str) -> Study:
    shutil.copy(data / "digits.npz", folder)
    (folder / "nets.py").write_text(NETS, encoding="utf-8")
    return parse(TEXT, place="a search", overrides=changes, folder=folder)


def test_a_candidate_that_fails_is_named_and_the_others_are_compared(data: Path, tmp_path: Path) -> None:
    """Of the widths 4 to 8 the odd ones cannot be built, and 6 fails in the second epoch, at the fifth step."""
    prepared = prepare_search(study(data, tmp_path), workers=2)
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        found = run_search(prepared, workspace)
        width = {one.number: one.values["network.arguments.width"] for one in workspace.proposals(prepared.id)}
        assessed = workspace.assessments(prepared.id)
        built = {int(arm.split()[1]) for arm in workspace.arms_of(prepared.id)}
        assert run_search(prepared, workspace) == found  # from what is recorded
        assert workspace.assessments(prepared.id) == assessed
        results = load(workspace, prepared.id)
        report = compose(results)
    assert {w % 2 for w in width.values()} == {0, 1}
    assert 6 in width.values()
    assert built == {number for number, w in width.items() if w % 2 == 0}
    for one in assessed:
        if width[one.number] % 2:
            assert (one.rung, one.value, one.faults) == (0, None, ())
            assert f"width {width[one.number]} must be a multiple of 2" in one.failure
        else:
            assert ("lost its way" in one.failure) == (one.value is None) == (width[one.number] == 6 and one.rung > 0)
    assert found
    assert {width[number] for number in found} <= {4, 8}
    outcome = search_outcome(results)
    assert outcome is not None
    failed = [f"candidate {number}" for number, w in width.items() if w % 2 or (w == 6 and _reached(assessed, number))]
    assert list(outcome.disqualified["failed"]) == failed
    assert f"{len(failed)} failed (candidate" in " ".join(search_sentences(results))
    rows = report.tables()["tables/widths-candidates.csv"]
    assert {row["candidate"] for row in rows if row["faults"].startswith("failed: ")} == set(failed)
    assert verify(tmp_path / "ws").problems == ()


def _reached(assessed: list, number: int) -> bool:
    return any(one.number == number and one.rung > 0 for one in assessed)


def test_a_rung_of_which_nothing_can_be_trained_stops_the_search(data: Path, tmp_path: Path) -> None:
    changes = {
        "search.space": '{ "network.arguments.width" = { choice = [6, 10] } }',
        "search.halving": "{ grace = 2 }",
    }
    prepared = prepare_search(study(data, tmp_path, **changes), workers=2)
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        with pytest.raises(UserError, match=r"must train one candidate of a rung at least.*lost its way"):
            run_search(prepared, workspace)
        assert workspace.assessments(prepared.id) == []
