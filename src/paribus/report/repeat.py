"""How to repeat a study, and how to cite it: the exact command, the study file, a BibTeX entry."""

from __future__ import annotations

import shlex

from paribus import __version__
from paribus.analysis.results import Results
from paribus.analysis.wording import listed, plural
from paribus.report.blocks import Block, Fold, Listing, Section
from paribus.report.latex import escaped
from paribus.spec import builtin
from paribus.spec.network import Module
from paribus.spec.study import parse

SLUG = "repeat"
"""The section's anchor on the page."""
SHORT_ID = 8
"""Digits of the study's identity in the key of its BibTeX entry."""


def section(results: Results) -> Section:
    """The commands that repeat the study, its file where it is no built-in study, and a BibTeX entry."""
    blocks: list[Block] = [Listing(commands(results))]
    if _builtin(results) is None:
        blocks.append(Fold(f"The study file, {results.study.name}.toml", (Listing(results.study.document),)))
    blocks.append(Listing(bibtex(results)))
    return Section(
        SLUG, "Repeat and cite", tuple(blocks), lead=(_lead(results),), folded="Commands, study file and BibTeX entry"
    )


def commands(results: Results) -> str:
    """The lines for a shell that train the study and write its report.

    Runs that the workspace has already are not trained again.
    """
    study = results.study
    words = ["paribus", "run", *(_builtin(results) or (f"{study.name}.toml",))]
    devices = {str(run.environment.get("device", "cpu")) for run in results.runs if run.environment}
    if devices and "cpu" not in devices:
        words += ["--device", "cuda"]
    return "\n".join(
        (
            f"# paribus {listed(versions(results))}, study identity {results.study_id}",
            shlex.join(words),
            shlex.join(["paribus", "report", study.name]),
        )
    )


def bibtex(results: Results) -> str:
    """A BibTeX entry for the study: its title, when its last result was recorded, its identity and the version."""
    study, day = results.study, results.recorded_at
    number = f"{plural(len(results.arms), 'arm')}, {plural(study.replicates.count, 'replicate')}"
    entries = [
        ("title", f"{{{escaped(study.title)}}}"),
        ("howpublished", f"Study \\texttt{{{escaped(study.name)}}}, trained with paribus {listed(versions(results))}"),
        *((("year", f"{day:%Y}"), ("month", f"{day:%m}"), ("day", f"{day:%d}")) if day else ()),
        ("note", f"Study identity {results.study_id}, {number}"),
    ]
    lines = [f"  {key:<12} = {{{value}}}" for key, value in entries]
    return "\n".join((f"@misc{{{study.name}-{results.study_id[:SHORT_ID]},", ",\n".join(lines), "}"))


def versions(results: Results) -> list[str]:
    """The versions of paribus that trained the study; the present one where no run says."""
    found = {str(run.environment["paribus"]) for run in results.runs if "paribus" in run.environment}
    return sorted(found) or [__version__]


def _lead(results: Results) -> str:
    given = _builtin(results)
    words = [
        "These commands repeat the study with the same recipes, random streams and selection rules.",
        "What a workspace has recorded is not trained again.",
    ]
    if given is None:
        words.insert(0, f"Save the study file below as {results.study.name}.toml.")
        words.append(_needed(results))
    words.append("The BibTeX entry names the study by its identity; add the author.")
    return " ".join(words)


def _builtin(results: Results) -> tuple[str, ...] | None:
    """The words after `paribus run` where this is a built-in study, perhaps with other replicates; else None."""
    study = results.study
    if study.name not in builtin.NAMES:
        return None
    count = str(study.replicates.count)
    for words, changes in (((study.name,), {}), ((study.name, "--replicates", count), {"replicates": count})):
        given = parse(builtin.text(study.name), place=f"built-in study {study.name}", overrides=changes)
        if given.digest == study.digest:
            return words
    return None


def _needed(results: Results) -> str:
    """What the study needs beside its file: data, and Python files of modules."""
    recipes = [results.recipe(arm) for arm in results.arms]
    sources = dict.fromkeys(recipe.data.source for recipe in recipes)
    files = dict.fromkeys(recipe.network.file for recipe in recipes if isinstance(recipe.network, Module))
    words = f"It takes its data from {listed(sources)}"
    if files:
        words += f" and its networks from {listed(files)}"
    return f"{words}; a file must lie beside the study file and be the one that was used."
