"""Where the time of a training step goes, and what ever more runs cost in time and memory.

    python -m benchmarks.details profile NETWORK
    python -m benchmarks.details runs NETWORK RUNS

Each prints one line of JSON from a process of its own.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import ROOT
from benchmarks.peers.paribus_training import ParibusTraining, cohort_of, trained_s
from benchmarks.tasks import Task, task
from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.inputs import gather
from paribus.training.cpu.matmul import matmul
from paribus.training.cpu.optimizers import adam, adam_coefficients, sgd, sgd_coefficients
from paribus.training.cpu.sparse_matmul import skipping_buffers, zero_skipping_matmul
from paribus.training.cpu.transpose import transpose
from paribus.training.cpu.zero_skipping import find_nonzero_steps, nonzero_steps, zero_pattern
from paribus.training.devices import settle_thread
from paribus.training.engine_compiled import BLOCK, PANEL, UNITS
from paribus.training.networks import TILE, parameter_count, tiled

PROFILED_RUNS = 32
"""Of so many runs the planner makes cohorts; the first is profiled."""
EPOCHS, STEPS = 10, 200
CURVES = ("ShallowMLP", "AE_n16")
MOST_RUNS = 256
CURVE_REPEATS = 3
SQUARE = 1024
"""The side of the product that a profile's rates are a share of."""


def measure(networks: Sequence[str]) -> dict[str, Any]:
    """Profiles of `networks`, and curves of those in `CURVES`."""
    counts = [2**i for i in range(MOST_RUNS.bit_length())]
    curves = [name for name in CURVES if name in networks]
    return {
        "profiles": [_child("profile", network) for network in networks],
        "curves": [_child("runs", network, str(count)) for network in curves for count in counts],
    }


def _child(*words: str) -> dict[str, Any]:
    print(f"{' '.join(words)}", file=sys.stderr, flush=True)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.details", *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True
    )
    return json.loads(done.stdout)


def profile(work: Task) -> dict[str, Any]:
    """Microseconds of one run's training step on one core, whole, and of its parts by themselves."""
    settle_thread()
    planned = ParibusTraining(work).plan(PROFILED_RUNS).cohorts[0]
    cohort = cohort_of(planned)
    rates = [member.recipe.optimizer.lr for member in cohort.members]
    steps = len(planned.runs) * cohort.images / work.batch_size
    with torch.no_grad():
        whole = 1e6 * _fastest(lambda: cohort.train_epoch(rates), EPOCHS) / steps
    us = {kind: 1e6 * _fastest(act, STEPS) for kind, act in _parts(work).items()}
    operations = work.operations * work.batch_size / work.images
    return {
        "network": work.network,
        "cohort": len(planned.runs),
        "us": {**us, "the rest": whole - sum(us.values())},
        "whole_us": whole,
        "product_gflops": operations / us["products"] / 1e3,
        "square_gflops": 2 * SQUARE**3 / _fastest(_square(), EPOCHS) / 1e9,
    }


def _parts(work: Task) -> dict[str, Callable[[], object]]:
    """A step's parts: its matrix products, reading a batch of images, and the optimizer."""
    rows, widths = work.batch_size, [tiled(width) for width in work.layers]
    # as wide as the engine's: see its `training`
    values = [np.zeros((rows, width), np.float32) for width in (widths[0] + TILE, *widths[1:])]
    weights = [np.zeros((max(pair), min(pair)), np.float32) for pair in pairwise(widths)]
    scratch = [np.zeros(size, np.float32) for size in (max(w.size for w in weights), rows * PANEL, BLOCK * max(widths))]
    pool = (work.pool * 255).astype(np.uint8)
    center, order = np.zeros(widths[0], np.float32), np.random.default_rng(0).permutation(len(pool))[:rows]
    known = zero_pattern(pool) if widths[1] >= UNITS else None
    choosing = nonzero_steps(known, rows, widths[0])
    held = (
        tuple(values),
        tuple(weights),
        np.array(widths),
        tuple(scratch),
        choosing,
        skipping_buffers(rows, rows, widths[1]),
    )
    flat = [np.zeros(parameter_count(widths), np.float32) for _ in range(4)]
    for_sgd = sgd_coefficients(np.array([1e-3, 0.9, 0.0, 0.0]))
    for_adam = adam_coefficients(np.array([1e-3, 0.9, 0.999, 1e-8, 0.0]), 1, False)

    def read() -> None:
        gather(pool, np.float32(255), center, order, values[0])
        if known is not None:
            find_nonzero_steps(known, order, choosing)

    read()  # products depend on where the images are zero
    return {
        "products": lambda: _products(*held),
        "images": read,
        "optimizer": (lambda: sgd(*flat[:3], for_sgd))
        if work.recipe.optimizer.kind == "sgd"
        else (lambda: adam(*flat, for_adam)),
    }


@compiled
def _products(values: Any, weights: Any, widths: Any, scratch: Any, choosing: Any, used: Any) -> None:
    """The products of a training step, in the engine's shapes and order: see `engine_compiled`."""
    rows, last = len(values[0]), len(weights) - 1
    for i in range(last + 1):
        weight = weights[i]
        if i == 0 and choosing.enabled and widths[i] >= widths[i + 1]:
            zero_skipping_matmul(values[i], weight, values[i + 1], False, 0, choosing, used)
        elif widths[i] >= widths[i + 1]:
            matmul(values[i], weight, values[i + 1], False, 0, False)
    for i in range(last, -1, -1):
        weight, outputs_first = weights[i], widths[i] < widths[i + 1]
        for begin in range(0, widths[i + 1], PANEL if outputs_first else widths[i + 1]):
            gradient, factor = values[i + 1], weight
            if outputs_first:
                end = min(begin + PANEL, widths[i + 1])
                gradient, factor = scratch[1][: rows * (end - begin)].reshape(rows, end - begin), weight[begin:end]
                matmul(values[i], transpose(factor, scratch[0]), gradient, False, 0, False)
            if i:
                factor = factor if outputs_first else transpose(weight, scratch[0])
                matmul(gradient, factor, values[i], False, 0, begin > 0)
            left, right = (gradient, values[i]) if outputs_first else (values[i], gradient)
            held, columns = gradient.shape[1] if outputs_first else widths[i], weight.shape[1]
            for row in range(0, held, BLOCK):
                made = scratch[2][: min(BLOCK, held - row) * columns].reshape(-1, columns)
                if i == 0 and choosing.enabled and not outputs_first:
                    zero_skipping_matmul(left, right, made, True, row, choosing, used)
                else:
                    matmul(left, right, made, True, row, False)


def _square() -> Callable[[], object]:
    a, b, out = (torch.rand(SQUARE, SQUARE) for _ in range(3))
    return lambda: torch.mm(a, b, out=out)


def _fastest(act: Callable[[], object], repeats: int) -> float:
    act()
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return min(times)


def runs(work: Task, count: int) -> dict[str, Any]:
    """Milliseconds for a model-epoch of `count` runs, and the memory that all of them take at once."""
    plan = ParibusTraining(work).plan(count)
    before = _resident_bytes()
    cohorts = list(map(cohort_of, plan.cohorts))
    seconds = [trained_s(cohorts, plan.device.workers, 1) for _ in range(CURVE_REPEATS)]
    return {
        "network": work.network,
        "runs": count,
        "ms_per_model_epoch": 1e3 * statistics.median(seconds) / count,
        "bytes": _resident_bytes() - before,
    }


def _resident_bytes() -> int:
    """What this process holds now, of which nothing is left over from before."""
    gc.collect()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * resource.getpagesize()


def main() -> None:
    what, network, *count = sys.argv[1:]
    work = task(network)
    print(json.dumps(profile(work) if what == "profile" else runs(work, *map(int, count))))


if __name__ == "__main__":
    main()
