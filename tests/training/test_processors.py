"""A run has the same bits on every processor that rounds as IEEE 754 says. This one runs code for others, too."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys

import pytest

from tests.training.conftest import AUTOENCODER, CLASSIFIER, member, recipe, trained

OTHER_PROCESSORS = {
    "without fma": ("", ""),
    "with 32 registers": ("+avx2,+fma", "llvm.get_host_cpu_features = lambda: {'avx512f': True}"),
}
"""The features that code is compiled for, and a statement that changes what paribus sees of the processor.

The first has neither wide vectors nor fused multiply-adds. The second has tiles of the shapes for AVX-512, compiled to
AVX2 instructions, which this processor has. Environment variables restrict PyTorch and the C library.
"""
SCRIPT = """
import llvmlite.binding as llvm
{statement}
from paribus.training.devices import settle_thread
from {module} import digest
settle_thread()
print(digest())
"""


def digest_on(features: str, statement: str, module: str) -> str:
    """What `digest()` of a test module returns in a process that compiles for another processor."""
    compiling = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": features}
    libraries = {"ATEN_CPU_CAPABILITY": "default", "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4"}
    command = [sys.executable, "-c", SCRIPT.format(statement=statement, module=module)]
    environment = {**os.environ, **compiling, **libraries}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def digest() -> str:
    """A hash of all results of training and measuring, for both losses and all three optimizers."""
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


@pytest.mark.parametrize(("features", "statement"), OTHER_PROCESSORS.values(), ids=OTHER_PROCESSORS)
def test_a_run_has_the_same_bits_on_another_processor(features, statement):
    assert digest_on(features, statement, __name__) == digest()
