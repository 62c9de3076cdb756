"""What is printed of a search while it goes on: each stage with its training, and what was decided after it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING

from paribus.cli.formatting import plural
from paribus.cli.output import print_message

if TYPE_CHECKING:
    from paribus.execution.events import Listener
    from paribus.execution.progress import StudyProgress
    from paribus.searching.driver import Stage
    from paribus.spec.study import Study
    from paribus.store.records import Assessment
    from paribus.training.plan import Plan

Shows = Callable[["StudyProgress"], AbstractContextManager["Listener"]]


class StageDisplay:
    """Prints each stage of a search, and shows its training by `shows`.

    Stages that are recorded already train nothing. What was decided after them is printed if they are to be `recalled`.
    """

    def __init__(self, study: Study, shows: Shows, *, recalled: bool = True) -> None:
        self._study, self._shows, self._recalled = study, shows, recalled
        self._trained: set[int] = set()

    @contextmanager
    def stage(self, stage: Stage, plan: Plan, /) -> Generator[Listener]:
        """Say what trains, and show it."""
        from paribus.execution.progress import StudyProgress

        self._trained.add(stage.number)
        what = plural(len(stage.candidates), "candidate")
        going = "" if stage.proposed else " go on" if len(stage.candidates) != 1 else " goes on"
        by = f", {plural(stage.replicates, 'replicate')} each" if stage.replicates > 1 else ""
        print_message(f"{self._study.name}: {what}{going} to epoch {stage.epochs}{by}")
        with self._shows(StudyProgress.of(plan)) as listener:
            yield listener

    def decided(self, stage: Stage, assessed: Sequence[Assessment], /) -> None:
        """The best value of a stage, and how many have a fault."""
        from paribus.analysis.wording import label, quantity

        if not self._recalled and stage.number not in self._trained:
            return
        search = self._study.search
        assert search is not None
        for one in assessed:
            if one.failure:
                print_message(f"{self._study.name}: candidate {one.number} failed: {one.failure}")
        known = [one for one in assessed if one.value is not None and one.is_sound]
        faulty, failed = sum(bool(one.faults) for one in assessed), sum(bool(one.failure) for one in assessed)
        also = f"; {faulty} with a fault" if faulty else ""
        also += f"; {failed} failed" if failed else ""
        if not known:
            print_message(f"{self._study.name}: epoch {stage.epochs}: no candidate without a fault{also}")
            return
        best = max(known, key=lambda one: search.direction * (one.value or 0.0))
        value = quantity(search.metric, best.value)
        print_message(
            f"{self._study.name}: epoch {stage.epochs}: best {label(search.metric)} {value} "
            f"(candidate {best.number}){also}"
        )
