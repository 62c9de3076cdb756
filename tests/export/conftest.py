"""A workspace with small trained studies of every task, made once for all tests of exports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import paribus
from paribus.execution.runner import prepare, run_study
from paribus.spec.study import Study
from paribus.store.workspace import Workspace

NETS = """
import torch
from torch import nn


class Small(nn.Module):
    def __init__(self, width: int = 2) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Linear(16 * width, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.norm(self.conv(images))).flatten(1))
"""
PICTURES = {
    "source": "images.npz",
    "inputs": "X",
    "target": "y",
    "split": {"by": "stratified", "validation": 0.2, "test": 0.2},
}
COMMON = {"optimizer": {"kind": "adam", "lr": 0.01}, "training": {"epochs": 3, "batch_size": 16}, "replicates": 2}


def images(folder: Path) -> None:
    """Grey images of 4 x 4 bytes in three classes."""
    random = np.random.Generator(np.random.PCG64(1))
    labels = np.arange(90) % 3
    centres = random.integers(40, 215, (3, 16))
    values = np.clip(centres[labels] + random.standard_normal((90, 16)) * 30, 0, 255).astype(np.uint8)
    np.savez(folder / "images.npz", X=values.reshape(90, 4, 4), y=labels)


def table(folder: Path) -> None:
    """A table of numbers with gaps, a target of its own unit, and a class of two."""
    random = np.random.Generator(np.random.PCG64(2))
    lines = ["a,b,c,price,kind"]
    for i in range(80):
        a, b = random.standard_normal(2)
        gap = "" if i % 9 == 0 else f"{b:.4f}"
        lines.append(f"{a:.4f},{gap},{i % 7},{1000 + 50 * a - 20 * b:.2f},{'yes' if a > 0 else 'no'}")
    (folder / "houses.csv").write_text("\n".join(lines) + "\n")


def studies(folder: Path) -> dict[str, Study]:
    images(folder)
    table(folder)
    houses = {
        "source": "houses.csv",
        "missing": "median",
        "scale": "standardise",
        "split": {"by": "random", "validation": 0.2},
    }
    claim = {"statement": "Wider is better.", "metric": "val_accuracy", "better": "wide", "than": "narrow", "by": 0.01}
    found = [
        paribus.study(
            "classes",
            "Does wider help?",
            data={**PICTURES, "scale": "standardise"},
            network={"hidden": [6, 5], "batch_norm": True},
            arms={"narrow": {}, "wide": {"network": {"hidden": [12, 5]}}},
            claims=[claim],
            selection={"rules": ["min-val-loss", "last"]},
            test={"read_at": ["last"]},
            folder=folder,
            **COMMON,
        ),
        paribus.study(
            "prices",
            "What does a house cost?",
            data={**houses, "task": "regression", "target": "price", "inputs": {"drop": ["kind"]}},
            network={"hidden": [5]},
            loss="mse",
            selection={"rules": ["last"]},
            folder=folder,
            **COMMON,
        ),
        paribus.study(
            "kinds",
            "Yes or no?",
            data={**houses, "target": "kind", "inputs": {"drop": ["price"]}},
            network={"hidden": [4]},
            loss="binary-cross-entropy",
            selection={"rules": ["last"]},
            folder=folder,
            **COMMON,
        ),
        paribus.study(
            "coder",
            "Can it be compressed?",
            data={
                "source": "images.npz",
                "inputs": "X",
                "task": "reconstruction",
                "scale": "centre",
                "split": {"by": "random", "validation": 0.2},
            },
            network={"kind": "autoencoder", "hidden": [8, 3, 8], "tied": True},
            loss="mse",
            selection={"rules": ["last"]},
            folder=folder,
            **COMMON,
        ),
    ]
    return {study.name: study for study in found}


def own(folder: Path) -> Study:
    """A module of the user's own, whose processes import PyTorch: trained only for the tests that need it."""
    images(folder)
    (folder / "nets.py").write_text(NETS)
    return paribus.study(
        "own",
        "Do convolutions help?",
        data=PICTURES,
        network={"kind": "module", "module": "nets.py:Small"},
        selection={"rules": ["last"]},
        folder=folder,
        **{**COMMON, "replicates": 1, "training": {"epochs": 1, "batch_size": 16}},
    )


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a workspace `w`, and the data of its studies."""
    folder = tmp_path_factory.mktemp("exports")
    with Workspace.open(folder / "w", create=True, write=True) as workspace:
        for study in studies(folder).values():
            outcome = run_study(prepare(study), workspace)
            assert not outcome.failed, outcome.failed
    return folder


@pytest.fixture
def workspace(trained: Path) -> Iterator[Workspace]:
    with Workspace.open(trained / "w") as opened:
        yield opened
