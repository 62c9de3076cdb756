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
from paribus.training.devices import CPU_COHORT_SIZES, CUDA_COHORT_SIZES, device_named
from paribus.training.memory import bytes_per_run
from paribus.training.plan import plan_cohorts, runs_of, static_key


def study(name="selection", **overrides):
    return parse(builtin.text(name), place=name, overrides=overrides)


def planned(name="selection", recorded=None, timing=False, workers=2, device=None, **overrides):
    of, place = study(name, **overrides), device or device_named("cpu", workers)
    return plan_cohorts(of, runs_of(of, place), recorded or {}, place, timing=timing)


def record(run, state, epochs):
    recipe, dataset = run.recipe.model_dump(mode="json"), run.spec.dataset.to_json()
    return RunRecord(run.id, state, epochs, run.spec.text, recipe, dataset, {}, None, None)


def test_every_run_is_in_exactly_one_cohort_and_cohorts_agree_in_what_is_static():
    plan = planned("noisy-labels")
    placed = Counter(run.id for cohort in plan.cohorts for run in cohort.runs)
    assert set(placed) == {run.id for run in plan.runs}
    assert set(placed.values()) == {1}
    for cohort in plan.cohorts:
        assert len({static_key(run) for run in cohort.runs}) == 1
        assert len(cohort.runs) <= CPU_COHORT_SIZES[-1]


def test_arms_of_one_replicate_share_their_split():
    by_replicate = {}
    for run in planned(replicates="3").runs:
        for _, replicate in run.members:
            by_replicate.setdefault(replicate, set()).add(id(run.splits))
    assert [len(splits) for splits in by_replicate.values()] == [1, 1, 1]


def test_recorded_runs_are_left_out_and_interrupted_ones_resume():
    first = planned(replicates="3")
    done, cut, *rest = first.runs
    recorded = {done.id: record(done, "done", 1500), cut.id: record(cut, "paused", 700)}
    plan = planned(replicates="3", recorded=recorded)
    assert len(plan.unfinished) == 1 + len(rest)
    assert {run.id: run.epochs_left for run in plan.unfinished}[cut.id] == 800
    assert all({run.epochs_done for run in cohort.runs} in ({0}, {700}) for cohort in plan.cohorts)


def test_the_shallow_arm_of_capacity_is_the_multi_step_arm_of_selection():
    ids = {
        arm: {run.id for run in planned(name, replicates="2").runs if arm in run.arms}
        for name, arm in (("selection", "multi-step"), ("capacity", "shallow"))
    }
    assert ids["multi-step"] == ids["shallow"]


def test_many_runs_are_cut_into_even_cohorts():
    sizes = [len(cohort.runs) for cohort in planned(replicates="50").cohorts]
    assert sum(sizes) == 50 * len(study().arms)
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) % 2 == 0


@pytest.mark.parametrize(("seconds", "expected"), [(lambda runs: runs, 1), (lambda runs: 1 + runs, 8)])
def test_as_many_train_together_as_timing_runs_find_cheapest(seconds, expected, monkeypatch):
    monkeypatch.setattr(plan_module.TimingRuns, "_time", lambda _, runs, __: float(seconds(len(runs))))
    plan = planned(replicates="48", timing=True)
    assert {len(cohort.runs) for cohort in plan.cohorts} == {expected}
    assert all(cohort.epochs_s == seconds(expected) * cohort.epochs_left for cohort in plan.cohorts)


def test_one_worker_takes_all_runs_of_a_kind_where_that_is_cheapest(monkeypatch):
    monkeypatch.setattr(plan_module.TimingRuns, "_time", lambda *_: 1.0)
    device = dataclasses.replace(device_named("cpu", 1), cohort_sizes=CUDA_COHORT_SIZES)
    plan = planned(replicates="10", timing=True, device=device)
    assert [len(cohort.runs) for cohort in plan.cohorts] == [10 * len(study().arms)]


def test_cohorts_shrink_to_the_memory_at_hand(monkeypatch):
    monkeypatch.setattr(plan_module, "MEMORY_SHARE", 1e-3)
    plan = planned(replicates="50", **{"network.hidden": "[2048, 2048]"})
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    one = bytes_per_run(plan.runs[0])
    assert all(cohort.memory_bytes <= max(one, memory * 1e-3 / 2) for cohort in plan.cohorts)
    assert max(len(cohort.runs) for cohort in plan.cohorts) < CPU_COHORT_SIZES[-1]


def test_evaluation_sets_count_where_they_lie_in_memory_as_floats():
    """A CPU cohort copies 2,000 validation images for each run, and 8,000 training images where a run asks for it."""
    plain, more = (planned(**change).runs[0] for change in ({}, {"metrics": '["train_loss_end"]'}))
    assert bytes_per_run(more) - bytes_per_run(plain) == 8_000 * 784 * 4
    on_gpu = dataclasses.replace(plain, spec=dataclasses.replace(plain.spec, family="cuda"))
    assert bytes_per_run(plain) - bytes_per_run(on_gpu) == 2_000 * 784 * 4


def test_runs_that_share_no_examples_are_timed_as_such(monkeypatch):
    """Arms with seeds of their own have streams of their own, though their indices are equal."""
    kinds = []
    monkeypatch.setattr(
        plan_module.TimingRuns, "seconds_per_epoch", lambda _, kind, *__: kinds.append(kind[-2:]) or 1 / kind[-2]
    )
    arms = '[{ name = "a" }, { name = "b", optimizer = { lr = 0.1 } }]'
    for seeds, streams in ((arms, 2), (arms.replace('"b",', '"b", seed = 5,'), 4)):
        kinds.clear()
        planned(timing=True, workers=1, replicates="2", arms=seeds, claims="[]", published="[]", control='"a"')
        assert (4, streams) in kinds


@pytest.mark.parametrize(("worse_from", "timed"), [(2, [1, 2]), (4, [1, 2, 4]), (16, [1, 2, 4, 8])])
def test_no_larger_cohorts_are_timed_once_runs_cost_more(monkeypatch, worse_from, timed):
    """A run costs 1/size seconds up to a size, and more from there on: what is cheapest is chosen."""
    sizes = []

    def seconds(_timer, kind, *_):
        size = kind[-2]
        sizes.append(size)
        return 10.0 * size if size >= worse_from else 1.0

    monkeypatch.setattr(plan_module.TimingRuns, "seconds_per_epoch", seconds)
    plan = planned(timing=True, workers=1, replicates="8", arms='[{ name = "a" }]', claims="[]", published="[]",
                   control='"a"')  # fmt: skip
    assert list(dict.fromkeys(sizes[: len(timed)])) == timed
    assert set(sizes) == set(timed)
    assert max(len(cohort.runs) for cohort in plan.cohorts) == max(size for size in timed if size < worse_from)


@pytest.mark.parametrize(
    ("overrides", "mentioned"),
    [
        ({"training.batch_size": "9000"}, "8000"),
        ({"loss.class_weights": "[1, 2]"}, "10 classes"),
        ({"loss": "binary-cross-entropy"}, "2 classes"),
        ({"loss": "mse", "data.task": "regression"}, "must have numbers to be predicted"),
        ({"data.limit.validation": "5", "data.split": "noisy-labels", "selection.rules": '["last"]', "claims": "[]",
          "test.read_at": "[]", "deploy": "last"}, "validation split"),
    ],
)  # fmt: skip
def test_studies_that_do_not_fit_their_data_are_refused(overrides, mentioned):
    with pytest.raises(UserError, match=mentioned):
        planned(**overrides)


def test_timing_runs_give_every_cohort_a_time():
    plan = planned(timing=True, replicates="2", **{"data.limit.train": "300", "training.epochs": "3"})
    assert all(cohort.expected_s and cohort.expected_s > 0 for cohort in plan.cohorts)
    assert plan.expected_s >= max(cohort.expected_s for cohort in plan.cohorts)
    assert dataclasses.replace(plan, device=device_named("cpu", 1)).expected_s == pytest.approx(
        sum(cohort.expected_s for cohort in plan.cohorts)
    )
