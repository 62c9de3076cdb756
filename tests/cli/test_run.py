from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

Paribus = Callable[..., Any]


def test_a_study_is_trained_once(paribus: Paribus, course: Path) -> None:
    first = paribus("run", course, "--json")
    assert first.code == 0
    (done,) = json.loads(first.out)
    assert (done["study"], done["trained"], done["reused"], done["diverged"]) == ("course", 4, 0, 0)
    assert Path("paribus-workspace").is_dir()

    second = paribus("run", course, "--json")
    assert second.code == 0
    assert "course: nothing to train: 4 runs are recorded" in second.err
    (done,) = json.loads(second.out)
    assert (done["trained"], done["reused"]) == (0, 4)


def test_progress_is_printed_on_stderr_alone(paribus: Paribus, course: Path) -> None:
    result = paribus("run", course)
    assert result.out == ""
    assert any("cohort 1/" in line for line in result.lines)
    assert all(line.startswith("paribus: ") for line in result.lines)


def test_the_end_names_the_next_step(paribus: Paribus, course: Path, tmp_path: Path) -> None:
    assert paribus("run", course).lines[-1] == "paribus: next: paribus report course, or paribus view course"
    elsewhere = tmp_path / "other folder"
    last = paribus("run", course, "--workspace", elsewhere).lines[-1]
    where = f"course --workspace '{elsewhere}'"
    assert last == f"paribus: next: paribus report {where}, or paribus view {where}"


def test_the_end_has_verdicts_findings_and_the_energy(paribus: Paribus, course: Path) -> None:
    claim = 'statement = "Faster is better."\nmetric = "train_loss"\nby = 1000.0\n'
    arms = 'better = { arm = "fast" }\nthan = { arm = "slow" }\n'
    course.write_text(f"{course.read_text()}[[claims]]\n{claim}{arms}")
    lines = paribus("run", course).lines
    ending = lines[next(i for i, line in enumerate(lines) if "trained 4 runs in" in line) + 1 : -1]
    labels = [line.removeprefix("paribus: ").partition(":")[0] for line in ending]
    assert (labels[0], labels[-1]) == ("EQUIVALENT", "energy")
    assert set(labels[1:-1]) <= {"finding"}
    numbers = r"training loss [\d.]+ (higher|lower) \(95 % CI .+ to .+, n = 2\)"
    assert re.fullmatch(rf"paribus: EQUIVALENT: Faster is better: {numbers}", ending[0])
    assert re.search(r"unknown|J \(.+ kWh, (measured|modelled)\)", ending[-1])


def test_more_replicates_train_only_what_is_new(paribus: Paribus, course: Path) -> None:
    paribus("run", course)
    (done,) = json.loads(paribus("run", course, "--replicates", "3", "--json").out)
    assert (done["trained"], done["reused"]) == (2, 4)


def test_several_studies_are_run_one_after_the_other(paribus: Paribus, course: Path) -> None:
    other = Path("other.toml")
    other.write_text(course.read_text().replace('"course"', '"other"', 1).replace("epochs = 3", "epochs = 2"))
    done = json.loads(paribus("run", course, other, course, "--json").out)
    assert [(study["study"], study["trained"]) for study in done] == [("course", 4), ("other", 4)]
    assert [study["study"] for study in json.loads(paribus("status", "--json").out)] == ["course", "other"]


def test_the_report_is_written_as_soon_as_a_study_has_ended(paribus: Paribus, course: Path) -> None:
    other = Path("other.toml")
    other.write_text(course.read_text().replace('"course"', '"other"', 1).replace("epochs = 3", "epochs = 2"))
    lines = paribus("run", course, other, "--report").lines
    said = [i for i, line in enumerate(lines) if line.startswith("paribus: report: ")]
    paths = [Path(lines[i].partition("report: ")[2]) for i in said]
    assert [path.name for path in paths] == ["course.html", "index.html"]
    trained = [i for i, line in enumerate(lines) if ": trained 4 runs" in line]
    assert trained[0] < said[0] < trained[1] < said[1] == len(lines) - 2
    assert lines[-1] == "paribus: next: paribus view course other"
    folder = Path("paribus-workspace/report")
    assert {path.name for path in folder.glob("*.html")} == {"course.html", "other.html", "index.html"}
    assert "other.html" in paths[1].read_text(encoding="utf-8")


def test_a_mistake_in_the_last_study_stops_the_first(paribus: Paribus, course: Path) -> None:
    result = paribus("run", course, "none.toml")
    assert result.code == 2
    assert len(result.lines) == 1
    assert not Path("paribus-workspace").exists()


def test_runs_that_diverge_make_the_exit_code_3(paribus: Paribus, course: Path) -> None:
    exploding = ("--set", "arms.fast.optimizer.lr=1e6", "--set", "arms.fast.optimizer.weight_decay=1.0")
    result = paribus("run", course, *exploding)
    assert result.code == 3
    assert any("2 runs diverged (see `paribus status course`)" in line for line in result.lines)
    (study,) = json.loads(paribus("status", "--json").out)
    assert (study["done"], study["diverged"]) == (2, 2)
    again = paribus("run", course, *exploding)
    assert again.code == 3
    assert "nothing to train" in again.err


def test_the_table_and_the_report_of_what_was_run(paribus: Paribus, course: Path) -> None:
    paribus("run", course)
    rows = json.loads(paribus("table", "course", "--json").out)["rows"]
    found = {(row["arm"], row["rule"], row["metric"]): row for row in rows}
    assert found["slow", "last", "epoch"]["values"] == [3, 3]
    assert 0 <= found["slow", "last", "test_accuracy"]["mean"] <= 1
    assert found["slow", "", "parameters"]["mean"] == 784 * 4 + 4 + 4 * 10 + 10
    assert Path(paribus("report").out.strip()).exists()
    assert paribus("verify").code == 0


def test_data_that_cannot_be_had_leaves_nothing_behind(paribus: Paribus, course: Path) -> None:
    Path("course.npz").unlink()
    result = paribus("run", course)
    assert result.code == 2
    assert len(result.lines) == 1
    assert "course.npz" in result.err
    assert not Path("paribus-workspace").exists()
