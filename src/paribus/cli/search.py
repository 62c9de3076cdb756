"""paribus search: propose candidates, stop the worse ones early, confirm the best, and write the winner.

The study file has [search]. After an interruption or a crash, run the same command again: it has the same
candidates, rungs and winner. The winner is written as a study file with its claim to be confirmed.
"""

from __future__ import annotations

import argparse
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.cli.arguments import (
    add_change_options,
    add_device_option,
    load_study,
    looks_like_path,
    parse_changes,
    parse_path,
)
from paribus.cli.output import print_json, print_line, print_message, write_new
from paribus.cli.run import display_of, ending, run_prepared
from paribus.cli.search_stages import StageDisplay
from paribus.cli.waiting import Waiting
from paribus.cli.where import Where, add_ray_option, where_of
from paribus.errors import Exit, UserError

if TYPE_CHECKING:
    from paribus.analysis.results import Results
    from paribus.analysis.search_outcome import SearchOutcome
    from paribus.execution.events import Listener
    from paribus.execution.progress import StudyProgress
    from paribus.searching.driver import PreparedSearch
    from paribus.spec.study import Study
    from paribus.store.workspace import Workspace


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus search STUDY [--set KEY=VALUE]... [--device NAME] [--ray ADDRESS] [--to FILE] [--report] [--json]`."""
    to.add_argument("study", metavar="STUDY", help="a built-in search or the path of a study file with [search]")
    add_change_options(to)
    add_device_option(to)
    add_ray_option(to)
    to.add_argument("--to", metavar="FILE", help="where the winner is written (default: NAME-winner.toml)")
    to.add_argument("--report", action="store_true", help="write the report again as soon as the search has ended")
    to.add_argument("--json", action="store_true", help="print a JSON object of what was found, for programs")


def execute(arguments: argparse.Namespace) -> Exit:
    """Search, confirm the finalists, and write the winner's study file."""
    with Waiting() as waiting:
        waiting("loading paribus")
        from paribus.execution.lasting import LastingWorkers
        from paribus.searching.driver import prepare_search
        from paribus.store.workspace import Workspace
        from paribus.training.cpu.compiling import skip_blas

        skip_blas()
        study = load_study(arguments.study, parse_changes(arguments))
        waiting(f"{study.name}: reading the data and checking the space")
        where = where_of(arguments)
        prepared = prepare_search(study, device=arguments.device, workers=where.workers)
        waiting.over()
        with (
            Workspace.open(arguments.workspace, create=True, write=True) as workspace,
            closing(LastingWorkers(where.executor)) as workers,
        ):
            results = _searched(arguments, prepared, workspace, replace(where, executor=workers), waiting)
            if arguments.report:
                waiting("writing the report")
                _report(workspace, results)
                waiting.over()
    return _told(arguments, study, results)


def _searched(
    arguments: argparse.Namespace, prepared: PreparedSearch, workspace: Workspace, where: Where, waiting: Waiting
) -> Results:
    """Search and confirm; what is then recorded."""
    from paribus.analysis.finalists import finalists_study
    from paribus.analysis.results import load
    from paribus.execution.runner import prepare
    from paribus.searching.driver import run_search
    from paribus.spec.study import parse

    study = prepared.study

    @contextmanager
    def shows(progress: StudyProgress) -> Generator[Listener]:
        with display_of(progress) as listener:
            yield ending(waiting, listener)

    run_search(prepared, workspace, StageDisplay(study, shows), executor=where.executor)
    followed = finalists_study(load(workspace, prepared.id))
    if followed is None:
        print_message(f"{study.name}: no candidate without a fault is left to confirm")
    else:
        name, text = followed
        print_message(f"{name}: confirming the finalists on fresh replicates")
        again = parse(text, place=f"study {name}", folder=study.folder)
        following = prepare(again, device=arguments.device, workers=where.workers)
        run_prepared(following, workspace, waiting, where, debug=arguments.debug, timing=False)
    return load(workspace, prepared.id)


def _report(workspace: Workspace, results: Results) -> None:
    from paribus.report.folder import write_report

    ids = [results.study_id, *([] if results.confirmed is None else [results.confirmed.study_id])]
    print_message(f"report: {write_report(workspace, ids, workspace.path / 'report').page}")


def _told(arguments: argparse.Namespace, study: Study, results: Results) -> Exit:
    """Print what was found, and write the winner."""
    from paribus.analysis.finalists import winner_study
    from paribus.analysis.search_outcome import search_outcome, search_sentences

    for sentence in search_sentences(results):
        print_message(sentence.removesuffix("."))
    written = winner_study(results)
    outcome = search_outcome(results)
    assert outcome is not None
    if arguments.json:
        print_json(as_json(study, results, outcome))
    target = None if written is None else _written(arguments, *written)
    if target is not None and not arguments.json:
        print_line(str(target))
        print_message(f"next: paribus run {target}, or paribus report {study.name}")
    return Exit.DONE if outcome.winner is not None else Exit.FAILED_RUNS


def _written(arguments: argparse.Namespace, name: str, text: str) -> Path:
    """Write the winner, unless it is there already. Raises UserError where the file has another study."""
    folder = Path(arguments.study).parent if looks_like_path(arguments.study) else Path()
    target = folder / f"{name}.toml" if arguments.to is None else parse_path(arguments.to, "--to")
    if target.exists():
        if not target.is_file() or target.read_bytes() != text.encode():
            rule = "must be a new file: the one that is there is kept"
            remedy = "the same command with another --to writes the winner"
            raise UserError(rule, given=str(target), place="--to", remedy=remedy)
    else:
        write_new(target, text, "--to")
    return target


_LOWEST = ("number", "rung", "epochs", "value", "faults")


def as_json(study: Study, results: Results, outcome: SearchOutcome) -> dict[str, Any]:
    """What a search found, for programs."""
    from paribus.analysis.search_outcome import name_of

    naive = outcome.naive
    return {
        "study": study.name,
        "id": results.study_id,
        "candidates": len(results.candidates),
        "winner": outcome.winner,
        "finalists": [
            {
                "candidate": one.number,
                "values": dict(one.values),
                "found": one.found,
                "confirmed": one.confirmed.mean,
                "interval": None if one.confirmed.interval is None else vars(one.confirmed.interval),
                "shrinkage": one.shrinkage,
                "excluded": one.excluded,
            }
            for one in outcome.finalists
        ],
        "lowest_so_far": None if naive is None else {key: getattr(naive, key) for key in _LOWEST},
        "disqualified": {fault: list(names) for fault, names in outcome.disqualified.items()},
        "failures": {name_of(one.number): one.failure for one in outcome.last if one.failure},
    }
