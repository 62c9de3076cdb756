"""The tables of docs/audit.md from what `benchmarks.audit` has measured, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

MARK: Final = "<!-- from here on written by benchmarks.audit -->"
OURS: Final = "paribus"
SAME: Final = "cleanlab, same networks"
LEVELS: Final = ("0.5", "0.8", "0.9")
CLOSE: Final = 0.005
"""A difference of precision that is called equal."""

Line = Mapping[str, Any]


def write(path: Path, content: Mapping[str, Any], of_real: Mapping[str, Any] | None = None) -> None:
    """Write the part below `MARK` anew; what a person wrote above stays. `of_real` is what `real` shows."""
    head = path.read_text(encoding="utf-8").partition(MARK)[0] if path.exists() else ""
    path.write_text(f"{head}{MARK}\n\n{page(content)}{real(of_real) if of_real else ''}", encoding="utf-8")


def page(content: Mapping[str, Any]) -> str:
    lines, about = content["lines"], content["machine"]
    made = [line for line in lines if line["kind"] != "none"]
    as_they_are = [line for line in lines if line["kind"] == "none"]
    words = ", ".join(f"{name} {version}" for name, version in sorted(about["versions"].items()))
    cores = f"{about['cores']} core" + ("" if about["cores"] == 1 else "s")
    text = [
        "## Ranking",
        "",
        f"Measured on {about['processor']}, {cores}; {words}. The time is that from the arrays to the answer, and",
        "processor time beside it, as other programs ran at the same time.",
        "",
        *_ranking(made),
        "",
        *_compared(made),
        "",
        "## The list, and what it promises",
        "",
        "The list of paribus has the labels that are wrong with a probability of at least a half; that of cleanlab is",
        "what `find_label_issues` returns. Some labels are wrong, or ambiguous, before any error is made:",
        "*without own* leaves out those that the same tool lists in the data as they are. *Expected* is what paribus",
        "says itself.",
        "",
        *_lists(made),
        "",
        *_promises(made),
        "",
        "## Data as they are",
        "",
        "`separate` and `overlapping` have no wrong label by construction: each label that is listed there is a false",
        "alarm. Fashion-MNIST and the digits have some wrong labels, as people have found.",
        "",
        *_clean(as_they_are),
    ]
    return "\n".join(text) + "\n"


def _table(head: Sequence[str], right: int, rows: Iterable[Sequence[str]]) -> list[str]:
    """A Markdown table of which the columns from `right` on are numbers."""
    rule = ["---" if column < right else "--:" for column in range(len(head))]
    return [f"| {' | '.join(row)} |" for row in (head, rule, *rows)]


def _case(line: Line) -> tuple[str, str]:
    return f"{line['data']}, {line['examples']:,}", f"{line['kind']} {100 * line['rate']:g} %"


def _shown(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _ranking(lines: Sequence[Line]) -> list[str]:
    head = ("data", "errors", "tool", "seconds", "processor", "training", "average precision",
            *(f"precision at recall {level}" for level in LEVELS))  # fmt: skip
    rows = [
        (
            *_case(line),
            line["tool"],
            _shown(line["seconds"], 0),
            _shown(line["processor_s"], 0),
            _shown(line["training_s"], 0),
            _shown(line["average_precision"]),
            *(_shown(line["precision_at_recall"].get(level)) for level in LEVELS),
        )
        for line in lines
    ]
    return _table(head, 3, rows)


def _compared(lines: Sequence[Line]) -> list[str]:
    """How often the ranking of paribus is better than each other tool's, equal, or worse; where it is worse."""
    by_case = {(_case(line), line["tool"]): line for line in lines}
    others = dict.fromkeys(line["tool"] for line in lines if line["tool"] != OURS)
    text: list[str] = []
    for other in others:
        pairs = [(case, by_case[case, OURS], line) for (case, tool), line in by_case.items() if tool == other]
        differences = [
            (case, level, ours["precision_at_recall"][level] - theirs["precision_at_recall"][level])
            for case, ours, theirs in pairs
            for level in LEVELS
        ]
        better = sum(difference > CLOSE for *_, difference in differences)
        worse = [(case, level, difference) for case, level, difference in differences if difference < -CLOSE]
        text.append(
            f"- Beside *{other}*: of {len(differences)} precisions at equal recall, {better} are higher by more than "
            f"{CLOSE:g}, {len(worse)} are lower{_named(worse)}."
        )
    return text


def _named(worse: Sequence[tuple[tuple[str, str], str, float]]) -> str:
    if not worse:
        return ""
    shown = "; ".join(
        f"{case[0].split(',')[0]}, {case[1]}, at {level}: {difference:.3f}" for case, level, difference in worse
    )
    return f" ({shown})"


def _lists(lines: Sequence[Line]) -> list[str]:
    head = ("data", "errors", "tool", "listed", "of these wrong", "without own", "expected", "of all wrong",
            "estimated rate", "true rate")  # fmt: skip
    rows = [
        (
            *_case(line),
            line["tool"],
            f"{line['listed']:,}",
            _shown(line["list_precision"], 2),
            _shown(line["list_precision_without_own"], 2),
            _shown(line["expected_precision"], 2),
            _shown(line["list_recall"], 2),
            _shown(line["estimated_rate"]),
            _shown(line["wrong"]),
        )
        for line in lines
    ]
    return _table(head, 3, rows)


def _promises(lines: Sequence[Line]) -> list[str]:
    """By how much the expected precision and the estimated rates are off."""
    ours = [line for line in lines if line["tool"] == OURS and line["expected_precision"] is not None]
    text: list[str] = []
    for name, key in (("found", "list_precision"), ("found without own", "list_precision_without_own")):
        known = [line for line in ours if line[key] is not None]
        if known:
            most = max(known, key=lambda line: abs(line["expected_precision"] - line[key]))
            mean = sum(abs(line["expected_precision"] - line[key]) for line in known) / len(known)
            text.append(
                f"- The expected precision is off from that {name} by {mean:.2f} on average, at most at "
                f"{_case(most)[0]}, {_case(most)[1]}: {most['expected_precision']:.2f} for {most[key]:.2f}."
            )
    for tool in dict.fromkeys(line["tool"] for line in lines):
        known = [line for line in lines if line["tool"] == tool]
        mean = sum(abs(line["estimated_rate"] - line["wrong"]) for line in known) / len(known)
        text.append(f"- The rate of wrong labels that *{tool}* estimates is off by {mean:.3f} on average.")
    return text


def _clean(lines: Sequence[Line]) -> list[str]:
    head = ("data", "tool", "seconds", "listed", "share", "estimated rate")
    rows = [
        (
            _case(line)[0],
            line["tool"],
            _shown(line["seconds"], 0),
            f"{line['listed']:,}",
            f"{100 * line['listed'] / line['examples']:.2f} %",
            _shown(line["estimated_rate"], 4),
        )
        for line in lines
    ]
    return _table(head, 2, rows)


def real(content: Mapping[str, Any]) -> str:
    """What an audit finds in data whose errors nobody made on purpose, as `benchmarks.audit_real` has measured."""
    text = ["", "## Errors from the beginning", ""]
    head = ("data", "examples", "suspects", "expected wrong among them", "estimated rate", "processor seconds")
    rows = [
        (
            name,
            f"{found['examples']:,}",
            f"{found['suspects']:,}",
            f"{found['expected_wrong']:.0f}",
            f"{100 * found['rate']:.2f} % ({100 * found['interval'][0]:.2f} to {100 * found['interval'][1]:.2f})",
            _shown(found["processor_s"], 0),
        )
        for name, found in content.items()
    ]
    text += _table(head, 1, rows)
    for name, found in content.items():
        known = found.get("known", ())
        if known:
            suspects = sum(one["rank"] <= found["suspects"] for one in known)
            text += [
                "",
                f"Of {len(known)} training images of {name} that people have named, {suspects} are suspects:",
                "",
            ]
            text += _table(
                ("row", "label", "proposed", "rank", "probability of being wrong"),
                3,
                [
                    (str(one["row"]), one["given"], one["proposed"], f"{one['rank']:,}", _shown(one["probability"], 2))
                    for one in known
                ],
            )
        first = found.get("first", ())
        if first:
            text += ["", f"The first of {name}:", ""]
            text += _table(
                ("row", "label", "proposed", "probability of being wrong"),
                3,
                [(str(one["row"]), one["given"], one["proposed"], _shown(one["probability"], 2)) for one in first],
            )
    return "\n".join(text) + "\n"
