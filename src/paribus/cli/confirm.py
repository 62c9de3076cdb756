"""paribus confirm: write the study that trains a sweep's chosen arms on fresh replicates.

The sweep must have run: the arms are chosen from its recorded results, by the rule in its [choose].
"""

from __future__ import annotations

import argparse
from pathlib import Path

from paribus.cli.arguments import looks_like_path, open_workspace, parse_path, recorded_study
from paribus.cli.output import print_line, print_message, write_new
from paribus.errors import Exit


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus confirm STUDY [--to FILE]`."""
    to.add_argument("study", metavar="STUDY", help="a recorded study with [choose]: its name, id or file")
    to.add_argument("--to", metavar="FILE", help="the file to write (default: NAME-confirmed.toml); never overwritten")


def execute(arguments: argparse.Namespace) -> Exit:
    """Say which arms are chosen and why, and write the study file."""
    from paribus.analysis.choice import choices, rule_in_words
    from paribus.analysis.confirmation import confirmation
    from paribus.analysis.results import load
    from paribus.analysis.wording import mean_and_sd
    from paribus.spec.study import parse

    with open_workspace(arguments.workspace) as workspace:
        results = load(workspace, recorded_study(workspace, arguments.study).id)
    name, text = confirmation(results)
    parse(text, place=f"study {name}")
    folder = Path(arguments.study).parent if looks_like_path(arguments.study) else Path()  # where its data files begin
    target = folder / f"{name}.toml" if arguments.to is None else parse_path(arguments.to, "--to")
    write_new(target, text, "--to")
    rule = results.study.choose
    assert rule is not None
    print_message(rule_in_words(rule))
    for choice in choices(results):
        where = f"{choice.group}: " if choice.group else ""
        found = next((one for one in choice.candidates if one.arm == choice.arm), None)
        what = "no arm is eligible" if found is None else f"{found.arm} ({mean_and_sd(rule.metric, found.estimate)})"
        print_message(f"{where}{what}")
    print_line(str(target))
    print_message(f"next: paribus run {target}")
    return Exit.DONE
