import pytest
from hypothesis import given
from hypothesis import strategies as st

from paribus.analysis.estimates import Interval
from paribus.analysis.verdicts import claim_outcomes, decide

CLAIM = """
[[claims]]
statement = "Dropping the learning rate helps."
metric = "{metric}"
better = {{ arm = "dropped" }}
than = {{ arm = "fixed" }}
by = {by}
"""


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.02, 0.03, "SUPPORTED"),
        (-0.005, 0.005, "EQUIVALENT"),
        (-0.03, 0.005, "REFUTED"),
        (-0.03, -0.02, "REFUTED"),
        (0.005, 0.03, "INCONCLUSIVE"),
        (-0.03, 0.03, "INCONCLUSIVE"),
    ],
)
def test_an_interval_against_the_margin(low: float, high: float, verdict: str) -> None:
    assert decide(Interval(low, high), 0.01) == verdict


@given(st.floats(-1, 1), st.floats(0, 1), st.floats(0.001, 1))
def test_a_claim_and_its_opposite_are_never_both_supported(low: float, width: float, by: float) -> None:
    one = Interval(low, low + width)
    verdicts = {decide(one, by), decide(-one, by)}
    assert verdicts != {"SUPPORTED"}
    if "SUPPORTED" in verdicts:
        assert verdicts == {"SUPPORTED", "REFUTED"}
    if "EQUIVALENT" in verdicts:
        assert verdicts == {"EQUIVALENT"}


def test_more_accuracy_speaks_for_a_claim(compared) -> None:
    results = compared([0.80, 0.81, 0.82], [0.90, 0.911, 0.92], more=CLAIM.format(metric="test_accuracy", by=0.01))
    (found,) = claim_outcomes(results)
    assert found.verdict == "SUPPORTED"
    assert found.effect == pytest.approx(0.1003, abs=1e-4)


def test_less_loss_speaks_for_a_claim(classifiers, steady) -> None:
    maker = classifiers(more=CLAIM.format(metric="train_loss", by=0.01))
    for replicate in range(3):
        worse = steady(replicate)
        maker.run("fixed", replicate, curves=worse)
        better = {**worse, "train_loss": [v - 0.1 - 0.001 * replicate for v in worse["train_loss"]]}
        maker.run("dropped", replicate, curves=better)
    (found,) = claim_outcomes(maker.results())
    assert found.contrast.mean == pytest.approx(-0.101)
    assert found.effect == pytest.approx(0.101)
    assert found.verdict == "SUPPORTED"


def test_one_replicate_gets_no_verdict(compared) -> None:
    (found,) = claim_outcomes(compared([0.1], [0.9], more=CLAIM.format(metric="test_accuracy", by=0.01)))
    assert (found.verdict, found.reason, found.interval) == ("INCONCLUSIVE", "one replicate", None)
