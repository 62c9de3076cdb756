"""What a run in training has besides its network and the optimizer's buffers: a peer, and a memory of its examples.

All of it is in one state dict by name, so that checkpoints know of no difference: `peer/` begins the names of the
tensors of a network that is taught with the run's own, and `memory/predictions` (example, class) is in the order of the
training split.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Mapping
from typing import Any, Final

import numpy.typing as npt

from paribus.training.engine import Floats, State

PEER: Final = "peer/"
MEMORY: Final = "memory/predictions"


def own_tensors(tensors: State) -> State:
    """Those of the run's own network, as an engine has them."""
    if not any(name == MEMORY or name.startswith(PEER) for name in tensors):
        return tensors
    return {name: tensors[name] for name in tensors if name != MEMORY and not name.startswith(PEER)}


def peer_tensors(tensors: State) -> State:
    """Those of the peer, as an engine has them."""
    return {name.removeprefix(PEER): tensors[name] for name in tensors if name.startswith(PEER)}


def with_peer(own: State, peer: State) -> State:
    """One state dict of a run's own network and its peer."""
    return _joined(own, {PEER + name: tensor for name, tensor in peer.items()})


def with_memory(own: State, memory: Floats) -> State:
    """A state dict with a copy of the memory (example, class) of the run's examples."""
    return _joined(own, {MEMORY: memory.copy()})


def _joined(own: State, more: dict[str, npt.NDArray[Any]]) -> Mapping[str, npt.NDArray[Any]]:
    return ChainMap(more, own)  # pyright: ignore[reportArgumentType] - nothing writes to it
