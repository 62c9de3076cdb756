from __future__ import annotations

from dataclasses import replace

import pytest

from paribus.analysis.choice import choices, rule_in_words
from paribus.analysis.faults import faults_of
from paribus.analysis.results import Results
from paribus.store.records import Selected
from tests.analysis.conftest import AUTOENCODERS, FACES, Maker

CHOOSE = """
[choose]
metric = "mse"
by = "{by}"
faults = ["diverged", "collapsed", "dead", "unstable"]
"""
STEADY, RISEN = [0.4, 0.3, 0.25, 0.3], [0.4, 0.1, 0.25, 0.05]


def made(values: dict[str, list[float]], by: str = "best", **what: object) -> Results:
    """Errors of the arms `plain` and `centred` by replicate; `what` happens to the first replicate of `plain`."""
    text = AUTOENCODERS.format(replicates=3, units=4, epochs=4, more=CHOOSE.format(by=by))
    maker = Maker(text, FACES)
    for arm, errors in values.items():
        for replicate, error in enumerate(errors):
            first = arm == "plain" and replicate == 0
            own = what if first else {}
            maker.run(
                arm,
                replicate,
                curves={"train_loss": own.get("losses", STEADY)},  # type: ignore[dict-item]
                measured={("last", "mse"): error, ("last", "output_variation"): float(own.get("variation", 0.5))},  # type: ignore[arg-type]
                state=own.get("state", "done"),
                artifacts=[maker.units("last", dead=int(own.get("dead", 0)), unmoved=0, of=4)],  # type: ignore[call-overload]
            )
    return maker.results()


BETTER = {"plain": [0.10, 0.11, 0.12], "centred": [0.20, 0.21, 0.22]}


@pytest.mark.parametrize(
    ("what", "fault"),
    [
        ({"state": "diverged"}, "diverged"),
        ({"variation": 0.001}, "collapsed"),
        ({"dead": 2}, "dead"),
        ({"losses": RISEN}, "unstable"),
    ],
)
def test_a_better_arm_with_a_fault_in_one_replicate_is_not_chosen(what: dict[str, object], fault: str) -> None:
    results = made(BETTER, **what)
    assert faults_of(results.of("plain")[0], "last") == (fault,)
    assert faults_of(results.of("plain")[1], "last") == ()
    (choice,) = choices(results)
    assert choice.arm == "centred"
    assert f"{fault} in 1 of 3" in choice.candidates[0].excluded


@pytest.mark.parametrize(
    ("state", "variation", "error", "dead", "faults"),
    [
        ("paused", 0.001, 0.10, 0, ()),  # five times the error of the mean: it still learns the mean
        ("paused", 0.001, 0.021, 0, ("collapsed",)),  # it has learned the mean, and nothing else
        ("paused", 0.001, 0.10, 4, ("dead",)),  # weight decay and Adam bring dead units back
        ("paused", 0.5, 0.10, 0, ()),
        ("done", 0.001, 0.10, 0, ("collapsed",)),
        ("done", 0.5, 0.10, 0, ("collapsed",)),  # worse than the mean at the end of training
        ("done", 0.5, 0.015, 0, ()),
    ],
)
def test_an_autoencoder_has_collapsed_where_it_is_no_better_than_the_mean_and_stays_so(
    state: str, variation: float, error: float, dead: int, faults: tuple[str, ...]
) -> None:
    run = made(BETTER, variation=variation, dead=dead).of("plain")[0]
    measured = {**run.measurements, ("last", "mse"): error, ("last", "mean_mse"): 0.02}
    assert faults_of(replace(run, state=state, measurements=measured), "last") == faults


def test_what_is_lost_after_the_chosen_epoch_is_no_fault() -> None:
    """The loss doubles in epoch 3: a network kept from epoch 2 is sound, one kept from epoch 4 is not."""
    run = made(BETTER, losses=RISEN).of("plain")[0]
    for epoch, fault in ((2, ()), (3, ("unstable",)), (4, ("unstable",))):
        early = replace(run, selections={"last": Selected("last", epoch, None, None)})
        assert faults_of(early, "last") == fault


def test_a_single_dead_unit_of_four_is_no_fault() -> None:
    results = made(BETTER, dead=1)
    assert faults_of(results.of("plain")[0], "last") == ()
    assert choices(results)[0].arm == "plain"


def test_the_lowest_upper_bound_prefers_what_is_surely_good() -> None:
    """By hand: 0.10 +- 4.303 * 0.05 / sqrt(3) ends at 0.224, 0.12 +- 4.303 * 0.001 / sqrt(3) at 0.1225."""
    values = {"plain": [0.05, 0.10, 0.15], "centred": [0.119, 0.12, 0.121]}
    (choice,) = choices(made(values, by="lowest-upper-bound"))
    assert (choice.best, choice.arm) == ("plain", "centred")
    assert choice.limit == pytest.approx(0.12 + 4.302653 * 0.001 / 3**0.5)
    assert choices(made(values, by="best"))[0].arm == "plain"
    rule = made(values, by="lowest-upper-bound").study.choose
    assert rule is not None
    assert "has the best upper end" in rule_in_words(rule)
