"""Every format that a study is exported in, and what writes it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from paribus.analysis.results import Results, load
from paribus.errors import UserError, nearest
from paribus.export.target import new_folder
from paribus.export.weights import Choice, kept_weights
from paribus.store.records import StudyRecord
from paribus.store.workspace import Workspace

FORMATS: Final = {
    "csv": "tables as CSV",
    "parquet": "tables as Parquet",
    "safetensors": "selected weights as safetensors",
    "pt": "selected weights as PyTorch state dicts",
    "onnx": "selected networks as ONNX, scaling included",
    "tensorboard": "curves as TensorBoard event files",
    "mlflow": "runs in MLflow's file store",
    "archive": "the study with everything recorded, as one zip file",
}
WHOLE: Final = ("csv", "parquet", "tensorboard", "mlflow", "archive")
"""Formats of a whole study: arms, replicates and rules are not chosen."""


def export(
    workspace: Workspace,
    record: StudyRecord,
    form: str,
    to: Path,
    choice: Choice | None = None,
    code: Path | None = None,
) -> None:
    """Export a recorded study to `to`: a folder, or for an archive a file. What is there already is never replaced.

    `code` is the folder where the study's own modules lie, which ONNX needs. Raises UserError for an unknown format,
    for a missing package, and where nothing of the kind is recorded.
    """
    chosen = choice or Choice()
    if form not in FORMATS:
        raise UserError("must be a format", given=form, place="--format", remedy=nearest(form, FORMATS))
    if form in WHOLE and chosen != Choice():
        rule, remedy = f"does not go with {form}, which takes the whole study", "leave it out"
        option = "--arm" if chosen.arms else "--replicate" if chosen.replicates else "--rule"
        raise UserError(rule, given=form, place=option, remedy=remedy)
    if form == "archive":
        from paribus.export.archive import write_archive

        write_archive(workspace, [record], to)
        return
    results = load(workspace, record.id)
    with new_folder(to) as folder:
        _write(results, form, folder, chosen, Path() if code is None else code)


def _write(results: Results, form: str, folder: Path, choice: Choice, code: Path) -> None:
    match form:
        case "csv":
            from paribus.export.tables import write_csv

            write_csv(results, folder)
        case "parquet":
            from paribus.export.tables import write_parquet

            write_parquet(results, folder)
        case "safetensors":
            from paribus.export.state_dicts import write_safetensors

            write_safetensors(kept_weights(results, choice), folder)
        case "pt":
            from paribus.export.state_dicts import write_pytorch

            write_pytorch(kept_weights(results, choice), folder)
        case "onnx":
            from paribus.export.onnx_files import write_onnx

            write_onnx(results, kept_weights(results, choice), folder, code)
        case "tensorboard":
            from paribus.export.tensorboard import write_tensorboard

            write_tensorboard(results, folder)
        case "mlflow":
            from paribus.export.mlflow_store import write_mlflow

            write_mlflow(results, folder)
        case _:
            raise ValueError(f"no export format {form}")
