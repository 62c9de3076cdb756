"""`python -m benchmarks.torture`: the whole torture test, or a short form of it; exit code 1 if anything was lost."""

from __future__ import annotations

import argparse
import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.torture import concurrency, damage, kills, publish, scarcity, studies
from benchmarks.torture.processes import Scenario, play
from benchmarks.torture.session import BRIEF, FULL, Session, TestedStudy
from paribus.execution.runner import prepare, run_study
from paribus.spec.study import load
from paribus.store.workspace import Workspace

DOCS = Path(__file__).parents[2] / "docs"
AT_ONCE = 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=150, help="kills at random instants (default: %(default)s)")
    parser.add_argument(
        "--modules",
        type=int,
        default=12,
        help="kills of a study of own modules, and of its workers (default: %(default)s)",
    )
    parser.add_argument("--searches", type=int, default=30, help="kills of a search (default: %(default)s)")
    parser.add_argument("--only-modules", action="store_true", help="no other study; publish nothing")
    parser.add_argument("--only-searches", action="store_true", help="nothing but searches; publish nothing")
    parser.add_argument("--seconds", type=float, help="begin nothing new after this time (default: no limit)")
    parser.add_argument("--seed", type=int, default=2021, help="of all random choices (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a few of each fault on one study, in about a minute")
    parser.add_argument("--to", type=Path, help="folder for reliability.md and .json (default: docs; quick: none)")
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it for what it starts in the background
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="paribus-torture-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - other users work in it, too
        session = Session(Path(folder), options.seed)
        if options.only_modules or options.only_searches:
            _load_kernels_and_images(session, ["plateau"])
            tested = _modules(session, options.modules) if options.only_modules else []
            tested += _searches(session, 1, options.searches) if options.only_searches else []
        else:
            _load_kernels_and_images(session, ["plateau", "faces"] if options.quick else studies.STUDIES)
            tested = _quick(session) if options.quick else _whole(session, options.kills, options.seconds)
            if not options.quick:
                tested += [*_searches(session, 1, options.searches), *_modules(session, options.modules)]
    to = options.to or (None if options.quick or options.only_modules or options.only_searches else DOCS)
    report = publish.Report(session.counts, tested, time.monotonic() - began, options.seed, session.failures)
    print(report.table())
    if to is not None:
        report.write(to)
    for failure in session.failures:
        print(f"! {failure}", file=sys.stderr)
    return 1 if session.failures else 0


def _load_kernels_and_images(session: Session, names: Iterable[str]) -> None:
    """Train each study in this process: loading kernels and images takes longer than most commands."""
    for name in names:
        study = load(studies.write(name, session.folder / "studies"), {"training.epochs": "6", "replicates": "1"})
        with Workspace.open(session.new_folder(), create=True, write=True) as workspace:
            run_study(prepare(study), workspace)


def _prepared(session: Session, forms: Iterable[tuple[str, Sequence[str]]]) -> list[TestedStudy]:
    """Studies with their undisturbed results."""
    tested = [session.study(name, form) for name, form in forms]
    session.launcher.preload(_once(session, tested[0]))
    _log(f"{len(tested)} studies, undisturbed")
    play((session.undisturbed(study) for study in tested), AT_ONCE)
    return tested


def _once(session: Session, study: TestedStudy) -> Scenario:
    yield session.launcher.fork(study.command(session.new_folder()))


def _measured_later(session: Session, brief: dict[str, TestedStudy]) -> list[TestedStudy]:
    """Commands that measure recorded runs again, with their undisturbed results."""
    later = [session.measured_later(name, brief[name]) for name in studies.LATER if name in brief]
    play((session.undisturbed(study) for study in later), AT_ONCE)
    return later


@dataclass(frozen=True)
class _Act:
    """All scenarios of one kind of fault."""

    kind: str
    scenarios: Iterator[Scenario]


def _whole(session: Session, instants: int, seconds: float | None) -> list[TestedStudy]:
    deadline = time.monotonic() + (seconds or float("inf"))
    tested = _prepared(session, [(name, form) for form in (BRIEF, FULL) for name in studies.STUDIES])
    brief, full = tested[: len(studies.STUDIES)], tested[len(studies.STUDIES) :]
    by_name = dict(zip(studies.STUDIES, brief, strict=True))
    later = _measured_later(session, by_name)
    plateau, faces, wild = (by_name[name] for name in ("plateau", "faces", "wild"))
    shares = [instants // len(full) + (i < instants % len(full)) for i in range(len(full))]
    acts = [
        _Act(kills.INSTANTS, _chain(kills.at_instants(session, one, n) for one, n in zip(full, shares, strict=True))),
        _Act(kills.MIXED, _chain(kills.mixed(session, one, 10) for one in full)),
        _Act(kills.COMMANDS, _chain(kills.commands(session, one, 2) for one in full)),
        _Act(kills.ASKED, _chain(kills.asked(session, one, 10) for one in brief)),
        _Act(scarcity.SMALL_DISK, _chain(scarcity.small_disks(session, one, 6) for one in (plateau, faces))),
        _Act(scarcity.FORBIDDEN, _chain(scarcity.forbidden(session, one) for one in (plateau, wild))),
        _Act(concurrency.WRITERS, _chain(concurrency.two_writers(session, one, 6) for one in brief)),
        _Act(concurrency.READERS, _chain(concurrency.readers(session, one, 2) for one in brief)),
        _Act(concurrency.CLOCK, _chain(concurrency.wrong_clock(session, one) for one in brief)),
        _Act(damage.TRUNCATED, _chain(damage.truncated(session, one, 12) for one in (plateau, faces))),
        _Act("a byte flipped", _chain(damage.flipped(session, one, 16) for one in (plateau, faces, *later))),
        _Act(kills.LATER, _chain(kills.at_points(session, one, _every(one, 1), kills.LATER) for one in later)),
        _Act(scarcity.FULL_AT_POINT, _chain(scarcity.at_points(session, one, _every(one, 6)) for one in brief)),
        _Act(kills.POINTS, _chain(kills.at_points(session, one, _every(one, 1)) for one in brief)),
    ]
    for act in acts:
        began = time.monotonic()
        play(itertools.takewhile(lambda _: time.monotonic() < deadline, act.scenarios), AT_ONCE)
        _log(f"{act.kind}: {time.monotonic() - began:.0f} s")
    session.failures += [
        f"{kind}: no fault came in time" for kind, count in session.counts.items() if not count.injected
    ]
    return [*tested, *later]


def _quick(session: Session) -> list[TestedStudy]:
    tested = _prepared(session, [("plateau", BRIEF), ("faces", BRIEF)])
    one, faces = tested
    later = _measured_later(session, {"faces": faces})
    play(kills.at_points(session, one, _every(one, 12)), AT_ONCE)
    play(kills.at_instants(session, one, 8), AT_ONCE)
    play(kills.mixed(session, one, 2), AT_ONCE)
    play(kills.asked(session, one, 4), AT_ONCE)
    for study in later:
        play(kills.at_points(session, study, _every(study, 12), kills.LATER), AT_ONCE)
    play(scarcity.at_points(session, one, _every(one, 25)), AT_ONCE)
    play(scarcity.small_disks(session, one, 1), AT_ONCE)
    play(itertools.islice(scarcity.forbidden(session, one), 3), AT_ONCE)
    play(concurrency.two_writers(session, one, 2), AT_ONCE)
    play(concurrency.wrong_clock(session, one), AT_ONCE)
    play(damage.truncated(session, one, 3), AT_ONCE)
    play(itertools.islice(damage.flipped(session, one, 0), 0, 40, 5), AT_ONCE)
    return [*tested, *later]


def _modules(session: Session, kills_of_each: int) -> list[TestedStudy]:
    """A study of own modules, one command at a time: each starts several interpreters with PyTorch."""
    study = session.study("modules", FULL[:0])
    play([session.undisturbed(study)])
    began = time.monotonic()
    play(kills.modules(session, study, kills_of_each))
    _log(f"{kills.MODULES}: {time.monotonic() - began:.0f} s")
    return [study]


def _searches(session: Session, step: int, kills_at_instants: int) -> list[TestedStudy]:
    """A search killed at every `step`-th write point and at random instants, and one that learns at random instants."""
    studies_of_searches = [session.study(name, FULL[:0]) for name in studies.SEARCHES]
    for study in studies_of_searches:
        study.verb = "search"
    play([session.undisturbed(study) for study in studies_of_searches])
    began = time.monotonic()
    brief = studies_of_searches[0]
    play(kills.at_points(session, brief, _every(brief, step), kills.SEARCH_POINTS), AT_ONCE)
    for study in studies_of_searches:
        play(kills.searches(session, study, kills_at_instants), AT_ONCE)
    _log(f"{kills.SEARCH_POINTS}, {kills.SEARCH_INSTANTS}: {time.monotonic() - began:.0f} s")
    return studies_of_searches


def _every(study: TestedStudy, step: int) -> range:
    return range(1, len(study.points) + 1, step)


def _chain(scenarios: Iterable[Iterator[Scenario]]) -> Iterator[Scenario]:
    return itertools.chain.from_iterable(scenarios)


def _log(line: str) -> None:
    print(f"torture: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
