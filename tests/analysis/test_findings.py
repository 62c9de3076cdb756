from paribus.analysis.findings import summary
from paribus.store.records import Finding

CURVES = {"train_loss": [0.3, 0.2, 0.1]}


def test_findings_are_gathered_by_kind_and_arm_the_gravest_first(autoencoders) -> None:
    maker = autoencoders(replicates=3)
    for replicate, dead in enumerate((2, 4)):
        measured = {("last", "dead_units"): float(dead), ("last", "hidden_units"): 4.0}
        found = [Finding("dead-units", "last", 3, {"units": dead, "of": 4})]
        if dead == 4:
            found.append(Finding("collapse", "last", 3, {"output_variation": 0.001}))
            measured["last", "output_variation"] = 0.001
        maker.run("plain", replicate, curves=CURVES, measured=measured, findings=found)
    maker.run("plain", 2, curves=CURVES, state="diverged", findings=[Finding("diverged", "", 3, {})])
    found = summary(maker.results())
    assert [(entry.kind, entry.replicates, entry.of) for entry in found] == [
        ("diverged", (2,), 3), ("collapse", (1,), 3), ("dead-units", (0, 1), 3),
    ]  # fmt: skip
    diverged, collapse, dead = (entry.sentence for entry in found)
    assert diverged == "plain: 1 of 3 runs diverged (epoch 3); left out of every mean."
    assert "the same output for every input (outputs vary 0.1 % as much as inputs)" in collapse
    assert dead.endswith("never fire on the training images at the last epoch (2 of 4 and 4 of 4).")


def test_a_finding_of_a_kind_to_come_is_told_with_its_numbers(autoencoders) -> None:
    maker = autoencoders(replicates=1)
    maker.run("plain", 0, curves=CURVES, findings=[Finding("slow-start", "", 2, {"loss": 0.25})])
    (found,) = summary(maker.results())
    assert found.sentence == "plain: 1 of 1 run with slow start (loss 0.2500)."


def test_memorising_and_overfitting_name_share_and_epoch(classifiers, steady) -> None:
    maker = classifiers(replicates=1)
    found = [
        Finding("memorisation", "max-val-accuracy", 3, {"memorised": 0.9}),
        Finding("overfit-onset", "", 2, {"lowest": 0.7, "last": 0.9}),
    ]
    maker.run("fixed", 0, curves=steady(0), findings=found, measured={("max-val-accuracy", "memorised"): 0.9})
    onset, memorised = (entry.sentence for entry in summary(maker.results()))
    assert onset == "fixed: 1 of 1 run overfitting: the validation loss rose after epoch 2."
    assert memorised.endswith("at the highest validation accuracy (90.00 % of them).")
