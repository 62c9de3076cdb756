"""The tools that are measured, one file each."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from benchmarks.peers._base import Peer

_CLASSES: Final = {
    "dataloader": "dataloader_loop.DataLoaderLoop",
    "sequential": "sequential_loop.SequentialLoop",
    "processes": "processes.Processes",
    "lightning": "lightning_trainer.LightningTrainer",
    "skorch": "skorch_net.SkorchNet",
    "scikit-learn": "scikit_learn.ScikitLearn",
    "keras": "keras_jax.KerasJax",
    "vmap": "torch_vmap.TorchVmap",
    "vmap-compiled": "torch_vmap.TorchVmapCompiled",
    "jax": "jax_vmap.JaxVmap",
    "hfta": "hfta_fused.HftaFused",
    "paribus-training": "paribus_training.ParibusTraining",
    "paribus-arms": "paribus_training.ParibusArms",
    "paribus": "paribus_study.ParibusStudy",
}

NAMES: Final = tuple(_CLASSES)
"""Every tool, in the order of the tables."""


def peer_class(name: str) -> type[Peer]:
    """The class of one tool. Raises ImportError where what it needs is not installed."""
    module, _, cls = _CLASSES[name].partition(".")
    return getattr(import_module(f"benchmarks.peers.{module}"), cls)
