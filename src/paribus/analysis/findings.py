"""What a person should know about the runs of a study: findings by kind and arm, with the numbers they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from paribus.analysis.results import Results, Run
from paribus.analysis.wording import at, listed, number, quantity
from paribus.spec.metrics import COLLAPSE_VARIATION
from paribus.store.records import Finding

_ORDER = ("diverged", "collapse", "dead-units", "unmoved-units", "overfit-onset", "memorisation")


@dataclass(frozen=True)
class Summary:
    """One kind of finding in one arm at one rule (empty: the run as a whole): the replicates that show it, of `of`."""

    kind: str
    arm: str
    rule: str
    replicates: tuple[int, ...]
    of: int
    sentence: str


def summary(results: Results) -> tuple[Summary, ...]:
    """All findings of a study, the gravest kinds first, then by arm."""
    grouped: dict[tuple[str, str, str], list[tuple[Run, Finding]]] = {}
    for arm in results.arms:
        for run in results.of(arm):
            for finding in run.findings:
                grouped.setdefault((finding.kind, arm, finding.rule), []).append((run, finding))
    found = [
        Summary(kind, arm, rule, tuple(run.replicate for run, _ in shown), len(results.of(arm)),
                _sentence(kind, arm, rule, shown, len(results.of(arm))))
        for (kind, arm, rule), shown in grouped.items()
    ]  # fmt: skip
    return tuple(sorted(found, key=lambda entry: _ORDER.index(entry.kind) if entry.kind in _ORDER else len(_ORDER)))


def _sentence(kind: str, arm: str, rule: str, shown: list[tuple[Run, Finding]], of: int) -> str:
    who = f"{arm}: {len(shown)} of {of} {'run' if of == 1 else 'runs'}"
    where = f" {at(rule)}" if rule else ""
    return f"{who} {_TOLD.get(kind, _plain)(rule, shown, where)}."


def _diverged(_rule: str, shown: list[tuple[Run, Finding]], _where: str) -> str:
    epochs = [run.epochs_done if finding.epoch is None else finding.epoch for run, finding in shown]
    return f"diverged (epoch {listed(epochs)}); left out of every mean"


def _collapse(rule: str, shown: list[tuple[Run, Finding]], where: str) -> str:
    shares = [100 * value for run, _ in shown if (value := run.value(rule, "output_variation")) is not None]
    numbers = f" (outputs vary {listed(f'{share:.2g} %' for share in shares)} as much as inputs)" if shares else ""
    limit = f"below {100 * COLLAPSE_VARIATION:g} % is called collapse"
    return f"collapsed{where}: the same output for every input{numbers}; {limit}"


def _dead(rule: str, shown: list[tuple[Run, Finding]], where: str) -> str:
    counts = [_of(run, rule, "dead_units") for run, _ in shown]
    return f"with hidden units that never fire on the training images{where} ({listed(counts)})"


def _unmoved(rule: str, shown: list[tuple[Run, Finding]], where: str) -> str:
    counts = [_of(run, rule, "unmoved_units") for run, _ in shown]
    return f"with first-layer units that still show their random start{where} ({listed(counts)})"


def _overfit(_rule: str, shown: list[tuple[Run, Finding]], _where: str) -> str:
    epochs = [finding.epoch for _, finding in shown if finding.epoch is not None]
    return f"overfitting: the validation loss rose after epoch {listed(epochs)}"


def _memorised(rule: str, shown: list[tuple[Run, Finding]], where: str) -> str:
    shares = [quantity("memorised", value) for run, _ in shown if (value := run.value(rule, "memorised")) is not None]
    return f"reproducing wrong training labels{where} ({listed(shares)} of them)"


def _plain(_rule: str, shown: list[tuple[Run, Finding]], where: str) -> str:
    kind = shown[0][1].kind.replace("-", " ")
    details = [_details(finding.detail) for _, finding in shown]
    return f"with {kind}{where} ({'; '.join(details)})"


_TOLD = {
    "diverged": _diverged,
    "collapse": _collapse,
    "dead-units": _dead,
    "unmoved-units": _unmoved,
    "overfit-onset": _overfit,
    "memorisation": _memorised,
}


def _of(run: Run, rule: str, name: str) -> str:
    count, hidden = run.value(rule, name), run.value(rule, "hidden_units")
    whole = f" of {hidden:.0f}" if hidden is not None and name == "dead_units" else ""
    return "unknown" if count is None else f"{count:.0f}{whole}"


def _details(detail: Mapping[str, Any]) -> str:
    return (
        ", ".join(f"{key} {number(v) if isinstance(v, int | float) else v}" for key, v in detail.items())
        or "no numbers"
    )
