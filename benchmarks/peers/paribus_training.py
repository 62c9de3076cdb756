"""paribus, training only: its planner's cohorts, one thread a cohort, and nothing measured or kept."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch

from benchmarks.peers._base import Peer, Trained, Weights
from benchmarks.tasks import replicated, with_arms
from paribus.spec.study import Study
from paribus.training.cohort import Cohort, Member, fresh_state
from paribus.training.plan import CohortPlan, plan_study


class ParibusTraining(Peer):
    packages = ("paribus", "torch")
    together = True

    def warm_up(self, runs: int) -> None:
        type(self)(self.task.short()).train(runs, 1)

    def train(self, runs: int, epochs: int) -> Trained:
        plan = plan_study(self._study(runs), {}, rehearse=False)
        with ThreadPoolExecutor(plan.workers) as pool:
            cohorts = list(pool.map(_cohort, plan.cohorts))
            start = time.perf_counter()
            list(pool.map(_train, cohorts, [epochs] * len(cohorts)))
            seconds = time.perf_counter() - start
        return self.trained(seconds, self._checked(cohorts))

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


def _cohort(planned: CohortPlan) -> Cohort:
    torch.set_num_threads(1)
    with torch.no_grad():
        return Cohort([
            Member(run.run_id, run.recipe, run.seed, run.replicate, run.splits,
                   fresh_state(run.recipe, run.seed, run.replicate))
            for run in planned.runs
        ])  # fmt: skip


def _train(cohort: Cohort, epochs: int) -> None:
    torch.set_num_threads(1)
    rates = [member.recipe.optimizer.lr for member in cohort.members]
    with torch.no_grad():
        for _ in range(epochs):
            cohort.train_epoch(rates)
