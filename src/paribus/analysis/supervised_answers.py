"""What the numbers say about classifiers and regressions: selection rules, schedules, size, overfitting, the ranking.

Arms are compared in one metric, `metric` throughout: the accuracy of classifiers, the RMSE of regressions.
"""

from __future__ import annotations

from paribus.analysis import label_answers, wording
from paribus.analysis.capacity import sizes
from paribus.analysis.contrasts import Contrast, between_arms, between_rules
from paribus.analysis.estimates import estimate
from paribus.analysis.labels import Ranked, ranking
from paribus.analysis.results import Results
from paribus.analysis.selection import Settling, gaps, onsets, settling
from paribus.spec.metrics import METRICS
from paribus.spec.rules import parse_rule

_SIZE = ("depth", "width", "depth and width")
_OTHER = ("network", "optimizer", "loss", "data", "training")
_GAPS = {"loss": "loss", "rmse": "RMSE"}


def topics(results: Results, metric: str) -> list[tuple[str, list[str]]]:
    """(topic, sentences) pairs; those without numbers are empty."""
    return [
        ("Which epoch to deploy", _rules(results, metric)),
        ("Learning rate schedule", [*_settled(results), *_one_thing(results, metric, ("schedule",))]),
        ("Size of the network", [*_sizes(results), *_one_thing(results, metric, _SIZE)]),
        ("Other differences in one thing only", _one_thing(results, metric, _OTHER)),
        ("Generalisation gap and overfitting", [*_gaps(results), *_onsets(results)]),
        ("Wrong labels", label_answers.sentences(results)),
        ("Ranking", _ranked(results, metric)),
    ]


def headline(results: Results, metric: str) -> str:
    """What the arms and rules of this study show on test data, or else on validation data, in a few sentences."""
    if not any(entry.estimate.n for entry in ranking(results, metric)):
        return f"{_capital(wording.label(metric))} was not measured."
    lines: list[str] = []
    if METRICS[metric].split != "test":
        lines.append("The test data were not read, so these are figures of the validation data.")
    if _asks_for_rules(results):
        lines += [_arm_rules(arm, own) for arm, own in _rule_contrasts(results, metric).items()]
    lines += _one_thing(results, metric, ("schedule", *_SIZE)) if not label_answers.noisy_arms(results) else []
    lines.append(label_answers.headline(results))
    return " ".join([*(line for line in lines if line), _best(results, metric)])


def _asks_for_rules(results: Results) -> bool:
    """Whether the choice of the epoch is at issue: a claim compares rules within an arm, or there is one arm only."""
    within = [(c.better.rule, c.than.rule) for c in results.study.claims if c.better.arm == c.than.arm]
    deployed = [rules for rules in within if not any(_looks_at_test(rule or results.study.deploy) for rule in rules)]
    return bool(deployed) or len(results.arms) == 1


def _best(results: Results, metric: str) -> str:
    ranked = [entry for entry in ranking(results, metric) if entry.estimate.n]
    best = ranked[0]
    what = f"{_capital(wording.best(metric))} mean {wording.label(metric)}"
    text = f"{what}: {best.arm} {wording.at(best.rule)}, {wording.mean_and_sd(metric, best.estimate)}"
    if len(ranked) == 1:
        return f"{text}."
    if best.contrast is None:
        rivals = [entry.contrast for entry in ranked[1:] if entry.contrast is not None]
        beaten = sum(_is_worse(rival) for rival in rivals)
        side = "below" if METRICS[metric].direction > 0 else "above"
        return (
            f"{text}, which is the control; {beaten} of {wording.plural(len(rivals), 'other arm')} clearly {side} it."
        )
    return f"{text}; minus {results.study.control}, the control: {wording.compared(best.contrast)}."


def _is_worse(contrast: Contrast) -> bool:
    """Whether the interval says that the first side is worse than the second."""
    between = contrast.interval
    if between is None:
        return False
    return between.high < 0 if METRICS[contrast.metric].direction > 0 else between.low > 0


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def _rule_contrasts(results: Results, metric: str) -> dict[str, list[Contrast]]:
    """Contrasts by arm between the rules that a user could deploy by: those that look at test data are none."""
    found: dict[str, list[Contrast]] = {}
    for contrast in between_rules(results, metric):
        if not any(_looks_at_test(end.rule) for end in (contrast.first, contrast.second)):
            found.setdefault(contrast.first.arm, []).append(contrast)
    return found


def _looks_at_test(rule: str) -> bool:
    return parse_rule(rule).split == "test"


def _arm_rules(arm: str, own: list[Contrast]) -> str:
    """One sentence: the rules that intervals tell apart, or that they tell none apart."""
    apart = [contrast for contrast in own if contrast.separated]
    if not any(contrast.interval is not None for contrast in own):
        return f"{arm}: without a second replicate, no two selection rules can be compared."
    if not apart:
        widest = max(own, key=lambda contrast: abs(contrast.mean or 0.0))
        sides = f"{wording.at(widest.first.rule)} minus {wording.at(widest.second.rule)}"
        of, on = wording.label(widest.metric), "test" if METRICS[widest.metric].split == "test" else "validation"
        return (
            f"{arm}: no two selection rules clearly differ on {on} data; the largest mean difference in {of}, "
            f"{sides}, is {wording.compared(widest).removesuffix(': no clear difference')}."
        )
    each = (_better_rule(contrast) for contrast in apart)
    rest = len(own) - len(apart)
    end = f"; no clear difference between the other {'pair' if rest == 1 else f'{rest} pairs'} of rules" if rest else ""
    return f"{arm}, {wording.label(own[0].metric)}: {'; '.join(each)}{end}."


def _better_rule(contrast: Contrast) -> str:
    better, worse, mean, between = contrast.first, contrast.second, contrast.mean or 0.0, contrast.interval
    if mean * METRICS[contrast.metric].direction < 0:
        better, worse, mean, between = worse, better, -mean, None if between is None else -between
    by, way = wording.effect(contrast.metric, mean, between), wording.better(contrast.metric)
    return f"{wording.at(better.rule)} it is {way} than {wording.at(worse.rule)} ({by}, n = {contrast.n})"


def _rules(results: Results, metric: str) -> list[str]:
    lines: list[str] = []
    for arm, own in _rule_contrasts(results, metric).items():
        rules = dict.fromkeys(end.rule for contrast in own for end in (contrast.second, contrast.first))
        known = [(rule, estimate(results.values(arm, rule, metric))) for rule in rules]
        each = (f"{wording.at(rule)} {wording.mean_and_sd(metric, got)}" for rule, got in known)
        lines += [f"{arm}: {wording.label(metric)} {wording.listed(each)}.", _arm_rules(arm, own)]
    return lines


def _settled(results: Results) -> list[str]:
    found = settling(results)
    if len({results.recipe(arm).schedule.model_dump_json() for arm in results.arms}) < 2:
        return []  # no schedule is at issue
    lines: list[str] = []
    held = [entry for entry in found if entry.constant]
    for arm in results.arms:
        own = [entry for entry in found if entry.arm == arm]
        if own and own[0].constant:
            lines.append(_when_settled(arm, own))
        elif any(entry.lr_dropped_at is not None for entry in own):
            drops = wording.listed(dict.fromkeys(entry.lr_dropped_at or "never" for entry in own))
            lines.append(f"{arm}: the learning rate first fell after epoch {drops}{_when(own, held)}.")
    return lines


def _when_settled(arm: str, own: list[Settling]) -> str:
    rule = (
        f"the mean of {own[0].window} epochs lies less than {100 * own[0].threshold:g} % below that of the "
        f"{own[0].window} before"
    )
    epochs = [f"{entry.epoch:,}" for entry in own if entry.epoch is not None]
    if not epochs:
        return f"{arm}: the training loss did not stop changing noticeably (the rule: {rule})."
    rest = len(own) - len(epochs)
    never = f", and in {wording.plural(rest, 'run')} never" if rest else ""
    text = f"{arm}: the training loss stopped changing noticeably at epoch {wording.listed(epochs)}{never}"
    return f"{text} (the rule: {rule})."


def _when(own: list[Settling], held: list[Settling]) -> str:
    """Whether the learning rate fell before or after the losses of the arms that held it had settled."""
    drops = [entry.lr_dropped_at for entry in own if entry.lr_dropped_at is not None]
    settled = [entry.epoch for entry in held if entry.epoch is not None]
    if not settled or not drops:
        return ""
    if max(drops) < min(settled):
        return ", before the loss at the held rate had settled by that rule"
    return ", after the loss at the held rate had settled by that rule" if min(drops) > max(settled) else ""


def _one_thing(results: Results, metric: str, kinds: tuple[str, ...]) -> list[str]:
    lines: list[str] = []
    lower = "" if METRICS[metric].direction > 0 else " (lower is better)"
    for pair, contrast in between_arms(results, metric):
        if pair.kind in kinds and contrast.n:
            what = pair.kind if pair.kind in ("schedule", *_SIZE) else wording.listed(pair.keys)
            lines.append(
                f"{pair.second} minus {pair.first} (they differ in {what} only), {wording.label(metric)}{lower}: "
                f"{wording.compared(contrast)}."
            )
    return lines


def _sizes(results: Results) -> list[str]:
    by_widths: dict[tuple[int, ...], list[str]] = {}
    for size in sizes(results):
        by_widths.setdefault(size.widths, []).append(size.arm)
    if len(by_widths) < 2:
        return []
    counted = {size.arm: size for size in sizes(results)}
    lines = [
        f"{wording.listed(arms)} ({'-'.join(map(str, widths))}): {counted[arms[0]].parameters:,} parameters, "
        f"{counted[arms[0]].weights:,} without biases."
        for widths, arms in by_widths.items()
    ]
    wrong = [size.arm for size in counted.values() if size.recorded not in (None, size.parameters)]
    if wrong:
        lines.append(f"The trained networks of {wording.listed(wrong)} have another number of parameters than counted.")
    return lines


def _gaps(results: Results) -> list[str]:
    lines: list[str] = []
    for arm in results.arms:
        parts: list[str] = []
        for gap in gaps(results):
            if gap.arm != arm or gap.rule != results.deploy(arm) or (gap.metric, gap.split) == ("accuracy", "val"):
                continue
            name = f"{gap.split}_{gap.metric}"
            over = "training over test accuracy"
            if gap.metric != "accuracy":
                held_out, of = "validation" if gap.split == "val" else "test", _GAPS[gap.metric]
                over = f"{held_out} {of} over training {of}"
            parts.append(f"{over} {wording.effect(name, gap.gap.mean, gap.gap.interval)}, n = {gap.gap.n}")
        if parts:
            lines.append(f"{arm} {wording.at(results.deploy(arm))}: {'; '.join(parts)}.")
    return lines


def _onsets(results: Results) -> list[str]:
    found = onsets(results)
    lines: list[str] = []
    for arm in results.arms:
        own, of = [onset for onset in found if onset.arm == arm], len(results.finished(arm))
        if own:
            lowest, last = (wording.number(sum(v) / len(own)) for v in ([o.lowest for o in own], [o.last for o in own]))
            epochs = wording.listed(f"{onset.epoch:,}" for onset in own)
            lines.append(
                f"{arm}: in {len(own)} of {wording.plural(of, 'run')} the validation loss rose for good, after epoch "
                f"{epochs}, from {lowest} to {last} on average."
            )
        elif of and any("val_loss" in run.curves for run in results.finished(arm)):
            lines.append(f"{arm}: the validation loss rose for good in none of {wording.plural(of, 'run')}.")
    return lines


def _ranked(results: Results, metric: str) -> list[str]:
    if len(results.arms) < 3:
        return []
    lines = _places(results, metric, None)
    kept = all("last" in results.rules(arm) for arm in results.arms)
    if kept and any(results.deploy(arm) != "last" for arm in results.arms):
        lines += ["At the last epoch:", *_places(results, metric, "last")]
    return lines


def _places(results: Results, metric: str, rule: str | None) -> list[str]:
    ranked = [entry for entry in ranking(results, metric, rule) if entry.estimate.n]
    return [_place(entry, metric, place, results.study.control) for place, entry in enumerate(ranked, start=1)]


def _place(entry: Ranked, metric: str, place: int, control: str) -> str:
    text = f"{place}: {entry.arm} {wording.at(entry.rule)}, {wording.mean_and_sd(metric, entry.estimate)}"
    if entry.contrast is None:
        return f"{text}, the control."
    return f"{text}; minus {control}: {wording.compared(entry.contrast)}."
