"""Workspaces joined in a new one have everything once, and those that disagree are refused."""

from __future__ import annotations

import dataclasses
import os
import shutil

import numpy as np
import pytest

from paribus.errors import StorageError, UserError
from paribus.store.locking import WriterLock
from paribus.store.merging import merge
from paribus.store.records import Artifact, LaterMeasurement, Measurement, NewRun
from paribus.store.verify import verify
from paribus.store.workspace import Workspace


def merged(folder, *sources):
    folder.mkdir()
    return merge(sources, folder)


def early(sequence, folder, steps):
    """A workspace after the first steps of the sequence."""
    with Workspace.open(folder, create=True, write=True) as ws:
        for step in sequence.STEPS[:steps]:
            step(ws)
    return folder


def ended(sequence, folder, **changes):
    """A workspace with one run that has ended, with other results where `changes` says so."""
    with Workspace.open(folder, create=True, write=True) as ws:
        sequence.register(ws)
        outcome = sequence.outcome(sequence.A, ws.tensors)
        ws.finish([dataclasses.replace(outcome, **{key: make(ws, outcome) for key, make in changes.items()})])
    return folder


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("first", [True, False])
def test_an_earlier_state_adds_nothing_to_a_later_one(sequence, complete, quick_path, steps, first):
    """The earlier one is of the same history, so all that it has is in the later one, too."""
    sources = [early(sequence, quick_path / "early", steps), complete]
    expected = sequence.contents(complete)
    found = merged(quick_path / "merged", *(sources if first else reversed(sources)))
    assert sequence.contents(quick_path / "merged") == expected
    assert verify(quick_path / "merged").problems == ()
    assert verify(quick_path / "merged").notes == ()
    assert (found.studies, found.runs, found.shared) == (("small",), 2, 2)


def test_a_workspace_twice_is_that_workspace(sequence, complete, quick_path):
    shutil.copytree(complete, quick_path / "copy")
    merged(quick_path / "merged", complete, complete / ".." / complete.name, quick_path / "copy")
    assert sequence.contents(quick_path / "merged") == sequence.contents(complete)
    assert verify(quick_path / "merged").problems == ()


def test_studies_side_by_side_are_both_there_and_the_last_one_is_the_latest(sequence, complete, quick_path):
    other = {("control", 7): NewRun("c" * 32, "{}", {}, {})}
    with Workspace.open(quick_path / "other", create=True, write=True) as ws:
        ws.register_study("6" * 32, "small", 'name = "small"\nseed = 1\n', other, sequence.CLAIMS)
        ws.register_study("7" * 32, "further", 'name = "further"\n', other, ())
    for sources, latest in (((complete, quick_path / "other"), "6"), ((quick_path / "other", complete), "5")):
        folder = quick_path / f"merged {latest}"
        found = merged(folder, *sources)
        assert (found.runs, found.shared) == (3, 0)
        with Workspace.open(folder) as ws:
            assert ws.study("small").id == latest * 32
            assert len(ws.runs_of("6" * 32)) == len(ws.runs_of("7" * 32)) == 1
            registered = {claim.registered_at for study in "56" for claim in ws.claims(study * 32)}
            assert len(registered) == 1  # when a study of this name first had them
        assert verify(folder).problems == ()


def test_records_of_one_end_have_together_what_was_measured(sequence, quick_path):
    """One workspace measured more at the end, another later, and both agree in what both have."""
    more = ended(
        sequence,
        quick_path / "more",
        measurements=lambda _, outcome: [*outcome.measurements, Measurement("last", "mse", 0.5)],
        artifacts=lambda ws, _: [Artifact("last", "outputs/train", ws.tensors.put({"logits": np.ones(3)}))],
    )
    later = ended(sequence, quick_path / "later")
    with Workspace.open(later, write=True) as ws:
        given = (sequence.A, "last")
        how = ("why", "2026-03-03T00:00:00+00:00", {})
        ws.add_measurements(
            sequence.A,
            [LaterMeasurement(*given, "mse", 0.5, None, *how), LaterMeasurement(*given, "mae", 0.25, None, *how)],
        )
    for name, sources in (("one", (more, later)), ("other", (later, more))):
        merged(quick_path / name, *sources)
        assert verify(quick_path / name).problems == ()
        with Workspace.open(quick_path / name) as ws:
            numbers = {(one.rule, one.name): one.value for one in ws.measurements(sequence.A)}
            assert numbers.pop(("min-val-loss", "mse")) != numbers  # NaN, in all of them
            assert numbers == {("", "parameters"): 10, ("last", "mse"): 0.5, ("last", "mae"): 0.25}
            assert {one.name for one in ws.artifacts(sequence.A)} == {"examples", "outputs/train"}
            assert [one.name for one in ws.later(sequence.A)] == ["mae"]
            for one in ws.artifacts(sequence.A):
                assert ws.tensors.get(one.tensors)


def test_the_run_that_ended_counts_and_its_start_is_the_earliest(sequence, quick_path):
    begun = early(sequence, quick_path / "begun", 3)
    merged(quick_path / "merged", begun, ended(sequence, quick_path / "ended"))
    with Workspace.open(quick_path / "merged") as ws:
        run = ws.run(sequence.A)
        assert (run.state, run.started_at) == ("done", sequence.STARTED)
        assert ws.run(sequence.B).state == "paused"
        assert ws.progress(sequence.B).epochs_done == 1


@pytest.mark.parametrize(
    ("what", "changes"),
    [
        ("curve val_loss", {"curves": lambda _, o: {**o.curves, "val_loss": np.array([np.nan, 0.125])}}),
        ("measurement parameters", {"measurements": lambda _, __: [Measurement("", "parameters", 11)]}),
        ("selection min-val-loss", {"selections": lambda _, o: [dataclasses.replace(o.selections[0], value=0.125)]}),
        (
            "artifact examples",
            {"artifacts": lambda ws, _: [Artifact("", "examples", ws.tensors.put({"x": np.ones(1)}))]},
        ),
        ("its end (done after 2 epochs, diverged after 2)", {"state": lambda _, __: "diverged"}),
    ],
)
def test_two_ends_that_disagree_are_refused(sequence, quick_path, what, changes):
    one, other = ended(sequence, quick_path / "one"), ended(sequence, quick_path / "other", **changes)
    with pytest.raises(UserError) as caught:
        merged(quick_path / "merged", one, other)
    message = str(caught.value)
    said = f"{other}: must be the same as in {one}: {what} of run {sequence.A} (small, arm control"
    assert message[: len(said)] == said
    assert "\n" not in message


@pytest.mark.parametrize("steps", [4, 6])
def test_epochs_that_disagree_are_refused(sequence, complete, quick_path, steps):
    """The second epoch of the sequence's checkpoints is not that of its end."""
    with pytest.raises(UserError, match="curve train_loss of run a"):
        merged(quick_path / "merged", complete, early(sequence, quick_path / "early", steps))


def test_candidates_that_disagree_are_refused(sequence, complete, quick_path):
    with Workspace.open(quick_path / "other", create=True, write=True) as ws:
        sequence.register(ws)
        (one, *_), values = sequence.proposals(), {"optimizer.lr": 0.7}
        ws.add_proposals(sequence.STUDY, [dataclasses.replace(one, values=values)])
    with pytest.raises(UserError, match=r"proposals 0 of study 5+ differ"):
        merged(quick_path / "merged", complete, quick_path / "other")


def test_a_workspace_in_use_is_refused(complete, quick_path):
    lock = WriterLock.take(complete)
    try:
        with pytest.raises(UserError, match=f"in use by process {os.getpid()}"):
            merged(quick_path / "merged", complete)
    finally:
        lock.release()


def test_sources_are_only_read(complete, quick_path):
    def files(folder):
        return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.name != "lock"}

    before = files(complete)
    merged(quick_path / "merged", complete)
    assert files(complete) == before
    merged(quick_path / "again", complete)


def test_a_damaged_or_missing_source_is_refused(complete, quick_path):
    with pytest.raises(UserError, match="not a paribus workspace"):
        merged(quick_path / "a", complete, quick_path / "nothing")
    victim = sorted((complete / "tensors").iterdir())[0]
    victim.write_bytes(victim.read_bytes()[:-1] + b"?")
    with pytest.raises(StorageError, match=victim.name):
        merged(quick_path / "b", complete)
