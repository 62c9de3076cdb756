"""What an NVIDIA GPU does of it: many runs at once beside other tools, and the four built-in studies whole.

    python -m benchmarks.gpu [--networks ...] [--curves] [--output FOLDER]

Writes `docs/gpu.md`. `--curves` leaves the whole studies out.
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
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import torch
from paribus.training.networks import parameter_count

from benchmarks import machine, whole
from benchmarks.peers import peer_class
from benchmarks.tasks import NAMES, Task, task
from paribus.errors import UserError
from paribus.spec.recipe import Sgd
from paribus.training.devices import device_named
from paribus.units import duration

TOOLS: Final = {"paribus-training": "paribus", "vmap": "vmap", "vmap-compiled": "vmap, compiled", "jax": "JAX"}
COUNTS = (1, 4, 16, 64, 256, 1024)
EPOCHS, REPEATS = 10, 3
REPLICATES, TARGET_S = 10, 90.0
PUBLISHED_S = 0.47
"""An epoch of one run on an RTX 3070, as the reference report tells it: 1,500 of them in 11 min 39 s."""
SIDE, COPIED_BYTES, NODES = 8192, 2**32, 2000


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, and write the page; or, as a child, measure one tool."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--networks", nargs="+", choices=NAMES, default=["ShallowMLP", "CustomMLP", "AE_n16"])
    parser.add_argument("--curves", action="store_true", help="not the whole studies")
    parser.add_argument("--output", type=Path, default=machine.ROOT, metavar="FOLDER", help="where docs/ lies")
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
    limits = ceilings()
    points = [point for network in options.networks for tool in TOOLS for point in _child(tool, network)]
    studies = [] if options.curves else list(_whole())
    text = page(points, limits, studies)
    (options.output / "docs").mkdir(parents=True, exist_ok=True)
    (options.output / "docs/gpu.md").write_text(text, encoding="utf-8")
    print(text)


def _child(tool: str, network: str) -> Iterator[dict[str, Any]]:
    """What a tool measures in a process of its own; what it could not, it has told on standard error."""
    print(f"{tool}: {network}", file=sys.stderr, flush=True)
    words = [sys.executable, "-m", "benchmarks.gpu", "--child", tool, network]
    # JAX would take most of the memory at once, and on its own choice of device
    env = {**os.environ, "JAX_PLATFORMS": "cuda", "XLA_PYTHON_CLIENT_PREALLOCATE": "false"}
    done = subprocess.run(words, cwd=machine.ROOT, stdout=subprocess.PIPE, text=True, env=env, check=False)
    yield from map(json.loads, filter(lambda line: line.startswith("{"), done.stdout.splitlines()))


def measured(tool: str, work: Task, counts: Sequence[int], epochs: int, device: str) -> Iterator[dict[str, Any]]:
    """Milliseconds of a model-epoch of ever more runs that train together, compiled and captured beforehand."""
    peer = peer_class(tool)(work, device)
    for runs in counts:
        peer.warm_up(runs)
        seconds = [peer.train(runs, epochs).seconds for _ in range(REPEATS)]
        ms = 1e3 * statistics.median(seconds) / runs / epochs
        yield {"network": work.network, "tool": tool, "runs": runs, "ms_per_model_epoch": ms}


def ceilings() -> dict[str, float]:
    """What the GPU does at most: float32 operations and bytes a second, and seconds from launch to launch."""
    a, b = (torch.rand(SIDE, SIDE, device="cuda") for _ in range(2))
    source = torch.empty(COPIED_BYTES // 4, device="cuda").normal_()
    target, small = torch.empty_like(source), torch.ones(16, device="cuda")
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(NODES):
            small.mul_(1.0)
    return {
        "operations": 2 * SIDE**3 / _seconds_on_gpu(lambda: torch.mm(a, b)),
        "bytes": 2 * COPIED_BYTES / _seconds_on_gpu(lambda: target.copy_(source)),
        "launch_s": _seconds_on_gpu(graph.replay) / NODES,
    }


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


def floor_s(work: Task, limits: dict[str, float]) -> float:
    """The seconds below which no model-epoch can be where many runs train: by arithmetic, or by memory.

    Each step reads a run's parameters and what its optimizer holds, writes both, and reads a batch of images as bytes.
    """
    slots = 1 if isinstance(work.recipe.optimizer, Sgd) else 2
    steps = -(-work.images // work.batch_size)
    moved = steps * 2 * (1 + slots) * 4 * parameter_count(work.layers) + work.images * work.layers[0]
    return max(work.operations / limits["operations"], moved / limits["bytes"])


def _whole() -> Iterator[tuple[str, float]]:
    """Each built-in study with ten replicates: its name, and the wall seconds of `paribus run`."""
    with tempfile.TemporaryDirectory(prefix="paribus-gpu-") as folder:
        for name in whole.STUDIES:
            words = ["run", name, "--replicates", str(REPLICATES), "--device", "cuda", "--workspace", f"{folder}/w"]
            seconds = whole.seconds_of(*words)
            print(f"{name}: {seconds:.0f} s", file=sys.stderr, flush=True)
            yield name, seconds


def page(points: Sequence[dict[str, Any]], limits: dict[str, float], studies: Sequence[tuple[str, float]]) -> str:
    """`docs/gpu.md`."""
    curves = [_curve(task(network), list(of), limits) for network, of in groupby(points, lambda p: p["network"])]
    whole_s = sum(seconds for _, seconds in studies)
    rows = [f"| {name} | {duration(seconds)} |" for name, seconds in studies]
    met = "" if whole_s < TARGET_S else f" ✗ {duration(TARGET_S)}"
    heads = [f"## The built-in studies, {REPLICATES} replicates", "", "| study | `paribus run` |", "|---|---|"]
    built_in = [*heads, *rows, f"| **all** | {duration(whole_s)}{met} |", ""] if studies else []
    here = machine.environment()
    operations, copied = f"{limits['operations'] / 1e12:.0f} TFLOP/s", f"{limits['bytes'] / 1e12:.2f} TB/s"
    launch = f"{limits['launch_s'] * 1e6:.1f} microseconds"
    text = "\n".join([*(line for curve in curves for line in curve), *built_in])
    return f"""\
# On a GPU

Model-epochs a second, training only, of ever more runs that train together at the published settings; what is compiled
or captured once a training is not counted. "At most" is what float32 arithmetic at the rate of a large matrix product
({operations}, TF32 off), or memory at the rate of a large copy ({copied}), would allow, whichever is less; the share
is paribus' part of it. A launch inside a graph takes {launch}. The reference report tells of {PUBLISHED_S} s an
epoch on an RTX 3070: {1 / PUBLISHED_S:.1f} model-epochs a second.

{text}
Measured by `make gpu` on {datetime.now(UTC):%Y-%m-%d}, commit {machine.commit()}: {_gpu()},
{machine.cores()} cores of {here["processor"]}, torch {torch.__version__}.
"""


def _curve(work: Task, points: Sequence[dict[str, Any]], limits: dict[str, float]) -> list[str]:
    rate = {(p["tool"], p["runs"]): 1e3 / p["ms_per_model_epoch"] for p in points}
    most = 1 / floor_s(work, limits)
    lines = [f"## {work.network}", "", f"| runs | {' | '.join(TOOLS.values())} | at most | share |",
             "|---|" + "---|" * (len(TOOLS) + 2)]  # fmt: skip
    for runs in sorted({runs for _, runs in rate}):
        cells = [f"{rate[tool, runs]:,.1f}" if (tool, runs) in rate else "" for tool in TOOLS]
        own = rate.get(("paribus-training", runs))
        lines.append(f"| {runs:,} | {' | '.join(cells)} | {most:,.0f} | {'' if own is None else f'{own / most:.0%}'} |")
    return [*lines, ""]


def _gpu() -> str:
    return torch.cuda.get_device_name(0) if torch.cuda.is_available() else "no GPU"


if __name__ == "__main__":
    main()
