from dataclasses import replace

import pytest

from paribus.analysis.answers import answer
from paribus.store.records import UsageRecord

CLAIM = """
[[claims]]
statement = "Dropping the learning rate helps."
metric = "test_accuracy"
better = { arm = "dropped" }
than = { arm = "fixed" }
by = 0.005
[[published]]
arm = "fixed"
rule = "max-val-accuracy"
test_accuracy = 0.5
"""
WRONG = """
[[arms]]
name = "wrong"
data = { label_noise = 0.3 }
selection = { rules = ["last"] }
test = { read_at = ["last"], monitor_every = 1 }
"""


def _said(results) -> dict[str, str]:
    return {paragraph.topic: " ".join(paragraph.sentences) for paragraph in answer(results).paragraphs}


def test_a_difference_that_the_replicates_show_is_told_with_its_interval(compared) -> None:
    results = compared([0.80, 0.81, 0.82], [0.85, 0.861, 0.87], more=CLAIM)
    found = answer(results)
    assert found.question == results.study.question
    assert "Of 1 claim: 1 SUPPORTED." in found.short
    assert "dropped at the highest validation accuracy, 86.03 % (sd 1.00, n = 3)" in found.short
    said = _said(results)
    assert "SUPPORTED" in said["Claims"]
    assert "dropped minus fixed (they differ in schedule only)" in said["Learning rate schedule"]
    assert "95 % interval" in said["Learning rate schedule"]
    assert "published 50.00 %" in said["Published figures"]


def test_a_difference_within_the_noise_is_not_called_one(compared) -> None:
    said = _said(compared([0.80, 0.82, 0.81], [0.82, 0.80, 0.81], more=CLAIM))
    assert "INCONCLUSIVE" in said["Claims"]
    assert said["Learning rate schedule"].endswith("n = 3: no clear difference.")


def test_one_replicate_gets_neither_interval_nor_verdict(compared) -> None:
    results = compared([0.80], [0.90], more=CLAIM)
    said = _said(results)
    assert "one replicate" in said["Claims"]
    assert "With one replicate there is no interval and no verdict." in said["Status"]
    assert "95 % interval" not in " ".join(said.values())


def test_before_any_run_has_finished_there_is_no_answer(classifiers, steady) -> None:
    maker = classifiers()
    maker.run("fixed", 0, curves=steady(0), state="running")
    found = answer(maker.results())
    assert found.short == "No run has finished yet, so there is no answer."
    assert "Of 6 runs: 5 missing and 1 running." in found.paragraphs[0].sentences


def test_diverged_runs_are_counted_and_left_out(classifiers, steady) -> None:
    maker = classifiers(replicates=2)
    maker.run("fixed", 0, curves=steady(0), measured={("max-val-accuracy", "test_accuracy"): 0.8})
    maker.run("fixed", 1, curves=steady(0), state="diverged")
    said = _said(maker.results())
    assert "1 diverged" in said["Status"]
    assert "left out of every mean" in said["Findings"]


def test_wrong_labels_have_their_peak_their_fall_and_the_share_memorised(classifiers, steady) -> None:
    maker = classifiers(replicates=3, more=WRONG)
    for replicate in range(3):
        shift = 0.01 * replicate
        measured = {("last", "memorised"): 0.9 + shift, ("last", "mislabelled"): 0.27, ("last", "test_accuracy"): 0.67}
        curves = {**steady(replicate), "test_accuracy": [0.5, 0.84 + shift, 0.7, 0.67]}
        maker.run("wrong", replicate, curves=curves, measured=measured)
    said = _said(maker.results())["Wrong labels"]
    assert "peaks at 85.00 % (sd 1.00, n = 3), epoch 2, and ends at 67.00 % (sd 0.00, n = 3), epoch 4" in said
    assert "a fall of 18.00 points, 95 % interval [+15.52, +20.48]" in said
    assert "wrong at the last epoch 91.00 % (sd 1.00, n = 3) of 27.00 % wrong" in said
    assert "rank correlation of labels memorised and fall is +1.00" in said


def test_networks_of_two_sizes_are_counted(classifiers, steady) -> None:
    more = '[[arms]]\nname = "deep"\nnetwork = { hidden = [32, 64, 32] }'
    maker = classifiers(replicates=2, more=more)
    for replicate in range(2):
        for arm in ("fixed", "deep"):
            figure = {("max-val-accuracy", "test_accuracy"): 0.8 + 0.01 * replicate}
            maker.run(arm, replicate, curves=steady(replicate), measured=figure)
    said = _said(maker.results())["Size of the network"]
    assert "deep (784-32-64-32-10): 29,642 parameters, 29,504 without biases" in said
    assert "deep minus fixed (they differ in depth only)" in said


def test_collapsed_autoencoders_and_idle_units_are_named(autoencoders) -> None:
    maker = autoencoders()
    for replicate, variation in enumerate((0.8, 0.001)):
        figures = {"mse": 0.01, "pca_mse": 0.008, "mean_mse": 0.024, "output_variation": variation}
        figures |= {"noise_mse:uniform-0.9": 0.2, "denoise_mse:uniform-0.9": 0.03 + 0.001 * replicate,
                    "pca_denoise_mse:uniform-0.9": 0.02}  # fmt: skip
        measured = {("last", name): value for name, value in figures.items()}
        units = maker.units("last", dead=3, unmoved=2, of=4)
        maker.run("plain", replicate, curves={"train_loss": [0.3, 0.2, 0.1]}, measured=measured, artifacts=[units])
    results = maker.results()
    said = _said(results)
    assert "1.250 times the 0.008000 that rank-4 PCA leaves" in said["Error against PCA of the same rank"]
    units = said["Dead and unmoved units, and collapse"]
    assert "plain: 3 and 3 of 4 hidden units are dead: constant on the training examples" in units
    assert "2 and 2 are close to their initial weights" in units
    assert "plain: 1 of 2 runs collapsed: the output varies 0.1 %" in units
    assert "nearer to the clean image in 1 of 1 conditions" in said["Noisy inputs"]
    assert "nearer than PCA of its rank in 0." in said["Noisy inputs"]
    assert "Collapsed runs, printing one image for every input: 1 of 2 of plain." in answer(results).short


@pytest.mark.parametrize("energy_j", [None, 72.0])
def test_the_cost_is_told_with_its_tag(compared, energy_j) -> None:
    results = compared([0.8, 0.81], [0.82, 0.83])
    tag = "unknown" if energy_j is None else "modelled"
    shares = {run.id: 0.25 for run in results.runs}
    usage = UsageRecord("a", "2024-01-01T00:00:00+00:00", 5.0, 4.0, energy_j, tag, {}, shares, 16)
    said = _said(replace(results, usage=(usage,)))["Cost"]
    assert "4 runs trained 16 model-epochs in 5.0 s." in said
    assert ("modelled" in said) is (energy_j is not None)


def test_what_is_said_does_not_hang_on_the_study_s_name(compared) -> None:
    results = compared([0.80, 0.81, 0.82], [0.85, 0.861, 0.87], more=CLAIM)
    renamed = replace(results, study=results.study.model_copy(update={"name": "capacity"}))
    assert answer(renamed) == answer(results)
