"""Where the time of a training step goes, and what more and more runs cost in time and memory.

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
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.machine import ROOT
from benchmarks.peers.paribus_training import CohortInTraining, ParibusTraining, trained_s
from benchmarks.tasks import Task, task
from paribus.training.cohort import architecture
from paribus.training.cpu.compiling import compiled
from paribus.training.cpu.engine import MIN_SKIPPING_OUTPUTS
from paribus.training.cpu.inputs import gather
from paribus.training.cpu.matmul import matmul
from paribus.training.cpu.optimizers import adam, adam_coefficients, sgd, sgd_coefficients
from paribus.training.cpu.parameters import Layout, padded
from paribus.training.cpu.passes import (
    GRADIENT_ROWS,
    LOSS_CODES,
    buffers,
    layer_inputs,
    layer_values,
    linear,
    output_block,
    weight_of,
)
from paribus.training.cpu.sparse_matmul import zero_skipping_matmul
from paribus.training.cpu.transpose import transpose
from paribus.training.cpu.vectors import LANES
from paribus.training.cpu.zero_skipping import find_nonzero_steps, nonzero_steps, zero_pattern
from paribus.training.plan import PlannedRun

PROFILED_RUNS = 32
"""The number of runs that are planned; the first cohort of the plan is profiled."""
EPOCHS, STEPS = 10, 200
CURVES = ("ShallowMLP", "AE_n16")
MAX_RUNS = 256
CURVE_REPEATS = 3
SQUARE = 1024
"""Rows and columns of the matmul to whose rate a profile's rates are compared."""


def measure(networks: Sequence[str]) -> dict[str, Any]:
    """Profiles of `networks`, and curves of those in `CURVES`."""
    counts = [2**i for i in range(MAX_RUNS.bit_length())]
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
    """Microseconds of one run's training step on one core, and of its parts by themselves."""
    plan = ParibusTraining(work).plan(PROFILED_RUNS)
    runs = plan.cohorts[0].runs
    cohort = CohortInTraining(runs, plan.device.engine())
    steps = len(runs) * work.examples / work.batch_size
    step_us = 1e6 * _fastest_s(lambda: cohort.train(1), EPOCHS) / steps
    us = {kind: 1e6 * _fastest_s(act, STEPS) for kind, act in _parts(runs[0]).items()}
    operations = work.operations * work.batch_size / work.examples
    return {
        "network": work.network,
        "cohort": len(runs),
        "us": {**us, "other": step_us - sum(us.values())},
        "step_us": step_us,
        "matmul_gflops": operations / us["matmuls"] / 1e3,
        "square_gflops": _square_gflops(),
    }


def _parts(run: PlannedRun) -> dict[str, Callable[[], object]]:
    """The parts of a run's training step: its matmuls, gathering a batch of inputs, and the optimizer."""
    recipe, pool = run.recipe, run.splits.train.pool
    rows, features = recipe.training.batch_size, pool.values.shape[1]
    layout = Layout(architecture(run.spec))
    layers, work = layout.layers, buffers(layout.layers, rows)
    # As in CompiledSession: which networks skip zeros, and how long a row of the batch is.
    pattern = zero_pattern(pool.values) if layers.widths[1] >= MIN_SKIPPING_OUTPUTS else None
    steps = nonzero_steps(pattern, rows, padded(features))
    batch = np.zeros((rows, padded(features) + LANES), np.float32)
    divisor, centre = np.float32(pool.divisor), np.zeros(features, np.float32)
    order = np.random.default_rng(0).permutation(len(pool))[:rows]
    parameters = np.zeros(layout.size, np.float32)
    gradient, first, second = (np.zeros(layout.size, np.float32) for _ in range(3))
    for_sgd = sgd_coefficients(np.array([1e-3, 0.9, 0.0, 0.0]))
    for_adam = adam_coefficients(np.array([1e-3, 0.9, 0.999, 1e-8, 0.0]), 1, False)
    loss_kind = LOSS_CODES[recipe.loss.kind]

    def gather_inputs() -> None:
        gather(pool.values, divisor, centre, order, batch)
        if pattern is not None:
            find_nonzero_steps(pattern, order, steps)

    gather_inputs()  # the time of matmuls depends on where the inputs are zero
    return {
        "matmuls": lambda: _matmuls(layers, parameters, work, batch, steps, loss_kind),
        "inputs": gather_inputs,
        "optimizer": (lambda: sgd(parameters, gradient, first, for_sgd))
        if recipe.optimizer.kind == "sgd"
        else (lambda: adam(parameters, gradient, first, second, for_adam)),
    }


@compiled
def _matmuls(layers: Any, parameters: Any, work: Any, inputs: Any, steps: Any, loss_kind: int) -> None:
    """The matmuls and transposes of a training step, in the shapes and the order of `cpu.epoch`."""
    rows, widths = len(inputs), layers.widths
    last = len(widths) - 2
    for layer in range(last):
        linear(layers, parameters, work, layer, 0, widths[layer + 1], inputs, steps, rows)
    block = output_block(layers, loss_kind)
    for first in range(0, widths[last + 1], block):
        end = min(first + block, widths[last + 1])
        output = linear(layers, parameters, work, last, first, end, inputs, steps, rows)
        _backward(layers, parameters, work, last, first, inputs, steps, output)
    for layer in range(last - 1, -1, -1):
        gradient = layer_values(work.gradients, widths, layer + 1, rows)
        _backward(layers, parameters, work, layer, 0, inputs, steps, gradient)


@compiled
def _backward(
    layers: Any, parameters: Any, work: Any, layer: int, first: int, inputs: Any, steps: Any, gradient: Any
) -> None:
    """The matmuls of `cpu.epoch._backward`, without a step of the parameters."""
    weight, widths = weight_of(layers, parameters, layer), layers.widths
    outputs_first = layers.outputs_first[layer]
    rows, outputs = gradient.shape
    below = layer_inputs(work.values, widths, layer, inputs, rows)
    if layer:
        factor = weight[first : first + outputs] if outputs_first else transpose(weight, work.transposed)
        matmul(gradient, factor, layer_values(work.gradients, widths, layer, rows), False, 0, first > 0)
    left, right = (gradient, below) if outputs_first else (below, gradient)
    stored_rows, columns = outputs if outputs_first else widths[layer], weight.shape[1]
    for row in range(0, stored_rows, GRADIENT_ROWS):
        flat = work.weight_gradient[: min(GRADIENT_ROWS, stored_rows - row) * columns]
        some_rows = flat.reshape(len(flat) // columns, columns)
        if layer == 0 and steps.enabled and not outputs_first:
            zero_skipping_matmul(left, right, some_rows, True, row, steps, work.skipping)
        else:
            matmul(left, right, some_rows, True, row, False)


def _square_gflops() -> float:
    """The rate of PyTorch's matmul of square matrices on one core."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        a, b, out = (torch.rand(SQUARE, SQUARE) for _ in range(3))
        return 2 * SQUARE**3 / _fastest_s(lambda: torch.mm(a, b, out=out), EPOCHS) / 1e9
    finally:
        torch.set_num_threads(threads)


def _fastest_s(act: Callable[[], object], repeats: int) -> float:
    act()
    times: list[float] = []
    for _ in range(repeats):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return min(times)


def runs(work: Task, count: int) -> dict[str, Any]:
    """Milliseconds for a model-epoch of `count` runs, and the memory of all of them together."""
    plan = ParibusTraining(work).plan(count)
    before = _resident_bytes()
    engine = plan.device.engine()
    cohorts = [CohortInTraining(cohort.runs, engine) for cohort in plan.cohorts]
    seconds = [trained_s(cohorts, plan.device.workers, 1) for _ in range(CURVE_REPEATS)]
    return {
        "network": work.network,
        "runs": count,
        "ms_per_model_epoch": 1e3 * statistics.median(seconds) / count,
        "bytes": _resident_bytes() - before,
    }


def _resident_bytes() -> int:
    """The memory of this process, after everything unused has been given back to the system."""
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
