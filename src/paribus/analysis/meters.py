"""What each meter said of a study's energy: the one that counts, and those that stood beside it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from paribus.analysis.results import Results
from paribus.analysis.wording import listed
from paribus.energy.meters import bounds
from paribus.units import joules


@dataclass(frozen=True)
class MeterTotal:
    """One meter's joules for the study's part of every session that it metered.

    `sessions` counts them. `energy_j` is None where the meter gave no figure in one of them, for the reason in
    `reason`. `ratio` is this figure over that of the meter that counts, in the sessions that both metered.
    """

    meter: str
    tag: str
    scope: str
    sessions: int
    energy_j: float | None
    low_j: float | None
    high_j: float | None
    ratio: float | None
    idle_w: float | None
    reason: str


def meter_totals(results: Results) -> tuple[MeterTotal, ...]:
    """Every meter of a study, the ones that counted first."""
    readings: dict[str, list[tuple[float, dict[str, Any], float | None]]] = {}
    ids = {run.id for run in results.runs}
    for used in results.usage:
        share = math.fsum(part for run_id, part in used.shares.items() if run_id in ids)
        first = {**used.method, "energy_j": used.energy_j, "tag": used.tag}
        for method in (first, *used.method.get("beside", ())):
            readings.setdefault(_name(method), []).append((share, dict(method), used.energy_j))
    return tuple(_total(meter, found) for meter, found in readings.items())


@dataclass(frozen=True)
class NodeTotal:
    """The study's part of what workers on one node of a cluster took: processor time and modelled energy.

    `workers` and `memory_gib` are the most at one time.
    """

    node: str
    workers: int
    cpu_s: float
    memory_gib: float
    energy_j: float


def node_totals(results: Results) -> tuple[NodeTotal, ...]:
    """Every node of the clusters that a study was trained on, in the order of their first use."""
    found: dict[str, list[tuple[float, dict[str, Any]]]] = {}
    ids = {run.id for run in results.runs}
    for used in results.usage:
        share = math.fsum(part for run_id, part in used.shares.items() if run_id in ids)
        for node, taken in used.method.get("nodes", {}).items():
            found.setdefault(node, []).append((share, taken))
    return tuple(
        NodeTotal(
            node,
            max(taken["workers"] for _, taken in parts),
            math.fsum(share * taken["cpu_s"] for share, taken in parts),
            max(taken["memory_gib"] for _, taken in parts),
            math.fsum(share * taken["energy_j"] for share, taken in parts),
        )
        for node, parts in found.items()
    )


def _name(method: Mapping[str, Any]) -> str:
    return " ".join(str(method[key]) for key in ("meter", "version") if key in method) or "unknown"


def _total(meter: str, found: list[tuple[float, dict[str, Any], float | None]]) -> MeterTotal:
    known = [(share, method, counted) for share, method, counted in found if method.get("energy_j") is not None]
    complete = len(known) == len(found)
    energy_j = math.fsum(share * method["energy_j"] for share, method, _ in known) if complete else None
    ends = [bounds(share * method["energy_j"], method) for share, method, _ in known]
    beside = [(share * method["energy_j"], share * counted) for share, method, counted in known if counted]
    others = math.fsum(other for _, other in beside)
    idle = [method["idle_w"] for _, method, _ in known if "idle_w" in method]
    return MeterTotal(
        meter=meter,
        tag=" and ".join(dict.fromkeys(str(method.get("tag", "unknown")) for _, method, _ in found)),
        scope=" and ".join(dict.fromkeys(str(method["scope"]) for _, method, _ in found if "scope" in method)),
        sessions=len(found),
        energy_j=energy_j,
        low_j=math.fsum(low for low, _ in ends) if complete else None,
        high_j=math.fsum(high for _, high in ends) if complete else None,
        ratio=math.fsum(own for own, _ in beside) / others if others > 0 else None,
        idle_w=math.fsum(idle) / len(idle) if idle else None,
        reason="; ".join(dict.fromkeys(str(method["reason"]) for _, method, _ in found if method.get("reason"))),
    )


def method_sentences(results: Results) -> tuple[str, ...]:
    """How the energy was measured or modelled, each way once, with its constants and the error of its model."""
    return tuple(dict.fromkeys(sentence for used in results.usage for sentence in _sentences(used.method)))


_SAID = (
    "meter",
    "why",
    "reason",
    "deviations",
    "deviations_source",
    "beside",
    "nodes",
    "idle_w",
    "idle_s",
    "total_j",
    "formula",
)


def _sentences(method: Mapping[str, Any]) -> Iterator[str]:
    meter = str(method.get("meter", "none"))
    values = {key: value for key, value in method.items() if key not in _SAID and not key.endswith(("_j", "_gib"))}
    known = listed([f"{key.replace('_', ' ')} {value}" for key, value in values.items()])
    why = f", because {method['why']}" if method.get("why") else ""
    if meter == "modelled":
        yield f"Energy is modelled{why}: {method.get('formula', '')} ({known})."
    elif meter != "none":
        yield f"Energy is that of {meter} ({known})." if known else f"Energy is that of {meter}."
    if method.get("reason"):
        yield f"Energy is unknown: {method['reason']}."
    if "idle_w" in method:
        yield (
            f"Idle power of {method['idle_w']:.3g} W was measured for {method['idle_s']:g} s before training and is "
            f"subtracted: the counter itself showed {joules(method['total_j'])}."
        )
    if "deviations" in method:
        least, most = method["deviations"]
        source = method.get("deviations_source", "")
        yield (
            f"Models of this kind differed from measurements by {100 * least:.0f} % to +{100 * most:.0f} % ({source}); "
            "the range of the energy is computed from that."
        )
