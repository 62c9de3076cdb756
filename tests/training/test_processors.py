"""A run has the same bits on every processor that rounds as IEEE 754 says: here, compiled as if for another one."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from tests.training.conftest import AUTOENCODER, CLASSIFIER, member, recipe, trained

ANOTHER = {
    "an old one": ("", ""),
    "one with 32 registers": ("+avx2,+fma", "llvm.get_host_cpu_features = lambda: {'avx512f': True}"),
}
"""What code is compiled for, and what else a processor is taken for. PyTorch and the C library are told by variables.

The first has neither wide vectors nor fused multiply-adds. The second one's shapes of tiles are as on AVX-512, in words
that this one understands.
"""
SAY = """
import llvmlite.binding as llvm
{taken_for}
from paribus.training.devices import settle_thread
from tests.training.test_processors import digest
settle_thread()
print(digest())
"""


def digest() -> str:
    """Of all that training and measuring come to, for both losses and all three optimizers."""
    classifier = {"data": {"train_images": 100, "validation_images": 50}, "network": {"dropout": 0.2}}
    sgd = recipe(CLASSIFIER, **classifier, loss={"label_smoothing": 0.1})
    adam = {key: value for key, value in CLASSIFIER.items() if key != "optimizer"}
    adam = recipe(adam, **classifier, optimizer={"kind": "adamw", "lr": 1e-3})
    faces = recipe(AUTOENCODER, data={"train_images": 30})
    told = [trained([member(one)], epochs=3) for one in (sgd, adam, faces)]
    content = hashlib.sha256()
    for by_run in told:
        for tensors, numbers in by_run.values():
            for name in sorted(tensors):
                content.update(tensors[name].numpy().tobytes())
            content.update(repr(numbers).encode())
    return content.hexdigest()


@pytest.mark.parametrize(("features", "taken_for"), ANOTHER.values(), ids=ANOTHER)
def test_a_run_has_the_same_bits_on_another_processor(features, taken_for):
    compiling = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features}
    libraries = {"ATEN_CPU_CAPABILITY": "default", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"}
    say = [sys.executable, "-c", SAY.format(taken_for=taken_for)]
    said = subprocess.run(say, env={**os.environ, **compiling, **libraries}, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == digest()
