from __future__ import annotations

import dataclasses
import os
from collections import Counter

import pytest

from paribus.errors import UserError
from paribus.spec import builtin
from paribus.spec.study import parse
from paribus.store.records import RunRecord
from paribus.training import plan as plan_module
from paribus.training.devices import SIZES_ON_CPU, SIZES_ON_CUDA, device_named
from paribus.training.plan import bytes_per_run, plan_study, static_key


def study(name="selection", **overrides):
    return parse(builtin.text(name), place=name, overrides=overrides)


def record(run, state, epochs):
    return RunRecord(
        run.run_id, state, epochs, run.recipe.model_dump(mode="json"), run.seed, run.replicate, "", {}, None
    )


def test_every_run_is_in_exactly_one_cohort_and_cohorts_agree_in_what_is_static():
    plan = plan_study(study("noisy-labels"), {}, workers=2, rehearse=False)
    placed = Counter(run.run_id for cohort in plan.cohorts for run in cohort.runs)
    assert set(placed) == {run.run_id for run in plan.runs}
    assert set(placed.values()) == {1}
    for cohort in plan.cohorts:
        assert len({static_key(run.recipe) for run in cohort.runs}) == 1
        assert len(cohort.runs) <= SIZES_ON_CPU[-1]


def test_arms_of_one_replicate_share_their_split():
    runs = plan_study(study(), {}, rehearse=False).runs
    by_replicate = {}
    for run in runs:
        by_replicate.setdefault(run.replicate, set()).add(id(run.splits))
    assert [len(splits) for splits in by_replicate.values()] == [1, 1, 1]


def test_what_is_recorded_is_left_out_and_what_was_interrupted_goes_on():
    first = plan_study(study(), {}, rehearse=False)
    done, cut, *rest = first.runs
    known = {done.run_id: record(done, "done", 1500), cut.run_id: record(cut, "running", 700)}
    plan = plan_study(study(), known, rehearse=False)
    assert len(plan.left()) == 1 + len(rest)
    left = {run.run_id: run.epochs_left for run in plan.left()}
    assert left[cut.run_id] == 800
    assert all({run.epochs_done for run in cohort.runs} in ({0}, {700}) for cohort in plan.cohorts)


def test_the_shallow_arm_of_capacity_is_the_multi_step_arm_of_selection():
    ids = {arm: {r.run_id for r in plan_study(study(name), {}, rehearse=False).runs if arm in r.arms}
           for name, arm in (("selection", "multi-step"), ("capacity", "shallow"))}  # fmt: skip
    assert ids["multi-step"] == ids["shallow"]


def test_many_runs_are_cut_into_even_cohorts():
    plan = plan_study(study(replicates="50"), {}, workers=2, rehearse=False)
    sizes = [len(cohort.runs) for cohort in plan.cohorts]
    assert sum(sizes) == 100
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) % 2 == 0


@pytest.mark.parametrize(("seconds", "expected"), [(lambda runs: runs, 1), (lambda runs: 1 + runs, 8)])
def test_as_many_train_together_as_a_rehearsal_finds_cheapest(seconds, expected, monkeypatch):
    monkeypatch.setattr(plan_module, "seconds_per_epoch", lambda runs, **_: float(seconds(len(runs))))
    plan = plan_study(study(replicates="48"), {}, workers=2)
    assert {len(cohort.runs) for cohort in plan.cohorts} == {expected}
    assert all(cohort.expected_s == seconds(expected) * cohort.epochs_left for cohort in plan.cohorts)


def test_one_worker_takes_all_runs_of_a_kind_where_that_is_cheapest(monkeypatch):
    monkeypatch.setattr(plan_module, "seconds_per_epoch", lambda runs, **_: 1.0)
    device = dataclasses.replace(device_named("cpu", 1), cohort_sizes=SIZES_ON_CUDA)
    monkeypatch.setattr(plan_module, "device_named", lambda *_: device)
    plan = plan_study(study(replicates="10"), {})
    assert [len(cohort.runs) for cohort in plan.cohorts] == [20]


def test_cohorts_shrink_to_the_memory_at_hand(monkeypatch):
    monkeypatch.setattr(plan_module, "MEMORY_SHARE", 1e-3)
    wide = {"replicates": "50", "network.layers": "[784, 2048, 2048, 10]"}
    plan = plan_study(study(**wide), {}, workers=2, rehearse=False)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    one = bytes_per_run(plan.runs[0].recipe)
    assert all(cohort.memory_bytes <= max(one, memory * 1e-3 / 2) for cohort in plan.cohorts)
    assert max(len(cohort.runs) for cohort in plan.cohorts) < SIZES_ON_CPU[-1]


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        ({"network.layers": "[700, 32, 10]"}, "784"),
        ({"network.layers": "[784, 32, 9]"}, "10"),
        ({"training.batch_size": "9000"}, "8000"),
    ],
)
def test_networks_that_do_not_fit_the_data_are_refused(overrides, told):
    with pytest.raises(UserError, match=told):
        plan_study(study(**overrides), {}, rehearse=False)


def test_rehearsal_gives_every_cohort_a_time():
    plan = plan_study(study(**{"data.train_images": "300", "training.epochs": "3"}), {}, workers=2)
    assert all(cohort.expected_s and cohort.expected_s > 0 for cohort in plan.cohorts)
    assert plan.expected_s >= max(cohort.expected_s for cohort in plan.cohorts)
    assert dataclasses.replace(plan, device=device_named("cpu", 1)).expected_s == pytest.approx(
        sum(cohort.expected_s for cohort in plan.cohorts)
    )
