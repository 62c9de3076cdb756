"""Candidates that cannot be built or trained: they are named with the reason, and the others are compared."""

from __future__ import annotations

import shutil
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import pytest

from paribus.analysis.results import load
from paribus.analysis.search_outcome import search_outcome, search_sentences
from paribus.errors import UserError
from paribus.execution.executors import ExecutorsByFamily
from paribus.execution.lasting import LastingWorkers
from paribus.report.page import compose
from paribus.searching.driver import PreparedSearch, prepare_search, run_search
from paribus.spec.study import Study, parse
from paribus.store.records import Assessment
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
seed = 6
question = "Which width?"
replicates = 1
data = { source = "digits.npz", split = "given" }
network = { kind = "module", module = "nets.py:Heads" }
optimizer = { kind = "sgd", lr = 0.1 }
training = { epochs = 3, batch_size = 20 }
selection = { rules = ["min-val-loss"] }

[search]
sampler = "random"
candidates = 3
batch = 3
objective = "min-val-loss"
halving = { grace = 1, factor = 2 }

[search.space]
"network.arguments.width" = { integer = [4, 6] }
"""


def study(data: Path, folder: Path, **changes: str) -> Study:
    shutil.copy(data / "digits.npz", folder)
    (folder / "nets.py").write_text(NETS, encoding="utf-8")
    return parse(TEXT, place="a search", overrides=changes, folder=folder)


def searched(prepared: PreparedSearch, workspace: Workspace, display: Any = None) -> tuple[int, ...]:
    """A search as the command makes it, whose worker process stays from one rung to the next."""
    with closing(LastingWorkers(ExecutorsByFamily)) as workers:
        return run_search(prepared, workspace, display, executor=workers)


def test_a_candidate_that_fails_is_named_and_the_others_are_compared(data: Path, tmp_path: Path) -> None:
    """Of the widths 4 to 6, 5 cannot be built, and 6 fails in the second epoch, at the fifth step."""
    prepared = prepare_search(study(data, tmp_path), workers=1)
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        found = searched(prepared, workspace)
        width = {one.number: one.values["network.arguments.width"] for one in workspace.proposals(prepared.id)}
        assessed = workspace.assessments(prepared.id)
        built = {int(arm.split()[1]) for arm in workspace.arms_of(prepared.id)}
        assert searched(prepared, workspace) == found  # from what is recorded
        assert workspace.assessments(prepared.id) == assessed
        results = load(workspace, prepared.id)
        report = compose(results)
    assert set(width.values()) == {4, 5, 6}
    assert built == {number for number, w in width.items() if w % 2 == 0}
    for one in assessed:
        if width[one.number] % 2:
            assert (one.rung, one.value, one.faults) == (0, None, ())
            assert one.failure.startswith("key network.module, nets.py:")
            assert f"width {width[one.number]} must be a multiple of 2" in one.failure
        else:
            assert ("lost its way" in one.failure) == (one.value is None) == (width[one.number] == 6 and one.rung > 0)
    assert found
    assert [width[number] for number in found] == [4]
    outcome = search_outcome(results)
    assert outcome is not None
    failed = [f"candidate {number}" for number, w in width.items() if w % 2 or (w == 6 and _reached(assessed, number))]
    assert list(outcome.disqualified["failed"]) == failed
    assert f"{len(failed)} failed (candidate" in " ".join(search_sentences(results))
    rows = report.tables()["tables/widths-candidates.csv"]
    assert {row["candidate"] for row in rows if row["faults"].startswith("failed: ")} == set(failed)
    assert verify(tmp_path / "ws").problems == ()


def _reached(assessed: list[Assessment], number: int) -> bool:
    return any(one.number == number and one.rung > 0 for one in assessed)


def test_a_search_whose_candidates_all_fail_comes_to_its_end(data: Path, tmp_path: Path) -> None:
    """Also one at a time: the error is of the candidate, and would come again."""
    changes = {
        "search.space": '{ "network.arguments.width" = { choice = [6, 10] } }',
        "search.halving": "{ grace = 2 }",
        "search.candidates": "2",
        "search.batch": "1",
    }
    prepared = prepare_search(study(data, tmp_path, **changes), workers=1)
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        assert searched(prepared, workspace) == ()
        assert ["lost its way" in one.failure for one in workspace.assessments(prepared.id)] == [True, True]
        said = search_sentences(load(workspace, prepared.id))
    assert "has no winner" in said[0]
    assert any(line.startswith("Candidate") and "failed: met an error (nets.py:" in line for line in said)


def test_a_changed_file_stops_the_search_and_is_held_against_no_candidate(data: Path, tmp_path: Path) -> None:
    """At first each rung has new workers, which import the file anew."""
    space = '{ "network.arguments.width" = { choice = [4, 8] }, "optimizer.lr" = { uniform = [0.1, 1] } }'
    changes = {"search.space": space, "search.batch": "1", "search.candidates": "2"}
    prepared = prepare_search(study(data, tmp_path, **changes), workers=1)
    file = tmp_path / "nets.py"

    class Changing:
        """Changes the file after the first candidate."""

        def stage(self, stage: Any, plan: Any) -> Any:
            return nullcontext(lambda event: None)

        def decided(self, stage: Any, assessed: Any) -> None:
            file.write_text(NETS + "# more\n", encoding="utf-8")

    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        with pytest.raises(UserError, match=r"must train every candidate of a rung.*must not change while"):
            run_search(prepared, workspace, Changing())
        assert len(workspace.assessments(prepared.id)) == 1
        file.write_text(NETS, encoding="utf-8")
        found = searched(prepared, workspace)
        history = workspace.assessments(prepared.id)
    with Workspace.open(tmp_path / "other", create=True, write=True) as workspace:
        assert searched(prepared, workspace) == found
        assert workspace.assessments(prepared.id) == history
    assert not any(one.failure for one in history)


def test_a_module_that_can_no_longer_be_built_at_all_stops_the_search(data: Path, tmp_path: Path) -> None:
    """A candidate cannot be built, and no more can a corner of the space that could be before."""
    prepared = prepare_search(study(data, tmp_path), workers=1)
    (tmp_path / "nets.py").unlink()
    with Workspace.open(tmp_path / "ws", create=True, write=True) as workspace:
        with pytest.raises(UserError, match="must name a Python file beside the study file"):
            searched(prepared, workspace)
        assert workspace.assessments(prepared.id) == []
