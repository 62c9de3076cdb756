"""How well wrong labels are found, beside cleanlab on the same data: benchmarks/audit.json, and docs/audit.md's tables.

    python -m benchmarks.audit [--only WORDS] [--tables]

Each case is a data set with labels that were made wrong, so that it is known which ones are, or one as it is, on which
every label that is listed counts as a false alarm. A tool is given X and y and gives a ranking and a list; its time is
that from the arrays to these. Cases that are in the JSON file already are not measured again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from benchmarks import audit_page, machine
from benchmarks.audit_data import DATA, Array, with_errors
from benchmarks.audit_tools import Answer, by_logistic, by_network, by_paribus

JSON: Final = machine.ROOT / "benchmarks" / "audit.json"
REAL: Final = machine.ROOT / "benchmarks" / "audit_real.json"
SCALE: Final = machine.ROOT / "benchmarks" / "audit_scale.json"
PAGE: Final = machine.ROOT / "docs" / "audit.md"
RECALLS: Final = (0.5, 0.8, 0.9)


@dataclass(frozen=True)
class Case:
    """A data set, and the kind and the rate of the errors made in it."""

    data: str
    kind: str
    rate: float


@dataclass(frozen=True)
class Line:
    """What one tool made of one case. `precision_at_recall` is by each of `RECALLS`.

    `seconds` and `processor_s` are of all that the tool does, None where it uses what another has trained. Of the
    labels on the list the share `list_precision` was made wrong; `list_precision_without_own` leaves out those that the
    same tool lists in the same data as they are, whose labels may be wrong from the beginning.
    """

    data: str
    examples: int
    kind: str
    rate: float
    wrong: float
    tool: str
    seconds: float | None
    processor_s: float | None
    training_s: float | None
    average_precision: float | None
    precision_at_recall: dict[str, float]
    listed: int
    list_precision: float | None
    list_precision_without_own: float | None
    expected_precision: float | None
    list_recall: float | None
    estimated_rate: float | None


def cases() -> Iterator[Case]:
    """The data as they are first: what is listed there is left out later on."""
    for data in DATA:
        yield Case(data, "none", 0.0)
    for rate in (0.3, 0.05, 0.1, 0.2, 0.45):
        yield Case("fashion-mnist", "symmetric", rate)
    for kind in ("pair", "instance"):
        yield Case("fashion-mnist", kind, 0.3)
    for kind in ("symmetric", "pair"):
        yield Case("digits", kind, 0.1)
    for data in ("separate", "overlapping"):
        yield Case(data, "symmetric", 0.05)


def tools_of(case: Case) -> tuple[Callable[[Array, Array], dict[str, Answer]], ...]:
    """Logistic regression is left out of the images: it takes longest there, and finds least."""
    return (by_paribus, by_network) if case.data == "fashion-mnist" else (by_paribus, by_network, by_logistic)


def measured(case: Case, tool: Callable[[Array, Array], dict[str, Answer]], own: dict[str, Any]) -> Iterator[Line]:
    """One line for each answer of a tool. What is listed in data as they are is kept in `own`, by data and tool."""
    inputs, right = DATA[case.data]()
    labels = with_errors(inputs, right, case.kind, case.rate)
    started, processor = time.perf_counter(), time.process_time()
    answers = tool(inputs, labels)
    seconds, processor_s = time.perf_counter() - started, time.process_time() - processor
    for number, (name, answer) in enumerate(answers.items()):
        if case.kind == "none":
            own.setdefault(case.data, {})[name] = " ".join(map(str, answer.listed.nonzero()[0].tolist()))
        rows = [int(row) for row in own.get(case.data, {}).get(name, "").split()]
        times = (round(seconds, 1), round(processor_s, 1)) if number == 0 else (None, None)
        yield _line(case, name, answer, labels != right, times, rows)


def _line(
    case: Case, tool: str, answer: Answer, wrong: Array, times: tuple[float | None, float | None], own: list[int]
) -> Line:
    from sklearn.metrics import average_precision_score, precision_recall_curve

    average, at_recall = None, dict[str, float]()
    if wrong.any():
        average = float(average_precision_score(wrong, answer.ranking))
        precision, recall, _ = precision_recall_curve(wrong, answer.ranking)
        at_recall = {f"{level:g}": float(precision[recall >= level].max()) for level in RECALLS}
    listed, others = answer.listed, answer.listed.copy()
    others[own] = False
    others |= listed & wrong
    return Line(
        data=case.data,
        examples=len(wrong),
        kind=case.kind,
        rate=case.rate,
        wrong=float(wrong.mean()),
        tool=tool,
        seconds=times[0],
        processor_s=times[1],
        training_s=None if answer.training_s is None else round(answer.training_s, 1),
        average_precision=average,
        precision_at_recall=at_recall,
        listed=int(listed.sum()),
        list_precision=float(wrong[listed].mean()) if wrong.any() and listed.any() else None,
        list_precision_without_own=float(wrong[others].mean()) if wrong.any() and others.any() else None,
        expected_precision=answer.expected_precision,
        list_recall=float(listed[wrong].mean()) if wrong.any() else None,
        estimated_rate=answer.estimated_rate,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases with these words in `data kind rate`")
    parser.add_argument("--tables", action="store_true", help="only write the page again")
    options = parser.parse_args()
    content: dict[str, Any] = {"machine": {}, "lines": [], "own": {}}
    if JSON.exists():
        content = json.loads(JSON.read_text(encoding="utf-8"))
    if not options.tables:
        _measure(content, options.only)
    write_page()


def write_page() -> None:
    """Write the tables of docs/audit.md from all that is measured."""
    content, real, scale = (
        json.loads(path.read_text(encoding="utf-8")) if path.exists() else None for path in (JSON, REAL, SCALE)
    )
    audit_page.write(PAGE, content, real, scale)


def _measure(content: dict[str, Any], only: str) -> None:
    content["machine"] = _about()
    by_paribus(*(part[:500] for part in DATA["digits"]()))  # loads code and kernels
    for case in cases():
        if only not in f"{case.data} {case.kind} {case.rate:g}":
            continue
        known = {line["tool"] for line in content["lines"] if _is(line, case)}
        for tool in tools_of(case):
            if _NAMES[tool] in known:
                continue
            for line in measured(case, tool, content["own"]):
                print(json.dumps(asdict(line)), flush=True)
                content["lines"].append(asdict(line))
            JSON.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


_NAMES: Final[dict[Callable[[Array, Array], dict[str, Answer]], str]] = {
    by_paribus: "paribus",
    by_network: "cleanlab, own network",
    by_logistic: "cleanlab, logistic",
}


def _is(line: dict[str, Any], case: Case) -> bool:
    return (line["data"], line["kind"], line["rate"]) == (case.data, case.kind, case.rate)


def _about() -> dict[str, Any]:
    from importlib.metadata import version

    from paribus import __version__
    from paribus.execution.environment import environment

    return {
        "processor": environment()["processor"],
        "cores": machine.cores(),
        "versions": {"paribus": __version__, **{name: version(name) for name in ("cleanlab", "scikit-learn")}},
    }


if __name__ == "__main__":
    main()
