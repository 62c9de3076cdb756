"""paribus compare: compare arms by scores from any program: differences with intervals, and verdicts.

The file is a CSV table with a header: one row for each run, a column for the arm, one for the replicate (the seed or
the fold), and one for each metric, as experiment trackers export them. Arms are paired by replicate where they share
replicates. Nothing is trained, and no workspace is needed.

Training logs of other programs, CSV files with a column of epochs, are compared, too: `paribus compare deep_*.csv
wide_*.csv --metric val_accuracy --rule max-val_accuracy`, and beside them with --study the arms of a recorded study.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from paribus.cli.output import print_columns, print_json, print_message
from paribus.errors import Exit, Shown, UserError, unreadable

if TYPE_CHECKING:
    from paribus.analysis.scores import ScoreContrast, Scores

MAX_BYTES = 100_000_000


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus compare FILE... [--metric COLUMN] [--by NUMBER] ...`."""
    to.add_argument(
        "files", metavar="FILE", nargs="+", help="a CSV file with a header, or training logs; - reads standard input"
    )
    to.add_argument("--metric", metavar="COLUMN", help="the column of the scores, where there are several")
    to.add_argument("--arm", metavar="COLUMN", help="the column of the arms (default: arm, group, model, method, name)")
    to.add_argument(
        "--replicate", metavar="COLUMN", help="the column that pairs arms (default: replicate, seed, fold, repeat)"
    )
    to.add_argument("--control", metavar="ARM", help="the arm that the others are compared with (default: the first)")
    to.add_argument(
        "--by", metavar="NUMBER", type=float, default=0.0, help="the smallest difference that matters (default: 0)"
    )
    to.add_argument("--lower", action="store_true", help="less is better, as for losses and errors")
    logs = to.add_argument_group("training logs")
    logs.add_argument(
        "--rule", metavar="RULE", help="the epoch that counts: last (the default), epoch:N, min-COLUMN, max-COLUMN"
    )
    logs.add_argument("--epoch", metavar="COLUMN", help="the column of the epochs (default: epoch)")
    logs.add_argument("--study", metavar="STUDY", help="also compare the arms of this study of the workspace")
    form = to.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print a JSON object with `metric` and `contrasts`")
    form.add_argument("--html", metavar="PAGE", help="write a page that opens without a network, and print its path")


def execute(arguments: argparse.Namespace) -> Exit:
    """Print the comparison."""
    from paribus.analysis.scores import compare

    if not 0 <= arguments.by < float("inf"):
        remedy = "give the difference without a sign"
        raise UserError("must be at least 0", given=arguments.by, place="--by", remedy=remedy)
    texts = [_read(name) for name in arguments.files]
    scores = _scores(arguments, texts)
    place = ", ".join(name for _, name in texts)
    found = compare(scores, by=arguments.by, higher_is_better=not arguments.lower, control=arguments.control)
    if arguments.json:
        print_json({"metric": scores.metric, "by": arguments.by, "contrasts": [asdict(one) for one in found]})
    elif arguments.html:
        from paribus.report.score_page import score_page
        from paribus.report.writing import put

        page = Path(arguments.html)
        put(page, score_page(scores, found, by=arguments.by, source=place))
        print_message(f"wrote {page}")
    else:
        _print(scores, found, arguments.by)
    return Exit.DONE


def _scores(arguments: argparse.Namespace, texts: list[tuple[str, str]]) -> Scores:
    """One score for each run: of a table, or of training logs."""
    from paribus.analysis.scores import read_scores
    from paribus.analysis.training_logs import is_log, read_logs, scores_of_logs, with_study

    if len(texts) == 1 and not is_log(texts[0][0], arguments.epoch):
        for option in ("rule", "epoch", "study"):
            if getattr(arguments, option) is not None:
                remedy = "leave it out, or name training logs: CSV files with a column of epochs"
                raise UserError("goes with training logs", given=getattr(arguments, option), place=f"--{option}",
                                remedy=remedy)  # fmt: skip
        (text, place), metric = texts[0], arguments.metric
        return read_scores(text, place=place, metric=metric, arm=arguments.arm, replicate=arguments.replicate)
    if arguments.metric is None:
        rule, remedy = "must name the column of the scores of training logs", "write --metric val_accuracy"
        raise UserError(rule, given=Shown("none"), place="--metric", remedy=remedy)
    logs = read_logs(texts, epoch=arguments.epoch)
    scores = scores_of_logs(logs, arguments.metric, arguments.rule or "last")
    if arguments.study is None:
        return scores
    from paribus.analysis.results import load
    from paribus.cli.arguments import open_workspace, recorded_study

    with open_workspace(arguments.workspace) as workspace:
        results = load(workspace, recorded_study(workspace, arguments.study).id)
    return with_study(scores, results, arguments.metric)


def _read(name: str) -> tuple[str, str]:
    """The file's text, and its name in messages."""
    place = "standard input" if name == "-" else name
    try:
        if name == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).expanduser().open("rb") as file:
                content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(error, place=place, remedy="check the path") from None
    if len(content) > MAX_BYTES:
        rule = f"must have at most {MAX_BYTES // 1_000_000} MB"
        raise UserError(rule, given=Shown("more"), place=place, remedy="export fewer columns")
    try:
        return content.decode("utf-8-sig"), place
    except UnicodeDecodeError:
        rule, remedy = "must be UTF-8 text", "save it as CSV in UTF-8"
        raise UserError(rule, given=Shown("other bytes"), place=place, remedy=remedy) from None


def _print(scores: Scores, found: tuple[ScoreContrast, ...], by: float) -> None:
    from paribus.analysis.score_sentences import contrast_sentence
    from paribus.analysis.wording import number

    control = found[0].control
    lines = [("arm", scores.metric, "better by", "95 % interval", "n", "verdict")]
    lines.append((control, number(found[0].control_mean), "", "", str(found[0].control_n), "control"))
    for one in found:
        between = one.judgement.interval
        shown = "none" if between is None else f"{number(between.low)} to {number(between.high)}"
        lines.append((one.arm, number(one.mean), number(one.effect), shown, str(one.n), one.judgement.verdict))
    print_columns(lines, right=(1, 2, 4))
    for one in found:
        print_message(contrast_sentence(one, scores.metric, by))
