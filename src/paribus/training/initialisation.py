"""Initial weights: drawn from a run's `init` stream, the same on every processor.

What is drawn depends on the widths and the initialisation alone. Arms of one replicate whose networks have the same
widths start from the same weights, whatever else differs. Each layer has its own key, so layers of equal place and
shape start alike even where the networks differ elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from paribus.seeding import Draws, Stream, draws
from paribus.spec.activations import ActivationBase, Identity
from paribus.spec.initialisations import (
    Initialisation,
    KaimingNormal,
    KaimingUniform,
    Linear,
    Orthogonal,
    XavierNormal,
    XavierUniform,
)
from paribus.spec.network import Autoencoder, Mlp, layer_names, norm_names, tied_layers

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]
_OUTPUT = Identity(kind="identity")
"""No activation follows the last layer."""
_WEIGHT, _BIAS = 0, 1


def initial_state(
    network: Mlp | Autoencoder, widths: Sequence[int], stream: Stream, *, peer: bool = False
) -> dict[str, npt.NDArray[Any]]:
    """A fresh state dict in PyTorch's order: `fc1.weight` (out, in), `fc1.bias` (out,), ..., each number rounded to
    float32 once.

    Batch normalisation begins as in PyTorch: weight and running variance 1, bias and running mean 0. A weight that is
    tied to another is not drawn. The `peer` of a run, which is taught with it, is drawn from numbers of its own.
    """
    activations = (*network.activations, _OUTPUT)
    shared = tied_layers(widths) if network.ties_weights else {}
    state: dict[str, npt.NDArray[Any]] = {}
    of_peer = (1,) if peer else ()
    for i, (name, (width_in, width_out)) in enumerate(zip(layer_names(widths), pairwise(widths), strict=True)):
        if name not in shared:
            weight = _weight(
                network.init, (width_out, width_in), activations[i], draws(stream, "init", i, _WEIGHT, *of_peer)
            )
            state[f"{name}.weight"] = weight.astype(np.float32)
        state[f"{name}.bias"] = _bias(network.init, width_out, width_in, draws(stream, "init", i, _BIAS, *of_peer))
        if network.batch_norm and i < len(network.hidden):
            state |= _normalisation(norm_names(widths)[i], width_out)
    return state


def _normalisation(name: str, width: int) -> dict[str, npt.NDArray[Any]]:
    zeros, ones = np.zeros(width, np.float32), np.ones(width, np.float32)
    return {
        f"{name}.weight": ones,
        f"{name}.bias": zeros,
        f"{name}.running_mean": zeros.copy(),
        f"{name}.running_var": ones.copy(),
        f"{name}.num_batches_tracked": np.array(0, np.int64),
    }


def _bias(init: Initialisation, width_out: int, width_in: int, numbers: Draws) -> Floats:
    if init.bias is not None:
        return np.full(width_out, init.bias, np.float32)
    return _uniform(numbers, (width_out,), width_in**-0.5).astype(np.float32)


def _weight(init: Initialisation, shape: tuple[int, int], activation: ActivationBase, numbers: Draws) -> Doubles:
    width_out, width_in = shape
    gain = activation.gain
    match init:
        case Linear():
            return _uniform(numbers, shape, width_in**-0.5)
        case KaimingUniform():
            return _uniform(numbers, shape, gain * math.sqrt(3.0 / width_in))
        case KaimingNormal():
            return numbers.normal(*shape) * (gain / math.sqrt(width_in))
        case XavierUniform():
            return _uniform(numbers, shape, gain * math.sqrt(6.0 / (width_in + width_out)))
        case XavierNormal():
            return numbers.normal(*shape) * (gain * math.sqrt(2.0 / (width_in + width_out)))
        case Orthogonal():
            return gain * orthonormal(numbers.normal(*shape))


def _uniform(numbers: Draws, shape: tuple[int, ...], bound: float) -> Doubles:
    """Between minus and plus `bound`."""
    return (2.0 * numbers.uniform(*shape) - 1.0) * bound


def orthonormal(matrix: Doubles) -> Doubles:
    """Orthonormal rows, or columns if there are fewer of them, that span what those of `matrix` span.

    They are the Q of a QR decomposition whose R has a positive diagonal, which is what `torch.nn.init.orthogonal_`
    takes; of a normal matrix, Q is uniformly distributed. LAPACK rounds differently from processor to processor, so
    they are made by the modified Gram-Schmidt process, carried out twice for accuracy, with every sum in one order.
    """
    wide = matrix.shape[0] < matrix.shape[1]
    vectors = np.array(matrix if wide else matrix.T, order="C")
    for i in range(len(vectors)):
        for earlier in (*vectors[:i], *vectors[:i]):
            vectors[i] -= _dot(vectors[i], earlier) * earlier
        vectors[i] /= math.sqrt(_dot(vectors[i], vectors[i]))
    return vectors if wide else np.ascontiguousarray(vectors.T)


def _dot(a: Doubles, b: Doubles) -> float:
    """The sum of products from the first to the last: `np.dot` and `np.sum` have an order of their own."""
    return float(np.add.accumulate(a * b)[-1])
