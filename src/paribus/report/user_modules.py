"""The user's own modules: what their layers take, and the source that was trained."""

from __future__ import annotations

from paribus.analysis.results import Results
from paribus.analysis.user_modules import module_arms, module_layers, module_sources
from paribus.report.blocks import Block, Fold, Listing, Record, Section
from paribus.report.tabulate import arm, table, text, value


def section(results: Results) -> Section | None:
    """Parameters, operations and memory by arm and by layer, and every file of the source."""
    arms = module_arms(results)
    if not arms:
        return None
    whole: list[Record] = [vars(one) for one in arms]
    columns = [
        arm(results.arms),
        text("class", "name"),
        value("parameters", "parameters", "count"),
        value("operations, forward", "operations", "count"),
        value("operations, training", "training_operations", "count"),
        value("bytes of activations", "activation_bytes", "count"),
    ]
    note = (
        "For one example. Operations are those of matrix products and convolutions as PyTorch's FlopCounterMode counts "
        "them, two for each product that is added up; activations are what is kept of a forward pass for the backward "
        "pass."
    )
    layers: list[Record] = [vars(one) for one in module_layers(results)]
    by_layer = [
        arm(results.arms),
        text("layer", "name"),
        text("class", "kind"),
        text("output", "shape"),
        value("parameters", "parameters", "count"),
        value("operations, forward", "operations", "count"),
    ]
    blocks: list[Block] = [table("modules", "Modules", columns, whole, note=note)]
    if layers:
        blocks.append(table("module-layers", "Layer by layer", by_layer, layers, fold=True))
    seen: dict[tuple[str, str], list[str]] = {}
    for source in module_sources(results):
        seen.setdefault((source.name, source.text), []).append(source.arm)
    blocks += [
        Fold(f"{name}, as {', '.join(of)} trained it", (Listing(content),)) for (name, content), of in seen.items()
    ]
    return Section("modules", "The modules, and their source", tuple(blocks))
