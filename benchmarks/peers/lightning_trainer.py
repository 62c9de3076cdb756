"""PyTorch Lightning: a `LightningModule` and a `Trainer` without logger, checkpoints and progress bars."""

from __future__ import annotations

import logging
import time
import warnings

import lightning
import torch
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.peers import _torch
from benchmarks.peers._base import Peer, Trained, numbered
from benchmarks.tasks import Task


class _Module(lightning.LightningModule):
    def __init__(self, task: Task, run: int) -> None:
        super().__init__()
        self.model = _torch.network(task, run)
        self._task = task
        self._loss_of = _torch.loss_of(task)

    def training_step(self, batch: tuple[Tensor, Tensor], _index: int) -> Tensor:
        inputs, targets = batch
        loss = self._loss_of(self.model(inputs), targets)
        self.log("train_loss", loss, on_step=False, on_epoch=True)
        return loss

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return _torch.optimizer_of(self._task, self.parameters(), fused=False)


class LightningTrainer(Peer):
    packages = ("lightning", "torch")

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
        warnings.filterwarnings("ignore", module="lightning")

    def warm_up(self, runs: int) -> None:
        LightningTrainer(self.task.short()).train(runs, 1)

    def train(self, runs: int, epochs: int) -> Trained:
        seconds, ended = 0.0, []
        for run in range(runs):
            module = _Module(self.task, run)
            loader = DataLoader(
                TensorDataset(*_torch.data_of(self.task, run)),
                batch_size=self.task.batch_size,
                shuffle=True,
                generator=torch.Generator().manual_seed(run),
            )
            trainer = lightning.Trainer(
                accelerator="cpu",
                max_epochs=epochs,
                logger=False,
                enable_checkpointing=False,
                enable_progress_bar=False,
                enable_model_summary=False,
            )
            start = time.perf_counter()
            trainer.fit(module, loader)
            seconds += time.perf_counter() - start
            ended.append(_torch.weights(module.model))
        return self.trained(seconds, numbered(ended))
