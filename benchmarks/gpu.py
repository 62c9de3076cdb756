"""The benchmark on an NVIDIA GPU: many runs at once with paribus and other tools, and the studies of `make study`.

    python -m benchmarks.gpu [--networks ...] [--curves] [--output FOLDER]

Writes `docs/gpu.md`. With `--curves`, the studies are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks import machine, whole
from benchmarks.peers import peer_class
from benchmarks.tasks import NAMES, Task, task
from paribus.errors import UserError
from paribus.spec.network import parameter_count
from paribus.training.devices import device_named
from paribus.units import duration

TOOLS: Final = {"paribus-training": "paribus", "vmap": "vmap", "vmap-compiled": "vmap, compiled", "jax": "JAX"}
COUNTS = (1, 4, 16, 64, 256, 1024)
EPOCHS, REPEATS = 10, 3
REPLICATES, TARGET_S = 10, 90.0
PUBLISHED_S = 0.47
"""An epoch of one run on an RTX 3070, from the reference report: 1,500 of them in 11 min 39 s."""
SIDE, COPIED_BYTES, NODES = 8192, 2**32, 2000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page; or, as a child, measure one tool."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=["ShallowMLP", "CustomMLP", "AE_n16"])
    parser.add_argument("--curves", action="store_true", help="leave the studies out")
    parser.add_argument("--output", type=Path, default=machine.ROOT, metavar="FOLDER", help="where docs/ is")
    parser.add_argument("--child", nargs=2, metavar=("TOOL", "NETWORK"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        tool, network = options.child
        for point in measured(tool, task(network), COUNTS, EPOCHS, "cuda"):
            print(json.dumps(point), flush=True)
        return
    try:
        device_named("cuda")
    except UserError as error:
        raise SystemExit(f"make gpu: {error}") from None
    limits = device_limits()
    points = [point for network in options.networks for tool in TOOLS for point in _child(tool, network)]
    studies = [] if options.curves else list(_studies())
    text = page(points, limits, studies)
    (options.output / "docs").mkdir(parents=True, exist_ok=True)
    (options.output / "docs/gpu.md").write_text(text, encoding="utf-8")
    print(text)


def _child(tool: str, network: str) -> Iterator[dict[str, Any]]:
    """The measurements of a tool, made in a process of its own. Where it fails, the reason is on standard error."""
    print(f"{tool}: {network}", file=sys.stderr, flush=True)
    words = [sys.executable, "-m", "benchmarks.gpu", "--child", tool, network]
    # without these, JAX chooses its device itself and takes most of its memory at once
    env = {**os.environ, "JAX_PLATFORMS": "cuda", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    done = subprocess.run(words, cwd=machine.ROOT, stdout=subprocess.PIPE, text=True, env=env, check=False)
    yield from map(json.loads, filter(lambda line: line.startswith("{"), done.stdout.splitlines()))


def measured(tool: str, work: Task, counts: Sequence[int], epochs: int, device: str) -> Iterator[dict[str, Any]]:
    """Milliseconds for a model-epoch by the number of runs that train together, compiled and captured before."""
    peer = peer_class(tool)(work, device)
    for runs in counts:
        peer.warm_up(runs)
        seconds = [peer.train(runs, epochs).seconds for _ in range(REPEATS)]
        ms = 1e3 * statistics.median(seconds) / runs / epochs
        yield {"network": work.network, "tool": tool, "runs": runs, "ms_per_model_epoch": ms}


@dataclass(frozen=True)
class DeviceLimits:
    """The highest rates of a GPU: float32 operations and bytes a second, and seconds from launch to launch."""

    operations: float
    bytes: float
    launch_s: float


def device_limits() -> DeviceLimits:
    """Measure a large matmul, a large copy, and many small kernels in one graph."""
    a, b = (torch.rand(SIDE, SIDE, device="cuda") for _ in range(2))
    source = torch.empty(COPIED_BYTES // 4, device="cuda").normal_()
    target, small = torch.empty_like(source), torch.ones(16, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(NODES):
            small.mul_(1.0)
    return DeviceLimits(
        operations=2 * SIDE**3 / _seconds_on_gpu(lambda: torch.mm(a, b)),
        bytes=2 * COPIED_BYTES / _seconds_on_gpu(lambda: target.copy_(source)),
        launch_s=_seconds_on_gpu(graph.replay) / NODES,
    )


def _seconds_on_gpu(act: Callable[[], object], repeats: int = 10) -> float:
    act()
    seconds: list[float] = []
    for _ in range(repeats):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        act()
        end.record()
        end.synchronize()
        seconds.append(begin.elapsed_time(end) / 1e3)
    return statistics.median(seconds)


def lower_bound_s(work: Task, limits: DeviceLimits) -> float:
    """The least seconds for a model-epoch where many runs train: by arithmetic, or by memory, whichever is longer.

    Each step reads a run's parameters and its optimizer state, writes both, and reads a batch of images as bytes.
    """
    tensors = 1 + len(work.recipe.optimizer.buffers)
    steps = -(-work.examples // work.batch_size)
    moved = steps * 2 * tensors * 4 * parameter_count(work.widths) + work.examples * work.widths[0]
    return max(work.operations / limits.operations, moved / limits.bytes)


@dataclass(frozen=True)
class StudySeconds:
    """A study, and the wall seconds of its `paribus run`."""

    name: str
    seconds: float


def _studies() -> Iterator[StudySeconds]:
    """Each study of `make study` with ten replicates."""
    with tempfile.TemporaryDirectory(prefix="paribus-gpu-") as folder:
        for name in whole.STUDIES:
            words = ["run", name, "--replicates", str(REPLICATES), "--device", "cuda", "--workspace", f"{folder}/w"]
            seconds = whole.command_s(*words)
            print(f"{name}: {seconds:.0f} s", file=sys.stderr, flush=True)
            yield StudySeconds(name, seconds)


def page(points: Sequence[dict[str, Any]], limits: DeviceLimits, studies: Sequence[StudySeconds]) -> str:
    """`docs/gpu.md`."""
    curves = [_curve(task(network), list(of), limits) for network, of in groupby(points, lambda p: p["network"])]
    total_s = sum(one.seconds for one in studies)
    rows = [f"| {one.name} | {duration(one.seconds)} |" for one in studies]
    missed = "" if total_s < TARGET_S else f" ✗ {duration(TARGET_S)}"
    heads = [f"## The studies of make study, {REPLICATES} replicates", "", "| study | `paribus run` |", "|---|---|"]
    built_in = [*heads, *rows, f"| **all** | {duration(total_s)}{missed} |", ""] if studies else []
    here = machine.environment()
    operations, copied = f"{limits.operations / 1e12:.0f} TFLOP/s", f"{limits.bytes / 1e12:.2f} TB/s"
    launch = f"{limits.launch_s * 1e6:.1f} microseconds"
    text = "\n".join([*(line for curve in curves for line in curve), *built_in])
    return f"""\
# On a GPU

Model-epochs a second, training only, by the number of runs that train together at the published settings. The time to
compile or to capture, once for each training, is not counted. "At most" is the rate that float32 arithmetic as fast as
a large matmul ({operations}, TF32 off), or memory as fast as a large copy ({copied}), would allow, whichever is
lower; the share is paribus's rate divided by it. A launch inside a graph takes {launch}. The reference report
has {PUBLISHED_S} s an epoch on an RTX 3070: {1 / PUBLISHED_S:.1f} model-epochs a second.

{text}
Measured by `make gpu` on {datetime.now(UTC):%Y-%m-%d}, commit {machine.commit()}: {_gpu()},
{machine.cores()} cores of {here["processor"]}, torch {torch.__version__}.
"""


def _curve(work: Task, points: Sequence[dict[str, Any]], limits: DeviceLimits) -> list[str]:
    rate = {(p["tool"], p["runs"]): 1e3 / p["ms_per_model_epoch"] for p in points}
    highest = 1 / lower_bound_s(work, limits)
    lines = [f"## {work.network}", "", f"| runs | {' | '.join(TOOLS.values())} | at most | share |",
             "|---|" + "---|" * (len(TOOLS) + 2)]  # fmt: skip
    for runs in sorted({runs for _, runs in rate}):
        cells = [f"{rate[tool, runs]:,.1f}" if (tool, runs) in rate else "" for tool in TOOLS]
        own = rate.get(("paribus-training", runs))
        lines.append(
            f"| {runs:,} | {' | '.join(cells)} | {highest:,.0f} | {'' if own is None else f'{own / highest:.0%}'} |"
        )
    return [*lines, ""]


def _gpu() -> str:
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"


if __name__ == "__main__":
    main()
