from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from paribus.analysis.results import Results
from paribus.report.blocks import Fold, Listing, within
from paribus.report.repeat import bibtex, commands, section
from paribus.spec import builtin
from paribus.spec.study import parse


def with_overrides(results: Results, name: str, changes: dict[str, str]) -> Results:
    return replace(results, study=parse(builtin.text(name), place=name, overrides=changes))


def test_a_builtin_study_is_repeated_by_its_name(selection_results: Results) -> None:
    _, run, report = commands(selection_results).splitlines()
    assert run == "paribus run selection"
    assert report == "paribus report selection"
    assert not any(isinstance(block, Fold) for block in section(selection_results).blocks)


def test_other_replicates_are_said(selection_results: Results) -> None:
    changed = with_overrides(selection_results, "selection", {"replicates": "7"})
    assert "paribus run selection --replicates 7" in commands(changed)


def test_a_changed_study_comes_with_its_file(selection_results: Results) -> None:
    changed = with_overrides(selection_results, "selection", {"optimizer.lr": "0.5"})
    assert "paribus run selection.toml" in commands(changed)
    listings = [block.text for block in within(section(changed).blocks) if isinstance(block, Listing)]
    digests = [parse(text, place="the page").digest for text in listings if text.startswith(("format", "name"))]
    assert digests == [changed.study.digest]


def test_the_version_and_the_identity_are_those_of_the_runs(plain_results: Callable[..., Results]) -> None:
    results = plain_results()
    runs = tuple(replace(run, environment={"paribus": "9.8.7", "device": "cpu"}) for run in results.runs)
    first = commands(replace(results, runs=runs)).splitlines()[0]
    assert first == f"# paribus 9.8.7, study identity {results.study_id}"


@pytest.mark.parametrize(("device", "said"), [("cpu", False), ("NVIDIA H100", True)])
def test_the_device_is_part_of_the_command(plain_results: Callable[..., Results], device: str, said: bool) -> None:
    results = plain_results()
    runs = tuple(replace(run, environment={"device": device}) for run in results.runs)
    assert ("--device cuda" in commands(replace(results, runs=runs))) == said


def test_a_bibtex_entry_has_title_date_identity_and_version(plain_results: Callable[..., Results]) -> None:
    entry = bibtex(plain_results(title="50 % of {A} & b_c"))
    assert entry.startswith("@misc{plain-")
    fields = dict(re.findall(r"^  (\w+) += \{(.*)\},?$", entry, re.MULTILINE))
    assert fields["title"] == r"{50 \% of \{A\} \& b\_c}"
    assert (fields["year"], fields["month"], fields["day"]) == ("2025", "03", "01")
    assert plain_results().study_id in fields["note"]
    plain = re.sub(r"\\.", "", entry)
    assert plain.count("{") == plain.count("}")


def test_one_replicate_is_one(plain_results: Callable[..., Results]) -> None:
    assert bibtex(plain_results(replicates=1)).endswith("2 arms, 1 replicate}\n}")


def test_before_the_first_result_there_is_no_date(plain_results: Callable[..., Results]) -> None:
    results = plain_results(states={(arm, r): "missing" for arm in ("one", "other") for r in (0, 1)})
    assert "year" not in bibtex(replace(results, test_reads=(), usage=()))
