"""paribus, training only: its planner's cohorts, one thread a cohort, and nothing measured or kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from benchmarks.peers._base import Peer, Trained, Weights
from benchmarks.tasks import Task, replicated, with_arms
from paribus.spec.study import Study
from paribus.training.cohort import Cohort, Member, fresh_state
from paribus.training.devices import settle_thread
from paribus.training.plan import CohortPlan, Plan, plan_study


class ParibusTraining(Peer):
    packages = ("paribus", "torch")
    together = True

    def __init__(self, task: Task, device: str = "cpu") -> None:
        super().__init__(task, device)
        self._plans: dict[int, Plan] = {}

    def warm_up(self, runs: int) -> None:
        type(self)(self.task.short(), self.device).train(runs, 1)
        self.plan(runs)

    def train(self, runs: int, epochs: int) -> Trained:
        plan = self.plan(runs)
        cohorts = [cohort_of(cohort, plan.device.torch) for cohort in plan.cohorts]
        if self.device != "cpu":  # an epoch that makes the buffers and one that is captured, of hundreds in a study
            trained_s(cohorts, plan.device.workers, 2)
        return self.trained(trained_s(cohorts, plan.device.workers, epochs), self._checked(cohorts))

    def plan(self, runs: int, *, rehearse: bool = True) -> Plan:
        """The planner's choice of cohorts, by its rehearsal."""
        if runs not in self._plans:
            self._plans[runs] = plan_study(self._study(runs), {}, rehearse=rehearse, device=self.device)
        return self._plans[runs]

    def _study(self, runs: int) -> Study:
        return replicated(self.task, runs)

    def _checked(self, cohorts: Sequence[Cohort]) -> Iterator[tuple[int, Weights]]:
        """Final weights of replicates 0, 1, ..., each once."""
        places = {m.replicate: (cohort, i) for cohort in cohorts for i, m in reversed(list(enumerate(cohort.members)))}
        for replicate in sorted(places):
            cohort, index = places[replicate]
            yield replicate, {name: tensor.numpy() for name, tensor in cohort.network.state(index).items()}


class ParibusArms(ParibusTraining):
    @classmethod
    def least_runs(cls) -> int:
        return 2

    def _study(self, runs: int) -> Study:
        return with_arms(self.task, runs)


def cohort_of(planned: CohortPlan, device: torch.device | None = None) -> Cohort:
    members = [
        Member(run.run_id, run.recipe, run.seed, run.replicate, run.splits,
               fresh_state(run.recipe, run.seed, run.replicate))
        for run in planned.runs
    ]  # fmt: skip
    with torch.no_grad():
        return Cohort(members, device)


def trained_s(cohorts: Sequence[Cohort], workers: int, epochs: int) -> float:
    """Train every cohort, `workers` at a time; the seconds that it took."""
    with ThreadPoolExecutor(workers) as pool:
        start = time.perf_counter()
        list(pool.map(_train, cohorts, [epochs] * len(cohorts)))
        return time.perf_counter() - start


def _train(cohort: Cohort, epochs: int) -> None:
    settle_thread()
    rates = [member.recipe.optimizer.lr for member in cohort.members]
    with torch.no_grad():
        for _ in range(epochs):
            cohort.train_epoch(rates)
