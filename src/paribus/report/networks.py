"""The networks themselves: how many parameters, which units do nothing, and what the deployed one confuses."""

from __future__ import annotations

import numpy as np

from paribus.analysis.capacity import sizes
from paribus.analysis.results import Results
from paribus.analysis.unit_counts import unit_counts
from paribus.report import charts
from paribus.report.blocks import Block, Cell, Chart, Record, Section, SideBySide
from paribus.report.tabulate import NONE, Column, arm, number, plain, shown, table, text

GARMENTS = ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot")
CONFUSIONS_SHOWN = 6


def size_section(results: Results) -> Section | None:
    """Parameters with biases and without, by hand, layer by layer."""
    found = sizes(results)
    records = [
        {
            "arm": s.arm,
            "layers": "-".join(map(str, s.layers)),
            "parameters": s.parameters,
            "weights": s.weights,
            "biases": s.parameters - s.weights,
            "counted_on_the_network": s.recorded,
        }
        for s in found
    ]
    columns = [
        arm(results.arms),
        text("layers", "layers"),
        number("parameters", "parameters", "parameters"),
        number("weights alone", "weights", "weights"),
        number("biases", "biases", "weights"),
        number("counted on the trained network", "counted_on_the_network", "parameters"),
    ]
    layers = [
        {
            "arm": s.arm,
            "layer": c.name,
            "inputs": c.inputs,
            "outputs": c.outputs,
            "weights": c.weights,
            "biases": c.biases,
            "parameters": c.weights + c.biases,
        }
        for s in found
        for c in s.counts
    ]
    by_layer = [
        arm(results.arms),
        text("layer", "layer"),
        Column(
            "inputs × outputs + biases",
            lambda r: Cell(f"{r['inputs']:,} × {r['outputs']:,} + {r['biases']:,}"),
            numeric=True,
        ),
        number("parameters", "parameters", "parameters"),
    ]
    blocks: tuple[Block, ...] = (
        table("sizes", "Parameters", columns, records),
        table("layers", "Counted by hand, layer by layer", by_layer, layers, fold=True),
    )
    return Section("sizes", "How large the networks are", blocks)


def unit_section(results: Results) -> Section | None:
    """Dead and unmoved units, and whether the output depends on the input, run by run."""
    found = unit_counts(results)
    if not any(u.dead or u.unmoved or u.collapsed for u in found):
        return None
    records: list[Record] = [
        {
            "arm": u.arm,
            "replicate": u.replicate,
            "rule": u.rule,
            "state": u.state,
            "hidden": u.hidden,
            "dead": u.dead,
            "unmoved": u.unmoved,
            "output_variation": u.output_variation,
            "collapsed": u.collapsed,
        }
        for u in found
    ]

    def dead(r: Record) -> Cell:
        return Cell(NONE if r["dead"] is None else f"{r['dead']} of {r['hidden']}", strong=bool(r["dead"]))

    columns = [
        arm(results.arms),
        text("replicate", "replicate"),
        text("rule", "rule"),
        Column("dead units", dead, numeric=True),
        Column("still at their random start", lambda r: Cell(plain(r["unmoved"])), numeric=True),
        Column("output variation", lambda r: Cell(shown("memorised", r["output_variation"])), numeric=True),
        Column("collapsed", lambda r: Cell(plain(r["collapsed"]), strong=bool(r["collapsed"]))),
    ]
    note = (
        "Dead: never fires on a training image, and so cannot learn. Output variation: the variance of the outputs "
        "across pictures over that of the inputs; near zero, the network prints the same picture whatever it is shown."
    )
    return Section(
        "units",
        "Units that do nothing",
        (table("units", "Dead units, run by run", columns, records, note=note, fold=len(records) > 24),),
    )


def confusion_section(results: Results) -> Section | None:
    """Test images by true and predicted class at each arm's deploy rule, over its replicates."""
    drawn: list[Chart] = []
    for name in results.arms:
        counts = _counts(results, name)
        if counts is not None and len(drawn) < CONFUSIONS_SHOWN:
            drawn.append(_matrix(results, name, counts))
    if not drawn:
        return None
    lead = "Test images by class at each arm's deploy rule, all replicates together; a row adds up to 100 %."
    return Section("confusion", "What is taken for what", (SideBySide(tuple(drawn)),), lead=(lead,))


def _counts(results: Results, name: str) -> np.ndarray | None:
    total = None
    for run in results.finished(name):
        found = run.artifact(results.deploy(name), "confusion")
        if found is not None:
            counts = np.asarray(found["counts"], dtype=np.int64)
            total = counts if total is None else total + counts
    return total


def _matrix(results: Results, name: str, counts: np.ndarray) -> Chart:
    built_in = results.recipe(name).data.protocol.startswith("fashion-mnist")
    classes = list(GARMENTS) if built_in and len(counts) == len(GARMENTS) else [str(i) for i in range(len(counts))]
    totals = np.maximum(counts.sum(axis=1), 1)
    rows = [
        {
            "true": classes[t],
            "predicted": classes[p],
            "share": float(counts[t, p] / totals[t]),
            "count": int(counts[t, p]),
            "label": f"{100 * counts[t, p] / totals[t]:.1f}" if counts[t, p] else "",
        }
        for t in range(len(counts))
        for p in range(len(counts))
    ]
    off = counts - np.diag(np.diag(counts))
    worst = np.unravel_index(int(off.argmax()), off.shape)
    share = 100 * off[worst] / totals[worst[0]]
    words = f"Most often confused: {classes[worst[0]]}, taken for {classes[worst[1]]} ({share:.1f} % of them)."
    return charts.figure(
        f"confusion-{results.arms.index(name)}",
        name,
        charts.confusion(classes),
        {"confusion": rows},
        f"{name}. {words}",
        note=words,
        height=34 * len(classes),
    )
