"""paribus, training only: the cohorts of its plan, each on one thread, with nothing evaluated or recorded."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from benchmarks.peers._base import Peer, RunWeights, Trained
from benchmarks.tasks import Task, replicated, with_arms
from paribus.execution.runner import prepare
from paribus.spec.study import Study
from paribus.training.cohort import ActiveRun, Cohort, fresh_state
from paribus.training.engine import Engine
from paribus.training.plan import Plan, PlannedRun, plan_cohorts
from paribus.training.schedules import schedule_of


class ParibusTraining(Peer):
    packages = ("paribus", "numba")
    batched = True

    def __init__(self, task: Task, device: str = "cpu") -> None:
        super().__init__(task, device)
        self._plans: dict[int, Plan] = {}

    def warm_up(self, runs: int) -> None:
        type(self)(self.task.short(), self.device).train(runs, 1)
        self.plan(runs)

    def train(self, runs: int, epochs: int) -> Trained:
        plan = self.plan(runs)
        engine = plan.device.engine()
        cohorts = [CohortInTraining(cohort.runs, engine) for cohort in plan.cohorts]
        if plan.device.family == "cuda":  # the epoch that makes the buffers and the one that is captured: once a study
            trained_s(cohorts, plan.device.workers, 2)
        return self.trained(trained_s(cohorts, plan.device.workers, epochs), _final_weights(cohorts))

    def plan(self, runs: int, *, timing: bool = True) -> Plan:
        """The cohorts that paribus plans, by its timing runs."""
        if runs not in self._plans:
            study = prepare(self._study(runs), device=self.device)
            self._plans[runs] = plan_cohorts(study.study, study.runs, {}, study.device, timing=timing)
        return self._plans[runs]

    def _study(self, runs: int) -> Study:
        return replicated(self.task, runs)


class ParibusArms(ParibusTraining):
    @classmethod
    def min_runs(cls) -> int:
        return 2

    def _study(self, runs: int) -> Study:
        return with_arms(self.task, runs)


class CohortInTraining:
    """A cohort at the first learning rates of its runs' schedules, for as many epochs as it is asked to train."""

    def __init__(self, runs: Sequence[PlannedRun], engine: Engine) -> None:
        self.cohort = Cohort([ActiveRun(run.spec, run.splits, fresh_state(run.spec)) for run in runs], engine)
        batches = -(-self.cohort.examples // runs[0].recipe.training.batch_size)
        self._rates = [schedule_of(run.spec.recipe).rates(0, batches) for run in self.cohort.runs]

    def train(self, epochs: int) -> None:
        for _ in range(epochs):
            self.cohort.train_epoch(self._rates)


def trained_s(cohorts: Sequence[CohortInTraining], workers: int, epochs: int) -> float:
    """Train every cohort, `workers` at a time; the seconds that it took."""
    with ThreadPoolExecutor(workers) as pool:
        start = time.perf_counter()
        list(pool.map(CohortInTraining.train, cohorts, [epochs] * len(cohorts)))
        return time.perf_counter() - start


def _final_weights(cohorts: Sequence[CohortInTraining]) -> Iterator[RunWeights]:
    """Of replicates 0, 1, ..., each once."""
    known: dict[int, RunWeights] = {}
    for cohort in (one.cohort for one in cohorts):
        for place, run in enumerate(cohort.runs):
            replicate = run.spec.streams.init.index
            known.setdefault(replicate, RunWeights(replicate, cohort.weights(place)))
    yield from (known[replicate] for replicate in sorted(known))
