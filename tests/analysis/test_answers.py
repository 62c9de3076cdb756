from types import SimpleNamespace

import pytest

from paribus.analysis import beside_claims
from paribus.analysis.answers import MAX_POINTS, answer

CLAIM = """
[[claims]]
statement = "Dropping the learning rate helps."
metric = "test_accuracy"
better = { arm = "dropped" }
than = { arm = "fixed" }
by = 0.005
"""
ENERGY = {"fixed": 3 * 339.0, "dropped": 3 * 1440.0}
"""Joules of the three runs of each arm."""
BOTH_RULES = """
[[claims]]
statement = "The rule matters."
metric = "test_accuracy"
better = { arm = "fixed", rule = "max-val-accuracy" }
than = { arm = "fixed", rule = "min-train-loss" }
by = 0.005
"""
THIRD = """
[[arms]]
name = "third"
optimizer = { lr = 1e-2 }
"""


def third_claim(by: float = 0.005) -> str:
    return CLAIM.replace('better = { arm = "dropped" }', 'better = { arm = "third" }').replace("0.005", str(by))


def test_a_supported_claim_is_the_answer(compared) -> None:
    found = answer(compared([0.80, 0.81, 0.82], [0.85, 0.861, 0.87], more=CLAIM))
    assert found.headline == (
        "The test accuracy is 5.03 points higher with dropped than with fixed: more than the margin of 0.5 points."
    )
    assert found.points == ()


def test_an_undecided_claim_is_called_that(compared) -> None:
    found = answer(compared([0.80, 0.82, 0.81], [0.82, 0.80, 0.81], more=CLAIM))
    assert found.headline == "The claim is undecided."
    (point,) = found.points
    assert point.startswith("The test accuracy is the same with dropped and with fixed (95 % CI -5.0 to +5.0, n = 3)")
    assert point.endswith(": whether it is higher by 0.5 points is undecided.")


def test_decided_claims_come_before_undecided_ones(classifiers, steady) -> None:
    maker = classifiers(more=BOTH_RULES + CLAIM)
    for replicate, (fixed, other) in enumerate([(0.80, 0.81), (0.82, 0.80), (0.81, 0.82)]):
        measured = {("max-val-accuracy", "test_accuracy"): fixed, ("min-train-loss", "test_accuracy"): other}
        maker.run("fixed", replicate, curves=steady(replicate), measured=measured)
        measured = {("max-val-accuracy", "test_accuracy"): fixed + 0.05 + 0.001 * replicate}
        maker.run("dropped", replicate, curves=steady(replicate), measured=measured)
    found = answer(maker.results())
    assert "higher with dropped than with fixed" in found.headline
    assert found.points[0].startswith("fixed: the test accuracy is")
    assert "undecided" in found.points[0]


def test_claims_that_differ_only_in_their_arm_are_one_sentence(classifiers, steady) -> None:
    maker = classifiers(more=THIRD + CLAIM + third_claim())
    for replicate, (fixed, dropped, third) in enumerate([(0.80, 0.85, 0.90), (0.81, 0.861, 0.912), (0.82, 0.87, 0.92)]):
        for arm, value in (("fixed", fixed), ("dropped", dropped), ("third", third)):
            maker.run(arm, replicate, curves=steady(replicate), measured={("max-val-accuracy", "test_accuracy"): value})
    assert answer(maker.results()).headline == (
        "Higher test accuracy than fixed at the highest validation accuracy by more than 0.5 points: "
        "third (+10.07 points) and dropped (+5.03 points)."
    )


def test_the_answer_is_short_however_many_claims_there_are(classifiers, steady) -> None:
    claims = "".join(CLAIM.replace("0.005", f"{0.001 * k:.3f}") for k in range(1, 9))
    maker = classifiers(more=claims)
    for replicate, (fixed, dropped) in enumerate([(0.80, 0.85), (0.81, 0.861), (0.82, 0.87)]):
        for arm, value in (("fixed", fixed), ("dropped", dropped)):
            maker.run(arm, replicate, curves=steady(replicate), measured={("max-val-accuracy", "test_accuracy"): value})
    found = answer(maker.results())
    assert len(found.points) == MAX_POINTS
    assert found.points[-1] == "All 5 further claims are SUPPORTED."
    assert len(found.headline.split()) <= 30


def test_many_further_claims_are_counted_by_verdict(classifiers, steady) -> None:
    margins = [0.01, 0.02, 0.03, 0.04, 0.045, 0.2, 0.3, 0.4]
    maker = classifiers(more="".join(CLAIM.replace("0.005", str(by)) for by in margins))
    for replicate, (fixed, dropped) in enumerate([(0.80, 0.85), (0.81, 0.861), (0.82, 0.87)]):
        for arm, value in (("fixed", fixed), ("dropped", dropped)):
            maker.run(arm, replicate, curves=steady(replicate), measured={("max-val-accuracy", "test_accuracy"): value})
    assert answer(maker.results()).points[-1] == "Of 5 further claims, 2 are SUPPORTED and 3 are EQUIVALENT."


def test_a_difference_below_one_margin_and_undecided_by_another_is_no_contradiction(classifiers, steady) -> None:
    maker = classifiers(more=CLAIM.replace("0.005", "0.05") + CLAIM)
    for replicate, (fixed, dropped) in enumerate([(0.80, 0.805), (0.81, 0.821), (0.82, 0.821)]):
        for arm, value in (("fixed", fixed), ("dropped", dropped)):
            maker.run(arm, replicate, curves=steady(replicate), measured={("max-val-accuracy", "test_accuracy"): value})
    found = answer(maker.results())
    assert found.headline.endswith(
        ": less than the margin of 5 points; whether it is higher by 0.5 points is undecided."
    )
    assert not found.points


def test_two_margins_of_one_difference_are_one_sentence(classifiers, steady) -> None:
    maker = classifiers(more=CLAIM.replace("0.005", "0.02") + CLAIM.replace("0.005", "0.06"))
    for replicate, (fixed, dropped) in enumerate([(0.80, 0.85), (0.81, 0.861), (0.82, 0.87)]):
        for arm, value in (("fixed", fixed), ("dropped", dropped)):
            maker.run(arm, replicate, curves=steady(replicate), measured={("max-val-accuracy", "test_accuracy"): value})
    found = answer(maker.results())
    assert found.headline.endswith("more than the margin of 2 points; less than the margin of 6 points.")
    assert not found.points


def test_claims_wait_for_their_replicates(classifiers, steady) -> None:
    maker = classifiers(replicates=4, more=CLAIM)
    for arm in ("fixed", "dropped"):
        maker.run(arm, 0, curves=steady(0), measured={("max-val-accuracy", "test_accuracy"): 0.8})
    assert answer(maker.results()).headline == "2 of 8 runs are complete; claims are judged at 4 replicates."


def test_one_replicate_gets_no_interval(compared) -> None:
    found = answer(compared([0.80], [0.90], more=CLAIM))
    assert found.headline == "The claim is undecided."
    assert "(one replicate, no interval)" in found.points[0]


def test_before_any_run_is_complete_there_is_no_answer(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("fixed", 0, curves=steady(0), state="running")
    assert answer(maker.results()).sentences == ("No run is complete yet.",)


def test_without_claims_the_arms_are_compared_with_the_control(compared) -> None:
    found = answer(compared([0.80, 0.81, 0.82], [0.85, 0.861, 0.87]))
    assert found.headline == "dropped has the highest mean test accuracy, 86.03 % (sd 1.00, n = 3)."
    assert found.points == ("Better than fixed, the control: dropped (+5.03 points).",)
    alike = answer(compared([0.80, 0.82, 0.81], [0.82, 0.80, 0.81]))
    assert alike.points[0].startswith("No clear difference from fixed, the control: dropped")


def test_a_finding_that_changes_what_numbers_mean_belongs_to_the_answer(classifiers, steady) -> None:
    maker = classifiers(replicates=2)
    maker.run("fixed", 0, curves=steady(0), measured={("max-val-accuracy", "test_accuracy"): 0.8})
    maker.run("fixed", 1, curves=steady(0), state="diverged")
    assert answer(maker.results()).points[-1] == "fixed: divergence in 1 of 2 runs: at epoch 4."


def test_collapsed_autoencoders_are_part_of_the_answer(autoencoders) -> None:
    maker = autoencoders()
    for replicate, variation in enumerate((0.8, 0.001)):
        figures = {"mse": 0.01, "pca_mse": 0.008, "mean_mse": 0.024, "output_variation": variation}
        measured = {("last", name): value for name, value in figures.items()}
        maker.run("plain", replicate, curves={"train_loss": [0.3, 0.2, 0.1]}, measured=measured)
    assert "collapse in 1 of 2 runs" in answer(maker.results()).points[-1]


@pytest.mark.parametrize("name", ["capacity", "selection", "faces"])
def test_the_answer_does_not_depend_on_the_study_s_name(compared, name) -> None:
    results = compared([0.80, 0.81, 0.82], [0.85, 0.861, 0.87], more=CLAIM)
    renamed = results.study.model_copy(update={"name": name})
    assert answer(results) == answer(type(results)(**{**vars(results), "study": renamed}))


def test_further_claims_are_named_by_what_they_compare(classifiers, steady) -> None:
    rules = ("max-val-accuracy", "min-train-loss", "min-val-loss", "last")
    pair = CLAIM.replace("0.005", "0.001")
    claims = pair + "".join(
        pair.replace('arm = "dropped"', f'arm = "dropped", rule = "{rule}"').replace(
            'arm = "fixed"', f'arm = "fixed", rule = "{rule}"'
        )
        for rule in rules[1:3]
    )
    claims += pair.replace("test_accuracy", "val_accuracy")
    claims += pair.replace('arm = "fixed"', 'arm = "dropped", rule = "min-val-loss"')
    maker = classifiers(more=claims)
    for replicate in range(3):
        for arm, value in (("fixed", 0.80), ("dropped", 0.85)):
            measured = {
                (rule, metric): value + 0.01 * replicate + 0.0001 * replicate * (arm == "fixed") - 0.02 * place
                for place, rule in enumerate(rules[:3])
                for metric in ("test_accuracy", "val_accuracy")
            }
            maker.run(arm, replicate, curves=steady(replicate), measured=measured)
    assert answer(maker.results()).points[-1] == (
        "Further claims: SUPPORTED for dropped against fixed in validation accuracy; INCONCLUSIVE for dropped at the "
        "highest validation accuracy rather than at the lowest validation loss."
    )


def test_the_cost_of_networks_of_different_size_stands_beside_claims(compared, monkeypatch) -> None:
    results = compared([0.80, 0.81, 0.82], [0.85, 0.861, 0.87], more=CLAIM)
    costs = [SimpleNamespace(arm=arm, energy_j=joules, runs=3, tag="modelled") for arm, joules in ENERGY.items()]
    monkeypatch.setattr(beside_claims, "arm_costs", lambda _results: costs)
    assert not any("One run takes" in point for point in answer(results).points)  # networks of one size
    sizes = [SimpleNamespace(arm="fixed", parameters=25_450), SimpleNamespace(arm="dropped", parameters=118_346)]
    monkeypatch.setattr(beside_claims, "sizes", lambda _results: sizes)
    assert answer(results).points[-1] == (
        "One run takes from 339 J with fixed (25,450 parameters) to 1.44 kJ with dropped (118,346 parameters), "
        "modelled."
    )
