import numpy as np
import pytest

from paribus.analysis.finding_summaries import findings
from paribus.analysis.findings import Finding, findings_of

CURVES = {"train_loss": [0.3, 0.2, 0.1]}
LAST = "max-val-accuracy"
RULES = ("min-train-loss", "max-val-accuracy")


def _kinds(run) -> set[str]:
    return {finding.kind for finding in findings_of(run)}


def _everywhere(**measured: float) -> dict[tuple[str, str], float]:
    return {(rule, name): value for rule in RULES for name, value in measured.items()}


def test_findings_are_gathered_by_kind_and_arm_the_gravest_first(autoencoders) -> None:
    maker = autoencoders(replicates=3)
    for replicate, (dead, variation) in enumerate([(2, 0.9), (4, 0.001)]):
        units = maker.units("last", dead=dead, unmoved=0, of=4)
        measured = {("last", "output_variation"): variation}
        maker.run("plain", replicate, curves=CURVES, measured=measured, artifacts=[units])
    maker.run("plain", 2, curves=CURVES, state="diverged")
    found = findings(maker.results())
    assert [(entry.kind, entry.replicates, entry.of) for entry in found] == [
        ("diverged", (2,), 3), ("collapse", (1,), 3), ("dead-units", (0, 1), 3),
    ]  # fmt: skip
    diverged, collapse, dead = (entry.sentence for entry in found)
    assert diverged == "plain: divergence in 1 of 3 runs: at epoch 3."
    assert collapse == "plain: collapse in 1 of 3 runs at the last epoch: output variance 0.1 % of the input variance."
    assert dead == "plain: dead hidden units in 2 of 3 runs at the last epoch: 2 and 4 of 4."
    assert found[2].detail == "2 of 3 runs: 2 and 4 of 4"


def test_units_close_to_their_initial_weights_are_a_finding_of_their_own(autoencoders) -> None:
    maker = autoencoders(replicates=1)
    run = maker.run("plain", 0, curves=CURVES, artifacts=[maker.units("last", dead=0, unmoved=3, of=4)])
    assert findings_of(run) == (Finding("unmoved-units", "last"),)
    (found,) = findings(maker.results())
    assert found.sentence.endswith("close to their initial weights in its one run at the last epoch: 3 of 4.")


def test_a_run_that_has_not_ended_has_no_findings_yet(classifiers, steady) -> None:
    run = classifiers().run("fixed", 0, curves=steady(0), state="running", measured=_everywhere(memorised=0.9))
    assert findings_of(run) == ()


def test_memorising_names_the_share(classifiers, steady) -> None:
    maker = classifiers(replicates=2)
    for replicate, share in enumerate((0.9, 0.49)):
        maker.run("fixed", replicate, curves=steady(0), measured={(LAST, "memorised"): share})
    (found,) = findings(maker.results())
    assert (found.kind, found.replicates) == ("memorisation", (0,))
    assert found.sentence.endswith("memorised in 1 of 2 runs at the highest validation accuracy: 90.00 %.")


def _rising(epochs: int = 40, rise: float = 0.02) -> dict[str, list[float]]:
    losses = [1.0 - 0.02 * epoch for epoch in range(20)] + [0.6 + rise * epoch for epoch in range(epochs - 20)]
    return {"train_loss": [0.5] * epochs, "val_loss": losses, "val_accuracy": [0.5] * epochs}


def test_a_validation_loss_that_has_risen_is_overfitting(classifiers) -> None:
    maker = classifiers(replicates=3, epochs=40)
    maker.run("fixed", 0, curves=_rising())
    maker.run("fixed", 1, curves=_rising(rise=0.0005))  # ends 1 % above its minimum: noise
    maker.run("fixed", 2, curves={name: values[:15] for name, values in _rising().items()})
    (found,) = findings(maker.results())
    assert (found.kind, found.replicates) == ("overfitting", (0,))
    assert found.sentence == (
        "fixed: overfitting in 1 of 3 runs: the validation loss (mean of 5 epochs) ends more than 2 % above its "
        "minimum at epoch 21."
    )
    assert found.detail == "1 of 3 runs: minimum at epoch 21"


@pytest.mark.parametrize(
    ("accuracy", "learned"),
    [(0.40, False), (0.42, False), (0.45, True), (0.9, True), (0.1, False)],
)
def test_a_classifier_no_better_than_its_largest_class_never_learned(classifiers, accuracy, learned) -> None:
    maker = classifiers(replicates=1, epochs=40)
    labels = maker.labels([40, *[7] * 8, 4])
    run = maker.run("fixed", 0, curves=_rising(), measured=_everywhere(train_accuracy=accuracy), artifacts=[labels])
    assert ("never-learned" in _kinds(run)) is not learned
    assert ("overfitting" in _kinds(run)) is learned  # what never learned cannot overfit
    if not learned:
        assert "the largest class alone has 40.00 %" in findings(maker.results())[0].sentence


def test_a_classifier_that_was_better_at_one_snapshot_has_learned(classifiers, steady) -> None:
    maker = classifiers(replicates=1)
    measured = {("min-train-loss", "train_accuracy"): 0.1, ("max-val-accuracy", "train_accuracy"): 0.7}
    run = maker.run("fixed", 0, curves=steady(0), measured=measured, artifacts=[maker.labels([5] * 10)])
    assert "never-learned" not in _kinds(run)


def test_the_initial_weights_need_not_have_learned(classifiers, steady) -> None:
    more = '[[arms]]\nname = "start"\nselection = { rules = ["epoch:0"] }\ntest = { read_at = [] }'
    maker = classifiers(replicates=1, more=more)
    measured = {("epoch:0", "train_accuracy"): 0.1}
    run = maker.run("start", 0, curves=steady(0), measured=measured, artifacts=[maker.labels([5] * 10)])
    assert run.epoch("epoch:0") == 0
    assert "never-learned" not in _kinds(run)


def test_training_data_of_one_class_are_a_finding_and_no_failure_to_learn(classifiers, steady) -> None:
    maker = classifiers(replicates=1)
    run = maker.run(
        "fixed", 0, curves=steady(0), measured=_everywhere(train_accuracy=1.0), artifacts=[maker.labels([0, 12])]
    )
    assert _kinds(run) == {"constant-data"}


def test_equal_training_examples_are_a_finding(autoencoders) -> None:
    maker = autoencoders(replicates=1)
    images = np.full((30, 4096), 0.1, np.float32)
    variance = float(images.astype(np.float64).var(axis=0).mean())
    measured = {("last", "mean_mse"): variance, ("last", "output_variation"): float("nan")}
    run = maker.run("plain", 0, curves=CURVES, measured=measured)
    assert _kinds(run) == {"constant-data"}
    assert "constant training data" in findings(maker.results())[0].sentence
