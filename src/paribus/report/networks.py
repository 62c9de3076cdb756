"""The networks themselves: how many parameters, which units are dead."""

from __future__ import annotations

from paribus.analysis.capacity import sizes
from paribus.analysis.results import Results
from paribus.analysis.thresholds import COLLAPSE_VARIATION, UNMOVED_COSINE
from paribus.analysis.unit_counts import unit_counts
from paribus.report.blocks import Block, Cell, Record
from paribus.report.tabulate import NONE, Column, arm, plain, rule, shown, table, text, value


def size_blocks(results: Results) -> list[Block]:
    """Parameters with biases and without, counted from the widths, layer by layer."""
    found = sizes(results)
    if not found:
        return []
    records = [
        {
            "arm": s.arm,
            "widths": "-".join(map(str, s.widths)),
            "parameters": s.parameters,
            "weights": s.weights,
            "biases": s.parameters - s.weights,
            "counted_on_the_network": s.recorded,
        }
        for s in found
    ]
    columns = [
        arm(results.arms),
        text("widths", "widths"),
        value("parameters", "parameters", "count"),
        value("weights alone", "weights", "count"),
        value("biases", "biases", "count"),
        value("checked on the trained network", "counted_on_the_network", "count"),
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
            "formula": c.formula,
        }
        for s in found
        for c in s.counts
    ]
    by_layer = [
        arm(results.arms),
        text("layer", "layer"),
        Column("inputs × outputs + biases", lambda r: Cell(str(r["formula"])), numeric=True),
        value("parameters", "parameters", "count"),
    ]
    return [
        table("sizes", "Parameters", columns, records),
        table("layers", "Parameters by layer, computed from the layer widths", by_layer, layers),
    ]


def unit_blocks(results: Results) -> list[Block]:
    """Dead and unmoved units, and whether the output depends on the input, run by run."""
    found = unit_counts(results)
    if not any(u.dead or u.unmoved or u.collapsed for u in found):
        return []
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
        rule(),
        Column("dead units", dead, numeric=True),
        Column("close to start", lambda r: Cell(plain(r["unmoved"])), numeric=True),
    ]
    note = (
        "Dead: the activation is the same on every training example. Close to start: the cosine between the unit's "
        f"incoming weights and their initial values is above {UNMOVED_COSINE:g}. Such a unit may still be used."
    )
    if any(u.output_variation is not None for u in found):  # of autoencoders
        columns += [
            Column("output variation", lambda r: Cell(shown("share", r["output_variation"])), numeric=True),
            Column("collapsed", lambda r: Cell(plain(r["collapsed"]), strong=bool(r["collapsed"]))),
        ]
        note += (
            " Output variation: the variance of the outputs over the training examples as a share of the inputs'; "
            f"below {100 * COLLAPSE_VARIATION:g} % the network has collapsed, and gives nearly the same output for "
            "every input."
        )
    return [table("units", "Hidden units, run by run", columns, records, note=note)]
