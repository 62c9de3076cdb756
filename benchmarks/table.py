"""The page of the benchmark, made from its rows alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from benchmarks.peers import NAMES
from benchmarks.rows import Row

OURS: Final = ("paribus-training", "paribus-arms", "paribus")
LOOP_TARGETS: Final = {"ShallowMLP": 15, "DeepMLP": 12, "DeepWideMLP": 6, "CustomMLP": 3}
PEER_TARGET: Final = 1.3
SHARE_TARGET: Final = 0.65
SHARE_RUNS: Final = 32
OVERHEAD_TARGET: Final = 0.12

TITLES: Final = {
    "dataloader": "PyTorch, the reference's `DataLoader` loop",
    "sequential": "PyTorch, data in memory, fused optimizer",
    "processes": "the same, one process a core",
    "lightning": "Lightning",
    "skorch": "skorch",
    "scikit-learn": "scikit-learn `MLPClassifier`, `MLPRegressor`",
    "keras": "Keras on JAX",
    "vmap": "`torch.func`, stack and vmap",
    "vmap-compiled": "the same, compiled",
    "jax": "JAX, vmap and scan",
    "hfta": "HFTA's approach, fused operators",
    "paribus-training": "**paribus**, training only",
    "paribus-arms": "**paribus**, training only, arms that share their batches",
    "paribus": "**paribus**, everything on",
}


def page(rows: Sequence[Row], about: Mapping[str, Any]) -> str:
    """`docs/benchmarks.md`."""
    networks = list(dict.fromkeys(row.network for row in rows))
    parts = ["# Speed", _introduction(about), "## Summary", _summary(rows, networks)]
    for network in networks:
        parts += [f"## {network}", _network(rows, network)]
    if "profiles" in about:
        parts += ["## Where the time goes", _profiles(about["profiles"])]
    if about.get("curves"):
        parts += ["## From one run to many", _curves(about["curves"])]
    parts += ["## How it was measured", _method(about)]
    if about.get("left_out"):
        parts += ["## Left out", _left_out(about["left_out"])]
    return "\n\n".join(parts) + "\n"


def _introduction(about: Mapping[str, Any]) -> str:
    kind = "" if about["whole"] else " This is a part of the benchmark only."
    again = "".join(f" {network} was measured again ({when})." for network, when in about.get("again", {}).items())
    return (
        f"Milliseconds for one epoch of one network, all tools measured in turn on one machine: {about['processor']}, "
        f"{about['cores']} cores, {about['memory_gib']} GiB, {about['system']}, no GPU used. "
        f"Written by `make bench` at commit {about['commit']}, {about['started']}, "
        f"in {about['minutes']:.0f} minutes.{kind}{again}"
    )


def _summary(rows: Sequence[Row], networks: Sequence[str]) -> str:
    """paribus on each network, compared with the targets."""
    heads = (
        "network",
        "best, ms",
        "model-epochs a second",
        "faster than the `DataLoader` loop",
        "faster than the best other tool",
        "one run, faster than the sequential loop",
        f"share of the peak with {SHARE_RUNS} runs",
        "cost of recording, validation and selection",
    )
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for network in networks:
        of = [row for row in rows if row.network == network]
        best = _best(of, "paribus-training")
        if best is None:
            lines.append(f"| {network} |" + " not measured |" * 7)
            continue
        cells = (
            network,
            f"{best.ms_per_model_epoch:.2f} ({best.cohort} runs)",
            f"{1e3 / best.ms_per_model_epoch:.0f}",
            _against_loop(of, best),
            _against_peers(of, best),
            _alone(of),
            _share(of),
            _overhead(of),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n\n" + _NOTE


_NOTE: Final = (
    "A missed target is marked ✗, with the target. Arms are runs of one replicate, which share their batches. "
    '"At the peak" is the ratio if only matmuls took time, and all ran at the peak rate.'
)


def _against_loop(of: Sequence[Row], best: Row) -> str:
    """For runs with batches of their own, and for arms of one replicate, which share theirs. The better ratio is
    compared with the target: the loop takes the same time for both.
    """
    loop, arms, target = _best(of, "dataloader"), _best(of, "paribus-arms"), LOOP_TARGETS.get(best.network)
    better, text = best, ""
    if arms is not None and arms.ms_per_model_epoch < best.ms_per_model_epoch:
        better, text = arms, f"{_ratio(loop, best, None)}; arms "
    text += _ratio(loop, better, target)
    if loop is None or target is None or loop.ms_per_model_epoch >= target * better.ms_per_model_epoch:
        return text
    return f"{text} ({1 / loop.peak_share:.1f}x at the peak)"


def _against_peers(of: Sequence[Row], best: Row) -> str:
    peers = [row for row in of if row.tool not in OURS and row.agrees]
    if not peers:
        return "–"
    peer = min(peers, key=lambda row: row.ms_per_model_epoch)
    where = f" ({peer.tool}" + (f", {peer.cohort} runs)" if peer.measured_at > 1 else ")")
    return _ratio(peer, best, PEER_TARGET) + where


def _alone(of: Sequence[Row]) -> str:
    ours, loop = _at(of, "paribus-training", 1), _at(of, "sequential", 1)
    return "–" if ours is None else _ratio(loop, ours, 1)


def _share(of: Sequence[Row]) -> str:
    ours = _at(of, "paribus-training", SHARE_RUNS)
    return (
        "–"
        if ours is None
        else _marked(f"{ours.peak_share:.0%}", ours.peak_share >= SHARE_TARGET, f"{SHARE_TARGET:.0%}")
    )


def _overhead(of: Sequence[Row]) -> str:
    """The cost of everything but training, at the largest number of runs up to 32 that was measured both ways."""
    for cohort in sorted({row.cohort for row in of if row.cohort <= SHARE_RUNS}, reverse=True):
        training, everything = _at(of, "paribus-training", cohort), _at(of, "paribus", cohort)
        if training is not None and everything is not None:
            share = everything.ms_per_model_epoch / training.ms_per_model_epoch - 1
            return _marked(f"{share:+.0%} ({cohort} runs)", share <= OVERHEAD_TARGET, f"{OVERHEAD_TARGET:.0%}")
    return "–"


def _ratio(slower: Row | None, ours: Row, target: float | None) -> str:
    if slower is None:
        return "–"
    ratio = slower.ms_per_model_epoch / ours.ms_per_model_epoch
    if target is None:
        return f"{ratio:.1f}x" if ratio < 20 else f"{ratio:.0f}x"
    digits = 2 if ratio < target <= round(ratio, 1) else 1  # rounding must not hide a missed target
    return _marked(f"{ratio:.{digits}f}x", ratio >= target, f"{target:g}x")


def _marked(text: str, met: bool, target: str) -> str:
    return text if met else f"{text} ✗ {target}"


def _network(rows: Sequence[Row], network: str) -> str:
    """Every tool with every number of runs: the median, and in brackets the lowest and highest value."""
    of = [row for row in rows if row.network == network]
    cohorts = sorted({row.cohort for row in of})
    metric = of[0].metric
    named = f"{'accuracy' if metric == 'accuracy' else 'mean squared error'} (the loop's)"
    heads = [f"{cohort} run{'s' * (cohort > 1)}" for cohort in cohorts]
    lines = [
        f"| tool | {' | '.join(heads)} | model-epochs a second | share of the peak | {named} |",
        "|---" * (len(cohorts) + 4) + "|",
    ]
    for tool in NAMES:
        best = _best(of, tool)
        if best is not None:
            cells = [_cell(_at(of, tool, cohort)) for cohort in cohorts]
            lines.append(
                f"| {TITLES[tool]} | {' | '.join(cells)} | {1e3 / best.ms_per_model_epoch:.0f} | {best.peak_share:.0%} "
                f"| {_quality(of, tool)} |"
            )
    return "\n".join(lines)


def _cell(row: Row | None) -> str:
    if row is None:
        return "–"
    if row.cohort != row.measured_at and row.measured_at == 1:
        return f"{row.ms_per_model_epoch:.1f}"
    return f"{row.ms_per_model_epoch:.1f} ({row.lowest_ms:.1f}–{row.highest_ms:.1f})"


def _quality(of: Sequence[Row], tool: str) -> str:
    """With the largest number of runs, where most are averaged. Numbers of runs that do not agree are named."""
    measured = [row for row in of if row.tool == tool]
    largest = max(measured, key=lambda row: row.measured_at)
    apart = sorted({row.measured_at for row in measured if not row.agrees})
    text = f"{_number(largest.quality, largest.metric)} ({_number(largest.expected, largest.metric)})"
    return text + (f" ✗ differs with {', '.join(map(str, apart))} runs" if apart else "")


def _number(quality: float, metric: str) -> str:
    return f"{quality:.1%}" if metric == "accuracy" else f"{quality:.4f}"


def _best(of: Sequence[Row], tool: str) -> Row | None:
    return min((row for row in of if row.tool == tool), key=lambda row: row.ms_per_model_epoch, default=None)


def _at(of: Sequence[Row], tool: str, cohort: int) -> Row | None:
    return next((row for row in of if row.tool == tool and row.cohort == cohort), None)


def _profiles(profiles: Sequence[Mapping[str, Any]]) -> str:
    """A run's training step on one core, by its parts."""
    kinds = list(profiles[0]["us"])
    heads = ("network", "runs", *kinds, "total", "share of matmuls", "their rate", "share of the square rate")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for one in profiles:
        us = one["us"]
        share, rate = us["matmuls"] / one["step_us"], one["matmul_gflops"] / one["square_gflops"]
        cells = (
            one["network"],
            str(one["cohort"]),
            *(f"{us[kind]:.0f}" for kind in kinds),
            f"{one['step_us']:.0f}",
            f"{share:.0%}",
            f"{one['matmul_gflops']:.0f} GFLOP/s, {rate:.0%}",
            f"{share * rate:.0%}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    text = f"""\
Microseconds of one run's training step on one core, in a cohort that paribus plans for many runs. The parts are
measured one by one with their data in cache; the fastest of many repetitions counts. The last columns explain the share
of the peak: which share of a step matmuls take, and their rate compared with PyTorch's matmul of square matrices
({profiles[0]["square_gflops"]:.0f} GFLOP/s on one core here). It can be above 100 %: about half of Fashion-MNIST's
pixels are zero, and multiplications by zero, which change no bit, are skipped but counted. "Inputs" gathers the images
of a batch, scales them and finds their zeros, once for all runs that share the batch. "Optimizer" reads and writes
every parameter and its optimizer state. "Other" is bias, ReLU and loss, the last, smaller batch of an epoch, and
waiting for memory.

"""
    return text + "\n".join(lines)


def _curves(points: Sequence[Mapping[str, Any]]) -> str:
    """Cost and memory by the number of runs."""
    networks = list(dict.fromkeys(point["network"] for point in points))
    heads = ("runs", *(f"{n}, ms a model-epoch" for n in networks), *(f"{n}, MB" for n in networks))
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for count in sorted({point["runs"] for point in points}):
        of = {point["network"]: point for point in points if point["runs"] == count}
        times = [f"{of[n]['ms_per_model_epoch']:.1f}" for n in networks]
        sizes = [f"{of[n]['bytes'] / 1e6:.0f}" for n in networks]
        lines.append(f"| {' | '.join([str(count), *times, *sizes])} |")
    text = """\
As many replicates as the first column says, trained on all cores in the cohorts that paribus plans, all in memory at
the same time. The memory is what the process needs in addition to the images. Each cohort has buffers of its own, so
memory is larger where paribus plans small cohorts.

![Milliseconds for a model-epoch, and memory, by the number of runs from 1 to 256](runs.svg)

"""
    return text + "\n".join(lines)


def _method(about: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return f"""\
- The networks, images, batch sizes and optimizers are those of the built-in studies. Every run is a replicate with its
  own sample of the images, its own initial weights and its own order. Only in the row "arms that share their batches"
  all runs are of one replicate, as the arms of a study are.
- Each tool is a process of its own. All are alive, and one works at a time: they take turns within each of
  {about["repeats"]} repeats (one fewer where a measurement takes seconds). Imports, compilation and a warm-up come
  first. Numbers are medians, in brackets the lowest and highest value. PyTorch's sequential loop and its stacks use one
  thread or all cores, whichever is faster in their warm-up; the other tools have their default settings.
- Tools that train one run after another are measured with one run (the processes with one each); more runs take
  proportionally longer, so the number stays. The others are measured with as many runs as the column says.
- The share of the peak counts the operations of matmuls only, and all of them: also those that paribus skips because
  they multiply by zero, so it can be above 100 %. The peak is the fastest float32 matmul found in the same run,
  sustained with all cores busy: {about["peak_gflops"]:.0f} GFLOP/s (median). Other guests of the same host took
  {about["stolen"]:.0%} of the processors' time.
- Every tool begins with the same weights (PyTorch's default initialisation). It must reach the accuracy on 2,000
  held-out images, or the mean squared error on the training images, of the same runs of the sequential loop: within
  four standard errors of what another order of the images changes, or one per cent. That is the last column, with the
  loop's value in brackets.
- "Everything on" is `run_study` into a workspace: evaluation on 2,000 images after every epoch (test images for
  CustomMLP, which has no validation split; none for the autoencoders), a snapshot of every selection rule, checkpoints.
  It does not contain what happens once, at a run's end.
- HFTA installs from its repository only and was written for PyTorch 1.6; its approach is written out for the present
  version.
- Python {about["python"]}, {about["vector_instructions"]}; {versions}."""


def _left_out(entries: Sequence[Mapping[str, str]]) -> str:
    return "\n".join(f"- {entry['network']}, {TITLES[entry['tool']]}: {entry['reason']}" for entry in entries)
