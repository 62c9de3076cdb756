"""Running a study from Python, with progress where a person watches."""

from __future__ import annotations

import importlib.util
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paribus.api.results import Results
from paribus.api.results import results as read_results
from paribus.api.watching import watching
from paribus.cli.arguments import default_workspace
from paribus.cli.run import progress_before
from paribus.execution.events import Listener, silent
from paribus.execution.executors import ExecutorsByFamily
from paribus.execution.limits import Budget, Limits
from paribus.execution.runner import prepare, run_study
from paribus.store.workspace import Workspace
from paribus.training.cpu.compiling import skip_blas

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractContextManager

    from paribus.api.watching import Callback
    from paribus.execution.executor import Deliver, Executor
    from paribus.execution.progress import StudyProgress
    from paribus.execution.runner import PreparedStudy
    from paribus.spec.study import Study
    from paribus.training.devices import Device


def run(
    study: Study,
    *,
    workspace: str | os.PathLike[str] | None = None,
    progress: bool = True,
    device: str = "cpu",
    callbacks: Sequence[Callback] = (),
    budget: str | None = None,
    meters: Sequence[str] = (),
) -> Results:
    """Train the runs of a study that the workspace does not hold yet, record them, and return the study's results.

    Parameters
    ----------
    study : from `paribus.study` or `paribus.load`.
    workspace : the folder of all that is recorded; by default $PARIBUS_WORKSPACE, else `paribus-workspace` here.
    progress : show how training goes, on a terminal or below a notebook's cell.
    device : "cpu", or "cuda" for an NVIDIA GPU. Runs of a CPU and of a GPU are different runs.
    callbacks : functions that are told each `Epoch` (`study`, `epoch`, and `metrics` by (arm, replicate)). One that
        returns True pauses the study in order; the same call goes on from there. A callback can change nothing.
    budget : the time or the energy after which the study pauses: "20min", "50kJ".
    meters : what measures the energy: "rapl", "model", "codecarbon", "carbontracker". The first one counts.

    What is recorded is never trained again, whether Python or the command line recorded it. Ctrl-C, or a notebook's
    stop button, keeps what has been trained; the same call goes on from there. Raises UserError where the study does
    not fit its data.

    Examples
    --------
    >>> results = paribus.run(paribus.load("selection", {"training.epochs": 20}))  # doctest: +SKIP
    """
    folder = default_workspace() if workspace is None else Path(workspace).expanduser()
    limit = None if budget is None else Budget.of(budget, "budget")
    prepared = prepare(study, device=device)
    limits = Limits(limit, [watching(prepared, callback) for callback in callbacks])
    skip_blas()
    with Workspace.open(folder, create=True, write=True) as opened:
        train(prepared, opened, progress=progress, meters=meters, limits=limits)
    return read_results(prepared.id, workspace=folder)


def train(
    prepared: PreparedStudy,
    opened: Workspace,
    *,
    progress: bool,
    meters: Sequence[str] = (),
    limits: Limits | None = None,
    executor: Callable[[Device, Deliver], Executor] = ExecutorsByFamily,
) -> None:
    """Train what is not recorded, and show it if `progress` is asked for and something is left to train."""
    counted = progress_before(prepared, opened)
    shows = progress and counted.runs_done < len(prepared.runs)
    with display(counted) if shows else nullcontext(silent) as shown:
        run_study(prepared, opened, shown, executor=executor, meters=meters, limits=limits)


def display(counted: StudyProgress) -> AbstractContextManager[Listener]:
    """Rows that are redrawn, on a terminal and in a notebook that can redraw; else lines."""
    from rich.console import Console

    console: Any = Console(stderr=True)
    redraws = importlib.util.find_spec("ipywidgets") is not None if console.is_jupyter else sys.stderr.isatty()
    if redraws:
        from paribus.cli.live import LiveDisplay

        return LiveDisplay(counted, console)
    from paribus.cli.lines import LineDisplay

    return LineDisplay(counted)
