"""Streams: runs of one replicate, which see the same pictures in the same order and drop units by the same numbers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import groupby
from threading import Lock
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from paribus import seeding
from paribus.data.pool import Pool, Split, Splits
from paribus.spec.recipe import Recipe
from paribus.training.cpu.zero_skipping import ZeroPattern, zero_pattern
from paribus.training.engine import DropoutNumbers


class InStream(Protocol):
    """What a stream needs to know of a run."""

    @property
    def recipe(self) -> Recipe: ...
    @property
    def splits(self) -> Splits: ...
    @property
    def stream(self) -> tuple[int, int]: ...


def streams_of(members: Sequence[InStream]) -> list[slice]:
    """The slice of the run axis of each stream; `members` are sorted by stream."""
    slices: list[slice] = []
    for _, same in groupby(members, key=lambda member: member.stream):
        start = slices[-1].stop if slices else 0
        slices.append(slice(start, start + len(list(same))))
    return slices


class StreamData:
    """The training images of one stream on the device, and the order in which each epoch takes them.

    An image is a row of `pool` (image, pixel) over `divisor`, less `center` (pixel,). `zeros` tells where it is zero,
    if that is worth knowing.
    """

    def __init__(self, member: InStream, device: torch.device) -> None:
        splits = member.splits
        self._stream, pool = member.stream, splits.train.pool
        self.pool, self.divisor, zeros = _on_device(pool, device)
        self.centered = splits.center is not None
        self.zeros = None if self.centered else zeros
        center = np.zeros(pool.inputs.shape[1], np.float32) if splits.center is None else splits.center
        self.center = shared(center).to(device)
        self.indices = shared(splits.train.indices).to(device)
        labels = splits.train.labels if member.recipe.has_labels else None
        self.labels = None if labels is None else shared(labels).to(device)

    def order(self, epoch: int) -> Tensor:
        """The order of one epoch, on the CPU: a permutation that depends on the stream and the epoch alone."""
        seed, replicate = self._stream
        generator = torch.Generator().manual_seed(seeding.derive(seed, replicate, seeding.ORDER, epoch))
        return torch.randperm(len(self.indices), generator=generator)

    def inputs_of(self, split: Split) -> Tensor:
        """The images of any split (image, pixel), centred as the training images are."""
        images = shared(split.inputs).to(self.center.device)
        return images - self.center if self.centered else images


class Dropout:
    """Draws for the hidden layers. Runs of one stream see the same numbers, and each drops its own share of them."""

    def __init__(self, members: Sequence[InStream], streams: Sequence[slice], device: torch.device) -> None:
        self._ids = [members[runs.start].stream for runs in streams]
        rates = torch.tensor([member.recipe.network.dropout for member in members], device=device)
        self.numbers = DropoutNumbers(rates, torch.zeros(len(streams), dtype=torch.int64, device=device))

    def begin_epoch(self, epoch: int) -> None:
        """Start every stream's numbers anew, from the epoch's own seed."""
        for s, (seed, replicate) in enumerate(self._ids):
            self.numbers.seeds[s] = seeding.derive(seed, replicate, seeding.DROPOUT, epoch)


def shared(array: npt.NDArray[Any]) -> Tensor:
    """A tensor over an array's own memory. PyTorch cannot mark it read-only, so nobody may write to it."""
    return torch.from_numpy(array)


def _hear_the_warning_once() -> None:
    """PyTorch warns of read-only arrays once in a process: here, where it tells nothing new, and in no thread."""
    array = np.zeros(1, np.float32)
    array.setflags(write=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.from_numpy(array)


_hear_the_warning_once()


def _on_device(pool: Pool, device: torch.device) -> tuple[Tensor, float, ZeroPattern | None]:
    """A pool's images on a device, what to divide them by, and their zeros: held once, for as long as the pool is."""
    with _lock:
        held = _pools.setdefault(pool, {})
        if device not in held:
            images, divisor = _compact(pool.inputs)
            held[device] = images.to(device), divisor, zero_pattern(images.numpy()) if device.type == "cpu" else None
        return held[device]


_pools: WeakKeyDictionary[Pool, dict[torch.device, tuple[Tensor, float, ZeroPattern | None]]] = WeakKeyDictionary()
_lock = Lock()


def _compact(inputs: npt.NDArray[np.float32]) -> tuple[Tensor, float]:
    """Images and what to divide them by: bytes and 255 where that gives them bit by bit, which is faster to read."""
    levels = np.rint(inputs * np.float32(255)).astype(np.uint8)
    exact = np.array_equal(levels.astype(np.float32) / np.float32(255), inputs)
    return (torch.from_numpy(levels), 255.0) if exact else (shared(inputs), 1.0)
