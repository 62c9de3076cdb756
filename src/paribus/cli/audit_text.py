"""What an audit found, at the terminal and for programs."""

from __future__ import annotations

import math
from typing import Any

from paribus.auditing.result import AuditResult, Suspect
from paribus.auditing.sentences import opening, pair_sentence
from paribus.cli.formatting import format_share, plural
from paribus.cli.output import print_columns, print_csv, print_json, print_line, print_paragraph

_SHOWN_SUSPECTS = 20
_SHOWN_PAIRS = 10
_SHOWN_CLASSES = 30


def print_audit(result: AuditResult) -> None:
    """The answer, the suspects, what each cut would give, the classes, and pairs of equal examples."""
    for sentence in opening(result):
        print_paragraph(sentence)
    _print_suspects(result)
    print_line()
    print_line("If the list is cut at a probability")
    print_columns(
        [("at least", "labels", "of these wrong", "of all wrong", "right labels listed"), *map(_cut, result.cuts)],
        right=(0, 1, 2, 3, 4),
    )
    print_line()
    print_columns(
        [("class", "examples", "suspects", "expected wrong", "often", "accuracy"), *_classes(result)],
        right=(1, 2, 3, 5),
        flexible=(0, 4),
    )
    for sentence in pair_sentence(result):
        print_line()
        print_paragraph(sentence)
    if result.duplicates:
        rows = [
            (str(pair.first), pair.first_label, str(pair.second), pair.second_label, f"{pair.distance:.3g}")
            for pair in result.duplicates[:_SHOWN_PAIRS]
        ]
        print_columns([("row", "label", "row", "label", "distance"), *rows], right=(0, 2, 4), flexible=(1, 3))


def _print_suspects(result: AuditResult) -> None:
    shown = (result.suspects or result.next_ranked[:5])[:_SHOWN_SUSPECTS]
    if not shown:
        return
    print_line()
    if not result.suspects:
        print_line("The most suspicious labels, none of them probably wrong:")
    rows = [(str(one.rank), str(one.row), one.given, one.proposed, format_share(one.probability, 0)) for one in shown]
    print_columns([("rank", "row", "label", "proposed", "wrong"), *rows], right=(0, 1, 4), flexible=(2, 3))
    if len(result.suspects) > len(shown):
        print_line(f"and {len(result.suspects) - len(shown):,} more: --csv lists them all")


def _cut(cut: Any) -> tuple[str, ...]:
    return (
        format_share(cut.at_least, 0),
        f"{cut.suspects:,}",
        format_share(cut.precision, 0),
        format_share(cut.recall, 0),
        format_share(cut.false_alarms, 2),
    )


def _classes(result: AuditResult) -> list[tuple[str, ...]]:
    ordered = sorted(result.by_class, key=lambda one: -one.expected_wrong)
    rows = [
        (
            one.name,
            f"{one.examples:,}",
            f"{one.suspects:,}",
            f"{one.expected_wrong:,.0f}",
            one.often_proposed or "-",
            format_share(one.accuracy),
        )
        for one in ordered[:_SHOWN_CLASSES]
    ]
    if len(ordered) > _SHOWN_CLASSES:
        rows.append((f"and {plural(len(ordered) - _SHOWN_CLASSES, 'class', 'classes')} more", "", "", "", "", ""))
    return rows


def print_audit_csv(result: AuditResult) -> None:
    """Every example, the most suspicious first."""
    records = result.records()
    print_csv([list(records[0]), *(list(record.values()) for record in records)])


def print_audit_json(result: AuditResult) -> None:
    """All that was found, but for the features."""
    print_json(audit_json(result))


def audit_json(result: AuditResult) -> dict[str, Any]:
    """Plain values: the estimated noise, the cuts, the suspects with those that follow, classes and pairs."""
    noise = result.noise
    return {
        "study": result.study,
        "id": result.study_id,
        "source": result.source,
        "examples": result.examples,
        "classes": list(result.classes),
        "noise_rate": noise.rate,
        "noise_rate_interval": [noise.interval.low, noise.interval.high],
        "sure_examples": noise.surely,
        "transitions": [[_finite(value) for value in row] for row in noise.matrix.tolist()],
        "transition_counts": noise.counts.tolist(),
        "planted": {"share": result.planted_share, "arms": result.planted_arms},
        "cuts": [
            {
                "at_least": cut.at_least,
                "labels": cut.suspects,
                "expected_precision": cut.precision,
                "expected_recall": cut.recall,
                "recall_interval": _ends(cut.recall_interval),
                "false_alarm_rate": cut.false_alarms,
            }
            for cut in result.cuts
        ],
        "suspects": [_suspect(one) for one in result.suspects],
        "next_ranked": [_suspect(one) for one in result.next_ranked],
        "by_class": [
            {
                "class": one.name,
                "examples": one.examples,
                "suspects": one.suspects,
                "expected_wrong": one.expected_wrong,
                "lost": one.lost,
                "lost_interval": _ends(one.lost_interval),
                "accuracy": one.accuracy,
                "often_proposed": one.often_proposed,
            }
            for one in result.by_class
        ],
        "duplicates": [
            {
                "rows": [pair.first, pair.second],
                "labels": [pair.first_label, pair.second_label],
                "distance": pair.distance,
            }
            for pair in result.duplicates
        ],
        "every_pair_compared": result.duplicates_complete,
        "unfinished_runs": result.unfinished,
    }


def _suspect(one: Suspect) -> dict[str, Any]:
    return {
        "rank": one.rank,
        "row": one.row,
        "label": one.given,
        "proposed": one.proposed,
        "probability_wrong": one.probability,
        "p_label": one.p_given,
        "p_proposed": one.p_proposed,
        "margin": one.margin,
        "neighbours": list(one.neighbours),
    }


def _ends(interval: Any) -> list[float] | None:
    return None if interval is None else [interval.low, interval.high]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
