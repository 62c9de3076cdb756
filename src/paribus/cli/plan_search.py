"""What `paribus plan` says of a search: its batches, its rungs, and the epochs that it trains at most."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from paribus.cli.formatting import plural
from paribus.cli.output import print_columns, print_json, print_line, print_paragraph
from paribus.errors import Exit

if TYPE_CHECKING:
    from paribus.spec.study import Study


def print_search(study: Study, arguments: argparse.Namespace) -> Exit:
    """Print the plan of a search, whose space is checked against the data. What trains depends on what is found."""
    from paribus.search.driver import prepare_search

    prepared = prepare_search(study, device=arguments.device)
    search, rows = prepared.search, planned(study)
    total = round(sum(row["candidates"] * row["replicates"] * row["more_epochs"] for row in rows))
    confirm = search.confirm
    confirmed = confirm.finalists * confirm.replicates * prepared.epochs
    if arguments.json:
        print_json({"study": study.name, "id": prepared.id, "rungs": rows, "epochs": total, "confirmation": confirmed})
        return Exit.DONE
    print_paragraph(study.name if study.title == study.name else f"{study.name}: {study.title}")
    print_line(f"{plural(search.candidates, 'candidate')} by {search.sampler}, {search.batch} at a time")
    print_line()
    shown = [("bracket", "rung", "epoch", "candidates", "replicates")]
    shown += [(*(str(row[key]) for key in ("bracket", "rung", "epoch", "candidates", "replicates")),) for row in rows]
    print_columns(shown, right=range(5))
    print_line()
    print_line(
        f"at most {plural(total, 'epoch')} in the search, and {confirmed} to confirm {confirm.finalists} finalists"
    )
    return Exit.DONE


def planned(study: Study) -> list[dict[str, Any]]:
    """Every rung: how many candidates come to it where none diverges, and the epochs that each replicate trains there.

    A replicate that begins at a later rung trains all epochs up to it; `more_epochs` is the mean over replicates.
    """
    from paribus.analysis.halving import group_sizes

    search, epochs = study.search, study.arms[0].recipe.training.epochs
    assert search is not None
    rows: list[dict[str, Any]] = []
    for bracket in range(search.brackets):
        before, with_before = 0, 0
        sizes = group_sizes(search, bracket, epochs)
        for rung, (epoch, candidates) in enumerate(zip(search.rungs(epochs, bracket), sizes, strict=True)):
            replicates = search.replicates_at(rung, study.replicates.count)
            more = (with_before * (epoch - before) + (replicates - with_before) * epoch) / replicates
            rows.append({"bracket": bracket + 1, "rung": rung + 1, "epoch": epoch, "candidates": candidates,
                         "replicates": replicates, "more_epochs": more})  # fmt: skip
            before, with_before = epoch, replicates
    return rows
