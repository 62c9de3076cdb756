"""What a teacher or a reviewer looks at first in somebody's recorded study, beside what was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from paribus.analysis.pairs import flat
from paribus.analysis.results import Results
from paribus.analysis.verdicts import claim_outcomes
from paribus.analysis.wording import plural
from paribus.spec.identity import claim_text
from paribus.spec.study import Study


@dataclass(frozen=True)
class Review:
    """One study of one archive.

    `differences` are what it says differently from the assignment's study. `seeds` are those of its arms. `done` counts
    its runs that ended well, of `planned`. `test_reads` counts logged reads of test data, and `repeated` those of a run
    and a rule that had been read before. `late` are the claims that were registered after the study's first run had
    begun to train. `verdicts` has a label for each claim. `sessions` are the identities of the sessions of training:
    they are drawn at random, so the same one in two archives is a copy.
    """

    study: str
    study_id: str
    differences: tuple[str, ...]
    seeds: tuple[int, ...]
    replicates: int
    planned: int
    done: int
    test_reads: int
    repeated: int
    late: tuple[str, ...]
    verdicts: tuple[str, ...]
    sessions: tuple[str, ...]


def review(results: Results, assignment: Study | None = None) -> Review:
    """The review of one study; without an assignment, nothing differs from it."""
    study = results.study
    return Review(
        study=study.name,
        study_id=results.study_id,
        differences=() if assignment is None else tuple(differences(assignment, study)),
        seeds=tuple(dict.fromkeys(arm.seed for arm in study.arms)),
        replicates=study.replicates.count,
        planned=results.planned,
        done=results.states().get("done", 0),
        test_reads=len(results.test_reads),
        repeated=_repeated(results),
        late=tuple(_late(results)),
        verdicts=tuple(case.label for case in claim_outcomes(results)),
        sessions=tuple(used.id for used in results.usage),
    )


def differences(asked: Study, given: Study) -> Iterator[str]:
    """What `given` says differently from `asked`, one line each: settings by dotted key, arms, claims.

    Names, titles and questions do not count.
    """
    ours, theirs = _settings(asked), _settings(given)
    shared = [name for name in (arm.name for arm in asked.arms) if name in {arm.name for arm in given.arms}]
    for arm in asked.arms:
        if arm.name not in shared:
            yield f"arm {arm.name} is missing"
    for arm in given.arms:
        if arm.name not in shared:
            yield f"arm {arm.name} is new"
    yield from _changed(ours, theirs, "")
    everywhere: Counter[str] = Counter()
    by_arm = {name: list(_changed(_of_arm(asked, name), _of_arm(given, name), "")) for name in shared}
    for lines in by_arm.values():
        everywhere.update(lines)
    common = [line for line, count in everywhere.items() if count == len(shared) and len(shared) > 1]
    yield from common
    for name, lines in by_arm.items():
        yield from (f"arm {name}: {line}" for line in lines if line not in common)
    yield from _claims(asked, given)


def _settings(study: Study) -> dict[str, Any]:
    """What the study as a whole says."""
    return {
        **dict(flat({"replicates": study.replicates.model_dump(mode="json")})),
        "control": study.control,
        "deploy": study.deploy,
    }


def _of_arm(study: Study, name: str) -> dict[str, Any]:
    arm = study.arm(name)
    return {"seed": arm.seed, **dict(flat(arm.recipe.model_dump(mode="json")))}


def _changed(asked: Mapping[str, Any], given: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for key in dict.fromkeys([*asked, *given]):
        if asked.get(key) != given.get(key):
            yield f"{prefix}{key}: {_shown(asked.get(key))} -> {_shown(given.get(key))}"


def _shown(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, list):
        return "[" + ", ".join(map(str, cast("list[Any]", value))) + "]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def _claims(asked: Study, given: Study) -> Iterator[str]:
    ours = {claim_text(claim): claim for claim in asked.claims}
    theirs = {claim_text(claim): claim for claim in given.claims}
    for text, claim in ours.items():
        if text not in theirs:
            changed = next((other for other in given.claims if other.statement == claim.statement), None)
            if changed is None:
                yield f"claim dropped: {claim.statement}"
            else:
                yield f"claim changed: {claim.statement} (by {claim.by:g} -> {changed.by:g}, {changed.metric})"
    statements = {claim.statement for claim in asked.claims}
    for text, claim in theirs.items():
        if text not in ours and claim.statement not in statements:
            yield f"claim added: {claim.statement}"


def _late(results: Results) -> Iterator[str]:
    """Claims that were registered after the first epoch of any of the study's runs."""
    began = min((run.started_at for run in results.runs if run.started_at), default=None)
    for claim in results.study.claims:
        registration = results.registrations.get(claim_text(claim))
        if began is not None and registration is not None and registration.registered_at > began:
            yield claim.statement


def _repeated(results: Results) -> int:
    """Reads of a run's test data at one rule and for one purpose, beyond the first."""
    reads = Counter((read.run_id, read.rule, read.purpose) for read in results.test_reads)
    return sum(count - 1 for count in reads.values())


def summary(found: Review) -> dict[str, str]:
    """A review as the cells of a table, by column."""
    return {
        "study": found.study,
        "differs in": plural(len(found.differences), "place") if found.differences else "nothing",
        "seeds": ", ".join(map(str, found.seeds)),
        "replicates": str(found.replicates),
        "runs": f"{found.done}/{found.planned}",
        "test reads": f"{found.test_reads}" + (f" ({found.repeated} repeated)" if found.repeated else ""),
        "late claims": str(len(found.late)) if found.late else "none",
        "verdicts": ", ".join(found.verdicts) or "no claim",
    }
