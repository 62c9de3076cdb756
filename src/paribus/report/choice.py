"""Which arms a study chooses by its own rule, and from which candidates."""

from __future__ import annotations

from paribus.analysis.choice import Chosen, choice_sentences, choices, rule_in_words
from paribus.analysis.results import Results
from paribus.analysis.wording import capital
from paribus.report.blocks import Cell, Section, Table
from paribus.report.tabulate import Column, arm, estimated, table, text
from paribus.report.tabulate import mean_and_sd as mean_column
from paribus.spec.choice import Choice
from paribus.spec.metrics import metric_named


def section(results: Results) -> Section | None:
    """The rule, what it chooses, and every candidate; None for a study without a rule."""
    rule, found = results.study.choose, choices(results)
    if rule is None:
        return None
    confirm = rule.confirm
    last = confirm.first + confirm.replicates - 1
    bias = (
        "The result of a chosen arm is too good on average, because it was chosen for it. `paribus confirm "
        f"{results.study.name}` writes the study that trains the chosen arms on fresh replicates ({confirm.first} to "
        f"{last})."
    )
    leads = (
        f"Rule: {rule_in_words(rule)}",
        " ".join(choice_sentences(results)),
        bias,
    )
    return Section("choice", "Chosen arms", (_table(results, rule, found),), lead=leads)


def _table(results: Results, rule: Choice, found: tuple[Chosen, ...]) -> Table:
    records = [
        {
            "group": choice.group,
            "arm": one.arm,
            **estimated("result", one.estimate),
            "excluded": one.excluded,
            "chosen": one.arm == choice.arm,
        }
        for choice in found
        for one in choice.candidates
    ]
    metric = metric_named(rule.metric)
    columns = [
        *([text("group", "group")] if rule.within else []),
        arm(results.arms),
        mean_column(capital(metric.label), "result", metric.form),
        Column("", lambda r: Cell("chosen" if r["chosen"] else r["excluded"], strong=bool(r["chosen"]))),
    ]
    return table("choice", "Candidates", columns, records, fold=len(records) > 16)
