from dataclasses import replace

import pytest

from paribus.analysis.results import Registration, Results
from paribus.analysis.verdicts import claim_outcomes, claim_sentence
from paribus.analysis.wording import MAX_MORE
from paribus.spec.identity import claim_text

from .conftest import CLASSIFIERS

CLAIM = """
[[claims]]
statement = "Dropping the learning rate helps."
metric = "{metric}"
better = {{ arm = "dropped" }}
than = {{ arm = "fixed" }}
by = {by}
"""


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
    assert (found.verdict, found.judgement.detail, found.interval) == ("INCONCLUSIVE", "one replicate", None)


DROPPED = CLAIM.format(metric="test_accuracy", by=0.01)
FIXED = [0.80, 0.81, 0.82, 0.80]
BETTER = [0.90, 0.911, 0.92, 0.902]


def registered(results: Results, at: str, replicates: int) -> Results:
    return replace(results, registrations={claim_text(results.study.claims[0]): Registration(at, replicates)})


def started(results: Results, at: str) -> Results:
    return replace(results, runs=tuple(replace(run, started_at=at) for run in results.runs))


def test_a_claim_waits_for_the_declared_replicates(compared) -> None:
    results = compared(FIXED, BETTER, more=DROPPED)
    (found,) = claim_outcomes(replace(results, runs=tuple(run for run in results.runs if run.replicate < 3)))
    assert (found.verdict, found.label, found.holm) == (None, "pending 3/4", None)
    assert found.judgement.verdict == "SUPPORTED"  # what they say so far is shown, and is no verdict


def test_a_diverged_run_is_counted_and_keeps_no_claim_waiting(compared) -> None:
    results = compared(FIXED, BETTER, more=DROPPED)
    runs = [replace(run, state="diverged") if run.replicate == 3 else run for run in results.runs]
    (found,) = claim_outcomes(replace(results, runs=tuple(runs)))
    assert found.label == "SUPPORTED"
    assert found.notes == ("1 replicate left out: a run diverged",)


def test_replicates_beyond_the_declared_ones_are_said(compared) -> None:
    (found,) = claim_outcomes(registered(compared(FIXED, BETTER, more=DROPPED), "2026-01-01", 3))
    assert found.label == "SUPPORTED"
    assert found.notes == ("extended from 3 to 4 replicates, uncorrected for looking twice",)


@pytest.mark.parametrize(("registered_at", "post_hoc"), [("2026-01-01", False), ("2026-03-01", True)])
def test_a_claim_registered_after_training_is_post_hoc(compared, registered_at: str, post_hoc: bool) -> None:
    results = started(compared(FIXED, BETTER, more=DROPPED), "2026-02-01")
    (found,) = claim_outcomes(registered(results, registered_at, 4))
    assert any(note.startswith("post hoc") for note in found.notes) == post_hoc


def test_declared_looks_have_levels_of_their_own(classifiers, compared) -> None:
    results = compared(FIXED, BETTER, more=DROPPED)
    study = results.study
    looks = study.replicates.model_copy(update={"looks": (3, 4)})
    at_second = replace(results, study=study.model_copy(update={"replicates": looks}))
    (single,), (second,) = claim_outcomes(results), claim_outcomes(at_second)
    assert second.label == "SUPPORTED"
    assert "look 2 of 2" in second.notes[0]
    assert second.interval is not None
    assert single.interval is not None
    assert second.interval.low < single.interval.low
    between = looks.model_copy(update={"looks": (3, 8)})
    (found,) = claim_outcomes(replace(results, study=study.model_copy(update={"replicates": between})))
    assert found.label == "between looks 4/8"


def test_two_names_for_the_same_runs_get_no_verdict(compared) -> None:
    results = compared(FIXED, FIXED, more=DROPPED)
    same = tuple(replace(run, id=f"run-{run.replicate}") for run in results.runs)
    (found,) = claim_outcomes(replace(results, runs=same))
    assert (found.verdict, found.judgement.detail) == ("INCONCLUSIVE", "both arms are the same runs")


def test_arms_that_differ_in_more_than_one_setting_are_said(classifiers, steady) -> None:
    text = CLASSIFIERS.replace('name = "dropped"', 'name = "dropped"\nnetwork = {{ hidden = [64] }}')
    maker = classifiers(text=text, more=DROPPED)
    for arm in ("fixed", "dropped"):
        for replicate in range(3):
            measured = {("max-val-accuracy", "test_accuracy"): 0.8 + 0.01 * replicate}
            maker.run(arm, replicate, curves=steady(replicate), measured=measured)
    (found,) = claim_outcomes(maker.results())
    assert "the arms differ in more than one setting: network and schedule" in found.notes


def test_several_claims_are_adjusted_together(compared) -> None:
    """Two claims, each p below its level and above half of it: each holds alone, and not with the other."""
    differences = [0.012, 0.009, 0.030, 0.004]
    better = [a + d for a, d in zip(FIXED, differences, strict=True)]
    claim = CLAIM.format(metric="test_accuracy", by=0.0)
    (alone,) = claim_outcomes(compared(FIXED, better, more=claim))
    assert alone.judgement.p is not None
    assert alone.holm == alone.judgement.p
    two = claim_outcomes(compared(FIXED, better, more=claim + claim.replace("helps", "does good")))
    assert [case.holm for case in two] == pytest.approx([2 * alone.judgement.p] * 2)


def test_a_margin_below_zero_says_not_worse_by_more_than_it(compared) -> None:
    claim = CLAIM.format(metric="test_accuracy", by=-0.03)
    (found,) = claim_outcomes(compared([0.80, 0.81, 0.82], [0.79, 0.805, 0.815], more=claim))
    assert found.verdict == "SUPPORTED"
    assert "The whole interval excludes being worse by 3 points or more." in claim_sentence(
        compared([0.80, 0.81, 0.82], [0.79, 0.805, 0.815], more=claim), found
    )
    (worse,) = claim_outcomes(compared([0.80, 0.81, 0.82], [0.70, 0.705, 0.72], more=claim))
    assert (worse.verdict, worse.judgement.detail) == ("REFUTED", "worse by more than the margin")


def test_the_sentence_names_n_the_interval_and_what_would_decide(compared) -> None:
    results = compared([0.80, 0.81, 0.82], [0.815, 0.818, 0.84], more=DROPPED)
    (found,) = claim_outcomes(results)
    assert claim_sentence(results, found) == (
        "The test accuracy is 1.4 points higher with dropped than with fixed (95 % CI -0.1 to +2.9, n = 3). "
        "The interval contains the margin of 1 point. "
        f"About {found.judgement.needed - 3} more replicates would decide."
    )


def test_a_large_number_of_needed_replicates_is_not_named(compared) -> None:
    """A mean just above the margin: hundreds would decide, if it were known so exactly."""
    results = compared([0.80, 0.81, 0.82], [0.8101, 0.8205, 0.8302], more=DROPPED)
    (found,) = claim_outcomes(results)
    assert found.judgement.needed is not None
    needed = found.judgement.needed - 3
    said = claim_sentence(results, found)
    assert (f"About {needed} more" in said) == (needed <= MAX_MORE)
    far = replace(found, judgement=replace(found.judgement, needed=3 + MAX_MORE + 1))
    assert f"More than {MAX_MORE} more replicates would be needed" in claim_sentence(results, far)
