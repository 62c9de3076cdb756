from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

Paribus = Callable[..., Any]
CLAIM = """
[[claims]]
statement = "Faster is better."
metric = "train_loss"
better = { arm = "fast" }
than = { arm = "slow" }
by = 0.001
because = "It must be seen."
"""


def handed_in(paribus: Paribus, course: Path, name: str, text: str) -> Path:
    """An archive of the study that `text` says, trained in a workspace of its own."""
    path = Path(f"{name}.toml")
    path.write_text(text, encoding="utf-8")
    assert paribus("run", path, "--workspace", name).code == 0
    assert paribus("export", "course", "--workspace", name, "--format", "archive", "--to", f"{name}.zip").code == 0
    return Path(f"{name}.zip")


def test_one_table_for_what_was_handed_in(paribus: Paribus, course: Path) -> None:
    text = course.read_text()
    assignment = Path("assignment.toml")
    assignment.write_text(text + CLAIM, encoding="utf-8")
    good = handed_in(paribus, course, "anna", text + CLAIM)
    other = handed_in(paribus, course, "ben", text.replace("lr = 0.1", "lr = 0.3") + CLAIM)
    late = Path("carl.toml")
    late.write_text(text, encoding="utf-8")
    paribus("run", late, "--workspace", "carl")
    import time

    time.sleep(1.1)  # moments are recorded to the second
    late_archive = handed_in(paribus, course, "carl", text + CLAIM)
    copy = Path("dora.zip")
    shutil.copy(good, copy)
    broken = Path("eve.zip")
    broken.write_bytes(good.read_bytes()[:-200])
    archives = (good, other, late_archive, copy, broken)
    result = paribus("review", *archives, "--assignment", assignment, "--json")
    assert result.code == 1
    found = {Path(one["archive"]).stem: one for one in json.loads(result.out)}
    assert found["anna"]["differences"] == found["anna"]["late"] == []
    assert found["anna"]["replicates"] == 2
    assert (found["anna"]["done"], found["anna"]["test_reads"]) == (4, 4)
    assert found["anna"]["verdicts"][0] in ("SUPPORTED", "REFUTED", "EQUIVALENT", "INCONCLUSIVE")
    assert found["ben"]["differences"] == ["arm fast: optimizer.lr: 0.1 -> 0.3"]
    assert found["carl"]["late"] == ["Faster is better."]
    assert not found["eve"]["verified"]
    shown = paribus("review", *archives, "--assignment", assignment)
    rows = shown.out.splitlines()
    assert rows[0].split()[:3] == ["archive", "verified", "study"]
    assert len(rows) == 6
    assert any("dora.zip: shares sessions of training with anna.zip" in line for line in shown.lines)
    assert any("eve.zip: must be a whole archive" in line for line in shown.lines)
    csv = paribus("review", good, "--csv").out.splitlines()
    assert csv[0].startswith("archive,verified,study,differs in")


def test_a_word_is_explained(paribus: Paribus) -> None:
    assert paribus("explain", "cohort").out == "cohort: runs that train together as one batched program\n"
    assert "replicate" in paribus("explain").out
    assert json.loads(paribus("explain", "dead", "units", "--json").out)["kind"] == "finding"
    result = paribus("explain", "replicat")
    assert (result.code, len(result.lines)) == (2, 1)
    assert "did you mean replicate?" in result.err
