"""What trains the networks of `benchmarks.modules`: each tool gives the milliseconds of a model-epoch.

    python -m benchmarks.module_tools TOOL NETWORK

Each line of standard input asks for one measurement, and is answered by a line on standard output.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from benchmarks import module_nets
from benchmarks.peers._base import cores

TRAIN, VALIDATION, BATCH = 2048, 512, 64
EPOCHS = 4
RATE, MOMENTUM = 0.05, 0.9
Measure = Callable[[], float]
"""Trains, and gives the milliseconds of a model-epoch."""


def images(examples: int) -> tuple[Tensor, Tensor]:
    """Images of 28 x 28 in 10 classes, random: no tool's time depends on what they show."""
    random = np.random.default_rng(examples)
    values = random.integers(0, 256, (examples, 1, 28, 28)).astype(np.float32) / np.float32(255)
    return torch.from_numpy(values), torch.from_numpy(random.integers(0, 10, examples))


class Loop:
    """A plain loop over data in memory."""

    def __init__(self, network: str) -> None:
        self.model: nn.Module = getattr(module_nets, network)()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=RATE, momentum=MOMENTUM)
        self.train, self.validation = images(TRAIN), images(VALIDATION)
        self.loss_of = nn.CrossEntropyLoss()

    def epoch(self) -> float:
        inputs, labels = self.train
        self.model.train()
        total = 0.0
        for rows in torch.randperm(len(inputs)).split(BATCH):
            self.optimizer.zero_grad()
            loss = self.loss_of(self.model(inputs[rows]), labels[rows])
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        return total

    def validate(self) -> float:
        inputs, labels = self.validation
        self.model.eval()
        with torch.no_grad():
            outputs = torch.cat([self.model(part) for part in inputs.split(256)])
            return float(self.loss_of(outputs, labels)) + float((outputs.argmax(1) == labels).sum())


def plain_loop(network: str) -> Measure:
    """One run, with the number of threads that is faster: one, or one for each core."""
    loop = Loop(network)
    taken: dict[int, float] = {}
    for threads in (1, cores()):
        torch.set_num_threads(threads)
        loop.epoch()
        taken[threads] = _seconds(loop.epoch)
    torch.set_num_threads(min(taken, key=lambda threads: taken[threads]))
    return lambda: 1000 * _seconds(lambda: [loop.epoch() for _ in range(EPOCHS)]) / EPOCHS


def processes(network: str) -> Measure:
    """A loop in one process for each core, which also validates after each epoch."""
    count = cores()
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_start, initargs=(network,))
    list(pool.map(_train, [1] * count))

    def measure() -> float:
        times = list(pool.map(_train, [EPOCHS] * count))
        seconds = max(ended for _, ended in times) - min(began for began, _ in times)
        return 1000 * seconds / (count * EPOCHS)

    return measure


_LOOPS: list[Loop] = []


def _start(network: str) -> None:
    torch.set_num_threads(1)
    _LOOPS.append(Loop(network))


def _train(epochs: int) -> tuple[float, float]:
    """When it began and ended, by a clock that all processes share."""
    began = time.monotonic()
    for _ in range(epochs):
        _LOOPS[0].epoch()
        _LOOPS[0].validate()
    return began, time.monotonic()


def lightning(network: str) -> Measure:
    """A `Trainer` without logger, checkpoints and progress bars, and without validation."""
    import lightning as pl
    from torch.utils.data import DataLoader, TensorDataset

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.simplefilter("ignore")

    class Net(pl.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model = getattr(module_nets, network)()
            self.loss_of = nn.CrossEntropyLoss()

        def training_step(self, batch: tuple[Tensor, Tensor], _index: int) -> Tensor:
            return self.loss_of(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.SGD(self.parameters(), lr=RATE, momentum=MOMENTUM)

    def fit(epochs: int) -> float:
        loader = DataLoader(TensorDataset(*images(TRAIN)), batch_size=BATCH, shuffle=True)
        trainer = pl.Trainer(
            accelerator="cpu",
            max_epochs=epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
        return _seconds(lambda: trainer.fit(Net(), loader))

    fit(1)
    return lambda: 1000 * fit(EPOCHS) / EPOCHS


def skorch(network: str) -> Measure:
    """`NeuralNetClassifier`, silent and without an internal validation split."""
    from skorch import NeuralNetClassifier

    warnings.simplefilter("ignore")
    inputs, labels = (part.numpy() for part in images(TRAIN))
    net = NeuralNetClassifier(
        getattr(module_nets, network),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.SGD,
        optimizer__momentum=MOMENTUM,
        lr=RATE,
        batch_size=BATCH,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    ).initialize()
    net.partial_fit(inputs, labels, epochs=1)
    return lambda: 1000 * _seconds(lambda: net.partial_fit(inputs, labels, epochs=EPOCHS)) / EPOCHS


STUDY = """
name = "module"
question = "How long does an epoch take?"
replicates = {runs}

[data]
source = "images.npz"
split = "given"

[network]
kind = "module"
module = "module_nets.py:{network}"

[optimizer]
kind = "sgd"
lr = {rate}
momentum = {momentum}

[training]
epochs = {epochs}
batch_size = {batch}

[selection]
rules = ["min-val-loss", "last"]

[test]
read_at = ["last"]

[[arms]]
name = "only"
"""


def paribus(network: str) -> Measure:
    """A whole study into a workspace: one run for each core, validated after each epoch, checkpoints, outputs."""
    runs = cores()
    home = tempfile.TemporaryDirectory(prefix="paribus-bench-")
    folder = Path(home.name)
    shutil.copy(str(module_nets.__file__), folder)
    arrays: list[Any] = []
    for examples in (TRAIN, VALIDATION, VALIDATION):
        values, labels = images(examples)
        arrays += [(values.flatten(1).numpy() * 255).round().astype(np.uint8).T, labels.numpy()]
    np.savez(folder / "images.npz", *arrays)

    def measure() -> float:
        _ = home  # the folder lives as long as this function
        return _paribus_study(folder, network, runs)

    return measure


def _paribus_study(folder: Path, network: str, runs: int) -> float:
    from paribus.execution.events import EpochDone, Event
    from paribus.execution.runner import prepare, run_study
    from paribus.spec.study import parse
    from paribus.store.workspace import Workspace

    text = STUDY.format(runs=runs, network=network, rate=RATE, momentum=MOMENTUM, epochs=EPOCHS + 1, batch=BATCH)
    study = parse(text, place="a benchmark", folder=folder)
    times: dict[int, list[float]] = {}

    def listen(event: Event, /) -> None:
        if isinstance(event, EpochDone):
            times.setdefault(event.index, []).append(time.perf_counter())

    where = Path(tempfile.mkdtemp(dir=folder))
    try:
        with Workspace.open(where / "workspace", create=True, write=True) as workspace:
            run_study(prepare(study), workspace, listen)
    finally:
        shutil.rmtree(where)
    # the first epoch waits for its process and is not counted
    rate = sum((len(ended) - 1) / (ended[-1] - ended[0]) for ended in times.values())
    return 1000 / rate


TOOLS: dict[str, Callable[[str], Measure]] = {
    "loop": plain_loop,
    "processes": processes,
    "lightning": lightning,
    "skorch": skorch,
    "paribus": paribus,
}


def _seconds(act: Callable[[], object]) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def main() -> None:
    tool, network = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    try:
        measure = TOOLS[tool](network)
    except ImportError as error:
        print(json.dumps({"missing": str(error)}), file=answers, flush=True)
        return
    print(json.dumps({"ready": tool}), file=answers, flush=True)
    for _ in sys.stdin:
        print(json.dumps({"ms": measure()}), file=answers, flush=True)
    os._exit(0)  # a pool's processes would be waited for


if __name__ == "__main__":
    main()
