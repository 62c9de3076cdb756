"""Our figures beside those of the reference report, from a workspace of the built-in studies: docs/published.md.

    python -m benchmarks.published WORKSPACE [--output FILE]

Each cell is mean ± standard deviation over the replicates, and in brackets the published figure of one run.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from benchmarks import machine
from paribus.analysis.results import Results, load
from paribus.analysis.tables import Row, rows
from paribus.spec.metrics import METRICS
from paribus.store.workspace import Workspace

CLASSIFIERS: Final = ("selection", "capacity", "noisy-labels")
METRIC_COLUMNS: Final = ("epoch", "train_loss", "val_accuracy", "test_accuracy")
AUTOENCODERS: Final = "faces"
FACES_HEADS: Final = ("faces, last epoch", "error per pixel", "PCA of the same rank", "dead units", "collapsed runs")


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the page, and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.published", description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--output", type=Path, default=machine.ROOT / "docs/published.md", metavar="FILE")
    options = parser.parse_args(arguments)
    with Workspace.open(options.workspace) as workspace:
        found = {name: load(workspace, name) for name in (*CLASSIFIERS, AUTOENCODERS)}
    text = page(found)
    options.output.write_text(text, encoding="utf-8")
    print(text)


def page(found: dict[str, Results]) -> str:
    """`docs/published.md` from the results by study."""
    heads = ("study", "arm, selection rule", *(METRICS[name].label for name in METRIC_COLUMNS))
    lines = [line for study in CLASSIFIERS for line in _classifier_lines(study, found[study])]
    faces = found[AUTOENCODERS]
    counts = ", ".join(f"{results.study.replicates.count} of {name}" for name, results in found.items())
    return f"""\
# Published against measured

Ours as mean ± standard deviation over replicates ({counts}), and in brackets the figure that the
reference report gives for one run. Accuracies are in per cent. Arms without a published figure are shown at the
selection rule by which they are deployed. All of it: `make study`, then `paribus table STUDY`.

{_table(heads, lines)}

{_table(FACES_HEADS, _faces(faces))}

Printed by `python -m benchmarks.published WORKSPACE`, commit {machine.commit()}.
The runs were trained on: {machine.environment()["processor"]}. Another processor comes to the same bits
(`tests/training/cpu/test_processors.py` trains as if on two others); a GPU's runs are its own.
"""


def _classifier_lines(study: str, results: Results) -> Iterator[tuple[str, ...]]:
    table = {(row.arm, row.rule, row.metric): row for row in rows(results)}
    for arm in results.arms:
        for rule in results.rules(arm):
            cells = [table.get((arm, rule, metric)) for metric in METRIC_COLUMNS]
            if rule == results.deploy(arm) or any(row is not None and row.published is not None for row in cells):
                yield (study, f"{arm}, `{rule}`", *map(_cell, cells))


def _cell(row: Row | None) -> str:
    if row is None or row.mean is None:
        return ""
    share = METRICS[row.metric].is_share
    digits = 0 if METRICS[row.metric].form == "count" else 2 if share else 4
    factor = 100 if share else 1
    published = "" if row.published is None else f" ({factor * row.published:.{digits}f})"
    spread = f" ± {factor * row.sd:.{digits}f}" if row.sd else ""
    return f"{factor * row.mean:.{digits}f}{spread}{published}"


def _faces(results: Results) -> Iterator[tuple[str, ...]]:
    for arm in results.arms:
        own = {row.metric: row for row in rows(results) if row.arm == arm and row.rule == "last"}
        mse, units = own["mse"], own["hidden_units"].mean or 0
        dead = ", ".join(f"{value:.0f}" for value in own["dead_units"].values if value is not None)
        collapsed = [value for value in own["collapsed"].values if value is not None]
        spread = "" if not mse.sd else f" ± {mse.sd:.5f}" if mse.sd >= 0.000005 else " ± <0.00001"
        yield (
            arm,
            f"{mse.mean:.5f}{spread}",
            f"{own['pca_mse'].mean:.5f}",
            f"{dead} of {units:.0f}",
            f"{sum(collapsed):.0f} of {len(collapsed)}",
        )


def _table(heads: Sequence[str], lines: Iterator[tuple[str, ...]] | Sequence[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(line)} |" for line in (heads, ["---"] * len(heads), *lines))


if __name__ == "__main__":
    main()
