"""What `paribus plan` says of a search: its batches, its rungs, and the epochs that it trains at most."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from paribus.cli.formatting import plural
from paribus.cli.output import print_columns, print_json, print_line, print_paragraph
from paribus.errors import Exit

if TYPE_CHECKING:
    from paribus.searching.driver import PreparedSearch
    from paribus.spec.study import Study


def print_search(study: Study, arguments: argparse.Namespace) -> Exit:
    """Print the plan of a search, whose space is checked against the data. What trains depends on what is found."""
    from paribus.searching.driver import prepare_search

    prepared = prepare_search(study, device=arguments.device)
    found = as_json(prepared)
    rows = found["rungs"]
    if arguments.json:
        print_json(found)
        return Exit.DONE
    print_paragraph(study.name if study.title == study.name else f"{study.name}: {study.title}")
    proposed, most = sentences(prepared)
    print_line(proposed)
    print_line()
    shown = [("bracket", "rung", "epoch", "candidates", "replicates")]
    shown += [(*(str(row[key]) for key in ("bracket", "rung", "epoch", "candidates", "replicates")),) for row in rows]
    print_columns(shown, right=range(5))
    print_line()
    print_line(most)
    return Exit.DONE


def as_json(prepared: PreparedSearch) -> dict[str, Any]:
    """What a search trains at most, for programs: its rungs, its epochs, and those of the confirmation."""
    study, confirm, rows = prepared.study, prepared.search.confirm, planned(prepared.study)
    total = round(sum(row["candidates"] * row["replicates"] * row["more_epochs"] for row in rows))
    confirmed = confirm.finalists * confirm.replicates * prepared.epochs
    return {"study": study.name, "id": prepared.id, "rungs": rows, "epochs": total, "confirmation": confirmed}


def sentences(prepared: PreparedSearch) -> tuple[str, str]:
    """How candidates are proposed, and how many epochs train at most."""
    search, found = prepared.search, as_json(prepared)
    proposed = f"{plural(search.candidates, 'candidate')} by {search.sampler}, {search.batch} at a time"
    most = f"at most {plural(found['epochs'], 'epoch')} in the search"
    return proposed, f"{most}, and {found['confirmation']} to confirm {search.confirm.finalists} finalists"


def planned(study: Study) -> list[dict[str, Any]]:
    """Every rung: how many candidates reach it where none diverges, and the epochs that each replicate trains there.

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
