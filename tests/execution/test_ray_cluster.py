"""Actors of a Ray cluster: how they, their nodes and their driver are lost, and that nothing else is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import ray

from paribus.analysis.meters import node_totals
from paribus.analysis.results import load
from paribus.child_python import python_path
from paribus.cli.main import run_command
from paribus.errors import UserError
from paribus.execution import ray_cluster as module
from paribus.execution.events import CohortLost, EpochDone
from paribus.execution.executors import ExecutorsByFamily
from paribus.execution.ray_cluster import RayExecutor
from paribus.report.page import compose
from paribus.searching.driver import run_search
from paribus.store.workspace import Workspace
from tests.execution import faults
from tests.execution.conftest import ARMS, NODE, recorded, runs_in, tiny, trained
from tests.searching.conftest import history, prepared

CHANGES = {"training.epochs": "8", "snapshots.every": "5", "test.read_at": '["last"]', "replicates": "1"}
MADE = []


@pytest.fixture
def study(data):
    return tiny(data, ARMS, **CHANGES)


@pytest.fixture
def whole(study, tmp_path):
    with Workspace.open(tmp_path / "whole", create=True, write=True) as workspace:
        trained(study, workspace)
        return recorded(workspace, study)


def on_ray(folder, study, listener, **options):
    """Outcome and results of a study by actors that meet the fault of the environment; no actor may be left."""
    workers = options.pop("workers", 2)

    def executor(device, deliver):
        entry = "tests.execution.faults"
        MADE.append(RayExecutor(device, deliver, entry=entry, settings=faults.settings(), **options))
        return MADE[-1]

    with Workspace.open(folder, create=True, write=True) as workspace:
        try:
            outcome = trained(study, workspace, listener, executor=executor, workers=workers)
            return outcome, recorded(workspace, study)
        finally:
            assert MADE.pop().workers == 0


def losses(events):
    return [(event.reason, event.again) for event in events if isinstance(event, CohortLost)]


def test_a_killed_actor_and_an_object_store_that_is_full_for_a_while_cost_nothing(
    tmp_path, study, whole, ray_cluster, often, monkeypatch
):
    """Meanwhile few arrays stay in the store: those of earlier tasks are let go."""
    import ray

    put, refused, kept, share = ray.put, [], [], RayExecutor._put

    def full_once(array):
        if not refused:
            refused.append(1)
            raise ray.exceptions.ObjectStoreFullError("full")
        return put(array)

    def watched(executor, shared):
        found = share(executor, shared)
        kept.append(len(executor._shared))
        return found

    monkeypatch.setattr(ray, "put", full_once)
    monkeypatch.setattr(RayExecutor, "_put", watched)
    monkeypatch.setattr(module, "MAX_OPEN", 1)
    monkeypatch.setenv(faults.VARIABLE, faults.describe(tmp_path / "faults", "SIGKILL"))
    events = []
    assert on_ray(tmp_path / "w", study, events.append)[1] == whole
    full = "could not be told its task: Ray's object store is full (ObjectStoreFullError)"
    assert losses(events) == [(full, True), ("was lost with its process or its node", True)]
    assert set(kept) == {1}


def test_a_lost_node_loses_nothing_and_its_runs_go_on_where_a_core_is_free(
    tmp_path, study, whole, ray_cluster, often, monkeypatch
):
    """Three workers on three nodes. One node is lost while all three train; two cores finish three cohorts."""
    folder = tmp_path / "faults"
    monkeypatch.setenv(faults.VARIABLE, faults.describe(folder, "waits", times=100))
    node, events, began = ray_cluster.add_node(**NODE), [], set()

    def listener(event):
        events.append(event)
        if isinstance(event, EpochDone):
            began.add(event.index)
            if len(began) == 3 and not (folder / faults.OPEN).exists():
                ray_cluster.remove_node(node, allow_graceful=False)
                (folder / faults.OPEN).touch()

    outcome, found = on_ray(tmp_path / "w", study, listener, workers=3, start_s=0.5)
    assert len(began) == 3
    assert losses(events) == [("was lost with its process or its node", True)]
    assert outcome.failed == {}
    assert found == whole


def test_what_each_node_took_is_recorded(tmp_path, study, ray_cluster):
    """The nodes' processor times are those of all workers: what is left of the whole is this process's own."""
    on_ray(tmp_path / "w", study, lambda _event: None)
    with Workspace.open(tmp_path / "w") as workspace:
        runs = [run.id for _, _, run in workspace.runs_of(workspace.studies()[0].id)]
        (used,) = workspace.usage(runs)
        results = load(workspace, "tiny")
    nodes = used.method["nodes"]
    assert len(nodes) == 2
    assert set(nodes) <= {node["NodeID"][:8] for node in ray.nodes()}
    assert all(one["workers"] >= 1 for one in nodes.values())
    assert all(one["cpu_s"] > 0 for one in nodes.values())
    assert sum(one["cpu_s"] for one in nodes.values()) < used.cpu_s
    assert 0 < sum(one["energy_j"] for one in nodes.values()) < used.energy_j
    assert all(one["memory_gib"] > 0.02 for one in nodes.values())
    totals = node_totals(results)
    assert {one.node: one.energy_j for one in totals} == pytest.approx({n: one["energy_j"] for n, one in nodes.items()})
    rows = compose(results).tables()["tables/tiny-nodes.csv"]
    assert [row["node"] for row in rows] == [one.node for one in totals]


def test_more_workers_than_cores_end_and_can_be_interrupted(tmp_path, study, whole, ray_cluster, often):
    """The third actor waits for a core. A study that is asked to stop does not wait for it."""

    def press(event):
        if isinstance(event, EpochDone):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        on_ray(tmp_path / "w", study, press, workers=3, start_s=1000.0)
    events = []
    assert on_ray(tmp_path / "w", study, events.append, workers=3, start_s=0.5)[1] == whole
    assert losses(events) == []


def test_a_stopped_actor_is_ended_and_replaced(tmp_path, study, whole, ray_cluster, often, monkeypatch):
    monkeypatch.setenv(faults.VARIABLE, faults.describe(tmp_path / "faults", "SIGSTOP"))
    events = []
    assert on_ray(tmp_path / "w", study, events.append, least_silence_s=8.0)[1] == whole
    [(reason, again)] = losses(events)
    assert re.fullmatch(r"was silent for \d+ s and was ended", reason)  # longer where epochs take long
    assert again


def test_an_actor_that_is_slow_is_not_ended(tmp_path, study, whole, ray_cluster, monkeypatch):
    """One epoch takes longer than a worker may be silent, but it is at work."""
    monkeypatch.setattr(module, "WAIT_S", 0.2)
    monkeypatch.setenv(faults.VARIABLE, faults.describe(tmp_path / "faults", "busy"))
    events = []
    assert on_ray(tmp_path / "w", study, events.append, least_silence_s=0.8 * faults.BUSY_S)[1] == whole
    assert losses(events) == []


@pytest.mark.parametrize("kind", ["ObjectStoreFullError", "OutOfDiskError"])
def test_runs_fail_where_the_object_store_is_full_and_the_same_study_trains_them_later(
    tmp_path, study, whole, ray_cluster, monkeypatch, kind
):
    import ray

    def full(_array):
        raise getattr(ray.exceptions, kind)("full")

    with monkeypatch.context() as patch:
        patch.setattr(ray, "put", full)
        outcome, _ = on_ray(tmp_path / "w", study, lambda _: None)
    assert len(outcome.failed) == 3
    assert set(outcome.failed.values()) == {f"could not be told its task: Ray's object store is full ({kind})"}
    with Workspace.open(tmp_path / "w", write=True) as workspace:
        assert trained(study, workspace).failed == {}
        assert recorded(workspace, study) == whole


def test_a_driver_that_is_killed_leaves_no_actor_and_loses_nothing(tmp_path, study, whole, ray_cluster):
    """`paribus run --ray local`, killed in the middle of its training; the study is finished on another cluster."""
    folder = tmp_path / "faults"
    environment = {
        **os.environ,
        "PYTHONPATH": python_path(),
        "PARIBUS_CHECKPOINT_S": "1e-9",
        faults.VARIABLE: faults.describe(folder, "waits", times=100),
    }
    (tmp_path / "tiny.toml").write_text(study.document, encoding="utf-8")
    words = ["tiny.toml", "--ray", "local", "--workspace", "cut", "--debug"]
    script = (
        "import sys\nfrom functools import partial\nfrom paribus.cli import main\nfrom paribus.execution import "
        "ray_cluster as module\nfrom tests.execution import faults\nmodule.RayExecutor = partial(module.RayExecutor, "
        "entry='tests.execution.faults', settings=faults.settings())\nsys.exit(main.main())"
    )
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", script, "run", *words],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as driver:
        assert driver.stderr is not None
        ended_by = time.monotonic() + 90
        while not (any(folder.iterdir()) and has_begun(tmp_path / "cut")) and time.monotonic() < ended_by:
            assert driver.poll() is None, driver.stderr.read()
            time.sleep(0.1)
        actors = [pid for pid in descendants(driver.pid) if b"ray::RayWorker" in command_of(pid)]
        driver.kill()
    assert actors
    ended_by = time.monotonic() + 60
    while any(map(is_running, actors)) and time.monotonic() < ended_by:
        time.sleep(0.05)
    assert [pid for pid in actors if is_running(pid)] == []
    with Workspace.open(tmp_path / "cut") as workspace:
        assert {run.state for run in runs_in(workspace, study).values()} <= {"planned", "running"}
    outcome, found = on_ray(tmp_path / "cut", study, lambda _: None)
    assert outcome.resumed > 0
    assert found == whole


def has_begun(folder):
    """Whether an epoch of some run is recorded there."""
    try:
        with Workspace.open(folder) as workspace:
            return any(run.epochs_done for one in workspace.studies() for _, _, run in workspace.runs_of(one.id))
    except UserError:
        return False


def test_a_search_comes_to_the_same(tmp_path, data, ray_cluster):
    few = {"search.candidates": "2", "search.batch": "2", "search.halving": "{ grace = 6, factor = 2 }"}
    found = []
    for name, executor in (("threads", ExecutorsByFamily), ("Ray", RayExecutor)):
        with Workspace.open(tmp_path / name, create=True, write=True) as workspace:
            finalists = run_search(prepared(data, **few), workspace, executor=executor)
            found.append((finalists, history(data, workspace, **few)))
    assert found[0] == found[1]


def test_an_audit_comes_to_the_same(tmp_path, ray_cluster, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = ["audit", "sklearn:iris", "--folds", "3", "--epochs", "3", "--hidden", "4", "--json"]
    found = []
    for options in (["--workspace", "threads"], ["--workspace", "ray", "--ray", "auto"]):
        assert run_command([*words, *options]) == 0
        found.append(json.loads(capsys.readouterr().out))
    assert found[0] == found[1]


def descendants(parent):
    """Processes that this one has started, and those that they have."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
    found, last = set(), {parent}
    while last:
        last = {pid for pid, own in parents.items() if own in last} - found
        found |= last
    return found


def command_of(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
