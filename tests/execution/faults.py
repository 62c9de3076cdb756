"""Faults in workers: as a module, a worker process that meets the fault which the environment describes."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

from paribus.execution.worker import Worker

VARIABLE = "PARIBUS_TEST_FAULT"
OPEN = "open"
BUSY_S = 5.0


def settings() -> dict[str, str]:
    """The fault that the environment describes, for workers that have an environment of their own."""
    return {VARIABLE: os.environ[VARIABLE]} if VARIABLE in os.environ else {}


def describe(folder: Path, kind: str, *, epoch: int = 3, times: int = 1, lr: float | None = None) -> str:
    """A fault for `VARIABLE`: after `epoch` epochs, `times` times in all, and only beside a run of that rate."""
    folder.mkdir(exist_ok=True)
    return json.dumps({"kind": kind, "epoch": epoch, "times": times, "lr": lr, "folder": str(folder)})


def meet(kind: str, folder: Path) -> None:
    """What the fault does. A worker `waits` until there is a file `open` in the folder; a `busy` one computes."""
    until_s = time.monotonic() + {"waits": 60.0, "busy": BUSY_S}.get(kind, 0.0)
    match kind:
        case "waits":
            while not (folder / OPEN).exists() and time.monotonic() < until_s:
                time.sleep(0.01)
        case "busy":
            while time.monotonic() < until_s:
                pass
        case "error":
            raise RuntimeError("broken")
        case "memory":
            raise MemoryError("Unable to allocate 7 GiB")
        case "hang":
            time.sleep(1000)
        case _:
            os.kill(os.getpid(), getattr(signal, kind))


def install(patch=setattr) -> None:
    """From now on, workers of this process meet the fault."""
    train_epoch = Worker._epoch

    def faulty(worker, cohort):
        metrics = train_epoch(worker, cohort)
        text = os.environ.get(VARIABLE)
        if text:
            fault = json.loads(text)
            rates = [run.spec.recipe.optimizer.lr for run in cohort.runs]
            met = Path(fault["folder"])
            if cohort.epoch == fault["epoch"] and (fault["lr"] is None or fault["lr"] in rates):
                number = len(list(met.iterdir()))
                if number < fault["times"]:
                    (met / str(number)).touch()
                    meet(fault["kind"], met)
        return metrics

    patch(Worker, "_epoch", faulty)


if __name__ == "__main__":
    from paribus.execution import worker_process

    install()
    worker_process.main(int(sys.argv[1]))
