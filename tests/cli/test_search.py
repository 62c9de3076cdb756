"""`paribus search`: from a study file to a confirmed winner, and its report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paribus.analysis.finalists import finalists_study
from paribus.analysis.results import load
from paribus.analysis.search_outcome import rung_counts
from paribus.report.page import compose, progress
from paribus.spec.study import load as load_study
from paribus.store.workspace import Workspace
from paribus.web.studies import study_state
from tests.execution.conftest import save_digits
from tests.searching.conftest import TEXT, prepared, searched
from tests.searching.test_driver import CLASHING

Paribus = Callable[..., Any]


@pytest.fixture
def find(paribus: Paribus) -> Path:
    """The path of a small search beside its data."""
    save_digits(Path())
    path = Path("find.toml")
    path.write_text(TEXT, encoding="utf-8")
    return path


def test_a_search_is_confirmed_written_back_and_reported(paribus: Paribus, find: Path) -> None:
    result = paribus("search", find)
    assert result.code == 0, result.err
    said = "\n".join(result.lines)
    assert "is chosen of 8 candidates: validation loss" in said
    assert "In the search it had" in said
    assert "so far would have picked candidate" in said
    written = Path(result.out.strip())
    assert written == Path("find-winner.toml")

    study = load_study(written)
    assert study.replicates.first == 2000
    (claim,) = study.claims
    assert claim.than.arm == "as written"
    with Workspace.open(Path("paribus-workspace")) as workspace:
        results = load(workspace, "find")
        confirmed = results.confirmed
        assert confirmed is not None
        assert claim.better.arm in results.arms
        assert study.arm(claim.better.arm).recipe.optimizer == results.recipe(claim.better.arm).optimizer
        assert workspace.test_reads(results.study_id) == workspace.test_reads(confirmed.study_id) == []
        page = compose(results)
    assert [section.slug for section in page.sections][:3] == ["figure", "finalists", "candidates"]
    tables = page.tables()
    assert len(tables["tables/find-candidates.csv"]) == 8
    rungs = tables["tables/find-rungs-rungs.csv"]
    assert {row["epochs"] for row in rungs} == {2, 4, 8, 12}
    assert [row["state"] for row in rungs if row["candidate"] == claim.better.arm][-1] == "winner"
    shrinkage = {row["candidate"]: row for row in tables["tables/find-finalists.csv"]}
    own = shrinkage[claim.better.arm]
    assert own["shrinkage"] == pytest.approx(own["confirmed_mean"] - own["found"])
    assert own["confirmed_n"] == 3

    again = paribus("search", find, "--json")  # nothing trains, and the file stays
    assert again.code == 0
    found = json.loads(again.out)
    assert found["winner"] == claim.better.arm
    assert found["candidates"] == 8
    assert [one["candidate"] for one in found["finalists"]] == [int(arm.split()[1]) for arm in confirmed.arms]
    assert "candidate" not in again.err.partition("confirming")[0].partition("go on")[1]
    assert paribus("run", written).code in (0, 3)
    with Workspace.open(Path("paribus-workspace")) as workspace:  # the winner and what it is compared with
        reads = workspace.test_reads(load(workspace, "find-winner").study_id)
        assert [read.purpose for read in reads] == ["selected snapshot"] * 3 * len(study.arms)
    assert paribus("verify").code == 0
    for command in ("status", "studies", "table find", "report find"):
        assert paribus(*command.split()).code == 0, command


def test_a_search_cannot_be_run_and_a_study_not_searched(paribus: Paribus, find: Path, course: Path) -> None:
    run, search = paribus("run", find), paribus("search", course)
    assert (run.code, search.code) == (2, 2)
    assert "paribus search find.toml" in run.err
    assert "must be a search" in search.err
    assert not Path("paribus-workspace").exists()


def test_plan_tells_the_rungs(paribus: Paribus, find: Path) -> None:
    result = paribus("plan", find, "--json")
    assert result.code == 0
    found = json.loads(result.out)
    assert [(row["epoch"], row["candidates"], row["replicates"]) for row in found["rungs"]] == [
        (2, 8, 1), (4, 4, 2), (8, 2, 2), (12, 2, 2)
    ]  # fmt: skip
    # 8 to epoch 2; 4 of them 2 more epochs and a second replicate 4; then 2 x 2 x 4, twice
    assert found["epochs"] == 8 * 2 + 4 * (2 + 4) + 2 * 2 * 4 * 2
    assert "8 candidates by tpe, 4 at a time" in paribus("plan", find).out


def test_a_candidate_that_cannot_be_built_is_named_everywhere(paribus: Paribus, find: Path) -> None:
    """The live page and its index read the study while the search goes on, and after it."""
    changes = [word for key, value in CLASHING.items() for word in ("--set", f"{key}={' '.join(value.split())}")]
    result = paribus("search", find, *changes)
    assert result.code == 0
    failed = [line for line in result.lines if "failed: key optimizer: nesterov needs a momentum above 0" in line]
    assert failed[0].startswith("paribus: find: candidate ")
    assert failed[-1].startswith("paribus: Candidate")
    found = json.loads(paribus("search", find, *changes, "--json").out)
    assert list(found["failures"]) == found["disqualified"]["failed"] != []
    assert set(found["failures"].values()) == {"key optimizer: nesterov needs a momentum above 0"}
    assert set(found["lowest_so_far"]) == {"number", "rung", "epochs", "value", "faults"}
    with Workspace.open(Path("paribus-workspace")) as workspace:
        results = load(workspace, "find")
        state = study_state(workspace, workspace.study("find"))
        rows = {row["candidate"]: row for row in compose(results).tables()["tables/find-candidates.csv"]}
    assert {member.arm for member in state.members} == set(results.arms)
    for name in found["failures"]:
        assert name not in results.arms
        assert rows[name]["epochs"] == 0
    assert progress(results).startswith(f"8 candidates, {len(results.runs)} runs, 4 of them to the end")
    assert sum(rung_counts(results).values()) == len([one for one in results.assessments if not one.failure])
    for command in ("status", "studies", "table find", "report find", "verify"):
        assert paribus(*command.split()).code == 0, command


def test_a_winner_is_never_written_over_another_file(paribus: Paribus, find: Path) -> None:
    Path("mine.toml").write_text("# mine\n", encoding="utf-8")
    result = paribus("search", find, "--to", "mine.toml")
    assert (result.code, result.out) == (2, "")
    assert "is chosen of 8 candidates" in result.err
    assert "--to: must be a new file: the one that is there is kept, got mine.toml" in result.err.replace("'", "")
    assert paribus("search", find, "--to", "other.toml").out.strip() == "other.toml"
    assert Path("mine.toml").read_text(encoding="utf-8") == "# mine\n"


def test_a_confirmation_on_other_data_is_not_that_of_the_search(paribus: Paribus, find: Path) -> None:
    """One pixel of a test image changes: the same candidates are finalists, under the same name."""
    assert paribus("search", find, "--set", "search.sampler=random").code == 0
    with np.load("digits.npz") as stored:
        arrays = [stored[name] for name in stored.files]
    arrays[4][0, 0] ^= 1
    np.savez("digits.npz", *arrays)
    changes = {"search.sampler": "random"}
    with Workspace.open(Path("paribus-workspace"), write=True) as workspace:
        before = load(workspace, "find")
        searched(Path(), workspace, **changes)
        after = load(workspace, prepared(Path(), **changes).id)
        assert after.study_id != before.study_id
        assert before.confirmed is not None
        assert finalists_study(after) == finalists_study(before)
        assert after.confirmed is None
        assert load(workspace, before.study_id).confirmed is not None
