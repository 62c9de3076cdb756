"""A run has the same bits on every processor that rounds as IEEE 754 says: here, compiled as if for another one."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from tests.training.conftest import AUTOENCODER, CLASSIFIER, active, recipe, trained, without

OTHER_PROCESSORS = {
    "without fma": ("", ""),
    "with 32 registers": ("+avx2,+fma", "llvm.get_host_cpu_features = lambda: {'avx512f': True}"),
}
"""The features that code is compiled for, and a statement that changes what paribus sees of the processor.

The first has neither wide vectors nor fused multiply-adds. The second has tiles of the shapes for AVX-512, compiled to
AVX2 instructions, which this processor has. Environment variables restrict NumPy and the C library.
"""
SCRIPT = """
import llvmlite.binding as llvm
{statement}
from {module} import digest
print(digest())
"""


def digest_on(features: str, statement: str, module: str) -> str:
    """What `digest()` of a test module returns in a process that compiles for another processor."""
    compiling = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features}
    libraries = {"NPY_DISABLE_CPU_FEATURES": "AVX2 FMA3", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"}
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT.format(statement=statement, module=module)]
    environment = {**os.environ, **compiling, **libraries}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def digest() -> str:
    """Of all that training and evaluation come to, for several losses, optimizers, activations and starts."""
    small = {"data": {"limit": {"train": 100, "validation": 50}}, "network": {"dropout": 0.2}}
    base = without(CLASSIFIER, "optimizer")
    recipes = [
        recipe(CLASSIFIER, **small, loss={"label_smoothing": 0.1}),
        recipe(base, **small, optimizer={"kind": "adamw", "lr": 1e-3}),
        recipe(
            base,
            data=small["data"],
            network={"hidden": [20, 12], "activation": ["tanh", "gelu"], "init": "orthogonal"},
            optimizer={"kind": "rmsprop", "lr": 1e-3, "momentum": 0.5},
            training={"clip": {"norm": 0.5}},
        ),
        recipe(
            base,
            data=small["data"],
            network={"hidden": [20, 12, 9], "activation": ["elu", "silu", "sigmoid"], "init": "kaiming-normal"},
            optimizer={"kind": "sgd", "lr": 0.1},
        ),
        recipe(AUTOENCODER, data={"limit": {"train": 30}}),
        recipe(
            base,
            data=small["data"],
            network={"hidden": [20, 12], "activation": ["relu", "tanh"], "batch_norm": True, "dropout": 0.2},
            optimizer={"kind": "adam", "lr": 1e-3},
            augmentation={"shift": 1, "flip": "horizontal", "noise": {"gaussian": 0.1}},
        ),
        recipe(
            AUTOENCODER,
            data={"limit": {"train": 30}},
            network={"hidden": [40, 16, 40], "tied": True},
            augmentation={"zeroed": 0.2},
        ),
    ]
    content = hashlib.sha256()
    for one in recipes:
        for tensors, figures in trained([active(one)], epochs=3).values():
            for name in sorted(tensors):
                content.update(tensors[name].tobytes())
            content.update(repr(figures).encode())
    return content.hexdigest()


@pytest.mark.parametrize(("features", "statement"), OTHER_PROCESSORS.values(), ids=OTHER_PROCESSORS)
def test_a_run_has_the_same_bits_on_another_processor(features, statement):
    assert digest_on(features, statement, __name__) == digest()
