"""paribus export: write a recorded study in another tool's format.

Tables (csv, parquet), selected weights (safetensors, pt, onnx), curves (tensorboard, mlflow), or everything as one file
(archive), which `paribus unpack` opens elsewhere. Nothing is trained, and nothing that is there is replaced.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from paribus.cli.arguments import looks_like_path, open_workspace, parse_path, recorded_study
from paribus.cli.output import print_line
from paribus.cli.waiting import Waiting
from paribus.errors import Exit, UserError


def add_arguments(to: argparse.ArgumentParser) -> None:
    """`paribus export STUDY --format FORMAT --to PATH [--arm NAME]... [--replicate N]... [--rule RULE]...`."""
    to.add_argument("study", metavar="STUDY", help="a study of the workspace")
    to.add_argument(
        "--format",
        required=True,
        dest="form",
        metavar="FORMAT",
        help="csv, parquet, safetensors, pt, onnx, tensorboard, mlflow or archive",
    )
    to.add_argument("--to", required=True, metavar="PATH", help="a new folder; for an archive a new file")
    weights = to.add_argument_group("which weights (safetensors, pt, onnx)")
    weights.add_argument("--arm", dest="arms", metavar="NAME", action="append", default=[], help="of this arm only")
    weights.add_argument(
        "--replicate", dest="replicates", metavar="N", action="append", default=[], help="of this replicate only"
    )
    weights.add_argument("--rule", dest="rules", metavar="RULE", action="append", default=[], help="of this rule only")


def execute(arguments: argparse.Namespace) -> Exit:
    """Write the export and print its path."""
    to = parse_path(arguments.to, "--to")
    name = arguments.study
    code = parse_path(name, "STUDY").parent if looks_like_path(name) else Path()
    with Waiting() as waiting:
        waiting(f"writing {arguments.form}")
        from paribus.export.formats import export
        from paribus.export.weights import Choice

        choice = Choice(tuple(arguments.arms), tuple(map(_replicate, arguments.replicates)), tuple(arguments.rules))
        with open_workspace(arguments.workspace) as workspace:
            export(workspace, recorded_study(workspace, name), arguments.form, to, choice, code)
    print_line(str(to))
    return Exit.DONE


def _replicate(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise UserError("must be a whole number", given=text, place="--replicate", remedy="write --replicate 0")
    return int(text)
