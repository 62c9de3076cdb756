"""The page that a benchmark ends in, made from its rows alone."""

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
    parts = ["# Speed", _introduction(about), "## In short", _summary(rows, networks)]
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
    kind = "" if about["whole"] else " Part of the benchmark only."
    return (
        f"Milliseconds for one epoch of one network, every tool in one run on one machine: {about['processor']}, "
        f"{about['cores']} cores, {about['memory_gib']} GiB, {about['system']}, no GPU used. "
        f"Written by `make bench` at commit {about['commit']}, {about['started']}, "
        f"in {about['minutes']:.0f} minutes.{kind}"
    )


def _summary(rows: Sequence[Row], networks: Sequence[str]) -> str:
    """How paribus stands on each network, beside the targets."""
    heads = (
        "network",
        "best, ms",
        "model-epochs a second",
        "against the `DataLoader` loop",
        "against the best other peer",
        "alone, against the sequential loop",
        f"share of the peak at {SHARE_RUNS} runs",
        "recording, validation, selection",
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
    "A target that is missed is marked ✗, with the target. Arms are runs of one replicate, which share their batches; "
    '"at the peak" is the ratio that would be left if matrix products alone took time, in full at the peak\'s rate.'
)


def _against_loop(of: Sequence[Row], best: Row) -> str:
    """With batches of each run's own, and for arms of a replicate, which share theirs; the better is what is judged.

    The loop trains either in the same time.
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
        else _judged(f"{ours.peak_share:.0%}", ours.peak_share >= SHARE_TARGET, f"{SHARE_TARGET:.0%}")
    )


def _overhead(of: Sequence[Row]) -> str:
    """What everything else costs beside training, at the largest number of runs measured both ways up to 32."""
    for cohort in sorted({row.cohort for row in of if row.cohort <= SHARE_RUNS}, reverse=True):
        bare, whole = _at(of, "paribus-training", cohort), _at(of, "paribus", cohort)
        if bare is not None and whole is not None:
            share = whole.ms_per_model_epoch / bare.ms_per_model_epoch - 1
            return _judged(f"{share:+.0%} ({cohort} runs)", share <= OVERHEAD_TARGET, f"{OVERHEAD_TARGET:.0%}")
    return "–"


def _ratio(slower: Row | None, ours: Row, target: float | None) -> str:
    if slower is None:
        return "–"
    ratio = slower.ms_per_model_epoch / ours.ms_per_model_epoch
    if target is None:
        return f"{ratio:.1f}x" if ratio < 20 else f"{ratio:.0f}x"
    digits = 2 if ratio < target <= round(ratio, 1) else 1  # rounding shall not hide a miss
    return _judged(f"{ratio:.{digits}f}x", ratio >= target, f"{target:g}x")


def _judged(text: str, met: bool, target: str) -> str:
    return text if met else f"{text} ✗ {target}"


def _network(rows: Sequence[Row], network: str) -> str:
    """Every tool at every cohort size: the median, and in brackets the lowest and highest."""
    of = [row for row in rows if row.network == network]
    cohorts = sorted({row.cohort for row in of})
    metric = of[0].metric
    named = f"{'accuracy' if metric == 'accuracy' else 'error'} (the loop's)"
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
    """At the largest cohort, where most runs are averaged; a cohort size that does not agree is named."""
    measured = [row for row in of if row.tool == tool]
    largest = max(measured, key=lambda row: row.measured_at)
    apart = sorted({row.measured_at for row in measured if not row.agrees})
    text = f"{_number(largest.quality, largest.metric)} ({_number(largest.expected, largest.metric)})"
    return text + (f" ✗ differs at {', '.join(map(str, apart))}" if apart else "")


def _number(quality: float, metric: str) -> str:
    return f"{quality:.1%}" if metric == "accuracy" else f"{quality:.4f}"


def _best(of: Sequence[Row], tool: str) -> Row | None:
    return min((row for row in of if row.tool == tool), key=lambda row: row.ms_per_model_epoch, default=None)


def _at(of: Sequence[Row], tool: str, cohort: int) -> Row | None:
    return next((row for row in of if row.tool == tool and row.cohort == cohort), None)


def _profiles(profiles: Sequence[Mapping[str, Any]]) -> str:
    """A run's training step on one core, by kind of work."""
    kinds = list(profiles[0]["us"])
    heads = ("network", "runs", *kinds, "in all", "share of products", "their rate", "so, of a square product's")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for one in profiles:
        us = one["us"]
        share, rate = us["products"] / one["whole_us"], one["product_gflops"] / one["square_gflops"]
        cells = (
            one["network"],
            str(one["cohort"]),
            *(f"{us[kind]:.0f}" for kind in kinds),
            f"{one['whole_us']:.0f}",
            f"{share:.0%}",
            f"{one['product_gflops']:.0f} GFLOP/s, {rate:.0%}",
            f"{share * rate:.0%}",
        )
        lines.append(f"| {' | '.join(cells)} |")
    text = f"""\
Microseconds of one run's training step on one core, in the cohort that the planner makes of many runs, and of its
parts, each by itself in a warm cache, at their fastest. The last columns show what keeps the share of the peak down:
what the matrix products take of a step, and how near products of these shapes come to PyTorch's of a square one
({profiles[0]["square_gflops"]:.0f} GFLOP/s on one core here), or how far beyond: where images are zero, as a good half
of Fashion-MNIST's pixels are, multiplications that change no bit are left out, and counted as if they were done. What
is left is traffic that no training can do without: the batch's images are read, turned into numbers and searched for
zeros, once for all runs that share them; every parameter and its optimizer's slots are read and written once a step;
"the rest" is bias, ReLU and loss, an epoch's last, smaller batch, and what the cache does not hold.

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
Runs of as many replicates, trained in the planner's cohorts on all cores, every one held in memory at once; the memory
is what the process grew by, images apart. Each cohort has buffers of its own: where the planner found small cohorts a
little faster, there are more of these.

![Milliseconds for a model-epoch stay flat and memory grows in proportion from 1 to 256 runs](runs.svg)

"""
    return text + "\n".join(lines)


def _method(about: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    return f"""\
- The work is the built-in studies': the published networks, images, batch sizes and optimizers. Every run is a
  replicate with its own draw of the images, its own start and its own order; only the row "arms that share their
  batches" has runs of one replicate, as arms train beside each other in a study.
- Each tool is a process of its own, all are alive and one works at a time; they take turns within each of
  {about["repeats"]} repeats (one fewer where a measurement takes seconds). Imports, compilation and a warm-up come
  before. Numbers are medians, in brackets the lowest and highest. PyTorch's sequential loop and its stacks use one
  thread or all cores, whichever their warm-up found quicker; the other tools are left as they come.
- Tools that train one run after another are measured with one run (the processes with one each); a larger cohort takes
  proportionally longer, so the number stays. The others are measured with as many runs as the column says.
- The share of the peak counts the operations of the matrix products alone, all of them, also those that paribus leaves
  out because they multiply with zero: it may be above 100 %. The peak is the fastest float32 product
  found in the same run, kept up with all cores busy: {about["peak_gflops"]:.0f} GFLOP/s at the median. Other guests of
  the same machine took {about["stolen"]:.0%} of the processors' time meanwhile.
- Every tool begins at the same weights (PyTorch's default initialisation) and must reach the same accuracy, on 2,000
  held-out images, or the same error on the training images, as the same runs of the sequential loop: within four
  standard errors of what another order of the images makes, or one per cent. That is the last column, the loop's
  figure in brackets.
- "Everything on" is `run_study` into a workspace: 2,000 images measured after every epoch (test images for CustomMLP,
  which has no validation split; none for the autoencoders), every selection rule's snapshot kept, checkpoints written.
  What happens once, when a run ends, is not in it.
- HFTA installs from its repository only and was written for PyTorch 1.6; its approach is written out for today's.
- Python {about["python"]}, {about["vector_instructions"]}; {versions}."""


def _left_out(entries: Sequence[Mapping[str, str]]) -> str:
    return "\n".join(f"- {entry['network']}, {TITLES[entry['tool']]}: {entry['reason']}" for entry in entries)
