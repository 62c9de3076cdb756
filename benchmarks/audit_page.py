"""The tables of docs/audit.md from what `benchmarks.audit` has measured, and what follows from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from paribus.units import duration, size

MARK: Final = "<!-- from here on written by benchmarks.audit -->"
OURS: Final = "paribus"
SAME: Final = "cleanlab, same networks"
LEVELS: Final = ("0.5", "0.8", "0.9")
LIMIT_BYTES: Final = 8 * 2**30
"""The memory that an audit of a million rows may take."""
EXPECTED_WITHIN: Final = 0.25
"""By how much of it the time of training may be off from the plan's forecast."""
CLOSE: Final = 0.005
"""A difference of precision that is called equal."""

Line = Mapping[str, Any]


def write(
    path: Path,
    content: Mapping[str, Any],
    of_real: Mapping[str, Any] | None = None,
    of_scale: Mapping[str, Any] | None = None,
) -> None:
    """Write the part below `MARK` anew; what a person wrote above stays. `of_real` is what `real` shows, and `of_scale`
    what `scale` shows."""
    head = path.read_text(encoding="utf-8").partition(MARK)[0] if path.exists() else ""
    more = (real(of_real) if of_real else "") + (scale(of_scale) if of_scale else "")
    path.write_text(f"{head}{MARK}\n\n{page(content)}{more}", encoding="utf-8")


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
            are = "is a suspect" if suspects == 1 else "are suspects"
            text += [
                "",
                f"Of {len(known)} rows of {name} whose labels are known to be wrong, {suspects} {are}:",
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
    return "\n".join(text) + "\n"


def scale(content: Mapping[str, Any]) -> str:
    """Audits of many rows, as `benchmarks.audit_scale` has measured."""
    audits = content["audits"]
    head = ("rows", "type", "file", "time", "processor", "before training", "training", "expected", "ranking",
            "peak memory", "average precision", "listed", "of these wrong", "of all wrong")  # fmt: skip
    rows = [
        (
            f"{one['rows']:,}",
            one["type"],
            size(one["file_bytes"]),
            duration(one["seconds"]),
            duration(one["processor_s"]),
            duration(one["prepared_s"]),
            duration(one["trained_s"]),
            f"{duration(one['expected_s'])} ({one['trained_s'] / one['expected_s']:.2f})",
            duration(one["ranked_s"]),
            size(one["peak_bytes"]),
            _shown(one["average_precision"]),
            f"{one['listed']:,}",
            _shown(one["list_precision"], 2),
            _shown(one["list_recall"], 2),
        )
        for one in audits
    ]
    text = [
        "",
        "## Many rows",
        "",
        "Rows of 784 features in a file of NumPy: training images of Fashion-MNIST, drawn with replacement, shifted by",
        "up to one pixel and with noise of their own; 5 % of the labels are wrong, by any other class. So most images",
        "have relatives in other folds, which makes wrong labels easier to find than in as many different images. Each",
        "line is one `paribus audit` from the command line. *Expected* is the time of training that a timing run of a",
        "few steps told before it, and in brackets the time taken over it; other programs ran on the machine, and not",
        "the same ones all the time. The file is read into memory once, so that nobody can change it while an audit",
        "trains.",
        "",
        *_table(head, 2, rows),
        "",
        *(line for one in audits for line in _notes(one)),
        *_not_measured(audits),
    ]
    return "\n".join(text) + "\n"


def _notes(one: Line) -> list[str]:
    """What follows from one audit of many rows: memory, the forecast, and what an interruption changed."""
    name = f"{one['rows']:,} rows, {one['type']}"
    memory = "within" if one["peak_bytes"] <= LIMIT_BYTES else "more than"
    ratio = one["trained_s"] / one["expected_s"]
    holds = "holds" if abs(ratio - 1) <= EXPECTED_WITHIN else "does not hold"
    trained = "" if one["epochs"] is None else f" With --epochs {one['epochs']}."
    used = f"it had {one['processor_s'] / one['seconds']:.2f} cores' time on average, of {one['cores']}"
    forecast = f"the forecast {holds} within {100 * EXPECTED_WITHIN:.0f} %"
    note = f" {one['note']}" if "note" in one else ""
    text = [f"- {name}: {memory} {size(LIMIT_BYTES)}; {forecast}; {used}.{trained}{note}"]
    stopped = one.get("interrupted")
    if stopped is not None:
        same = "the same CSV file, byte by byte, as" if stopped["same"] else "ANOTHER CSV FILE than"
        text.append(
            f"- {name}, interrupted by SIGINT after {duration(stopped['after_s'])}, with {stopped['done']} of "
            f"{one['runs']} runs recorded: it had stopped {duration(stopped['to_stop_s'])} later, and the same command "
            f"went on and took {duration(stopped['resumed_s'])}. It gave {same} without the interruption."
        )
    return text


def _not_measured(audits: Sequence[Line]) -> list[str]:
    """What the largest audit of bytes lets expect of numbers of four bytes, and of an interruption, if not measured."""
    of_bytes = [one for one in audits if one["type"] == "uint8"]
    if not of_bytes:
        return []
    largest = max(of_bytes, key=lambda one: one["rows"])
    known = {(one["rows"], one["type"]) for one in audits}
    text: list[str] = []
    if (largest["rows"], "float32") not in known:
        wider = largest["peak_bytes"] + 3 * largest["file_bytes"]
        text.append(
            f"- {largest['rows']:,} rows, float32: not measured. With four bytes in place of one for each number, "
            f"memory would come to {size(wider)}."
        )
    stopped = [one["rows"] for one in audits if "interrupted" in one]
    if stopped and max(stopped) < largest["rows"]:
        text.append(f"- An interruption was compared at {max(stopped):,} rows, and at no more.")
    return text
