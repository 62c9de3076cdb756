"""`python -m benchmarks.torture`: the whole torture, or a short form of it; exit code 1 if anything was lost."""

from __future__ import annotations

import argparse
import itertools
import os
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from benchmarks.torture import company, damage, kills, publish, scarcity
from benchmarks.torture.lives import Story, tell
from benchmarks.torture.studies import STUDIES
from benchmarks.torture.trial import BRIEF, WHOLE, Subject, Trial

DOCS = Path(__file__).parents[2] / "docs"
AT_ONCE = 2


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.torture", description=__doc__)
    parser.add_argument("--kills", type=int, default=150, help="kills at random instants (default: %(default)s)")
    parser.add_argument("--seconds", type=float, help="begin nothing new after so long (default: no limit)")
    parser.add_argument("--seed", type=int, default=2021, help="of all that is left to chance (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="a few of each fault on one study, in less than a minute")
    parser.add_argument("--to", type=Path, help="folder for reliability.md and .json (default: docs; quick: none)")
    options = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="paribus-torture-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o755)  # noqa: PTH101 - others live in it, too
        trial = Trial(Path(folder), options.seed)
        _read_pictures()
        _load_loops()
        subjects = _quick(trial) if options.quick else _whole(trial, options.kills, options.seconds)
    to = options.to or (None if options.quick else DOCS)
    report = publish.Report(trial.counts, subjects, time.monotonic() - began, options.seed, trial.troubles)
    print(report.table())
    if to is not None:
        report.write(to)
    for trouble in trial.troubles:
        print(f"! {trouble}", file=sys.stderr)
    return 1 if trial.troubles else 0


def _read_pictures() -> None:
    """Once, for all lives."""
    from paribus.data import faces, fashion_mnist

    fashion_mnist.pool("t10k")
    fashion_mnist.pool("train")
    faces.pool()


def _load_loops() -> None:
    """The compiled loops, once for all lives: reading them from disk takes longer than most lives."""
    import torch

    from benchmarks.peers.paribus_training import ParibusTraining, cohort_of
    from benchmarks.tasks import task

    for network in ("ShallowMLP", "AE_n16"):
        peer = ParibusTraining(task(network).short())
        with torch.no_grad():
            cohort = cohort_of(peer.plan(1, rehearse=False).cohorts[0])
            cohort.add_set("any", [member.splits.train for member in cohort.streams])
            cohort.train_epoch([0.0])
            cohort.evaluate("any")


def _prepared(trial: Trial, forms: Iterable[tuple[str, Sequence[str]]]) -> list[Subject]:
    """Studies as they end undisturbed."""
    subjects = [trial.subject(name, form) for name, form in forms]
    trial.lives.learn(trial.once(subjects[0]))
    _say(f"{len(subjects)} studies, undisturbed")
    tell((trial.undisturbed(subject) for subject in subjects), AT_ONCE)
    return subjects


def _whole(trial: Trial, instants: int, seconds: float | None) -> list[Subject]:
    deadline = time.monotonic() + (seconds or float("inf"))
    subjects = _prepared(trial, [(name, form) for form in (BRIEF, WHOLE) for name in STUDIES])
    brief, whole = subjects[: len(STUDIES)], subjects[len(STUDIES) :]
    by_name = dict(zip(STUDIES, brief, strict=True))
    plateau, faces, wild = (by_name[name] for name in ("plateau", "faces", "wild"))
    shares = [instants // len(whole) + (i < instants % len(whole)) for i in range(len(whole))]
    acts: list[tuple[str, Iterator[Story]]] = [
        (kills.INSTANTS, _chain(kills.at_instants(trial, one, n) for one, n in zip(whole, shares, strict=True))),
        (kills.COMMANDS, _chain(kills.commands(trial, one, 2) for one in whole)),
        (kills.POLITELY, _chain(kills.politely(trial, one, 10) for one in brief)),
        (scarcity.FULL, _chain(scarcity.small_disks(trial, one, 6) for one in (plateau, faces))),
        (scarcity.FORBIDDEN, _chain(scarcity.forbidden(trial, one) for one in (plateau, wild))),
        (company.TWO, _chain(company.two_at_once(trial, one, 6) for one in brief)),
        (company.READERS, _chain(company.readers(trial, one, 2) for one in brief)),
        (company.CLOCK, _chain(company.wrong_clock(trial, one) for one in brief)),
        (damage.TORN, _chain(damage.torn(trial, one, 12) for one in (plateau, faces))),
        ("a byte flipped", _chain(damage.flipped(trial, one, 16) for one in (plateau, faces))),
        (scarcity.STARVED, _chain(scarcity.at_points(trial, one, _every(one, 6)) for one in brief)),
        (kills.POINTS, _chain(kills.at_points(trial, one, _every(one, 1)) for one in brief)),
    ]
    for name, stories in acts:
        began = time.monotonic()
        tell(itertools.takewhile(lambda _: time.monotonic() < deadline, stories), AT_ONCE)
        _say(f"{name}: {time.monotonic() - began:.0f} s")
    trial.troubles += [f"{kind}: no fault came in time" for kind, count in trial.counts.items() if not count.injected]
    return subjects


def _quick(trial: Trial) -> list[Subject]:
    subjects = _prepared(trial, [("plateau", BRIEF)])
    (one,) = subjects
    tell(kills.at_points(trial, one, _every(one, 12)), AT_ONCE)
    tell(kills.at_instants(trial, one, 8), AT_ONCE)
    tell(kills.politely(trial, one, 4), AT_ONCE)
    tell(scarcity.at_points(trial, one, _every(one, 25)), AT_ONCE)
    tell(scarcity.small_disks(trial, one, 1), AT_ONCE)
    tell(company.two_at_once(trial, one, 2), AT_ONCE)
    tell(company.wrong_clock(trial, one), AT_ONCE)
    tell(damage.torn(trial, one, 3), AT_ONCE)
    tell(itertools.islice(damage.flipped(trial, one, 0), 0, 40, 5), AT_ONCE)
    return subjects


def _every(subject: Subject, step: int) -> range:
    return range(1, len(subject.points) + 1, step)


def _chain(stories: Iterable[Iterator[Story]]) -> Iterator[Story]:
    return itertools.chain.from_iterable(stories)


def _say(line: str) -> None:
    print(f"torture: {line}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
